"""Compiled loops over voxels and spheres of the pocket map."""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.kernel_options import STRICT


@numba.njit(**STRICT)
def mark_voxels(
    state: np.ndarray,
    lattice: np.ndarray,
    widths: np.ndarray,
    centres: np.ndarray,
    wide: np.ndarray,
    wall: np.ndarray,
) -> None:
    """Lower the state of voxels near atoms.

    Args:
        state: (na, nb, nc) of 0 wall, 1 unknown and 2 open; changed in place.
        lattice: (3, 3) cell vectors as rows, angstrom.
        widths: (3,) distances between opposite faces of the cell, angstrom.
        centres: (k, 3) fractional positions of atom images.
        wide: (k,) voxels nearer than this are no longer open, angstrom.
        wall: (k,) voxels nearer than this are wall, angstrom.
    """
    low, high = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    for atom in range(centres.shape[0]):
        for k in range(3):
            size = state.shape[k]
            margin = wide[atom] / widths[k]
            low[k] = max(0, math.ceil((centres[atom, k] - margin) * size))
            high[k] = min(size - 1, math.floor((centres[atom, k] + margin) * size))
        for i in range(low[0], high[0] + 1):
            a = i / state.shape[0] - centres[atom, 0]
            for j in range(low[1], high[1] + 1):
                b = j / state.shape[1] - centres[atom, 1]
                x0 = a * lattice[0, 0] + b * lattice[1, 0]
                y0 = a * lattice[0, 1] + b * lattice[1, 1]
                z0 = a * lattice[0, 2] + b * lattice[1, 2]
                for k in range(low[2], high[2] + 1):
                    c = k / state.shape[2] - centres[atom, 2]
                    x, y = x0 + c * lattice[2, 0], y0 + c * lattice[2, 1]
                    z = z0 + c * lattice[2, 2]
                    r2 = x * x + y * y + z * z
                    if r2 < wall[atom] * wall[atom]:
                        state[i, j, k] = 0
                    elif r2 < wide[atom] * wide[atom] and state[i, j, k] == 2:
                        state[i, j, k] = 1


@numba.njit(**STRICT)
def look_up(flags: np.ndarray, fractional: np.ndarray, out: np.ndarray) -> None:
    """Read the flag of the voxel nearest to each place.

    Args:
        flags: (na, nb, nc) flags.
        fractional: (n, 3) places, any image.
        out: (n,) output.
    """
    na, nb, nc = flags.shape
    for n in range(fractional.shape[0]):
        i = int(np.floor(fractional[n, 0] * na + 0.5)) % na
        j = int(np.floor(fractional[n, 1] * nb + 0.5)) % nb
        k = int(np.floor(fractional[n, 2] * nc + 0.5)) % nc
        out[n] = flags[i, j, k]


@numba.njit(**STRICT)
def inside_spheres(
    points: np.ndarray, centres: np.ndarray, radii2: np.ndarray, out: np.ndarray
) -> None:
    """Flag points that lie in a sphere.

    Args:
        points: (n, 3) Cartesian, angstrom.
        centres: (s, 3) Cartesian, images included, angstrom.
        radii2: (s,) squared radii.
        out: (n,) output.
    """
    for n in range(points.shape[0]):
        for s in range(centres.shape[0]):
            x = points[n, 0] - centres[s, 0]
            y = points[n, 1] - centres[s, 1]
            z = points[n, 2] - centres[s, 2]
            if x * x + y * y + z * z < radii2[s]:
                out[n] = True
                break
