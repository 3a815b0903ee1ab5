import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chem.geometry import (
    build_neighbour_list,
    choose_bins,
    images_near_cell,
    perpendicular_widths_angstrom,
    rows_times_matrix,
    wrap_fractional,
)

lattices = st.integers(0, 10_000).map(
    lambda seed: (
        np.diag(np.random.default_rng(seed).uniform(4.0, 9.0, 3))
        + np.random.default_rng(seed + 1).uniform(-2.0, 2.0, (3, 3))
    )
)


def test_widths_of_a_skewed_cell():
    lattice = np.array([[2.0, 0.0, 0.0], [5.0, 3.0, 0.0], [0.0, 0.0, 4.0]])
    expected = [6.0 / np.hypot(5.0, 3.0), 3.0, 4.0]
    assert perpendicular_widths_angstrom(lattice) == pytest.approx(expected)


def test_wrapping_never_gives_one():
    wrapped = wrap_fractional(np.array([-1e-300, -1e-17, 1.0, -0.25, 7.5, np.nextafter(1.0, 0.0)]))
    assert np.all((wrapped >= 0.0) & (wrapped < 1.0))
    assert wrapped[3:5] == pytest.approx([0.75, 0.5])


@settings(max_examples=25, deadline=None)
@given(lattices, st.floats(1.0, 12.0), st.integers(0, 1000))
def test_no_image_within_reach_is_missing_and_none_is_listed_twice(lattice, reach, seed):
    rng = np.random.default_rng(seed)
    fractional, points = rng.random((3, 3)), rng.random((20, 3))
    positions, atoms = images_near_cell(fractional, lattice, reach)
    steps = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    every = rows_times_matrix(fractional[:, None] + steps, lattice)
    for point in rows_times_matrix(points, lattice):
        expected = (np.linalg.norm(every - point, axis=2) < reach).sum(axis=1)
        near = np.linalg.norm(positions - point, axis=1) < reach
        # Flat cells could need more than nine steps: then the reference itself is short.
        assert np.all(np.bincount(atoms[near], minlength=3) >= expected)
    assert len(np.unique(positions.round(8), axis=0)) == len(positions)


@settings(max_examples=25, deadline=None)
@given(lattices, st.integers(0, 1000))
def test_bins_hold_all_neighbours_by_type(lattice, seed):
    rng = np.random.default_rng(seed)
    fractional, types = rng.random((6, 3)), np.array([0, 1, -1, 0, 2, 2])
    reach = np.array([5.0, 3.0, 0.0])
    bins = np.array([2, 3, 1])
    found = build_neighbour_list(fractional, lattice, types, reach, bins)
    positions, atoms = images_near_cell(fractional, lattice, 5.0)
    for point in rng.random((20, 3)):
        a, b, c = np.floor(point * bins).astype(int)
        row = found.starts[(a * bins[1] + b) * bins[2] + c]
        for kind in range(3):
            listed = slice(row[kind], row[kind + 1])
            assert np.all(types[found.atoms[listed]] == kind)
            site = rows_times_matrix(point[None], lattice)[0]
            listed_positions = found.positions_angstrom[:, listed].T
            near = np.linalg.norm(listed_positions - site, axis=1) < reach[kind]
            own = types[atoms] == kind
            expected = np.linalg.norm(positions[own] - site, axis=1) < reach[kind]
            assert near.sum() == expected.sum()


@pytest.mark.parametrize(("edge", "atoms"), [(8.0, 40), (60.0, 10_000), (120.0, 20_000)])
def test_lists_stay_small_enough_for_memory(edge, atoms):
    bins = choose_bins(np.eye(3) * edge, 12.0, atoms)
    radius = 12.0 + np.sqrt(3.0) * edge / bins[0] / 2.0
    entries = bins.prod() * atoms / edge**3 * 4.0 / 3.0 * np.pi * radius**3
    assert entries <= 3_000_000
    assert edge / bins[0] < 6.0
