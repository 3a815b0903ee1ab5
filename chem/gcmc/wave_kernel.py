"""Guest with guest in reciprocal space: structure factors and what a move changes.

With S(k) of all guests, the energy is ``1/2 sum_k green |S|^2``, and replacing one guest's
part o(k) by n(k) changes it by ``sum_k green (Re(S* (n - o)) + 1/2 |n - o|^2)``.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.gcmc.layout import Box, Scratch, Waves
from chem.kernel_options import FAST


@numba.njit(**FAST)
def _fill_phases(
    centre: np.ndarray, offset: np.ndarray, box: Box, limits: np.ndarray, phases: np.ndarray
) -> None:
    """Write exp(2 pi i l f) of one site, l = -limit..limit, into phases[axis, :, :]."""
    inverse = box.inverse
    for axis in range(3):
        f = centre[axis]
        for k in range(3):
            f += offset[k] * inverse[k, axis]
        limit = limits[axis]
        angle = 2.0 * math.pi * f
        step_re, step_im = math.cos(angle), math.sin(angle)
        re, im = 1.0, 0.0
        for power in range(limit + 1):
            phases[axis, 0, limit + power] = re
            phases[axis, 1, limit + power] = im
            phases[axis, 0, limit - power] = re
            phases[axis, 1, limit - power] = -im
            re, im = re * step_re - im * step_im, re * step_im + im * step_re
        phases[axis, 1, limit] = 0.0


@numba.njit(**FAST)
def structure_factors(
    centre: np.ndarray,
    offsets: np.ndarray,
    box: Box,
    waves: Waves,
    scratch: Scratch,
    out: np.ndarray,
) -> None:
    """Write S(k) = sum_s q_s exp(i k r_s) of one guest.

    The inner loop runs over all rows that share an l: long, and free of look-ups.

    Args:
        centre: (3,) fractional centre in the box.
        offsets: (m, 3) sites from the centre, angstrom.
        box: the simulation box.
        waves: which k.
        scratch: work space.
        out: (2, waves) real and imaginary part.
    """
    limits, charges, rows, columns = waves.limits, waves.charges, waves.rows, waves.columns
    phases, products_re, products_im = scratch.phases, scratch.rows[0], scratch.rows[1]
    out[:] = 0.0
    for site in range(charges.shape[0]):
        q = charges[site]
        if q == 0.0:
            continue
        _fill_phases(centre, offsets[site], box, limits, phases)
        for row in range(rows.shape[0]):
            h, k = limits[0] + rows[row, 0], limits[1] + rows[row, 1]
            a_re, a_im = q * phases[0, 0, h], q * phases[0, 1, h]
            b_re, b_im = phases[1, 0, k], phases[1, 1, k]
            products_re[row] = a_re * b_re - a_im * b_im
            products_im[row] = a_re * b_im + a_im * b_re
        for column in range(columns.shape[0]):
            start, count = columns[column, 0], columns[column, 1]
            c_re, c_im = phases[2, 0, column], phases[2, 1, column]
            sum_re, sum_im = out[0, start : start + count], out[1, start : start + count]
            for row in range(count):
                sum_re[row] += products_re[row] * c_re - products_im[row] * c_im
                sum_im[row] += products_re[row] * c_im + products_im[row] * c_re


@numba.njit(**FAST)
def wave_change(
    green: np.ndarray, total: np.ndarray, old: np.ndarray, new: np.ndarray
) -> tuple[float, float]:
    """Return the change of ``1/2 sum green |S|^2`` of all guests, and of the one alone.

    Args:
        green: (k,) in kJ/(mol e^2).
        total: (2, k) structure factors before the move.
        old: (2, k) the guest's part before, zero for an insertion.
        new: (2, k) the guest's part after, zero for a deletion.
    """
    every, own = 0.0, 0.0
    for k in range(green.shape[0]):
        d_re, d_im = new[0, k] - old[0, k], new[1, k] - old[1, k]
        cross = total[0, k] * d_re + total[1, k] * d_im
        every += green[k] * (cross + 0.5 * (d_re * d_re + d_im * d_im))
        after = new[0, k] * new[0, k] + new[1, k] * new[1, k]
        before = old[0, k] * old[0, k] + old[1, k] * old[1, k]
        own += 0.5 * green[k] * (after - before)
    return every, own


@numba.njit(**FAST)
def wave_energy(green: np.ndarray, factors: np.ndarray) -> float:
    """Return ``1/2 sum green |S|^2`` in kJ/mol."""
    energy = 0.0
    for k in range(green.shape[0]):
        energy += 0.5 * green[k] * (factors[0, k] ** 2 + factors[1, k] ** 2)
    return energy
