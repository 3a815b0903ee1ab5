"""The radial functions behind a grid: each pair energy split into a near and a smooth far part.

A pair energy u(r), cut at rc, is written as near + far. The far part is u itself beyond the
split distance rs, and inside it the Taylor polynomial of u in r^2 about rs^2: a smooth hill
whose Fourier transform dies away fast, so that its sum over the whole lattice is a short sum
over reciprocal vectors, exact on a regular grid by one inverse FFT. The near part, u minus the
polynomial, ends at rs, and only a few dozen atoms are within reach of a point instead of many
hundred. It is the idea of Ewald [1] for any pair energy; 1/r is split by error functions as
in `chem.ewald`.

References:
    [1] Ewald, Ann. Phys. 369 (1921) 253; for dispersion Essmann et al., J. Chem. Phys. 103
        (1995) 8577.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chem.pair_potential import cutoff_terms

TAYLOR_ORDER = 5  # constants here, so that the kernels' loops over powers unroll
SCREENING_ORDER = 12
CAP_ORDER = 4
K_STEP_PER_ANGSTROM = 0.02
_FIT_WIDTH = 0.1
_FIT_NODES = 16
_NODES_PER_RADIAN = 0.7


@dataclass(frozen=True)
class PairSplit:
    """Lennard-Jones of some site kinds with some host types, split at one distance.

    Attributes:
        four_epsilon, sigma2, shift, slope: (kinds, types) arguments of
            `chem.kernels.lennard_jones`.
        quantum: its last argument, square angstrom.
        split_angstrom: where the near part ends.
        polynomial: (kinds, types, TAYLOR_ORDER + 1) coefficients of the far part inside, in
            powers of r^2 / rs^2, kJ/mol.
        transform: (kinds, types, nk) Fourier transform of the far part at multiples of
            K_STEP_PER_ANGSTROM, kJ angstrom^3/mol.
    """

    four_epsilon: np.ndarray
    sigma2: np.ndarray
    shift: np.ndarray
    slope: np.ndarray
    quantum: float
    split_angstrom: float
    polynomial: np.ndarray
    transform: np.ndarray


def split_pairs(
    epsilon_kj_per_mol: np.ndarray,
    sigma_angstrom: np.ndarray,
    cutoff_angstrom: float,
    lj: str,
    quantum: float,
    split_angstrom: float,
    k_cutoff_per_angstrom: float,
) -> PairSplit:
    """Split the Lennard-Jones energies of site kinds with host types.

    Args:
        epsilon_kj_per_mol: (kinds, types) well depths, kJ/mol.
        sigma_angstrom: (kinds, types) diameters, angstrom.
        cutoff_angstrom: cutoff rc of the pair energy.
        lj: one of `chem.pair_potential.TRUNCATIONS`.
        quantum: Feynman-Hibbs Q, square angstrom.
        split_angstrom: where to split; at or beyond the cutoff nothing is far.
        k_cutoff_per_angstrom: largest wave number needed.

    Returns:
        The split.
    """
    shift, slope = cutoff_terms(epsilon_kj_per_mol, sigma_angstrom, cutoff_angstrom, lj, quantum)
    split = min(split_angstrom, cutoff_angstrom)
    terms = (4.0 * epsilon_kj_per_mol, sigma_angstrom**2, shift, slope)
    count = math.ceil(k_cutoff_per_angstrom / K_STEP_PER_ANGSTROM) + 3
    polynomial = np.zeros((*shift.shape, TAYLOR_ORDER + 1))
    transform = np.zeros((*shift.shape, count))
    if split < cutoff_angstrom:
        k = np.arange(count) * K_STEP_PER_ANGSTROM
        inner, outer, waves = _quadrature(k, split, cutoff_angstrom)
        for index in np.ndindex(*shift.shape):
            pair = tuple(float(term[index]) for term in terms)
            polynomial[index] = _taylor(pair, quantum, split)
            powers = np.polynomial.polynomial.polyval((inner / split) ** 2, polynomial[index])
            far = np.concatenate([powers, _sample(outer**2, pair, quantum)])
            transform[index] = waves @ far
    return PairSplit(*terms, quantum, split, polynomial, transform)


def _sample(r2: np.ndarray, pair: tuple[float, ...], quantum: float) -> np.ndarray:
    """Pair energies at squared distances."""
    from chem.grids.near import sample_pair

    return sample_pair(r2, *pair, quantum)


def _taylor(pair: tuple[float, ...], quantum: float, split: float) -> np.ndarray:
    """Coefficients in powers of r^2/rs^2 of the Taylor polynomial about r = rs."""
    from numpy.polynomial import Polynomial, chebyshev

    nodes = chebyshev.chebpts1(_FIT_NODES)
    values = _sample(split**2 * (1.0 + _FIT_WIDTH * nodes), pair, quantum)
    series = chebyshev.chebfit(nodes, values, _FIT_NODES - 1)
    about = [
        chebyshev.chebval(0.0, chebyshev.chebder(series, order))
        / (math.factorial(order) * _FIT_WIDTH**order)
        for order in range(TAYLOR_ORDER + 1)
    ]
    expanded = Polynomial(about)(Polynomial([-1.0, 1.0])).coef
    return np.pad(expanded, (0, TAYLOR_ORDER + 1 - len(expanded)))


def _quadrature(
    k: np.ndarray, split: float, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gauss nodes inside and beyond the split, and (nk, nodes) weights of the transform.

    The transform of a radial function f is ``4 pi int f(r) r^2 sin(kr)/(kr) dr``.
    """
    radii, weights = [], []
    for low, high in ((0.0, split), (split, cutoff)):
        count = math.ceil(_NODES_PER_RADIAN * k[-1] * (high - low)) + 24
        nodes, mass = np.polynomial.legendre.leggauss(count)
        radii.append(low + 0.5 * (high - low) * (nodes + 1.0))
        weights.append(0.5 * (high - low) * mass)
    every = np.concatenate(radii)
    measure = 4.0 * math.pi * np.concatenate(weights) * every**2
    return radii[0], radii[1], np.sinc(k[:, None] * every / math.pi) * measure


def screening_series(alpha_per_angstrom: float, split_angstrom: float) -> np.ndarray:
    """Return erf(alpha r)/r as coefficients of powers of r^2/rs^2 for r below the split."""
    from numpy.polynomial import Chebyshev, chebyshev
    from scipy.special import erf

    nodes = chebyshev.chebpts1(SCREENING_ORDER + 1)
    r = split_angstrom * np.sqrt(0.5 * (nodes + 1.0))
    series = chebyshev.chebfit(nodes, erf(alpha_per_angstrom * r) / r, SCREENING_ORDER)
    return Chebyshev(series, domain=[0.0, 1.0]).convert(kind=np.polynomial.Polynomial).coef


def cap_series(cap_angstrom: float) -> np.ndarray:
    """Return the Taylor series of 1/r in powers of (r^2/c^2 - 1): its smooth end inside c.

    1/r = (1/c) sum_n binom(-1/2, n) (r^2/c^2 - 1)^n.
    """
    from scipy.special import binom

    return binom(-0.5, np.arange(CAP_ORDER + 1)) / cap_angstrom
