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

import numba
import numpy as np

from chem.kernel_options import FAST

TAPS = 14
PAD_BEFORE, PAD_AFTER = 1, 3


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


@numba.njit(**FAST)
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


@numba.njit(**FAST)
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


@numba.njit(**FAST)
def spline_coefficients(values: np.ndarray, taps: np.ndarray, padded: np.ndarray) -> None:
    """Fill the periodically padded coefficients of one grid; the values are overwritten.

    Args:
        values: (na, nb, nc) float32.
        taps: `filter_taps`.
        padded: (na + 4, nb + 4, nc + 4) float32 output.
    """
    na, nb, nc = values.shape
    flat = values.reshape(-1)
    for row in range(na * nb):
        _filter_row(flat, row * nc, nc, taps)
    _filter_slabs(flat, na, nb * nc, nb, nc, nc, taps)
    _filter_slabs(flat, nb, nc, na, nb * nc, nc, taps)
    for i in range(padded.shape[0]):
        from_i = (i - PAD_BEFORE) % na
        for j in range(padded.shape[1]):
            from_j = (j - PAD_BEFORE) % nb
            for k in range(nc):
                padded[i, j, k + PAD_BEFORE] = values[from_i, from_j, k]
            for k in range(PAD_BEFORE):
                padded[i, j, k] = values[from_i, from_j, (k - PAD_BEFORE) % nc]
            for k in range(nc + PAD_BEFORE, padded.shape[2]):
                padded[i, j, k] = values[from_i, from_j, (k - PAD_BEFORE) % nc]


@numba.njit(**FAST)
def _filter_row(flat: np.ndarray, start: int, count: int, taps: np.ndarray) -> None:
    """Filter one contiguous row in place."""
    line = np.empty(count + 2 * TAPS, dtype=np.float32)
    for k in range(count + 2 * TAPS):
        line[k] = flat[start + (k - TAPS) % count]
    for k in range(count):
        total = taps[0] * line[k + TAPS]
        for m in range(1, TAPS + 1):
            total += taps[m] * (line[k + TAPS - m] + line[k + TAPS + m])
        flat[start + k] = total


@numba.njit(**FAST)
def _filter_slabs(
    flat: np.ndarray,
    count: int,
    stride: int,
    slabs: int,
    slab_stride: int,
    width: int,
    taps: np.ndarray,
) -> None:
    """Filter in place along an axis of ``count`` rows, rows and slabs at the given strides."""
    padded = np.empty((count + 2 * TAPS, width), dtype=np.float32)
    for slab in range(slabs):
        for i in range(count + 2 * TAPS):
            source = slab * slab_stride + (i - TAPS) % count * stride
            for k in range(width):
                padded[i, k] = flat[source + k]
        for i in range(count):
            target = slab * slab_stride + i * stride
            for k in range(width):
                total = taps[0] * padded[i + TAPS, k]
                for m in range(1, TAPS + 1):
                    total += taps[m] * (padded[i + TAPS - m, k] + padded[i + TAPS + m, k])
                flat[target + k] = total
