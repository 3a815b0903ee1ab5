"""Degrees of freedom and the interval against simulation and textbook values."""

from __future__ import annotations

import numpy as np
import pytest

from chem.estimator import kish
from chem.intervals import degrees_of_freedom, freedom_of_squares, interval, pooled_terms
from data.records import Estimate


def test_pooled_terms_are_those_of_all_terms_together():
    rng = np.random.default_rng(2)
    one, two = rng.lognormal(0, 1, 40), rng.lognormal(1, 0.5, 15)
    found = pooled_terms([(one**2).sum(), (two**2).sum()], [kish(one**2), kish(two**2)])
    assert found == pytest.approx(kish(np.concatenate([one, two]) ** 2))


def test_pooled_terms_of_nothing():
    assert pooled_terms([0.0], [0.0]) == 0.0
    assert pooled_terms([1.0], [float("inf")]) == float("inf")


def test_welch_satterthwaite():
    assert degrees_of_freedom([1.0, 1.0], [10.0, 10.0]) == pytest.approx(20.0)
    assert degrees_of_freedom([1.0, 0.0], [7.0, 3.0]) == pytest.approx(7.0)
    assert degrees_of_freedom([1.0], [0.5]) == 1.5
    assert degrees_of_freedom([1.0], [float("inf")]) == float("inf")


def test_freedom_is_that_of_a_sum_of_squares_drawn_at_random():
    """Normal terms, each drawn with a small chance: 2 V^2 / var(V) by simulation."""
    rng = np.random.default_rng(7)
    squares = rng.normal(0.0, 1.0, 3000) ** 2
    drawn = rng.random((20_000, 3000)) < 0.02
    sums = drawn @ squares
    truth = 2.0 * sums.mean() ** 2 / sums.var()
    known = [freedom_of_squares(kish(squares[some])) for some in drawn[:2000]]
    assert 0.85 * truth < np.mean(known) < 1.1 * truth


def test_interval_covers_a_mean_of_a_few_skewed_terms():
    """Twenty lognormal terms: the normal interval covers too little, this one about 95 %."""
    rng = np.random.default_rng(4)
    terms = rng.lognormal(0.0, 0.7, (20_000, 20))
    truth = float(np.exp(0.245))
    mean, error = terms.mean(axis=1), terms.std(axis=1, ddof=1) / np.sqrt(20)
    spread = (terms - mean[:, None]) ** 2
    freedom = spread.sum(axis=1) ** 2 / (spread**2).sum(axis=1)
    covered = [
        low <= truth <= high
        for low, high in (
            interval(Estimate(m, e), max(2.0, f))
            for m, e, f in zip(mean, error, freedom, strict=True)
        )
    ]
    normal = np.abs(mean - truth) < 1.96 * error
    assert normal.mean() < 0.92
    assert 0.93 < np.mean(covered) < 0.98
