"""K_H over temperature: against systems solved in closed form, and honest about correlation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chem.estimator import heat_of_adsorption, henry_prefactor, table_moments
from chem.van_t_hoff import HenryCurve, fit_van_t_hoff, henry_curve, temperature_range
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K as R
from data.errors import SettingsError

KELVIN = np.arange(250.0, 401.0, 25.0)
DENSITY = 1000.0


def exact_curve(kelvin, henry, qst, relative=0.01, correlation=0.9):
    k = len(kelvin)
    shared = relative**2 * (correlation * np.ones((k, k)) + (1.0 - correlation) * np.eye(k))
    return HenryCurve(
        kelvin, henry, shared * np.outer(henry, henry), np.full(k, 1e4), qst, np.full(k, 0.05)
    )


def prefactors(kelvin):
    return np.array([henry_prefactor(DENSITY, t) for t in kelvin])


def harmonic(kelvin, depth=30.0):
    """U = -depth + k r^2 / 2: <W> goes as T^(3/2) exp(depth/RT), so Qst = depth - RT/2."""
    henry = prefactors(kelvin) * 1e-4 * (kelvin / 300.0) ** 1.5 * np.exp(depth / (R * kelvin))
    return exact_curve(kelvin, henry, depth - 0.5 * R * kelvin)


def test_square_well_in_closed_form():
    """Half the cell free, a tenth of it at -12 kJ/mol: W and Qst are known."""
    kelvin = KELVIN
    energy = np.array([-12.0] * 100 + [0.0] * 400)
    found = henry_curve(kelvin, np.ones(500), energy, 1000, DENSITY)
    boltzmann = np.exp(12.0 / (R * kelvin))
    expected = 0.1 * boltzmann + 0.4
    assert np.allclose(found.henry_mol_per_kg_pa, prefactors(kelvin) * expected, rtol=1e-12)
    inner = -12.0 * 0.1 * boltzmann / expected
    assert np.allclose(found.qst_kj_per_mol, R * kelvin - inner, rtol=1e-12)


def test_slope_of_ln_k_is_qst_and_of_ln_kt_lacks_rt():
    energy = np.random.default_rng(1).normal(-20.0, 4.0, 4000)
    near = np.array([299.99, 300.0, 300.01])
    curve = henry_curve(near, np.ones(4000), energy, 9000, DENSITY)
    inverse = 1.0 / near[2] - 1.0 / near[0]
    slope = np.log(curve.henry_mol_per_kg_pa[2] / curve.henry_mol_per_kg_pa[0]) / inverse
    qst = curve.qst_kj_per_mol[1]
    assert R * slope == pytest.approx(qst, rel=1e-6)
    with_t = np.log(near[2] * curve.henry_mol_per_kg_pa[2]) - np.log(
        near[0] * curve.henry_mol_per_kg_pa[0]
    )
    assert R * with_t / inverse == pytest.approx(qst - R * 300.0, rel=1e-6)


def test_a_straight_line_comes_back():
    henry = 3e-9 * np.exp(25.0 / (R * KELVIN))
    fit = fit_van_t_hoff(exact_curve(KELVIN, henry, np.full(len(KELVIN), 25.0)))
    assert fit.heat_kj_per_mol.mean == pytest.approx(25.0, rel=1e-9)
    assert fit.prefactor_mol_per_kg_pa == pytest.approx(3e-9, rel=1e-8)
    assert fit.heat_capacity_j_per_mol_k.mean == pytest.approx(0.0, abs=1e-6)
    assert not fit.curved
    assert fit.worst_residual < 1e-9
    assert np.allclose(fit.straight(KELVIN), henry, rtol=1e-9)


def test_a_harmonic_site_has_the_heat_capacity_r_over_two():
    """Clarke and Glew's form is exact for it: dCp = R/2, Q0 = depth - R T0/2."""
    curve = harmonic(KELVIN)
    fit = fit_van_t_hoff(curve)
    assert fit.heat_capacity_j_per_mol_k.mean == pytest.approx(0.5e3 * R, rel=1e-4)
    expected = 30.0 - 0.5 * R * fit.reference_k
    assert fit.heat_at_reference_kj_per_mol.mean == pytest.approx(expected, rel=1e-6)
    assert curve.qst_kj_per_mol.min() < fit.heat_kj_per_mol.mean < curve.qst_kj_per_mol.max()
    assert 0.0 < fit.worst_residual < 0.01


def test_curvature_is_seen_when_the_errors_allow():
    curve = harmonic(KELVIN)
    vague = HenryCurve(**(vars(curve) | {"covariance": 100.0 * curve.covariance}))
    assert not fit_van_t_hoff(vague).curved
    sharp = HenryCurve(**(vars(curve) | {"covariance": 1e-4 * curve.covariance}))
    assert fit_van_t_hoff(sharp).curved


def test_a_shared_error_moves_the_prefactor_and_not_the_heat():
    henry = 3e-9 * np.exp(25.0 / (R * KELVIN))
    qst = np.full(len(KELVIN), 25.0)
    shared = fit_van_t_hoff(exact_curve(KELVIN, henry, qst, correlation=1.0))
    apart = fit_van_t_hoff(exact_curve(KELVIN, henry, qst, correlation=0.0))
    assert shared.heat_kj_per_mol.standard_error < 1e-6
    assert shared.ln_prefactor.standard_error == pytest.approx(0.01, rel=1e-6)
    # Independent errors: the textbook standard error of a slope.
    x = 1.0 / (R * KELVIN)
    expected = 0.01 / math.sqrt(((x - x.mean()) ** 2).sum())
    assert apart.heat_kj_per_mol.standard_error == pytest.approx(expected, rel=1e-6)


