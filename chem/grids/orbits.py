"""Space-group symmetry on a grid: which points are equivalent.

An operation x -> R x + t maps a grid onto itself where the numbers of points along its axes
fit: then the near sums are computed at one point of each orbit only and copied to the others.
Operations that no such grid fits (a glide by an odd fraction of the cell) are left out; those
that fit are a group again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numba
import numpy as np

from chem.kernel_options import STRICT
from chem.symmetry import host_symmetry, interaction_kinds
from data.records import Host

TOLERANCE_ANGSTROM = 2e-4
"""Moves an energy by less than 0.01 kJ/mol on the steepest slope that carries weight."""
LARGEST_DENOMINATOR = 12


@dataclass(frozen=True)
class GridSymmetry:
    """Operations that map the host onto itself and a grid onto itself.

    Attributes:
        rotations: (g, 3, 3) integers on fractional coordinates, the identity first.
        translations: (g, 3) simple fractions of the cell in [0, 1).
    """

    rotations: np.ndarray
    translations: np.ndarray

    def __len__(self) -> int:
        return len(self.rotations)


def no_symmetry() -> GridSymmetry:
    """Return the identity alone."""
    return GridSymmetry(np.eye(3, dtype=np.int64)[None], np.zeros((1, 3)))


def grid_symmetry(host: Host, parameters: np.ndarray, charges_e: np.ndarray) -> GridSymmetry:
    """Find the operations of a host whose translations are simple fractions of the cell.

    Args:
        host: the framework.
        parameters: (rows, n) everything of each atom, but its charge, that enters.
        charges_e: (n,) its charge.

    Returns:
        The operations; the identity alone where there are no others.
    """
    kinds = interaction_kinds(parameters, charges_e=charges_e)
    found = host_symmetry(host, kinds, TOLERANCE_ANGSTROM)
    lengths = np.linalg.norm(host.lattice_angstrom, axis=1)
    simple = np.array(
        [
            [float(Fraction(float(t)).limit_denominator(LARGEST_DENOMINATOR)) for t in row]
            for row in found.translations
        ]
    )
    off = np.abs(found.translations - simple) * lengths
    kept = (off <= TOLERANCE_ANGSTROM).all(axis=1)
    return GridSymmetry(found.rotations[kept], simple[kept] % 1.0)


def multiples(symmetry: GridSymmetry) -> tuple[np.ndarray, np.ndarray]:
    """Return what a grid must satisfy for all operations to map it onto itself.

    Returns:
        (3,) integers that divide the number of points along each axis, and (3,) group of each
        axis: axes of one group are mixed by a rotation and need equal numbers.
    """
    mixed = (symmetry.rotations != 0).any(axis=0)
    group = np.arange(3)
    for i in range(3):
        for j in range(3):
            if mixed[i, j]:
                group[group == group[j]] = group[i]
    divisor = np.ones(3, dtype=np.int64)
    for row in symmetry.translations:
        for axis, t in enumerate(row):
            part = Fraction(float(t)).limit_denominator(LARGEST_DENOMINATOR).denominator
            divisor[axis] = math.lcm(int(divisor[axis]), part)
    for axis in range(3):
        divisor[axis] = math.lcm(*(int(d) for d in divisor[group == group[axis]]))
    return divisor, group


def orbit_map(symmetry: GridSymmetry, dims: tuple[int, int, int]) -> np.ndarray:
    """Return the (na * nb * nc,) int32 flat number of the first point of each point's orbit."""
    sizes = np.array(dims, dtype=np.int64)
    turned = symmetry.rotations * sizes[:, None] // sizes
    shifts = np.rint(symmetry.translations * sizes).astype(np.int64)
    first = np.full(int(sizes.prod()), -1, dtype=np.int32)
    _fill_orbits(turned % sizes[:, None], shifts % sizes, sizes, first)
    return first


@numba.njit(**STRICT)
def _fill_orbits(
    rotations: np.ndarray, shifts: np.ndarray, dims: np.ndarray, first: np.ndarray
) -> None:
    """Mark the images of every point that is no image of an earlier one."""
    na, nb, nc = dims[0], dims[1], dims[2]
    for point in range(first.shape[0]):
        if first[point] >= 0:
            continue
        i, j, k = point // (nb * nc), point // nc % nb, point % nc
        for g in range(rotations.shape[0]):
            r = rotations[g]
            a = (r[0, 0] * i + r[0, 1] * j + r[0, 2] * k + shifts[g, 0]) % na
            b = (r[1, 0] * i + r[1, 1] * j + r[1, 2] * k + shifts[g, 1]) % nb
            c = (r[2, 0] * i + r[2, 1] * j + r[2, 2] * k + shifts[g, 2]) % nc
            first[(a * nb + b) * nc + c] = point


@numba.njit(**STRICT)
def add_images(near: np.ndarray, first: np.ndarray, out: np.ndarray) -> None:
    """Add to every point of a flat grid the value at the first point of its orbit."""
    for point in range(out.shape[0]):
        out[point] += near[first[point]]
