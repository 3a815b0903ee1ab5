"""Pretraining of encoders on free baseline energies, and fitting of surrogates to labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from ml.calibration import boltzmann_relevance, calibration_factor
from ml.descriptors import Block, Describer
from ml.encoder import Encoder, EncoderSettings, site_edges
from ml.evidence import fit_kernel
from ml.graphs import GuestSites, HostArrays, SiteNeighbours, host_edges, place_sites
from ml.heads import Kernel, Observations, fit_head
from ml.observing import describe_labels, observations, relevant_rows
from ml.surrogate import PRIOR_SD_KJ_PER_MOL, SKIP_ABOVE_KJ_PER_MOL, Limits, Surrogate

Progress = Callable[[int, float], None]

CLIP_KJ_PER_MOL = 40.0
DROP_KJ_PER_MOL = 250.0
SOFTNESS_KJ_PER_MOL = 20.0
SCALE_SAMPLE = 1500
SMALLEST_SCALE = 0.05
CLIP_BELOW_KT = 2.0
SKIP_KT = 8.0
SKIP_MARGIN_KJ_PER_MOL = 20.0
LARGEST_SKIP_KJ_PER_MOL = 150.0
FEWEST_LABELS = 3
FEWEST_INSERTIONS = 8
FEWEST_TO_VALIDATE = 20
FOLDS = 5
LOWEST_SPREAD = 0.4


@dataclass(frozen=True)
class LabelSet:
    """Reference labels of insertions.

    Attributes:
        fractional: (L, 3) fractional positions of the body origin.
        quaternions: (L, 4) unit quaternions (w, x, y, z).
        baseline_kj_per_mol: (L,) baseline energies.
        energy_kj_per_mol: (L,) reference energies.
        force_correction: (L, 3) net reference force minus baseline force on the guest,
            kJ/mol/angstrom, or None; rows that are not finite count as not given.
        torque_correction: (L, 3) the same for the torque about the body origin in the space
            frame, kJ/mol, or None.
    """

    fractional: np.ndarray
    quaternions: np.ndarray
    baseline_kj_per_mol: np.ndarray
    energy_kj_per_mol: np.ndarray
    force_correction: np.ndarray | None = None
    torque_correction: np.ndarray | None = None

    def rows(self, index: np.ndarray) -> LabelSet:
        """Return a subset of the labels, as arrays of doubles."""
        given = {part.name: getattr(self, part.name) for part in fields(self)}
        known = {name: values for name, values in given.items() if values is not None}
        return LabelSet(**{k: np.asarray(v, dtype=float)[index] for k, v in known.items()})


@dataclass(frozen=True)
class Edges:
    """Basis values and host atoms of every site of the training insertions, by type."""

    weights: tuple[Tensor, ...]
    atoms: tuple[Tensor, ...]


def pretrain_encoders(
    host: HostArrays,
    guest: GuestSites,
    fractional: np.ndarray,
    quaternions: np.ndarray,
    baseline_kj_per_mol: np.ndarray,
    *,
    members: int = 3,
    seed: int,
    steps: int = 600,
    batch: int = 256,
    device: str = "cpu",
    settings: EncoderSettings | None = None,
    progress: Progress | None = None,
) -> tuple[Encoder, ...]:
    """Train an ensemble of encoders to reproduce baseline energies of this host.

    Energies above 40 kJ/mol are compressed logarithmically (the wall's exact height never
    matters) and those above 250 kJ/mol are left out.

    Args:
        host: the host.
        guest: the guest's sites.
        fractional: (B, 3) fractional positions of the body origin.
        quaternions: (B, 4) unit quaternions (w, x, y, z).
        baseline_kj_per_mol: (B,) baseline energies, or (B, t) for t separate targets whose
            first column is the total.
        members: number of encoders, each from its own seed.
        seed: seed of the ensemble.
        steps: optimiser steps per member.
        batch: insertions per step.
        device: torch device to train on.
        settings: sizes of the encoder.
        progress: called with the step over all members and the running loss.

    Returns:
        The trained encoders, on the CPU; untrained ones where fewer than eight insertions
        have an energy to learn from (a host without room).
    """
    settings = settings or EncoderSettings()
    targets = np.asarray(baseline_kj_per_mol, dtype=float)
    targets = targets.reshape(len(fractional), targets.shape[1] if targets.ndim == 2 else 1)
    keep = np.isfinite(targets).all(axis=1) & (targets[:, 0] < DROP_KJ_PER_MOL)
    if keep.sum() < FEWEST_INSERTIONS:
        seeds = (1_000_003 * seed + member for member in range(members))
        return tuple(new_encoder(host, guest, settings, 1, seed=s).eval() for s in seeds)
    edges = gather_edges(host, guest, fractional[keep], quaternions[keep], settings, device)
    goal = torch.as_tensor(compress_walls(targets[keep]), dtype=torch.float32, device=device)
    encoders = []
    for member in range(members):
        generator = torch.Generator().manual_seed(1_000_003 * seed + member)
        encoder = new_encoder(host, guest, settings, goal.shape[1], seed=1_000_003 * seed + member)

        def report(step: int, loss: float, done: int = member * steps) -> None:
            if progress is not None:
                progress(done + step, loss)

        _train(encoder.to(device), host, edges, goal, steps, batch, generator, report)
        low = torch.as_tensor(np.flatnonzero(targets[keep][:, 0] < CLIP_KJ_PER_MOL))
        _set_output_scales(encoder, host, edges, low[:SCALE_SAMPLE].to(device))
        encoders.append(encoder.cpu().eval())
    return tuple(encoders)


def new_encoder(
    host: HostArrays, guest: GuestSites, settings: EncoderSettings, targets: int, *, seed: int
) -> Encoder:
    """Return an untrained encoder whose parameters depend on the seed alone."""
    elements = tuple(sorted({int(z) for z in host.atomic_numbers}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(guest.type_names, elements, settings, targets)


def compress_walls(energies: np.ndarray) -> np.ndarray:
    """Return energies with what exceeds 40 kJ/mol compressed logarithmically."""
    above = np.maximum(energies - CLIP_KJ_PER_MOL, 0.0)
    low = np.minimum(energies, CLIP_KJ_PER_MOL)
    return low + SOFTNESS_KJ_PER_MOL * np.log1p(above / SOFTNESS_KJ_PER_MOL)


def gather_edges(
    host: HostArrays,
    guest: GuestSites,
    fractional: np.ndarray,
    quaternions: np.ndarray,
    settings: EncoderSettings,
    device: str,
) -> Edges:
    """Evaluate the radial basis once: the geometry does not change during training."""
    neighbours = SiteNeighbours.build(host, settings.site_basis.cutoff_angstrom)
    positions, _ = place_sites(
        neighbours.lattice,
        torch.as_tensor(guest.positions_angstrom, dtype=torch.float64),
        torch.as_tensor(fractional, dtype=torch.float64),
        torch.as_tensor(quaternions, dtype=torch.float64),
    )
    weights, atoms = [], []
    for kind in range(len(guest.type_names)):
        sites = positions[:, guest.type_index == kind]
        basis, index = site_edges(
            neighbours, settings.site_basis, sites.reshape(-1, 3), torch.float32
        )
        shape = (len(sites), sites.shape[1], *basis.shape[1:])
        weights.append(basis.reshape(shape).to(device))
        atoms.append(index.reshape(shape[:3]).to(device))
    return Edges(tuple(weights), tuple(atoms))


def site_moments(edges: Edges, rows: Tensor, channels: Tensor) -> list[Tensor]:
    """Return per site type the (rows * m, k, c) radial moments of insertions."""
    moments = []
    for weights, atoms in zip(edges.weights, edges.atoms, strict=True):
        basis = weights[rows].flatten(0, 1)
        moments.append(torch.bmm(basis.transpose(1, 2), channels[atoms[rows].flatten(0, 1)]))
    return moments


def batch_energies(encoder: Encoder, edges: Edges, rows: Tensor, channels: Tensor) -> Tensor:
    """Return the (rows, targets) energies that an encoder reads out for insertions."""
    total: Tensor | None = None
    for kind, moments in enumerate(site_moments(edges, rows, channels)):
        per_site = encoder.readout(encoder.describe(moments, kind))
        energy = per_site.reshape(len(rows), -1, per_site.shape[1]).sum(dim=1)
        total = energy if total is None else total + energy
    if total is None:
        raise ValueError("a guest needs at least one site")
    return total


def _set_input_scale(encoder: Encoder, host: HostArrays, edges: Edges) -> None:
    """Fix the input scale from the first insertions, so that all inputs start comparable."""
    with torch.no_grad():
        rows = torch.arange(min(512, len(edges.weights[0])), device=edges.weights[0].device)
        moments = site_moments(edges, rows, encoder.host_channels(host))
        encoder.scale = spread_of(torch.cat([m.flatten(1) for m in moments]))


def _set_output_scales(encoder: Encoder, host: HostArrays, edges: Edges, rows: Tensor) -> None:
    """Store how much radial moments and descriptors vary over accessible insertions."""
    with torch.no_grad():
        every = site_moments(edges, rows, encoder.host_channels(host))
        flags = [m[:, :, encoder.settings.channels :].flatten(1) for m in every]
        deep = [encoder.describe(m, kind) for kind, m in enumerate(every)]
        encoder.radial_scale = torch.stack([spread_of(f) for f in flags])
        encoder.descriptor_scale = torch.stack([spread_of(d) for d in deep])


def spread_of(values: Tensor) -> Tensor:
    """Return the standard deviation of each column, none much smaller than the largest."""
    spread = values.std(dim=0)
    return spread.clamp(min=max(SMALLEST_SCALE * float(spread.max()), 1e-6))


def _train(
    encoder: Encoder,
    host: HostArrays,
    edges: Edges,
    goal: Tensor,
    steps: int,
    batch: int,
    generator: torch.Generator,
    report: Progress,
) -> None:
    device = goal.device
    _set_input_scale(encoder, host, edges)
    numbers = torch.as_tensor(np.asarray(host.atomic_numbers, dtype=np.int64)).to(device)
    receivers, senders, distances = host_edges(host, encoder.settings.host_basis.cutoff_angstrom)
    graph = (receivers.to(device), senders.to(device), distances.to(device))
    spread = goal.std(dim=0) + 1e-6
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=4e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for step in range(steps):
        rows = torch.randint(len(goal), (batch,), generator=generator).to(device)
        predicted = batch_energies(encoder, edges, rows, encoder.channels(numbers, graph))
        loss = torch.nn.functional.smooth_l1_loss(predicted / spread, goal[rows] / spread, beta=0.2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        report(step + 1, float(loss.detach()))


def fit_surrogate(
    encoders: tuple[Encoder, ...],
    host: HostArrays,
    guest: GuestSites,
    labels: LabelSet,
    *,
    temperature_k: float,
    seed: int,
    calibration: float = 1.0,
    shuffle_labels: bool = False,
    prior_sd_kj_per_mol: float = PRIOR_SD_KJ_PER_MOL,
    device: str = "cpu",
    prior: Surrogate | None = None,
) -> Surrogate:
    """Fit a surrogate to labels.

    Labels more than 12 kT above the deepest count with growing noise, those more than 35 kT
    above it not at all. With fewer than three usable labels the prior comes back.

    Args:
        encoders: pretrained encoders of this host and guest.
        host: the host.
        guest: the guest's sites.
        labels: reference labels, with forces and torques where known.
        temperature_k: temperature that says which labels matter, K.
        seed: seed of the shuffling; the fit itself draws no random numbers.
        calibration: factor on predicted standard deviations.
        shuffle_labels: hand the corrections to the wrong insertions and drop forces; a
            deliberately bad surrogate with which to test that estimates stay unbiased.
        prior_sd_kj_per_mol: standard deviation where no correction is evaluated.
        device: torch device to fit and predict on.
        prior: what labels in other hosts taught; it is the prior mean where labels held out in
            turn are predicted better with it than without it.

    Returns:
        The surrogate.
    """
    thermal = GAS_CONSTANT_KJ_PER_MOL_K * temperature_k
    kept = labels.rows(relevant_rows(labels, thermal))
    if len(kept.energy_kj_per_mol) < FEWEST_LABELS:
        return Surrogate(host, guest, Limits(prior_sd_kj_per_mol=prior_sd_kj_per_mol))
    observed = observations(kept, thermal, device)
    if shuffle_labels:
        order = torch.as_tensor(np.random.default_rng(seed).permutation(len(observed.energy)))
        shuffled = observed.energy[order.to(observed.energy.device)]
        observed, prior = Observations(shuffled, None, None, observed.stretch), None
    describer = Describer(encoders, host, guest, device)
    blocks = describe_labels(describer, kept, observed)
    kernel = fit_kernel(blocks, observed)
    relevance = boltzmann_relevance(kept.energy_kj_per_mol, thermal)
    spread, score = _cross_validate(blocks, observed, kernel, relevance)
    if prior is not None:
        above = observations(above_prior(prior, kept), thermal, device)
        other = fit_kernel(blocks, above)
        validated = _cross_validate(blocks, above, other, relevance)
        if validated[1] >= score:
            observed, kernel, spread = above, other, validated[0]
        else:
            prior = None
    head = fit_head(blocks, observed, kernel)
    limits = Limits(
        skip_above_kj_per_mol=_skip_above(kept, thermal),
        lowest_kj_per_mol=float(kept.energy_kj_per_mol.min()) - CLIP_BELOW_KT * thermal,
        prior_sd_kj_per_mol=prior_sd_kj_per_mol,
        noise_kj_per_mol=kernel.noise[0],
        calibration=calibration * spread,
    )
    return Surrogate(host, guest, limits, encoders, head, device, prior=prior)


def above_prior(prior: Surrogate, labels: LabelSet) -> LabelSet:
    """Return labels whose baseline is the baseline and a prior's correction.

    Args:
        prior: what other hosts taught.
        labels: labels in this host.
    """
    energy, force, torque = prior.correction_and_gradient(labels.fractional, labels.quaternions)
    forces, torques = labels.force_correction, labels.torque_correction
    return LabelSet(
        labels.fractional,
        labels.quaternions,
        labels.baseline_kj_per_mol + energy,
        labels.energy_kj_per_mol,
        None if forces is None else forces - force,
        None if torques is None else torques - torque,
    )


def _cross_validate(
    blocks: tuple[Block, ...], observed: Observations, kernel: Kernel, relevance: np.ndarray
) -> tuple[float, float]:
    """Predict labels held out in turn; hyperparameters are those of all labels.

    Returns:
        The factor that makes deviations fit the errors (1 with fewer than 20 labels), and the
        mean log density of the energies held out, weighted by relevance.
    """
    count = len(relevance)
    errors, spreads = np.zeros(count), np.zeros(count)
    for fold in range(FOLDS):
        held = torch.arange(fold, count, FOLDS)
        kept = torch.as_tensor(np.setdiff1d(np.arange(count), held.numpy()))
        if len(held) == 0 or len(kept) == 0:
            continue
        head = fit_head(tuple(b.rows(kept) for b in blocks), observed.rows(kept), kernel)
        mean, sd = head.predict(tuple(b.rows(held) for b in blocks))
        errors[held.numpy()] = (observed.energy[held.to(mean.device)] - mean).cpu().numpy()
        spreads[held.numpy()] = torch.hypot(sd, _level(kernel, sd)).cpu().numpy()
    z_scores = errors / spreads
    density = -0.5 * z_scores**2 - np.log(spreads)
    factor = calibration_factor(z_scores, relevance, lowest=LOWEST_SPREAD)
    return (
        factor if count >= FEWEST_TO_VALIDATE else 1.0,
        float(np.average(density, weights=relevance)),
    )


def _level(kernel: Kernel, like: Tensor) -> Tensor:
    return torch.full_like(like, kernel.noise[0])


def _skip_above(labels: LabelSet, thermal: float) -> float:
    """Return the baseline energy above which no label ever came out low."""
    low = labels.energy_kj_per_mol < labels.energy_kj_per_mol.min() + SKIP_KT * thermal
    seen = float(labels.baseline_kj_per_mol[low].max()) + SKIP_MARGIN_KJ_PER_MOL
    return min(max(seen, SKIP_ABOVE_KJ_PER_MOL), LARGEST_SKIP_KJ_PER_MOL)
