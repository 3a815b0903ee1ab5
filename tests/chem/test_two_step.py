"""The two-step estimator against every outcome of both draws, and against a real pair of levels."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from chem.estimator import Labelled, beta_mol_per_kj, corrected_moments, table_moments
from chem.two_step import LabelledRound, correct, energy_shift, upgrade

BETA = beta_mol_per_kj(300.0)
INSERTIONS = 7  # three of them overlap
WEIGHT = np.array([0.6, 1.0, 1.7, 2.2])
SURROGATE = np.array([-3.0, -6.0, -1.0, -5.0])
LOW = np.array([-4.0, -5.0, -3.5, -7.0])
HIGH = np.array([-6.5, -7.0, -6.0, -9.5])
FIRST = np.array([0.4, 0.7, 0.3, 0.6])
SECOND = np.array([0.5, 0.6, 0.35, 0.8])


def one_round(first: np.ndarray, second: np.ndarray, **changes: object) -> LabelledRound:
    """The round that a pair of draws (boolean, over the whole population) leaves."""
    moments = corrected_moments(
        BETA,
        WEIGHT,
        SURROGATE,
        Labelled(WEIGHT[first], SURROGATE[first], LOW[first], FIRST[first]),
        INSERTIONS,
    )
    fields: dict = {
        "number": 1,
        "share": 1.0,
        "table": 1,
        "insertions": INSERTIONS,
        "mean": float(moments.mean[0]),
        "energy_kj_per_mol": float("nan"),
        "table_variance": float(moments.table_covariance[0, 0]),
        "effective_samples": moments.effective_samples,
        "weight": WEIGHT[first],
        "surrogate_kj_per_mol": SURROGATE[first],
        "low_kj_per_mol": LOW[first],
        "probability": FIRST[first],
        "second_probability": SECOND[first],
        "high_kj_per_mol": np.where(second, HIGH, np.nan)[first],
    }
    return LabelledRound(**(fields | changes))


def outcomes():
    """Every pair of draws with its probability."""
    every = list(itertools.product([False, True], repeat=4))
    for first in map(np.array, every):
        chance = np.prod(np.where(first, FIRST, 1.0 - FIRST))
        for second in map(np.array, every):
            if not (second & ~first).any():
                odds = np.where(second, SECOND, 1.0 - SECOND)[first]
                yield first, second, float(chance * np.prod(odds))


def value(energy: np.ndarray, about: float | None) -> np.ndarray:
    factor = WEIGHT * np.exp(-BETA * energy)
    return factor if about is None else factor * (energy - about)


@pytest.mark.parametrize("about", [None, -6.0], ids=["W", "(U - E) W"])
def test_mean_and_both_variances_over_every_outcome(about):
    """Exact expectations: the change, the first draw's and the second draw's variance."""
    answers, firsts, seconds, moments, chances = [], [], [], [], []
    at_surrogate, at_low = value(SURROGATE, about), value(LOW, about)
    for first, second, chance in outcomes():
        found = correct(BETA, one_round(first, second), about)
        low = at_surrogate.sum() + ((at_low - at_surrogate) / FIRST)[first].sum()
        squares = (at_surrogate**2).sum()
        squares += ((at_low**2 - at_surrogate**2) / FIRST)[first].sum()
        answers.append(low / INSERTIONS + found.change)
        firsts.append(found.first_variance)
        seconds.append(found.second_variance)
        moments.append(squares / INSERTIONS + found.second_moment_change)
        chances.append(chance)
    chances, answers = np.array(chances), np.array(answers)
    at_high = value(HIGH, about)
    truth = at_high.sum() / INSERTIONS
    assert chances.sum() == pytest.approx(1.0)
    assert chances @ answers == pytest.approx(truth, rel=1e-12)
    assert chances @ np.array(moments) == pytest.approx((at_high**2).sum() / INSERTIONS, rel=1e-12)
    first = ((1 - FIRST) / FIRST * (at_high - at_surrogate) ** 2).sum() / INSERTIONS**2
    second = ((1 - SECOND) / (SECOND * FIRST) * (at_high - at_low) ** 2).sum() / INSERTIONS**2
    assert chances @ np.array(firsts) == pytest.approx(first, rel=1e-12)
    assert chances @ np.array(seconds) == pytest.approx(second, rel=1e-12)
    assert chances @ (answers - truth) ** 2 == pytest.approx(first + second, rel=1e-12)


def test_a_shift_from_earlier_rounds_keeps_mean_and_variance_over_every_outcome():
    """Two rounds of unequal share; what the first finds moves the second's low level."""
    mean = squares = stated = total = 0.0
    every = list(outcomes())
    for one, two, chance in every:
        before = one_round(one, two, share=0.2, table=1)
        for first, second, odds in every:
            after = one_round(first, second, share=0.8, table=2)
            shift = energy_shift(BETA, [before])
            parts = [before, after.shifted(BETA, shift)]
            found = [correct(BETA, r) for r in parts]
            answer = sum(r.share * (r.mean + c.change) for r, c in zip(parts, found, strict=True))
            own = sum(
                r.share**2 * (c.first_variance + c.second_variance)
                for r, c in zip(parts, found, strict=True)
            )
            weight = chance * odds
            mean += weight * answer
            squares += weight * answer**2
            stated += weight * own
            total += weight
    truth = value(HIGH, None).sum() / INSERTIONS
    assert total == pytest.approx(1.0)
    assert mean == pytest.approx(truth, rel=1e-12)
    assert squares - truth**2 == pytest.approx(stated, rel=1e-9)


