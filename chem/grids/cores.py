"""The hard wall on a grid: which voxels lie wholly inside a core, wholly outside, or neither."""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.geometry import images_near_cell
from chem.grids.arrays import BLOCKED, UNDECIDED
from chem.kernel_options import FAST

_HAIR_ANGSTROM = 1e-6


def voxel_radius_angstrom(lattice_angstrom: np.ndarray, dims: tuple[int, int, int]) -> float:
    """Return the distance from a voxel's centre to its farthest corner."""
    a, b, c = lattice_angstrom / np.array(dims)[:, None]
    diagonals = np.array([a + b + c, a + b - c, a - b + c, -a + b + c])
    return 0.5 * float(np.linalg.norm(diagonals, axis=1).max()) + _HAIR_ANGSTROM


def voxel_states(
    fractional: np.ndarray,
    lattice_angstrom: np.ndarray,
    radii_angstrom: np.ndarray,
    dims: tuple[int, int, int],
) -> np.ndarray:
    """Return the state of the voxel around every grid point for one site kind.

    Args:
        fractional: (n, 3) host atoms.
        lattice_angstrom: (3, 3) cell vectors as rows.
        radii_angstrom: (n,) core radius of the kind with each atom; zero for none.
        dims: grid points along each axis.

    Returns:
        (na, nb, nc) uint8.
    """
    states = np.zeros(dims, dtype=np.uint8)
    atoms = np.nonzero(radii_angstrom > 0.0)[0]
    if len(atoms) == 0:
        return states
    margin = voxel_radius_angstrom(lattice_angstrom, dims)
    reach = float(radii_angstrom.max()) + margin
    positions, order = images_near_cell(fractional[atoms], lattice_angstrom, reach)
    inverse = np.linalg.inv(lattice_angstrom)
    _mark(positions, radii_angstrom[atoms][order], margin, lattice_angstrom, inverse, states)
    return states


@numba.njit(**FAST)
def _mark(
    positions: np.ndarray,
    radii: np.ndarray,
    margin: float,
    lattice: np.ndarray,
    inverse: np.ndarray,
    states: np.ndarray,
) -> None:
    """Mark the voxels of every core: rows of points are cut by two spheres."""
    na, nb, nc = states.shape
    sx, sy, sz = lattice[2, 0] / nc, lattice[2, 1] / nc, lattice[2, 2] / nc
    step2 = sx * sx + sy * sy + sz * sz
    width_a = math.sqrt(inverse[0, 0] ** 2 + inverse[1, 0] ** 2 + inverse[2, 0] ** 2)
    width_b = math.sqrt(inverse[0, 1] ** 2 + inverse[1, 1] ** 2 + inverse[2, 1] ** 2)
    for n in range(positions.shape[0]):
        x, y, z = positions[n, 0], positions[n, 1], positions[n, 2]
        outer, inner = radii[n] + margin, radii[n] - margin
        fa = x * inverse[0, 0] + y * inverse[1, 0] + z * inverse[2, 0]
        fb = x * inverse[0, 1] + y * inverse[1, 1] + z * inverse[2, 1]
        first_a, last_a = _range(fa, outer * width_a, na)
        first_b, last_b = _range(fb, outer * width_b, nb)
        for i in range(first_a, last_a + 1):
            for j in range(first_b, last_b + 1):
                dx = lattice[0, 0] * i / na + lattice[1, 0] * j / nb - x
                dy = lattice[0, 1] * i / na + lattice[1, 1] * j / nb - y
                dz = lattice[0, 2] * i / na + lattice[1, 2] * j / nb - z
                along = (dx * sx + dy * sy + dz * sz) / step2
                off2 = dx * dx + dy * dy + dz * dz - along * along * step2
                _fill(states, i, j, along, outer * outer - off2, step2, UNDECIDED)
                if inner > 0.0:
                    _fill(states, i, j, along, inner * inner - off2, step2, BLOCKED)


@numba.njit(**FAST)
def _range(centre: float, half: float, count: int) -> tuple[int, int]:
    """First and last grid number within half of a centre, inside the cell."""
    return max(0, math.ceil((centre - half) * count)), min(
        count - 1, math.floor((centre + half) * count)
    )


@numba.njit(**FAST)
def _fill(
    states: np.ndarray, i: int, j: int, along: float, room2: float, step2: float, state: int
) -> None:
    """Raise to a state the points of row i, j inside a sphere."""
    if room2 <= 0.0:
        return
    half = math.sqrt(room2 / step2)
    count = states.shape[2]
    for k in range(max(0, math.ceil(-along - half)), min(count - 1, math.floor(half - along)) + 1):
        states[i, j, k] = max(states[i, j, k], state)
