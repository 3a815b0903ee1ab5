"""Errors of correlated series: an autoregressive process whose error is known."""

import numpy as np
import pytest

from chem.gcmc.statistics import (
    autocorrelation_time,
    block_means,
    heat_of_adsorption,
    jackknife,
    mean_with_error,
)


def autoregressive(rng, n, memory):
    series = np.empty(n)
    value = 0.0
    for i, noise in enumerate(rng.standard_normal(n)):
        value = memory * value + noise
        series[i] = value
    return series


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_error_covers_the_truth_of_a_correlated_series(memory):
    """tau = (1 + a) / (2 (1 - a)); the error of the mean is that of n / (2 tau) samples."""
    rng = np.random.default_rng(1)
    exact = (1.0 + memory) / (2.0 * (1.0 - memory))
    misses, taus = [], []
    for _ in range(60):
        series = autoregressive(rng, 8_000, memory)
        estimate = mean_with_error(series, 20)
        misses.append(estimate.mean / estimate.standard_error)
        taus.append(autocorrelation_time(series))
    assert np.mean(taus) == pytest.approx(exact, rel=0.15)
    # The larger of two estimates of the error: covered at least as often as promised.
    assert 0.6 < np.sqrt(np.mean(np.square(misses))) < 1.15


def test_constant_series_has_no_error():
    estimate = mean_with_error(np.full(100, 3.0), 5)
    assert (estimate.mean, estimate.standard_error) == (3.0, 0.0)


def test_blocks_cut_a_remainder_at_the_start():
    assert block_means(np.array([100.0, 1.0, 1.0, 3.0, 3.0]), 2).tolist() == [1.0, 3.0]


def test_jackknife_of_a_mean_is_the_error_of_blocks():
    series = np.random.default_rng(2).standard_normal((1000, 1))
    _, error = jackknife(series, 10, lambda m: float(m[0]))
    assert error == pytest.approx(block_means(series, 10).std(ddof=1) / np.sqrt(10))


def test_heat_of_independent_guests_of_equal_energy_is_that_energy():
    """U = e N gives Qst = RT - e exactly; no fluctuation gives no heat."""
    n = np.random.default_rng(3).poisson(5.0, 500).astype(float)
    series = np.stack([n, n * n, -7.0 * n, -7.0 * n * n], axis=1)
    heat = heat_of_adsorption(series, 10, 2.5)
    assert heat.mean == pytest.approx(9.5)
    assert heat.standard_error == pytest.approx(0.0, abs=1e-9)
    assert heat_of_adsorption(np.zeros((100, 4)), 5, 2.5) is None
