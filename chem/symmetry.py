"""Space-group symmetry of a host, in the cell as given.

Candidate operations come from spglib [1], with its own view of what a tolerance is; here each
is kept only if it is an isometry of the lattice and puts every atom on an atom of the same
kind, so that an energy field of the host has the symmetry too. Kinds decide: charges that
differ make atoms different.

References:
    [1] Togo, Shinohara, Tanaka, Sci. Technol. Adv. Mater. Methods 4 (2024) 2384822 (spglib).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from chem.cells import compact_lattice
from chem.geometry import rows_times_matrix, wrap_fractional
from data.errors import SettingsError
from data.records import Host

TOLERANCE_ANGSTROM = 1e-3
FINER = (1.0, 0.1, 0.01)
SAME_CHARGE_E = 1e-6
SAME_PARAMETER = 1e-9
CHUNK_POINTS = 400_000


@dataclass(frozen=True)
class SymmetryOperations:
    """Symmetry operations x -> R x + t on fractional column vectors, a group.

    Attributes:
        rotations: (g, 3, 3) integer matrices; the first operation is the identity.
        translations: (g, 3) fractional, in [0, 1).
        images: (g, n) atom on which each operation puts each atom.
        residual_angstrom: largest distance between a moved atom and the one it is put on.
    """

    rotations: np.ndarray
    translations: np.ndarray
    images: np.ndarray
    residual_angstrom: float

    def __len__(self) -> int:
        return len(self.rotations)

    @property
    def orbits(self) -> np.ndarray:
        """(n,) lowest index of the atoms equivalent to each atom."""
        orbits: np.ndarray = self.images.min(axis=0)
        return orbits

    def apply(self, fractional: np.ndarray) -> np.ndarray:
        """Return the (g, m, 3) images of (m, 3) fractional points, not wrapped."""
        turned = np.einsum("gij,mj->gmi", self.rotations, np.asarray(fractional, dtype=float))
        return turned + self.translations[:, None]

    def cartesian_rotations(self, lattice_angstrom: np.ndarray) -> np.ndarray:
        """Return the (g, 3, 3) rotations (determinant -1: with inversion) of column vectors."""
        return _cartesian(self.rotations, np.asarray(lattice_angstrom, dtype=float))


@dataclass(frozen=True)
class CrystalSymmetry:
    """The symmetry of a crystal, whatever cell it was given in.

    A supercell that is not as symmetric as the crystal hides operations; its primitive cell
    does not.

    Attributes:
        lattice_angstrom: (3, 3) primitive cell vectors as rows.
        cells: primitive cells in the cell as given.
        operations: on fractional coordinates of the primitive cell.
    """

    lattice_angstrom: np.ndarray
    cells: int
    operations: SymmetryOperations


def interaction_kinds(
    *rows: np.ndarray, charges_e: np.ndarray | None = None, same_charge_e: float = SAME_CHARGE_E
) -> np.ndarray:
    """Return an integer per host atom, equal for atoms that a guest cannot tell apart.

    Args:
        *rows: (..., n) parameters by host atom (pair epsilons, sigmas, core radii).
        charges_e: (n,) host charges, e.
        same_charge_e: charges linked by steps up to this count as equal, e.

    Returns:
        (n,) kinds, counted from one.
    """
    columns = [np.reshape(row, (-1, np.shape(row)[-1])) for row in rows]
    keys = [_levels(row, SAME_PARAMETER) for part in columns for row in part]
    if charges_e is not None:
        keys.append(_levels(np.asarray(charges_e, dtype=float), same_charge_e))
    _, kinds = np.unique(np.array(keys), axis=1, return_inverse=True)
    return np.asarray(kinds).reshape(-1) + 1


def _levels(values: np.ndarray, same: float) -> np.ndarray:
    """Return an integer per value, equal for values linked by steps up to ``same``."""
    order = np.argsort(values, kind="stable")
    level = np.zeros(len(values), dtype=np.int64)
    with np.errstate(invalid="ignore"):  # infinite radii: inf - inf is no step
        level[order[1:]] = np.cumsum(np.diff(values[order]) > same)
    return level


def host_symmetry(
    host: Host, kinds: np.ndarray, tolerance_angstrom: float = TOLERANCE_ANGSTROM
) -> SymmetryOperations:
    """Return the operations that map the host onto itself, pure translations included.

    Args:
        host: the framework; any cell.
        kinds: (n,) integers, equal for atoms that count as the same.
        tolerance_angstrom: how far a moved atom may lie from the one it stands for.

    Returns:
        The operations; the identity alone where there is no symmetry.

    Raises:
        SettingsError: not one kind for each atom, or a tolerance that is not positive.
    """
    kinds = np.asarray(kinds, dtype=np.int64)
    if kinds.shape != (len(host.elements),):
        raise SettingsError(
            f"the kinds are {kinds.shape}, expected one for each of {len(host.elements)} atoms"
        )
    if not tolerance_angstrom > 0.0:
        raise SettingsError(f"the tolerance must be positive, got {tolerance_angstrom} angstrom")
    for finer in FINER:
        found = _candidates(host, kinds, finer * tolerance_angstrom)
        if found is None:
            continue
        operations, every = _checked(host, kinds, *found, tolerance_angstrom)
        if every:  # what spglib finds is a group; a part of it may be none
            return operations
    identity = np.eye(3, dtype=np.int64)[None], np.zeros((1, 3))
    return _checked(host, kinds, *identity, tolerance_angstrom)[0]


def crystal_symmetry(
    host: Host, kinds: np.ndarray, tolerance_angstrom: float = TOLERANCE_ANGSTROM
) -> CrystalSymmetry:
    """Return the symmetry of the crystal; arguments as of :func:`host_symmetry`."""
    given = host_symmetry(host, kinds, tolerance_angstrom)
    pure = (given.rotations == np.eye(3, dtype=np.int64)).all(axis=(1, 2))
    cells = int(pure.sum())
    if cells == 1:
        return CrystalSymmetry(np.array(host.lattice_angstrom, dtype=float), 1, given)
    lattice = _primitive_vectors(host.lattice_angstrom, given.translations[pure])
    first = np.unique(given.images[pure].min(axis=0))
    primitive = replace(
        host,
        lattice_angstrom=lattice,
        fractional=wrap_fractional(host.positions_angstrom[first] @ np.linalg.inv(lattice)),
        elements=tuple(host.elements[k] for k in first),
        labels=tuple(host.labels[k] for k in first),
        charges_e=None,
    )
    operations = host_symmetry(primitive, np.asarray(kinds)[first], tolerance_angstrom)
    return CrystalSymmetry(lattice, cells, operations)


def _primitive_vectors(lattice_angstrom: np.ndarray, translations: np.ndarray) -> np.ndarray:
    """Return the shortest vectors that the cell vectors and these translations generate.

    In three dimensions the shortest independent vectors of a lattice are a basis of it.
    """
    compact = compact_lattice(lattice_angstrom)
    inside = wrap_fractional(translations @ lattice_angstrom @ np.linalg.inv(compact))
    shifts = np.array(list(product((-1, 0, 1), repeat=3)))
    vectors = (inside[:, None] + shifts).reshape(-1, 3) @ compact
    vectors = vectors[np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")]
    chosen: list[np.ndarray] = []
    for vector in vectors:
        if np.linalg.matrix_rank([*chosen, vector], tol=0.1) > len(chosen):
            chosen.append(vector)
    multiples = np.rint(lattice_angstrom @ np.linalg.inv(np.array(chosen)))
    return np.asarray(np.linalg.solve(multiples, lattice_angstrom))


def _candidates(
    host: Host, kinds: np.ndarray, symprec_angstrom: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return rotations and translations by spglib, the identity first, or None."""
    import spglib

    cell: Any = (host.lattice_angstrom, host.fractional, kinds)
    found: Any = spglib.get_symmetry(cell, symprec=symprec_angstrom)
    if found is None:
        return None
    rotations = np.asarray(found["rotations"], dtype=np.int64)
    translations = wrap_fractional(np.asarray(found["translations"], dtype=np.float64))
    unit = (rotations == np.eye(3, dtype=np.int64)).all(axis=(1, 2))
    still = np.abs(translations - np.rint(translations)).max(axis=1) < 1e-9
    order = np.argsort(~(unit & still), kind="stable")
    return rotations[order], translations[order]


