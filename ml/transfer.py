"""What reference labels in some hosts say of another, before that one has labels of its own.

One model for each guest; those of several guests are trained together and kept in one file.

Where the atoms of all sources are described by given features (`HostArrays.features`), a committee
of networks taught by all sources, of all guests (`ml.committee`), and how hosts depart from what it
says, as pair potentials (`PairLessons.fit_departures`).

Elsewhere two kinds of knowledge, of which that speaks first which predicts each source better from
the others: pair potentials that hosts have in common (`ml.pair_prior`), and a Gaussian process on
the descriptors of encoders trained over all source hosts (`ml.source_process`).

Both kinds of pair potential take two sources at least. From a host's first labels on, those
choose between what the model says and what they say alone (`ml.fitting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import ModelError
from ml.calibration import boltzmann_relevance
from ml.committee import MEMBERS, Committee, committee_head, train_committee
from ml.committee_lessons import Lessons
from ml.descriptors import Describer
from ml.fitting import CLIP_BELOW_KT
from ml.graphs import SITE_CUTOFF_ANGSTROM, GuestSites, HostArrays
from ml.linear_system import SUMS, Observations
from ml.many_hosts import Lesson
from ml.observing import describe_labels, observations, relevant_rows
from ml.pair_lessons import PairLessons, PairMoments
from ml.pair_prior import class_encoder
from ml.source_model import SourceModel, SourceModels
from ml.source_process import SourceProcess
from ml.source_scores import HeldOut, Scores
from ml.surrogate import PRIOR_SD_KJ_PER_MOL, Limits
from ml.training import LabelSet

ONE_SOURCE_CALIBRATION = 2.0
PROCESS_MEMBERS = 2
LARGEST_BASELINE_KJ_PER_MOL = 100.0


@dataclass(frozen=True)
class Source:
    """A host with free baseline energies and reference labels.

    Attributes:
        lesson: host and baseline energies.
        labels: reference labels.
    """

    lesson: Lesson
    labels: LabelSet


@dataclass(frozen=True)
class Lot:
    """The sources of one guest."""

    guest: GuestSites
    sources: tuple[Source, ...]


def train_source_models(
    lots: Sequence[Lot],
    *,
    temperature_k: float,
    seed: int,
    members: int | None = None,
    steps: int | None = None,
) -> tuple[SourceModels, tuple[tuple[HeldOut, ...], ...]]:
    """Train a model for each of one or several guests on the labels of several hosts.

    Committees are trained together: what labels of one guest tell of host atoms serves the others.

    Args:
        lots: hosts with baseline energies and labels, guest by guest.
        temperature_k: temperature that says which labels matter, K.
        seed: seed of the networks.
        members: networks; by default five in a committee, two encoders of a process.
        steps: optimiser steps per network; chosen by kind and number of hosts when omitted.

    Returns:
        The models, and per guest how each source is predicted by what has not seen its labels.
        Encoders of a process have seen its free baseline energies, which a host never seen lacks:
        for one with elements that no source has, these figures are too good.

    Raises:
        ModelError: there is not one usable label.
    """
    thermal = GAS_CONSTANT_KJ_PER_MOL_K * temperature_k
    taught = [_Taught.of(lot, thermal) for lot in lots]
    if all(host.features is not None for part in taught for host in part.hosts):
        trained = _by_committee(taught, seed, members or MEMBERS, steps)
    else:
        trained = [_by_process(part, seed, members or PROCESS_MEMBERS, steps) for part in taught]
    models, held_out = [], []
    for part, (model, scores) in zip(taught, trained, strict=True):
        lowest = min(float(k.energy_kj_per_mol.min()) for k in part.labels)
        limits = replace(
            model.limits,
            lowest_kj_per_mol=lowest - CLIP_BELOW_KT * thermal,
            calibration=scores.calibration if len(part.hosts) > 1 else ONE_SOURCE_CALIBRATION,
        )
        models.append(replace(model, limits=limits))
        held_out.append(scores.held_out(part.corrections, part.relevance))
    return SourceModels(tuple(models)), tuple(held_out)


@dataclass(frozen=True)
class _Taught:
    """Usable labels of a lot: what the reference adds, and how much each label matters."""

    lessons: tuple[Lesson, ...]
    labels: tuple[LabelSet, ...]
    corrections: tuple[Observations, ...]
    relevance: tuple[np.ndarray, ...]
    guest: GuestSites

    @classmethod
    def of(cls, lot: Lot, thermal: float) -> _Taught:
        """Return what a lot teaches.

        Args:
            lot: sources of a guest.
            thermal: RT, kJ/mol.
        """
        kept = tuple(s.labels.rows(relevant_rows(s.labels, thermal)) for s in lot.sources)
        if not kept or not all(len(labels.energy_kj_per_mol) for labels in kept):
            raise ModelError(
                "A source host has no usable reference label. Give runs that were labelled, or "
                "more --labels."
            )
        return cls(
            tuple(source.lesson for source in lot.sources),
            kept,
            tuple(_with_all_kinds(observations(labels, thermal)) for labels in kept),
            tuple(boltzmann_relevance(labels.energy_kj_per_mol, thermal) for labels in kept),
            lot.guest,
        )

    @property
    def hosts(self) -> tuple[HostArrays, ...]:
        """Hosts of the sources."""
        return tuple(lesson.host for lesson in self.lessons)

    def score(self, predicted: Sequence[tuple[Tensor, Tensor]], noise: float) -> Scores:
        """Compare predictions of all sources, by what has not seen them, with their labels."""
        return Scores.of(self.corrections, self.relevance, predicted, noise)

    def pair_lessons(self, corrections: Sequence[Observations]) -> PairLessons:
        """Return what pair potentials can learn from corrections of the sources."""
        moments = []
        for host, labels, observed in zip(self.hosts, self.labels, corrections, strict=True):
            raw = Describer((class_encoder(host, self.guest),), host, self.guest)
            moments.append(PairMoments.of(raw, describe_labels(raw, labels, observed)[SUMS]))
        return PairLessons.build(moments, corrections, len(self.guest.type_names))


def _limits(noise_kj_per_mol: float) -> Limits:
    return Limits(
        skip_above_kj_per_mol=LARGEST_BASELINE_KJ_PER_MOL,
        prior_sd_kj_per_mol=PRIOR_SD_KJ_PER_MOL,
        noise_kj_per_mol=noise_kj_per_mol,
    )


def _by_committee(
    taught: Sequence[_Taught], seed: int, members: int, steps: int | None
) -> list[tuple[SourceModel, Scores]]:
    """Return per guest what a committee of all guests says, and how hosts depart from it."""
    guests = [part.guest for part in taught]
    kinds = np.cumsum([0, *(len(guest.type_names) for guest in guests)])
    lessons = [
        Lessons.build(
            part.hosts,
            part.labels,
            part.corrections,
            part.guest,
            SITE_CUTOFF_ANGSTROM,
            numbers=numbers,
            first_kind=int(first),
        )
        for part, numbers, first in zip(taught, _host_numbers(taught), kinds, strict=False)
    ]
    committees = train_committee(lessons, guests, seed=seed, members=members, steps=steps)
    return [_spoken(part, one) for part, one in zip(taught, committees, strict=True)]


def _host_numbers(taught: Sequence[_Taught]) -> list[list[int]]:
    """Return numbers of every guest's hosts, the same for the same atoms."""
    seen: dict[bytes, int] = {}
    return [[seen.setdefault(host.key, len(seen)) for host in part.hosts] for part in taught]