def test_rounds_come_together_as_their_parts_do():
    every, some = np.ones(4, dtype=bool), np.array([True, False, True, True])
    before, after = one_round(every, some, share=0.3), one_round(every, some, share=0.3, table=2)
    last = one_round(every, ~some, share=0.4, table=3)
    found = upgrade(BETA, [before, after, last], 1)
    shift = energy_shift(BETA, [before])
    moved = [r.shifted(BETA, shift) for r in (after, last)]
    expected = sum(
        w * (r.mean + correct(BETA, r).change) for w, r in zip((3 / 7, 4 / 7), moved, strict=True)
    )
    assert found.estimate.mean == pytest.approx(expected, rel=1e-14)
    assert found.shift_kj_per_mol == shift < 0
    second = sum(
        w**2 * correct(BETA, r).second_variance for w, r in zip((3 / 7, 4 / 7), moved, strict=True)
    )
    assert found.second_standard_error == pytest.approx(np.sqrt(second), rel=1e-14)


def rounds_of(rng, low, high, labels=40, insertions=6000):
    """Two made-up rounds of the same labelled insertions and second draws from them."""
    weight = np.full(len(low), insertions / len(low) * 0.02)
    base = table_moments(BETA, weight, low, insertions)
    rounds = []
    for share, part in ((0.1, 0.25), (0.9, 0.75)):
        q = np.full(len(low), part * labels / len(low))
        taken = rng.random(len(low)) < q
        rounds.append(
            LabelledRound(
                number=len(rounds) + 1,
                share=share,
                table=len(rounds),
                insertions=insertions,
                mean=float(base.mean[0]),
                energy_kj_per_mol=float(base.mean[1] / base.mean[0]),
                table_variance=float(base.table_covariance[0, 0]),
                effective_samples=base.effective_samples,
                weight=weight,
                surrogate_kj_per_mol=low,
                low_kj_per_mol=low,
                probability=np.ones(len(low)),
                second_probability=q,
                high_kj_per_mol=np.where(taken, high, np.nan),
            )
        )
    return rounds, table_moments(BETA, weight, high, insertions)


