"""The periodic pair sums against pymatgen, the Madelung constant and a brute-force double loop."""

import itertools

import numpy as np
import pytest
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Structure

from chem.charges.lattice_sums import pair_sums

SKEWED = np.array([[7.9, 0.3, -0.2], [-2.1, 8.6, 0.4], [4.7, 2.4, 9.3]])


def random_atoms(count=7, seed=5):
    rng = np.random.default_rng(seed)
    charges = rng.normal(size=count)
    return rng.random((count, 3)), charges - charges.mean(), rng.uniform(0.5, 1.1, count)


def test_coulomb_energy_equals_pymatgen_in_a_skewed_cell():
    fractional, charges, _ = random_atoms()
    structure = Structure(SKEWED, ["Na"] * 7, fractional)
    structure.add_oxidation_state_by_site(charges.tolist())
    theirs = EwaldSummation(structure, acc_factor=18.0).total_energy
    ours = 0.5 * EwaldSummation.CONV_FACT * charges @ pair_sums(fractional, SKEWED) @ charges
    assert ours == pytest.approx(theirs, rel=1e-8)


def test_madelung_constant_of_rock_salt():
    """Bailey, Borwein, Borwein, Crandall, Exp. Math. 15 (2006): 1.747564594633..."""
    lattice = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]) * 2.8
    sums = pair_sums(np.array([[0.0] * 3, [0.5] * 3]), lattice)
    assert -(sums[0, 0] - sums[0, 1]) * 2.8 == pytest.approx(1.747564594633, rel=1e-10)


@pytest.mark.parametrize("cutoff", [0.9, 2.1])
def test_sums_do_not_depend_on_how_they_are_split(cutoff):
    fractional, _, widths = random_atoms()
    usual = pair_sums(fractional, SKEWED, widths)
    other = pair_sums(fractional, SKEWED, widths, cutoff_over_edge=cutoff)
    np.testing.assert_allclose(other, usual, atol=1e-10)
    np.testing.assert_array_equal(usual, usual.T)


def test_another_basis_of_the_same_lattice_gives_the_same_sums():
    fractional, _, widths = random_atoms()
    change = np.array([[1, 2, 0], [0, 1, -1], [0, 0, 1]])
    other = fractional @ np.linalg.inv(change) + 3.0
    sums = pair_sums(other, change @ SKEWED, widths)
    np.testing.assert_allclose(sums, pair_sums(fractional, SKEWED, widths), atol=1e-10)


def test_overlap_equals_a_brute_force_sum_over_images():
    fractional, _, widths = random_atoms(4)
    found = pair_sums(fractional, SKEWED, widths) - pair_sums(fractional, SKEWED)
    expected = np.zeros((4, 4))
    for i, j in itertools.product(range(4), repeat=2):
        a = np.sqrt(widths[i] * widths[j])
        for image in itertools.product(range(-3, 4), repeat=3):
            r = np.linalg.norm((fractional[i] - fractional[j] + image) @ SKEWED)
            if r > 0.0:
                expected[i, j] += np.exp(-((a * r) ** 2)) * (2 * a - a**2 * r - 1 / r)
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_one_pair_is_damped_when_close_and_coulombic_when_far():
    """2 a as r goes to zero, 1/r beyond a few angstrom; the two differ only within the overlap."""
    box = np.eye(3) * 40.0
    widths = np.array([0.7, 0.9])
    for distance in (0.01, 9.0):
        fractional = np.array([[0.1] * 3, [0.1 + distance / 40.0, 0.1, 0.1]])
        overlap = (pair_sums(fractional, box, widths) - pair_sums(fractional, box))[0, 1]
        a = np.sqrt(0.7 * 0.9)
        expected = 2 * a if distance < 1 else 1 / distance
        assert overlap + 1 / distance == pytest.approx(expected, rel=1e-3)
