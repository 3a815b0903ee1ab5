"""The pair potential: symbolic derivatives, its cutoffs, and the quantum limit."""

import math

import numpy as np
import pytest
import sympy
from scipy.integrate import quad
from scipy.special import gamma

from chem.energies import core_radii_angstrom
from chem.guests import load_guest
from chem.kernels import lennard_jones
from chem.pair_potential import TRUNCATIONS, cutoff_terms, quantum_angstrom2
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import SettingsError

EPSILON, SIGMA, CUTOFF = 0.3, 2.96, 9.0
HBAR2_OVER_KB = 48.5087341642  # hbar^2 / (u k_B) in K angstrom^2, CODATA 2018


@pytest.mark.parametrize("quantum", [0.0, 0.013])
def test_energy_and_derivative_are_the_symbolic_ones(quantum):
    r = sympy.symbols("r", positive=True)
    v = 4 * EPSILON * ((SIGMA / r) ** 12 - (SIGMA / r) ** 6)
    w = v + quantum * (v.diff(r, 2) + 2 * v.diff(r) / r)
    energy, force = sympy.lambdify(r, w), sympy.lambdify(r, w.diff(r))
    for distance in np.linspace(2.0, 12.0, 41):
        u, slope = lennard_jones(distance**2, 4 * EPSILON, SIGMA**2, 0.0, 0.0, quantum)
        assert u == pytest.approx(energy(distance), rel=1e-12)
        assert slope == pytest.approx(force(distance) / (2 * distance), rel=1e-12)


@pytest.mark.parametrize("quantum", [0.0, 0.02])
@pytest.mark.parametrize("lj", TRUNCATIONS)
def test_what_is_continuous_at_the_cutoff(lj, quantum):
    shift, slope = cutoff_terms(np.array([EPSILON]), np.array([SIGMA]), CUTOFF, lj, quantum)
    plain = lennard_jones(CUTOFF**2, 4 * EPSILON, SIGMA**2, 0.0, 0.0, quantum)
    edge = lennard_jones(CUTOFF**2, 4 * EPSILON, SIGMA**2, shift[0], slope[0], quantum)
    scale = abs(plain[0])
    assert abs(edge[0]) == pytest.approx(scale if lj == "truncated" else 0.0, abs=1e-13 * scale)
    flat = 0.0 if lj == "force-shifted" else plain[1]
    assert edge[1] == pytest.approx(flat, abs=1e-13 * abs(plain[1]))


def test_force_shift_in_the_form_of_other_codes():
    """4 eps {(x12 - x6) - (c12 - c6) + (12 c12 - 6 c6) (r - rc) / rc}."""
    shift, slope = cutoff_terms(np.array([EPSILON]), np.array([SIGMA]), CUTOFF, "force-shifted")
    for r in (2.8, 3.5, 6.0, 8.9):
        x, c = (SIGMA / r) ** 6, (SIGMA / CUTOFF) ** 6
        expected = x * x - x - c * c + c + (12.0 * c * c - 6.0 * c) * (r - CUTOFF) / CUTOFF
        u = lennard_jones(r * r, 4 * EPSILON, SIGMA**2, shift[0], slope[0], 0.0)[0]
        assert u == pytest.approx(4 * EPSILON * expected, rel=1e-12)


def test_a_pair_without_interaction_has_no_terms():
    for lj in TRUNCATIONS:
        for terms in cutoff_terms(np.zeros((2, 1)), np.ones((2, 1)), CUTOFF, lj, 0.1):
            assert np.array_equal(terms, np.zeros((2, 1)))


