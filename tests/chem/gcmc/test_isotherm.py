"""What a run promises: same bits, exact bias correction, blocked room, units, clear errors."""

from dataclasses import asdict, fields

import numpy as np
import pytest

from chem.energies import ClassicalModel
from chem.force_fields import load_force_field
from chem.gcmc import GcmcSettings, excess_mol_per_kg, mix_guests, run_isotherm, working_capacity
from chem.gcmc.build import choose_repeats
from chem.guests import load_guest
from chem.hosts import host_mass_kg, load_host
from chem.mixing import mix_pairs
from data.errors import SettingsError
from data.records import Estimate

SHORT = GcmcSettings(initialisation_cycles=100, production_cycles=1_000, pilot_insertions=20_000)


@pytest.fixture(scope="module")
def methane(gcmc):
    """CH4 in sodalite-like LTA silica: small cell, quick direct sums."""
    host, guest, ff = load_host("LTA_SI"), load_guest("CH4"), load_force_field("TraPPE-zeo")
    pairs = mix_pairs(host, guest, ff, charges="none")
    return ClassicalModel(host, guest, pairs, gcmc.settings(10.0, "shifted")), mix_guests(guest, ff)


@pytest.fixture(scope="module")
def points(methane):
    return run_isotherm(*methane, 300.0, [2e5, 1e6], SHORT, seed=3)


def numbers(point):
    return repr(asdict(point))


def test_same_seed_same_bits_whatever_the_threads_and_the_other_pressures(methane, points):
    again = run_isotherm(*methane, 300.0, [1e6, 2e5], SHORT, seed=3, threads=2)
    assert [numbers(p) for p in again[::-1]] == [numbers(p) for p in points]
    other = run_isotherm(*methane, 300.0, [1e6], SHORT, seed=4)[0]
    assert other.mol_per_kg.mean != points[1].mol_per_kg.mean


def test_units_and_working_capacity(methane, points):
    model, _ = methane
    low, high = points
    per_cell = high.molecules_per_cell
    mol_per_kg = per_cell.mean / 6.02214076e23 / host_mass_kg(model.host)
    assert high.mol_per_kg.mean == pytest.approx(mol_per_kg)
    assert high.mg_per_g.mean == pytest.approx(mol_per_kg * 16.043, rel=1e-4)
    mol_per_cm3 = per_cell.mean / 6.02214076e23 / (model.host.volume_angstrom3 * 1e-24)
    assert high.cm3_stp_per_cm3.mean == pytest.approx(mol_per_cm3 * 22413.97, rel=1e-5)
    capacity = working_capacity(high, low)
    assert capacity.mean == pytest.approx(high.mol_per_kg.mean - low.mol_per_kg.mean)
    errors = (high.mol_per_kg.standard_error, low.mol_per_kg.standard_error)
    assert capacity.standard_error == pytest.approx(np.hypot(*errors))
    assert capacity.mean > 3.0 * capacity.standard_error > 0.0
    for point in points:
        assert 0.0 < point.mol_per_kg.relative_standard_error < 0.1
        assert point.heat_of_adsorption_kj_per_mol.mean == pytest.approx(15.0, abs=6.0)
        assert abs(point.energy_drift_kj_per_mol) < 1e-8
        assert all(isinstance(getattr(point, f.name), Estimate) for f in fields(point)[3:7])


def test_excess_loading_leaves_the_gas_out(methane, points):
    model, _ = methane
    density = model.host.volume_angstrom3 * 1e-30 / host_mass_kg(model.host)  # m3/kg
    excess = excess_mol_per_kg(points[1], model.host, 0.4, 400.0)
    assert excess.mean == pytest.approx(points[1].mol_per_kg.mean - 0.4 * density * 400.0)


def test_biased_and_uniform_insertions_give_one_loading(methane):
    """Also uniform against the RASPA-like mixture with reinsertions; 2 % each."""
    found = []
    for pilot, reinsertion in ((0, 0.5), (20_000, 2.0)):
        settings = GcmcSettings(
            initialisation_cycles=300,
            production_cycles=8_000,
            pilot_insertions=pilot,
            reinsertion=reinsertion,
        )
        point = run_isotherm(*methane, 300.0, [1e6], settings, seed=8)[0]
        found.append(point)
        assert point.mol_per_kg.relative_standard_error < 0.025
    one, two = (p.mol_per_kg for p in found)
    error = np.hypot(one.standard_error, two.standard_error)
    assert abs(one.mean - two.mean) < 3.0 * error
    assert found[1].acceptance["insertion"] > 1.5 * found[0].acceptance["insertion"]
    heats = [p.heat_of_adsorption_kj_per_mol for p in found]
    error = np.hypot(heats[0].standard_error, heats[1].standard_error)
    assert abs(heats[0].mean - heats[1].mean) < 3.0 * error


