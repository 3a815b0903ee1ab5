"""Pretraining of encoders on free baseline energies, and the labels that surrogates learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from ml.encoder import Encoder, EncoderSettings, kind_flags, site_edges
from ml.graphs import GuestSites, HostArrays, SiteNeighbours, host_edges, place_sites

Progress = Callable[[int, float], None]

CLIP_KJ_PER_MOL = 40.0
DROP_KJ_PER_MOL = 250.0
SOFTNESS_KJ_PER_MOL = 20.0
SCALE_SAMPLE = 1500
SMALLEST_SCALE = 0.05
FEWEST_INSERTIONS = 8


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
    by_class: bool = False,
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
        by_class: tell classes of atoms apart (`ml.atom_classes`), not just elements.

    Returns:
        The trained encoders, on the CPU; untrained ones where fewer than eight insertions
        have an energy to learn from (a host without room).
    """
    settings = settings or EncoderSettings()
    kinds = kinds_of((host,), by_class=by_class)
    targets = np.asarray(baseline_kj_per_mol, dtype=float)
    targets = targets.reshape(len(fractional), targets.shape[1] if targets.ndim == 2 else 1)
    keep = np.isfinite(targets).all(axis=1) & (targets[:, 0] < DROP_KJ_PER_MOL)
    if keep.sum() < FEWEST_INSERTIONS:
        seeds = (1_000_003 * seed + member for member in range(members))
        return tuple(new_encoder(kinds, guest, settings, 1, seed=s).eval() for s in seeds)
    edges = gather_edges(host, guest, fractional[keep], quaternions[keep], settings, device)
    goal = torch.as_tensor(compress_walls(targets[keep]), dtype=torch.float32, device=device)
    encoders = []
    for member in range(members):
        generator = torch.Generator().manual_seed(1_000_003 * seed + member)
        encoder = new_encoder(kinds, guest, settings, goal.shape[1], seed=1_000_003 * seed + member)

        def report(step: int, loss: float, done: int = member * steps) -> None:
            if progress is not None:
                progress(done + step, loss)

        _train(encoder.to(device), host, edges, goal, steps, batch, generator, report)
        low = torch.as_tensor(np.flatnonzero(targets[keep][:, 0] < CLIP_KJ_PER_MOL))
        _set_output_scales(encoder, host, edges, low[:SCALE_SAMPLE].to(device))
        encoders.append(encoder.cpu().eval())
    return tuple(encoders)


def kinds_of(hosts: Sequence[HostArrays], *, by_class: bool) -> tuple[int, ...]:
    """Return the atomic numbers of hosts, or the codes of their classes of atoms, sorted."""
    every = (host.classes if by_class else host.atomic_numbers for host in hosts)
    return tuple(sorted({int(kind) for kinds in every for kind in kinds}))


def new_encoder(
    kinds: tuple[int, ...], guest: GuestSites, settings: EncoderSettings, targets: int, *, seed: int
) -> Encoder:
    """Return an untrained encoder whose parameters depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(guest.type_names, kinds, settings, targets)


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
    flags = kind_flags(host, encoder.host_kinds).to(device)
    spread = goal.std(dim=0) + 1e-6
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=4e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for step in range(steps):
        rows = torch.randint(len(goal), (batch,), generator=generator).to(device)
        predicted = batch_energies(encoder, edges, rows, encoder.channels(numbers, graph, flags))
        loss = torch.nn.functional.smooth_l1_loss(predicted / spread, goal[rows] / spread, beta=0.2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        report(step + 1, float(loss.detach()))
