import numpy as np
import pytest
from common.scaling import cost_interval, cpu_seconds_to_error, scatter, without_most_extreme


def test_cost_grows_with_the_inverse_square_of_the_error():
    assert cpu_seconds_to_error(1.0, 10.0, 0.01, 0.01) == pytest.approx(11.0)
    assert cpu_seconds_to_error(1.0, 10.0, 0.01, 0.001) == pytest.approx(1001.0)


def test_scatter_of_runs_gives_the_error_of_their_mean():
    """Runs of known variance: the standard error is that of the mean."""
    values = np.random.default_rng(0).normal(5.0, 0.4, 4000)
    found = scatter(values)
    assert found.mean == pytest.approx(5.0, abs=4 * 0.4 / np.sqrt(4000))
    assert found.standard_error == pytest.approx(0.4 / np.sqrt(4000), rel=0.05)
    assert found.relative == found.standard_error / found.mean


def test_interval_of_the_cost_covers_the_true_cost():
    """Normal runs: nine in ten intervals or more hold the cost of the true variance."""
    rng, truth = np.random.default_rng(1), cpu_seconds_to_error(2.0, 60.0, 0.1 / np.sqrt(40), 0.003)
    covered = 0
    for seed in range(200):
        low, high = cost_interval(rng.normal(1.0, 0.1, 40), 2.0, 60.0, 0.003, seed)
        assert low < high
        covered += low < truth < high
    assert covered >= 175


def test_one_run_with_a_giant_weight_does_not_decide_the_cost():
    values = np.append(np.random.default_rng(2).normal(1.0, 0.1, 39), 9.0)
    kept = without_most_extreme(values)
    assert 9.0 not in kept
    assert len(kept) == 39
    assert scatter(kept).relative < 0.2 * scatter(values).relative
