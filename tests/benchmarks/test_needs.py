"""The labels each way needs, against populations small enough to be worked out by force."""

from __future__ import annotations

import numpy as np
import pytest
from common.needs import (
    NEVER,
    ScoredRound,
    Tradeoff,
    best_tempering,
    importance_sampling,
    threshold_routing,
    uniform_variance,
)

BETA = 0.4


def population(seed: int = 0, size: int = 4000, noise: float = 1.0) -> ScoredRound:
    """A uniform table, a third of it in the hard core, every insertion labelled for certain."""
    rng = np.random.default_rng(seed)
    energy = rng.normal(-5.0, 2.0, size)
    baseline = energy + rng.normal(0.5, noise, size)
    drawn = np.stack([np.ones(size), energy, energy], axis=1)
    return ScoredRound(
        1, 1.0, int(1.5 * size), np.ones(size), energy, baseline, drawn, np.ones(size)
    )


def test_uniform_variance_is_that_of_the_table():
    r = population()
    factor = np.concatenate([np.exp(-BETA * r.energy), np.zeros(r.insertions - len(r.energy))])
    found = uniform_variance([r], BETA)
    assert found.value == pytest.approx((factor**2).mean() / factor.mean() ** 2, rel=1e-12)
    assert found.standard_error > 0


def test_uniform_variance_stands_by_its_error_and_corrects_a_poor_surrogate():
    """Half of each table labelled: 300 tables scatter about the truth as much as they say."""
    truth = uniform_variance([population(99, 2_000_000)], BETA).value
    found = []
    for seed in range(300):
        r = population(seed)
        rng = np.random.default_rng(1000 + seed)
        chosen = rng.random(len(r.energy)) < 0.5
        surrogate = r.energy + 0.7 + rng.normal(0.0, 0.3, len(r.energy))
        drawn = np.stack([r.weight / 0.5, surrogate, r.energy], axis=1)[chosen]
        half = np.full(int(chosen.sum()), 0.5)
        fields = vars(r) | {"energy": surrogate, "drawn": drawn, "probability": half}
        found.append(uniform_variance([ScoredRound(**fields)], BETA))
    values = np.array([f.value for f in found])
    stated = np.sqrt(np.mean([f.standard_error**2 for f in found]))
    assert abs(values.mean() - truth) < 4.0 * values.std() / np.sqrt(len(values)) + 0.02 * truth
    assert 0.7 < stated / values.std() < 1.4


def test_importance_sampling_errs_as_its_draws_do():
    r = population(3, noise=1.5)
    way = importance_sampling(r, BETA)
    density = np.exp(-BETA * r.baseline)
    factor = np.exp(-BETA * r.energy)
    rng = np.random.default_rng(5)
    labels = 200
    rows = rng.choice(len(density), (4000, labels), p=density / density.sum())
    answers = (factor / density)[rows].mean(axis=1) * density.sum() / factor.sum()
    observed = np.sqrt(((answers - 1.0) ** 2).mean())
    assert way.error(np.array([labels]))[0] <= 1.05 * observed  # the best choice is granted
    assert way.variance[-1] / labels == pytest.approx(observed**2, rel=0.2)  # nothing left out


def test_a_perfect_force_field_needs_no_variance_and_tempering_does_not_help_it():
    r = population(2)
    same = ScoredRound(**(vars(r) | {"baseline": r.energy}))
    assert importance_sampling(same, BETA).need(0.05) == pytest.approx(0.0, abs=1e-9)
    assert best_tempering(same, BETA, 0.05)[0] == 1.0


def test_threshold_routing_with_every_insertion_labelled_is_uniform_widom():
    r = population(4)
    way = threshold_routing(r, BETA)
    assert way.bias[-1] == pytest.approx(0.0, abs=1e-12)
    plain = (uniform_variance([r], BETA).value - 1.0) * r.free_share  # the core is not labelled
    assert way.variance[-1] == pytest.approx(plain, rel=1e-9)
    assert way.need(0.05) <= plain / 0.05**2


def test_needs_and_errors_are_two_readings_of_one_curve():
    way = Tradeoff(np.array([0.1, 0.02, 0.0]), np.array([1.0, 5.0, 100.0]))
    need = way.need(0.05)
    assert way.error(np.array([need]))[0] == pytest.approx(0.05)
    assert Tradeoff(np.array([0.3]), np.array([1.0])).need(0.05) == NEVER


def test_labels_that_spoil_the_square_leave_the_surrogates_own():
    r = population(6)
    drawn = np.array([[4000.0, -9.0, -2.0]])  # one label, of great weight, far above its surrogate
    spoilt = ScoredRound(**(vars(r) | {"drawn": drawn, "probability": np.array([0.001])}))
    found = uniform_variance([spoilt], BETA)
    assert found.value == pytest.approx(uniform_variance([r], BETA).value)
    assert found.standard_error == found.value
