"""The grid model against direct sums: K_H, overlaps, forces, batches."""

from dataclasses import replace

import numpy as np
import pytest

from chem.energies import ClassicalModel, ClassicalSettings
from chem.grids import (
    GridAccuracyError,
    GridOptions,
    GridSizeError,
    build_at,
    build_grid_model,
)
from chem.grids.lookup import guest_energy, site_energy
from chem.hosts import replicate
from chem.mixing import mix_pairs
from data.errors import SettingsError

CASES = [
    ("Mg-MOF-74", "CO2", "UFF"),
    ("CALF-20", "CO2", "UFF"),
    ("MFI_SI", "CO2", "TraPPE-zeo"),
    ("MFI_SI", "CH4", "TraPPE-zeo"),
    ("CALF-20", "H2O", "UFF"),
    ("IRMOF-1", "N2:Martin-Calvo", "IRMOF-1-Dubbeldam"),
]


@pytest.mark.parametrize(("host", "guest", "field"), CASES)
def test_henry_coefficient_is_that_of_direct_sums(tools, host, guest, field):
    """Same insertions, drawn by their weight: the ratio of the averages has no sampling noise."""
    direct = tools.direct(host, guest, field)
    grid = build_grid_model(direct, temperatures_k=(tools.temperature_k,))
    fractional, quaternions, energy = tools.likely(grid, 4000)
    expected, overlap = direct.energies(fractional, quaternions)
    assert not overlap.any()
    difference = energy - expected
    ratio = np.exp(tools.beta() * difference)  # direct over grid, at points drawn by the grid
    error = ratio.std() / np.sqrt(len(ratio))
    assert error < 1.5e-4
    assert abs(ratio.mean() - 1.0) < 5e-4 + 3.0 * error
    assert np.sqrt(np.mean(difference**2)) < 0.01
    check = grid.check
    assert check.passed
    assert check.points >= 1000
    assert check.rms_kj_per_mol < 0.01
    assert check.bias[0].standard_error < 2.5e-4


@pytest.mark.parametrize("charged", [True, False])
def test_triclinic_cell_thinner_than_the_cutoff(systems, tools, charged):
    """Seven atoms at random in a skewed cell, a bent guest with one site that has no well."""
    host, guest, pairs = systems.triclinic(charged)
    epsilon = np.maximum(pairs.epsilon_kj_per_mol, 0.2)
    epsilon[2] = 0.0
    pairs = replace(pairs, epsilon_kj_per_mol=epsilon, sigma_angstrom=pairs.sigma_angstrom + 0.8)
    direct = ClassicalModel(host, guest, pairs, ClassicalSettings(12.0, "shifted"))
    grid = build_grid_model(direct, temperatures_k=(298.0,))
    assert grid.check.passed
    fractional, quaternions, energy = tools.likely(grid, 1000)
    expected, _ = direct.energies(fractional, quaternions)
    assert np.sqrt(np.mean((energy - expected) ** 2)) < 0.03


def test_a_hole_in_the_model_is_refused(systems):
    """A charge that nothing keeps off another: no finite average exists, and no grid passes."""
    host, guest, pairs = systems.triclinic()
    direct = ClassicalModel(host, guest, pairs)
    with pytest.raises(GridAccuracyError, match="miss direct sums"):
        build_grid_model(direct, temperatures_k=(298.0,), spacing_angstrom=0.2)


def test_overlaps_are_exactly_those_of_direct_sums(tools, systems):
    for direct in (tools.direct("Mg-MOF-74", "CO2"), tools.direct("CALF-20", "H2O")):
        grid, _ = build_at(direct, 0.3)
        fractional, quaternions = tools.uniform(20_000)
        fractional -= 3.0 * (np.arange(20_000)[:, None] % 2)  # any image
        _, found = grid.energies(fractional, quaternions)
        _, expected = direct.energies(fractional, quaternions)
        assert 2_000 < expected.sum() < 19_500
        assert np.array_equal(found, expected)


