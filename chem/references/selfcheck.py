"""Is the energy zero where there is no interaction? Asked of a reference before its first label.

A constant c added to every interaction energy multiplies K_H by exp(-c / RT): 3.7 kJ/mol, which
is what a periodic xTB code adds in IRMOF-1, is a factor of 4.5 at room temperature. So the energy
in the middle of a pore too wide for anything but dispersion must be that dispersion and no more,
and what must not change the energy of an insertion must not.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from chem.references.cells import label_cell, shortest_vector
from chem.references.contract import LATE, Reference
from chem.references.dispersion import DispersionInteraction
from data.errors import LabelFailure, OffsetReferenceError, TimeLimitError
from data.records import Guest, Host, content_hash

CHECK_VERSION = 1
WIDE_PORE_HOST = "IRMOF-1"
OFFSET_TOLERANCE_KJ_PER_MOL = 1.0
TRANSLATION_TOLERANCE_KJ_PER_MOL = 0.05
LARGER_CELL_TOLERANCE_KJ_PER_MOL = 1.0
LARGEST_VECTOR_ANGSTROM = 15.0
LARGEST_CELL_ATOMS = 400
LARGEST_CELL_ATOMS_SLOW = 200
PORE_GRID_ANGSTROM = 0.4
UPRIGHT = np.array([[1.0, 0.0, 0.0, 0.0]])


@dataclass(frozen=True)
class SelfCheck:
    """What the self-check measured.

    Attributes:
        reference: the level as the user wrote it.
        pore_energy_kj_per_mol: interaction energy in the middle of the wide pore, or None.
        dispersion_tail_kj_per_mol: D3(BJ, PBE) at the same geometry, or None.
        offset_kj_per_mol: how far the pore energy lies above zero (positive) or below the
            dispersion tail (negative); zero in between; None where it was not measured.
        translation_change_kj_per_mol: change on moving an insertion by a lattice vector.
        larger_cell_change_kj_per_mol: change on doubling the label cell along its shortest
            vector, or None.
        skipped: why a part was left out, one sentence each.
        passed: whether every measured number is within its tolerance.
        accepted: whether the user accepts a failure for this run.
        message: one sentence for the result.
    """

    reference: str
    pore_energy_kj_per_mol: float | None
    dispersion_tail_kj_per_mol: float | None
    offset_kj_per_mol: float | None
    translation_change_kj_per_mol: float | None
    larger_cell_change_kj_per_mol: float | None
    skipped: tuple[str, ...]
    passed: bool
    accepted: bool
    message: str


def check_reference(
    reference: Reference,
    host: Host,
    guest: Guest,
    *,
    cache_dir: Path | None = None,
    accept_offset: bool = False,
    insertion: tuple[np.ndarray, np.ndarray] | None = None,
) -> SelfCheck:
    """Check a reference before its first label.

    The wide pore is visited once per level and guest, and remembered in ``cache_dir``. The rest
    is done in the host at hand. A classical reference has no total energies to subtract, so only
    its translation is checked.

    Args:
        reference: the level, bound to ``host`` and ``guest``.
        host: the framework.
        guest: the molecule.
        cache_dir: folder of the user's cache; nothing is remembered without it.
        accept_offset: whether a failure is only recorded.
        insertion: (3,) fractional position and (4,) quaternion used in the host at hand; the
            widest place of the host without it.

    Returns:
        The record; ``message`` belongs into every result where ``passed`` is false.

    Raises:
        OffsetReferenceError: the check failed, or could not be done, and that is not accepted.
        TimeLimitError: a call did not come back.
    """
    try:
        found = _measure(reference, host, guest, cache_dir, insertion)
    except LabelFailure as error:
        if LATE in str(error):
            raise TimeLimitError(
                f"Reference {reference.name}, self-check: {error}. Raise --label-seconds, in a "
                "campaign limits: label_seconds, if it needs longer."
            ) from error
        found = _blank(reference, f"the self-check could not be done: {error}")
    if found.passed or accept_offset:
        return replace(found, accepted=accept_offset and not found.passed)
    raise OffsetReferenceError(
        f"Reference {reference.name} is refused by its self-check: {found.message}. Choose "
        "another reference level, or pass --accept-offset to go on; every result then says so."
    )


def pore_centre(host: Host) -> tuple[np.ndarray, float]:
    """Return the (3,) fractional position farthest from every atom, and that distance.

    Args:
        host: the framework; searched on a grid of about 0.4 angstrom.
    """
    from scipy.spatial import cKDTree

    lattice = host.lattice_angstrom
    counts = np.ceil(np.linalg.norm(lattice, axis=1) / PORE_GRID_ANGSTROM).astype(int)
    axes = [np.arange(n) / n for n in counts]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    steps = np.arange(-1, 2)
    images = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    atoms = (host.fractional[None, :, :] + images[:, None, :]).reshape(-1, 3) @ lattice
    distances = cKDTree(atoms).query(grid @ lattice)[0]
    best = int(np.argmax(distances))
    return grid[best], float(distances[best])


def _measure(
    reference: Reference,
    host: Host,
    guest: Guest,
    cache_dir: Path | None,
    insertion: tuple[np.ndarray, np.ndarray] | None,
) -> SelfCheck:
    skipped: list[str] = []
    pore = tail = offset = None
    if reference.atomistic:
        pore, tail = _wide_pore(reference, guest, cache_dir)
        offset = pore - min(max(pore, tail), 0.0) if tail < 0.0 else pore
    else:
        skipped.append("wide pore: a classical energy is a sum over pairs and has no offset")
    place, turn = insertion or (pore_centre(host)[0], UPRIGHT[0])
    here = _energy(reference, place, turn)
    change = max(abs(_energy(reference, place + step, turn) - here) for step in np.eye(3))
    larger = _larger_cell(reference, host, guest, here, (place, turn), skipped)
    return _judged(reference, (pore, tail, offset), change, larger, tuple(skipped))


def _judged(
    reference: Reference,
    wide: tuple[float | None, float | None, float | None],
    change: float,
    larger: float | None,
    skipped: tuple[str, ...],
) -> SelfCheck:
    pore, tail, offset = wide
    said, passed = [], True
    if offset is not None:
        bad = abs(offset) > OFFSET_TOLERANCE_KJ_PER_MOL
        passed &= not bad
        said.append(
            f"the energy in the middle of an {WIDE_PORE_HOST} pore is {pore:+.2f} kJ/mol, "
            f"dispersion alone {tail:+.2f}"
            + (f", an offset of {offset:+.2f} kJ/mol" if bad else "")
        )
    passed &= change <= TRANSLATION_TOLERANCE_KJ_PER_MOL
    said.append(f"a lattice translation changes {change:.4f} kJ/mol")
    if larger is not None:
        passed &= abs(larger) <= LARGER_CELL_TOLERANCE_KJ_PER_MOL
        said.append(f"a label cell twice as long changes {larger:+.2f} kJ/mol")
    return SelfCheck(
        reference=reference.name,
        pore_energy_kj_per_mol=pore,
        dispersion_tail_kj_per_mol=tail,
        offset_kj_per_mol=offset,
        translation_change_kj_per_mol=change,
        larger_cell_change_kj_per_mol=larger,
        skipped=skipped,
        passed=bool(passed),
        accepted=False,
        message="; ".join(said),
    )


def _blank(reference: Reference, message: str) -> SelfCheck:
    return SelfCheck(
        reference.name, None, None, None, None, None, (message,), False, False, message
    )


def _energy(reference: Reference, place: np.ndarray, turn: np.ndarray) -> float:
    label = reference.interaction_energies(np.reshape(place, (1, 3)), np.reshape(turn, (1, 4)))[0]
    if label.status == "failed":
        raise LabelFailure(label.reason)
    return label.energy_kj_per_mol


def _wide_pore(reference: Reference, guest: Guest, cache_dir: Path | None) -> tuple[float, float]:
    """Return the reference's energy and the dispersion tail in the wide pore, kJ/mol."""
    address = content_hash("wide pore", CHECK_VERSION, reference.level_key, guest.hash)
    path = None if cache_dir is None else cache_dir / f"selfcheck-{address}.json"
    if path is not None and path.is_file():
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            return float(known["pore_energy_kj_per_mol"]), float(known["tail_kj_per_mol"])
        except (ValueError, KeyError, TypeError):
            pass  # a damaged cache entry is measured again
    pore, tail = _measure_wide_pore(reference, guest)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "reference": reference.name,
            "guest": guest.name,
            "host": WIDE_PORE_HOST,
            "pore_energy_kj_per_mol": pore,
            "tail_kj_per_mol": tail,
        }
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(record, indent=1), encoding="utf-8")
        part.replace(path)
    return pore, tail


