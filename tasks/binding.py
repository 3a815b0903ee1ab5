"""The binding site: the best insertion, relaxed on the surrogate, checked at the reference."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from data.records import content_hash
from data.schemas import LABELS, PLACEMENT_COLUMNS
from data.store import write_json, write_rows
from tasks.context import baseline_model, load_context, reference_level, surrogate
from tasks.insertions import placement
from tasks.labels import label_key, labelled, read_labels
from tasks.paths import labels_path, surrogate_path
from tasks.routing import read_scored_table

CANDIDATES = 2
REACH_ANGSTROM = 2.0
DIFFERENCE = 1e-3
WALL_KJ_PER_MOL = 1e6
BINDING_FILE = "binding.json"


@dataclass(frozen=True)
class BindingItem:
    """Where to look: a run, its last table and the last round that scored it."""

    run_dir: str
    table: int
    batches: int
    round_number: int
    may_label: bool


@dataclass(frozen=True)
class BindingRecord:
    """The lowest energy found at the level asked for, and where.

    Attributes:
        energy_kj_per_mol: interaction energy at the reference.
        placement: (7,) fractional position and quaternion.
        relaxed: whether the relaxed insertion was the lowest.
        labels: reference calls paid for it.
        surrogate_kj_per_mol: the cheap level's energy at the relaxed place.
    """

    energy_kj_per_mol: float
    placement: tuple[float, ...]
    relaxed: bool
    labels: int
    surrogate_kj_per_mol: float


def find_binding_site(item: BindingItem) -> BindingRecord:
    """Relax the best insertions on the cheap level and check the lowest at the reference."""
    path = Path(item.run_dir) / BINDING_FILE
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        return BindingRecord(**(stored | {"placement": tuple(stored["placement"])}))
    table = read_scored_table(item.run_dir, item.table, item.batches, item.round_number)
    order = np.argsort(table.columns["surrogate_kj_per_mol"], kind="stable")[:CANDIDATES]
    if len(order) == 0:
        return BindingRecord(float("nan"), (float("nan"),) * 7, False, 0, float("nan"))
    fractional, quaternions = placement({k: v[order] for k, v in table.columns.items()})
    relaxed = [_relax(item, f, q) for f, q in zip(fractional, quaternions, strict=True)]
    energy, place = min(relaxed, key=lambda pair: pair[0])
    record = _checked(item, energy, place)
    write_json(path, asdict(record))
    return record


def _relax(
    item: BindingItem, fractional: np.ndarray, quaternion: np.ndarray
) -> tuple[float, np.ndarray]:
    """Minimise over translation and rotation from one insertion; (energy, (7,) placement).

    The gradient is by central differences, all displaced insertions in one batch.
    """
    from scipy.spatial.transform import Rotation

    start = Rotation.from_quat(quaternion, scalar_first=True)
    inverse = np.linalg.inv(load_context(item.run_dir).system.host.lattice_angstrom)
    shifts = DIFFERENCE * np.vstack([np.zeros(6), np.eye(6), -np.eye(6)])

    def moved(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turned = Rotation.from_rotvec(steps[:, 3:]) * start
        return (fractional + steps[:, :3] @ inverse) % 1.0, turned.as_quat(scalar_first=True)

    def energy_and_gradient(step: np.ndarray) -> tuple[float, np.ndarray]:
        energy = _cheap_energies(item, *moved(step + shifts))
        return float(energy[0]), (energy[1:7] - energy[7:]) / (2.0 * DIFFERENCE)

    found = minimize(
        energy_and_gradient,
        np.zeros(6),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-REACH_ANGSTROM, REACH_ANGSTROM)] * 3 + [(-np.pi, np.pi)] * 3,
        options={"maxiter": 60, "ftol": 1e-8},
    )
    place, turn = moved(found.x[None])
    return float(found.fun), np.concatenate([place[0], turn[0]])


def _cheap_energies(
    item: BindingItem, fractional: np.ndarray, quaternions: np.ndarray
) -> np.ndarray:
    """Return (n,) energies of insertions at the best cheap level, kJ/mol; finite at walls."""
    energy, overlap = baseline_model(item.run_dir).energies(fractional, quaternions)
    energy = np.where(overlap, WALL_KJ_PER_MOL, energy)
    learned = surrogate(surrogate_path(item.run_dir, item.round_number))
    # Exact: differences of energies a thousandth of an angstrom apart are taken.
    energy, _ = learned.predict(fractional, quaternions, energy, exact=True)
    return np.minimum(energy, WALL_KJ_PER_MOL)


def _checked(item: BindingItem, energy: float, place: np.ndarray) -> BindingRecord:
    """Compare the relaxed site with the lowest label, at the reference level."""
    labels = read_labels(item.run_dir, range(1, item.round_number + 1))
    known = labels["energy_kj_per_mol"].astype(float)
    best, where, paid, relaxed = float("nan"), place, 0, False
    if np.isfinite(known).any():
        lowest = int(np.nanargmin(known))
        best = float(known[lowest])
        where = np.array([labels[name][lowest] for name in PLACEMENT_COLUMNS])
    if item.may_label:
        result = _label(item, place)
        paid = 1
        if np.isfinite(result) and not result > best:
            best, where, relaxed = result, place, True
    return BindingRecord(best, tuple(float(x) for x in where), relaxed, paid, energy)


def _label(item: BindingItem, place: np.ndarray) -> float:
    context = load_context(item.run_dir)
    reference = reference_level(item.run_dir)
    fractional, quaternion = place[None, :3], place[None, 3:]
    baseline, _ = baseline_model(item.run_dir).energies(fractional, quaternion)
    system = content_hash(context.system.host.hash, context.system.guest.hash)
    chosen = {name: place[k : k + 1] for k, name in enumerate(PLACEMENT_COLUMNS)}
    chosen |= {
        "label_key": np.array([label_key(reference.key, system, place)]),
        "baseline_kj_per_mol": baseline,
    }
    rows = labelled(item.run_dir, 0, chosen)
    write_rows(labels_path(item.run_dir, 0, 0), rows, LABELS)
    return float(rows[0]["energy_kj_per_mol"])
