"""The fields on the grid points against direct sums at the same points."""

from dataclasses import replace

import numpy as np
import pytest

from chem.energies import ClassicalModel, ClassicalSettings
from chem.grids.fields import CAP_ANGSTROM, FieldRequest, compute_fields
from chem.grids.kinds import grid_dims, site_kinds
from chem.grids.orbits import GridSymmetry, grid_symmetry, multiples, orbit_map
from chem.grids.radial import cap_series, screening_series
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.records import Guest

KELVIN = GAS_CONSTANT_KJ_PER_MOL_K


def one_site(model, site, charge):
    """The same host with one site of its guest, carrying a charge and its own negative far away."""
    guest = Guest(
        name="probe",
        site_types=("A", "B"),
        site_elements=(None, None),
        positions_angstrom=np.zeros((2, 3)),
        charges_e=np.array([charge, -charge]),
        epsilon_k=np.zeros(2),
        sigma_angstrom=np.ones(2),
        atom_elements=("He",),
        atom_positions_angstrom=np.zeros((1, 3)),
        molar_mass_g_per_mol=model.guest.molar_mass_g_per_mol,
    )
    rows = [site, site]
    epsilon = model.pairs.epsilon_kj_per_mol[rows].copy()
    epsilon[1] = 0.0
    pairs = replace(
        model.pairs,
        epsilon_kj_per_mol=epsilon,
        sigma_angstrom=model.pairs.sigma_angstrom[rows],
        guest_charges_e=np.array([charge, -charge]),
    )
    return guest, pairs


def points(dims, count, seed=3):
    rng = np.random.default_rng(seed)
    index = np.stack([rng.integers(0, n, count) for n in dims], axis=1)
    return tuple(index.T), index / np.array(dims)


def turned(count):
    return np.tile([1.0, 0.0, 0.0, 0.0], (count, 1))


@pytest.mark.parametrize(
    "settings",
    [
        ClassicalSettings(12.0),
        ClassicalSettings(9.0, "shifted"),
        ClassicalSettings(10.0, "force-shifted", feynman_hibbs_k=77.0),
        ClassicalSettings(4.0, "shifted"),
    ],
    ids=["truncated", "shifted", "quantum", "short"],
)
def test_lennard_jones_is_the_direct_sum(tools, settings):
    """Every truncation, and a cutoff below the split distance; float32 storage included."""
    model = tools.direct("Mg-MOF-74", "CO2")
    guest, pairs = one_site(model, 0, 0.0)
    direct = ClassicalModel(model.host, guest, pairs, settings)
    dims = grid_dims(model.host.lattice_angstrom, 0.4)
    fields = compute_fields(
        FieldRequest(direct, pairs.epsilon_kj_per_mol[:1], pairs.sigma_angstrom[:1], False, dims)
    )
    index, fractional = points(dims, 4000)
    expected, overlap = direct.energies(fractional, turned(4000))
    found = fields.lennard_jones[0][index]
    free = ~overlap & (expected < 50.0)
    assert free.sum() > 1000
    error = (found - expected)[free]
    assert np.sqrt(np.mean(error**2)) < 0.3 * KELVIN  # the step at the cutoff, smoothed
    assert abs(error.mean()) < 0.02 * KELVIN
    steep = ~overlap & (expected >= 50.0)
    assert np.abs(found[steep] / expected[steep] - 1.0).max() < 1e-4


def test_potential_is_that_of_ewald(tools):
    """Differences of potential between two points, by a guest of two opposite charges."""
    model = tools.direct("Mg-MOF-74", "CO2")
    dims = grid_dims(model.host.lattice_angstrom, 0.4)
    arm = 5 * model.host.lattice_angstrom[1] / dims[1]  # from grid point to grid point
    guest, pairs = one_site(model, 0, 1.0)
    guest = replace(guest, positions_angstrom=np.array([[0.0, 0.0, 0.0], arm]))
    pairs = replace(pairs, epsilon_kj_per_mol=np.zeros_like(pairs.epsilon_kj_per_mol))
    direct = ClassicalModel(model.host, guest, pairs)
    fields = compute_fields(
        FieldRequest(model, pairs.epsilon_kj_per_mol[:0], pairs.sigma_angstrom[:0], True, dims)
    )
    index, fractional = points(dims, 2000)
    expected, _ = direct.energies(fractional, turned(2000))
    other = (index[0], (index[1] + 5) % dims[1], index[2])
    found = fields.potential[index] - fields.potential[other]
    near = _nearest(model.host, fractional) < 1.5 * CAP_ANGSTROM
    near |= _nearest(model.host, np.stack(other, axis=1) / np.array(dims)) < 1.5 * CAP_ANGSTROM
    assert np.abs(found - expected)[~near].max() < 5e-3
    assert np.abs(expected[~near]).max() > 100.0
    assert np.isfinite(fields.potential).all()


