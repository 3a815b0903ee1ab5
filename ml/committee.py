"""A committee of networks that learned what the reference adds to the baseline in many hosts.

Each network embeds host atoms from given features of their surroundings (`HostArrays.features`),
gathers them around every guest site and adds up what the sites say: the encoder of `ml.encoder`
with one output. It is trained on energies, forces and torques of the labels of all sources but a
share that is its own to leave out, so that every source is also predicted by a network that has
not seen it. The committee speaks as the mean of its members; where members disagree, and in
proportion to what they say, it is unsure.

Guests share what is made of host atoms; each has networks of its own for its types of site. A host
left out is left out for all guests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ml.committee_lessons import Lessons
from ml.descriptors import Describer
from ml.encoder import Encoder, EncoderSettings, FeatureEmbedding
from ml.graphs import GuestSites, HostArrays
from ml.heads import Head, linear_head
from ml.linear_system import LEARNED, Observations, PairTerm
from ml.training import spread_of

MEMBERS = 5
CHANNELS, HIDDEN = 32, 128
STEPS, STEPS_PER_HOST, MOST_STEPS = 400, 8, 1600
BATCH, CHUNK = 96, 384
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-3
CLIP_GRADIENT = 2.0
UNIT_KJ_PER_MOL = 10.0
INPUT_SPREAD = 3.0
"""Inputs of the hidden layer are scaled to one over this many standard deviations."""
ENERGY_SCALE, SLOPE_SCALE, SLOPE_WEIGHT = 3.0, 5.0, 0.5
"""Residuals beyond these (kJ/mol; kJ/mol/angstrom and kJ/mol) count linearly, not squared."""
SCALE_SAMPLE = 600
SHARE_OF_CORRECTION = 0.25
"""Standard deviation of a correction over its size, beside the members' own disagreement."""
NOISE = (2.0, 4.0, 4.0)


@dataclass(frozen=True)
class Committee:
    """Trained networks, and what each source is predicted to be by one that has not seen it.

    Attributes:
        encoders: the members.
        unseen: per source its corrections as a member says that has not seen them.
        spread: per source (b,) standard deviation of what is said of energies, kJ/mol.
    """

    encoders: tuple[Encoder, ...]
    unseen: tuple[Observations, ...]
    spread: tuple[Tensor, ...]


def train_committee(
    lessons: Sequence[Lessons],
    guests: Sequence[GuestSites],
    *,
    seed: int,
    members: int = MEMBERS,
    steps: int | None = None,
) -> tuple[Committee, ...]:
    """Train a committee on the corrections of several sources, of one guest or several.

    Args:
        lessons: labels of all sources, guest by guest.
        guests: the guests' sites.
        seed: seed of parameters and batches.
        members: networks; each leaves out every so-manieth host, if there are two at least.
        steps: optimiser steps of a member; by default 400 and 8 more per source.

    Returns:
        What is said to each guest.
    """
    count = 1 + max(int(part.host.max()) for part in lessons)
    members = max(2, min(members, count)) if count > 1 else members
    sources = sum(1 + int(part.source.max()) for part in lessons)
    steps = steps or min(MOST_STEPS, STEPS + STEPS_PER_HOST * sources)
    settings = EncoderSettings(
        channels=CHANNELS,
        hidden=HIDDEN,
        descriptors=1,
        features=lessons[0].features.shape[1],
        deep=True,
    )
    types = tuple(f"{k} {name}" for k, guest in enumerate(guests) for name in guest.type_names)
    hosts = torch.cat([part.host for part in lessons])
    every = torch.arange(len(hosts))
    networks: list[Encoder] = []
    left_out = [(hosts % members == member) & (count > 1) for member in range(members)]
    for member, out in enumerate(left_out):
        own = 1_000_003 * seed + member
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(own)
            network = Encoder(types, (), settings, 1)
        _train(network, lessons, every[~out], steps, torch.Generator().manual_seed(own))
        networks.append(network.eval())
    sizes = [len(part.host) for part in lessons]
    judged = [out.split(sizes) for out in left_out]
    return tuple(
        _speak(networks, part, guest, [outs[k] for outs in judged])
        for k, (part, guest) in enumerate(zip(lessons, guests, strict=True))
    )


