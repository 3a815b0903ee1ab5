"""K_H = <exp(-beta U)> / (rho R T): the average in cases with a closed form or a quadrature."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from chem.energies import ClassicalModel, ClassicalSettings
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K

BETA_300 = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * 300.0)
SKEWED = np.array([[6.0, 0.0, 0.0], [-3.0, 5.2, 0.0], [0.5, 0.8, 7.0]])


def one_site(systems, lattice, epsilon_k, sigma, extra=None, core_energy_k=1e5, **settings):
    """One host atom at a general place in the cell, one guest site off its origin."""
    host = systems.host(lattice, [[0.31, 0.77, 0.13]])
    guest = systems.guest([[0.4, -0.3, 0.2]])
    pairs = systems.pairs(host, guest, epsilon_k, sigma)
    radii = None if extra is None else np.array([[extra]])
    return ClassicalModel(host, guest, pairs, ClassicalSettings(**settings), core_energy_k, radii)


def within(estimate, expected, resolution):
    """Within four standard errors, which must themselves be small enough to mean something."""
    assert estimate.standard_error < resolution * abs(expected)
    assert abs(estimate.mean - expected) < 4.0 * estimate.standard_error


def test_host_without_interactions_gives_one(systems):
    model = one_site(systems, SKEWED, 0.0, 3.0)
    energies = model.energies(*systems.insertions(1000))[0]
    assert systems.widom(energies, BETA_300).mean == 1.0


def test_infinite_temperature_gives_the_volume_outside_the_cores(systems):
    """Spheres in a skewed cell that do not touch: 1 - 4 pi r^3 / 3 V."""
    model = one_site(systems, SKEWED, 80.0, 3.6, cutoff_angstrom=9.0)
    radius = model.core_radii_angstrom[0, 0]
    free = 1.0 - 4.0 / 3.0 * math.pi * radius**3 / model.host.volume_angstrom3
    energies = model.energies(*systems.insertions(200_000))[0]
    within(systems.widom(energies, 1e-9 * BETA_300), free, 2e-3)


def test_hard_sphere_free_volume_with_spheres_that_meet_their_images(systems):
    """Simple cubic, L/2 < r < L/sqrt(2): a sphere less six caps per cell."""
    length = 4.0
    model = one_site(systems, np.eye(3) * length, 80.0, 3.2, core_energy_k=1e4, cutoff_angstrom=6.0)
    radius = model.core_radii_angstrom[0, 0]
    assert length / 2 < radius < length / math.sqrt(2.0)
    height = radius - length / 2
    cap = math.pi * height**2 * (3 * radius - height) / 3.0
    covered = 4.0 / 3.0 * math.pi * radius**3 - 6.0 * cap
    overlap = model.energies(*systems.insertions(200_000))[1]
    hard = np.where(overlap, np.inf, 0.0)
    within(systems.widom(hard, 1.0), 1.0 - covered / length**3, 1e-2)


def test_hard_dumbbell_free_volume(systems):
    """Two sites a fixed distance apart: the mean union of two spheres, by inclusion-exclusion."""
    bond, length = 1.5, 9.0
    host = systems.host(np.eye(3) * length, [[0.2, 0.4, 0.9]])
    guest = systems.guest([[0, 0, bond / 2], [0, 0, -bond / 2]])
    model = ClassicalModel(host, guest, systems.pairs(host, guest, 80.0, 4.0))
    radius = model.core_radii_angstrom[0, 0]
    lens = math.pi * (4 * radius + bond) * (2 * radius - bond) ** 2 / 12.0
    excluded = 2 * 4.0 / 3.0 * math.pi * radius**3 - lens
    overlap = model.energies(*systems.insertions(300_000))[1]
    within(systems.widom(np.where(overlap, np.inf, 0.0), 1.0), 1.0 - excluded / length**3, 1e-3)


def test_square_well_in_closed_form(systems):
    """Core r1 and well edge r2 are the cores of two models.

    The average is 1 + 4 pi / 3 V [(r2^3 - r1^3) (exp(beta eps) - 1) - r1^3].
    """
    inner, outer, depth = 1.5, 2.4, 2.0
    wide = dict(epsilon_k=100.0, sigma=4.0, core_energy_k=100.0)
    core = one_site(systems, SKEWED, extra=inner, **wide)
    well = one_site(systems, SKEWED, extra=outer, **wide)
    assert (core.core_radii_angstrom[0, 0], well.core_radii_angstrom[0, 0]) == (inner, outer)
    insertions = systems.insertions(300_000)
    energy = np.where(well.energies(*insertions)[1], -depth, 0.0)
    energy[core.energies(*insertions)[1]] = np.inf
    shell = (outer**3 - inner**3) * math.expm1(BETA_300 * depth)
    expected = 1.0 + 4.0 * math.pi / 3.0 * (shell - inner**3) / core.host.volume_angstrom3
    within(systems.widom(energy, BETA_300), expected, 2e-3)


@pytest.mark.parametrize("lj", ["truncated", "shifted", "force-shifted"])
@pytest.mark.parametrize("temperature_k", [150.0, 300.0, 1000.0])
def test_one_lennard_jones_site_against_quadrature(systems, lj, temperature_k):
    """Cutoff inside half the box, so the average is one radial integral."""
    length, cutoff, epsilon_k, sigma = 12.5, 6.2, 200.0, 3.5
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)
    depth = 4.0 * epsilon_k / temperature_k
    edge, slope = (sigma / cutoff) ** 12 - (sigma / cutoff) ** 6, 0.0
    if lj == "force-shifted":
        slope = (6.0 * (sigma / cutoff) ** 6 - 12.0 * (sigma / cutoff) ** 12) / cutoff
    elif lj == "truncated":
        edge = 0.0

    def mayer(r):
        reduced = (sigma / r) ** 12 - (sigma / r) ** 6 - edge - slope * (r - cutoff)
        return math.expm1(-depth * reduced) * r * r

    parts = [quad(mayer, a, b, epsrel=1e-10)[0] for a, b in ((0.5, 3.0), (3.0, 4.0), (4.0, cutoff))]
    expected = 1.0 + 4.0 * math.pi * (sum(parts) - 0.5**3 / 3.0) / length**3
    model = one_site(systems, np.eye(3) * length, epsilon_k, sigma, cutoff_angstrom=cutoff, lj=lj)
    energies = model.energies(*systems.insertions(600_000))[0]
    within(systems.widom(energies, beta), expected, 5e-3)


def test_one_quantum_site_against_quadrature(systems):
    """Feynman-Hibbs hydrogen at 40 K: the wall moves out, K falls well below the classical one."""
    length, cutoff, epsilon_k, sigma, kelvin = 12.5, 6.2, 60.0, 3.0, 40.0
    quantum = 48.5087341642 / (24.0 * 1.0 * kelvin)

    def mayer(r, q):
        sixth = (sigma / r) ** 6
        energy = sixth * (sixth - 1.0) + q / r**2 * (132.0 * sixth**2 - 30.0 * sixth)
        return math.expm1(-4.0 * epsilon_k / kelvin * energy) * r * r

    expected = {}
    for q in (0.0, quantum):
        ranges = ((0.5, 2.5), (2.5, 4.0), (4.0, cutoff))
        parts = [quad(mayer, a, b, args=(q,), epsrel=1e-10)[0] for a, b in ranges]
        expected[q] = 1.0 + 4.0 * math.pi * (sum(parts) - 0.5**3 / 3.0) / length**3
    model = one_site(
        systems,
        np.eye(3) * length,
        epsilon_k,
        sigma,
        cutoff_angstrom=cutoff,
        feynman_hibbs_k=kelvin,
    )
    energies = model.energies(*systems.insertions(400_000))[0]
    within(systems.widom(energies, BETA_300 * 300.0 / kelvin), expected[quantum], 5e-3)
    assert expected[quantum] < 0.95 * expected[0.0]


def test_replicating_the_cell_leaves_the_average(systems):
    """2x1x1 within noise; the same cell and streams give the same bits (see test_energies)."""
    single = one_site(systems, SKEWED, 120.0, 3.4, cutoff_angstrom=10.0)
    host = systems.host(SKEWED * [[2], [1], [1]], [[0.155, 0.77, 0.13], [0.655, 0.77, 0.13]])
    guest = systems.guest([[0.4, -0.3, 0.2]])
    pairs = systems.pairs(host, guest, 120.0, 3.4)
    double = ClassicalModel(host, guest, pairs, ClassicalSettings(cutoff_angstrom=10.0))
    a = systems.widom(single.energies(*systems.insertions(200_000, seed=1))[0], BETA_300)
    b = systems.widom(double.energies(*systems.insertions(200_000, seed=2))[0], BETA_300)
    combined = math.hypot(a.standard_error, b.standard_error)
    assert combined < 0.01 * a.mean
    assert abs(a.mean - b.mean) < 4.0 * combined


def power_wall(distance, size):
    """1/d^3 - 1/R^3 at distance d inside a wall around a pore of radius R; infinite outside."""
    with np.errstate(divide="ignore"):
        return np.where(distance > 0.0, np.abs(distance) ** -3.0 - size**-3.0, np.inf)


def test_confinement_values_of_feasst(systems):
    """Reduced K_H of the confinement tutorials of FEASST (NIST); beta = 1.

    The last two potentials are walls of the form 1/d^3 - 1/R^3; a quadrature gives 0.037737
    and 0.129661, and the printed values lie 0.2 to 0.3 % below.
    """
    box, radius = 9.0, 3.0
    points = (np.random.default_rng(11).random((400_000, 3)) - 0.5) * box
    slit = np.where(np.abs(points[:, 2]) < box / 4, 0.0, np.inf)
    within(systems.widom(slit, 1.0), 0.5, 5e-3)
    assert systems.widom(np.zeros(10), 1.0).mean == 1.0
    for dimension, printed in ((3, 0.03764), (2, 0.129407)):
        distance = radius - np.sqrt((points[:, :dimension] ** 2).sum(axis=1))
        surface = {3: lambda r: 4 * math.pi * r * r, 2: lambda r: 2 * math.pi * r}[dimension]
        integral, _ = quad(
            lambda r, s=surface: math.exp(radius**-3.0 - (radius - r) ** -3.0) * s(r), 0.0, radius
        )
        expected = integral / box**dimension
        assert expected == pytest.approx(printed, rel=3e-3)
        within(systems.widom(power_wall(distance, radius), 1.0), expected, 1e-2)
