"""Pools of reference labels to compare models on, made here or read from an archive.

An archive is one .npz file a host and guest with the arrays ``fractional``, ``quaternions``,
``energy_kj_per_mol``, ``force``, ``torque`` (net, of the reference), ``guide`` (whose Boltzmann
distribution a label was drawn from: "baseline", "surrogate" or "uniform") and ``tempering`` (at
how many times the temperature).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chem.energies import ClassicalModel, ClassicalSettings
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.rotations import random_quaternions, rotate_sites
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from ml.graphs import GuestSites, HostArrays
from ml.training import LabelSet

if TYPE_CHECKING:
    from ml.encoder import Encoder
    from ml.surrogate import Surrogate

CANDIDATES = 200_000
FIRST_STAGE = (("baseline", 3.0, 400), ("baseline", 1.0, 150), ("baseline", 6.0, 100))
SECOND_STAGE = (("surrogate", 1.0, 600), ("surrogate", 2.0, 250), ("surrogate", 4.0, 250))
CEILING_KJ_PER_MOL = 300.0
ARRAYS = ("fractional", "quaternions", "energy_kj_per_mol", "force", "torque", "guide", "tempering")


@dataclass(frozen=True)
class Problem:
    """A host, a guest and the baseline, as the package and as the surrogate see them.

    Attributes:
        model: the baseline.
        arrays: the host for the surrogate.
        sites: the guest for the surrogate: its real atoms.
        fractional: (c, 3) candidate insertions without overlap.
        quaternions: (c, 4) their orientations.
        baseline_kj_per_mol: (c,) their baseline energies.
    """

    model: ClassicalModel
    arrays: HostArrays
    sites: GuestSites
    fractional: np.ndarray
    quaternions: np.ndarray
    baseline_kj_per_mol: np.ndarray


@dataclass(frozen=True)
class Pool:
    """Labels of one problem.

    Attributes:
        labels: insertions with baseline and reference energies and corrections of force, torque.
        guide: (n,) whose distribution each was drawn from.
        tempering: (n,) at how many times the temperature.
    """

    labels: LabelSet
    guide: np.ndarray
    tempering: np.ndarray

    def rows(self, guide: str, lowest: float, highest: float) -> np.ndarray:
        """Return the rows drawn from a distribution within a range of tempering."""
        inside = (self.tempering >= lowest) & (self.tempering <= highest)
        return np.flatnonzero((self.guide == guide) & inside)


def take(labels: LabelSet, rows: np.ndarray, *, forces: bool) -> LabelSet:
    """Return chosen labels, with or without forces and torques."""
    chosen = labels.rows(rows)
    if forces:
        return chosen
    return replace(chosen, force_correction=None, torque_correction=None)


def mixed_rows(
    labels: Pool, rng: np.random.Generator, most: int, allowed: np.ndarray
) -> np.ndarray:
    """Draw labels like a run's, in an order of which every beginning is a fair mix.

    Two fifths from the baseline's distribution at three times the temperature or above, the
    others from a surrogate's, half of them tempered.

    Args:
        labels: the pool.
        rng: source of randomness.
        most: how many, at most.
        allowed: (n,) whether a row may be drawn.
    """
    places, rows = [], []
    for share, source in (
        (0.4, labels.rows("baseline", 3.0, np.inf)),
        (0.3, labels.rows("surrogate", 1.0, 1.0)),
        (0.3, labels.rows("surrogate", 2.0, np.inf)),
    ):
        drawn = rng.permutation(source[allowed[source]])[: int(np.ceil(share * most))]
        rows.append(drawn)
        places.append((np.arange(len(drawn)) + rng.random()) / share)
    return np.concatenate(rows)[np.argsort(np.concatenate(places), kind="stable")][:most]


def pretrained(given: Problem, seed: int, members: int | None = None) -> tuple[Encoder, ...]:
    """Return encoders pretrained as in a run."""
    from ml.training import pretrain_encoders
    from tasks.training import MEMBERS, PRETRAINING_INSERTIONS

    order = np.argsort(given.baseline_kj_per_mol, kind="stable")
    rows = np.sort(order[:PRETRAINING_INSERTIONS])
    return pretrain_encoders(
        given.arrays,
        given.sites,
        given.fractional[rows],
        given.quaternions[rows],
        given.baseline_kj_per_mol[rows],
        members=members or MEMBERS,
        seed=seed,
    )


def fit_to(
    given: Problem,
    labels: LabelSet,
    encoders: tuple[Encoder, ...],
    rows: np.ndarray,
    temperature_k: float,
    *,
    forces: bool,
) -> Surrogate:
    """Fit a surrogate to chosen labels."""
    from ml.fitting import fit_surrogate

    chosen = take(labels, rows, forces=forces)
    return fit_surrogate(
        encoders, given.arrays, given.sites, chosen, temperature_k=temperature_k, seed=0
    )


def problem(host_name: str, guest_name: str, force_field: str, seed: int) -> Problem:
    """Set up a host and guest and draw candidate insertions, uniformly."""
    from ase.data import atomic_numbers

    host, guest = load_host(host_name), load_guest(guest_name)
    pairs = mix_pairs(host, guest, load_force_field(force_field))
    model = ClassicalModel(host, guest, pairs, ClassicalSettings())
    rng = np.random.default_rng(seed)
    fractional, quaternions = rng.random((CANDIDATES, 3)), random_quaternions(rng, CANDIDATES)
    energy, overlap = model.energies(fractional, quaternions)
    numbers = np.array([atomic_numbers[element] for element in host.elements])
    return Problem(
        model,
        HostArrays(host.lattice_angstrom, host.positions_angstrom, numbers),
        GuestSites(guest.atom_elements, guest.atom_positions_angstrom),
        fractional[~overlap],
        quaternions[~overlap],
        energy[~overlap],
    )


def pool(given: Problem, archive: Path, reference: str, temperature_k: float, seed: int) -> Pool:
    """Return the labels of an archive, which is made first where there is none."""
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(archive, **_make(given, reference, temperature_k, seed))
    with np.load(archive) as stored:
        columns = {name: stored[name] for name in ARRAYS}
    return _pool(given, columns)


def _pool(given: Problem, columns: dict[str, np.ndarray]) -> Pool:
    fractional, quaternions = columns["fractional"], columns["quaternions"]
    energy, overlap, forces = given.model.energies_and_forces(fractional, quaternions)
    arms = rotate_sites(quaternions, given.model.guest.positions_angstrom)
    kept = ~overlap & np.isfinite(columns["energy_kj_per_mol"]) & (energy < CEILING_KJ_PER_MOL)
    labels = LabelSet(
        fractional,
        quaternions,
        energy,
        columns["energy_kj_per_mol"],
        columns["force"] - forces.sum(axis=1),
        columns["torque"] - np.cross(arms, forces).sum(axis=1),
    )
    rows = np.flatnonzero(kept)
    return Pool(labels.rows(rows), columns["guide"][rows], columns["tempering"][rows])


def _make(given: Problem, reference: str, temperature_k: float, seed: int) -> dict[str, np.ndarray]:
    """Label in two stages: guided by the baseline, then by a surrogate of the first stage."""
    rng = np.random.default_rng(seed + 1)
    baseline = given.baseline_kj_per_mol
    first = _label(given, reference, _draw(rng, baseline, FIRST_STAGE, temperature_k))
    known = _pool(given, first).labels
    every = np.arange(len(known.energy_kj_per_mol))
    encoders = pretrained(given, seed)
    surrogate = fit_to(given, known, encoders, every, temperature_k, forces=True)
    guess, _ = surrogate.predict(given.fractional, given.quaternions, baseline)
    second = _label(given, reference, _draw(rng, guess, SECOND_STAGE, temperature_k))
    return {name: np.concatenate([first[name], second[name]]) for name in ARRAYS}


def _draw(
    rng: np.random.Generator,
    energy: np.ndarray,
    stages: tuple[tuple[str, float, int], ...],
    temperature_k: float,
) -> list[tuple[str, float, np.ndarray]]:
    """Draw candidates without replacement from tempered Boltzmann distributions."""
    left, drawn = np.ones(len(energy), dtype=bool), []
    for guide, tempering, count in stages:
        thermal = GAS_CONSTANT_KJ_PER_MOL_K * temperature_k * tempering
        probability = np.exp(-(energy - energy.min()) / thermal) * left
        most = min(count, int((probability > 0).sum()))
        rows = rng.choice(len(energy), most, replace=False, p=probability / probability.sum())
        left[rows] = False
        drawn.append((guide, tempering, rows))
    return drawn


def _label(
    given: Problem, reference: str, drawn: list[tuple[str, float, np.ndarray]]
) -> dict[str, np.ndarray]:
    from chem.references.registry import make_reference

    level = make_reference(reference, given.model.host, given.model.guest, classical=given.model)
    rows = np.concatenate([part for _, _, part in drawn])
    fractional, quaternions = given.fractional[rows], given.quaternions[rows]
    results = level.interaction_energies(fractional, quaternions, forces=True)
    unknown = np.full(3, np.nan)
    force = [r.force_kj_per_mol_angstrom for r in results]
    torque = [r.torque_kj_per_mol for r in results]
    return {
        "fractional": fractional,
        "quaternions": quaternions,
        "energy_kj_per_mol": np.array([r.energy_kj_per_mol for r in results]),
        "force": np.array([unknown if f is None else f for f in force]),
        "torque": np.array([unknown if t is None else t for t in torque]),
        "guide": np.concatenate([np.full(len(part), guide) for guide, _, part in drawn]),
        "tempering": np.concatenate([np.full(len(part), t) for _, t, part in drawn]),
    }