def _speak(
    networks: Sequence[Encoder], lessons: Lessons, guest: GuestSites, left_out: Sequence[Tensor]
) -> Committee:
    """Return what networks say to one guest.

    Args:
        networks: of all guests.
        lessons: of the guest.
        guest: its sites.
        left_out: per network which of the (L,) labels it has not seen.
    """
    every = torch.arange(len(lessons.source))
    unseen = [torch.zeros(len(every), dtype=torch.float64)]
    unseen += [torch.zeros(len(every), 3, dtype=torch.float64) for _ in range(2)]
    heard = []
    for network, out in zip(networks, left_out, strict=True):
        said = _all_said(network, lessons, every)
        heard.append(said[0])
        for values, part in zip(unseen, said, strict=True):
            values[out] = part[out].double()
    disagreement = torch.stack(heard).double().std(dim=0)
    spread = torch.hypot(SHARE_OF_CORRECTION * unseen[0].abs(), disagreement)
    each = [torch.nonzero(lessons.source == k)[:, 0] for k in range(1 + int(lessons.source.max()))]
    energy, force, torque = unseen
    every_unseen = Observations(energy, force, torque, lessons.observed.stretch)
    return Committee(
        tuple(network.of_types(lessons.first_kind, guest.type_names) for network in networks),
        tuple(every_unseen.rows(rows) for rows in each),
        tuple(spread[rows] for rows in each),
    )


def _parts(lessons: Sequence[Lessons], rows: Tensor) -> list[tuple[Lessons, Tensor]]:
    """Return rows of all lessons together as rows of each that has any."""
    found, start = [], 0
    for part in lessons:
        stop = start + len(part.host)
        own = rows[(rows >= start) & (rows < stop)] - start
        if len(own):
            found.append((part, own))
        start = stop
    return found


def _train(
    encoder: Encoder,
    lessons: Sequence[Lessons],
    rows: Tensor,
    steps: int,
    generator: torch.Generator,
) -> None:
    _set_scales(encoder, lessons, rows[torch.randperm(len(rows), generator=generator)])
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        some = rows[torch.randint(len(rows), (BATCH,), generator=generator)]
        losses = [_losses(encoder, part, own) for part, own in _parts(lessons, some)]
        loss = torch.cat(losses).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), CLIP_GRADIENT)
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        encoder.readout.weight *= UNIT_KJ_PER_MOL


def _set_scales(encoder: Encoder, lessons: Sequence[Lessons], rows: Tensor) -> None:
    """Fix the scales of atom features and of the hidden layer's inputs."""
    if isinstance(encoder.host, FeatureEmbedding):
        encoder.host.set_scales(torch.cat([part.features for part in lessons]))
    with torch.no_grad():
        parts = []
        for one, some in _parts(lessons, rows[:SCALE_SAMPLE]):
            channels = encoder.host(one.features)
            for vectors, atoms in zip(one.vectors, one.atoms, strict=True):
                parts.append(_moments(encoder, vectors[some], atoms[some], channels).flatten(1))
        encoder.scale = INPUT_SPREAD * spread_of(torch.cat(parts))


def _moments(encoder: Encoder, vectors: Tensor, atoms: Tensor, channels: Tensor) -> Tensor:
    distance = (vectors * vectors).sum(dim=-1).clamp(min=1e-4).sqrt().flatten(0, 1)
    basis = encoder.settings.site_basis(distance)
    return torch.bmm(basis.transpose(1, 2), channels[atoms.flatten(0, 1)])


