"""Calls that fail in the benchmark of failing references: a tenth of them, where they should."""

from __future__ import annotations

import numpy as np
import pytest
from common.failures import SHARE, WAYS, fails, site
from common.population import Population, populate
from common.replicate import Options
from failing import CASES, coverage, replicates, summary

from chem.estimator import beta_mol_per_kj, boltzmann_factor


@pytest.fixture(scope="module")
def population() -> Population:
    return populate(coverage().CASES[CASES[1]], 20_000)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "one site"])
def test_a_tenth_of_a_round_fails(population: Population, way) -> None:
    chance = np.random.default_rng(1)
    rows = np.flatnonzero(np.isfinite(population.reference_kj_per_mol))[:50]
    failed = np.array([fails(way, population, rows, chance) for _ in range(400)])
    assert failed.mean() == pytest.approx(SHARE, abs=0.01)
    assert not fails("none", population, rows, chance).any()
    energy = population.reference_kj_per_mol[rows]
    strong = energy <= np.quantile(energy, 0.2)
    expected = {"strongly bound": 0.34, "strongest tenth": 0.5, "near overlap": 0.0}
    assert failed[:, strong].mean() == pytest.approx(expected.get(way, SHARE), abs=0.02)


def test_one_site_holds_a_tenth_of_the_answer(population: Population) -> None:
    inside = site(population)
    beta = beta_mol_per_kj(population.case.temperature_k)
    part = population.measure * boltzmann_factor(beta, population.reference_kj_per_mol)
    assert part[inside].sum() / population.truth == pytest.approx(SHARE, abs=0.01)
    spread = np.ptp(population.fractional[inside], axis=0)
    assert inside[int(np.argmin(population.reference_kj_per_mol))]
    assert spread.min() < 0.5


def test_rules_agree_where_nothing_fails_and_differ_where_calls_do() -> None:
    whole = replicates(CASES[1], "good", 0, 0, 2, Options(insertions=60_000, max_labels=60))
    for outcome in whole:
        assert len(set(outcome.answers.values())) == 1
        assert outcome.failed_calls == outcome.failed_share == 0.0
    options = Options(insertions=60_000, max_labels=60, failures="at random")
    cell = summary("", "good", "at random", replicates(CASES[1], "good", 0, 0, 4, options))
    assert cell.width["none failed"] == 1.0
    assert cell.width["now"] > 1.1
    assert 0.02 < cell.failed_calls < 0.25
