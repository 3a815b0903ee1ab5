"""The estimator against finite populations whose totals are known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chem.combine import RoundEstimate, combine, interval
from chem.estimator import (
    Labelled,
    Moments,
    beta_mol_per_kj,
    boltzmann_factor,
    corrected_moments,
    failed_share,
    heat_of_adsorption,
    henry_prefactor,
    kish,
    responding,
    table_moments,
)
from data.records import Estimate

TEMPERATURE_K = 300.0
BETA = beta_mol_per_kj(TEMPERATURE_K)


def population(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, reference energies and a surrogate that is biased and noisy."""
    reference = rng.normal(-8.0, 2.0, size)
    surrogate = reference + rng.normal(1.0, 1.5, size)
    return rng.uniform(0.2, 3.0, size), reference, surrogate


def draw_labelled(rng, weight, reference, surrogate, probability):
    chosen = rng.random(len(weight)) < probability
    return Labelled(weight[chosen], surrogate[chosen], reference[chosen], probability[chosen])


def test_ideal_gas_limit_is_one_over_rho_r_t():
    moments = table_moments(BETA, np.ones(50), np.zeros(50), 50)
    assert moments.mean[0] == pytest.approx(1.0, rel=1e-14)
    assert moments.table_covariance[0, 0] == pytest.approx(0.0, abs=1e-15)
    # 1/(rho R T) at 1000 kg/m3 and 300 K, worked out by hand from R = 8.31446261815324.
    assert henry_prefactor(1000.0, 300.0) == pytest.approx(4.0090788e-7, rel=1e-6)


def test_overlapping_insertions_count_with_weight_zero():
    half = table_moments(BETA, np.ones(50), np.zeros(50), 100)
    assert half.mean[0] == pytest.approx(0.5)
    expected = np.sqrt(0.25 / 99)
    assert np.sqrt(half.table_covariance[0, 0]) == pytest.approx(expected, rel=1e-12)


def test_correction_is_design_unbiased_whatever_the_surrogate():
    rng = np.random.default_rng(7)
    weight, reference, surrogate = population(rng, 400)
    truth = table_moments(BETA, weight, reference, 500).mean
    probability = rng.uniform(0.05, 0.9, 400)
    found, spread = [], []
    for _ in range(4000):
        labelled = draw_labelled(rng, weight, reference, surrogate, probability)
        moments = corrected_moments(BETA, weight, surrogate, labelled, 500)
        found.append(moments.mean)
        spread.append(moments.design_covariance)
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - truth) < 3.0 * error).all()
    observed = np.cov(np.array(found).T)
    assert np.mean(spread, axis=0) == pytest.approx(observed, rel=0.1)


def test_table_variance_matches_repeated_tables():
    rng = np.random.default_rng(8)
    means, variances = [], []
    for _ in range(3000):
        size = int(rng.binomial(250, 0.8))
        weight, reference, surrogate = population(rng, size)
        probability = np.full(size, 0.5)
        labelled = draw_labelled(rng, weight, reference, surrogate, probability)
        moments = corrected_moments(BETA, weight, surrogate, labelled, 250)
        means.append(moments.mean[0])
        variances.append(moments.table_covariance[0, 0] + moments.design_covariance[0, 0])
    assert np.mean(variances) == pytest.approx(np.var(means), rel=0.15)


def test_a_perfect_surrogate_needs_no_correction():
    rng = np.random.default_rng(9)
    weight, reference, _ = population(rng, 100)
    labelled = draw_labelled(rng, weight, reference, reference, np.full(100, 0.3))
    moments = corrected_moments(BETA, weight, reference, labelled, 120)
    exact = table_moments(BETA, weight, reference, 120)
    assert moments.mean == pytest.approx(exact.mean, rel=1e-13)
    assert moments.design_covariance == pytest.approx(np.zeros((2, 2)))


def test_labels_that_came_back_stand_for_one_that_failed():
    weight, surrogate = np.ones(4), np.zeros(4)
    energy = np.array([np.nan, -1.0])
    labelled = Labelled(np.ones(2), np.zeros(2), energy, np.array([0.5, 0.5]))
    moments = corrected_moments(BETA, weight, surrogate, labelled, 4)
    change = float(boltzmann_factor(BETA, energy[1:])[0]) - 1.0
    # Two labels at a half are four insertions; the one that came back counts for both.
    assert moments.mean[0] == pytest.approx(1.0 + 4.0 * change / 4.0)
    assert moments.failure_covariance[0, 0] > 0
    assert failed_share(BETA, weight, surrogate, labelled) == pytest.approx(0.5)


def drop(rng, labelled: Labelled, share: np.ndarray) -> Labelled:
    """Let labels fail with given probabilities."""
    gone = rng.random(len(share)) < share
    energy = np.where(gone, np.nan, labelled.reference_kj_per_mol)
    return replace(labelled, reference_kj_per_mol=energy)