def test_smaller_cores_are_kept(tools):
    """A reference may shrink the cores: what then is no overlap has a finite, huge energy."""
    whole = tools.direct("CALF-20", "CO2")
    limit = np.full(whole.core_radii_angstrom.shape, 1.2)
    direct = ClassicalModel(whole.host, whole.guest, whole.pairs, extra_core_radii_angstrom=limit)
    grid, _ = build_at(direct, 0.2)
    fractional, quaternions = tools.uniform(20_000)
    energy, found = grid.energies(fractional, quaternions)
    exact, expected = direct.energies(fractional, quaternions)
    assert np.array_equal(found, expected)
    assert found.sum() < 0.8 * whole.energies(fractional, quaternions)[1].sum()
    steep = ~found & (exact > 800.0)
    assert steep.sum() > 100
    assert (energy[steep] > 500.0).all()


def test_batches_and_images_change_no_bit(tools):
    grid, _ = build_at(tools.direct("Mg-MOF-74", "CO2"), 0.3)
    fractional, quaternions = tools.uniform(1000)
    whole, _ = grid.energies(fractional, quaternions)
    parts = [
        grid.energies(fractional[i : i + 37], quaternions[i : i + 37])[0]
        for i in range(0, 1000, 37)
    ]
    assert np.array_equal(np.concatenate(parts), whole)
    order = np.random.default_rng(0).permutation(1000)
    assert np.array_equal(grid.energies(fractional[order], quaternions[order])[0], whole[order])
    again, _ = build_at(tools.direct("Mg-MOF-74", "CO2"), 0.3, options=GridOptions(threads=2))
    assert np.array_equal(again.energies(fractional, quaternions)[0], whole)


def test_single_precision_storage_is_enough(tools):
    """Rounding the coefficients 16 times more coarsely moves energies by little."""
    grid, _ = build_at(tools.direct("Mg-MOF-74", "CO2"), 0.2)
    fractional, quaternions, energy = tools.likely(grid, 2000)
    stored = grid.arrays.coefficients
    coarse = (stored.view(np.uint32) & np.uint32(0xFFFFFFF0)).view(np.float32)
    rough = type(grid)(
        grid.direct, grid.arrays._replace(coefficients=coarse), grid.spacing_angstrom
    )
    moved = rough.energies(fractional, quaternions)[0] - energy
    assert np.sqrt(np.mean(moved**2)) / 16.0 < 1e-4  # kJ/mol, a hundredth kelvin
    assert stored.dtype == np.float32


def test_forces_are_gradients(tools):
    grid, _ = build_at(tools.direct("CALF-20", "CO2"), 0.2)
    fractional, quaternions, _ = tools.likely(grid, 200)
    energy, overlap, forces = grid.energies_and_forces(fractional, quaternions)
    assert not overlap.any()
    assert forces.shape == (len(energy), 3, 3)
    step = 5e-3  # larger than single precision needs, small against a cell of the grid
    for axis in range(3):
        shift = step * grid.arrays.inverse[axis]
        up, _ = grid.energies(fractional + shift, quaternions)
        down, _ = grid.energies(fractional - shift, quaternions)
        numeric = -(up - down) / (2.0 * step)
        assert np.abs(forces.sum(axis=1)[:, axis] - numeric).max() < 0.02
    exact = grid.direct.energies_and_forces(fractional, quaternions)[2]
    assert np.sqrt(np.mean((forces - exact) ** 2)) < 0.05 * np.sqrt(np.mean(exact**2))
    everywhere = tools.uniform(300)
    energy, overlap, forces = grid.energies_and_forces(*everywhere)
    assert overlap.any()
    assert not forces[overlap].any()


def test_compiled_functions_agree_with_the_model(tools):
    """What other compiled code calls: one guest, one site; a supercell's coordinates scaled."""
    grid, _ = build_at(tools.direct("Mg-MOF-74", "CO2"), 0.3)
    fractional, quaternions = tools.uniform(300)
    energy, overlap = grid.energies(fractional, quaternions)
    from chem.geometry import rows_times_matrix
    from chem.rotations import rotate_sites

    arms = rows_times_matrix(rotate_sites(quaternions, grid.arrays.body), grid.arrays.inverse)
    sites = fractional[:, None] + arms + np.array([4.0, -2.0, 1.0])
    for n in range(300):
        found = guest_energy(sites[n], grid.arrays)
        parts = sum(site_energy(*sites[n, s], grid.arrays.kinds[s], grid.arrays) for s in range(3))
        if overlap[n]:
            assert found == np.inf
            assert parts == np.inf
        else:
            assert found == pytest.approx(energy[n], abs=1e-6 + 1e-6 * abs(energy[n]))
            assert parts == pytest.approx(found, abs=1e-9 + 1e-9 * abs(found))


