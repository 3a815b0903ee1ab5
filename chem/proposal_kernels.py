"""Compiled loops of the proposal: cells to insertions, and insertions to cells."""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.kernel_options import STRICT

_BELOW_ONE = 1.0 - 2.0**-53


@numba.njit(**STRICT)
def systematic_cells(cumulative: np.ndarray, offset: float, cells: np.ndarray) -> None:
    """Fill the cells of a systematic sample: n equally spaced points of the distribution.

    Args:
        cumulative: (c,) running sum of the cell densities.
        offset: uniform in [0, 1), the place of all points within their spacing.
        cells: (n,) output, ascending.
    """
    count = cells.shape[0]
    step = cumulative[-1] / count
    here = 0
    last = cumulative.shape[0] - 1
    for k in range(count):
        target = (k + offset) * step
        while here < last and cumulative[here] <= target:
            here += 1
        cells[k] = here


@numba.njit(**STRICT)
def place(
    cells: np.ndarray,
    uniforms: np.ndarray,
    voxels: tuple[int, int, int],
    bins: tuple[int, int, int],
    alignment: tuple[float, float, float, float],
    fractional: np.ndarray,
    quaternions: np.ndarray,
) -> None:
    """Put a uniform point into each cell: fractional position and unit quaternion.

    Args:
        cells: (n,) flat cell numbers, orientation bin running fastest.
        uniforms: (n, 6) uniform numbers in [0, 1).
        voxels: voxels along each cell vector.
        bins: bins along cos theta, phi and psi.
        alignment: quaternion that turns z onto the guest's axis.
        fractional: (n, 3) output.
        quaternions: (n, 4) output.
    """
    aw, ax, ay, az = alignment
    per_voxel = bins[0] * bins[1] * bins[2]
    for k in range(cells.shape[0]):
        voxel = cells[k] // per_voxel
        box = cells[k] - voxel * per_voxel
        third = voxel % voxels[2]
        second = (voxel // voxels[2]) % voxels[1]
        first = voxel // (voxels[2] * voxels[1])
        fractional[k, 0] = min((first + uniforms[k, 0]) / voxels[0], _BELOW_ONE)
        fractional[k, 1] = min((second + uniforms[k, 1]) / voxels[1], _BELOW_ONE)
        fractional[k, 2] = min((third + uniforms[k, 2]) / voxels[2], _BELOW_ONE)
        cos_theta = 2.0 * (box // (bins[2] * bins[1]) + uniforms[k, 3]) / bins[0] - 1.0
        phi = math.pi * ((box // bins[2]) % bins[1] + uniforms[k, 4]) / bins[1]
        psi = math.pi * (box % bins[2] + uniforms[k, 5]) / bins[2]
        c = math.sqrt(0.5 * max(0.0, 1.0 + cos_theta))
        s = math.sqrt(0.5 * max(0.0, 1.0 - cos_theta))
        w, x = c * math.cos(phi + psi), -s * math.sin(phi - psi)
        y, z = s * math.cos(phi - psi), c * math.sin(phi + psi)
        # Times the inverse of the alignment.
        quaternions[k, 0] = w * aw + x * ax + y * ay + z * az
        quaternions[k, 1] = -w * ax + x * aw - y * az + z * ay
        quaternions[k, 2] = -w * ay + x * az + y * aw - z * ax
        quaternions[k, 3] = -w * az - x * ay + y * ax + z * aw


@numba.njit(**STRICT)
def cell_numbers(
    fractional: np.ndarray,
    quaternions: np.ndarray,
    voxels: tuple[int, int, int],
    bins: tuple[int, int, int],
    alignment: tuple[float, float, float, float],
    cells: np.ndarray,
) -> None:
    """Find the cell of each insertion, the inverse of :func:`place`."""
    aw, ax, ay, az = alignment
    for k in range(fractional.shape[0]):
        number = 0
        for axis in range(3):
            wrapped = fractional[k, axis] - math.floor(fractional[k, axis])
            number = number * voxels[axis] + min(int(wrapped * voxels[axis]), voxels[axis] - 1)
        if bins[0] * bins[1] * bins[2] == 1:
            cells[k] = number
            continue
        q0, q1, q2, q3 = quaternions[k, 0], quaternions[k, 1], quaternions[k, 2], quaternions[k, 3]
        w = q0 * aw - q1 * ax - q2 * ay - q3 * az
        x = q0 * ax + q1 * aw + q2 * az - q3 * ay
        y = q0 * ay - q1 * az + q2 * aw + q3 * ax
        z = q0 * az + q1 * ay - q2 * ax + q3 * aw
        cos_theta = 1.0 - 2.0 * (x * x + y * y)
        phi = math.atan2(y * z - w * x, x * z + w * y) / (2.0 * math.pi)
        psi = math.atan2(y * z + w * x, w * y - x * z) / (2.0 * math.pi)
        phi -= math.floor(phi)
        psi -= math.floor(psi)
        number = number * bins[0] + max(0, min(int(0.5 * (cos_theta + 1.0) * bins[0]), bins[0] - 1))
        number = number * bins[1] + min(int(phi * bins[1]), bins[1] - 1)
        cells[k] = number * bins[2] + min(int(psi * bins[2]), bins[2] - 1)
