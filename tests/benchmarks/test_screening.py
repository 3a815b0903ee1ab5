"""The replay of screens: lots that are unbiased, ways that spend what they say."""

from __future__ import annotations

import numpy as np
import pytest
from common.screen_policies import (
    Campaign,
    Policy,
    Thompson,
    equal_split,
    greedy,
    greedy_top,
    halving,
)
from common.screen_runs import Course
from common.screen_tables import HostTable

from chem.allocation import Schedule
from chem.estimator import beta_mol_per_kj


def table(seed: int, depth: float = 0.0, rows: int = 1500) -> HostTable:
    """A made-up host: wells of some width, and a reference that is not a function of them."""
    rng = np.random.default_rng([1, seed])
    dispersion = -12.0 + depth + 6.0 * rng.normal(size=rows)
    baseline = dispersion + 2.0 * rng.normal(size=rows)
    reference = 1.1 * baseline + 1.0 + 1.5 * rng.normal(size=rows)
    measure = np.full(rows, 0.6 / rows)
    return HostTable(f"h{seed}", 10, measure, baseline, dispersion, reference, 1e-6, 298.15)


def test_truth_is_the_plain_sum() -> None:
    host = table(0)
    beta = beta_mol_per_kj(298.15)
    by_hand = 1e-6 * sum(
        m * np.exp(-beta * u) for m, u in zip(host.measure, host.reference_kj_per_mol, strict=True)
    )
    assert host.ln_henry("reference") == pytest.approx(np.log(by_hand))
    assert np.exp(host.thinned(2).ln_henry("reference")) == pytest.approx(by_hand, rel=0.25)


def test_replayed_lots_are_unbiased() -> None:
    """Over 400 runs, after the first lot and after the last, within their own errors."""
    host, schedule = table(1), Schedule(40, 12, 8)
    truth = np.exp(host.ln_henry("reference"))
    ratios = []
    for seed in range(400):
        run = Course(host, schedule, np.random.default_rng([2, seed]))
        ratios.append([np.exp(run.after(k).ln_henry) / truth for k in (1, run.lots)])
    found = np.array(ratios)
    error = found.std(axis=0) / np.sqrt(len(found))
    assert np.abs(found.mean(axis=0) - 1.0) == pytest.approx(0.0, abs=3.0 * error.max())
    assert error[1] < error[0]


def test_lots_do_not_hang_on_when_they_are_asked_for() -> None:
    host, schedule = table(2), Schedule(40, 12, 8)
    one = Course(host, schedule, np.random.default_rng(3))
    other = Course(host, schedule, np.random.default_rng(3))
    last = one.after(one.lots)
    step = [other.after(k) for k in range(1, other.lots + 1)]
    assert step[-1] == last
    assert last.labels <= 40


@pytest.mark.parametrize(
    "policy", [greedy, greedy_top, halving, Thompson("plain"), Thompson("top-two"), equal_split]
)
def test_every_way_finds_the_top_when_it_may_spend_enough(policy: Policy) -> None:
    hosts = [table(seed, depth=0.7 * seed) for seed in range(12)]
    courses = [
        Course(host, Schedule(60, 12, 8), np.random.default_rng([4, k]))
        for k, host in enumerate(hosts)
    ]
    campaign = Campaign(
        np.array([host.ln_henry("baseline") for host in hosts]),
        np.array([host.ln_henry("reference") for host in hosts]),
        courses,
        3,
    )
    policy(campaign, 600.0, np.random.default_rng(5))
    assert campaign.curve[-1][1] >= 2 / 3
    assert campaign.spent == pytest.approx(campaign.labels.sum())
    assert all(a[0] <= b[0] for a, b in zip(campaign.curve, campaign.curve[1:], strict=False))