def test_blocked_voxels_stay_empty_and_their_share_is_missing(gcmc):
    """Half an empty box blocked: half the ideal gas, every centre in the open half."""
    lattice = np.eye(3) * 26.0
    model, table = gcmc.empty_box("CH4", lattice, gcmc.settings(12.0), charges=False)
    table = gcmc.without_interaction(table)
    blocked = np.zeros((4, 1, 1), dtype=np.int64)
    blocked[:2] = 5  # centred at 0 and 1/4: from -1/8 to 3/8 of the cell
    settings = GcmcSettings(
        initialisation_cycles=100,
        production_cycles=5_000,
        fugacity_coefficient=1.0,
        pilot_insertions=0,
    )
    chain = gcmc.short_chain(model, table, 1e6, settings, blocked=blocked)
    for _ in range(50):
        chain.run(4, 20)
        x = chain.state.centres[0, : chain.state.number[0]]
        assert ((x > 0.375) & (x < 0.875)).all()
    guests = run_isotherm(model, table, 300.0, [1e6], settings, seed=2, blocked=blocked)[0]
    expected = 0.5 * 1e6 * 26.0**3 * 1e-30 / (1.380649e-23 * 300.0)
    estimate = guests.molecules_per_cell
    assert abs(estimate.mean - expected) < 3.0 * estimate.standard_error
    assert estimate.relative_standard_error < 0.02


def test_starting_from_the_previous_pressure_reaches_the_same_loading(methane, points):
    settings = gcmc_start_previous()
    chained = run_isotherm(*methane, 300.0, [2e5, 1e6], settings, seed=5)
    for one, two in zip(chained, points, strict=True):
        error = np.hypot(one.mol_per_kg.standard_error, two.mol_per_kg.standard_error)
        assert abs(one.mol_per_kg.mean - two.mol_per_kg.mean) < 3.5 * error


def gcmc_start_previous():
    return GcmcSettings(
        initialisation_cycles=100,
        production_cycles=1_000,
        pilot_insertions=20_000,
        start="previous",
    )


def test_arrays_grow_with_the_loading(gcmc):
    """More guests than the arrays are made for at first."""
    model, table = gcmc.empty_box("CH4", np.eye(3) * 40.0, gcmc.settings(12.0), charges=False)
    table = gcmc.without_interaction(table)
    chain = gcmc.short_chain(model, table, 3e7)
    _, series = chain.run(300, 0)
    expected = 3e7 * 40.0**3 * 1e-30 / (1.380649e-23 * 300.0)
    assert chain.state.number[0] > 256
    assert series[-30:, 0].mean() == pytest.approx(expected, rel=0.1)


def test_progress_is_told_of_every_pressure(methane):
    told = {}
    run_isotherm(
        *methane,
        300.0,
        [1e5, 2e5],
        GcmcSettings(initialisation_cycles=60, production_cycles=100, pilot_insertions=0),
        progress=lambda p, done, of: told.setdefault(p, []).append((done, of)),
    )
    assert set(told) == {1e5, 2e5}
    for steps in told.values():
        assert steps[-1] == (160, 160)
        assert steps == sorted(steps)


def test_repeats_are_the_fewest_two_cutoffs_wide():
    skewed = np.array([[10.0, 0.0, 0.0], [9.0, 5.0, 0.0], [0.0, 0.0, 24.0]])
    assert choose_repeats(skewed, 12.0) == (5, 5, 1)
    assert choose_repeats(skewed, 12.0, (6, 5, 1)) == (6, 5, 1)
    with pytest.raises(SettingsError, match=r"at least \(5, 5, 1\)"):
        choose_repeats(skewed, 12.0, (2, 2, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"production_cycles": 10}, "production cycles"),
        ({"blocks": 3}, "at least 5 blocks"),
        ({"swap": 0.0}, "move probabilities"),
        ({"translation": float("nan")}, "move probabilities"),
        ({"start": "full"}, "start must be one of"),
        ({"fugacity_coefficient": -1.0}, "fugacity coefficient"),
        ({"repeats": (0, 1, 1)}, "repeats"),
        ({"ewald_precision": 1.0}, "ewald_precision"),
        ({"initialisation_cycles": -1}, "negative"),
    ],
)
def test_settings_out_of_bounds_are_refused(change, words):
    with pytest.raises(SettingsError, match=words):
        GcmcSettings(**change)


@pytest.mark.parametrize(
    ("kelvin", "pressures", "threads", "words"),
    [
        (0.0, [1.0], 1, "temperature"),
        (300.0, [], 1, "at least one pressure"),
        (300.0, [1e5, -2.0], 1, "-2.0 Pa"),
        (300.0, [1e5], 0, "threads"),
    ],
)
def test_arguments_without_sense_are_refused(methane, kelvin, pressures, threads, words):
    with pytest.raises(SettingsError, match=words):
        run_isotherm(*methane, kelvin, pressures, SHORT, threads=threads)


def test_other_mismatches_are_named(methane, gcmc):
    model, _ = methane
    with pytest.raises(SettingsError, match="guest-guest table"):
        run_isotherm(model, gcmc.table_of_zeros(3), 300.0, [1e5], SHORT)
    with pytest.raises(SettingsError, match="3-dimensional"):
        run_isotherm(*methane, 300.0, [1e5], gcmc.plain(SHORT), blocked=np.zeros(3))


def test_effective_potential_of_another_temperature_is_refused(gcmc):
    settings = gcmc.settings(12.0, feynman_hibbs_k=77.0)
    model, table = gcmc.empty_box("H2", np.eye(3) * 26.0, settings, charges=False)
    with pytest.raises(SettingsError, match="made for 77 K"):
        run_isotherm(model, table, 87.0, [1e5], SHORT)


def test_a_chain_that_saw_nothing_says_so(methane, gcmc):
    point = run_isotherm(*methane, 300.0, [1e-6], gcmc.plain(SHORT))[0]
    assert point.mol_per_kg.mean == 0.0
    assert point.heat_of_adsorption_kj_per_mol is None
    assert any("no guest stayed" in note for note in point.notes)