def _measure_wide_pore(reference: Reference, guest: Guest) -> tuple[float, float]:
    from chem.hosts import load_host

    host = load_host(WIDE_PORE_HOST, charges="none")
    place, _ = pore_centre(host)
    cell = label_cell(host, guest)
    atoms, _ = cell.guest_atoms(guest, place[None, :], UPRIGHT)
    tail = DispersionInteraction(
        cell.host.elements,
        cell.host.positions_angstrom,
        cell.host.lattice_angstrom,
        guest.atom_elements,
    ).interaction(atoms[0])[0]
    return _energy(reference.for_host(host, guest), place, UPRIGHT[0]), tail


def _larger_cell(
    reference: Reference,
    host: Host,
    guest: Guest,
    here: float,
    insertion: tuple[np.ndarray, np.ndarray],
    skipped: list[str],
) -> float | None:
    """Return the change on doubling the label cell along its shortest vector, or None."""
    if not reference.atomistic:
        skipped.append("larger cell: a classical energy has no guest images")
        return None
    cell = label_cell(host, guest)
    length, coefficients = shortest_vector(cell.host.lattice_angstrom)
    if length > LARGEST_VECTOR_ANGSTROM:
        skipped.append(f"larger cell: images are already {length:.1f} angstrom apart")
        return None
    limit = LARGEST_CELL_ATOMS_SLOW if reference.slow else LARGEST_CELL_ATOMS
    atoms = 2 * len(cell.host.elements)
    if atoms > limit:
        skipped.append(f"larger cell: {atoms} atoms is over {limit} for this reference")
        return None
    axis = int(np.argmax(np.abs(coefficients)))
    counts = [n * (2 if i == axis else 1) for i, n in enumerate(cell.replication)]
    doubled = reference.for_host(host, guest, (counts[0], counts[1], counts[2]))
    return _energy(doubled, *insertion) - here
