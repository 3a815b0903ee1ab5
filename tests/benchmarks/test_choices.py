"""The reproduced choices of public tools, against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from common.choices import Atoms, clashes, grid_positions, octant_quaternions, ratio
from common.routed import _outcome

from chem.rotations import random_quaternions, rotate_sites
from data.records import Host

AXIS = np.array([[0.0, 0.0, 1.0]])


def one_atom(element: str = "C") -> Host:
    return Host("one", np.diag([9.0, 10.0, 11.0]), np.zeros((1, 3)), (element,), ("X1",))


def test_octant_rotations_are_rotations_but_not_uniform():
    """By symmetry a uniform orientation has <z z> = 1/3; the octant's favours where it began."""
    quaternions = octant_quaternions(np.random.default_rng(0), 200_000)
    assert np.allclose((quaternions**2).sum(axis=1), 1.0)
    assert (quaternions[:, 1:] * np.sign(quaternions[:, 1:2]) >= 0).all()
    along = rotate_sites(quaternions, AXIS)[:, 0]
    # About an axis with z-component c, z keeps c^2 + (1 - c^2) cos(angle) of itself; the square
    # of that averages to c^4 + (1 - c^2)^2 / 2 over the angle.
    axis = np.random.default_rng(1).random((400_000, 3))
    z = axis[:, 2] / np.linalg.norm(axis, axis=1)
    expected = (z**4 + 0.5 * (1.0 - z**2) ** 2).mean()
    assert (along[:, 2] ** 2).mean() == pytest.approx(expected, abs=3e-3)
    assert expected > 0.4
    uniform = rotate_sites(random_quaternions(np.random.default_rng(2), 200_000), AXIS)[:, 0]
    assert (uniform[:, 2] ** 2).mean() == pytest.approx(1.0 / 3.0, abs=3e-3)


def test_grid_points_are_no_further_apart_than_said():
    lattice = np.diag([9.0, 10.0, 11.05])
    placed = grid_positions(np.random.default_rng(0), 50_000, lattice)
    points = [len(np.unique(placed[:, k])) for k in range(3)]
    assert points == [60, 67, 74]
    assert placed.min() == 0.0
    assert placed.max() < 1.0


def test_distances_reach_through_the_walls_of_the_cell():
    atoms = Atoms(one_atom(), 3.0)
    rng = np.random.default_rng(3)
    fractional = rng.random((2000, 3))
    found = atoms.nearest(fractional @ one_atom().lattice_angstrom)["C"]
    offset = fractional - np.round(fractional)
    expected = np.linalg.norm(offset @ one_atom().lattice_angstrom, axis=1)
    assert np.allclose(found, np.where(expected <= 3.0, expected, np.inf))


def test_overlap_follows_the_radii():
    atoms = Atoms(one_atom(), 4.0)
    sites = np.array([[[1.9, 0.0, 0.0]], [[2.1, 0.0, 0.0]], [[0.0, 2.4, 0.0]], [[0.0, 0.0, 2.6]]])
    # Radii of carbon and oxygen in ase.data are 1.70 and 1.52 angstrom.
    assert clashes(atoms, sites, ("O",), 0.6, 0.0).tolist() == [True, False, False, False]
    assert clashes(atoms, sites, ("O",), 1.0, 0.35).tolist() == [True, True, True, False]


def test_ratio_and_its_jackknife_error():
    rng = np.random.default_rng(4)
    found = [ratio(rng.normal(3.0, 0.3, 40), rng.normal(2.0, 0.1, 40)) for _ in range(400)]
    values = np.array([f.value for f in found])
    assert values.mean() == pytest.approx(1.5, abs=0.01)
    stated = np.sqrt(np.mean([f.standard_error**2 for f in found]))
    assert values.std() == pytest.approx(stated, rel=0.15)


def test_routing_errs_by_what_is_not_labelled():
    rng = np.random.default_rng(5)
    weight, true = rng.uniform(0.5, 2.0, 4000), rng.exponential(1.0, 4000)
    labels, off, error = _outcome(np.ones(4000, dtype=bool), weight, true, 0.0 * true, 8000)
    assert (off, error) == (0.0, 0.0)
    assert labels == pytest.approx(1e6 * weight.sum() / 8000)
    half = np.arange(4000) % 2 == 0
    labels, off, error = _outcome(half, weight, true, 0.5 * true, 8000)
    assert off == pytest.approx(-0.5 * true[~half].sum() / true.sum(), rel=0.02)
    assert 0 < error < 0.02
