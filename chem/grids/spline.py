"""From energies on a grid to the coefficients of a cubic B-spline.

What is splined is s = (1 + (U - floor)/scale)^(-1/POWER), which is bounded and smooth from the
wells to the nuclei, where the energy itself grows as r^-12: no cap is needed and nothing rings.

The filter is that of cubic spline interpolation [1], times (1 + d4/720) along each axis, d4
the fourth difference. A cubic spline through the points misses the mean over a cell by
h^4/720 times the fourth derivative [2]; the second factor takes this out, so that the error
that is left changes sign within every cell and averages out of a Boltzmann average.

References:
    [1] Unser, IEEE Signal Process. Mag. 16 (1999) 22.
    [2] Blu, Unser, IEEE Trans. Signal Process. 47 (1999) 2783.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

TAPS = 16
PAD_BEFORE, PAD_AFTER = 1, 3
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
}


def filter_taps() -> np.ndarray:
    """Return (TAPS + 1,) float32 taps of the symmetric filter, the middle one first.

    The interpolating filter has the impulse response sqrt(3) z^|n| with z = sqrt(3) - 2; cut at
    TAPS it is exact to single precision.
    """
    pole = math.sqrt(3.0) - 2.0
    reach = TAPS + 2
    response = math.sqrt(3.0) * pole ** np.abs(np.arange(-reach, reach + 1))
    fourth = np.array([1.0, -4.0, 6.0, -4.0, 1.0]) / 720.0
    fourth[2] += 1.0
    full = np.convolve(response, fourth, mode="valid")
    return full[len(full) // 2 :].astype(np.float32)


@numba.njit(**_OPTIONS)
def bend(
    energies: np.ndarray,
    potential: np.ndarray,
    charge: float,
    floor: float,
    scale: float,
    out: np.ndarray,
) -> None:
    """Fill s from Lennard-Jones energies plus charge times potential, flat float32 arrays."""
    inverse = 1.0 / scale
    charged = potential.shape[0] > 0 and charge != 0.0
    for i in range(energies.shape[0]):
        energy = float(energies[i])
        if charged:
            energy += charge * potential[i]
        x = max((energy - floor) * inverse, 0.0)
        out[i] = 1.0 / math.sqrt(math.sqrt(1.0 + x))


@numba.njit(**_OPTIONS)
def lowest(
    energies: np.ndarray, potential: np.ndarray, charge: float, states: np.ndarray, blocked: int
) -> float:
    """Return the lowest energy over the points that are not wholly in a core."""
    least = np.inf
    charged = potential.shape[0] > 0 and charge != 0.0
    for i in range(energies.shape[0]):
        energy = float(energies[i])
        if charged:
            energy += charge * potential[i]
        least = min(least, energy if states[i] != blocked else np.inf)
    return least


@numba.njit(**_OPTIONS)
def _filter_lines(padded: np.ndarray, taps: np.ndarray, out: np.ndarray) -> None:
    """Filter (n + 2 TAPS, w) along the first axis into (n, w)."""
    width = out.shape[1]
    for i in range(out.shape[0]):
        for k in range(width):
            out[i, k] = taps[0] * padded[i + TAPS, k]
        for m in range(1, TAPS + 1):
            tap = taps[m]
            before, after = padded[i + TAPS - m], padded[i + TAPS + m]
            for k in range(width):
                out[i, k] += tap * (before[k] + after[k])


@numba.njit(**_OPTIONS)
def _filter_row(padded: np.ndarray, taps: np.ndarray, out: np.ndarray) -> None:
    """Filter (n + 2 TAPS,) into (n,)."""
    count = out.shape[0]
    for k in range(count):
        out[k] = taps[0] * padded[k + TAPS]
    for m in range(1, TAPS + 1):
        tap = taps[m]
        for k in range(count):
            out[k] += tap * (padded[k + TAPS - m] + padded[k + TAPS + m])


@numba.njit(**_OPTIONS)
def spline_coefficients(values: np.ndarray, taps: np.ndarray, padded: np.ndarray) -> None:
    """Fill the periodically padded coefficients of one grid; the values are overwritten.

    Args:
        values: (na, nb, nc) float32.
        taps: `filter_taps`.
        padded: (na + 4, nb + 4, at least nc + 4) float32 output.
    """
    na, nb, nc = values.shape
    line = np.empty(nc + 2 * TAPS, dtype=np.float32)
    plane = np.empty((nb + 2 * TAPS, nc), dtype=np.float32)
    for i in range(na):
        for j in range(nb):
            for k in range(nc + 2 * TAPS):
                line[k] = values[i, j, (k - TAPS) % nc]
            _filter_row(line, taps, values[i, j])
        for j in range(nb + 2 * TAPS):
            plane[j] = values[i, (j - TAPS) % nb]
        _filter_lines(plane, taps, values[i])
    slab = np.empty((na + 2 * TAPS, nc), dtype=np.float32)
    done = np.empty((na, nc), dtype=np.float32)
    for j in range(nb):
        for i in range(na + 2 * TAPS):
            slab[i] = values[(i - TAPS) % na, j]
        _filter_lines(slab, taps, done)
        for i in range(na):
            padded[i + PAD_BEFORE, j + PAD_BEFORE, PAD_BEFORE : nc + PAD_BEFORE] = done[i]
    _wrap_pads(padded, na, nb, nc)


@numba.njit(**_OPTIONS)
def _wrap_pads(padded: np.ndarray, na: int, nb: int, nc: int) -> None:
    """Copy the periodic images around the filled inner block."""
    for i in range(na + 4):
        source_i = (i - PAD_BEFORE) % na + PAD_BEFORE
        for j in range(nb + 4):
            source_j = (j - PAD_BEFORE) % nb + PAD_BEFORE
            if source_i != i or source_j != j:
                padded[i, j, PAD_BEFORE : nc + PAD_BEFORE] = padded[
                    source_i, source_j, PAD_BEFORE : nc + PAD_BEFORE
                ]
            for k in range(nc + PAD_BEFORE, padded.shape[2]):
                padded[i, j, k] = padded[i, j, (k - PAD_BEFORE) % nc + PAD_BEFORE]
            padded[i, j, 0] = padded[i, j, nc]
