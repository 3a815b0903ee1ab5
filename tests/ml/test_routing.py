"""Routing: known probabilities, their sum, the floor, and the draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.routing import (
    FLOOR_SHARE,
    Believed,
    cautious_energy,
    draw,
    error_factor,
    expected_error_terms,
    predicted_design_variance,
    route,
)

BETA = 1.0 / (8.31446261815324e-3 * 300.0)


def scored(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    mean, sd = rng.normal(-5, 8, count), rng.uniform(0.1, 4.0, count)
    return Believed(rng.uniform(0.3, 4.0, count), mean, sd, mean)


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
    routing = route((300.0,), scored(count, seed), wanted, explore)
    assert (routing.probability > 0).all()
    assert (routing.probability <= 1).all()
    assert routing.expected_labels == pytest.approx(min(wanted, count), rel=1e-6)


def test_every_insertion_keeps_the_floor():
    believed = scored(1000)
    believed.mean_kj_per_mol[0] = 500.0
    believed.sd_kj_per_mol[0] = 0.0
    routing = route((300.0,), believed, 50.0, 0.2)
    assert routing.probability.min() >= FLOOR_SHARE * 50.0 / 1000 * 0.99
    assert routing.probability[0] == routing.probability.min()


def test_no_choice_of_probabilities_beats_the_optimal_ones():
    believed = scored(500)
    np.maximum(believed.prediction_kj_per_mol, -8.0, out=believed.prediction_kj_per_mol)
    best = route((300.0,), believed, 60.0, 0.0).probability
    least = predicted_design_variance(300.0, believed, best)
    terms = expected_error_terms(
        300.0, believed.weight, believed.prediction_kj_per_mol, believed.sd_kj_per_mol
    )
    for other in (np.full(500, 60 / 500), np.clip(60 * terms**2 / (terms**2).sum(), 1e-3, 1)):
        assert least < predicted_design_variance(300.0, believed, other)


def test_two_temperatures_share_the_draw():
    believed = scored(300)
    np.maximum(believed.prediction_kj_per_mol, -8.0, out=believed.prediction_kj_per_mol)
    both = route((250.0, 400.0), believed, 4.0, 0.1).probability
    cold = route((250.0,), believed, 4.0, 0.1).probability
    hot = route((400.0,), believed, 4.0, 0.1).probability
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
    assert route((300.0,), Believed(empty, empty, empty, empty), 10.0, 0.2).expected_labels == 0.0


def test_what_stands_for_an_insertion_is_the_harmonic_mean_of_its_boltzmann_factor():
    rng = np.random.default_rng(2)
    for sd in (0.2, 2.0):
        energy = rng.normal(-20.0, sd, 2_000_000)
        harmonic = 1.0 / np.exp(BETA * energy).mean()
        stands = cautious_energy(np.array([-20.0]), np.array([sd]), 300.0)[0]
        assert np.exp(-BETA * stands) == pytest.approx(harmonic, rel=0.01)


def test_exploration_does_not_shun_the_unknown():
    believed = scored(200)
    cautious = Believed(
        believed.weight,
        believed.mean_kj_per_mol,
        believed.sd_kj_per_mol,
        cautious_energy(believed.mean_kj_per_mol, np.full(200, 8.0), 300.0),
    )
    explored = [route((300.0,), b, 20.0, 1.0).probability for b in (believed, cautious)]
    assert explored[0] == pytest.approx(explored[1])


def test_an_insertion_keeps_its_fate_when_another_one_overlaps():
    probability = np.full(1000, 0.3)
    every, _ = draw(np.random.default_rng(4), probability, 1000, np.arange(1000))
    rest = np.delete(np.arange(1000), 17)
    fewer, _ = draw(np.random.default_rng(4), probability[1:], 1000, rest)
    assert set(rest[fewer]) == set(every.tolist()) - {17}
