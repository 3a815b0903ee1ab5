"""Guest with guest in real space: Lennard-Jones and the short-ranged half of Ewald."""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.gcmc.layout import Box, GuestPairs
from chem.kernel_options import FAST, FAST_INLINED
from chem.kernels import lennard_jones, screened_coulomb


@numba.njit(**FAST)
def gather(
    centre: np.ndarray,
    skip: int,
    count: int,
    centres: np.ndarray,
    offsets: np.ndarray,
    box: Box,
    separations: np.ndarray,
    near: np.ndarray,
) -> int:
    """Copy the site vectors, seen from a centre, of every guest image close to it.

    Args:
        centre: (3,) fractional position in the box.
        skip: index of the guest to leave out, or -1.
        count: number of guests.
        centres: (3, capacity) fractional centres.
        offsets: (m, 3, capacity) site offsets, angstrom.
        box: the simulation box.
        separations: (4, capacity) work space.
        near: (m, 3, entries) output, angstrom.

    Returns:
        How many images were copied.
    """
    h, shifts, reach2 = box.lattice, box.shifts, box.reach2
    found = 0
    for j in range(count):
        a = centres[0, j] - centre[0]
        b = centres[1, j] - centre[1]
        c = centres[2, j] - centre[2]
        a -= math.floor(a + 0.5)
        b -= math.floor(b + 0.5)
        c -= math.floor(c + 0.5)
        separations[0, j] = a * h[0, 0] + b * h[1, 0] + c * h[2, 0]
        separations[1, j] = a * h[0, 1] + b * h[1, 1] + c * h[2, 1]
        separations[2, j] = a * h[0, 2] + b * h[1, 2] + c * h[2, 2]
    for image in range(shifts.shape[0]):
        sx, sy, sz = shifts[image, 0], shifts[image, 1], shifts[image, 2]
        for j in range(count):
            x, y, z = separations[0, j] + sx, separations[1, j] + sy, separations[2, j] + sz
            separations[3, j] = x * x + y * y + z * z
        for j in range(count):
            if separations[3, j] < reach2 and j != skip:
                for site in range(offsets.shape[0]):
                    near[site, 0, found] = separations[0, j] + sx + offsets[site, 0, j]
                    near[site, 1, found] = separations[1, j] + sy + offsets[site, 1, j]
                    near[site, 2, found] = separations[2, j] + sz + offsets[site, 2, j]
                found += 1
    return found


@numba.njit(**FAST_INLINED)
def _lennard_jones_run(
    own: np.ndarray,
    others: np.ndarray,
    count: int,
    one: int,
    two: int,
    pairs: GuestPairs,
    slope: float,
    quantum: float,
) -> float:
    """Sum one site with like sites of all close guests; infinite where two overlap."""
    four_epsilon, sigma2 = pairs.four_epsilon[one, two], pairs.sigma2[one, two]
    shift, cutoff2 = pairs.shift[one, two], pairs.cutoff2
    x, y, z = own[0], own[1], own[2]
    energy, closest = 0.0, np.inf
    for j in range(count):
        dx, dy, dz = others[0, j] - x, others[1, j] - y, others[2, j] - z
        r2 = dx * dx + dy * dy + dz * dz
        u, _ = lennard_jones(r2, four_epsilon, sigma2, shift, slope, quantum)
        energy += u if r2 < cutoff2 else 0.0
        closest = min(closest, r2)
    return np.inf if closest < pairs.core2[one, two] else energy


@numba.njit(**FAST_INLINED)
def _screened_run(own: np.ndarray, others: np.ndarray, count: int, pairs: GuestPairs) -> float:
    """Sum erfc(alpha r)/r of one site with like sites of all close guests."""
    cutoff2, screening = pairs.cutoff2, pairs.screening
    scale = 2.0 / cutoff2
    x, y, z = own[0], own[1], own[2]
    potential = 0.0
    for j in range(count):
        dx, dy, dz = others[0, j] - x, others[1, j] - y, others[2, j] - z
        r2 = dx * dx + dy * dy + dz * dz
        u, _ = screened_coulomb(r2, scale, screening)
        potential += u if r2 < cutoff2 else 0.0
    return potential


@numba.njit(**FAST)
def _dispersion(offsets: np.ndarray, near: np.ndarray, count: int, pairs: GuestPairs) -> float:
    """Lennard-Jones energy of one guest with the close ones; infinite where they overlap."""
    energy = 0.0
    for one in range(offsets.shape[0]):
        for two in range(offsets.shape[0]):
            if pairs.four_epsilon[one, two] == 0.0:
                continue
            slope, quantum = pairs.slope[one, two], pairs.quantum
            if slope == 0.0 and quantum == 0.0:  # constants, so that the plain loop stays plain
                energy += _lennard_jones_run(
                    offsets[one], near[two], count, one, two, pairs, 0.0, 0.0
                )
            else:
                energy += _lennard_jones_run(
                    offsets[one], near[two], count, one, two, pairs, slope, quantum
                )
            if energy == np.inf:
                return energy
    return energy


@numba.njit(**FAST)
def pair_energy(offsets: np.ndarray, near: np.ndarray, count: int, pairs: GuestPairs) -> float:
    """Return the real-space energy of one guest with the close ones.

    Args:
        offsets: (m, 3) sites of the guest from its centre, angstrom.
        near: (m, 3, entries) what `gather` copied.
        count: how many entries.
        pairs: pair terms.

    Returns:
        Energy in kJ/mol; +inf where two sites overlap.
    """
    energy = _dispersion(offsets, near, count, pairs)
    if energy == np.inf:
        return energy
    for one in range(offsets.shape[0]):
        for two in range(offsets.shape[0]):
            product = pairs.coulomb[one, two]
            if product != 0.0:
                energy += product * _screened_run(offsets[one], near[two], count, pairs)
    return energy
