"""Guest with guest in reciprocal space: structure factors and what a move changes.

With S(k) of all guests, the energy is ``1/2 sum_k green |S|^2``, and replacing one guest's
part o(k) by n(k) changes it by ``sum_k green (Re(S* (n - o)) + 1/2 |n - o|^2)``.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.gcmc.layout import OPTIONS, Box, Waves


@numba.njit(**OPTIONS)
def _fill_phases(
    centre: np.ndarray, offset: np.ndarray, box: Box, limits: np.ndarray, phases: np.ndarray
) -> None:
    """Write exp(2 pi i l f) of one site, l = -limit..limit, into phases[axis, :, :]."""
    for axis in range(3):
        f = centre[axis]
        for k in range(3):
            f += offset[k] * box.inverse[k, axis]
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


@numba.njit(**OPTIONS)
def structure_factors(
    centre: np.ndarray,
    offsets: np.ndarray,
    box: Box,
    waves: Waves,
    phases: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write S(k) = sum_s q_s exp(i k r_s) of one guest.

    Args:
        centre: (3,) fractional centre in the box.
        offsets: (m, 3) sites from the centre, angstrom.
        box: the simulation box.
        waves: which k.
        phases: (m, 3, 2, width) work space.
        out: (2, k) real and imaginary part.
    """
    limits = waves.limits
    out[:] = 0.0
    for site in range(offsets.shape[0]):
        if waves.charges[site] != 0.0:
            _fill_phases(centre, offsets[site], box, limits, phases[site])
    for row in range(waves.rows.shape[0]):
        h, k = limits[0] + waves.rows[row, 0], limits[1] + waves.rows[row, 1]
        first, start = limits[2] + waves.rows[row, 2], waves.rows[row, 3]
        for site in range(offsets.shape[0]):
            q = waves.charges[site]
            if q == 0.0:
                continue
            a_re, a_im = q * phases[site, 0, 0, h], q * phases[site, 0, 1, h]
            b_re, b_im = phases[site, 1, 0, k], phases[site, 1, 1, k]
            p_re, p_im = a_re * b_re - a_im * b_im, a_re * b_im + a_im * b_re
            for step in range(waves.row_lengths[row]):
                c_re = phases[site, 2, 0, first + step]
                c_im = phases[site, 2, 1, first + step]
                out[0, start + step] += p_re * c_re - p_im * c_im
                out[1, start + step] += p_re * c_im + p_im * c_re


@numba.njit(**OPTIONS)
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


@numba.njit(**OPTIONS)
def wave_energy(green: np.ndarray, factors: np.ndarray) -> float:
    """Return ``1/2 sum green |S|^2`` in kJ/mol."""
    energy = 0.0
    for k in range(green.shape[0]):
        energy += 0.5 * green[k] * (factors[0, k] ** 2 + factors[1, k] ** 2)
    return energy
