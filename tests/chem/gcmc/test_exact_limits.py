"""Exact answers: ideal gas, second virial coefficient, Henry coefficient, Boltzmann averages."""

import numpy as np
import pytest
from scipy.integrate import quad

from chem.energies import ClassicalModel
from chem.force_fields import load_force_field
from chem.gcmc.build import build_model
from chem.gcmc.chain import Chain
from chem.gcmc.guest_mixing import mix_guests
from chem.gcmc.isotherm import run_isotherm
from chem.gcmc.rng import seeded_state
from chem.gcmc.settings import GcmcSettings
from chem.gcmc.statistics import mean_with_error
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.proposal import uniform_proposal
from chem.rotations import random_quaternions, rotate_sites
from data.constants import (
    AVOGADRO_PER_MOL,
    BOLTZMANN_J_PER_K,
    COULOMB_KJ_ANGSTROM_PER_MOL_E2,
    GAS_CONSTANT_KJ_PER_MOL_K,
)

CUBE = np.eye(3) * 26.0
IDEAL = GcmcSettings(fugacity_coefficient=1.0, pilot_insertions=0)


def test_ideal_gas_fills_an_empty_box_with_poisson_noise(gcmc):
    """<N> = pV/kT and var N = <N>; Qst = RT; no energy."""
    model, table = gcmc.empty_box("CH4", CUBE, gcmc.settings(12.0), charges=False)
    table = gcmc.without_interaction(table)
    settings = gcmc.replace(IDEAL, initialisation_cycles=200, production_cycles=20_000)
    pressure, kelvin = 1e6, 300.0
    expected = pressure * 26.0**3 * 1e-30 / (BOLTZMANN_J_PER_K * kelvin)
    point = run_isotherm(model, table, kelvin, [pressure], settings, seed=4)[0]
    guests = point.molecules_per_cell
    assert abs(guests.mean - expected) < 3.0 * guests.standard_error
    assert guests.standard_error < 0.02 * expected
    assert point.heat_of_adsorption_kj_per_mol.mean == pytest.approx(
        GAS_CONSTANT_KJ_PER_MOL_K * kelvin
    )
    assert point.energy_kj_per_mol.mean == 0.0
    chain = gcmc.short_chain(model, table, pressure, settings, kelvin)
    _, series = chain.run(20_000, 20)
    variance = series[:, 1].mean() - series[:, 0].mean() ** 2
    assert variance == pytest.approx(expected, rel=0.05)


def test_cycles_of_one_length_are_unbiased_where_cycles_that_follow_the_loading_are_not(gcmc):
    """Thirty-six ideal guests. Cycles of N moves end more often where N is small: about <1/N>^-1.

    For Poisson noise that is one guest less, if the loading changes slowly against a cycle.
    """
    model, table = gcmc.empty_box("CH4", CUBE, gcmc.settings(12.0), charges=False)
    table, expected = gcmc.without_interaction(table), 36.0
    pressure = expected * BOLTZMANN_J_PER_K * 300.0 / (26.0**3 * 1e-30)
    settings = gcmc.replace(
        IDEAL, swap=0.2, initialisation_cycles=500, production_cycles=25_000, rotation=0.0
    )
    guests = run_isotherm(model, table, 300.0, [pressure], settings, seed=7)[0].molecules_per_cell
    assert guests.standard_error < 0.25
    assert abs(guests.mean - expected) < 3.0 * guests.standard_error
    chain = gcmc.short_chain(model, table, pressure, settings)
    chain.run(500, 0)
    following = mean_with_error(chain.run(25_000, 0)[1][:, 0], 20)
    assert abs(following.mean - (expected - 1.0)) < 3.0 * following.standard_error
    assert following.mean < expected - 3.0 * following.standard_error