def test_length_of_hydrogen_and_its_temperature_dependence():
    mass = load_guest("H2").molar_mass_g_per_mol
    at_77 = quantum_angstrom2(mass, 77.0)
    assert at_77 == pytest.approx(HBAR2_OVER_KB / (24.0 * 2.016 * 77.0), rel=1e-9)
    assert quantum_angstrom2(mass, 154.0) == pytest.approx(at_77 / 2.0)
    assert quantum_angstrom2(1e3 * mass, 77.0) == pytest.approx(at_77 / 1e3)
    for unknown in (math.nan, 0.0):
        with pytest.raises(SettingsError, match="mass"):
            quantum_angstrom2(unknown, 77.0)


def test_infinite_temperature_is_classical():
    classical = lennard_jones(9.0, 4 * EPSILON, SIGMA**2, 0.0, 0.0, 0.0)
    errors = []
    for kelvin in (1e2, 1e4, 1e6):
        u, _ = lennard_jones(9.0, 4 * EPSILON, SIGMA**2, 0.0, 0.0, quantum_angstrom2(2.016, kelvin))
        errors.append(abs(u - classical[0]))
    assert errors[1] == pytest.approx(errors[0] / 100.0)
    assert errors[2] == pytest.approx(errors[0] / 1e4)


def test_the_classical_core_lies_inside_the_quantum_wall():
    """At the core radius, and anywhere inside, the effective pair energy is above the core's."""
    for epsilon_k, sigma in ((5.0, 2.6), (34.2, 2.96), (150.0, 3.8)):
        epsilon = np.array([epsilon_k * GAS_CONSTANT_KJ_PER_MOL_K])
        radius = core_radii_angstrom(epsilon, np.array([sigma]), 1e5)[0]
        for r in np.linspace(0.2, 1.0, 9) * radius:
            quantum = quantum_angstrom2(2.016, 20.0)
            plain, _ = lennard_jones(r * r, 4 * epsilon[0], sigma**2, 0.0, 0.0, 0.0)
            effective, _ = lennard_jones(r * r, 4 * epsilon[0], sigma**2, 0.0, 0.0, quantum)
            assert effective > plain > 0.999e5 * GAS_CONSTANT_KJ_PER_MOL_K


def first_quantum_correction(reduced_temperature):
    """First quantum correction of the Lennard-Jones second virial coefficient, over 2 pi s^3 / 3.

    Coefficient of Lambda*^2 = h^2 / (m eps s^2) in the expansion of de Boer and Michels,
    Physica 5 (1938) 945; Hirschfelder, Curtiss, Bird, Molecular Theory of Gases and Liquids,
    1954, section 6.5.
    """
    total = 0.0
    for j in range(40):
        factor = (36 * j - 11) * 2.0 ** ((6 * j + 13) / 6) / (768 * math.pi**2)
        term = factor * gamma((6 * j - 1) / 12) / math.factorial(j)
        total += term * reduced_temperature ** (-(6 * j + 13) / 12)
    return total


@pytest.mark.parametrize("reduced_temperature", [0.8, 1.5, 3.0, 10.0, 50.0])
def test_second_virial_coefficient_has_the_exact_first_quantum_correction(reduced_temperature):
    """For small hbar the effective potential gives Wigner and Kirkwood's term exactly.

    Two like particles have mu = m/2, so Q / s^2 = Lambda*^2 / (48 pi^2 T*).
    """
    lambda2 = 1e-5
    quantum = lambda2 / (48.0 * math.pi**2 * reduced_temperature)

    def mayer(r, q):
        u, _ = lennard_jones(r * r, 4.0, 1.0, 0.0, 0.0, q)
        return -3.0 * math.expm1(-u / reduced_temperature) * r * r

    def difference(r):
        return (mayer(r, quantum) - mayer(r, -quantum)) / (2.0 * lambda2)

    slope = sum(
        quad(difference, a, b, epsabs=1e-12, epsrel=1e-9, limit=200)[0]
        for a, b in ((0.3, 0.9), (0.9, 1.5), (1.5, 4.0), (4.0, 60.0))
    )
    assert slope == pytest.approx(first_quantum_correction(reduced_temperature), rel=1e-5)
