"""What a pretrained potential says of host atoms: the same in every picture of the same crystal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from chem.hosts import load_host
from chem.references.atom_features import atom_features
from data.records import Host


@pytest.fixture(scope="module")
def host() -> Host:
    return load_host("Mg-MOF-74", charges="none")


@pytest.fixture(scope="module")
def features(host: Host) -> np.ndarray:
    found = atom_features(host)
    assert found is not None
    return found


def test_atoms_of_one_kind_are_alike_and_of_two_kinds_are_not(host, features) -> None:
    assert len(features) == len(host.elements)
    elements = np.array(host.elements)
    magnesium = features[elements == "Mg"]
    assert np.abs(magnesium - magnesium[0]).max() < 1e-3
    spread = np.linalg.norm(features - features.mean(axis=0), axis=1).mean()
    carbon = features[elements == "C"].mean(axis=0)
    assert np.linalg.norm(magnesium[0] - carbon) > 0.5 * spread


def test_nothing_changes_on_rotation_translation_or_renumbering(host, features) -> None:
    turn = Rotation.from_rotvec([0.3, -0.7, 0.4]).as_matrix()
    order = np.random.default_rng(1).permutation(len(host.elements))
    other = replace(
        host,
        lattice_angstrom=host.lattice_angstrom @ turn.T,
        fractional=(host.fractional[order] + [0.21, 0.4, 0.77]) % 1.0,
        elements=tuple(host.elements[k] for k in order),
        labels=tuple(host.labels[k] for k in order),
    )
    assert np.allclose(atom_features(other), features[order], atol=1e-3)


def test_a_larger_cell_holds_the_same_atoms(host, features) -> None:
    halves = [host.fractional * [1, 1, 0.5] + [0, 0, shift] for shift in (0.0, 0.5)]
    doubled = replace(
        host,
        lattice_angstrom=host.lattice_angstrom * np.array([[1], [1], [2]]),
        fractional=np.vstack(halves),
        elements=host.elements * 2,
        labels=host.labels * 2,
        charges_e=None,
    )
    assert np.allclose(atom_features(doubled), np.vstack([features, features]), atol=1e-3)


def test_an_element_that_the_potential_does_not_know_leaves_a_host_undescribed(host) -> None:
    strange = replace(host, elements=("Po", *host.elements[1:]))
    assert atom_features(strange) is None