def test_errors_cover_over_repeated_tables():
    """The fit's errors, from correlated coefficients of one table, match the spread of fits."""
    kelvin = np.array([280.0, 300.0, 320.0, 340.0])
    typical = np.array([-18.0] * 60 + [0.0] * 600)
    exact = henry_curve(kelvin, np.ones(660), typical, 3000, DENSITY)
    target = fit_van_t_hoff(exact, fewest_effective=10.0).heat_kj_per_mol.mean
    rng = np.random.default_rng(6)
    heats, errors = [], []
    for _ in range(300):
        inside = rng.random(3000)
        energy = np.where(inside < 0.02, -18.0, np.where(inside < 0.22, 0.0, np.inf))
        free = np.isfinite(energy)
        curve = henry_curve(kelvin, np.ones(free.sum()), energy[free], 3000, DENSITY)
        fit = fit_van_t_hoff(curve, fewest_effective=10.0)
        heats.append(fit.heat_kj_per_mol.mean)
        errors.append(fit.heat_kj_per_mol.standard_error)
    assert abs(np.mean(heats) - target) < 4.0 * np.std(heats) / math.sqrt(300)
    assert np.mean(errors) == pytest.approx(np.std(heats), rel=0.15)


def test_too_few_effective_samples_are_left_out():
    curve = harmonic(KELVIN)
    samples = np.full(len(KELVIN), 500.0)
    samples[:2] = 20.0
    spoilt = curve.henry_mol_per_kg_pa.copy()
    spoilt[:2] *= 7.0
    few = HenryCurve(
        **(vars(curve) | {"effective_samples": samples, "henry_mol_per_kg_pa": spoilt})
    )
    fit = fit_van_t_hoff(few)
    assert fit.used.tolist() == [False, False] + [True] * 5
    assert fit.heat_kj_per_mol.effective_samples == 500.0
    right = fit_van_t_hoff(harmonic(KELVIN[2:]))
    assert fit.heat_kj_per_mol.mean == pytest.approx(right.heat_kj_per_mol.mean, rel=1e-3)
    assert fit_van_t_hoff(few, fewest_effective=1e4) is None


def test_two_temperatures_give_a_line_and_no_curve():
    fit = fit_van_t_hoff(harmonic(np.array([300.0, 320.0])))
    assert math.isfinite(fit.heat_kj_per_mol.mean)
    assert math.isnan(fit.heat_capacity_j_per_mol_k.mean)
    assert not fit.curved


def test_reweighting_agrees_with_the_estimator_of_one_temperature():
    rng = np.random.default_rng(3)
    weight, energy = rng.uniform(0.3, 2.0, 5000), rng.normal(-15.0, 5.0, 5000)
    energy[::7] = np.inf
    curve = henry_curve(np.array([273.0, 330.0]), weight, energy, 8000, DENSITY)
    for k, temperature in enumerate(curve.temperatures_k):
        moments = table_moments(1.0 / (R * temperature), weight, energy, 8000)
        factor = henry_prefactor(DENSITY, temperature)
        assert curve.henry_mol_per_kg_pa[k] == pytest.approx(factor * moments.mean[0], rel=1e-12)
        variance = factor**2 * moments.table_covariance[0, 0]
        assert curve.covariance[k, k] == pytest.approx(variance, rel=1e-10)
        heat = heat_of_adsorption(moments.mean, moments.table_covariance, temperature)
        assert (curve.qst_kj_per_mol[k], curve.qst_standard_error[k]) == pytest.approx(heat)
        assert curve.effective_samples[k] == pytest.approx(moments.effective_samples)
    assert np.linalg.eigvalsh(curve.covariance)[0] > 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250:400:50", (250.0, 300.0, 350.0, 400.0)),
        ("250:399:50", (250.0, 300.0, 350.0)),
        ("298.15", (298.15,)),
        ("350, 298.15,300", (298.15, 300.0, 350.0)),
        ("273:274:0.1", tuple(round(273 + 0.1 * k, 9) for k in range(11))),
        ("300:300:10,250", (250.0, 300.0)),
    ],
)
def test_temperature_range(text, expected):
    assert temperature_range(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no temperature"),
        ("warm", "no temperature"),
        ("nan", "no temperature"),
        ("250:400", "no range"),
        ("250:400:25:1", "no range"),
        ("400:250:25", "empty"),
        ("250:400:-25", "empty"),
        ("250:400:0", "empty"),
        ("-10:50:10", "above 0 K"),
        ("0", "above 0 K"),
        ("1:1000:1", "at most"),
        ("1:1e300:1e-300", "at most"),
    ],
)
def test_wrong_temperature_ranges(text, message):
    with pytest.raises(SettingsError, match=message):
        temperature_range(text)


@given(st.integers(1, 400), st.integers(0, 60), st.sampled_from([0.1, 0.25, 1.0, 7.5, 25.0]))
def test_a_range_counts_its_steps(first, steps, step):
    found = temperature_range(f"{first}:{first + steps * step!r}:{step}")
    assert len(found) == steps + 1
    assert found[-1] == pytest.approx(first + steps * step)
