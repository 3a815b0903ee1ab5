"""Energies between guests: against slow sums, against pymatgen's Ewald, and without drift."""

import numpy as np
import pytest

from chem.gcmc.settings import GcmcSettings
from chem.pair_potential import cutoff_terms
from data.constants import (
    COULOMB_KJ_ANGSTROM_PER_MOL_E2,
    KJ_PER_MOL_PER_EV,
)

SKEWED = np.array([[27.0, 1.5, -2.0], [-4.0, 26.0, 1.0], [3.0, 5.0, 28.0]])


def sites_of(chain):
    """(N, m, 3) Cartesian sites of all guests."""
    state = chain.state
    count = int(state.number[0])
    centres = state.centres[:, :count].T @ chain.model.box.lattice
    return centres[:, None] + state.offsets[:, :, :count].transpose(2, 0, 1)


def lennard_jones_by_loops(sites, lattice, table, settings):
    """Every pair of sites of different guests in 27 images, one after the other."""
    shifts = np.array(list(np.ndindex(3, 3, 3))) - 1
    energy = 0.0
    shift, slope = cutoff_terms(
        table.epsilon_kj_per_mol, table.sigma_angstrom, settings.cutoff_angstrom, settings.lj
    )
    for a in range(len(sites)):
        for b in range(a):
            for i, one in enumerate(sites[a]):
                for j, two in enumerate(sites[b]):
                    r = np.linalg.norm(one - two - shifts @ lattice, axis=1)
                    r = r[r < settings.cutoff_angstrom]
                    sixth = (table.sigma_angstrom[i, j] / r) ** 6
                    u = 4.0 * table.epsilon_kj_per_mol[i, j] * (sixth * sixth - sixth)
                    energy += float((u - shift[i, j] - slope[i, j] * r).sum())
    return energy


def coulomb_by_pymatgen(sites, charges, lattice):
    """Energy of all charges and all images (tin-foil), kJ/mol."""
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core import Lattice, Structure

    flat = sites.reshape(-1, 3)
    every = np.tile(charges, len(sites))
    structure = Structure(
        Lattice(lattice),
        ["H"] * len(flat),
        flat,
        coords_are_cartesian=True,
        site_properties={"charge": every.tolist()},
    )
    structure.add_oxidation_state_by_site(every.tolist())
    total = EwaldSummation(structure, acc_factor=14.0).total_energy * KJ_PER_MOL_PER_EV
    # Out with the pairs inside each molecule.
    for guest in sites:
        for i in range(len(guest)):
            for j in range(i):
                r = np.linalg.norm(guest[i] - guest[j])
                total -= COULOMB_KJ_ANGSTROM_PER_MOL_E2 * charges[i] * charges[j] / r
    return total


@pytest.mark.parametrize("lj", ["truncated", "shifted", "force-shifted"])
def test_lennard_jones_equals_a_double_loop_over_images(gcmc, lj):
    settings = gcmc.settings(11.0, lj)
    model, table = gcmc.empty_box("C2H6", SKEWED, settings)
    chain = gcmc.fill(gcmc.short_chain(model, table, 1e5), 14)
    sites = sites_of(chain)
    expected = lennard_jones_by_loops(sites, SKEWED, table, settings)
    energy, drift = chain.energy_drift()
    assert energy == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert abs(drift) < 1e-9


def test_electrostatics_with_own_images_equals_pymatgen(gcmc):
    """Real, reciprocal, self and intramolecular part together; water has a dipole."""
    settings = gcmc.settings(12.0, "truncated")
    model, table = gcmc.empty_box("H2O", SKEWED, settings)
    chain = gcmc.fill(
        gcmc.short_chain(model, table, 1e5, GcmcSettings(own_images=True, ewald_precision=1e-8)), 8
    )
    sites = sites_of(chain)
    charges = np.array(model.guest.charges_e)
    expected = lennard_jones_by_loops(sites, SKEWED, table, settings)
    expected += coulomb_by_pymatgen(sites, charges, SKEWED)
    energy, _ = chain.energy_drift()
    assert energy == pytest.approx(expected, abs=1e-4)


def test_without_own_images_a_single_guest_has_no_energy_and_a_pair_has_the_pair_alone(gcmc):
    settings = gcmc.settings(12.0)
    model, table = gcmc.empty_box("H2O", SKEWED, settings)
    energies = {}
    for own in (False, True):
        chain = gcmc.short_chain(
            model, table, 1e5, GcmcSettings(own_images=own, ewald_precision=1e-8), seed=3
        )
        gcmc.fill(chain, 1)
        energies[own] = chain.energy_drift()[0]
        sites, charges = sites_of(chain), np.array(model.guest.charges_e)
        assert len(sites) == 1
        if own:
            image = coulomb_by_pymatgen(sites, charges, SKEWED)
            assert energies[True] == pytest.approx(image, abs=1e-5)
            assert abs(image) > 1e-3
    assert energies[False] == pytest.approx(0.0, abs=1e-9)


def test_coarser_ewald_changes_the_energy_of_a_guest_little(gcmc):
    """Forty CO2 in 27 angstrom (4 mol/l): 1e-6 and 1e-5 against 1e-8, kJ/mol a guest."""
    model, table = gcmc.empty_box("CO2", SKEWED, gcmc.settings(12.0, "shifted"))
    first = gcmc.fill(gcmc.short_chain(model, table, 1e5), 40)
    first.conditions = first.conditions._replace(log_activity=4.0)
    first.run(20, 40)
    energies = []
    for precision in (1e-8, 1e-6, 1e-5):
        chain = gcmc.short_chain(model, table, 1e5, GcmcSettings(ewald_precision=precision))
        energies.append(gcmc.copy_into(chain, first).energy_drift()[0] / 40.0)
    assert energies[1] == pytest.approx(energies[0], abs=1e-4)
    assert energies[2] == pytest.approx(energies[0], abs=5e-4)