def _spoken(taught: _Taught, committee: Committee) -> tuple[SourceModel, Scores]:
    """Return a committee of one guest, and pair potentials of how hosts depart from it."""
    head = committee_head(committee.encoders, taught.guest)
    noise, scores, pairs = head.kernel.noise[0], Scores(), None
    if len(taught.hosts) > 1:
        energies = [said.energy for said in committee.unseen]
        scores = taught.score(list(zip(energies, committee.spread, strict=True)), noise)
        left = [
            observed.beyond(said)
            for observed, said in zip(taught.corrections, committee.unseen, strict=True)
        ]
        pairs = taught.pair_lessons(left).fit_departures()
    sites = taught.guest.sites
    return SourceModel(sites, committee.encoders, head, _limits(noise), pairs), scores


def _by_process(
    taught: _Taught, seed: int, members: int, steps: int | None
) -> tuple[SourceModel, Scores]:
    """Return a process on descriptors and pair potentials; the better of the two speaks first."""
    process = SourceProcess.build(
        taught.lessons,
        taught.labels,
        taught.corrections,
        taught.guest,
        members=members,
        seed=seed,
        steps=steps,
    )
    head, scores = process.best(taught.score)
    noise, pairs, first = head.kernel.noise[0], None, False
    if len(taught.hosts) > 1:
        lessons = taught.pair_lessons(taught.corrections)
        pairs = lessons.fit()
        alone = taught.score(list(lessons.held_out(pairs)), pairs.noise[0])
        first = alone.log_density >= scores.log_density
        if first:
            noise, scores = pairs.noise[0], alone
        pairs = pairs.rounded()
    sites = taught.guest.sites
    return SourceModel(sites, process.encoders, head, _limits(noise), pairs, first), scores


def _with_all_kinds(observed: Observations) -> Observations:
    """Return observations with forces and torques, unknown ones as NaN."""
    blank = torch.full((len(observed.energy), 3), float("nan"), dtype=observed.energy.dtype)
    force = blank if observed.force is None else observed.force
    torque = blank if observed.torque is None else observed.torque
    return Observations(observed.energy, force, torque, observed.stretch)
