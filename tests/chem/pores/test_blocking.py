"""Methane in LTA with its sodalite cages blocked, and spheres that block."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats.qmc import Sobol

from chem.energies import ClassicalModel, ClassicalSettings
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host, replicate
from chem.mixing import mix_pairs
from chem.pores.block_file import (
    format_block_file,
    read_block_file,
    write_block_file,
)
from chem.pores.pockets import find_pockets
from chem.pores.spheres import BlockSpheres, cover_pockets
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import SettingsError

TEMPERATURE_K = 300.0
RASPA_ITQ29 = """4
0.0        0.0         0.0        4.0
0.5        0.0         0.0        0.5
0.0        0.5         0.0        0.5
0.0        0.0         0.5        0.5
"""
"""Spheres blocked by hand in ITQ-29 (all-silica LTA): RASPA2, example 5 of its book chapter."""


@pytest.fixture(scope="module")
def lta():
    host = load_host("LTA_SI")
    force_field = load_force_field("TraPPE-zeo")
    guest = load_guest("CH4", force_field)
    pairs = mix_pairs(host, guest, force_field, charges="none")
    return ClassicalModel(host, guest, pairs, ClassicalSettings())


@pytest.fixture(scope="module")
def pockets(lta):
    return find_pockets(lta, TEMPERATURE_K)


def filled_by_hand(model):
    """The same host with a purely repulsive bead at the centre of its one sodalite cage."""
    host, pairs = model.host, model.pairs
    filled = replace(
        host,
        fractional=np.vstack([host.fractional, [0.0, 0.0, 0.0]]),
        elements=(*host.elements, "X"),
        labels=(*host.labels, "plug"),
        charges_e=None,
    )
    bead = replace(
        pairs,
        epsilon_kj_per_mol=np.column_stack(
            [pairs.epsilon_kj_per_mol, [0.01 * GAS_CONSTANT_KJ_PER_MOL_K]]
        ),
        sigma_angstrom=np.column_stack([pairs.sigma_angstrom, [8.0]]),
        host_charges_e=np.zeros(len(filled.elements)),
    )
    return ClassicalModel(filled, model.guest, bead, model.settings)


def weights(model, points):
    turns = np.tile([1.0, 0.0, 0.0, 0.0], (len(points), 1))
    return np.exp(-model.energies(points, turns)[0] / (GAS_CONSTANT_KJ_PER_MOL_K * TEMPERATURE_K))


def test_blocked_lta_equals_lta_filled_by_hand(lta, pockets):
    """Same points, so the sampling error (about 1 %) drops out of the comparison."""
    points = Sobol(3, rng=np.random.default_rng(11)).random_base2(17)
    every, filled = weights(lta, points), weights(filled_by_hand(lta), points)
    automatic = np.where(pockets.blocked(points), 0.0, every)
    assert automatic.mean() == pytest.approx(filled.mean(), rel=0.01)
    lattice = lta.host.lattice_angstrom
    centre = BlockSpheres(lattice, np.zeros((1, 3)), np.array([4.0]))
    by_sphere = np.where(centre.blocked(points), 0.0, every)
    assert automatic.mean() == pytest.approx(by_sphere.mean(), rel=0.01)
    laid = cover_pockets(pockets)
    assert np.where(laid.blocked(points), 0.0, every).mean() == pytest.approx(
        automatic.mean(), rel=0.01
    )
    excluded = 1.0 - automatic.sum() / every.sum()
    assert excluded > 0.5
    assert pockets.excluded_share == pytest.approx(excluded, abs=0.03)


def test_the_pocket_is_the_sodalite_cage(pockets):
    assert len(pockets.channels) == len(pockets.pockets) == 1
    assert pockets.channels[0].dimensionality == 3
    offset = np.array(pockets.pockets[0].centre_fractional)
    np.testing.assert_allclose(offset - np.round(offset), 0.0, atol=1e-6)
    assert pockets.warning is None
    rng = np.random.default_rng(1)
    near = 0.12 * rng.uniform(-1.0, 1.0, (200, 3))
    assert pockets.blocked(near).all()
    assert not pockets.blocked(0.5 + near).any()


def test_spheres_cover_pockets_and_no_channel(pockets):
    voxels = np.argwhere(pockets.free) / np.array(pockets.shape)
    closed = pockets.blocked_voxels[pockets.free]
    for coarse in (False, True):
        spheres = cover_pockets(pockets, most=3 if coarse else 100)
        inside = spheres.blocked(voxels)
        assert spheres.coverage == 1.0
        assert inside[closed].all()
        assert not inside[~closed].any()


def test_an_awkward_pocket_takes_several_spheres(pockets):
    """An L-shaped pocket beside a slab of channel: all of it covered, nothing else."""
    free = np.zeros((30, 30, 30), dtype=bool)
    blocked = np.zeros_like(free)
    blocked[4:26, 8:12, 8:12] = blocked[4:8, 8:26, 8:12] = True
    free |= blocked
    free[:, :, 0:3] = free[:, :4, :] = free[14:22, 16:24, 4:20] = True
    labels = np.where(blocked, 1, 0).astype(np.int32)
    two = (replace(pockets.regions[0], dimensionality=2), pockets.regions[1])
    awkward = replace(
        pockets, lattice_angstrom=12.0 * np.eye(3), free=free, labels=labels, regions=two
    )
    spheres = cover_pockets(awkward)
    assert 1 < len(spheres.radii_angstrom) < 30
    inside = spheres.blocked(np.argwhere(free) / 30.0)
    assert (inside == blocked[free]).all()
    assert cover_pockets(awkward, most=1).coverage < 1.0
    kept_clear = cover_pockets(awkward, clearance_angstrom=2.0)
    assert kept_clear.coverage < 1.0
    gaps = np.argwhere(free & ~blocked) * 0.4
    centres = kept_clear.centres_fractional * 12.0
    distance = np.linalg.norm(gaps[None] - centres[:, None], axis=2).min(axis=1)
    assert (distance >= kept_clear.radii_angstrom + 2.0 - 1e-6).all()


def test_a_host_without_channels_is_covered_too():
    host = load_host("SOD")
    force_field = load_force_field("TraPPE-zeo")
    guest = load_guest("CH4", force_field)
    pairs = mix_pairs(host, guest, force_field, charges="none")
    found = find_pockets(ClassicalModel(host, guest, pairs), TEMPERATURE_K)
    spheres = cover_pockets(found)
    assert spheres.coverage == 1.0
    assert len(spheres.radii_angstrom) == len(found.pockets)


def test_block_file_round_trip(pockets, tmp_path):
    path = tmp_path / "lta.block"
    spheres = cover_pockets(pockets)
    write_block_file(path, spheres)
    again = read_block_file(path, pockets.lattice_angstrom)
    np.testing.assert_allclose(again.centres_fractional, spheres.centres_fractional, atol=1e-8)
    np.testing.assert_allclose(again.radii_angstrom, spheres.radii_angstrom, atol=1e-5)
    assert again.blocks_anything
    assert again.warning is None
    assert np.isnan(again.excluded_share)
    assert again.centres_fractional[0].tolist() == [0.0, 0.0, 0.0]
    assert format_block_file(again).splitlines()[0] == str(len(spheres.radii_angstrom))


def test_a_raspa_file_blocks_the_same_cages(lta, pockets, tmp_path):
    path = tmp_path / "ITQ-29.block"
    path.write_text(RASPA_ITQ29)
    spheres = read_block_file(path, lta.host.lattice_angstrom)
    assert spheres.radii_angstrom.tolist() == [4.0, 0.5, 0.5, 0.5]
    points = np.random.default_rng(2).random((40_000, 3))
    every = weights(lta, points)
    kept = every[~spheres.blocked(points)].sum()
    assert kept == pytest.approx(every[~pockets.blocked(points)].sum(), rel=0.01)


def test_spheres_move_between_cells(lta):
    lattice = lta.host.lattice_angstrom
    spheres = BlockSpheres(lattice, np.array([[0.1, 0.2, 0.9]]), np.array([2.0]))
    large = spheres.in_cell(replicate(lta.host, (2, 1, 3)).lattice_angstrom)
    assert len(large.radii_angstrom) == 6
    assert len(large.in_cell(lattice).radii_angstrom) == 1
    change = np.array([[1, 0, 0], [1, 1, 0], [-1, 0, 1]])
    skewed = spheres.in_cell(change @ lattice)
    places = np.random.default_rng(3).random((20_000, 3))
    flags = spheres.blocked(places)
    assert 0.01 < flags.mean() == pytest.approx(4 / 3 * np.pi * 8 / 11.919**3, rel=0.1)
    assert np.array_equal(large.blocked(places / [2, 1, 3]), flags)
    assert np.array_equal(skewed.blocked(places @ np.linalg.inv(change)), flags)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "number of spheres"),
        ("x y\n", "number of spheres"),
        ("2\n0 0 0 1\n", "announces 2"),
        ("1\n0 0 1\n", "line 2"),
        ("1\n0 0 0 -1\n", "line 2"),
        ("1\n0 0 zero 1\n", "line 2"),
    ],
)
def test_what_is_no_block_file_is_refused(tmp_path, text, message):
    path = tmp_path / "wrong.block"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_block_file(path, np.eye(3))
    with pytest.raises(SettingsError, match="Cannot read"):
        read_block_file(tmp_path / "missing.block", np.eye(3))