def test_failures_at_random_leave_no_bias_and_widen_the_error():
    """Against the same draws with every label; a surrogate 1 kJ/mol too high throughout."""
    rng = np.random.default_rng(11)
    weight, reference, _ = population(rng, 400)
    surrogate = reference + rng.normal(1.0, 0.5, 400)
    truth = table_moments(BETA, weight, reference, 500).mean
    probability = rng.uniform(0.2, 0.6, 400)
    found, kept, errors = [], [], []
    for _ in range(1500):
        labelled = draw_labelled(rng, weight, reference, surrogate, probability)
        failing = drop(rng, labelled, np.full(len(labelled.weight), 0.1))
        moments = corrected_moments(BETA, weight, surrogate, failing, 500)
        found.append(moments.mean)
        energy = failing.reference_kj_per_mol
        stays = np.where(np.isfinite(energy), energy, failing.surrogate_kj_per_mol)
        old = replace(failing, reference_kj_per_mol=stays)
        kept.append(corrected_moments(BETA, weight, surrogate, old, 500).mean)
        errors.append(moments.design_covariance)
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - truth) < 3.0 * error).all()
    assert (np.abs(np.mean(kept, axis=0) - truth) > 10.0 * error).all()
    # The plug-in of two-phase sampling is never too small, see docs/estimator.md.
    spread = np.var(found, axis=0)
    assert (np.diag(np.mean(errors, axis=0)) > 0.9 * spread).all()
    assert (np.diag(np.mean(errors, axis=0)) < 1.5 * spread).all()


def test_failures_that_follow_the_surrogate_energy_leave_no_bias_within_classes():
    rng = np.random.default_rng(12)
    weight, reference, _ = population(rng, 2000)
    surrogate = np.round(reference + 1.0)
    truth = table_moments(BETA, weight, reference, 2500).mean[0]
    probability = np.full(2000, 0.5)
    deep = surrogate < -9.0
    means = []
    for _ in range(300):
        labelled = draw_labelled(rng, weight, reference, surrogate, probability)
        often = np.where(labelled.surrogate_kj_per_mol < -9.0, 0.3, 0.02)
        failing = drop(rng, labelled, often)
        means.append(corrected_moments(BETA, weight, surrogate, failing, 2500).mean[0])
    assert 200 < deep.sum() < 1800
    assert abs(np.mean(means) - truth) < 3.0 * np.std(means) / np.sqrt(len(means))