def _nearest(host, fractional):
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    images = (host.fractional[:, None] + shifts).reshape(-1, 3) @ host.lattice_angstrom
    gaps = (fractional % 1.0 @ host.lattice_angstrom)[:, None] - images
    return np.sqrt((gaps**2).sum(axis=2)).min(axis=1)


def test_series_meet_their_functions():
    from scipy.special import erf

    r = np.linspace(0.05, 1.0, 50) * 4.5
    series = np.polynomial.polynomial.polyval((r / 4.5) ** 2, screening_series(0.77, 4.5))
    assert np.abs(series - erf(0.77 * r) / r).max() < 1e-6
    cap = cap_series(0.9)
    assert np.polynomial.polynomial.polyval(1e-3, cap) == pytest.approx(
        1.0 / (0.9 * np.sqrt(1.001)), rel=1e-12
    )


@pytest.mark.parametrize("name", ["Cu-BTC", "MFI_SI", "IRMOF-1"])
def test_symmetry_changes_nothing(tools, name):
    """The near part copied along the orbits equals the one computed everywhere."""
    field = {"MFI_SI": "TraPPE-zeo", "IRMOF-1": "IRMOF-1-Dubbeldam"}.get(name, "UFF")
    model = tools.direct(name, "CO2", field)
    kinds = site_kinds(model)
    parameters = np.concatenate([kinds.epsilon_kj_per_mol, kinds.sigma_angstrom])
    symmetry = grid_symmetry(model.host, parameters, model.pairs.host_charges_e)
    assert len(symmetry) >= 8
    dims = grid_dims(model.host.lattice_angstrom, 0.45, symmetry)
    request = FieldRequest(
        model, kinds.epsilon_kj_per_mol, kinds.sigma_angstrom, True, dims, symmetry
    )
    used, plain = compute_fields(request), compute_fields(replace(request, symmetry=None))
    low = plain.lennard_jones < 100.0
    assert np.abs(used.lennard_jones - plain.lennard_jones)[low].max() < 1e-3
    assert np.abs(used.potential - plain.potential).max() < 2e-3
    share = np.count_nonzero(orbit_map(symmetry, dims) == np.arange(np.prod(dims))) / np.prod(dims)
    assert share < 2.0 / len(symmetry)


def test_orbits_of_a_screw_axis():
    """x -> (-x, y + 1/2, -z): pairs of points, and an even number along b."""
    rotations = np.array([np.eye(3), np.diag([-1, 1, -1])]).astype(np.int64)
    symmetry = GridSymmetry(rotations, np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.0]]))
    divisor, group = multiples(symmetry)
    assert divisor.tolist() == [1, 2, 1]
    assert group.tolist() == [0, 1, 2]
    first = orbit_map(symmetry, (3, 4, 5)).reshape(3, 4, 5)
    for i, j, k in np.ndindex(3, 4, 5):
        assert first[i, j, k] == first[-i % 3, (j + 2) % 4, -k % 5]
    assert len(np.unique(first)) == 30
    assert grid_dims(np.diag([3.0, 3.1, 3.0]), 0.12, symmetry)[1] % 2 == 0


def test_threads_change_no_bit(tools):
    model = tools.direct("CALF-20", "CO2")
    kinds = site_kinds(model)
    dims = grid_dims(model.host.lattice_angstrom, 0.45)
    request = FieldRequest(model, kinds.epsilon_kj_per_mol, kinds.sigma_angstrom, True, dims)
    one, two = compute_fields(request, 1), compute_fields(request, 2)
    assert np.array_equal(one.lennard_jones, two.lennard_jones)
    assert np.array_equal(one.potential, two.potential)
