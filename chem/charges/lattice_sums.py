"""Sums over all periodic images between every pair of atoms, for charge equilibration.

The Coulomb part of the pair i, j is the Ewald sum [1] with a uniform neutralising background,
which makes it independent of the splitting parameter alpha::

    S_ij = sum_L erfc(alpha r) / r + (4 pi / V) sum_{k != 0} exp(-k^2 / 4 alpha^2) / k^2 cos(k.r_ij)
           - pi / (V alpha^2) - delta_ij 2 alpha / sqrt(pi),      r = |r_i - r_j + L|

and the damping of overlapping orbitals [2], which vanishes within a few angstrom, is added image
by image::

    O_ij = sum_L exp(-a^2 r^2) (2 a - a^2 r - 1 / r)

so that one image gives 1/r far away and 2 a at r = 0. The atom itself (i = j, L = 0) is left out.

References:
    [1] Ewald, Ann. Phys. 369 (1921) 253.
    [2] Wilmer, Kim, Snurr, J. Phys. Chem. Lett. 3 (2012) 2506, in the form of the authors'
        program.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.kernel_options import STRICT

PRECISION = 1e-12
"""Relative size of the terms left out of either half of the Ewald sum."""
CUTOFF_OVER_CELL_EDGE = 1.34
"""Real-space cutoff over the cube root of the volume: both halves then cost about the same."""
_OVERLAP_REACH = 5.6
"""exp(-x^2) is below 1e-13 beyond."""


def pair_sums(
    fractional: np.ndarray,
    lattice_angstrom: np.ndarray,
    inverse_widths_per_angstrom: np.ndarray | None = None,
    *,
    cutoff_over_edge: float = CUTOFF_OVER_CELL_EDGE,
) -> np.ndarray:
    """Return S_ij + O_ij of the module docstring for every pair of atoms.

    Args:
        fractional: (n, 3) fractional coordinates.
        lattice_angstrom: (3, 3) cell vectors as rows, angstrom; a compact basis is fastest.
        inverse_widths_per_angstrom: (n,) orbital parameters; a of a pair is their geometric mean.
            None leaves the overlap out (point charges).
        cutoff_over_edge: balance of the two halves; the sum does not depend on it.

    Returns:
        (n, n) symmetric, per angstrom.
    """
    volume = abs(float(np.linalg.det(lattice_angstrom)))
    cutoff = cutoff_over_edge * volume ** (1.0 / 3.0)
    decay = math.sqrt(-math.log(PRECISION))
    alpha = decay / cutoff
    roots = np.zeros(len(fractional))
    reach = cutoff
    if inverse_widths_per_angstrom is not None:
        roots = np.sqrt(inverse_widths_per_angstrom)
        reach = max(cutoff, _OVERLAP_REACH / float(inverse_widths_per_angstrom.min()))
    sums = _real_space(
        np.ascontiguousarray(fractional, dtype=np.float64),
        np.ascontiguousarray(lattice_angstrom, dtype=np.float64),
        _image_shifts(lattice_angstrom, reach),
        alpha,
        cutoff,
        roots,
    )
    sums += _reciprocal_space(fractional, lattice_angstrom, alpha, 2.0 * alpha * decay)
    sums -= math.pi / (volume * alpha**2)
    sums[np.diag_indices(len(sums))] -= 2.0 * alpha / math.sqrt(math.pi)
    return 0.5 * (sums + sums.T)


def _image_shifts(lattice: np.ndarray, reach: float) -> np.ndarray:
    """(m, 3) lattice vectors that can bring two atoms of the folded cell within reach."""
    heights = np.linalg.norm(np.linalg.inv(lattice), axis=0)
    limits = np.floor(reach * heights + 0.5).astype(int)
    axes = [np.arange(-limit, limit + 1) for limit in limits]
    shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3) @ lattice
    farthest = reach + 0.5 * np.linalg.norm(lattice, axis=1).sum()
    return np.ascontiguousarray(shifts[np.linalg.norm(shifts, axis=1) <= farthest])


def _reciprocal_space(
    fractional: np.ndarray, lattice: np.ndarray, alpha: float, k_cutoff: float
) -> np.ndarray:
    """(n, n) reciprocal half of the Ewald sum, from one half space of k."""
    reciprocal = 2.0 * math.pi * np.linalg.inv(lattice).T
    limits = np.floor(k_cutoff * np.linalg.norm(lattice, axis=1) / (2.0 * math.pi)).astype(int)
    axes = [np.arange(-limit, limit + 1) for limit in limits]
    indices = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    indices = indices[len(indices) // 2 + 1 :]  # the other half are their negatives
    squared = ((indices @ reciprocal) ** 2).sum(axis=1)
    kept = squared <= k_cutoff**2
    squared = squared[kept]
    volume = abs(np.linalg.det(lattice))
    green = 8.0 * math.pi / volume * np.exp(-squared / (4.0 * alpha**2)) / squared
    phases = 2.0 * math.pi * (fractional @ indices[kept].T)
    waves = np.hstack([np.cos(phases), np.sin(phases)])
    return (waves * np.tile(green, 2)) @ waves.T


@numba.njit(**STRICT)
def _real_space(
    fractional: np.ndarray,
    lattice: np.ndarray,
    shifts: np.ndarray,
    alpha: float,
    cutoff: float,
    width_roots: np.ndarray,
) -> np.ndarray:
    """(n, n) screened Coulomb and overlap terms of every image within reach."""
    count = len(fractional)
    sums = np.zeros((count, count))
    for i in range(count):
        for j in range(i + 1):
            offset = np.zeros(3)
            for axis in range(3):
                step = fractional[i, axis] - fractional[j, axis]
                step -= np.rint(step)
                for x in range(3):
                    offset[x] += step * lattice[axis, x]
            a = width_roots[i] * width_roots[j]
            total = 0.0
            for m in range(len(shifts)):
                dx = offset[0] + shifts[m, 0]
                dy = offset[1] + shifts[m, 1]
                dz = offset[2] + shifts[m, 2]
                r = math.sqrt(dx * dx + dy * dy + dz * dz)
                if r < 1e-9:
                    continue
                if r < cutoff:
                    total += math.erfc(alpha * r) / r
                x = a * r
                if 0.0 < x < _OVERLAP_REACH:
                    total += math.exp(-x * x) * (2.0 * a - a * x - 1.0 / r)
            sums[i, j] = total
            sums[j, i] = total
    return sums
