"""Compiled sums over near host atoms, for the points of a regular grid.

The grid is walked in short stretches along the last axis: r^2 to an atom is a quadratic in the
point's number, so a stretch is one vector loop without any look-up. Candidate atoms are
narrowed from plane to row to stretch. Arithmetic is double, results are stored in single.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from chem.grids.candidates import near_line, near_plane, near_stretch
from chem.grids.radial import CAP_ORDER, SCREENING_ORDER, TAYLOR_ORDER
from chem.kernel_options import FAST, FAST_INLINED
from chem.kernels import lennard_jones

STRETCH = 16
CLOSEST2_ANGSTROM2 = 1e-4


class Images(NamedTuple):
    """Host images near the cell.

    Attributes:
        positions: (3, k) Cartesian, angstrom.
        types: (k,) Lennard-Jones type of each.
        charges: (k,) charges times the Coulomb constant, kJ angstrom/(mol e).
    """

    positions: np.ndarray
    types: np.ndarray
    charges: np.ndarray


class NearTerms(NamedTuple):
    """What the near parts are made of.

    Attributes:
        four_epsilon, sigma2, shift, slope, polynomial, quantum: as in
            `chem.grids.radial.PairSplit`.
        split2: square of its split distance.
        screening: `chem.grids.radial.screening_series`, for the potential.
        reach2: square of where that ends.
        cap: `chem.grids.radial.cap_series`.
        cap2: square of where it begins.
    """

    four_epsilon: np.ndarray
    sigma2: np.ndarray
    shift: np.ndarray
    slope: np.ndarray
    polynomial: np.ndarray
    quantum: float
    split2: float
    screening: np.ndarray
    reach2: float
    cap: np.ndarray
    cap2: float


@numba.njit(**FAST)
def sample_pair(
    r2: np.ndarray,
    four_epsilon: float,
    sigma2: float,
    shift: float,
    slope: float,
    quantum: float,
) -> np.ndarray:
    """Return pair energies in kJ/mol at (n,) squared distances."""
    energies = np.empty(r2.shape[0])
    for i in range(r2.shape[0]):
        energies[i] = lennard_jones(r2[i], four_epsilon, sigma2, shift, slope, quantum)[0]
    return energies


@numba.njit(**FAST)
def add_near(
    first: int,
    last: int,
    lattice: np.ndarray,
    images: Images,
    terms: NearTerms,
    wanted: np.ndarray,
    energies: np.ndarray,
    potential: np.ndarray,
) -> None:
    """Add the near sums at the grid points of planes first..last of the first axis.

    Args:
        first: first plane.
        last: one past the last plane.
        lattice: (3, 3) cell vectors as rows, angstrom.
        images: every host image within reach of the cell.
        terms: the pair terms.
        wanted: (na, nb, nc) uint8, points to compute: stretches with none are left out.
            Empty for all points.
        energies: (kinds, na, nb, nc) float32, added to; no kinds for none.
        potential: (na, nb, nc) float32, added to; empty for none.
    """
    kinds, na, nb, nc = energies.shape
    # Members are taken out of the tuples once: in the loops they would cost a count each time.
    positions, types, charges = images.positions, images.types, images.charges
    lj = (terms.four_epsilon, terms.sigma2, terms.shift, terms.slope, terms.polynomial)
    quantum, split2, has_potential = terms.quantum, terms.split2, potential.shape[0] > 0
    screening, reach2, cap, cap2 = terms.screening, terms.reach2, terms.cap, terms.cap2
    reach = math.sqrt(max(split2, reach2))
    every, in_plane, in_row, near = _scratch(types.shape[0])
    zero, plane, row = np.zeros(3), np.zeros(3), np.zeros(3)
    start, step = np.zeros(3), np.zeros(3)
    _shifted(zero, lattice[2], 1.0 / nc, step)
    r2, volts, sums = np.empty(STRETCH), np.zeros(STRETCH), np.zeros((kinds, STRETCH))
    for i in range(first, last):
        _shifted(zero, lattice[0], i / na, plane)
        n_plane = near_plane(every, len(every), positions, plane, lattice, reach, in_plane)
        for j in range(nb):
            _shifted(plane, lattice[1], j / nb, row)
            n_row = near_line(in_plane, n_plane, positions, row, lattice[2], reach, in_row)
            for begin in range(0, nc, STRETCH):
                if not _any_wanted(wanted, i, j, begin):
                    continue
                _shifted(row, step, begin, start)
                n_near = near_stretch(in_row, n_row, positions, start, step, STRETCH, reach, near)
                for k in range(STRETCH):
                    volts[k] = 0.0
                    for kind in range(kinds):
                        sums[kind, k] = 0.0
                for n in range(n_near):
                    atom = near[n]
                    _distances(positions, atom, start, step, r2)
                    _add_pairs(r2, types[atom], lj, quantum, split2, sums)
                    if has_potential and charges[atom] != 0.0:
                        _add_charge(r2, charges[atom], screening, reach2, cap, cap2, volts)
                _store(sums, volts, i, j, begin, energies, potential)


@numba.njit(**FAST)
def _scratch(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Room for four lists of candidates, the first one of all."""
    every = np.empty(count, dtype=np.int64)
    for n in range(count):
        every[n] = n
    return every, np.empty_like(every), np.empty_like(every), np.empty_like(every)