def test_what_failures_hide_covers_the_worst_half_and_does_not_average_out():
    """A tenth fails, always among the upper half: the term covers that bias at two of its sizes."""
    rng = np.random.default_rng(13)
    weight, reference, surrogate = population(rng, 300)
    probability = np.full(300, 0.4)
    labelled = draw_labelled(rng, weight, reference, surrogate, probability)
    whole = corrected_moments(BETA, weight, surrogate, labelled, 400)
    change = boltzmann_factor(BETA, labelled.reference_kj_per_mol) - boltzmann_factor(
        BETA, labelled.surrogate_kj_per_mol
    )
    order = np.argsort(labelled.weight * change)
    upper = order[len(order) // 2 :]
    energy = labelled.reference_kj_per_mol.copy()
    energy[rng.choice(upper, len(order) // 10, replace=False)] = np.nan
    moments = corrected_moments(
        BETA, weight, surrogate, replace(labelled, reference_kj_per_mol=energy), 400
    )
    hidden = float(np.sqrt(moments.failure_covariance[0, 0]))
    assert 0 < abs(moments.mean[0] - whole.mean[0]) < 2.0 * hidden
    one = combine([RoundEstimate(moments, 1.0, 0.0)])
    many = combine([RoundEstimate(moments, 1.0, 0.0)] * 9)
    assert one.failure_standard_error == pytest.approx(hidden)
    assert many.failure_standard_error == pytest.approx(hidden)
    assert many.design_standard_error == pytest.approx(one.design_standard_error / 3.0)
    assert many.covariance[0, 0] > hidden**2


def test_without_failures_every_number_is_that_of_all_labels_bit_for_bit():
    rng = np.random.default_rng(14)
    weight, reference, surrogate = population(rng, 200)
    labelled = draw_labelled(rng, weight, reference, surrogate, np.full(200, 0.3))
    assert responding(labelled) is labelled
    moments = corrected_moments(BETA, weight, surrogate, labelled, 250)
    assert (moments.failure_covariance == 0).all()
    combined = combine([RoundEstimate(moments, 1.0, 0.0)])
    assert (combined.covariance == moments.table_covariance + moments.design_covariance).all()


def test_heat_of_adsorption_of_one_level():
    moments = table_moments(BETA, np.ones(10), np.full(10, -20.0), 40)
    heat, error = heat_of_adsorption(moments.mean, moments.table_covariance, TEMPERATURE_K)
    assert heat == pytest.approx(20.0 + 8.31446261815324e-3 * TEMPERATURE_K, rel=1e-12)
    assert error == pytest.approx(0.0, abs=1e-6)


def test_heat_of_adsorption_is_the_van_t_hoff_slope():
    """Qst = R T^2 d ln(K T)/dT + ... : d ln<W>/d beta = -<U W>/<W>, by finite differences."""
    rng = np.random.default_rng(3)
    energy = rng.normal(-10, 4, 5000)
    step = 1e-4
    logs = [
        np.log(table_moments(b, np.ones(5000), energy, 9000).mean[0])
        for b in (BETA - step, BETA + step)
    ]
    moments = table_moments(BETA, np.ones(5000), energy, 9000)
    heat, _ = heat_of_adsorption(moments.mean, moments.table_covariance, TEMPERATURE_K)
    slope = (logs[1] - logs[0]) / (2 * step)
    assert heat == pytest.approx(1.0 / BETA + slope, rel=1e-6)


def test_absurd_energies_stay_finite():
    factor = boltzmann_factor(BETA, np.array([-1e9, np.inf, 0.0]))
    assert np.isfinite(factor).all()
    assert factor[1] == 0.0


def test_kish_of_equal_and_of_single_weights():
    assert kish(np.ones(17)) == pytest.approx(17.0)
    assert kish(np.array([1.0, 0.0, 0.0])) == pytest.approx(1.0)


def make_round(
    mean: float, design: float, predicted: float, weight: float = 1.0, terms: float = 20.0
) -> RoundEstimate:
    moments = Moments(
        np.array([mean, -5.0 * mean]),
        np.diag([0.01, 0.01]),
        np.diag([design, design]),
        100.0,
        30.0,
        0.1,
        50.0,
        terms,
    )
    return RoundEstimate(moments, weight, predicted)


def test_nothing_that_was_seen_moves_the_weights():
    lucky = [make_round(0.5, 1e-6, 0.04, 1.0), make_round(1.0, 0.09, 0.4, 3.0)]
    plain = [make_round(0.5, 0.04, 0.04, 1.0), make_round(1.0, 0.04, 0.04, 3.0)]
    assert combine(lucky).weights == pytest.approx([0.25, 0.75])
    assert combine(lucky).mean == pytest.approx(combine(plain).mean)


def test_tables_of_rounds_are_independent():
    combined = combine([make_round(1.0, 0.0, 0.0), make_round(1.0, 0.0, 0.0)])
    assert combined.table_standard_error == pytest.approx(0.1 / np.sqrt(2))


def test_a_round_that_only_teaches_leaves_no_trace_whatever_it_saw():
    wild = make_round(15_000.0, 1e9, 1e9, weight=0.0)
    later = [make_round(1.1, 0.01, 0.01, 1.0), make_round(1.0, 0.0025, 0.01, 3.0)]
    both, alone = combine([wild, *later]), combine(later)
    assert both.weights == pytest.approx([0.0, 0.25, 0.75])
    assert both.estimate == alone.estimate
    assert both.degrees_of_freedom == alone.degrees_of_freedom
    assert combine([wild]).mean == pytest.approx(wild.moments.mean)


def test_a_larger_prediction_counts_as_half_a_label():
    combined = combine([make_round(1.0, 0.0001, 0.16, terms=1.0)])
    assert combined.design_standard_error**2 == pytest.approx(0.0001 * 1600 ** (1 / 3))
    many = combine([make_round(1.0, 0.01, 0.04, terms=1e6)])
    assert many.design_standard_error == pytest.approx(0.1, rel=1e-4)
    smaller = combine([make_round(1.0, 0.01, 0.001, terms=1.0)])
    assert smaller.design_standard_error == pytest.approx(0.1)


@pytest.mark.parametrize("reference", [np.zeros(0), np.full(3, np.nan)])
def test_without_a_usable_label_the_interval_is_what_the_surrogate_predicted(reference):
    weight, energy = np.ones(100), np.full(100, -8.0)
    count = len(reference)
    none = Labelled(weight[:count], energy[:count], reference, np.full(count, 0.01))
    moments = corrected_moments(BETA, weight, energy, none, 100)
    assert moments.correction_effective_samples == 0.0
    combined = combine([RoundEstimate(moments, 1.0, 9.0)])
    hidden = count / (0.01 * 100)  # labels at 1 % each stood for as much as all insertions
    assert combined.failure_standard_error == pytest.approx(hidden * combined.mean[0])
    assert combined.design_standard_error == pytest.approx(3.0 * combined.mean[0])
    heat, error = heat_of_adsorption(combined.mean, combined.covariance, TEMPERATURE_K)
    assert error > abs(heat)
    low, high = interval(combined.estimate, combined.degrees_of_freedom)
    assert low < combined.mean[0] / 100
    assert high > combined.mean[0] * 100


def test_interval_is_positive_and_holds_the_mean():
    low, high = interval(Estimate(2.0, 0.5), 10.0)
    assert 0 < low < 2.0 < high
    assert low * high == pytest.approx(4.0)
    narrow = interval(Estimate(2.0, 0.02), 1e6)
    assert narrow == pytest.approx((2.0 - 1.96 * 0.02, 2.0 + 1.96 * 0.02), rel=1e-3)
