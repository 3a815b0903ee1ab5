"""Henry selectivity: the interval covers, turns over with the guests and needs like with like."""

import math

import numpy as np
import pytest

from chem.combine import interval
from chem.selectivity import henry_selectivity, selectivity_of_results
from data.errors import SettingsError
from data.records import Estimate


def test_value_and_error():
    found = henry_selectivity(Estimate(6e-5, 0.03 * 6e-5), Estimate(2e-6, 0.04 * 2e-6))
    assert found.value == pytest.approx(30.0)
    assert found.relative_standard_error == pytest.approx(0.05, rel=1e-3)
    low, high = found.interval
    assert math.log(high / 30.0) == pytest.approx(1.959964 * found.relative_standard_error)
    assert low * high == pytest.approx(900.0)
    assert found.trustworthy


def test_turning_the_guests_over_inverts_it():
    one, two = Estimate(3e-5, 2e-6, 40.0), Estimate(2e-6, 3e-7, 900.0)
    there, back = henry_selectivity(one, two), henry_selectivity(two, one)
    assert there.value * back.value == pytest.approx(1.0)
    assert there.interval[0] * back.interval[1] == pytest.approx(1.0)
    assert there.interval[1] * back.interval[0] == pytest.approx(1.0)


def test_an_exact_second_guest_leaves_the_interval_of_the_first():
    one = Estimate(3e-5, 2e-6, 21.0)
    found = henry_selectivity(one, Estimate(2e-6, 0.0, 100.0))
    assert found.degrees_of_freedom == pytest.approx(20.0)
    expected = [end / 2e-6 for end in interval(one, 20.0)]
    assert found.interval == pytest.approx(expected)


def test_welch_lies_between_the_weaker_and_the_sum():
    found = henry_selectivity(Estimate(1.0, 0.1, 11.0), Estimate(1.0, 0.1, 31.0))
    assert 10.0 < found.degrees_of_freedom < 40.0


def test_covariance_narrows_it():
    one, two = Estimate(1.0, 0.1), Estimate(1.0, 0.1)
    together = henry_selectivity(one, two, ln_covariance=math.log1p(0.01))
    assert together.relative_standard_error == pytest.approx(0.0, abs=1e-7)
    assert together.interval == pytest.approx((1.0, 1.0))


def test_the_interval_covers():
    """Two means of lognormal draws; 95 % intervals hold the true ratio 95 times in a hundred."""
    rng = np.random.default_rng(11)
    hits = 0
    trials, n = 2000, 60
    for _ in range(trials):
        estimates = []
        for scale in (5.0, 1.0):
            draws = scale * rng.lognormal(-0.125, 0.5, n)  # mean: scale
            estimates.append(Estimate(draws.mean(), draws.std(ddof=1) / math.sqrt(n), n))
        low, high = henry_selectivity(*estimates).interval
        hits += low < 5.0 < high
    assert abs(hits / trials - 0.95) < 3.0 * math.sqrt(0.95 * 0.05 / trials) + 0.01


def result(**changes):
    plain = {
        "host_hash": "a",
        "force_field": "UFF",
        "reference": "classical",
        "temperature_k": 298.15,
        "henry_mol_per_kg_pa": 4e-5,
        "henry_relative_standard_error": 0.01,
        "effective_samples": 5000.0,
        "correction_effective_samples": 12.0,
        "rounds": 0,
    }
    return plain | changes


def test_of_results():
    other = result(henry_mol_per_kg_pa=1e-6, henry_relative_standard_error=0.02)
    found = selectivity_of_results(result(), other)
    assert found.value == pytest.approx(40.0)
    assert found.relative_standard_error == pytest.approx(math.hypot(0.01, 0.02), rel=1e-3)
    assert found.degrees_of_freedom > 4999
    labelled = selectivity_of_results(result(rounds=3), result(rounds=3))
    assert labelled.degrees_of_freedom == pytest.approx(22.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host_hash": "b"}, "different host"),
        ({"force_field": "DREIDING"}, "different force field"),
        ({"temperature_k": 300.0}, "one temperature"),
        ({"henry_mol_per_kg_pa": 0.0}, "second guest is 0"),
        ({"henry_mol_per_kg_pa": None}, "second guest is nan"),
    ],
)
def test_unlike_results(changes, message):
    with pytest.raises(SettingsError, match=message):
        selectivity_of_results(result(), result(**changes))


def test_an_unknown_error_gives_no_false_certainty():
    found = selectivity_of_results(result(), result(henry_relative_standard_error=None))
    assert found.interval == (0.0, math.inf)
    assert not found.trustworthy
    with pytest.raises(SettingsError, match="level"):
        henry_selectivity(Estimate(1.0, 0.1), Estimate(1.0, 0.1), level=95.0)