@numba.njit(**FAST)
def _shifted(origin: np.ndarray, direction: np.ndarray, factor: float, out: np.ndarray) -> None:
    """Fill origin + factor direction."""
    for axis in range(3):
        out[axis] = origin[axis] + factor * direction[axis]


@numba.njit(**FAST_INLINED)
def _any_wanted(wanted: np.ndarray, i: int, j: int, begin: int) -> bool:
    """Whether any point of a stretch is to be computed."""
    if wanted.shape[0] == 0:
        return True
    found = False
    for k in range(begin, min(begin + STRETCH, wanted.shape[2])):
        found = found or wanted[i, j, k] != 0
    return found


@numba.njit(**FAST_INLINED)
def _store(
    sums: np.ndarray,
    volts: np.ndarray,
    i: int,
    j: int,
    begin: int,
    energies: np.ndarray,
    potential: np.ndarray,
) -> None:
    """Add the sums of a stretch to the grids."""
    for k in range(begin, min(begin + STRETCH, energies.shape[3])):
        for kind in range(energies.shape[0]):
            energies[kind, i, j, k] += sums[kind, k - begin]
        if potential.shape[0] > 0:
            potential[i, j, k] += volts[k - begin]


@numba.njit(**FAST_INLINED)
def _distances(
    positions: np.ndarray, atom: int, start: np.ndarray, step: np.ndarray, r2: np.ndarray
) -> None:
    """Squared distances of an atom from the points of a stretch."""
    dx = start[0] - positions[0, atom]
    dy = start[1] - positions[1, atom]
    dz = start[2] - positions[2, atom]
    zero = dx * dx + dy * dy + dz * dz
    linear = 2.0 * (dx * step[0] + dy * step[1] + dz * step[2])
    square = step[0] * step[0] + step[1] * step[1] + step[2] * step[2]
    for i in range(STRETCH):
        r2[i] = max(zero + i * (linear + i * square), CLOSEST2_ANGSTROM2)


@numba.njit(**FAST_INLINED)
def _add_pairs(
    r2: np.ndarray,
    sort: int,
    lj: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    quantum: float,
    split2: float,
    sums: np.ndarray,
) -> None:
    """Add one atom's near Lennard-Jones energies, for every kind, to a stretch."""
    scale = 1.0 / split2
    for kind in range(sums.shape[0]):
        epsilon, sigma2, shift = lj[0][kind, sort], lj[1][kind, sort], lj[2][kind, sort]
        slope, p = lj[3][kind, sort], lj[4]
        if epsilon == 0.0:
            continue
        # Two loops, so that the common one is compiled without the rarer terms.
        if quantum == 0.0 and slope == 0.0:
            for i in range(STRETCH):
                u = lennard_jones(r2[i], epsilon, sigma2, shift, 0.0, 0.0)[0]
                t = r2[i] * scale
                far = p[kind, sort, TAYLOR_ORDER]
                for power in range(TAYLOR_ORDER - 1, -1, -1):
                    far = far * t + p[kind, sort, power]
                sums[kind, i] += (u - far) if r2[i] < split2 else 0.0
        else:
            for i in range(STRETCH):
                u = lennard_jones(r2[i], epsilon, sigma2, shift, slope, quantum)[0]
                t = r2[i] * scale
                far = p[kind, sort, TAYLOR_ORDER]
                for power in range(TAYLOR_ORDER - 1, -1, -1):
                    far = far * t + p[kind, sort, power]
                sums[kind, i] += (u - far) if r2[i] < split2 else 0.0


@numba.njit(**FAST_INLINED)
def _add_charge(
    r2: np.ndarray,
    charge: float,
    screening: np.ndarray,
    reach2: float,
    cap: np.ndarray,
    cap2: float,
    volts: np.ndarray,
) -> None:
    """Add one atom's near potential to a stretch; 1/r ends smoothly inside the cap."""
    scale, capped = 1.0 / reach2, 0
    for i in range(STRETCH):
        t = r2[i] * scale
        smooth = screening[SCREENING_ORDER]
        for power in range(SCREENING_ORDER - 1, -1, -1):
            smooth = smooth * t + screening[power]
        near = charge * (1.0 / math.sqrt(r2[i]) - smooth)
        volts[i] += near if r2[i] < reach2 else 0.0
        capped += 1 if r2[i] < cap2 else 0
    if capped > 0:
        for i in range(STRETCH):
            t = r2[i] / cap2 - 1.0
            end = cap[CAP_ORDER]
            for power in range(CAP_ORDER - 1, -1, -1):
                end = end * t + cap[power]
            change = charge * (end - 1.0 / math.sqrt(r2[i]))
            volts[i] += change if r2[i] < cap2 else 0.0