def _checked(
    host: Host,
    kinds: np.ndarray,
    rotations: np.ndarray,
    translations: np.ndarray,
    tolerance_angstrom: float,
) -> tuple[SymmetryOperations, bool]:
    """Keep the operations that hold, with refined translations; say whether all did."""
    lattice = np.asarray(host.lattice_angstrom, dtype=np.float64)
    images, misses = _match(host, rotations, translations)
    good = _rigid(rotations, lattice, tolerance_angstrom)
    good &= (kinds[images] == kinds).all(axis=1)
    good &= (np.sort(images, axis=1) == np.arange(len(kinds))).all(axis=1)
    shift = np.where(good[:, None], misses.mean(axis=1), 0.0)
    shift[0] = 0.0
    residual = np.linalg.norm((misses - shift[:, None]) @ lattice, axis=2).max(axis=1)
    good &= residual <= tolerance_angstrom
    refined = wrap_fractional(translations + shift)
    operations = SymmetryOperations(
        rotations[good], refined[good], images[good], float(residual[good].max())
    )
    return operations, bool(good.all())


def _match(
    host: Host, rotations: np.ndarray, translations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (g, n) the atom nearest to each moved atom and (g, n, 3) the fractional miss."""
    from scipy.spatial import cKDTree

    own = wrap_fractional(np.asarray(host.fractional, dtype=np.float64))
    tree = cKDTree(own, boxsize=1.0)
    images = np.empty((len(rotations), len(own)), dtype=np.int64)
    misses = np.empty((len(rotations), len(own), 3))
    step = max(1, CHUNK_POINTS // len(own))
    for start in range(0, len(rotations), step):
        part = slice(start, start + step)
        moved = np.einsum("gij,nj->gni", rotations[part], own) + translations[part, None]
        _, nearest = tree.query(wrap_fractional(moved))
        miss = own[nearest] - moved
        images[part], misses[part] = nearest, miss - np.rint(miss)
    return images, misses


def _cartesian(rotations: np.ndarray, lattice_angstrom: np.ndarray) -> np.ndarray:
    """Return the matrices in Cartesian axes: L^T R L^-T with cell vectors as rows of L."""
    inverse = np.linalg.inv(lattice_angstrom)
    left = rows_times_matrix(np.swapaxes(rotations, 1, 2) * 1.0, lattice_angstrom)
    return np.swapaxes(inverse @ left, 1, 2)


def _rigid(
    rotations: np.ndarray, lattice_angstrom: np.ndarray, tolerance_angstrom: float
) -> np.ndarray:
    """Return (g,) whether each operation keeps lengths within the tolerance over one cell."""
    turned = np.swapaxes(rotations, 1, 2) @ lattice_angstrom
    metric = lattice_angstrom @ lattice_angstrom.T
    longest = np.sqrt(np.diag(metric).max())
    strain = np.abs(turned @ np.swapaxes(turned, 1, 2) - metric).max(axis=(1, 2))
    return strain <= 2.0 * longest * tolerance_angstrom
