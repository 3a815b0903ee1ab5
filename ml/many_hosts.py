"""Encoders trained on the free baseline energies of many hosts.

One embedding serves every element of the hosts, so that a site's descriptor means the same in
each of them, and in a host none of them has seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ml.encoder import Encoder, EncoderSettings, HostEmbedding, kind_flags
from ml.graphs import GuestSites, HostArrays, host_edges
from ml.training import (
    CLIP_KJ_PER_MOL,
    DROP_KJ_PER_MOL,
    SCALE_SAMPLE,
    Edges,
    batch_energies,
    compress_walls,
    gather_edges,
    kinds_of,
    site_moments,
    spread_of,
)

LEARNING_RATE = 4e-3


@dataclass(frozen=True)
class Lesson:
    """Baseline energies of one guest in one host.

    Attributes:
        host: the host.
        fractional: (b, 3) fractional positions of the body origin.
        quaternions: (b, 4) unit quaternions (w, x, y, z).
        baseline_kj_per_mol: (b,) baseline energies.
    """

    host: HostArrays
    fractional: np.ndarray
    quaternions: np.ndarray
    baseline_kj_per_mol: np.ndarray


@dataclass(frozen=True)
class _Prepared:
    """A lesson with its graph and radial basis evaluated once."""

    numbers: Tensor
    graph: tuple[Tensor, Tensor, Tensor]
    flags: Tensor
    edges: Edges
    goal: Tensor
    low: Tensor


def train_encoders(
    lessons: tuple[Lesson, ...],
    guest: GuestSites,
    *,
    members: int,
    seed: int,
    steps: int,
    batch: int = 256,
    settings: EncoderSettings | None = None,
) -> tuple[Encoder, ...]:
    """Train an ensemble of encoders to reproduce the baseline energies of all lessons.

    Args:
        lessons: one per host; steps take them in turn.
        guest: the guest's sites.
        members: number of encoders, each from its own seed.
        seed: seed of the ensemble.
        steps: optimiser steps per member over all hosts.
        batch: insertions per step.
        settings: sizes of the encoder.

    Returns:
        The trained encoders, on the CPU.
    """
    settings = settings or EncoderSettings()
    elements = kinds_of([lesson.host for lesson in lessons], by_class=False)
    prepared = [_prepare(lesson, guest, settings, elements) for lesson in lessons]
    encoders = []
    for member in range(members):
        own = 1_000_003 * seed + member
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(own)
            encoder = Encoder(guest.type_names, elements, settings, 1)
        _train(encoder, prepared, steps, batch, torch.Generator().manual_seed(own))
        _set_output_scales(encoder, prepared)
        if isinstance(encoder.host, HostEmbedding):
            encoder.host.settle_unknown(elements)
        encoders.append(encoder.eval())
    return tuple(encoders)


def _prepare(
    lesson: Lesson, guest: GuestSites, settings: EncoderSettings, elements: tuple[int, ...]
) -> _Prepared:
    energies = np.asarray(lesson.baseline_kj_per_mol, dtype=float)
    keep = np.isfinite(energies) & (energies < DROP_KJ_PER_MOL)
    place = lesson.fractional[keep], lesson.quaternions[keep]
    host = lesson.host
    receivers, senders, distances = host_edges(host, settings.host_basis.cutoff_angstrom)
    return _Prepared(
        torch.as_tensor(np.asarray(host.atomic_numbers, dtype=np.int64)),
        (receivers, senders, distances),
        kind_flags(host, elements),
        gather_edges(host, guest, *place, settings, "cpu"),
        torch.as_tensor(compress_walls(energies[keep, None]), dtype=torch.float32),
        torch.as_tensor(np.flatnonzero(energies[keep] < CLIP_KJ_PER_MOL)),
    )


def _train(
    encoder: Encoder,
    prepared: list[_Prepared],
    steps: int,
    batch: int,
    generator: torch.Generator,
) -> None:
    with torch.no_grad():
        encoder.scale = spread_of(_stacked(encoder, prepared, 512))
    spread = torch.cat([p.goal for p in prepared]).std(dim=0) + 1e-6
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for step in range(steps):
        one = prepared[step % len(prepared)]
        rows = torch.randint(len(one.goal), (batch,), generator=generator)
        channels = encoder.channels(one.numbers, one.graph, one.flags)
        predicted = batch_energies(encoder, one.edges, rows, channels)
        loss = torch.nn.functional.smooth_l1_loss(
            predicted / spread, one.goal[rows] / spread, beta=0.2
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def _stacked(encoder: Encoder, prepared: list[_Prepared], most: int) -> Tensor:
    parts = []
    for one in prepared:
        rows = torch.arange(min(most, len(one.goal)))
        moments = site_moments(one.edges, rows, encoder.channels(one.numbers, one.graph, one.flags))
        parts += [m.flatten(1) for m in moments]
    return torch.cat(parts)


def _set_output_scales(encoder: Encoder, prepared: list[_Prepared]) -> None:
    """Store how much radial moments and descriptors vary over accessible insertions."""
    with torch.no_grad():
        most = SCALE_SAMPLE // len(prepared)
        every = [
            site_moments(p.edges, p.low[:most], encoder.channels(p.numbers, p.graph, p.flags))
            for p in prepared
        ]
        kinds = range(len(encoder.types))
        joined = [torch.cat([moments[kind] for moments in every]) for kind in kinds]
        start = encoder.settings.channels
        encoder.radial_scale = torch.stack([spread_of(m[:, :, start:].flatten(1)) for m in joined])
        encoder.descriptor_scale = torch.stack(
            [spread_of(encoder.describe(m, kind)) for kind, m in enumerate(joined)]
        )
