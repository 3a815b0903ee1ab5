"""Reciprocal-rank fusion by hand, and what hosts are ranked by."""

from __future__ import annotations

import numpy as np
import pytest

from chem.screening.fusion import fuse, ranks
from chem.screening.objectives import (
    heat_utility,
    ln_henry_at,
    ln_selectivity,
    working_capacity,
)


def test_ranks_with_ties_share_their_mean() -> None:
    assert ranks(np.array([0.1, 5.0, 0.1, 7.0])).tolist() == [3.5, 2.0, 3.5, 1.0]


def test_fusion_by_hand() -> None:
    """Two criteria, weights 3 to 1: (0.75/(60 + r1)) + (0.25/(60 + r2))."""
    first, second = np.array([3.0, 2.0, 1.0]), np.array([10.0, 30.0, 20.0])
    fused = fuse([first, second], [3.0, 1.0])
    by_hand = [0.75 / 61 + 0.25 / 63, 0.75 / 62 + 0.25 / 61, 0.75 / 63 + 0.25 / 62]
    assert fused == pytest.approx(by_hand)


def test_one_criterion_is_its_own_ranking() -> None:
    values = np.random.default_rng(0).normal(size=(5, 30))
    fused = fuse([values], [2.0])
    assert (np.argsort(-fused, axis=1) == np.argsort(-values, axis=1)).all()


def test_units_of_a_criterion_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=20), rng.normal(size=20)
    assert fuse([one, two], [1, 1]) == pytest.approx(fuse([np.exp(one), 100 * two - 7], [1, 1]))


def test_uncertainty_goes_through_the_fusion() -> None:
    """A host that is sure in both criteria keeps its place in every draw; a vague one moves."""
    rng = np.random.default_rng(2)
    spread = np.array([0.001, 0.001, 2.0])
    draws = [np.array([2.0, 0.0, 1.0]) + spread * rng.normal(size=(4000, 3)) for _ in range(2)]
    place = ranks(fuse(draws, [1.0, 1.0]))
    assert place[:, 2].std() > 0.5
    both_above = 0.5 * (1.0 - 0.38292) + 0.0
    assert (draws[0][:, 2] > 2.0).mean() == pytest.approx(both_above, abs=0.03)


def test_selectivity_is_a_difference_of_logarithms() -> None:
    assert ln_selectivity(np.log(8.0), np.log(2.0)) == pytest.approx(np.log(4.0))


def test_heat_inside_the_range_is_as_good_as_any() -> None:
    heats = np.array([20.0, 30.0, 35.0, 40.0, 47.0])
    assert heat_utility(heats, 30.0, 40.0).tolist() == [-10.0, 0.0, 0.0, 0.0, -7.0]


def test_working_capacity_of_one_temperature_ranks_as_henry() -> None:
    ln_henry = np.array([-12.0, -9.0, -10.0])
    capacity = working_capacity(ln_henry, 1e5, 1e4)
    assert capacity == pytest.approx(np.exp(ln_henry) * 9e4)


def test_a_swing_of_temperature_asks_for_heat() -> None:
    """From 15 kPa at 298 K to 100 kPa at 398 K: K_H must fall by more than the pressure rises."""
    ln_henry, heat = np.log([1e-5, 1e-5]), np.array([10.0, 60.0])
    hot = ln_henry_at(ln_henry, heat, 298.15, 398.15)
    kept = np.exp(hot - ln_henry)
    step = 1 / 398.15 - 1 / 298.15
    assert kept == pytest.approx(np.exp(heat / 8.31446261815324e-3 * step))
    capacity = working_capacity(ln_henry, 1.5e4, 1e5, hot)
    assert capacity[0] < 0.0 < capacity[1]
