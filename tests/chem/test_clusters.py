"""Geometry clusters: images under symmetry fall together, and no cluster is wider than asked."""

import numpy as np
import pytest

from chem.binding_sites import approximate_symmetry
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.rotations import random_quaternions, rotate_sites
from chem.sites.clusters import geometry_clusters
from chem.sites.placements import Metric

HALF_TURN_ABOUT_X = np.array([0.0, 1.0, 0.0, 0.0])  # swaps the ends of CO2


@pytest.fixture(scope="module")
def metric() -> Metric:
    host, guest = load_host("CALF-20"), load_guest("CO2")
    pairs = mix_pairs(host, guest, load_force_field("UFF"))
    return Metric(host.lattice_angstrom, guest, approximate_symmetry(host, pairs))


def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.random((count, 3)), random_quaternions(rng, count)


def product(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Quaternion product: first turn by ``two``, then by ``one``."""
    w, v = one[:, :1], one[:, 1:]
    return np.hstack(
        [w * two[0] - v @ two[1:, None], w * two[1:] + two[0] * v + np.cross(v, two[1:])]
    )


def test_translated_inverted_and_reversed_guests_are_in_one_cluster(metric: Metric) -> None:
    fractional, quaternions = drawn(40)
    reverse = product(quaternions, HALF_TURN_ABOUT_X)
    body = load_guest("CO2").positions_angstrom
    ends = rotate_sites(quaternions, body)[:, [0, 2, 1]]
    assert np.allclose(rotate_sites(reverse, body), ends)
    # CALF-20 is centrosymmetric about the origin, and so is CO2.
    every = np.vstack([fractional, fractional + np.array([1, -2, 3]), -fractional])
    turns = np.vstack([quaternions, reverse, quaternions])
    found = geometry_clusters(metric, every, turns, radius_angstrom=0.2, most=400)
    assert np.array_equal(found[:40], found[40:80])
    assert np.array_equal(found[:40], found[80:])


def test_no_insertion_is_farther_from_its_centre_than_the_radius(metric: Metric) -> None:
    fractional, quaternions = drawn(150)
    found = geometry_clusters(metric, fractional, quaternions, radius_angstrom=1.5)
    places = metric.placements(fractional, quaternions)
    for cluster in np.unique(found):
        rows = np.flatnonzero(found == cluster)
        across = [
            metric.to_images(places[rows], metric.images(places[k : k + 1])).max() for k in rows
        ]
        assert min(across) <= 1.5


def test_smaller_clusters_are_more_and_never_more_than_allowed(metric: Metric) -> None:
    places = drawn(150)
    wide = geometry_clusters(metric, *places, radius_angstrom=2.5)
    narrow = geometry_clusters(metric, *places, radius_angstrom=1.5)
    few = geometry_clusters(metric, *places, radius_angstrom=1.5, most=7)
    assert wide.max() < narrow.max()
    assert len(np.unique(few)) == 7
    assert len(geometry_clusters(metric, np.zeros((0, 3)), np.zeros((0, 4)))) == 0
