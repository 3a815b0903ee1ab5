"""Symmetry operations of a CIF: read, held against the cell, and applied to sites."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from data.errors import StructureError

Operation = tuple[np.ndarray, np.ndarray]

OPERATION_TAGS = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
SYMMETRY_TAGS = (
    *OPERATION_TAGS,
    "_symmetry_space_group_name",
    "_space_group_name",
    "_symmetry_int_tables_number",
    "_space_group_it_number",
)
SAME_ATOM_ANGSTROM = 0.05
"""Images of one site closer than this are one atom on a special position."""
MOST_OPERATIONS = 192
"""Face-centred cubic groups have the most."""
SAME_TRANSLATION = 0.01
"""Translations of operations, in fractions of the cell; files write 1/3 as 0.33 too."""
SAME_METRIC = 0.02
"""Most that an operation may change lengths: files round cells, and relaxed ones are bent."""


def read_operations(
    block: Any, tags: dict[str, Any], lattice: np.ndarray, origin: str, notes: list[str]
) -> list[Operation]:
    """Return (rotation, translation) of every symmetry operation, noting guesses.

    Args:
        block: pymatgen's CIF block.
        tags: its entries, by tags in lower case.
        lattice: (3, 3) cell vectors as rows, angstrom.
        origin: name of the file for messages.
        notes: remarks are appended.

    Raises:
        StructureError: not understood, no group, or not of this cell.
    """
    given = [
        tag for tag in tags if tag.startswith(SYMMETRY_TAGS) and str(tags[tag]) not in {"?", "."}
    ]
    listed = max((_count(tags[tag]) for tag in given), default=0)
    if listed > MOST_OPERATIONS:
        raise StructureError(
            f"{origin} lists {listed} symmetry operations; no space group has more than "
            f"{MOST_OPERATIONS}. Expand the structure to P 1."
        )
    operations, guessed = _parsed(block, given, origin)
    pairs = [(np.array(op.rotation_matrix), np.array(op.translation_vector)) for op in operations]
    broken = any(abs(abs(np.linalg.det(rotation)) - 1.0) > 1e-6 for rotation, _ in pairs)
    if (guessed or broken) and given:
        raise _not_understood(given, origin)
    if guessed or broken:
        notes.append("no symmetry given in the file: read as P1")
    elif len(pairs) > 1 and not any(tag.startswith(OPERATION_TAGS) for tag in given):
        notes.append("symmetry operations taken from the space-group symbol or number")
    pairs = _once_each(pairs)
    _refuse_no_group(pairs, origin)
    _refuse_foreign(pairs, lattice, origin)
    return pairs


def _count(value: Any) -> int:
    return 1 if isinstance(value, str) else len(value)


def _parsed(block: Any, given: list[str], origin: str) -> tuple[list[Any], bool]:
    """Return pymatgen's operations and whether it fell back to P1."""
    from pymatgen.io.cif import CifParser

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            operations = CifParser.from_str("data_any\n").get_symops(block)
    except Exception as error:  # malformed operations raise whatever their parser stumbles over
        raise _not_understood(given, origin) from error
    return operations, any("Defaulting to P1" in str(warning.message) for warning in caught)


def _not_understood(given: list[str], origin: str) -> StructureError:
    return StructureError(
        f"{origin}: the symmetry in {', '.join(given)} is not understood. List the operations as "
        "x,y,z strings in _symmetry_equiv_pos_as_xyz, or expand to P 1."
    )


def _difference(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return translations' difference, folded to the nearest lattice point."""
    apart = one - two
    return np.abs(apart - np.round(apart))


def _once_each(pairs: list[Operation]) -> list[Operation]:
    """Return the operations without those listed before."""
    kept: list[Operation] = []
    for rotation, translation in pairs:
        same = (
            np.array_equal(np.rint(rotation), np.rint(other))
            and _difference(translation, shift).max() < 1e-4
            for other, shift in kept
        )
        if not any(same):
            kept.append((rotation, translation))
    return kept


def _refuse_no_group(pairs: list[Operation], origin: str) -> None:
    """Raise unless every product of two operations is one of them."""
    rotations = np.array([np.rint(rotation) for rotation, _ in pairs])
    shifts = np.array([translation for _, translation in pairs])
    for rotation, shift in pairs:
        turned = np.rint(rotation) @ rotations
        moved = shifts @ rotation.T + shift
        same = (turned[:, None] == rotations[None]).all(axis=(2, 3))
        near = (_difference(moved[:, None], shifts[None]) < SAME_TRANSLATION).all(axis=2)
        if not (same & near).any(axis=1).all():
            raise StructureError(
                f"{origin}: the {len(pairs)} symmetry operations are no group: two in a row make "
                "one that is not listed. Correct the list, or expand the structure to P 1."
            )


def _refuse_foreign(pairs: list[Operation], lattice: np.ndarray, origin: str) -> None:
    """Raise where an operation changes distances: it belongs to another cell."""
    metric = lattice @ lattice.T
    size = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    for rotation, _ in pairs:
        moved = rotation.T @ metric @ rotation
        if (np.abs(moved - metric) > 2.0 * SAME_METRIC * size).any():
            raise StructureError(
                f"{origin}: a symmetry operation does not fit the cell: it changes distances by "
                f"more than {SAME_METRIC:.0%}. Correct the cell or the space group."
            )


def images(row: np.ndarray, operations: list[Operation], lattice: np.ndarray) -> np.ndarray:
    """Return the distinct images of one site, special positions averaged over their copies."""
    if len(operations) == 1:
        return row[None]
    found = np.array([rotation @ row + translation for rotation, translation in operations])
    free = np.ones(len(found), dtype=bool)
    distinct = []
    for index in range(len(found)):
        if not free[index]:
            continue
        shifts = found - found[index]
        shifts -= np.round(shifts)
        same = free & (np.linalg.norm(shifts @ lattice, axis=1) < SAME_ATOM_ANGSTROM)
        free &= ~same
        distinct.append(found[index] + shifts[same].mean(axis=0))
    return np.array(distinct)
