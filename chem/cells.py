"""Cells: compact bases, primitive cells and supercells, always in the same orientation.

References:
    [1] Togo, Shinohara, Tanaka, Sci. Technol. Adv. Mater. Methods 4 (2024) 2384822 (spglib).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from chem.cif import wrap_fractional
from data.errors import StructureError
from data.records import Host

SAME_CHARGE_E = 1e-4
"""Atoms whose charges differ by less may be merged."""
FEW_ATOMS = 500
SAME_PLACE_ANGSTROM = 1e-3
"""Positions closer than this are equal when a translation is looked for."""


def compact_lattice(lattice_angstrom: np.ndarray) -> np.ndarray:
    """Return the Niggli-reduced basis of the same lattice in the same orientation.

    Args:
        lattice_angstrom: (3, 3) cell vectors as rows.

    Returns:
        (3, 3) rows, integer combinations of the given ones, right-handed if those were.
    """
    import spglib

    reduced = spglib.niggli_reduce(lattice_angstrom)
    if reduced is None:
        raise StructureError(
            "The cell vectors have no reduced basis: they are nearly in a plane. Check the angles."
        )
    change = np.rint(reduced @ np.linalg.inv(lattice_angstrom))
    if abs(abs(np.linalg.det(change)) - 1.0) > 1e-6:
        return lattice_angstrom
    if np.linalg.det(change) < 0.0:
        change = -change
    return change @ lattice_angstrom


def shortest_lattice_vector_angstrom(lattice_angstrom: np.ndarray) -> float:
    """Return the length of the shortest lattice vector, the distance to the nearest image."""
    basis = compact_lattice(lattice_angstrom)
    steps = np.array([step for step in product((-1, 0, 1), repeat=3) if any(step)])
    return float(np.linalg.norm(steps @ basis, axis=1).min())


def reduce_to_primitive(host: Host) -> Host:
    """Return the host in a primitive cell, atoms at the same places in space.

    Atoms count as equal when element, label and charge (within 1e-4 e) agree, so a label that
    selects a force-field type is not lost [1]. Labels that number the atoms of the cell (C1, C2,
    C3 ..., no two alike) tell nothing apart and do not count: files written in P1 have them. The
    primitive vectors are integer-related to the given ones and Niggli-reduced; a cell that is
    already primitive comes back unchanged.
    """
    import spglib

    kinds = _kinds(host)
    if len(kinds) > FEW_ATOMS and not _may_repeat(host, kinds):
        return host
    cell: Any = (host.lattice_angstrom, host.fractional, kinds)
    dataset = spglib.get_symmetry_dataset(cell, symprec=SAME_PLACE_ANGSTROM)
    if dataset is None:
        return host
    owner = np.unique(dataset.mapping_to_primitive, return_inverse=True)[1]
    count = int(owner.max()) + 1
    if count == len(kinds):
        return host
    lattice = _primitive_lattice(host.lattice_angstrom, dataset.primitive_lattice)
    first = np.array([np.flatnonzero(owner == k)[0] for k in range(count)])
    fractional = host.fractional @ host.lattice_angstrom @ np.linalg.inv(lattice)
    shifts = fractional - fractional[first][owner]
    shifts -= np.round(shifts)
    if np.linalg.norm(shifts @ lattice, axis=1).max() > 10 * SAME_PLACE_ANGSTROM:
        return host
    share = np.bincount(owner)
    mean = np.array([np.bincount(owner, shifts[:, k]) / share for k in range(3)]).T
    charges = host.charges_e
    if charges is not None:
        charges = np.bincount(owner, charges) / share
    order = np.argsort(first)
    return replace(
        host,
        lattice_angstrom=lattice,
        fractional=wrap_fractional(fractional[first] + mean)[order],
        elements=tuple(host.elements[i] for i in first[order]),
        labels=tuple(host.labels[i] for i in first[order]),
        charges_e=None if charges is None else charges[order],
        notes=(*host.notes, f"reduced from {len(kinds)} to {count} atoms (primitive cell)"),
    )


def _may_repeat(host: Host, kinds: np.ndarray) -> bool:
    """Whether some translation takes a few atoms of each kind to others; quick for large cells.

    spglib's own search grows with the cube of the number of atoms where nothing repeats.
    """
    from scipy.spatial import cKDTree

    values, counts = np.unique(kinds, return_counts=True)
    rare = np.flatnonzero(kinds == values[counts.argmin()])
    shifts = host.fractional[rare[1:]] - host.fractional[rare[0]]
    reach = 10.0 * SAME_PLACE_ANGSTROM / narrowest_angstrom(host.lattice_angstrom)
    for kind in values:
        members = host.fractional[kinds == kind]
        tree = cKDTree(members % 1.0, boxsize=1.0)
        for probe in members[:: max(1, len(members) // 4)][:4]:
            if not len(shifts):
                return False
            near, _ = tree.query((probe + shifts) % 1.0)
            shifts = shifts[near < 2.0 * reach]
    return len(shifts) > 0


def narrowest_angstrom(lattice_angstrom: np.ndarray) -> float:
    """Return the smallest distance between opposite faces of a cell, angstrom."""
    return float(1.0 / np.linalg.norm(np.linalg.inv(lattice_angstrom), axis=0).max())


def _kinds(host: Host) -> np.ndarray:
    """Return an integer per atom, equal for atoms that may be merged."""
    charges = np.zeros(len(host.elements)) if host.charges_e is None else host.charges_e
    order = np.argsort(charges, kind="stable")
    level = np.zeros(len(charges), dtype=int)
    level[order] = np.concatenate([[0], np.cumsum(np.diff(charges[order]) > SAME_CHARGE_E)])
    labels = host.elements if _numbered(host) else host.labels
    keys = list(zip(host.elements, labels, level.tolist(), strict=True))
    numbers = {key: index + 1 for index, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys])


def _numbered(host: Host) -> bool:
    """Whether the labels are element and running number, no two alike."""
    if len(set(host.labels)) < len(host.labels):
        return False
    pairs = zip(host.labels, host.elements, strict=True)
    return all(
        label[: len(element)].capitalize() == element and label[len(element) :].isdigit()
        for label, element in pairs
    )


def _primitive_lattice(lattice: np.ndarray, primitive: np.ndarray) -> np.ndarray:
    """Return compact primitive vectors that divide the given lattice exactly."""
    multiples = np.rint(lattice @ np.linalg.inv(primitive))
    exact = np.linalg.solve(multiples, lattice)
    if np.linalg.det(exact) * np.linalg.det(lattice) < 0.0:
        exact = -exact
    return compact_lattice(exact)


def replicate(host: Host, repeats: tuple[int, int, int]) -> Host:
    """Return a supercell of ``repeats`` cells along the three vectors.

    Raises:
        StructureError: a repeat below one.
    """
    if min(repeats) < 1:
        raise StructureError(f"A supercell needs repeats of at least 1, found {repeats}.")
    offsets = np.array(list(product(*(range(n) for n in repeats))))
    copies = len(offsets)
    fractional = (offsets[:, None, :] + host.fractional[None]).reshape(-1, 3) / np.array(repeats)
    return replace(
        host,
        lattice_angstrom=host.lattice_angstrom * np.array(repeats)[:, None],
        fractional=wrap_fractional(fractional),
        elements=host.elements * copies,
        labels=host.labels * copies,
        charges_e=None if host.charges_e is None else np.tile(host.charges_e, copies),
        notes=(*host.notes, "replicated {}x{}x{}".format(*repeats)) if copies > 1 else host.notes,
    )
