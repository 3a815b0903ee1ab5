"""The smooth far part of the energies on a regular grid: structure factors and an inverse FFT.

Sum over the lattice of a radial function with Fourier transform F(k), around atoms r_j::

    U(r) = (1/V) sum_G F(|G|) S(G) exp(i G . r),    S(G) = sum_j w_j exp(-i G . r_j)

with all reciprocal vectors G below a cutoff: on the points of a grid an inverse FFT.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from chem.grids.radial import K_STEP_PER_ANGSTROM
from chem.kernel_options import FAST


class Waves(NamedTuple):
    """Reciprocal vectors of the half space l >= 0 and the structure factors there.

    Attributes:
        rows: (rows, 2) indices h, k.
        lengths: (rows,) number of l, from zero.
        k2: (rows, lmax + 1) squared wave numbers.
        factors: (2, sets, rows, lmax + 1) real and imaginary parts.
    """

    rows: np.ndarray
    lengths: np.ndarray
    k2: np.ndarray
    factors: np.ndarray


def reciprocal_limits(lattice_angstrom: np.ndarray, k_cutoff: float) -> np.ndarray:
    """Return (3,) largest index of a reciprocal vector below a cutoff along each axis."""
    lengths = np.linalg.norm(lattice_angstrom, axis=1)
    return np.floor(k_cutoff * lengths / (2.0 * math.pi)).astype(np.int64)


def structure_factors(
    fractional: np.ndarray,
    lattice_angstrom: np.ndarray,
    sets: np.ndarray,
    set_count: int,
    charges: np.ndarray | None,
    k_cutoff: float,
) -> Waves:
    """Compute structure factors of sets of atoms, and of the charges as one more set.

    Args:
        fractional: (n, 3) fractional coordinates.
        lattice_angstrom: (3, 3) cell vectors as rows.
        sets: (n,) set of each atom, -1 for none.
        set_count: how many sets.
        charges: (n,) charges, or None.
        k_cutoff: largest wave number, per angstrom.
    """
    limits = reciprocal_limits(lattice_angstrom, k_cutoff)
    reciprocal = 2.0 * math.pi * np.linalg.inv(lattice_angstrom).T
    h, k = (
        a.ravel()
        for a in np.meshgrid(
            np.arange(-limits[0], limits[0] + 1),
            np.arange(-limits[1], limits[1] + 1),
            indexing="ij",
        )
    )
    steps = np.arange(limits[2] + 1)
    vectors = (
        h[:, None, None] * reciprocal[0]
        + k[:, None, None] * reciprocal[1]
        + steps[None, :, None] * reciprocal[2]
    )
    k2 = (vectors**2).sum(axis=2)
    inside = k2 <= k_cutoff**2
    keep = inside.any(axis=1)
    rows = np.ascontiguousarray(np.stack([h, k], axis=1)[keep])
    k2, inside = np.ascontiguousarray(k2[keep]), inside[keep]
    lengths = inside.shape[1] - np.argmax(inside[:, ::-1], axis=1)
    order = np.argsort(sets, kind="stable")
    phase = -2.0 * math.pi * fractional[order]
    waves = [np.exp(1j * phase[:, axis, None] * np.arange(limits[axis] + 1)) for axis in range(3)]
    factors = np.zeros((2, set_count + (charges is not None), len(rows), len(steps)))
    weights = np.zeros(0) if charges is None else np.array(charges, dtype=np.float64)[order]
    _accumulate(
        rows,
        lengths,
        np.array(sets)[order],
        weights,
        *(np.ascontiguousarray(w.real) for w in waves),
        *(np.ascontiguousarray(w.imag) for w in waves),
        factors,
    )
    return Waves(rows, lengths, k2, factors)


@numba.njit(**FAST)
def _accumulate(
    rows: np.ndarray,
    lengths: np.ndarray,
    sets: np.ndarray,
    charges: np.ndarray,
    a_re: np.ndarray,
    b_re: np.ndarray,
    c_re: np.ndarray,
    a_im: np.ndarray,
    b_im: np.ndarray,
    c_im: np.ndarray,
    factors: np.ndarray,
) -> None:
    """Fill the structure factors."""
    atoms, last = sets.shape[0], factors.shape[1] - 1
    charged = charges.shape[0] > 0
    for row in range(rows.shape[0]):
        h, k, length = rows[row, 0], rows[row, 1], lengths[row]
        sign_h, sign_k = (1.0 if h >= 0 else -1.0), (1.0 if k >= 0 else -1.0)
        h, k = abs(h), abs(k)
        for j in range(atoms):
            x_re, x_im = a_re[j, h], sign_h * a_im[j, h]
            y_re, y_im = b_re[j, k], sign_k * b_im[j, k]
            p_re, p_im = x_re * y_re - x_im * y_im, x_re * y_im + x_im * y_re
            if sets[j] >= 0 and last >= charged:
                out_re, out_im = factors[0, sets[j], row], factors[1, sets[j], row]
                for n in range(length):
                    out_re[n] += p_re * c_re[j, n] - p_im * c_im[j, n]
                    out_im[n] += p_re * c_im[j, n] + p_im * c_re[j, n]
            if charged and charges[j] != 0.0:
                p_re, p_im = charges[j] * p_re, charges[j] * p_im
                out_re, out_im = factors[0, last, row], factors[1, last, row]
                for n in range(length):
                    out_re[n] += p_re * c_re[j, n] - p_im * c_im[j, n]
                    out_im[n] += p_re * c_im[j, n] + p_im * c_re[j, n]


@numba.njit(**FAST)
def weigh_factors(
    transforms: np.ndarray, k2: np.ndarray, factors: np.ndarray, k_cutoff: float
) -> np.ndarray:
    """Return sum_t F_t(|G|) S_t(G) for every reciprocal vector below the cutoff.

    Args:
        transforms: (sets, nk) radial transforms, interpolated by cubic Lagrange polynomials.
        k2: (rows, lmax + 1) squared wave numbers.
        factors: (2, at least sets, rows, lmax + 1) structure factors.
        k_cutoff: cutoff, per angstrom.

    Returns:
        (rows, lmax + 1) complex.
    """
    total = np.zeros(k2.shape, dtype=np.complex128)
    for row in range(k2.shape[0]):
        for step in range(k2.shape[1]):
            if k2[row, step] > k_cutoff * k_cutoff:
                continue
            x = math.sqrt(k2[row, step]) / K_STEP_PER_ANGSTROM
            base = min(max(int(x), 1), transforms.shape[1] - 3)
            f = x - base
            a, b = -f * (f - 1.0) * (f - 2.0) / 6.0, (f + 1.0) * (f - 1.0) * (f - 2.0) / 2.0
            c, d = -(f + 1.0) * f * (f - 2.0) / 2.0, (f + 1.0) * f * (f - 1.0) / 6.0
            re, im = 0.0, 0.0
            for t in range(transforms.shape[0]):
                y = transforms[t]
                value = a * y[base - 1] + b * y[base] + c * y[base + 1] + d * y[base + 2]
                re += value * factors[0, t, row, step]
                im += value * factors[1, t, row, step]
            total[row, step] = complex(re, im)
    return total


def on_grid(waves: Waves, coefficients: np.ndarray, dims: tuple[int, int, int]) -> np.ndarray:
    """Return the real field on a grid from (rows, lmax + 1) complex coefficients.

    Args:
        waves: the reciprocal vectors.
        coefficients: of exp(i G . r); those with l = 0 stand for the full plane.
        dims: grid points along each axis; above twice the largest index.

    Returns:
        (na, nb, nc) float64.
    """
    import scipy.fft

    half = coefficients.shape[1]
    spectrum = np.zeros((dims[0], dims[1], half), dtype=np.complex128)
    spectrum[waves.rows[:, 0] % dims[0], waves.rows[:, 1] % dims[1]] = coefficients
    kb = int(np.abs(waves.rows[:, 1]).max(initial=0))
    used = np.r_[0 : kb + 1, dims[1] - kb : dims[1]]
    spectrum[:, used] = scipy.fft.ifft(spectrum[:, used], axis=0, norm="forward")
    spectrum = scipy.fft.ifft(spectrum, axis=1, norm="forward", overwrite_x=True)
    return scipy.fft.irfft(spectrum, n=dims[2], axis=2, norm="forward", overwrite_x=True)