def _said(
    encoder: Encoder, lessons: Lessons, rows: Tensor, *, trained: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a network says of (rows,) energies, (rows, 3) forces and torques.

    Args:
        encoder: the network, of all guests.
        lessons: labels of all sources of one guest.
        rows: which of them.
        trained: not to be differentiated any more.
    """
    vectors = [v[rows].requires_grad_() for v in lessons.vectors]
    channels = encoder.host(lessons.features)
    energy = torch.zeros(len(rows))
    for kind, (near, atoms) in enumerate(zip(vectors, lessons.atoms, strict=True)):
        moments = _moments(encoder, near, atoms[rows], channels)
        deep = encoder.describe(moments, lessons.first_kind + kind)
        each = encoder.readout(deep).reshape(len(rows), -1)
        energy = energy + each.sum(dim=1)
    gradients = torch.autograd.grad(energy.sum(), vectors, create_graph=not trained)
    pulls = [gradient.sum(dim=2) for gradient in gradients]
    force = torch.stack([pull.sum(dim=1) for pull in pulls]).sum(dim=0)
    turns = [
        torch.cross(arms[rows], pull, dim=2).sum(dim=1)
        for arms, pull in zip(lessons.arms, pulls, strict=True)
    ]
    return energy, force, torch.stack(turns).sum(dim=0)


def _all_said(encoder: Encoder, lessons: Lessons, rows: Tensor) -> list[Tensor]:
    """Return energies, forces and torques by a trained network, a few labels at a time."""
    parts = [
        [values.detach() for values in _said(encoder, lessons, some, trained=True)]
        for some in rows.split(CHUNK)
    ]
    return [torch.cat(kind) for kind in zip(*parts, strict=True)]


def _losses(encoder: Encoder, lessons: Lessons, rows: Tensor) -> Tensor:
    """Return what each of (rows,) labels costs."""
    said = [UNIT_KJ_PER_MOL * values for values in _said(encoder, lessons, rows)]
    observed = lessons.observed.rows(rows)
    energies = _misfit(said[0].unsqueeze(1), observed.energy.unsqueeze(1), ENERGY_SCALE)
    slopes = _misfit(said[1], observed.force, SLOPE_SCALE)
    slopes = slopes + _misfit(said[2], observed.torque, SLOPE_SCALE)
    return (energies + SLOPE_WEIGHT * slopes) / observed.stretch


def _misfit(said: Tensor, wanted: Tensor | None, scale: float) -> Tensor:
    """Return the (b,) Huber losses of (b, c) predictions; what is not known costs nothing."""
    if wanted is None:
        return torch.zeros(len(said))
    known = torch.isfinite(wanted)
    gap = torch.where(known, said - torch.where(known, wanted, 0.0), 0.0) / scale
    return torch.nn.functional.huber_loss(gap, torch.zeros_like(gap), reduction="none").mean(dim=1)


def committee_head(encoders: tuple[Encoder, ...], guest: GuestSites) -> Head:
    """Return what a committee says as a head whose kernels count for nothing.

    Its features are the committee's mean, and how each member departs from it.
    """
    nowhere = HostArrays(
        30.0 * np.eye(3), np.zeros((1, 3)), np.ones(1), np.zeros((1, encoders[0].settings.features))
    )
    describer = Describer(encoders, nowhere, guest)
    blocks = describer.describe(*(torch.zeros(1, n, dtype=torch.float64) for n in (3, 4)))
    return linear_head(PairTerm(*_read_out(describer), NOISE[0], LEARNED), blocks, NOISE)


def _read_out(describer: Describer) -> tuple[Tensor, Tensor]:
    """Return weights (p,) and the (d, p) map from the block of learned descriptors to features."""
    kinds = len(describer.groups)
    each = torch.block_diag(*[e.readout.weight.detach().double().T for e in describer.encoders])
    scales = [describer.learned_scale(kind).double() for kind in range(kinds)]
    members = torch.cat([scale.unsqueeze(1) * each for scale in scales]) * kinds**0.5
    mean = members.mean(dim=1, keepdim=True)
    count = members.shape[1]
    apart = (members - mean) / max(1, count - 1) ** 0.5
    root = torch.cat([SHARE_OF_CORRECTION * mean, apart], dim=1)
    weights = torch.zeros(count + 1, dtype=torch.float64)
    weights[0] = 1.0 / SHARE_OF_CORRECTION
    return weights, root
