"""The binding site: the best insertion, relaxed on the surrogate, checked at the reference."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from chem.rotations import rotate_sites
from data.records import content_hash
from data.schemas import LABELS, PLACEMENT_COLUMNS
from data.store import write_json, write_rows
from tasks.context import baseline_model, load_context, reference_level, surrogate
from tasks.insertions import placement
from tasks.labels import label_rows, read_labels
from tasks.paths import labels_path, surrogate_path
from tasks.routing import label_key, read_scored_table

CANDIDATES = 4
REACH_ANGSTROM = 2.0
WALL_KJ_PER_MOL = 1e6


@dataclass(frozen=True)
class BindingItem:
    """Where to look: a run, its last table and round (0: the baseline is the answer)."""

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
    path = Path(item.run_dir) / "binding.json"
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        return BindingRecord(**(stored | {"placement": tuple(stored["placement"])}))
    table = read_scored_table(item.run_dir, item.table, item.batches, item.round_number)
    name = "surrogate_kj_per_mol" if item.round_number else "baseline_kj_per_mol"
    order = np.argsort(table.columns[name], kind="stable")[:CANDIDATES]
    if len(order) == 0:
        return BindingRecord(float("nan"), (float("nan"),) * 7, False, 0, float("nan"))
    fractional, quaternions = placement({k: v[order] for k, v in table.columns.items()})
    relaxed = [_relax(item, f, q) for f, q in zip(fractional, quaternions, strict=True)]
    energy, place = min(relaxed, key=lambda pair: pair[0])
    if item.round_number == 0:
        record = BindingRecord(energy, tuple(place), True, 0, energy)
    else:
        record = _checked(item, energy, place)
    write_json(path, asdict(record))
    return record


def _relax(
    item: BindingItem, fractional: np.ndarray, quaternion: np.ndarray
) -> tuple[float, np.ndarray]:
    """Minimise over translation and rotation from one insertion; (energy, (7,) placement)."""
    from scipy.spatial.transform import Rotation

    start = Rotation.from_quat(quaternion, scalar_first=True)
    inverse = np.linalg.inv(load_context(item.run_dir).system.host.lattice_angstrom)

    def moved(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turned = Rotation.from_rotvec(step[3:]) * start
        return fractional + step[:3] @ inverse, turned.as_quat(scalar_first=True)

    def energy_and_gradient(step: np.ndarray) -> tuple[float, np.ndarray]:
        energy, force, torque = _cheap_level(item, *moved(step))
        return energy, -np.concatenate([force, _left_jacobian(step[3:]).T @ torque])

    found = minimize(
        energy_and_gradient,
        np.zeros(6),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-REACH_ANGSTROM, REACH_ANGSTROM)] * 3 + [(-np.pi, np.pi)] * 3,
        options={"maxiter": 60},
    )
    place, turn = moved(found.x)
    return float(found.fun), np.concatenate([place % 1.0, turn])


def _cheap_level(
    item: BindingItem, fractional: np.ndarray, quaternion: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return energy (kJ/mol), net force (kJ/mol/angstrom) and torque (kJ/mol) of one insertion."""
    place, turn = fractional[None] % 1.0, quaternion[None]
    model = baseline_model(item.run_dir)
    energies, overlap, forces = model.energies_and_forces(place, turn)
    if overlap[0]:
        return WALL_KJ_PER_MOL, np.zeros(3), np.zeros(3)
    arms = rotate_sites(turn, load_context(item.run_dir).system.guest.positions_angstrom)
    energy = float(energies[0])
    force, torque = forces[0].sum(axis=0), np.cross(arms[0], forces[0]).sum(axis=0)
    if item.round_number:
        learned = surrogate(surrogate_path(item.run_dir, item.round_number))
        change, pull, turning = learned.correction_and_gradient(place, turn)
        energy, force, torque = energy + float(change[0]), force + pull[0], torque + turning[0]
    return energy, force, torque


def _left_jacobian(turn: np.ndarray) -> np.ndarray:
    """Return the matrix from a change of a rotation vector to the rotation it makes."""
    angle = float(np.linalg.norm(turn))
    cross = np.cross(np.eye(3), turn)
    if angle < 1e-6:
        return np.eye(3) + 0.5 * cross
    first, second = (1 - np.cos(angle)) / angle**2, (angle - np.sin(angle)) / angle**3
    return np.eye(3) + first * cross + second * cross @ cross


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
    results = reference.interaction_energies(fractional, quaternion, forces=False)
    baseline, _ = baseline_model(item.run_dir).energies(fractional, quaternion)
    system = content_hash(context.system.host.hash, context.system.guest.hash)
    chosen = {name: place[k : k + 1] for k, name in enumerate(PLACEMENT_COLUMNS)}
    chosen |= {
        "label_key": np.array([label_key(reference.key, system, place)]),
        "baseline_kj_per_mol": baseline,
    }
    rows = label_rows(item.run_dir, 0, chosen, results)
    write_rows(labels_path(item.run_dir, 0, 0), rows, LABELS)
    return results[0].energy_kj_per_mol
