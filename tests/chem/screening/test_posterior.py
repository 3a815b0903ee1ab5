"""Beliefs of single hosts against brute-force quadrature, and whether they can be believed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, norm
from scipy.stats import t as student

from chem.screening.decay import decayed
from chem.screening.evidence import Evidence
from chem.screening.posterior import Beliefs, believe
from chem.screening.prior import SHAPE_FREEDOM, Shift, learn_shift

ONE = Shift(np.ones(1), np.array([0.4]), np.array([0.8]), 10)
TWO = Shift(np.array([0.7, 0.3]), np.array([0.4, -1.0]), np.array([0.3, 2.0]), 10)


def evidence(estimate: float, error: float, freedom: float, classical: float = -3.0) -> Evidence:
    pair = np.array([classical, classical])
    return Evidence(
        pair,
        np.array([estimate, np.nan]),
        np.array([error, np.nan]),
        np.array([freedom, np.nan]),
    )


@pytest.mark.parametrize("shift", [ONE, TWO])
@pytest.mark.parametrize(
    ("estimate", "error", "freedom"),
    [(-2.5, 0.3, 4.0), (-2.5, 0.02, 50.0), (1.0, 0.5, 2.0), (-3.2, 1.5, 2.0), (2.0, 0.1, np.inf)],
)
def test_product_of_prior_and_likelihood(
    shift: Shift, estimate: float, error: float, freedom: float
) -> None:
    beliefs = believe(evidence(estimate, error, freedom), shift)
    x = np.sort(
        np.concatenate(
            [np.linspace(-40, 40, 400_001), estimate + error * np.linspace(-9, 9, 20001)]
        )
    )
    prior = sum(
        w * student.pdf(x + 3.0, SHAPE_FREEDOM, loc=m, scale=s)
        for w, m, s in zip(shift.weight, shift.mean, shift.spread, strict=True)
    )
    likelihood = (
        norm.pdf(estimate, x, error)
        if np.isinf(freedom)
        else student.pdf(estimate - x, freedom, scale=error)
    )
    for row, density in enumerate((prior * likelihood, prior)):
        share = np.concatenate([[0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(x))])
        spread = float(beliefs.quantile(0.84)[row] - beliefs.quantile(0.16)[row])
        for level in (0.01, 0.16, 0.5, 0.84, 0.99):
            exact = float(np.interp(level, share / share[-1], x))
            slack = 0.01 if 0.1 < level < 0.9 else 0.04
            assert beliefs.quantile(level)[row] == pytest.approx(exact, abs=slack * spread)


def test_draws_have_the_distribution() -> None:
    beliefs = believe(evidence(-2.5, 0.3, 4.0), TWO)
    draws = beliefs.sample(np.random.default_rng(0), 20_000)
    assert draws.shape == (20_000, 2)
    for host in (0, 1):
        nodes, share = beliefs.nodes[host], beliefs.cumulative[host]
        assert kstest(draws[:, host], lambda v, x=nodes, c=share: np.interp(v, x, c)).pvalue > 0.01
        assert draws[:, host].mean() == pytest.approx(beliefs.mean[host], abs=0.05)
    assert draws[:, 0].std() == pytest.approx(beliefs.spread[0], rel=0.05)


def test_few_labels_have_heavy_tails() -> None:
    """The same estimate and error, resting on 2 terms or on 200."""
    few, many = (believe(evidence(-2.6, 0.2, f), ONE) for f in (2.0, 200.0))
    assert np.diff([b.quantile(0.995)[0] - b.quantile(0.005)[0] for b in (many, few)])[0] > 0.5


def test_no_label_at_all_is_the_prior_around_the_classical_answer() -> None:
    beliefs = believe(Evidence.of_classical([-3.0, 5.0]), ONE)
    assert beliefs.quantile(0.5) == pytest.approx([-2.6, 5.4], abs=1e-3)
    assert beliefs.nodes[1] - beliefs.nodes[0] == pytest.approx(np.full(beliefs.nodes.shape[1], 8))


def test_believed_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Prior learned, 30 of 60 hosts labelled with errors of their own: nine tenths in 90 %."""
    inside = np.zeros(2)
    campaigns = 40
    for seed in range(campaigns):
        rng = np.random.default_rng(seed)
        classical = rng.normal(0, 3, 60)
        truth = classical + 0.5 + 0.7 * rng.standard_t(SHAPE_FREEDOM, 60)
        error = rng.uniform(0.05, 0.6, 60)
        estimate = truth + error * rng.standard_t(4.0, 60)
        known = np.arange(60) < 30
        hosts = Evidence(
            classical,
            np.where(known, estimate, np.nan),
            np.where(known, error, np.nan),
            np.full(60, 4.0),
        )
        beliefs = believe(hosts)
        held = (beliefs.quantile(0.05) < truth) & (truth < beliefs.quantile(0.95))
        inside += [held[known].mean(), held[~known].mean()]
    assert inside / campaigns == pytest.approx([0.9, 0.9], abs=0.025)


def test_precision_halves_with_every_half_life() -> None:
    hosts = evidence(-2.5, 0.3, 4.0)
    old = decayed(hosts, np.array([100.0, 0.0]), 50.0)
    assert old.standard_error[0] == pytest.approx(0.3 * 2.0)
    assert old.estimate is hosts.estimate
    assert decayed(hosts, np.array([9.0, 9.0]), np.inf).standard_error[0] == 0.3


def test_forgotten_estimate_falls_back_to_the_prior() -> None:
    hosts = evidence(1.0, 0.05, 30.0)
    forgotten = believe(decayed(hosts, np.array([1000.0, 0.0]), 10.0), ONE)
    assert forgotten.quantile(0.5)[0] == pytest.approx(forgotten.quantile(0.5)[1], abs=1e-3)


def test_shift_is_learned_when_none_is_given() -> None:
    hosts = evidence(-2.5, 0.3, 4.0)
    own: Beliefs = believe(hosts)
    assert own.mean == pytest.approx(believe(hosts, learn_shift(hosts)).mean)
