"""Binding sites: where symmetry says they are, the same in every cell, and counted once."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from chem.binding_sites import (
    approximate_symmetry,
    find_binding_sites,
    nearest_contact,
    write_sites,
)
from chem.cells import replicate
from chem.energies import ClassicalModel, ClassicalSettings
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.rotations import random_quaternions, rotate_sites
from chem.sites.placements import Metric, is_chiral, like_sites
from chem.sites.relax import RigidBody, left_jacobian, relax
from chem.symmetry import crystal_symmetry
from data.errors import SettingsError

SHIFTED = ClassicalSettings(12.0, "shifted")
T = 300.0


def uniform_table(model, n, seed=0):
    rng = np.random.default_rng(seed)
    fractional, quaternions = rng.random((n, 3)), random_quaternions(rng, n)
    return fractional, quaternions, model.energies(fractional, quaternions)[0], np.ones(n)


def sites_of(model, n=20_000, seed=0, **options):
    return find_binding_sites(model, *uniform_table(model, n, seed), T, **options)


def bundled_model(host, guest, force_field, charges="cif"):
    guest, force_field = load_guest(guest), load_force_field(force_field)
    pairs = mix_pairs(host, guest, force_field, charges=charges)
    return ClassicalModel(host, guest, pairs, SHIFTED)


def lone_atom(systems, edge, sigma=3.0, shift=0.0):
    host = systems.host(edge * np.eye(3), [[shift, shift, shift]])
    guest = systems.guest([[0.0, 0.0, 0.0]])
    return ClassicalModel(host, guest, systems.pairs(host, guest, 120.0, sigma), SHIFTED)


def lattice_sum(model, point):
    """Shifted Lennard-Jones energy of one site with a simple cubic lattice, in full."""
    edge = model.host.lattice_angstrom[0, 0]
    steps = np.arange(-8, 9)
    images = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3) * edge
    r = np.linalg.norm(images - point, axis=1)
    r = r[r < 12.0]
    epsilon, sigma = model.pairs.epsilon_kj_per_mol[0, 0], model.pairs.sigma_angstrom[0, 0]
    well = lambda x: 4.0 * epsilon * ((sigma / x) ** 12 - (sigma / x) ** 6)  # noqa: E731
    return float((well(r) - well(12.0)).sum())


def test_a_tight_cubic_lattice_binds_at_its_centre(systems):
    model = lone_atom(systems, 4.2, shift=0.1)
    (site,) = sites_of(model)
    assert np.allclose(site.fractional, 0.6, atol=1e-4)
    assert site.multiplicity == 1
    assert site.share == 1.0
    assert site.share_error == 0.0
    assert site.energy_kj_per_mol == pytest.approx(lattice_sum(model, np.full(3, 2.1)), rel=1e-6)
    assert site.nearest_angstrom == pytest.approx(2.1 * np.sqrt(3.0), rel=1e-4)
    assert site.converged


def test_a_wider_cubic_lattice_binds_at_the_faces(systems):
    """Four atoms just beyond r_min hold a site better than eight far out."""
    model = lone_atom(systems, 5.0, shift=0.5)
    site = sites_of(model)[0]
    assert site.multiplicity == 3
    assert np.allclose(np.sort(np.abs(site.fractional - 0.5)), [0.0, 0.5, 0.5], atol=1e-3)
    face = lattice_sum(model, np.array([0.0, 2.5, 2.5]))
    assert site.energy_kj_per_mol == pytest.approx(face, rel=1e-6)


def test_co2_in_mg_mof_74_sits_at_six_metal_atoms():
    model = bundled_model(load_host("Mg-MOF-74"), "CO2", "UFF")
    assert len(approximate_symmetry(model.host, model.pairs).operations) == 6
    assert sum(element == "Mg" for element in model.host.elements) == 6
    fractional, quaternions, energy, weights = uniform_table(model, 20_000)
    sites = find_binding_sites(model, fractional, quaternions, energy, weights, T)
    first = sites[0]
    assert (first.multiplicity, first.nearest_element) == (6, "Mg")
    assert first.nearest_site_type == "O_co2"
    assert first.energy_kj_per_mol <= energy.min()
    energies = [site.energy_kj_per_mol for site in sites]
    assert energies == sorted(energies)
    assert sum(site.share for site in sites) == pytest.approx(1.0)
    assert all(0.0 < site.share_error < 0.1 for site in sites)


def test_each_image_of_a_site_is_a_minimum_of_nearly_the_same_energy():
    """The structure is symmetric to 0.05 angstrom and 0.01 e only."""
    model = bundled_model(load_host("Mg-MOF-74"), "CO2", "UFF")
    (site, *_) = sites_of(model, most=1)
    operations = approximate_symmetry(model.host, model.pairs).operations
    turns = operations.cartesian_rotations(model.host.lattice_angstrom)
    start = Rotation.from_quat(site.quaternion, scalar_first=True)
    for turn, place in zip(turns, operations.apply(site.fractional[None])[:, 0], strict=True):
        # A linear guest does not see the difference between inversion and half a turn.
        proper = Rotation.from_matrix(turn * np.sign(np.linalg.det(turn))) * start
        found = relax(model, place, proper.as_quat(scalar_first=True))
        assert found.energy_kj_per_mol == pytest.approx(site.energy_kj_per_mol, abs=0.3)


def test_methane_in_mfi():
    """Straight channel, sinusoidal channel and intersection, on the mirror plane or off it."""
    model = bundled_model(load_host("MFI_SI"), "CH4:Dubbeldam", "TraPPE-zeo")
    sites = sites_of(model, 40_000)
    assert {site.multiplicity for site in sites} == {4, 8}
    for site in sites:
        on_mirror = abs((2.0 * site.fractional[1]) % 1.0 - 0.5) < 1e-3
        assert site.multiplicity == (4 if on_mirror else 8)
        assert site.nearest_element == "O"
        assert site.nearest_angstrom > 3.3
        assert site.converged


def test_the_cell_does_not_matter():
    primitive = load_host("SOD", primitive=True)
    skewed = np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]])
    turned = np.linalg.inv(skewed)
    other = replicate(primitive, (1, 1, 1))
    object.__setattr__(other, "lattice_angstrom", skewed @ primitive.lattice_angstrom)
    object.__setattr__(other, "fractional", (primitive.fractional @ turned) % 1.0)
    hosts = [(primitive, 1), (other, 1), (replicate(primitive, (1, 2, 1)), 2)]
    found = [
        (sites_of(bundled_model(host, "N2", "TraPPE-zeo", "none"), 40_000 * n, most=1), n)
        for host, n in hosts
    ]
    reference = found[0][0][0]
    for (site,), copies in found:
        assert site.multiplicity == copies * reference.multiplicity
        assert site.energy_kj_per_mol == pytest.approx(reference.energy_kj_per_mol, abs=1e-4)
        assert site.nearest_angstrom == pytest.approx(reference.nearest_angstrom, abs=1e-3)


def test_shares_are_boltzmann_weights_of_the_nearest_copies(systems):
    """Cages in a row, between layers of two kinds: one of its own, two alike."""
    host = systems.host(np.diag([12.6, 4.2, 4.2]), [[0, 0, 0], [1 / 3, 0, 0], [2 / 3, 0, 0]])
    guest = systems.guest([[0.0, 0.0, 0.0]])
    pairs = systems.pairs(host, guest, [[120.0, 120.0, 90.0]], 3.0)
    model = ClassicalModel(host, guest, pairs, SHIFTED)
    fractional, quaternions, energy, _ = uniform_table(model, 60_000)
    weights = np.random.default_rng(5).uniform(0.5, 2.0, len(energy))
    sites = find_binding_sites(model, fractional, quaternions, energy, weights, T)
    assert [site.multiplicity for site in sites] == [1, 2]
    factor = np.where(np.isfinite(energy), weights * np.exp(-energy / (0.00831446 * T)), 0.0)
    places = np.array([1 / 6, sites[1].fractional[0], 1 / 3 - sites[1].fractional[0]])
    away = np.abs((fractional[:, :1] - places + 0.5) % 1.0 - 0.5)
    alone = factor[away.argmin(axis=1) == 0].sum() / factor.sum()
    assert 0.2 < alone < 0.8
    assert sites[0].share == pytest.approx(alone, abs=5e-3)
    assert sites[1].share == pytest.approx(1.0 - alone, abs=5e-3)


def test_a_model_without_forces_gives_the_same_sites():
    model = bundled_model(load_host("Mg-MOF-74"), "CO2", "UFF")
    table = uniform_table(model, 5000)
    plain = SimpleNamespace(
        host=model.host, guest=model.guest, pairs=model.pairs, energies=model.energies
    )
    (first,) = find_binding_sites(model, *table, T, most=1)
    (second,) = find_binding_sites(plain, *table, T, most=1)
    assert second.energy_kj_per_mol == pytest.approx(first.energy_kj_per_mol, abs=0.02)
    assert second.multiplicity == first.multiplicity


def test_gradient_of_a_rigid_step(systems):
    host, guest, pairs = systems.triclinic()
    model = ClassicalModel(host, guest, pairs, ClassicalSettings(9.0, "shifted"))
    fractional, quaternions, _ = systems.free(model, 5)
    rng = np.random.default_rng(2)
    for place, turn in zip(fractional, quaternions, strict=True):
        body = RigidBody(model, place, turn)
        step = np.concatenate([np.zeros(3), rng.normal(0.0, 0.3, 3)])
        shifts = 1e-5 * np.vstack([np.eye(6), -np.eye(6)])
        energy, _ = body.energy_and_gradient(step + shifts)
        numeric = (energy[:6] - energy[6:]) / 2e-5
        if abs(energy).max() < 1e4:
            _, gradient = body.energy_and_gradient(step[None])
            assert np.allclose(gradient[0], numeric, rtol=1e-5, atol=1e-4)


def test_left_jacobian():
    vectors = np.array([[0.4, -1.1, 0.7], [0.0, 0.0, 0.0], [2.0, 0.1, 1.5]])
    for vector, jacobian in zip(vectors, left_jacobian(vectors), strict=True):
        for axis in range(3):
            small = np.eye(3)[axis] * 1e-6
            turn = Rotation.from_rotvec(vector + small) * Rotation.from_rotvec(vector).inv()
            assert np.allclose(turn.as_rotvec() / 1e-6, jacobian[:, axis], atol=1e-5)


def test_relaxing_never_climbs_and_leaves_saddles(systems):
    model = lone_atom(systems, 9.0)
    along = np.array([0.0, 0.5, 0.5])  # between four atoms: no minimum, by symmetry no force
    unit = np.array([1.0, 0.0, 0.0, 0.0])
    start = model.energies(along[None], unit[None])[0][0]
    found = relax(model, along, unit)
    assert found.energy_kj_per_mol < start - 0.1
    assert found.converged


@pytest.mark.parametrize(
    ("name", "count"),
    [("CO2", 2), ("N2", 2), ("CH4", 1), ("H2O", 2), ("NH3", 6), ("SO2", 2), ("Ar", 1)],
)
def test_like_sites(name, count):
    names = like_sites(load_guest(name))
    assert len(names) == count
    assert names[0].tolist() == list(range(names.shape[1]))


def test_chirality(systems):
    hand = np.array([[0.0, 0, 0], [1.0, 0, 0], [0, 1.3, 0], [0, 0, 1.7]])
    alike = systems.guest(hand)
    assert is_chiral(hand, like_sites(alike))
    assert not is_chiral(hand[:3], np.array([[0, 1, 2]]))
    guest = load_guest("NH3")
    assert not is_chiral(guest.positions_angstrom, like_sites(guest))


def test_a_turned_round_guest_is_at_the_same_place():
    guest, host = load_guest("CO2"), load_host("Mg-MOF-74")
    metric = Metric(host.lattice_angstrom, guest, crystal_symmetry(host, np.arange(54)))
    flip = np.array([0.0, 1.0, 0.0, 0.0])
    one = metric.placements(np.array([[0.98, 0.1, 0.2]]), np.array([[1.0, 0, 0, 0]]))
    two = metric.placements(np.array([[-0.02, 0.1, 1.2]]), flip[None])
    assert metric.to_images(one, two)[0] < 1e-6
    across = metric.placements(np.array([[0.98, 0.1, 0.2]]), np.array([[0.5, 0.5, 0.5, 0.5]]))
    assert metric.to_images(one, across)[0] == pytest.approx(1.16 * np.sqrt(4.0 / 3.0), rel=1e-3)


def test_nearest_by_brute_force(systems):
    host, guest, _ = systems.triclinic()
    metric = Metric(host.lattice_angstrom, guest, crystal_symmetry(host, np.arange(7)))
    rng = np.random.default_rng(8)
    some = metric.placements(rng.random((50, 3)), random_quaternions(rng, 50))
    images = metric.placements(rng.random((6, 3)), random_quaternions(rng, 6))
    owner = np.array([0, 0, 1, 1, 2, 2])
    shifts = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), axis=-1).reshape(-1, 3)
    expected = []
    for k in range(50):
        d = (some.fractional[k] - images.fractional)[:, None] + shifts
        sites = (d @ host.lattice_angstrom)[:, :, None] + (
            some.offsets_angstrom[k] - images.offsets_angstrom
        )[:, None]
        expected.append(owner[(sites**2).sum(axis=3).mean(axis=2).min(axis=1).argmin()])
    assert metric.nearest(some, images, owner).tolist() == expected


def test_nearest_contact_by_brute_force(systems):
    host, guest, _ = systems.triclinic()
    place, turn = np.array([0.9, 0.05, 0.4]), random_quaternions(np.random.default_rng(1), 1)[0]
    atom, site, distance = nearest_contact(host, guest, place, turn)
    sites = place @ host.lattice_angstrom + rotate_sites(turn[None], guest.positions_angstrom)[0]
    shifts = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), axis=-1).reshape(-1, 3)
    atoms = (host.fractional[:, None] + shifts) @ host.lattice_angstrom
    every = np.linalg.norm(atoms[:, :, None] - sites, axis=3).min(axis=1)
    assert distance == pytest.approx(every.min())
    assert (atom, site) == np.unravel_index(every.argmin(), every.shape)


def test_files_hold_host_and_guest(tmp_path):
    from ase.io import read

    model = bundled_model(load_host("Mg-MOF-74"), "CO2", "UFF")
    sites = sites_of(model, 5000, most=2)
    paths = write_sites(tmp_path, model.host, model.guest, sites)
    assert [path.name for path in paths] == [
        "binding_site_1.cif",
        "binding_site_2.cif",
        "binding_sites.extxyz",
    ]
    frames = read(paths[-1], index=":")
    assert len(frames) == 2
    for frame, site, cif in zip(frames, sites, paths, strict=False):
        assert len(frame) == len(read(cif)) == 54 + 3
        assert frame.info["interaction_energy_kj_per_mol"] == pytest.approx(site.energy_kj_per_mol)
        guest = frame[54:]
        assert guest.get_chemical_symbols() == ["C", "O", "O"]
        assert guest.get_distance(0, 1) == pytest.approx(1.16, abs=1e-4)
        nearest = min(frame.get_distances(k, range(54), mic=True).min() for k in (54, 55, 56))
        assert nearest == pytest.approx(site.nearest_angstrom, abs=1e-4)
    assert write_sites(tmp_path, model.host, model.guest, ()) == []


def test_no_room_and_wrong_input(systems):
    model = lone_atom(systems, 4.2)
    table = uniform_table(model, 100)
    full = (table[0], table[1], np.full(100, np.inf), table[3])
    assert find_binding_sites(model, *full, T) == ()
    with pytest.raises(SettingsError, match="positive"):
        find_binding_sites(model, *table, 0.0)
    with pytest.raises(SettingsError, match="positive"):
        find_binding_sites(model, *table, T, most=0)
