"""What the campaign learns of reference less classical, against brute force and against truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import cauchy, norm
from scipy.stats import t as student

from chem.screening.evidence import Evidence, logarithmic, student_log_density
from chem.screening.prior import MEAN_SPREAD, SHAPE_FREEDOM, learn_shift


def evidence_of(shift: np.ndarray, error: np.ndarray, freedom: float = 30.0) -> Evidence:
    zero = np.zeros(len(shift))
    return Evidence(zero, shift, error, np.full(len(shift), freedom))


def test_student_density_is_scipys() -> None:
    x = np.linspace(-5, 5, 11)
    assert student_log_density(x, 0.7, 3.0) == pytest.approx(student.logpdf(x, 3.0, scale=0.7))
    assert student_log_density(x, 0.7, np.inf) == pytest.approx(norm.logpdf(x, scale=0.7), rel=1e-4)


def test_error_of_a_logarithm_is_that_of_the_projects_intervals() -> None:
    assert logarithmic(np.array([0.0, 0.5])) == pytest.approx([0.0, np.sqrt(np.log(1.25))])


def test_without_labels_any_spread_is_possible() -> None:
    shift = learn_shift(Evidence.of_classical([1.0, 2.0, 3.0]))
    assert shift.hosts == 0
    assert shift.centre == pytest.approx(0.0)
    assert shift.scale > 1.5
    assert shift.weight.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("hosts", [1, 4, 40])
def test_mixture_against_quadrature_over_mean_and_spread(hosts: int) -> None:
    """Exact marginal over (mu, tau) on a fine grid; errors that are nothing beside the spread."""
    rng = np.random.default_rng(hosts)
    seen = 0.7 + 0.5 * rng.standard_t(SHAPE_FREEDOM, hosts)
    learned = learn_shift(evidence_of(seen, np.full(hosts, 1e-3)))
    mu = np.linspace(-12, 12, 1201)[:, None]
    tau = np.geomspace(0.02, 12.0, 161)[None, :]
    log = norm.logpdf(mu, scale=MEAN_SPREAD) + cauchy.logpdf(tau) + np.log(tau)
    for value in seen:
        log = log + student.logpdf(value - mu, SHAPE_FREEDOM, scale=tau)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    for place in (-1.0, 0.7, 1.5, 3.0):
        exact = float((weight * student.pdf(place - mu, SHAPE_FREEDOM, scale=tau)).sum())
        found = float(np.exp(learned.log_density(np.array(place))))
        assert found == pytest.approx(exact, rel=0.30 if hosts < 4 else 0.12)


def test_mean_and_spread_come_out_of_noisy_estimates() -> None:
    """200 hosts, errors as large as the spread: the errors are taken out, on average."""
    means, spreads = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        error = rng.uniform(0.1, 0.8, 200)
        truth = -0.4 + 0.5 * rng.standard_t(SHAPE_FREEDOM, 200)
        learned = learn_shift(evidence_of(truth + error * rng.normal(size=200), error))
        means.append(learned.centre)
        spreads.append(float((learned.weight * learned.spread).sum()))
    assert np.mean(means) == pytest.approx(-0.4, abs=0.04)
    assert np.mean(spreads) == pytest.approx(0.5, abs=0.06)


def test_one_host_far_off_hardly_moves_the_rest() -> None:
    """An open metal site that the force field misses: ln ratio of 8 among ratios of 0.3."""
    rng = np.random.default_rng(3)
    seen = 0.3 * rng.normal(size=20)
    error = np.full(20, 0.05)
    without = learn_shift(evidence_of(seen, error))
    with_it = learn_shift(evidence_of(np.append(seen, 8.0), np.append(error, 0.05)))
    assert with_it.centre == pytest.approx(without.centre, abs=0.05)
    assert with_it.scale < 2.0 * without.scale


def test_another_unit_is_another_scale_and_no_more() -> None:
    """Heats of adsorption in kJ/mol: the same numbers times five, with a unit of five."""
    seen, error = np.array([0.2, -0.1, 0.9]), np.array([0.1, 0.2, 0.1])
    one = learn_shift(evidence_of(seen, error))
    five = learn_shift(evidence_of(5 * seen, 5 * error), unit=5.0)
    assert five.centre == pytest.approx(5 * one.centre)
    assert five.scale == pytest.approx(5 * one.scale)
    assert five.weight == pytest.approx(one.weight)
