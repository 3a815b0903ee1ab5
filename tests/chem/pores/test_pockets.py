"""Channels and pockets: windows of known height, mock guests, invariances."""

from dataclasses import replace

import numpy as np
import pytest

from chem.energies import ClassicalModel, ClassicalSettings
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host, replicate
from chem.mixing import mix_pairs
from chem.pores.landscape import (
    OPEN,
    UNKNOWN,
    WALL,
    boltzmann_sums,
    classify,
    grid_points,
    grid_shape,
)
from chem.pores.pocket_map import PocketMap
from chem.pores.pockets import find_pockets
from chem.rotations import random_quaternions, rotate_sites
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import RunFolderError, SettingsError


def model_of(host, guest_name, **settings):
    force_field = load_force_field("TraPPE-zeo")
    guest = load_guest(guest_name, force_field)
    pairs = mix_pairs(host, guest, force_field, charges="none")
    return ClassicalModel(host, guest, pairs, ClassicalSettings(**settings))


class Mock:
    """Any energy of a guest's rotated sites, in a cell whose voxels are all looked at."""

    hash = "mock"

    def __init__(self, systems, edge, body, energy):
        self.host = systems.host(edge * np.eye(3), [[0.0, 0.5, 0.5]])
        self.guest = systems.guest(body)
        self.pairs = systems.pairs(self.host, self.guest, 1e-30, 4.0 * edge)
        self.settings, self._energy, self.calls = None, energy, 0

    def energies(self, fractional, quaternions):
        self.calls += len(fractional)
        origins = (fractional % 1.0) @ self.host.lattice_angstrom
        sites = origins[:, None] + rotate_sites(quaternions, self.guest.positions_angstrom)
        energy = self._energy(sites)
        return energy, np.isposinf(energy)


def test_a_window_opens_exactly_at_its_energy(systems):
    """One Lennard-Jones site in a cubic lattice: the window is the face centre, by symmetry."""
    host = systems.host(5.6 * np.eye(3), [[0.0, 0.0, 0.0]])
    guest = systems.guest([[0.0, 0.0, 0.0]])
    model = ClassicalModel(host, guest, systems.pairs(host, guest, 150.0, 4.6))
    temperature = 300.0
    energy = model.energies(np.array([[0.5, 0.5, 0.0]]), np.array([[1.0, 0.0, 0.0, 0.0]]))[0][0]
    height = energy / (GAS_CONSTANT_KJ_PER_MOL_K * temperature)
    assert 5.0 < height < 40.0
    below = find_pockets(model, temperature, threshold_kt=height - 0.01)
    above = find_pockets(model, temperature, threshold_kt=height + 0.01)
    assert [r.dimensionality for r in below.regions] == [0]
    assert [r.dimensionality for r in above.regions] == [3]
    np.testing.assert_allclose(below.pockets[0].centre_fractional, 0.5, atol=1e-6)
    assert below.excluded_share == 1.0
    assert "cannot enter" in below.warning
    assert above.warning is None
    assert above.excluded_share == 0.0
    assert not above.blocks_anything
    hotter = find_pockets(model, temperature * 2.0, threshold_kt=height * 0.6)
    assert [r.dimensionality for r in hotter.regions] == [3]


def test_a_dense_host_blocks_everything(systems):
    host = systems.host(2.0 * np.eye(3), [[0.0, 0.0, 0.0]])
    guest = systems.guest([[0.0, 0.0, 0.0]])
    found = find_pockets(ClassicalModel(host, guest, systems.pairs(host, guest, 150.0, 3.5)), 300.0)
    assert found.regions == ()
    assert found.excluded_share == 1.0
    assert found.blocked(np.random.default_rng(0).random((50, 3))).all()
    assert "no place" in found.warning


def test_an_empty_host_blocks_nothing(systems):
    host = systems.host(9.0 * np.eye(3), [[0.0, 0.0, 0.0]])
    guest = systems.guest([[0.0, 0.0, 0.0]])
    found = find_pockets(ClassicalModel(host, guest, systems.pairs(host, guest, 0.0, 1.0)), 300.0)
    assert [r.dimensionality for r in found.regions] == [3]
    assert found.regions[0].volume_angstrom3 == pytest.approx(9.0**3)
    assert not found.blocked(np.random.default_rng(0).random((50, 3))).any()


