"""Pretraining of the encoders and fitting of each round's surrogate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.store import read_columns
from tasks.context import RunContext, baseline_model, load_context
from tasks.insertions import placement
from tasks.labels import read_labels
from tasks.paths import (
    encoder_path,
    prior_path,
    routed_path,
    source_model_path,
    surrogate_path,
    table_path,
)
from tasks.validation import read_validation, write_validation

if TYPE_CHECKING:
    from ml.graphs import GuestSites, HostArrays
    from ml.source_model import SourceModel
    from ml.surrogate import Surrogate
    from ml.training import LabelSet
    from ml.validation import Validation

PRETRAINING_INSERTIONS = 6000
MEMBERS = 4
FEWEST_LABELS = 4
"""With fewer a run's surrogate is what it was; one is enough beside a committee of other hosts."""
FEWEST_STEPS = 150
MOST_STEPS = 600
ENERGY_DECIMALS = 3
SLOPE_DECIMALS = 2


@dataclass(frozen=True)
class PretrainItem:
    """Encoders to pretrain on the baseline energies of the first batch of a table."""

    run_dir: str
    table: int


@dataclass(frozen=True)
class FitItem:
    """The surrogate of a round, to be fitted on the labels of the rounds before it."""

    run_dir: str
    round_number: int
    label_rounds: tuple[int, ...]


@dataclass(frozen=True)
class FitRecord:
    """A fitted surrogate: where it lies, the labels it saw, its calibration, its held-out error.

    ``validation`` is None where labels are too few to hold some out.
    """

    path: str
    labels: int
    calibration: float
    validation: Validation | None = None


