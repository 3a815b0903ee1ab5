"""Classes of host atoms: what they tell apart, and what they do not depend on."""

import numpy as np
import pytest
from ase.data import atomic_numbers

from chem.hosts import load_host
from ml.atom_classes import FIRST_CLASS, element_of
from ml.graphs import HostArrays


def arrays(name: str, *, primitive: bool = True) -> HostArrays:
    host = load_host(name, charges="none", primitive=primitive)
    numbers = np.array([atomic_numbers[e] for e in host.elements])
    return HostArrays(host.lattice_angstrom, host.positions_angstrom, numbers)


def by_element(host: HostArrays, number: int) -> list[int]:
    """Return how many atoms of an element each of its classes has, sorted."""
    own = host.classes[host.atomic_numbers == number]
    return sorted(np.unique(own, return_counts=True)[1].tolist())


@pytest.fixture(scope="module")
def al_mil53() -> HostArrays:
    return arrays("Al-MIL53")


def test_hydrogens_and_oxygens_differ_by_whom_they_are_bonded_to(al_mil53: HostArrays) -> None:
    """Al(OH)(C8H4O4): one hydroxyl beside four aromatic hydrogens and carboxylate oxygens."""
    metals = int((al_mil53.atomic_numbers == 13).sum())
    assert by_element(al_mil53, 1) == [metals, 4 * metals]
    assert by_element(al_mil53, 8) == [metals, 4 * metals]
    assert by_element(al_mil53, 13) == [metals]


def test_carbons_of_ring_and_carboxylate_differ(al_mil53: HostArrays) -> None:
    metals = int((al_mil53.atomic_numbers == 13).sum())
    assert by_element(al_mil53, 6) == [2 * metals, 6 * metals]


def test_codes_keep_the_element(al_mil53: HostArrays) -> None:
    assert [element_of(c) for c in al_mil53.classes] == al_mil53.atomic_numbers.tolist()
    assert al_mil53.classes.min() >= FIRST_CLASS
    assert element_of(8) == 8


@pytest.mark.parametrize("name", ["CALF-20", "Mg-MOF-74", "MFI_SI"])
def test_classes_do_not_depend_on_cell_origin_or_order(name: str) -> None:
    host = arrays(name)
    order = np.random.default_rng(0).permutation(len(host.atomic_numbers))
    moved = HostArrays(
        host.lattice_angstrom,
        host.positions_angstrom[order] + np.array([0.3, -1.7, 2.2]),
        host.atomic_numbers[order],
    )
    assert np.array_equal(moved.classes, host.classes[order])
    shifts = np.array([[0, 0, 0], [1, 0, 0]]) @ host.lattice_angstrom
    doubled = HostArrays(
        host.lattice_angstrom * np.array([[2.0], [1.0], [1.0]]),
        np.concatenate([host.positions_angstrom + shift for shift in shifts]),
        np.tile(host.atomic_numbers, 2),
    )
    assert np.array_equal(doubled.classes, np.tile(host.classes, 2))


def test_an_atom_without_neighbours_has_a_class_too() -> None:
    lone = HostArrays(30.0 * np.eye(3), np.array([[1.0, 2.0, 3.0]]), np.array([18]))
    assert element_of(int(lone.classes[0])) == 18


def test_kinds_are_elements_unless_classes_are_known(al_mil53: HostArrays) -> None:
    assert np.array_equal(al_mil53.kinds((1, 6, 8, 13)), al_mil53.atomic_numbers)
    assert np.array_equal(al_mil53.kinds((int(al_mil53.classes[0]),)), al_mil53.classes)