def test_shares_are_those_of_the_boltzmann_factor(systems):
    """Two closed boxes and a channel, flat inside: weights in closed form."""
    kt = GAS_CONSTANT_KJ_PER_MOL_K * 300.0
    edge = 12.0

    def energy(sites):
        x, y, z = np.moveaxis(sites[:, 0] % edge, -1, 0)
        inside = (y > 7.0) & (y < 10.0) & (z > 7.0) & (z < 10.0)
        low = inside & (x > 1.0) & (x < 4.0)
        high = inside & (x > 7.0) & (x < 10.0)
        channel = (y > 1.0) & (y < 4.0) & (z > 1.0) & (z < 4.0)
        return np.select([low, high, channel], [-2.0 * kt, -1.0 * kt, 0.0], np.inf)

    found = find_pockets(Mock(systems, edge, [[0.0, 0.0, 0.0]], energy), 300.0)
    assert [r.dimensionality for r in found.regions] == [1, 0, 0]
    weights = np.array([edge * 9.0, 27.0 * np.exp(2.0), 27.0 * np.exp(1.0)])
    shares = [region.share for region in found.regions]
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=0.03)
    assert found.excluded_share == pytest.approx(sum(shares[1:]))
    centres = np.array([region.centre_fractional for region in found.pockets]) * edge
    np.testing.assert_allclose(centres, [[2.5, 8.5, 8.5], [8.5, 8.5, 8.5]], atol=0.15)
    places = np.array([[2.5, 8.5, 8.5], [8.5, 8.5, 8.5], [6.0, 2.5, 2.5], [2.5, 8.5, 10.2]]) / edge
    assert found.blocked(places).tolist() == [True, True, False, True]
    assert found.blocked(places + np.array([3.0, -2.0, 1.0])).tolist() == [True, True, False, True]


def test_a_rod_gets_through_a_narrow_hole_lengthwise(systems):
    """A wall with a round hole, only as wide as a few degrees of tilt allow: the base set of
    orientations misses it, the finer one around pockets does not, and a ball as large as the
    rod is long never fits."""
    edge, arm, hole = 10.0, 2.0, 0.45

    def energy(sites):
        x = (sites[..., 0] + edge / 2) % edge - edge / 2
        offset = (sites[..., 1:] + edge / 2) % edge - edge / 2
        in_wall = np.abs(x) < 1.6
        in_other = (np.abs(np.abs(offset) - 5.0) < 1.0).any(axis=-1)
        wall = in_wall & (np.linalg.norm(offset, axis=-1) > hole)
        return np.where((wall | in_other).any(axis=1), np.inf, 0.0)

    tilted = np.array([0.96, 0.28, 0.0])
    rod = Mock(systems, edge, np.outer([-arm, 0.0, arm], tilted), energy)
    assert [r.dimensionality for r in find_pockets(rod, 300.0).channels] == [1]
    assert find_pockets(rod, 300.0, orientations=3, threshold_kt=1.0).channels == ()
    corners = arm * np.array(list(np.ndindex(2, 2, 2))) * 1.1 - 1.1
    cube = Mock(systems, edge, corners, energy)
    assert find_pockets(cube, 300.0, spacing_angstrom=0.5).channels == ()


def test_bounds_never_contradict_the_energies():
    """Voxels called open or wall for certain are so, for a charged rod in a charged host."""
    host = load_host("SOD")
    force_field = load_force_field("TraPPE-zeo")
    guest = load_guest("CO2", force_field)
    model = ClassicalModel(host, guest, mix_pairs(host, guest, force_field))
    wide = load_host("LTA_SI")
    large = ClassicalModel(wide, guest, mix_pairs(wide, guest, force_field))
    quaternions = random_quaternions(np.random.default_rng(2), 60)
    rng = np.random.default_rng(3)
    for one in (model, large):
        shape = grid_shape(one.host.lattice_angstrom, 0.4, 10**6)
        state = classify(one, 300.0, 15.0, shape)
        for kind in (OPEN, WALL):
            voxels = np.flatnonzero(state == kind)
            if not len(voxels):
                continue
            places = grid_points(rng.choice(voxels, 150), shape)
            means = boltzmann_sums(one, 300.0, places, quaternions)
            assert (means > 1.0).all() if kind == OPEN else (means < np.exp(-15.0)).all()
    assert {OPEN, UNKNOWN, WALL} == set(np.unique(state).tolist())