def graph_inputs(context: RunContext) -> tuple[HostArrays, GuestSites]:
    """Return host and guest as the surrogate sees them.

    The guest shows its real atoms to the surrogate of an atomistic reference, and its
    force-field sites to that of a classical one.
    """
    from ase.data import atomic_numbers

    from ml.graphs import GuestSites, HostArrays

    host, guest = context.system.host, context.system.guest
    numbers = np.array([atomic_numbers[e] for e in host.elements])
    arrays = HostArrays(host.lattice_angstrom, host.positions_angstrom, numbers)
    if context.atomistic:
        return arrays, GuestSites(guest.atom_elements, guest.atom_positions_angstrom)
    return arrays, GuestSites(guest.site_types, guest.positions_angstrom)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def pretrain(item: PretrainItem) -> str:
    """Pretrain the encoders on free baseline energies and save them."""
    from ml.surrogate import save_encoders
    from ml.training import pretrain_encoders

    path = encoder_path(item.run_dir)
    if path.exists():
        return str(path)
    _one_thread()
    context = load_context(item.run_dir)
    host, guest = graph_inputs(context)
    columns = read_columns(table_path(item.run_dir, item.table, 0))
    free = np.flatnonzero(~columns["overlap"])
    order = np.argsort(columns["baseline_kj_per_mol"][free], kind="stable")
    kept = np.sort(free[order[:PRETRAINING_INSERTIONS]])
    chosen = {name: values[kept] for name, values in columns.items()}
    fractional, quaternions = placement(chosen)
    encoders = pretrain_encoders(
        host,
        guest,
        fractional,
        quaternions,
        chosen["baseline_kj_per_mol"],
        members=MEMBERS,
        seed=context.seed,
        steps=int(np.clip(len(kept) // 5, FEWEST_STEPS, MOST_STEPS)),
        by_class=prior_path(item.run_dir).exists(),
    )
    save_encoders(encoders, path)
    return str(path)


def fit(item: FitItem) -> FitRecord:
    """Fit and save the surrogate of a round from the labels of earlier rounds only."""
    from ml.fields import store_fields
    from ml.fitting import fit_surrogate
    from ml.surrogate import load_encoders, prior_surrogate

    _one_thread()
    path = surrogate_path(item.run_dir, item.round_number)
    context = load_context(item.run_dir)
    host, guest = graph_inputs(context)
    labels = label_set(item.run_dir, item.label_rounds, context.label_forces)
    usable = len(labels.energy_kj_per_mol)
    calibration = calibrate(item.run_dir, item.label_rounds, context)
    if not path.exists():
        prior, known = known_prior(item.run_dir, guest)
        departures = known is not None and known.pairs_are_departures
        if usable < (1 if departures else FEWEST_LABELS):
            model = prior or prior_surrogate(host, guest)
        else:
            model = fit_surrogate(
                load_encoders(encoder_path(item.run_dir)),
                host,
                guest,
                labels,
                temperature_k=min(context.temperatures_k),
                seed=context.seed,
                calibration=calibration,
                shuffle_labels=context.shuffle_labels,
                prior=prior,
                pairs=known.pairs if known else None,
                departures=departures,
            )
        write_validation(item.run_dir, item.round_number, model, labels)
        table = store_fields(model.describer, path.parent) if model.describer else None
        beside = prior_path(item.run_dir).name if model.prior else None
        model.save(path, fields_file=table, prior_file=beside)
    return FitRecord(
        str(path), usable, calibration, read_validation(item.run_dir, item.round_number)
    )


def known_prior(run_dir: str, guest: GuestSites) -> tuple[Surrogate | None, SourceModel | None]:
    """Return what the run's model of other hosts says of this one, and the model."""
    from ml.source_model import SourceModels
    from ml.surrogate import Surrogate

    path = prior_path(run_dir)
    if not path.exists():
        return None, None
    known = SourceModels.load(source_model_path(run_dir)).of(guest)
    return Surrogate.load(path, "cpu"), known


def label_set(run_dir: str, rounds: Sequence[int], forces: bool) -> LabelSet:
    """Return the usable labels of given rounds as the surrogate's training set.

    Rounded, since the last digits of a reference follow the machine (the order of its sums), and
    insertions drawn where a surrogate says would follow them.
    """
    from ml.training import LabelSet

    columns = read_labels(run_dir, rounds)
    kept = np.isfinite(columns["energy_kj_per_mol"].astype(float))
    chosen = {name: values[kept] for name, values in columns.items()}
    fractional, quaternions = placement(chosen)
    force = torque = None
    if forces and kept.any():
        force, torque = _vectors(chosen, "force"), _vectors(chosen, "torque")
        base_force, base_torque = _baseline_vectors(run_dir, fractional, quaternions)
        force, torque = force - base_force, torque - base_torque
    return LabelSet(
        fractional,
        quaternions,
        chosen["baseline_kj_per_mol"].astype(float),
        np.round(chosen["energy_kj_per_mol"].astype(float), ENERGY_DECIMALS),
        force,
        torque,
    )


def _vectors(columns: dict[str, np.ndarray], name: str) -> np.ndarray:
    values = np.stack([columns[f"{name}_{axis}"].astype(float) for axis in "xyz"], axis=1)
    return np.round(values, SLOPE_DECIMALS)


def _baseline_vectors(
    run_dir: str, fractional: np.ndarray, quaternions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 3) net forces and torques of the baseline."""
    from chem.rotations import rotate_sites

    guest = load_context(run_dir).system.guest
    _, _, forces = baseline_model(run_dir).energies_and_forces(fractional, quaternions)
    arms = rotate_sites(quaternions, guest.positions_angstrom)
    return forces.sum(axis=1), np.cross(arms, forces).sum(axis=1)


def calibrate(run_dir: str, rounds: Sequence[int], context: RunContext) -> float:
    """Return the factor on the surrogate's spread that earlier rounds' unseen labels ask for.

    Each round's labels were drawn after its surrogate was fixed, so its predictions for them
    are honest. Round one's prior is no prediction and is left out.
    """
    from ml.calibration import boltzmann_relevance, calibration_factor

    scores, relevance = [], []
    thermal = GAS_CONSTANT_KJ_PER_MOL_K * min(context.temperatures_k)
    for number in rounds:
        if number < 2:
            continue
        energy, mean, spread = unseen_predictions(run_dir, number)
        if len(energy):
            applied = calibrate(run_dir, [r for r in rounds if r < number], context)
            scores.append((energy - mean) / (spread / applied))
            relevance.append(boltzmann_relevance(energy, thermal))
    if not scores:
        return 1.0
    return calibration_factor(np.concatenate(scores), np.concatenate(relevance))


def unseen_predictions(
    run_dir: str, round_number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return reference, surrogate mean and its spread of a round's usable labels.

    Insertions whose label an earlier round had paid for are left out: the surrogate knew them.
    """
    routed = read_columns(routed_path(run_dir, round_number))
    labels = read_labels(run_dir, [round_number])
    energy = dict(zip(labels["label_key"].tolist(), labels["energy_kj_per_mol"], strict=True))
    reference = np.array([energy.get(key, np.nan) for key in routed["label_key"]], dtype=float)
    kept = np.isfinite(reference)
    return (
        reference[kept],
        routed["surrogate_kj_per_mol"][kept],
        routed["surrogate_sd_kj_per_mol"][kept],
    )
