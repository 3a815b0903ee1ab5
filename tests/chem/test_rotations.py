import numpy as np
import pytest

from chem.rotations import random_quaternions, rotate_sites, rotation_matrices


@pytest.fixture(scope="module")
def matrices():
    return rotation_matrices(random_quaternions(np.random.default_rng(3), 200_000))


def test_quaternions_are_unit_and_matrices_are_rotations():
    q = random_quaternions(np.random.default_rng(0), 1000)
    assert np.abs((q**2).sum(axis=1) - 1.0).max() < 1e-14
    r = rotation_matrices(q)
    assert np.abs(r @ r.transpose(0, 2, 1) - np.eye(3)).max() < 1e-14
    assert np.abs(np.linalg.det(r) - 1.0).max() < 1e-14


def test_matrices_agree_with_hamilton_products(twin):
    q = random_quaternions(np.random.default_rng(1), 20)
    expected = np.array([twin.quaternion_matrix(one) for one in q])
    assert np.abs(rotation_matrices(q) - expected).max() < 1e-14


def test_known_quarter_turn_about_z():
    q = np.array([[np.cos(np.pi / 4), 0.0, 0.0, np.sin(np.pi / 4)]])
    assert rotate_sites(q, np.array([[1.0, 0.0, 0.0]]))[0, 0] == pytest.approx([0, 1, 0])


def test_first_moments_vanish(matrices):
    error = matrices.std(axis=0) / np.sqrt(len(matrices))
    assert np.all(np.abs(matrices.mean(axis=0)) < 4.0 * error)


def test_second_moments_are_those_of_the_haar_measure(matrices):
    """<R_ij R_kl> = delta_ik delta_jl / 3."""
    flat = matrices.reshape(-1, 9)
    products = flat[:, :, None] * flat[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(flat))
    assert np.all(np.abs(products.mean(axis=0) - np.eye(9) / 3.0) < 4.5 * error)


def test_fourth_moment_of_a_direction(matrices):
    """A rotated axis is uniform on the sphere: <z^4> = 1/5, which a cube of axes would miss."""
    fourth = matrices[:, 2, 2] ** 4
    assert abs(fourth.mean() - 0.2) < 4.0 * fourth.std() / np.sqrt(len(fourth))


def test_rotation_angle_has_haar_density():
    """The angle's distribution function is (theta - sin theta) / pi."""
    from scipy.stats import kstest

    r = rotation_matrices(random_quaternions(np.random.default_rng(5), 20_000))
    angle = np.arccos(np.clip((np.trace(r, axis1=1, axis2=2) - 1.0) / 2.0, -1.0, 1.0))
    assert kstest(angle, lambda t: (t - np.sin(t)) / np.pi).pvalue > 0.01


def test_composition_with_a_fixed_rotation_changes_no_distribution():
    """Left and right invariance: trace moments of A R B equal those of R."""
    r = rotation_matrices(random_quaternions(np.random.default_rng(6), 100_000))
    a, b = rotation_matrices(random_quaternions(np.random.default_rng(8), 2))
    turned = np.trace(a @ r @ b, axis1=1, axis2=2)
    for power, expected in ((1, 0.0), (2, 1.0), (3, 1.0)):  # moments of the SO(3) character
        sample = turned**power
        assert abs(sample.mean() - expected) < 4.0 * sample.std() / np.sqrt(len(sample))


def test_axes_cover_all_octants_evenly():
    """Axes from one octant only are a known mistake, worth 4 % of a Henry coefficient."""
    q = random_quaternions(np.random.default_rng(4), 80_000)
    axes = q[:, 1:] * np.sign(q[:, :1])
    counts = np.bincount(((axes > 0) @ np.array([1, 2, 4])), minlength=8)
    assert np.abs(counts - 10_000).max() < 4.0 * np.sqrt(10_000 * 7 / 8)


def test_rotate_sites_is_the_matrix_product_and_independent_of_the_batch():
    rng = np.random.default_rng(2)
    q, body = random_quaternions(rng, 301), rng.standard_normal((4, 3))
    sites = rotate_sites(q, body)
    expected = np.einsum("nij,mj->nmi", rotation_matrices(q), body)
    assert np.abs(sites - expected).max() < 1e-14
    alone = np.concatenate([rotate_sites(one[None], body) for one in q])
    assert np.array_equal(sites, alone)