def second_virial_angstrom3(guest, table, charges, kelvin, cutoff):
    """B2 = -1/2 int <exp(-u/kT) - 1> d3r by quadrature in r and sampled orientations.

    Lennard-Jones cut at the cutoff for each pair of sites, Coulomb in full.
    """
    rng = np.random.default_rng(0)
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * kelvin)
    body, count = guest.positions_angstrom, 2000
    one = rotate_sites(random_quaternions(rng, count), body)
    two = rotate_sites(random_quaternions(rng, count), body)
    edges = np.linspace(1.5, cutoff + 4.0, 141)
    nodes = 0.5 * (edges[1:] + edges[:-1])
    total = -(4.0 / 3.0) * np.pi * edges[0] ** 3
    for r in nodes:
        delta = one[:, :, None] - two[:, None] - np.array([0.0, 0.0, r])
        distance = np.linalg.norm(delta, axis=-1)
        sixth = (table.sigma_angstrom / distance) ** 6
        u = 4.0 * table.epsilon_kj_per_mol * (sixth**2 - sixth)
        u = np.where(distance < cutoff, u, 0.0)
        u = u + COULOMB_KJ_ANGSTROM_PER_MOL_E2 * np.outer(charges, charges) / distance
        mayer = np.expm1(-beta * np.clip(u.sum(axis=(1, 2)), None, 500.0)).mean()
        total += 4.0 * np.pi * r * r * mayer * (edges[1] - edges[0])
    return -0.5 * total


@pytest.mark.parametrize(("name", "kelvin"), [("CH4", 300.0), ("CO2", 350.0)])
def test_second_virial_coefficient_of_the_gas(gcmc, name, kelvin):
    """beta p = rho + B2 rho^2 gives rho = z - 2 B2 z^2 + O(z^3), z = beta f."""
    cutoff = 12.0
    model, table = gcmc.empty_box(name, CUBE, gcmc.settings(cutoff))
    b2 = second_virial_angstrom3(
        model.guest, table, np.array(model.guest.charges_e), kelvin, cutoff
    )
    z = 0.03 / abs(b2)
    fugacity = z * 1e30 * BOLTZMANN_J_PER_K * kelvin
    settings = gcmc.replace(IDEAL, initialisation_cycles=300, production_cycles=30_000)
    point = run_isotherm(model, table, kelvin, [fugacity], settings, seed=2)[0]
    excess = point.molecules_per_cell.mean / (z * 26.0**3) - 1.0
    error = point.molecules_per_cell.standard_error / (z * 26.0**3)
    third_order = (2.0 * b2 * z) ** 2
    assert abs(excess + 2.0 * b2 * z) < 3.0 * error + third_order
    assert abs(2.0 * b2 * z) > 5.0 * error


def test_methane_at_fifty_bar_has_the_density_of_the_real_gas(gcmc):
    """TraPPE CH4 with tail at 300 K within 2 %; an ideal gas would be 8 % off.

    Experimental B = -42 cm3/mol and C = 2300 cm6/mol2 (Dymond, Smith, The Virial Coefficients
    of Pure Gases and Mixtures, 1980) give the density and its fugacity.
    """
    b, c, density = -42e-6, 2300e-12, 2190.0
    factor = 1.0 + b * density + c * density**2
    pressure = factor * density * 8.314462618 * 300.0
    log_phi = 2.0 * b * density + 1.5 * c * density**2 - np.log(factor)
    settings = gcmc.settings(12.0, "truncated", tail_correction=True)
    model, table = gcmc.empty_box("CH4", np.eye(3) * 30.0, settings)
    run = gcmc.replace(
        IDEAL,
        fugacity_coefficient=float(np.exp(log_phi)),
        initialisation_cycles=300,
        production_cycles=6000,
    )
    guests = run_isotherm(model, table, 300.0, [pressure], run, seed=3)[0].molecules_per_cell
    expected = density * AVOGADRO_PER_MOL * 30.0**3 * 1e-30
    assert guests.standard_error < 0.01 * expected
    assert abs(guests.mean - expected) < 0.02 * expected + 2.0 * guests.standard_error


def henry_per_cell(model, kelvin, count, seed):
    """Uniform Widom: guests per cell and Pa, with its standard error."""
    rng = np.random.default_rng(seed)
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * kelvin)
    energy, _ = model.energies(rng.random((count, 3)), random_quaternions(rng, count))
    weights = np.exp(-beta * energy)
    factor = model.host.volume_angstrom3 * 1e-30 / (BOLTZMANN_J_PER_K * kelvin)
    return factor * weights.mean(), factor * weights.std() / np.sqrt(count)


