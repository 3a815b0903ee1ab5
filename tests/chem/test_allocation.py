"""What a round gets: budgets that last, tables that follow, predictions that are not believed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chem.allocation import (
    FEWEST_INSERTIONS,
    FEWEST_LABELS,
    Outlook,
    Purse,
    experience,
    humility,
    lot,
    outlook_of,
    plan_round,
)
from chem.combine import RoundEstimate
from chem.estimator import Moments


def purse(**changes: object) -> Purse:
    values: dict = {
        "insertions": 1_000_000,
        "labels": 299,
        "rounds": 8,
        "labels_spent": 0,
        "target_error": 0.01,
    }
    return Purse(**(values | changes))


def test_the_outlook_is_the_variance_of_a_sample_from_the_new_proposal():
    """Two levels of W on the unit interval; old density uniform, new one favours the high part."""
    rng = np.random.default_rng(3)
    x = rng.random(200_000)
    factor = np.where(x < 0.1, 10.0, 1.0)
    new_weight = np.where(x < 0.1, 0.2, 0.9 / 0.5)  # half of the new insertions fall below 0.1
    found = outlook_of(np.ones_like(x), new_weight, [factor], [0.3 * factor], len(x))
    mean = 0.1 * 10 + 0.9
    square = 0.5 * (0.2 * 10) ** 2 + 0.5 * (1.8 * 1) ** 2
    assert found.table_spread[0] == pytest.approx(square / mean**2 - 1.0, rel=0.05, abs=0.01)
    assert found.label_spread[0] == pytest.approx(0.09, rel=1e-6)


def test_overlapping_insertions_count_in_the_outlook():
    one = outlook_of(np.ones(50), np.ones(50), [np.ones(50)], [np.ones(50)], 100)
    assert one.table_spread[0] == pytest.approx(1.0)
    none = outlook_of(np.ones(2), np.ones(2), [np.zeros(2)], [np.zeros(2)], 10)
    assert none.table_spread == (math.inf,)


def test_without_a_target_in_reach_lots_grow_and_the_budget_lasts():
    spent, lots = 0, []
    for rounds in range(8, 0, -1):
        given = lot(purse(labels=299 - spent, labels_spent=spent, rounds=rounds))
        lots.append(given)
        spent += round(given)
    assert spent == 299
    assert lots[-1] > 2 * lots[1]
    assert min(lots) >= FEWEST_LABELS


@settings(max_examples=200, deadline=None)
@given(
    insertions=st.integers(1, 10**7),
    labels=st.integers(1, 1000),
    rounds=st.integers(1, 12),
    spent=st.integers(0, 500),
    target=st.floats(1e-4, 0.5),
    table=st.floats(0, 1e6),
    label=st.floats(0, 1e6),
    error=st.one_of(st.none(), st.floats(0, 10), st.just(math.inf)),
)
def test_a_plan_never_exceeds_the_purse(
    insertions, labels, rounds, spent, target, table, label, error
):
    errors = () if error is None else (error,)
    plan = plan_round(
        Purse(insertions, labels, rounds, spent, target, errors),
        Outlook((table,), (label,), (1.0,)),
    )
    assert 0 < plan.labels <= labels
    assert 1 <= plan.insertions <= insertions


def test_the_last_round_may_spend_everything():
    plan = plan_round(
        purse(rounds=1, target_error=1e-4, labels_spent=100), Outlook((50_000.0,), (5.0,), (1.0,))
    )
    assert plan.labels == 299
    assert plan.insertions == 1_000_000


def test_a_target_in_reach_saves_labels():
    outlook = Outlook((10.0,), (0.05,), (1.0,))
    near = plan_round(purse(target_error=0.05, labels_spent=100, relative_errors=(0.08,)), outlook)
    far = plan_round(purse(target_error=0.005, labels_spent=100, relative_errors=(0.08,)), outlook)
    assert near.labels < 0.8 * far.labels
    reached = 1.0 / (
        1.0 / 0.08**2 + 1.0 / outlook.relative_variance(near.labels, near.insertions)[0]
    )
    assert reached <= 0.05**2


def test_the_table_grows_when_it_is_the_larger_part():
    few = plan_round(
        purse(labels_spent=100, relative_errors=(0.5,)), Outlook((1.0,), (10.0,), (1.0,))
    )
    many = plan_round(
        purse(labels_spent=100, relative_errors=(0.5,)), Outlook((1e4,), (10.0,), (1.0,))
    )
    assert few.insertions == FEWEST_INSERTIONS
    assert many.insertions > 2 * FEWEST_INSERTIONS


def test_several_temperatures_get_what_the_worst_needs():
    both = Outlook((10.0, 40.0), (0.02, 0.01), (1.0, 1.0))
    plan = plan_round(
        purse(target_error=0.05, labels_spent=100, relative_errors=(0.07, 0.07)), both
    )
    for k in range(2):
        one = Outlook((both.table_spread[k],), (both.label_spread[k],), (1.0,))
        alone = plan_round(purse(target_error=0.05, labels_spent=100, relative_errors=(0.07,)), one)
        assert plan.labels >= alone.labels
        assert plan.insertions >= alone.insertions


def estimate(seen: float, predicted: float, known: float = 1.0) -> RoundEstimate:
    moments = Moments(np.ones(2), np.zeros((2, 2)), np.eye(2) * seen, 100.0, 20.0, 0.1, 50.0, 10.0)
    return RoundEstimate(1, moments, predicted, predicted, known)


def test_labels_teach_how_far_to_believe_predictions():
    first = estimate(1.0, 1.0)
    assert experience([]) == experience([first]) == 1.0
    assert experience([first, estimate(0.01, 0.01)]) == pytest.approx(1.0)
    assert experience([first, estimate(0.01, 0.1)]) == pytest.approx(0.1**0.4)
    assert experience([first, estimate(0.1, 0.01, known=2.0)]) == pytest.approx(2.0 * 10**0.4)


def test_experience_tracks_a_constant_misjudgement():
    known = 1.0
    for _ in range(12):
        known = experience([estimate(1.0, 1.0), estimate(0.01, 1.0 * known, known)])
    assert known == pytest.approx(0.01, rel=0.05)


def test_an_answer_far_above_the_past_is_an_error_of_its_size():
    outlook = Outlook((1.0, 1.0), (1.0, 1.0), (10.0, 0.1))
    assert outlook.overshoot((2.0, 2.0)) == pytest.approx((25.0, 1.0))
    assert outlook.overshoot(()) == (1.0, 1.0)
    assert outlook.overshoot((-1.0, 2.0)) == (1.0, 1.0)


def test_a_young_surrogate_is_not_believed():
    assert humility(20) > 30
    assert humility(300) < 1.05