def test_early_exits_do_not_change_who_is_free(systems):
    host, guest, pairs = systems.triclinic(charged=False)
    model = ClassicalModel(host, guest, pairs)
    places = np.random.default_rng(4).random((400, 3))
    quaternions = random_quaternions(np.random.default_rng(5), 24)
    full = boltzmann_sums(model, 300.0, places, quaternions)
    limit = float(np.exp(-6.0))
    early = boltzmann_sums(model, 300.0, places, quaternions, limit)
    assert ((full >= limit) == (early >= limit)).all()
    assert 0 < (full >= limit).sum() < len(full)
    assert (early <= full * (1 + 1e-12)).all()


def test_supercell_setting_and_order_change_nothing():
    host = load_host("LTA_SI")
    base = find_pockets(model_of(host, "CH4"), 300.0)
    assert [r.dimensionality for r in base.regions] == [3, 0]
    double = find_pockets(model_of(replicate(host, (1, 2, 1)), "CH4"), 300.0)
    assert len(double.pockets) == 2
    change = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    shift = np.array([0.31, 0.17, 0.59])
    skewed = replace(
        host,
        lattice_angstrom=change @ host.lattice_angstrom,
        fractional=(host.fractional @ np.linalg.inv(change) + shift) % 1.0,
    )
    other = find_pockets(model_of(skewed, "CH4"), 300.0)
    assert [r.dimensionality for r in other.regions] == [3, 0]
    volume = host.volume_angstrom3
    for found, cells in ((double, 2), (other, 1)):
        assert found.excluded_share == pytest.approx(base.excluded_share, abs=0.02)
        pocket = sum(r.volume_angstrom3 for r in found.pockets) / cells
        assert pocket == pytest.approx(base.pockets[0].volume_angstrom3, abs=0.003 * volume)
    places = np.random.default_rng(6).random((40_000, 3))
    weights = boltzmann_sums(model_of(host, "CH4"), 300.0, places, np.eye(4)[:1])
    flags = base.blocked(places)
    for found, same in (
        (double, places / [1, 2, 1]),
        (other, places @ np.linalg.inv(change) + shift),
    ):
        differ = found.blocked(same) != flags
        assert weights[differ].sum() < 1e-4 * weights.sum()


def test_a_map_survives_the_disk(systems, tmp_path):
    found = find_pockets(model_of(load_host("LTA_SI"), "CH4"), 300.0, spacing_angstrom=0.5)
    path = tmp_path / "map.npz"
    found.save(path)
    again = PocketMap.load(path)
    assert again.hash == found.hash
    assert again.summary() == found.summary()
    assert np.array_equal(again.labels, found.labels)
    assert np.array_equal(again.free, found.free)
    assert (
        find_pockets(model_of(load_host("LTA_SI"), "CH4"), 310.0, spacing_angstrom=0.5).hash
        != found.hash
    )
    path.write_bytes(b"no map")
    with pytest.raises(RunFolderError, match="pocket map"):
        PocketMap.load(path)


def test_senseless_settings_are_refused():
    model = model_of(load_host("SOD"), "CH4")
    for settings in (
        {"temperature_k": 0.0},
        {"spacing_angstrom": -1.0},
        {"threshold_kt": np.inf},
        {"orientations": 0},
    ):
        with pytest.raises(SettingsError):
            find_pockets(model, **{"temperature_k": 300.0, **settings})


def test_huge_cells_get_wider_voxels():
    shape = grid_shape(np.diag([50.0, 60.0, 70.0]), 0.25, 100_000)
    assert np.prod(shape) <= 100_000
    assert all(n % 2 == 0 for n in shape)
    assert grid_shape(np.diag([50.0, 60.0, 70.0]), 0.25, 10**9) == (200, 240, 280)
