"""Compiled kernels of the classical interaction energy: the one place its physics is written.

Energies and forces come from the same pair functions. The kernel called with ``forces=None``
compiles to the energy alone; called with an array it fills that array too. It runs on one
thread, releases the GIL and shares no state, so batches may run side by side. The relaxed
floating-point flags let sums be vectorised, in an order fixed when the kernel is compiled,
and leave infinities alone; one insertion gets the same bits in any batch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from chem.kernel_options import FAST, FAST_INLINED

SCREENING_DEGREE = 20  # a constant here, so that the loop over powers unrolls and vectorises


class Cores(NamedTuple):
    """Hard cores: radii_angstrom (m, types), and the neighbour list of what lies near."""

    radii_angstrom: np.ndarray
    starts: np.ndarray
    positions: np.ndarray


class Pairs(NamedTuple):
    """Lennard-Jones terms (m, types), and the neighbour list.

    Four times epsilon and the shift are in kJ/mol, sigma2 in square angstrom, the slope
    (zero unless the force is shifted too) in kJ/(mol angstrom); quantum is Q of
    `chem.pair_potential` in square angstrom, zero for a classical guest.
    """

    four_epsilon: np.ndarray
    sigma2: np.ndarray
    shift: np.ndarray
    slope: np.ndarray
    quantum: float
    cutoff2: float
    starts: np.ndarray
    positions: np.ndarray


class Charges(NamedTuple):
    """The Coulomb part: charges, and the fields of `chem.ewald.EwaldTable`.

    Guest charges (m,) are in e, and zero where there is no Coulomb part; host charges, one
    for each entry of the neighbour list, come multiplied by the Coulomb constant.
    """

    guest: np.ndarray
    host: np.ndarray
    screening: np.ndarray
    limits: np.ndarray
    rows: np.ndarray
    row_lengths: np.ndarray
    coefficients: np.ndarray


@numba.njit(**FAST_INLINED)
def lennard_jones(
    r2: float, four_epsilon: float, sigma2: float, shift: float, slope: float, quantum: float
) -> tuple[float, float]:
    """Return u and du/d(r^2) of w(r) - shift - slope r, the potential of every pair.

    w = v + Q (v'' + 2 v'/r) with v = 4 eps ((s/r)^12 - (s/r)^6); Q is zero for a classical
    guest, see `chem.pair_potential`.
    """
    inverse = 1.0 / r2
    attraction = sigma2 * inverse
    attraction = attraction * attraction * attraction
    repulsion = attraction * attraction
    energy = four_epsilon * (repulsion - attraction) - shift
    derivative = four_epsilon * (3.0 * attraction - 6.0 * repulsion) * inverse
    if quantum != 0.0:
        spread = four_epsilon * quantum * inverse
        energy += spread * (132.0 * repulsion - 30.0 * attraction)
        derivative += spread * inverse * (120.0 * attraction - 924.0 * repulsion)
    if slope != 0.0:
        distance = math.sqrt(r2)
        energy -= slope * distance
        derivative -= 0.5 * slope / distance
    return energy, derivative


@numba.njit(**FAST_INLINED)
def screened_coulomb(
    r2: float, twice_over_cutoff2: float, screening: np.ndarray
) -> tuple[float, float]:
    """Return erfc(alpha r)/r and its derivative by r^2, see `chem.ewald.screening_polynomial`."""
    inverse = 1.0 / math.sqrt(r2)
    t = r2 * twice_over_cutoff2 - 1.0
    smooth = screening[SCREENING_DEGREE]
    slope = 0.0
    for power in range(SCREENING_DEGREE - 1, -1, -1):
        slope = slope * t + smooth
        smooth = smooth * t + screening[power]
    derivative = -0.5 * inverse * inverse * inverse - slope * twice_over_cutoff2
    return inverse - smooth, derivative


@numba.njit(**FAST_INLINED)
def _overlaps(point: np.ndarray, site: int, here: int, cores: Cores) -> bool:
    """Whether any host image lies within the core radius of a guest site."""
    positions = cores.positions
    for kind in range(cores.radii_angstrom.shape[1]):
        radius = cores.radii_angstrom[site, kind]
        closest = np.inf
        for j in range(cores.starts[here, kind], cores.starts[here, kind + 1]):
            dx = point[0] - positions[0, j]
            dy = point[1] - positions[1, j]
            dz = point[2] - positions[2, j]
            closest = min(closest, dx * dx + dy * dy + dz * dz)
        if closest < radius * radius:
            return True
    return False


@numba.njit(**FAST_INLINED)
def _lennard_jones_run(
    point: np.ndarray,
    site: int,
    kind: int,
    here: int,
    pairs: Pairs,
    slope: float,
    quantum: float,
) -> tuple[float, float, float, float]:
    """Sum one stretch of like host atoms: energy, and force on the site."""
    positions, cutoff2 = pairs.positions, pairs.cutoff2
    four_epsilon, sigma2 = pairs.four_epsilon[site, kind], pairs.sigma2[site, kind]
    shift = pairs.shift[site, kind]
    x, y, z = point[0], point[1], point[2]
    energy, fx, fy, fz = 0.0, 0.0, 0.0, 0.0
    for j in range(pairs.starts[here, kind], pairs.starts[here, kind + 1]):
        dx, dy, dz = x - positions[0, j], y - positions[1, j], z - positions[2, j]
        r2 = dx * dx + dy * dy + dz * dz
        u, derivative = lennard_jones(r2, four_epsilon, sigma2, shift, slope, quantum)
        inside = r2 < cutoff2
        energy += u if inside else 0.0
        push = -2.0 * derivative if inside else 0.0
        fx += push * dx
        fy += push * dy
        fz += push * dz
    return energy, fx, fy, fz


@numba.njit(**FAST_INLINED)
def _screened_run(
    point: np.ndarray, here: int, pairs: Pairs, charges: Charges
) -> tuple[float, float, float, float]:
    """Sum the real part of the potential over a bin: potential and its negative gradient."""
    positions, cutoff2 = pairs.positions, pairs.cutoff2
    host, screening = charges.host, charges.screening
    scale = 2.0 / cutoff2
    x, y, z = point[0], point[1], point[2]
    potential, fx, fy, fz = 0.0, 0.0, 0.0, 0.0
    for j in range(pairs.starts[here, 0], pairs.starts[here, pairs.starts.shape[1] - 1]):
        dx, dy, dz = x - positions[0, j], y - positions[1, j], z - positions[2, j]
        r2 = dx * dx + dy * dy + dz * dz
        u, slope = screened_coulomb(r2, scale, screening)
        inside = r2 < cutoff2
        potential += host[j] * u if inside else 0.0
        push = -2.0 * host[j] * slope if inside else 0.0
        fx += push * dx
        fy += push * dy
        fz += push * dz
    return potential, fx, fy, fz


@numba.njit(**FAST_INLINED)
def _fill_waves(waves: np.ndarray, fractional: np.ndarray, limits: np.ndarray) -> None:
    """Write exp(2 pi i l f) for l = -limit..limit into waves[:, axis, :2 limit + 1]."""
    for axis in range(3):
        limit = limits[axis]
        angle = 2.0 * math.pi * fractional[axis]
        step_re, step_im = math.cos(angle), math.sin(angle)
        re, im = 1.0, 0.0
        for power in range(limit + 1):
            waves[0, axis, limit + power] = re
            waves[1, axis, limit + power] = im
            waves[0, axis, limit - power] = re
            waves[1, axis, limit - power] = -im
            re, im = re * step_re - im * step_im, re * step_im + im * step_re
        waves[1, axis, limit] = 0.0


@numba.njit(**FAST_INLINED)
def _smooth_potential(waves: np.ndarray, charges: Charges) -> tuple[float, float, float, float]:
    """Sum the reciprocal part: potential and its gradient by fractional position."""
    limits, rows, coefficients = charges.limits, charges.rows, charges.coefficients
    potential, ga, gb, gc = 0.0, 0.0, 0.0, 0.0
    for row in range(rows.shape[0]):
        h, k, first, start = rows[row, 0], rows[row, 1], rows[row, 2], rows[row, 3]
        sum_re, sum_im, slope_re, slope_im = 0.0, 0.0, 0.0, 0.0
        base = limits[2] + first
        for step in range(charges.row_lengths[row]):
            c_re, c_im = coefficients[0, start + step], coefficients[1, start + step]
            w_re, w_im = waves[0, 2, base + step], waves[1, 2, base + step]
            re = c_re * w_re - c_im * w_im
            im = c_re * w_im + c_im * w_re
            sum_re += re
            sum_im += im
            slope_re += (first + step) * re
            slope_im += (first + step) * im
        a_re, a_im = waves[0, 0, limits[0] + h], waves[1, 0, limits[0] + h]
        b_re, b_im = waves[0, 1, limits[1] + k], waves[1, 1, limits[1] + k]
        p_re = a_re * b_re - a_im * b_im
        p_im = a_re * b_im + a_im * b_re
        potential += p_re * sum_re - p_im * sum_im
        imaginary = p_re * sum_im + p_im * sum_re
        ga -= h * imaginary
        gb -= k * imaginary
        gc -= p_re * slope_im + p_im * slope_re
    turn = 2.0 * math.pi
    return potential, turn * ga, turn * gb, turn * gc


@numba.njit(**FAST_INLINED)
def _site_energy(
    point: np.ndarray,
    fractional: np.ndarray,
    inverse: np.ndarray,
    site: int,
    here: int,
    pairs: Pairs,
    charges: Charges,
    waves: np.ndarray,
) -> tuple[float, float, float, float]:
    """Energy of one guest site with the whole host, and the force on it."""
    energy, fx, fy, fz = 0.0, 0.0, 0.0, 0.0
    for kind in range(pairs.four_epsilon.shape[1]):
        if pairs.four_epsilon[site, kind] != 0.0:
            slope, quantum = pairs.slope[site, kind], pairs.quantum
            if slope == 0.0 and quantum == 0.0:  # constants, so that the plain loop stays plain
                u, px, py, pz = _lennard_jones_run(point, site, kind, here, pairs, 0.0, 0.0)
            else:
                u, px, py, pz = _lennard_jones_run(point, site, kind, here, pairs, slope, quantum)
            energy += u
            fx, fy, fz = fx + px, fy + py, fz + pz
    q = charges.guest[site]
    if q != 0.0:
        near, px, py, pz = _screened_run(point, here, pairs, charges)
        _fill_waves(waves, fractional, charges.limits)
        far, ga, gb, gc = _smooth_potential(waves, charges)
        energy += q * (near + far)
        fx += q * (px - inverse[0, 0] * ga - inverse[0, 1] * gb - inverse[0, 2] * gc)
        fy += q * (py - inverse[1, 0] * ga - inverse[1, 1] * gb - inverse[1, 2] * gc)
        fz += q * (pz - inverse[2, 0] * ga - inverse[2, 1] * gb - inverse[2, 2] * gc)
    return energy, fx, fy, fz


@numba.njit(**FAST_INLINED)
def _clashes(points: np.ndarray, bin_indices: np.ndarray, cores: Cores) -> bool:
    """Whether any site of one insertion lies in a hard core."""
    for site in range(points.shape[0]):
        if _overlaps(points[site], site, bin_indices[site], cores):
            return True
    return False


@numba.njit(**FAST)
def interaction_energies(
    points: np.ndarray,
    fractional: np.ndarray,
    bin_indices: np.ndarray,
    inverse: np.ndarray,
    cores: Cores,
    pairs: Pairs,
    charges: Charges,
    energies: np.ndarray,
    forces: np.ndarray | None,
) -> None:
    """Fill the interaction energies of a batch of insertions, +inf where sites overlap.

    Args:
        points: (B, m, 3) Cartesian site positions, wrapped into the cell, angstrom.
        fractional: (B, m, 3) the same in fractional coordinates in [0, 1).
        bin_indices: (B, m) bin of each site in the neighbour lists.
        inverse: (3, 3) inverse of the matrix of cell vectors, per angstrom.
        cores: hard cores.
        pairs: Lennard-Jones terms and the neighbour list shared with the real part of Ewald.
        charges: the Coulomb part.
        energies: (B,) output, kJ/mol.
        forces: (B, m, 3) output on the sites, kJ/mol/angstrom, or None for energies alone.
    """
    limits = charges.limits
    waves = np.zeros((2, 3, 2 * max(limits[0], limits[1], limits[2]) + 1))
    for b in range(points.shape[0]):
        if _clashes(points[b], bin_indices[b], cores):
            energies[b] = np.inf
            if forces is not None:
                forces[b] = 0.0
            continue
        total = 0.0
        for s in range(points.shape[1]):
            u, fx, fy, fz = _site_energy(
                points[b, s],
                fractional[b, s],
                inverse,
                s,
                bin_indices[b, s],
                pairs,
                charges,
                waves,
            )
            total += u
            if forces is not None:
                forces[b, s, 0] = fx
                forces[b, s, 1] = fy
                forces[b, s, 2] = fz
        energies[b] = total
