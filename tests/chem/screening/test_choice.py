"""Who gets the next lot."""

from __future__ import annotations

import numpy as np
import pytest

from chem.screening.choice import Rule, choose

MEANS = np.array([0.0, 0.6, 0.9, -2.0])
SPREADS = np.array([1.0, 0.5, 0.3, 0.5])
ALL = np.ones(4, dtype=bool)


def draws(seed: int, count: int = 40) -> np.ndarray:
    return MEANS + SPREADS * np.random.default_rng([7, seed]).normal(size=(count, 4))


def test_plain_picks_a_host_as_often_as_it_is_likely_to_be_the_best() -> None:
    """Thompson's property, over independent decisions."""
    repeats = 4000
    rng = np.random.default_rng(0)
    counts = np.bincount(
        [choose(draws(k, 2), 1, 1, ALL, rng, "plain")[0].host for k in range(repeats)], minlength=4
    )
    best = np.argmax(MEANS + SPREADS * rng.normal(size=(200_000, 4)), axis=1)
    exact = np.bincount(best, minlength=4) / len(best)
    error = np.sqrt(exact * (1 - exact) / repeats) + 1e-4
    assert np.abs(counts / repeats - exact).max() < 4 * error.max()
    assert (np.abs(counts / repeats - exact) < 4 * error).all()


def test_top_two_takes_hosts_whose_membership_is_in_question() -> None:
    """Two sure members, two that compete for the third place, one sure to be out."""
    means = np.array([9.0, 8.0, 1.0, 1.2, -9.0])
    rng = np.random.default_rng(1)
    picked = [
        pick
        for _ in range(200)
        for pick in choose(
            means + 0.3 * rng.normal(size=(50, 5)), 3, 1, np.ones(5, bool), rng, "top-two"
        )
    ]
    assert {p.host for p in picked} == {2, 3}
    assert {p.reason for p in picked} <= {"contested", "undecided"}
    assert sum(p.reason == "contested" for p in picked) > 150


def test_top_two_takes_the_vaguer_of_the_two() -> None:
    rng = np.random.default_rng(2)
    utility = np.array([0.0, 0.0]) + np.array([1.0, 0.01]) * rng.normal(size=(60, 2))
    assert choose(utility, 1, 1, np.ones(2, bool), rng)[0].host == 0


@pytest.mark.parametrize("rule", ["plain", "top-two"])
def test_a_batch_never_takes_a_host_twice(rule: Rule) -> None:
    rng = np.random.default_rng(3)
    for seed in range(50):
        hosts = [p.host for p in choose(draws(seed), 2, 3, ALL, rng, rule)]
        assert len(hosts) == len(set(hosts)) == 3


@pytest.mark.parametrize("rule", ["plain", "top-two"])
def test_hosts_that_cannot_take_a_lot_get_none(rule: Rule) -> None:
    rng = np.random.default_rng(4)
    able = np.array([True, False, False, True])
    assert {p.host for p in choose(draws(0), 1, 4, able, rng, rule)} == {0, 3}
    assert choose(draws(0), 1, 2, ~ALL, rng, rule) == []


def test_with_nothing_in_question_the_least_certain_gets_it() -> None:
    rng = np.random.default_rng(5)
    utility = np.array([5.0, 3.0, 0.0]) + np.array([0.1, 0.1, 0.5]) * rng.normal(size=(60, 3))
    pick = choose(utility, 2, 1, np.ones(3, bool), rng)[0]
    assert (pick.host, pick.reason) == (2, "undecided")


def test_same_stream_same_decisions() -> None:
    one, two = (choose(draws(0), 2, 3, ALL, np.random.default_rng(6)) for _ in range(2))
    assert one == two
