"""EEQ by dftd4: neutral, symmetric, and the same in any setting of the cell."""

from dataclasses import replace

import numpy as np
import pytest

from chem.cells import replicate
from chem.charges.eeq import eeq_charges
from chem.hosts import load_host
from data.errors import MissingParametersError
from data.records import Host

interface = pytest.importorskip("dftd4.interface")

# dftd4's own lattice sums differ by this much between a cell and its double (Mg-MOF-74).
DOUBLED_CELL_E = 2e-4


@pytest.mark.parametrize("name", ["IRMOF-1", "CALF-20"])
def test_neutral_and_equal_for_equivalent_atoms(name):
    the_host = load_host(name, charges="none")
    charges = eeq_charges(the_host)
    assert charges.sum() == pytest.approx(0.0, abs=1e-10)
    if name == "IRMOF-1":
        for label in set(the_host.labels):
            assert np.ptp(charges[np.array(the_host.labels) == label]) < 1e-8
    metal = charges[np.array(the_host.elements) == "Zn"]
    assert np.all((metal > 0.5) & (metal < 1.2))


@pytest.mark.parametrize("name", ["CALF-20", "Mg-MOF-74", "UiO-66"])
def test_charges_do_not_depend_on_the_setting_of_the_cell(name):
    """Handed to dftd4 as it is, the skewed cell moves charges by up to 4e-3 e."""
    the_host = load_host(name, charges="none")
    charges = eeq_charges(the_host)
    rng = np.random.default_rng(3)
    order = rng.permutation(len(charges))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    change = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1]])
    moved = (the_host.fractional + rng.random(3)) @ np.linalg.inv(change)
    other = replace(
        the_host,
        lattice_angstrom=change @ the_host.lattice_angstrom @ rotation,
        fractional=(moved - np.floor(moved))[order],
        elements=tuple(the_host.elements[i] for i in order),
    )
    np.testing.assert_allclose(eeq_charges(other), charges[order], atol=1e-9)


def test_a_supercell_gets_the_same_charges():
    the_host = load_host("Mg-MOF-74", charges="none")
    bigger = replicate(the_host, (2, 1, 1))
    np.testing.assert_allclose(
        eeq_charges(bigger), np.tile(eeq_charges(the_host), 2), atol=DOUBLED_CELL_E
    )


def test_a_lone_molecule_in_a_large_cell_is_the_molecule():
    """Water at the experimental geometry, against dftd4 without periodicity."""
    positions = np.array([[0.0, 0.0, 0.1173], [0.0, 0.7572, -0.4692], [0.0, -0.7572, -0.4692]])
    edge = 30.0
    water = Host("water", np.eye(3) * edge, positions / edge, ("O", "H", "H"), ("O", "H", "H"))
    model = interface.DispersionModel(np.array([8, 1, 1]), positions / 0.529177210903, charge=0.0)
    expected = model.get_properties()["partial charges"]
    np.testing.assert_allclose(eeq_charges(water), expected, atol=2e-4)


def test_an_element_beyond_the_parameters_is_named():
    strange = Host("made-up", np.eye(3) * 9.0, np.array([[0.0] * 3, [0.5] * 3]), ("O", "Rf"), "OR")
    with pytest.raises(MissingParametersError, match=r"Rf in made-up.*--charges eqeq"):
        eeq_charges(strange)
