"""Narrows the host images to those within reach of a plane, a row or a stretch of grid points."""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.kernel_options import FAST


@numba.njit(**FAST)
def near_plane(
    chosen: np.ndarray,
    count: int,
    positions: np.ndarray,
    origin: np.ndarray,
    lattice: np.ndarray,
    reach: float,
    out: np.ndarray,
) -> int:
    """Keep the candidates within reach of the plane through an origin along b and c."""
    b, c = lattice[1], lattice[2]
    x, y, z = b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]
    limit = reach * math.sqrt(x * x + y * y + z * z)
    kept = 0
    for n in range(count):
        j = chosen[n]
        height = (
            x * (positions[0, j] - origin[0])
            + y * (positions[1, j] - origin[1])
            + z * (positions[2, j] - origin[2])
        )
        out[kept] = j
        kept += 1 if abs(height) < limit else 0
    return kept


@numba.njit(**FAST)
def near_line(
    chosen: np.ndarray,
    count: int,
    positions: np.ndarray,
    origin: np.ndarray,
    direction: np.ndarray,
    reach: float,
    out: np.ndarray,
) -> int:
    """Keep the candidates within reach of the line through an origin."""
    u, v, w = direction[0], direction[1], direction[2]
    square = u * u + v * v + w * w
    kept = 0
    for n in range(count):
        j = chosen[n]
        dx = positions[0, j] - origin[0]
        dy = positions[1, j] - origin[1]
        dz = positions[2, j] - origin[2]
        along = (dx * u + dy * v + dz * w) / square
        dx, dy, dz = dx - along * u, dy - along * v, dz - along * w
        out[kept] = j
        kept += 1 if dx * dx + dy * dy + dz * dz < reach * reach else 0
    return kept


@numba.njit(**FAST)
def near_stretch(
    chosen: np.ndarray,
    count: int,
    positions: np.ndarray,
    start: np.ndarray,
    step: np.ndarray,
    points: int,
    reach: float,
    out: np.ndarray,
) -> int:
    """Keep the candidates within reach of a stretch of points."""
    u, v, w = step[0], step[1], step[2]
    square = u * u + v * v + w * w
    kept = 0
    for n in range(count):
        j = chosen[n]
        dx, dy = positions[0, j] - start[0], positions[1, j] - start[1]
        dz = positions[2, j] - start[2]
        along = min(max((dx * u + dy * v + dz * w) / square, 0.0), points - 1.0)
        dx, dy, dz = dx - along * u, dy - along * v, dz - along * w
        out[kept] = j
        kept += 1 if dx * dx + dy * dy + dz * dz < reach * reach else 0
    return kept
