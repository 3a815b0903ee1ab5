"""Ewald summation for the potential of a neutral periodic host (tin-foil boundary).

The potential at a point r, per unit charge [1]::

    phi(r) = sum_j q_j sum_images erfc(alpha d) / d
           + (4 pi / V) sum_{k != 0} exp(-k^2 / 4 alpha^2) / k^2  sum_j q_j cos(k . (r - r_j))

A rigid neutral guest adds up q_i phi(r_i); its interaction with its own images is left
out by definition, so there is no self term. Screening and reciprocal cutoff follow from
one relative precision p: erfc(alpha rc) = p and exp(-kc^2 / 4 alpha^2) = p, that is
alpha = erfcinv(p) / rc and kc = 2 alpha sqrt(-ln p).

References:
    [1] Ewald, Ann. Phys. 369 (1921) 253; Allen and Tildesley, Computer Simulation of
        Liquids, 2nd ed., 2017, section 6.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from data.constants import COULOMB_KJ_ANGSTROM_PER_MOL_E2


@dataclass(frozen=True)
class EwaldTable:
    """Everything the kernel needs for the electrostatic potential of one host.

    Attributes:
        alpha_per_angstrom: screening parameter.
        k_cutoff_per_angstrom: largest reciprocal vector kept.
        limits: (3,) largest index of a kept reciprocal vector along each axis.
        rows: (number of rows, 4) indices h, k, first l, and first coefficient of each row of
            consecutive l; one half space only, its other half folded in.
        row_lengths: (number of rows,) how many l each row has.
        coefficients: (2, total) real and imaginary part, kJ/(mol e), so that the smooth part
            of phi is ``sum Re(c exp(2 pi i (h fx + k fy + l fz)))``.
        screening: (kernels.SCREENING_DEGREE + 1,) coefficients, see `screening_polynomial`.
    """

    alpha_per_angstrom: float
    k_cutoff_per_angstrom: float
    limits: np.ndarray
    rows: np.ndarray
    row_lengths: np.ndarray
    coefficients: np.ndarray
    screening: np.ndarray


def choose_parameters(cutoff_angstrom: float, precision: float) -> tuple[float, float]:
    """Return alpha and the reciprocal cutoff, both per angstrom, for a relative precision."""
    from scipy.special import erfcinv

    alpha = float(erfcinv(precision)) / cutoff_angstrom
    return alpha, 2.0 * alpha * math.sqrt(-math.log(precision))


def screening_polynomial(alpha_per_angstrom: float, cutoff_angstrom: float) -> np.ndarray:
    """Fit the smooth half of the screened potential, erf(alpha r) / r, by a polynomial.

    erf(alpha r)/r is an entire function of r^2, so a Chebyshev interpolation in
    t = 2 r^2/rc^2 - 1 converges geometrically: degree 20 leaves 1e-13 (relative to 1/rc)
    at precision 1e-6 and 1e-10 at 1e-8. The singular 1/r stays exact, so erfc(alpha r)/r
    is right at every distance without a table.

    Args:
        alpha_per_angstrom: screening parameter.
        cutoff_angstrom: largest distance.

    Returns:
        (kernels.SCREENING_DEGREE + 1,) coefficients of the powers of t, per angstrom.
    """
    from numpy.polynomial import chebyshev
    from scipy.special import erf

    from chem.kernels import SCREENING_DEGREE

    nodes = chebyshev.chebpts1(SCREENING_DEGREE + 1)
    r = cutoff_angstrom * np.sqrt(0.5 * (nodes + 1.0))
    smooth = erf(alpha_per_angstrom * r) / r
    # As many nodes as coefficients: the least-squares fit interpolates.
    return chebyshev.cheb2poly(chebyshev.chebfit(nodes, smooth, SCREENING_DEGREE))


def build_table(
    fractional: np.ndarray,
    lattice_angstrom: np.ndarray,
    charges_e: np.ndarray,
    cutoff_angstrom: float,
    precision: float,
) -> EwaldTable:
    """Precompute structure factors and screening for one host.

    Args:
        fractional: (n, 3) fractional coordinates.
        lattice_angstrom: (3, 3) cell vectors as rows, angstrom.
        charges_e: (n,) charges in e.
        cutoff_angstrom: cutoff of the real part.
        precision: relative precision p of the module docstring.

    Returns:
        The table.
    """
    alpha, k_cutoff = choose_parameters(cutoff_angstrom, precision)
    if not np.any(charges_e):
        k_cutoff = 0.0  # nothing to sum
    lengths = np.linalg.norm(lattice_angstrom, axis=1)
    limits = np.floor(k_cutoff * lengths / (2.0 * math.pi)).astype(np.int64)
    rows, row_lengths, indices = _half_space(lattice_angstrom, limits, k_cutoff)
    factors = _structure_factors(fractional, charges_e, rows, row_lengths, limits)
    k_squared = (2.0 * math.pi) ** 2 * ((indices @ np.linalg.inv(lattice_angstrom).T) ** 2).sum(
        axis=1
    )
    volume = abs(np.linalg.det(lattice_angstrom))
    green = 8.0 * math.pi / volume * np.exp(-k_squared / (4.0 * alpha**2)) / k_squared
    coefficients = COULOMB_KJ_ANGSTROM_PER_MOL_E2 * green * factors
    return EwaldTable(
        alpha,
        k_cutoff,
        limits,
        rows,
        row_lengths,
        np.ascontiguousarray(np.stack([coefficients.real, coefficients.imag])),
        screening_polynomial(alpha, cutoff_angstrom),
    )


def _half_space(
    lattice_angstrom: np.ndarray, limits: np.ndarray, k_cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of consecutive l, their lengths, and all (h, k, l) of one half space."""
    reciprocal = 2.0 * math.pi * np.linalg.inv(lattice_angstrom).T
    rows, lengths, indices = [], [], [np.zeros((0, 3))]
    total = 0
    for h in range(limits[0] + 1):
        for k in range(-limits[1] if h else 0, limits[1] + 1):
            l_all = np.arange(-limits[2] if h or k else 1, limits[2] + 1)
            triples = np.stack([np.full_like(l_all, h), np.full_like(l_all, k), l_all], axis=1)
            inside = ((triples @ reciprocal) ** 2).sum(axis=1) <= k_cutoff**2
            if not inside.any():
                continue
            triples = triples[inside]  # a ball is convex: the kept l are consecutive
            rows.append((h, k, int(triples[0, 2]), total))
            lengths.append(len(triples))
            indices.append(triples)
            total += len(triples)
    return (
        np.array(rows, dtype=np.int64).reshape(-1, 4),
        np.array(lengths, dtype=np.int64),
        np.concatenate(indices),
    )


def _structure_factors(
    fractional: np.ndarray,
    charges_e: np.ndarray,
    rows: np.ndarray,
    row_lengths: np.ndarray,
    limits: np.ndarray,
) -> np.ndarray:
    """S(k) = sum_j q_j exp(-i k . r_j) for every kept k, summed without BLAS."""
    charged = np.nonzero(charges_e)[0]
    waves = [
        np.exp(-2j * math.pi * np.arange(-limit, limit + 1)[:, None] * fractional[charged, axis])
        for axis, limit in enumerate(limits)
    ]
    parts = [np.zeros(0, dtype=np.complex128)]
    for (h, k, first, _), length in zip(rows, row_lengths, strict=True):
        weights = charges_e[charged] * waves[0][h + limits[0]] * waves[1][k + limits[1]]
        low = first + limits[2]
        parts.append((waves[2][low : low + length] * weights).sum(axis=1))
    return np.concatenate(parts)
