"""Routing: known probabilities, their sum, the floor, and the draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.routing import (
    FLOOR_SHARE,
    draw,
    error_factor,
    expected_error_terms,
    predicted_design_variance,
    route,
)

BETA = 1.0 / (8.31446261815324e-3 * 300.0)


def scored(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.3, 4.0, count), rng.normal(-5, 8, count), rng.uniform(0.1, 4.0, count)


def test_error_factor_is_the_root_mean_square_of_a_lognormal_error():
    rng = np.random.default_rng(1)
    for sd in (0.3, 1.0, 2.0):
        error = rng.normal(0.0, sd, 4_000_000)
        squares = (np.exp(-BETA * error) - 1.0) ** 2
        allowed = 5.0 * squares.std() / np.sqrt(len(squares))
        assert error_factor(BETA, np.array([sd]))[0] ** 2 == pytest.approx(
            squares.mean(), abs=allowed
        )


@settings(max_examples=50, deadline=None)
@given(
    count=st.integers(1, 400),
    wanted=st.floats(0.5, 500),
    explore=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_probabilities_are_bounded_and_add_up(count, wanted, explore, seed):
    weight, mean, sd = scored(count, seed)
    routing = route((300.0,), weight, mean, sd, wanted, explore)
    assert (routing.probability > 0).all()
    assert (routing.probability <= 1).all()
    assert routing.expected_labels == pytest.approx(min(wanted, count), rel=1e-6)


def test_every_insertion_keeps_the_floor():
    weight, mean, sd = scored(1000)
    mean[0] = 500.0
    sd[0] = 0.0
    routing = route((300.0,), weight, mean, sd, 50.0, 0.2)
    assert routing.probability.min() >= FLOOR_SHARE * 50.0 / 1000 * 0.99
    assert routing.probability[0] == routing.probability.min()


def test_no_choice_of_probabilities_beats_the_optimal_ones():
    weight, mean, sd = scored(500)
    mean = np.maximum(mean, -8.0)
    best = route((300.0,), weight, mean, sd, 60.0, 0.0).probability
    least = predicted_design_variance(300.0, weight, mean, sd, best)
    terms = expected_error_terms(300.0, weight, mean, sd)
    for other in (np.full(500, 60 / 500), np.clip(60 * terms**2 / (terms**2).sum(), 1e-3, 1)):
        assert least < predicted_design_variance(300.0, weight, mean, sd, other)


def test_two_temperatures_share_the_draw():
    weight, mean, sd = scored(300)
    both = route((250.0, 400.0), weight, mean, sd, 40.0, 0.1).probability
    cold = route((250.0,), weight, mean, sd, 40.0, 0.1).probability
    hot = route((400.0,), weight, mean, sd, 40.0, 0.1).probability
    assert both == pytest.approx(0.5 * (cold + hot), rel=0.2)


def test_draws_have_the_probabilities_they_state():
    rng = np.random.default_rng(5)
    probability = rng.uniform(0.01, 0.6, 50)
    counts = np.zeros(50)
    for _ in range(6000):
        chosen, stated = draw(rng, probability, 1000)
        assert stated is probability
        counts[chosen] += 1
    error = np.sqrt(probability * (1 - probability) / 6000)
    assert (np.abs(counts / 6000 - probability) < 5 * error).all()


def test_thinning_to_a_budget_keeps_sums_unbiased():
    rng = np.random.default_rng(6)
    probability = rng.uniform(0.2, 0.9, 40)
    values = rng.uniform(1, 2, 40)
    sums = []
    for _ in range(8000):
        chosen, stated = draw(rng, probability, 15)
        assert len(chosen) <= 15
        sums.append((values[chosen] / stated[chosen]).sum())
    error = np.std(sums) / np.sqrt(len(sums))
    assert abs(np.mean(sums) - values.sum()) < 3.5 * error


def test_nothing_to_route():
    empty = np.zeros(0)
    assert route((300.0,), empty, empty, empty, 10.0, 0.2).expected_labels == 0.0
