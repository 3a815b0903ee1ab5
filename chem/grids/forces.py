"""Forces from the gradient of the splines."""

from __future__ import annotations

import numba
import numpy as np

from chem.grids.arrays import GridArrays
from chem.grids.lookup import _SMALLEST, _spline_weights, _wrap
from chem.grids.taps import weigh_taps
from chem.kernel_options import FAST, FAST_INLINED


@numba.njit(**FAST_INLINED)
def _slope_weights(t: float) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Return the derivatives of the four spline weights by t."""
    half, three_halves, two = np.float32(0.5), np.float32(1.5), np.float32(2.0)
    u = np.float32(t)
    v = np.float32(1.0) - u
    return (
        -half * v * v,
        u * (three_halves * u - two),
        v * (two - three_halves * v),
        half * u * u,
    )


@numba.njit(**FAST)
def site_forces(
    sites: np.ndarray, grids: GridArrays, energies: np.ndarray, forces: np.ndarray
) -> None:
    """Fill the forces on the sites of guests whose energies are known.

    Args:
        sites: (B, m, 3) fractional coordinates of the sites, any image.
        grids: the grids.
        energies: (B,) energies; where infinite, the forces are zero.
        forces: (B, m, 3) output, kJ/mol/angstrom.
    """
    coefficients, kinds, strides, dims = grids.coefficients, grids.kinds, grids.strides, grids.dims
    scales, inverse = grids.scales, grids.inverse
    for b in range(sites.shape[0]):
        for site in range(sites.shape[1]):
            if energies[b] == np.inf:
                forces[b, site] = 0.0
                continue
            kind = kinds[site]
            a, c = _wrap(sites[b, site, 0]) * dims[0], _wrap(sites[b, site, 2]) * dims[2]
            d = _wrap(sites[b, site, 1]) * dims[1]
            ia, ib, ic = np.int64(a), np.int64(d), np.int64(c)
            place = kind * strides[0] + ia * strides[1] + ib * strides[2] + ic
            wa, wb, wc = _spline_weights(a - ia), _spline_weights(d - ib), _spline_weights(c - ic)
            sa, sb, sc = _slope_weights(a - ia), _slope_weights(d - ib), _slope_weights(c - ic)
            rise = _rise(
                weigh_taps(coefficients, place, strides[1], strides[2], wa, wb, wc), scales[kind]
            )
            ga = (
                rise * dims[0] * weigh_taps(coefficients, place, strides[1], strides[2], sa, wb, wc)
            )
            gb = (
                rise * dims[1] * weigh_taps(coefficients, place, strides[1], strides[2], wa, sb, wc)
            )
            gc = (
                rise * dims[2] * weigh_taps(coefficients, place, strides[1], strides[2], wa, wb, sc)
            )
            for axis in range(3):
                forces[b, site, axis] = -(
                    inverse[axis, 0] * ga + inverse[axis, 1] * gb + inverse[axis, 2] * gc
                )


@numba.njit(**FAST_INLINED)
def _rise(value: np.float32, scale: float) -> float:
    """Derivative of the energy by the stored value."""
    s = float(max(value, _SMALLEST))
    square = s * s
    return -4.0 * scale / (square * square * s) if scale > 0.0 else 1.0
