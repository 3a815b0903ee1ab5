"""Symmetry operations: counted where the space group is known, and the energy has them too."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from chem.cells import replicate
from chem.energies import ClassicalModel, ClassicalSettings
from chem.hosts import load_host
from chem.symmetry import crystal_symmetry, host_symmetry, interaction_kinds
from data.errors import SettingsError

FCC = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
CUBE = 5.0 * np.eye(3)


def element_kinds(host):
    return np.unique(host.elements, return_inverse=True)[1]


def test_simple_cubic_has_48(systems):
    host = systems.host(CUBE, [[0.1, 0.2, 0.3]])  # no atom at a special place of the cell
    found = host_symmetry(host, np.ones(1))
    assert len(found) == 48
    assert (found.rotations[0] == np.eye(3)).all()
    assert (found.translations[0] == 0).all()


@pytest.mark.parametrize(
    ("lattice", "fractional", "count"),
    [
        (CUBE, FCC, 192),
        (2.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]), [[0, 0, 0]], 48),
        (2.5 * np.array([[0, 1, 1], [1, 0, 1], [3, 2, 3]]), [[0, 0, 0]], 48),  # skewed
        (CUBE * [[1], [1], [1.2]], [[0, 0, 0], [0.5, 0.5, 0.5]], 32),
    ],
)
def test_counts_of_lattices(systems, lattice, fractional, count):
    assert len(host_symmetry(systems.host(lattice, fractional), np.ones(len(fractional)))) == count


def test_random_atoms_have_the_identity_alone(systems):
    host, *_ = systems.triclinic()
    found = host_symmetry(host, np.ones(7))
    assert len(found) == 1
    assert found.residual_angstrom == 0.0
    assert found.orbits.tolist() == list(range(7))


def test_kinds_break_symmetry(systems):
    host = systems.host(CUBE, FCC)
    assert len(host_symmetry(host, np.array([1, 2, 2, 2]))) == 48
    assert len(host_symmetry(host, np.array([1, 1, 2, 2]))) == 32  # layers along z
    assert len(host_symmetry(host, np.array([1, 2, 3, 4]))) == 8


@pytest.mark.parametrize(
    ("name", "primitive", "count", "orbits"),
    [
        ("IRMOF-1", True, 48, 7),
        ("IRMOF-1", False, 192, 7),
        ("MFI_SI", True, 8, 38),
        ("ZIF-8", True, 24, 8),
        ("CALF-20", True, 4, 11),
    ],
)
def test_known_hosts(name, primitive, count, orbits):
    host = load_host(name, primitive=primitive)
    found = host_symmetry(host, element_kinds(host))
    assert len(found) == count
    assert len(np.unique(found.orbits)) == orbits
    assert found.residual_angstrom < 1e-3


def test_a_supercell_keeps_its_translations():
    host = load_host("SOD")
    one = host_symmetry(host, element_kinds(host))
    double = replicate(host, (2, 2, 2))
    many = host_symmetry(double, element_kinds(double))
    assert len(many) == 8 * len(one)
    assert len(np.unique(many.orbits)) == len(np.unique(one.orbits))


@pytest.mark.parametrize("repeats", [(1, 1, 1), (1, 2, 1), (3, 1, 2)])
@pytest.mark.parametrize("name", ["IRMOF-1", "MFI_SI"])
def test_a_lower_supercell_does_not_hide_symmetry(name, repeats):
    one = load_host(name)
    alone = host_symmetry(one, element_kinds(one))
    host = replicate(load_host(name, primitive=False), repeats)
    found = crystal_symmetry(host, element_kinds(host))
    assert len(found.operations) == len(alone)
    assert found.cells * len(one.elements) == len(host.elements)
    volume = abs(np.linalg.det(found.lattice_angstrom))
    assert found.cells * volume == pytest.approx(host.volume_angstrom3, rel=1e-9)
    multiples = host.lattice_angstrom @ np.linalg.inv(found.lattice_angstrom)
    assert np.allclose(multiples, np.rint(multiples), atol=1e-9)


def test_operations_are_a_group_of_isometries_that_permute_atoms():
    host = load_host("Cu-BTC")
    found = host_symmetry(host, element_kinds(host))
    turns = found.cartesian_rotations(host.lattice_angstrom)
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-9)
    known = {tuple(row) for row in found.images.tolist()}
    assert {tuple(b[a]) for a in found.images for b in found.images} == known
    miss = found.apply(host.fractional) - host.fractional[found.images]
    away = np.linalg.norm((miss - np.rint(miss)) @ host.lattice_angstrom, axis=2)
    assert away.max() <= found.residual_angstrom + 1e-9
    moved = found.apply(host.fractional[:5] + 0.01) - found.apply(host.fractional[:5])
    cartesian = np.einsum("gij,j->gi", turns, np.full(3, 0.01) @ host.lattice_angstrom)
    assert np.allclose(moved @ host.lattice_angstrom, cartesian[:, None], atol=1e-9)


def test_an_atom_off_its_place_breaks_symmetry_beyond_the_tolerance(systems):
    off = [*FCC[:3], [0.5, 0.5, 0.004 / 5.0]]
    host = systems.host(CUBE, off)
    close = host_symmetry(host, np.ones(4), 0.01)
    assert len(close) == 192
    assert 1e-3 < close.residual_angstrom <= 0.01
    strict = host_symmetry(host, np.ones(4), 1e-3)
    assert len(strict) < 192
    assert strict.residual_angstrom < 1e-3


def test_energies_have_the_symmetry(systems):
    host = systems.host(
        6.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]),
        np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]]) + 0.07,
        [0.8, -0.5, -0.3],
    )
    guest = systems.guest([[0.0, 0.0, 0.6], [0.0, 0.0, -0.6]], [0.4, -0.4])
    pairs = systems.pairs(host, guest, [[50.0, 80.0, 60.0], [30.0, 20.0, 70.0]], 2.8)
    kinds = interaction_kinds(pairs.epsilon_kj_per_mol, charges_e=pairs.host_charges_e)
    found = host_symmetry(host, kinds)
    assert len(found) == 24
    model = ClassicalModel(host, guest, pairs, ClassicalSettings(9.0, "shifted"))
    fractional, quaternions, expected = systems.free(model, 20)
    turns = found.cartesian_rotations(host.lattice_angstrom)
    images = found.apply(fractional)
    proper = np.flatnonzero(np.linalg.det(turns) > 0)
    assert len(proper) == 12
    for k in proper:
        turned = Rotation.from_matrix(turns[k]) * Rotation.from_quat(quaternions, scalar_first=True)
        energy, _ = model.energies(images[k], turned.as_quat(scalar_first=True))
        assert np.allclose(energy, expected, rtol=1e-7, atol=1e-7)


def test_interaction_kinds():
    epsilon = np.array([[1.0, 1.0, 2.0, 1.0], [3.0, 3.0, 3.0, 3.0]])
    assert interaction_kinds(epsilon).tolist() == [1, 1, 2, 1]
    charges = np.array([0.5, 0.5 + 5e-7, 0.5, 0.7])
    assert len(set(interaction_kinds(epsilon, charges_e=charges))) == 3
    cores = np.array([[np.inf, 1.0, np.inf, np.inf]])
    assert len(set(interaction_kinds(epsilon, cores))) == 3
    assert len(set(interaction_kinds(charges_e=charges, same_charge_e=0.3))) == 1


def test_wrong_input(systems):
    host = systems.host(CUBE, FCC)
    with pytest.raises(SettingsError, match="one for each of 4 atoms"):
        host_symmetry(host, np.ones(3))
    with pytest.raises(SettingsError, match="tolerance"):
        host_symmetry(host, np.ones(4), 0.0)
