"""Maps of hosts: the vectors are the surrogate's descriptors, and the plane is their PCA."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ml.encoder import radial_moments
from ml.graphs import GuestSites, HostArrays, RadialBasis, SiteNeighbours
from ml.host_map import (
    as_matrix,
    distance_to_seen,
    fingerprint,
    principal_plane,
    umap_plane,
)

LATTICE = np.array([[7.0, 0.0, 0.0], [1.5, 8.0, 0.0], [-0.5, 0.7, 6.5]])
GUEST = GuestSites(("O", "C", "O"), np.array([[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]]))


@pytest.fixture
def host() -> HostArrays:
    draw = np.random.default_rng(1)
    return HostArrays(LATTICE, draw.random((6, 3)) @ LATTICE, np.array([6, 8, 8, 30, 6, 1]))


@pytest.fixture
def places() -> np.ndarray:
    draw = np.random.default_rng(2)
    centres = draw.random((5, 1, 3)) @ LATTICE
    return centres + GUEST.positions_angstrom @ np.linalg.qr(draw.normal(size=(3, 3)))[0]


def test_fingerprint_is_the_mean_of_the_surrogates_moments(
    host: HostArrays, places: np.ndarray
) -> None:
    """The same sums by the look-up that the surrogate uses."""
    basis, elements = RadialBasis(), np.unique(host.atomic_numbers)
    flags = torch.as_tensor((host.atomic_numbers[:, None] == elements).astype(float))
    near = SiteNeighbours.build(host, basis.cutoff_angstrom)
    found = fingerprint(host, GUEST, places)
    for kind, name in enumerate(GUEST.type_names):
        sites = places[:, GUEST.type_index == kind].reshape(-1, 3)
        moments = radial_moments(near, basis, flags, torch.as_tensor(sites)).sum(dim=0).numpy()
        for k, element in enumerate(elements):
            wanted = moments[:, k] / len(places)
            np.testing.assert_allclose(found[f"{name}|{element}"], wanted, rtol=1e-10, atol=1e-12)


def test_a_larger_cell_and_other_images_change_nothing(
    host: HostArrays, places: np.ndarray
) -> None:
    doubled = HostArrays(
        np.diag([2, 1, 1]) @ LATTICE,
        np.vstack([host.positions_angstrom, host.positions_angstrom + LATTICE[0]]),
        np.tile(host.atomic_numbers, 2),
    )
    wanted = fingerprint(host, GUEST, places)
    found = fingerprint(doubled, GUEST, places + 3 * LATTICE[1] - LATTICE[0])
    assert found.keys() == wanted.keys()
    for key, values in wanted.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-9, atol=1e-11)


def test_matrix_gives_each_distance_the_same_weight() -> None:
    """Variances along each radial function add up to the same; a missing element counts zero."""
    draw = np.random.default_rng(0)
    some = [{"a|6": draw.normal(size=4) * [1, 10, 100, 0.1]} for _ in range(9)]
    some[3]["a|8"] = np.ones(4)
    vectors = as_matrix(some)
    assert vectors.shape == (9, 8)
    spread = vectors.reshape(9, 2, 4).var(axis=0).sum(axis=0)
    np.testing.assert_allclose(spread, 1.0 / 4.0)
    assert (vectors.reshape(9, 2, 4)[[0, 1, 2, 4], 1] == 0.0).all()


def test_plane_is_that_of_the_covariance() -> None:
    draw = np.random.default_rng(5)
    vectors = draw.normal(size=(40, 6)) @ draw.normal(size=(6, 6))
    plane = principal_plane(vectors)
    values = np.sort(np.linalg.eigvalsh(np.cov(vectors.T)))[::-1]
    np.testing.assert_allclose(plane.points.var(axis=0, ddof=1), values[:2], rtol=1e-9)
    np.testing.assert_allclose(plane.shares, values[:2] / values.sum(), rtol=1e-9)
    assert abs(np.corrcoef(plane.points.T)[0, 1]) < 1e-9
    np.testing.assert_allclose(principal_plane(vectors[::-1]).points[::-1], plane.points)


def test_plane_of_equal_hosts_is_a_point() -> None:
    plane = principal_plane(np.ones((5, 3)))
    assert np.abs(plane.points).max() < 1e-12


def test_distance_to_what_was_seen() -> None:
    """On a line with steps of one, the host at 9 is 7 steps from the last that was seen."""
    line = np.arange(10.0)[:, None]
    seen = np.arange(10) < 3
    np.testing.assert_allclose(distance_to_seen(line, seen), np.maximum(0, np.arange(10) - 2))
    assert np.isnan(distance_to_seen(line, np.zeros(10, dtype=bool))).all()


@pytest.mark.slow
def test_umap_keeps_groups_apart_and_repeats() -> None:
    draw = np.random.default_rng(0)
    vectors = np.vstack([draw.normal(c, 1.0, (30, 10)) for c in (0.0, 8.0)])
    plane = umap_plane(vectors)
    assert plane is not None
    groups = plane.points.reshape(2, 30, 2)
    apart = np.linalg.norm(groups[0].mean(axis=0) - groups[1].mean(axis=0))
    assert apart > 3.0 * groups.std(axis=1).max()
    np.testing.assert_array_equal(umap_plane(vectors).points, plane.points)


def test_too_few_hosts_have_no_umap() -> None:
    assert umap_plane(np.zeros((10, 3))) is None
