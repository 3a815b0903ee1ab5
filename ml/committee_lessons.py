"""Labels of all sources of one guest, laid out for the training of a committee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ml.graphs import GuestSites, HostArrays, SiteNeighbours, place_sites
from ml.linear_system import Observations
from ml.training import LabelSet

FAR_ANGSTROM = 100.0


@dataclass(frozen=True)
class Lessons:
    """Labels of all sources of one guest laid out for training.

    Attributes:
        features: (atoms, d) features of all host atoms.
        source: (L,) which source a label belongs to.
        host: (L,) number of its host, the same for all guests.
        first_kind: number of the first of the guest's site types among those of all guests.
        vectors: per site type (L, m, c, 3) vectors from sites to host atoms, angstrom.
        atoms: per site type (L, m, c) rows of ``features``.
        arms: per site type (L, m, 3) lever arms, angstrom.
        observed: corrections, single precision.
    """

    features: Tensor
    source: Tensor
    host: Tensor
    first_kind: int
    vectors: tuple[Tensor, ...]
    atoms: tuple[Tensor, ...]
    arms: tuple[Tensor, ...]
    observed: Observations

    @classmethod
    def build(
        cls,
        hosts: Sequence[HostArrays],
        labels: Sequence[LabelSet],
        corrections: Sequence[Observations],
        guest: GuestSites,
        cutoff_angstrom: float,
        *,
        numbers: Sequence[int] | None = None,
        first_kind: int = 0,
    ) -> Lessons:
        """Collect the host atoms in reach of every site of every label.

        Args:
            hosts: of the sources.
            labels: of the sources.
            corrections: what they say.
            guest: the guest's sites.
            cutoff_angstrom: reach of a site.
            numbers: of the hosts, where other guests have lessons in them too.
            first_kind: number of the guest's first site type among those of all guests.
        """
        kinds = range(len(guest.type_names))
        gathered = [
            _gather(host, guest, part, cutoff_angstrom)
            for host, part in zip(hosts, labels, strict=True)
        ]
        starts = np.cumsum([0, *(len(host.known_features) for host in hosts)])
        counts = torch.tensor([len(part.energy_kj_per_mol) for part in labels])
        known = torch.arange(len(hosts)) if numbers is None else torch.tensor(numbers)
        widest = max(found.vectors[kind].shape[2] for found in gathered for kind in kinds)
        return cls(
            torch.cat([torch.as_tensor(host.known_features).float() for host in hosts]),
            torch.repeat_interleave(torch.arange(len(hosts)), counts),
            torch.repeat_interleave(known, counts),
            first_kind,
            tuple(
                torch.cat([_widened(g.vectors[kind], widest, FAR_ANGSTROM) for g in gathered])
                for kind in kinds
            ),
            tuple(
                torch.cat(
                    [
                        _widened(g.atoms[kind] + int(start), widest, int(start))
                        for g, start in zip(gathered, starts, strict=False)
                    ]
                )
                for kind in kinds
            ),
            tuple(torch.cat([g.arms[kind] for g in gathered]) for kind in kinds),
            _joined(corrections),
        )


@dataclass(frozen=True)
class _Gathered:
    """What `Lessons` holds, of one source."""

    vectors: list[Tensor]
    atoms: list[Tensor]
    arms: list[Tensor]


def _gather(
    host: HostArrays, guest: GuestSites, labels: LabelSet, cutoff_angstrom: float
) -> _Gathered:
    neighbours = SiteNeighbours.build(host, cutoff_angstrom)
    positions, arms = place_sites(
        neighbours.lattice,
        torch.as_tensor(guest.positions_angstrom, dtype=torch.float64),
        torch.as_tensor(labels.fractional, dtype=torch.float64),
        torch.as_tensor(labels.quaternions, dtype=torch.float64),
    )
    found = _Gathered([], [], [])
    for kind in range(len(guest.type_names)):
        members = torch.as_tensor(np.flatnonzero(guest.type_index == kind))
        sites = positions[:, members]
        wrapped, images = neighbours.lookup(sites.reshape(-1, 3))
        vectors = neighbours.images[images] - wrapped.unsqueeze(1)
        distance = torch.linalg.vector_norm(vectors, dim=2)
        near = max(1, int((distance < cutoff_angstrom).sum(dim=1).max()))
        order = distance.argsort(dim=1, stable=True)[:, :near]
        shape = (*sites.shape[:2], near)
        vectors = torch.take_along_dim(vectors, order.unsqueeze(2), dim=1).float()
        found.vectors.append(vectors.reshape(*shape, 3))
        found.atoms.append(neighbours.atoms[torch.take_along_dim(images, order, 1)].reshape(shape))
        found.arms.append(arms[:, members].float())
    return found


def _widened(values: Tensor, width: int, filling: float) -> Tensor:
    """Return (L, m, c, ...) values with c raised to a width."""
    shape = (*values.shape[:2], width - values.shape[2], *values.shape[3:])
    return torch.cat([values, values.new_full(shape, filling)], dim=2)


def _joined(parts: Sequence[Observations]) -> Observations:
    """Return all corrections in single precision, unknown forces and torques as NaN."""

    def slopes(values: Tensor | None, like: Tensor) -> Tensor:
        return torch.full((len(like), 3), float("nan")) if values is None else values.float()

    return Observations(
        torch.cat([p.energy.float() for p in parts]),
        torch.cat([slopes(p.force, p.energy) for p in parts]),
        torch.cat([slopes(p.torque, p.energy) for p in parts]),
        torch.cat([p.stretch.float() for p in parts]),
    )
