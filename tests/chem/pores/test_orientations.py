"""Sets of orientations: the right kind for the guest, and spread evenly."""

import numpy as np
import pytest

from chem.pores.orientations import fibonacci_directions, guest_orientations, super_fibonacci
from chem.rotations import rotate_sites, rotation_matrices


def _sets(systems, positions, charges=None, epsilon=50.0, sigma=3.0, count=None):
    host = systems.host(10.0 * np.eye(3), [[0.0, 0.0, 0.0]], [0.0] if charges is None else [1.0])
    guest = systems.guest(positions, charges)
    return guest_orientations(guest, systems.pairs(host, guest, epsilon, sigma), count)


def test_shapes_of_guests(systems):
    atom = [[0.0, 0.0, 0.0]]
    rod = [[-1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    unequal = [[-1.2, 0.0, 0.0], [0.8, 0.0, 0.0]]
    bent = [[0.0, 0.0, 0.0], [1.0, 0.3, 0.0], [-1.0, 0.3, 0.0]]
    for positions, sizes in (
        (atom, (1, 1)),
        (rod, (16, 96)),
        (unequal, (32, 192)),
        (bent, (48, 288)),
    ):
        base, fine = _sets(systems, positions)
        assert (len(base), len(fine)) == sizes
        np.testing.assert_allclose(np.linalg.norm(fine, axis=1), 1.0)
    assert [len(part) for part in _sets(systems, bent, count=10)] == [10, 60]


def test_equal_ends_need_equal_interactions(systems):
    rod = [[-1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    ends = np.array([[50.0], [50.0], [60.0]])
    assert len(_sets(systems, rod, epsilon=ends)[0]) == 32
    assert len(_sets(systems, rod, charges=[0.3, 0.0, -0.3])[0]) == 32
    silent = np.array([[0.0], [50.0], [0.0]])
    assert len(_sets(systems, rod, epsilon=silent)[0]) == 1


@pytest.mark.parametrize("half", [False, True])
def test_directions_are_spread(half):
    """Means of first and second harmonics vanish; no direction is far from one of the set."""
    directions = fibonacci_directions(200, half=half)
    if half:
        assert (directions[:, 2] > 0.0).all()
        directions = np.vstack([directions, -directions])
    np.testing.assert_allclose(directions.mean(axis=0), 0.0, atol=0.01)
    np.testing.assert_allclose(
        directions.T @ directions / len(directions), np.eye(3) / 3, atol=0.01
    )
    probes = np.random.default_rng(1).normal(size=(500, 3))
    probes /= np.linalg.norm(probes, axis=1)[:, None]
    nearest = np.degrees(np.arccos((probes @ directions.T).max(axis=1)))
    assert nearest.max() < (11.0 if half else 15.0)
    start = directions[:20] if not half else np.vstack([directions[:20], -directions[:20]])
    assert np.degrees(np.arccos((probes @ start.T).max(axis=1).clip(-1, 1))).max() < 60.0


def test_rotations_are_spread():
    matrices = rotation_matrices(super_fibonacci(600))
    np.testing.assert_allclose(matrices.mean(axis=0), 0.0, atol=0.02)
    for row in range(3):
        outer = np.einsum("ni,nj->ij", matrices[:, row], matrices[:, row]) / len(matrices)
        np.testing.assert_allclose(outer, np.eye(3) / 3, atol=0.02)


def test_a_rod_points_where_it_is_told(systems):
    for axis in ([1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.6, -0.8, 0.0]):
        body = np.array([axis, -np.array(axis)])
        fine = _sets(systems, body)[1]
        directions = rotate_sites(fine, body)[:, 0]
        np.testing.assert_allclose(directions, fibonacci_directions(96, half=True), atol=1e-12)