@pytest.mark.parametrize(
    ("host", "guest", "force_field", "kelvin", "pressure"),
    [
        ("MFI_SI", "CH4", "TraPPE-zeo", 300.0, 200.0),
        ("IRMOF-1", "CO2:Garcia-Sanchez", "IRMOF-1-Dubbeldam", 298.0, 400.0),
    ],
)
def test_slope_at_low_pressure_is_the_henry_coefficient(
    gcmc, host, guest, force_field, kelvin, pressure
):
    ff, molecule = load_force_field(force_field), load_guest(guest)
    frame = load_host(host)
    model = ClassicalModel(
        frame, molecule, mix_pairs(frame, molecule, ff), gcmc.settings(12.0, "shifted")
    )
    henry, henry_error = henry_per_cell(model, kelvin, 40_000, 1)
    settings = GcmcSettings(
        fugacity_coefficient=1.0,
        initialisation_cycles=100,
        production_cycles=10_000,
        translation=0.1,
        rotation=0.1,
        reinsertion=0.0,
        pilot_insertions=40_000,
    )
    point = run_isotherm(model, mix_guests(molecule, ff), kelvin, [pressure], settings, seed=6)[0]
    slope = point.molecules_per_cell.mean / pressure
    error = point.molecules_per_cell.standard_error / pressure
    assert error < 0.05 * slope
    assert abs(slope - henry) < 2.0 * np.hypot(error, henry_error)


def test_canonical_averages_of_one_guest_are_boltzmann_weighted(systems, gcmc):
    """Translation, rotation and reinsertion alone: <U> equals <U exp(-bU)>/<exp(-bU)>."""
    host, guest, pairs = systems.triclinic(charged=False)
    model = ClassicalModel(host, guest, pairs, gcmc.settings(8.0))
    kelvin = 700.0
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * kelvin)
    rng = np.random.default_rng(3)
    energy, _ = model.energies(rng.random((60_000, 3)), random_quaternions(rng, 60_000))
    weights = np.exp(-beta * energy)
    energy = np.where(np.isfinite(energy), energy, 0.0)
    expected = float((weights * energy).sum() / weights.sum())
    spread = weights * (energy - expected)
    widom_error = float(np.sqrt((spread**2).sum()) / weights.sum())
    table = gcmc.table_of_zeros(len(guest.site_types))
    for moves in ((0.5, 0.5, 0.0), (0.0, 0.0, 1.0)):
        settings = GcmcSettings(
            swap=1e-12, translation=moves[0], rotation=moves[1], reinsertion=moves[2]
        )
        built = build_model(model, table, kelvin, settings, uniform_proposal())
        chain = Chain(built, kelvin, 1e5, settings, seeded_state(5, str(moves)))
        gcmc.swap_only(chain, guests=1)
        chain.run(200, 20)
        _, series = chain.run(15_000, 20)
        assert (series[:, 0] == 1.0).all()
        found = mean_with_error(series[:, 2], 20)
        error = np.hypot(found.standard_error, widom_error)
        assert error < 0.02 * abs(energy.min())
        assert abs(found.mean - expected) < 3.0 * error


def test_lennard_jones_second_virial_by_quadrature_agrees_with_the_sampled_one(gcmc):
    """The test's own B2 against the closed radial integral, for a single site."""
    model, table = gcmc.empty_box("CH4", CUBE, gcmc.settings(12.0))
    kelvin = 300.0
    epsilon, sigma = table.epsilon_kj_per_mol[0, 0], table.sigma_angstrom[0, 0]
    rt = GAS_CONSTANT_KJ_PER_MOL_K * kelvin

    def mayer(r):
        return np.expm1(-4.0 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6) / rt) * r * r

    exact = -2.0 * np.pi * quad(mayer, 0.5, 12.0, limit=200)[0] + 2.0 * np.pi / 3.0 * 0.5**3
    sampled = second_virial_angstrom3(model.guest, table, np.zeros(1), kelvin, 12.0)
    assert sampled == pytest.approx(exact, rel=5e-3)
