"""Averages of a correlated series with errors that know it [1, 2].

References:
    [1] Flyvbjerg, Petersen, J. Chem. Phys. 91 (1989) 461 (blocks).
    [2] Geyer, Stat. Sci. 7 (1992) 473 (initial positive sequence).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data.records import Estimate


def autocorrelation_time(series: np.ndarray) -> float:
    """Return the integrated autocorrelation time in steps; one half where nothing correlates.

    The sum of autocorrelations stops where a pair of neighbours is no longer positive [2].

    Args:
        series: (n,) values.
    """
    n = len(series)
    deviation = series - series.mean()
    if n < 4 or not deviation.any():
        return 0.5
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(deviation, size)) ** 2
    covariance = np.fft.irfft(spectrum, size)[:n] / n
    pairs = covariance[: n // 2 * 2].reshape(-1, 2).sum(axis=1) / covariance[0]
    ends = np.nonzero(pairs <= 0.0)[0]
    kept = pairs[: ends[0]] if len(ends) else pairs
    return max(0.5, float(kept.sum() - 0.5))


def block_means(series: np.ndarray, blocks: int) -> np.ndarray:
    """Return the (blocks, ...) means of equal consecutive blocks; a remainder leads and is cut.

    Args:
        series: (n, ...) values.
        blocks: how many.
    """
    length = len(series) // blocks
    kept = series[len(series) - blocks * length :]
    return kept.reshape(blocks, length, *series.shape[1:]).mean(axis=1)


def mean_with_error(series: np.ndarray, blocks: int) -> Estimate:
    """Return the mean; its error is the larger of that of blocks and that of correlation.

    Args:
        series: (n,) values.
        blocks: how many blocks.
    """
    n, tau = len(series), autocorrelation_time(series)
    from_blocks = block_means(series, blocks).std(ddof=1) / np.sqrt(blocks)
    effective = n / (2.0 * tau)
    from_correlation = series.std() / np.sqrt(effective)
    return Estimate(float(series.mean()), float(max(from_blocks, from_correlation)), effective)


def jackknife(
    series: np.ndarray, blocks: int, function: Callable[[np.ndarray], float]
) -> tuple[float, float]:
    """Return a smooth function of means, and its standard error by leaving out blocks.

    Args:
        series: (n, k) values.
        blocks: how many blocks.
        function: of the (k,) means.
    """
    means = block_means(series, blocks)
    every = function(series.mean(axis=0))
    left_out = (means.sum(axis=0) - means) / (blocks - 1)
    values = np.array([function(row) for row in left_out])
    spread = (blocks - 1) / blocks * ((values - values.mean()) ** 2).sum()
    return float(every), float(np.sqrt(spread))


def heat_of_adsorption(series: np.ndarray, blocks: int, rt_kj_per_mol: float) -> Estimate | None:
    """Return the isosteric heat from fluctuations, ``RT - cov(U, N) / var(N)``, in kJ/mol.

    Nicholson, Parsonage, Computer Simulation and the Statistical Mechanics of Adsorption,
    1982; the gas is taken as ideal, the host as rigid.

    Args:
        series: (n, 4) averages of N, N^2, U and U N.
        blocks: how many blocks.
        rt_kj_per_mol: RT.

    Returns:
        The heat, or None where the loading never changed in some block's absence.
    """

    def heat(means: np.ndarray) -> float:
        n, nn, u, un = means
        variance = nn - n * n
        return rt_kj_per_mol - (un - u * n) / variance if variance > 1e-12 else float("nan")

    mean, error = jackknife(series, blocks, heat)
    if not (np.isfinite(mean) and np.isfinite(error)):
        return None
    effective = len(series) / (2.0 * autocorrelation_time(series[:, 0]))
    return Estimate(mean, error, effective)
