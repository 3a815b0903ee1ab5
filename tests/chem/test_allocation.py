"""What a round gets and counts: budgets that last, weights that nothing seen can move, tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chem.allocation import FEWEST_INSERTIONS, FEWEST_LABELS, Outlook, Schedule, outlook_of


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


@settings(max_examples=200, deadline=None)
@given(labels=st.integers(1, 5000), rounds=st.integers(1, 30))
def test_lots_add_up_to_the_budget_and_weights_grow_with_what_was_learned(labels, rounds):
    schedule = Schedule(labels, rounds)
    assert sum(schedule.lots) == pytest.approx(labels)
    assert 1 <= len(schedule.lots) <= rounds
    assert min(schedule.lots) >= min(FEWEST_LABELS, labels)
    per_label = [schedule.weight(k + 1) / lot for k, lot in enumerate(schedule.lots)]
    assert per_label == sorted(per_label)
    assert per_label[-1] > 0
    assert [share > 0 for share in per_label[1:]] == [True] * (len(per_label) - 1)
    assert (per_label[0] == 0) == (len(per_label) > 1)


def test_labels_grow_from_round_to_round_and_late_rounds_carry_the_answer():
    schedule = Schedule(599, 10)
    assert len(schedule.lots) == 10
    assert all(b > a for a, b in zip(schedule.lots[1:], schedule.lots[2:], strict=False))
    weights = np.array([schedule.weight(k + 1) for k in range(10)])
    assert weights[-1] > 0.5 * weights.sum()
    assert weights[:3].sum() < 0.01 * weights.sum()


@settings(max_examples=200, deadline=None)
@given(
    most=st.integers(1, 10**7),
    labels=st.floats(1, 1000),
    target=st.floats(1e-4, 0.5),
    table=st.one_of(st.floats(0, 1e6), st.just(math.inf)),
    label=st.one_of(st.floats(0, 1e6), st.just(math.inf)),
)
def test_a_table_stays_within_what_there_is(most, labels, target, table, label):
    count = Outlook((table,), (label,)).insertions(labels, target, most)
    assert min(most, FEWEST_INSERTIONS) <= count <= most


def test_the_table_grows_until_it_is_the_smaller_part():
    few = Outlook((1.0,), (10.0,)).insertions(100, 0.01, 10**9)
    many = Outlook((1e5,), (10.0,)).insertions(100, 0.01, 10**9)
    assert few == FEWEST_INSERTIONS
    assert 1e5 / many <= 0.25 * 10.0 / 100
    precise = Outlook((1e5,), (1e-9,)).insertions(100, 0.01, 10**12)
    assert 1e5 / precise == pytest.approx(0.25 * 0.01**2, rel=0.5)


def test_several_temperatures_get_what_the_worst_needs():
    both = Outlook((10.0, 4000.0), (0.2, 0.1)).insertions(50, 0.05, 10**9)
    alone = [
        Outlook((s,), (c,)).insertions(50, 0.05, 10**9) for s, c in ((10.0, 0.2), (4000.0, 0.1))
    ]
    assert both == max(alone)


def test_last_bits_of_the_outlook_do_not_change_the_table():
    one = Outlook((5000.0,), (0.3,)).insertions(40, 0.02, 10**9)
    other = Outlook((5000.0 * (1 + 1e-9),), (0.3 * (1 - 1e-9),)).insertions(40, 0.02, 10**9)
    assert one == other


def test_early_tables_leave_insertions_for_later_ones():
    schedule = Schedule(299, 10)
    left = 1_000_000
    taken = []
    for number in range(1, len(schedule.lots) + 1):
        taken.append(schedule.most_insertions(number, left))
        left -= taken[-1]
    assert left == 0
    assert min(taken) >= 0.75 * 1_000_000 / len(taken)


def test_a_round_of_more_labels_than_are_left_for_others_gets_more_insertions():
    schedule = Schedule(299, 10)
    last_but_one, last = schedule.lots[-2:]
    share = last_but_one / (last_but_one + last)
    assert share > 0.6
    taken = schedule.most_insertions(len(schedule.lots) - 1, 100_000)
    assert taken == pytest.approx(share * 100_000, abs=1)
    assert schedule.most_insertions(len(schedule.lots), 100_000) == 100_000
