"""Calibration: recovers a known factor, is bounded and cannot be owned by one label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.calibration import (
    HIGHEST_FACTOR,
    LOWEST_FACTOR,
    boltzmann_relevance,
    calibration_factor,
)


@pytest.mark.parametrize("truth", [0.8, 1.0, 1.7, 3.0])
def test_recovers_the_factor_by_which_deviations_are_too_small(truth: float) -> None:
    count = 20_000
    z = truth * np.random.default_rng(0).normal(size=count)
    capped_second_moment = np.mean(np.minimum(z**2, 36.0))
    found = calibration_factor(z)
    # the standard error of a mean of z^2 is truth^2 sqrt(2/n); of its root, truth/sqrt(2n)
    assert found == pytest.approx(np.sqrt(capped_second_moment), abs=1e-3)
    allowed = 4.0 * truth / np.sqrt(2 * count) + 1e-3
    assert found == pytest.approx(truth, abs=allowed if truth < 2.0 else 0.15)


def test_no_label_leaves_the_deviations_alone() -> None:
    assert calibration_factor(np.array([])) == 1.0
    assert calibration_factor(np.array([np.nan, np.inf])) == 1.0
    assert calibration_factor(np.array([3.0]), np.array([0.0])) == 1.0


def test_few_labels_move_the_factor_little() -> None:
    assert calibration_factor(np.array([3.0])) < 1.5
    assert calibration_factor(np.full(200, 3.0)) > 2.8


def test_one_outlier_among_many_is_capped() -> None:
    z = np.random.default_rng(1).normal(size=200)
    with_outlier = np.append(z, 1e6)
    assert calibration_factor(with_outlier) < calibration_factor(z) * 1.15


def test_one_dominant_weight_counts_as_one_label() -> None:
    z = np.concatenate([[5.0], np.random.default_rng(2).normal(size=100)])
    weights = np.concatenate([[1.0], np.full(100, 1e-9)])
    assert calibration_factor(z, weights) < 2.1


def test_relevant_labels_decide() -> None:
    z = np.concatenate([np.full(50, 2.0), np.full(50, 0.5)])
    weights = np.concatenate([np.full(50, 1.0), np.full(50, 1e-6)])
    assert calibration_factor(z, weights) > 1.7
    assert calibration_factor(z, weights[::-1]) < 0.8


def test_bounds_can_be_widened() -> None:
    assert calibration_factor(np.full(500, 0.1)) == LOWEST_FACTOR
    assert calibration_factor(np.full(500, 0.1), lowest=0.4) == 0.4
    assert calibration_factor(np.full(500, 5.9), highest=3.0) == 3.0


def test_weights_must_match() -> None:
    with pytest.raises(ValueError, match="2 weights were given for 3"):
        calibration_factor(np.zeros(3), np.zeros(2))


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
    st.lists(st.floats(0.0, 1e6), min_size=40, max_size=40),
)
def test_always_within_bounds(z: list[float], weights: list[float]) -> None:
    factor = calibration_factor(np.array(z), np.array(weights[: len(z)]))
    assert LOWEST_FACTOR <= factor <= HIGHEST_FACTOR


@given(st.lists(st.floats(-5.0, 5.0), min_size=2, max_size=30), st.floats(1e-3, 1e3))
def test_scaling_all_weights_changes_nothing(z: list[float], scale: float) -> None:
    weights = np.linspace(0.1, 1.0, len(z))
    assert calibration_factor(np.array(z), scale * weights) == pytest.approx(
        calibration_factor(np.array(z), weights)
    )


def test_relevance_halves_the_exponent() -> None:
    weights = boltzmann_relevance(np.array([-30.0, -25.0, np.nan]), 2.5)
    np.testing.assert_allclose(weights, [1.0, np.exp(-1.0), 0.0])
    np.testing.assert_array_equal(boltzmann_relevance(np.array([np.nan]), 2.5), [0.0])