def test_tail_is_added(tools):
    plain = tools.direct("Mg-MOF-74", "CO2")
    tail = tools.direct("Mg-MOF-74", "CO2", tail_correction=True)
    fractional, quaternions = tools.uniform(200)
    one = build_at(plain, 0.4)[0].energies(fractional, quaternions)[0]
    two = build_at(tail, 0.4)[0].energies(fractional, quaternions)[0]
    free = np.isfinite(one)
    assert two[free] - one[free] == pytest.approx(tail.tail_energy_kj_per_mol, abs=1e-9)


def test_cell_setting_changes_nothing(tools):
    """The same crystal as a supercell: the same energies to the accuracy of the grids."""
    direct = tools.direct("CALF-20", "CO2")
    double = replicate(direct.host, (2, 1, 1))
    from chem.force_fields import load_force_field

    pairs = mix_pairs(double, direct.guest, load_force_field("UFF"))
    small = build_grid_model(direct, temperatures_k=(298.0,))
    large = build_grid_model(
        ClassicalModel(double, direct.guest, pairs, direct.settings), temperatures_k=(298.0,)
    )
    fractional, quaternions, energy = tools.likely(small, 2000)
    other, _ = large.energies(fractional / np.array([2.0, 1.0, 1.0]), quaternions)
    ratio = np.exp(-tools.beta() * (other - energy))
    assert abs(ratio.mean() - 1.0) < 1e-3
    assert np.sqrt(np.mean((other - energy) ** 2)) < 0.01


def test_a_host_without_room_is_all_overlap(systems):
    atoms = np.stack(np.meshgrid(*[np.arange(3) / 3.0] * 3), axis=-1).reshape(-1, 3)
    host = systems.host(np.eye(3) * 6.0, atoms)
    guest = systems.guest([[0.0, 0.0, 0.0]])
    direct = ClassicalModel(host, guest, systems.pairs(host, guest, 100.0, 4.0))
    grid = build_grid_model(direct, temperatures_k=(298.0,))
    assert grid.check.points == 0
    rng = np.random.default_rng(0)
    energy, overlap = grid.energies(rng.random((50, 3)), np.tile([1.0, 0, 0, 0], (50, 1)))
    assert overlap.all()
    assert np.isposinf(energy).all()


def test_an_empty_host_is_zero(systems):
    """No wells at all: zero everywhere, exactly."""
    host = systems.host(np.eye(3) * 8.0, [[0.0, 0.0, 0.0]])
    guest = systems.guest([[0.0, 0.0, 0.0]])
    direct = ClassicalModel(host, guest, systems.pairs(host, guest, 0.0, 1.0))
    grid = build_grid_model(direct, temperatures_k=(298.0,))
    energy, _ = grid.energies(np.full((2, 3), 0.3), np.tile([1.0, 0, 0, 0], (2, 1)))
    assert energy.tolist() == [0.0, 0.0]
    assert grid.check.bias[0].mean == 0.0


def test_refinement_and_refusal(tools):
    direct = tools.direct("CALF-20", "H2O")
    coarse = build_grid_model(direct, temperatures_k=(298.0,), bias_target=1e-2)
    fine = build_grid_model(direct, temperatures_k=(298.0,), bias_target=5e-5)
    assert fine.check.spacing_angstrom < coarse.check.spacing_angstrom
    with pytest.raises(GridAccuracyError, match="Use direct energies"):
        build_grid_model(direct, temperatures_k=(298.0,), spacing_angstrom=0.45)
    with pytest.raises(GridSizeError, match="Use direct energies"):
        build_at(direct, 0.2, options=GridOptions(most_points=1000))
    with pytest.raises(SettingsError, match="bias target"):
        build_grid_model(direct, temperatures_k=(298.0,), bias_target=0.0)
    with pytest.raises(SettingsError, match="grid spacing"):
        build_at(direct, 0.7)
