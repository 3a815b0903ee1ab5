"""Probabilities of the top k against exact ones, and when they are enough."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from chem.screening.top import membership, top_k

DRAWS = 40_000


def normals(means: list[float], spreads: list[float], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array(means) + np.array(spreads) * rng.normal(size=(DRAWS, len(means)))


def test_best_of_two_normals() -> None:
    found = top_k(normals([0.0, 0.5], [1.0, 0.5]), 1)
    exact = float(norm.cdf(-0.5 / np.hypot(1.0, 0.5)))
    assert found.probability[0] == pytest.approx(exact, abs=4 * found.standard_error[0])
    assert found.standard_error[0] == pytest.approx(np.sqrt(exact * (1 - exact) / DRAWS), rel=0.02)
    assert found.members.tolist() == [1]


@pytest.mark.parametrize("k", [1, 2])
def test_top_of_three_normals(k: int) -> None:
    means, spreads = [0.0, 0.4, -0.3], [1.0, 0.3, 0.8]
    found = top_k(normals(means, spreads), k)

    def density(x: float, host: int) -> float:
        below = [norm.cdf(x, means[j], spreads[j]) for j in range(3) if j != host]
        both, one = below[0] * below[1], below[0] + below[1] - 2 * below[0] * below[1]
        return float(norm.pdf(x, means[host], spreads[host]) * (both + (one if k == 2 else 0.0)))

    exact = [quad(density, -8, 8, args=(host,), limit=200)[0] for host in range(3)]
    assert found.probability == pytest.approx(exact, abs=0.012)
    assert found.probability.sum() == pytest.approx(k)


def test_share_is_the_mean_probability_of_the_members() -> None:
    found = top_k(normals([0.0, 0.1, 0.2, 3.0, -4.0], [0.5] * 5), 2)
    assert found.members[0] == 3
    assert found.share == pytest.approx(found.probability[found.members].mean())
    assert not found.is_sure(0.95)
    assert found.is_sure(found.share - 3 * found.share_error)


def test_certain_when_nothing_overlaps() -> None:
    found = top_k(normals([0.0, 10.0, 20.0], [0.1] * 3), 2)
    assert found.probability.tolist() == [0.0, 1.0, 1.0]
    assert found.is_sure(0.999)


def test_more_wanted_than_there_are() -> None:
    assert top_k(normals([0.0, 1.0], [1.0] * 2), 5).probability.tolist() == [1.0, 1.0]


def test_equal_values_go_to_the_earlier_host() -> None:
    assert membership(np.zeros((1, 4)), 2).tolist() == [[True, True, False, False]]


def test_stated_errors_are_those_of_repeated_draws() -> None:
    """Scatter of probability and share over repetitions, at a few hundred draws."""
    rng = np.random.default_rng(1)
    tops = [top_k(rng.normal([0.0, 0.3, 0.6], 1.0, (400, 3)), 1) for _ in range(300)]
    scatter = np.std([t.probability for t in tops], axis=0)
    stated = np.mean([t.standard_error for t in tops], axis=0)
    assert scatter == pytest.approx(stated, rel=0.15)
    assert np.std([t.share for t in tops]) == pytest.approx(
        np.mean([t.share_error for t in tops]), rel=0.15
    )