def test_a_constant_difference_of_the_levels_costs_later_rounds_nothing():
    rng = np.random.default_rng(1)
    low = rng.normal(-10.0, 3.0, 400)
    rounds, truth = rounds_of(rng, low, low - 5.0)
    assert energy_shift(BETA, rounds[:1]) == pytest.approx(-5.0)
    moved = rounds[1].shifted(BETA, -5.0)
    found = correct(BETA, moved)
    assert moved.mean + found.change == pytest.approx(truth.mean[0], rel=1e-12)
    assert found.second_variance == pytest.approx(0.0, abs=1e-24 * truth.mean[0] ** 2)
    answer = upgrade(BETA, rounds, 1, 0.0)
    assert answer.estimate.mean == pytest.approx(truth.mean[0], rel=1e-12)
    assert answer.second_standard_error < 1e-9 * truth.mean[0]
    assert answer.energy_kj_per_mol == pytest.approx(truth.mean[1] / truth.mean[0], rel=1e-12)
    plain = upgrade(BETA, rounds, 0, 0.0)
    assert plain.second_standard_error > 0.1 * truth.mean[0]


def test_answers_scatter_as_their_errors_say_and_agree_with_the_truth():
    rng = np.random.default_rng(2)
    low = rng.normal(-10.0, 1.0, 400)
    high = low - 3.0 + rng.normal(0.0, 1.2, 400)
    found = []
    for _ in range(500):
        rounds, truth = rounds_of(rng, low, high)
        found.append(upgrade(BETA, rounds, 1, 0.0))
    means = np.array([f.estimate.mean for f in found])
    second = np.sqrt(np.mean([f.second_standard_error**2 for f in found]))
    assert abs(means.mean() - truth.mean[0]) < 3.0 * means.std() / np.sqrt(len(means))
    assert means.std() == pytest.approx(second, rel=0.15)
    energies = np.array([f.energy_kj_per_mol for f in found])
    energy = truth.mean[1] / truth.mean[0]
    assert abs(energies.mean() - energy) < 0.3 * energies.std()  # a ratio, biased by 1/labels
    errors = np.sqrt(np.mean([f.energy_standard_error**2 for f in found]))
    assert energies.std() == pytest.approx(errors, rel=0.3)


def test_too_few_labels_have_no_error_to_state_and_failed_ones_keep_the_surrogate():
    nothing, every = np.zeros(4, dtype=bool), np.ones(4, dtype=bool)
    assert upgrade(BETA, [one_round(every, nothing)]).estimate.standard_error == np.inf
    failed = one_round(every, nothing, low_kj_per_mol=np.full(4, np.nan))
    assert failed.known_kj_per_mol.tolist() == SURROGATE.tolist()


def test_labels_that_fail_at_the_high_level_leave_no_bias_and_widen_the_error():
    rng = np.random.default_rng(3)
    low = rng.normal(-10.0, 1.0, 400)
    high = low - 3.0 + rng.normal(0.0, 1.2, 400)
    means, whole, second, bare = [], [], [], []
    for _ in range(300):
        rounds, truth = rounds_of(rng, low, high)
        failing = []
        for r in rounds:
            gone = r.labelled & (rng.random(400) < 0.15)
            lost = np.where(gone, np.nan, r.high_kj_per_mol)
            failing.append(replace(r, high_kj_per_mol=lost, high_failed=gone))
        found, every = upgrade(BETA, failing, 0, 0.0), upgrade(BETA, rounds, 0, 0.0)
        means.append(found.estimate.mean)
        whole.append(every.estimate.mean)
        second.append(found.second_standard_error)
        bare.append(every.second_standard_error)
    error = np.std(means) / np.sqrt(len(means))
    assert abs(np.mean(means) - truth.mean[0]) < 3.0 * error
    # Kept at the low level, a failed label would have lost its share of a factor of three.
    assert 0.1 * (truth.mean[0] - rounds[0].mean) > 3.0 * error
    assert np.median(second) > 1.2 * np.median(bare)
    nothing = replace(rounds[0], high_failed=np.zeros(400, dtype=bool))
    assert correct(BETA, nothing).change == correct(BETA, rounds[0]).change
    assert correct(BETA, nothing).hidden_variance == 0.0