@pytest.mark.parametrize("guest", ["CO2", "CH4", "H2O"])
def test_running_energy_does_not_drift(gcmc, guest):
    """Thousands of accepted moves of every kind, against everything anew."""
    model, table = gcmc.empty_box(guest, SKEWED, gcmc.settings(12.0, "shifted"))
    chain = gcmc.short_chain(model, table, 5e5 if guest == "H2O" else 3e6)
    counters, _ = chain.run(500, 20)
    assert (counters[:5, 1] > 0)[[0, 1, 2, 4]].all()
    energy, drift = chain.energy_drift()
    assert abs(drift) < 1e-9 * max(1.0, abs(energy))


def test_narrow_box_sees_every_image_within_reach(gcmc):
    """A box of just two cutoffs: sites of long guests meet across half the box."""
    settings = gcmc.settings(9.0)
    model, table = gcmc.empty_box("C3H8", np.eye(3) * 18.0, settings)
    chain = gcmc.fill(gcmc.short_chain(model, table, 1e5), 14)
    sites = sites_of(chain)
    assert len(chain.model.box.shifts) == 27
    expected = lennard_jones_by_loops(sites, np.eye(3) * 18.0, table, settings)
    assert chain.energy_drift()[0] == pytest.approx(expected, rel=1e-9)


def test_tail_of_a_dense_fluid_is_the_integral_beyond_the_cutoff(gcmc):
    """E_tail = N (N - 1) / (2 V) 4 pi int_rc^inf u r^2 dr, by quadrature."""
    from scipy.integrate import quad

    settings = gcmc.settings(10.0, "truncated", tail_correction=True)
    plain = gcmc.settings(10.0, "truncated")
    box = np.eye(3) * 22.0
    model, table = gcmc.empty_box("CH4", box, settings)
    chain = gcmc.fill(gcmc.short_chain(model, table, 1e5), n := 20)
    other = gcmc.short_chain(gcmc.empty_box("CH4", box, plain)[0], table, 1e5)
    energies = [c.energy_drift()[0] for c in (chain, gcmc.copy_into(other, chain))]
    epsilon, sigma = table.epsilon_kj_per_mol[0, 0], table.sigma_angstrom[0, 0]
    integral = quad(
        lambda r: 4.0 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6) * r * r, 10.0, np.inf
    )[0]
    expected = 0.5 * n * (n - 1) / 22.0**3 * 4.0 * np.pi * integral
    assert energies[0] - energies[1] == pytest.approx(expected, rel=1e-9)


def test_feynman_hibbs_guests_use_half_their_mass(gcmc):
    """Two H2 at one distance: u + Q (u'' + 2 u'/r), Q = hbar^2 / (24 (m/2) k T)."""
    settings = gcmc.settings(12.0, feynman_hibbs_k=77.0)
    model, table = gcmc.empty_box("H2", np.eye(3) * 26.0, settings, charges=False)
    chain = gcmc.fill(gcmc.short_chain(model, table, 1e5, temperature_k=77.0), 2)
    hbar, kb, unit = 1.054571817e-34, 1.380649e-23, 1.66053906660e-27
    q = hbar**2 / (24.0 * 0.5 * 2.016 * unit * kb * 77.0) * 1e20
    r = 3.4
    chain.state.centres[:, 1] = (chain.state.centres[:, 0] + [r / 26.0, 0.0, 0.0]) % 1.0
    epsilon, sigma = table.epsilon_kj_per_mol[0, 0], table.sigma_angstrom[0, 0]

    def u(x):
        return 4.0 * epsilon * ((sigma / x) ** 12 - (sigma / x) ** 6)

    h = 1e-3
    first, second = (u(r + h) - u(r - h)) / (2 * h), (u(r + h) - 2 * u(r) + u(r - h)) / h**2
    assert chain.energy_drift()[0] == pytest.approx(u(r) + q * (second + 2.0 * first / r), rel=1e-3)


def test_bound_of_the_reciprocal_part_holds_and_leaves_the_chain_bit_for_bit(gcmc):
    """The sum over waves is skipped only where it could not matter."""
    model, table = gcmc.empty_box("CO2", SKEWED, gcmc.settings(12.0, "shifted"))
    chain = gcmc.fill(gcmc.short_chain(model, table, 1e5), 30)
    waves = chain.model.waves
    lattice_points = np.column_stack(
        [
            np.concatenate([waves.rows[:n] for _, n in waves.columns]),
            np.repeat(np.arange(len(waves.columns)) - waves.limits[2], waves.columns[:, 1]),
        ]
    )
    k = 2.0 * np.pi * lattice_points @ np.linalg.inv(SKEWED).T
    factors = np.exp(1j * sites_of(chain) @ k.T).transpose(0, 2, 1) @ waves.charges
    sums = (waves.green * np.abs(factors) ** 2).sum(axis=1)
    assert 0.1 * waves.spread**2 < sums.max() <= waves.spread**2
    series = []
    for spread in (waves.spread, 1e9):
        run = gcmc.short_chain(model, table, 5e6, seed=12)
        run.model = run.model._replace(waves=run.model.waves._replace(spread=spread))
        run._bind()
        series.append(run.run(300, 20)[1])
    assert np.array_equal(*series)
    assert series[0][-1, 0] > 5
