"""The adaptive proposal: exact weights, bounded, and better than uniform."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chem.proposal import (
    UNIFORM_SHARE,
    Proposal,
    learn_proposal,
    uniform_proposal,
    voxel_index,
    voxel_shape,
)
from data.errors import RunFolderError

LATTICE = np.array([[9.0, 0.0, 0.0], [-2.0, 8.0, 0.0], [1.0, 1.5, 11.0]])
TEMPERATURE_K = 300.0
BETA = 1.0 / (8.31446261815324e-3 * TEMPERATURE_K)


def well(fractional: np.ndarray) -> np.ndarray:
    """A Gaussian well of -25 kJ/mol around the cell centre, a hard wall near the corner."""
    shift = fractional - 0.5
    shift -= np.round(shift)
    distance2 = ((shift @ LATTICE) ** 2).sum(axis=1)
    energy = -25.0 * np.exp(-distance2 / 2.0)
    return np.where(distance2 > 25.0, np.inf, energy)


@pytest.fixture
def learned() -> Proposal:
    rng = np.random.default_rng(1)
    fractional, _, weights = uniform_proposal().sample(rng, 40_000)
    return learn_proposal(LATTICE, fractional, weights, well(fractional), (TEMPERATURE_K,))


def test_uniform_proposal_has_unit_weights():
    fractional, quaternions, weights = uniform_proposal().sample(np.random.default_rng(0), 1000)
    assert (weights == 1.0).all()
    assert ((fractional >= 0) & (fractional < 1)).all()
    assert np.linalg.norm(quaternions, axis=1) == pytest.approx(np.ones(1000))


def test_density_is_normalised_and_weights_bounded(learned: Proposal):
    assert learned.relative_density.mean() == pytest.approx(1.0, rel=1e-12)
    assert learned.relative_density.min() > UNIFORM_SHARE * (1 - 1e-12)
    fractional, _, weights = learned.sample(np.random.default_rng(2), 20_000)
    assert weights.max() < 1.0 / UNIFORM_SHARE * (1 + 1e-12)
    assert weights == pytest.approx(learned.weights(fractional + 3.0))


def test_weighted_averages_are_those_of_the_uniform_density(learned: Proposal):
    rng = np.random.default_rng(3)
    fractional, _, weights = learned.sample(rng, 200_000)
    for k in range(3):
        for power, exact in ((0, 1.0), (1, 0.5), (2, 1.0 / 3.0)):
            terms = weights * fractional[:, k] ** power
            error = terms.std() / np.sqrt(len(terms))
            assert abs(terms.mean() - exact) < 4.0 * error


def test_adaptive_agrees_with_uniform_and_is_far_more_precise(learned: Proposal):
    rng = np.random.default_rng(4)

    def average(proposal: Proposal) -> tuple[float, float]:
        fractional, _, weights = proposal.sample(rng, 100_000)
        terms = weights * np.exp(-BETA * well(fractional))
        return terms.mean(), terms.std() / np.sqrt(len(terms))

    plain, plain_error = average(uniform_proposal())
    better, better_error = average(learned)
    assert abs(plain - better) < 3.5 * np.hypot(plain_error, better_error)
    assert better_error < 0.3 * plain_error


def test_samples_fall_in_voxels_as_the_density_says(learned: Proposal):
    fractional, _, _ = learned.sample(np.random.default_rng(5), 300_000)
    shape = learned.relative_density.shape
    counts = np.bincount(voxel_index(fractional, shape), minlength=int(np.prod(shape)))
    expected = learned.relative_density.ravel() / learned.relative_density.sum() * 300_000
    chi2 = ((counts - expected) ** 2 / expected).sum()
    freedom = counts.size - 1
    assert abs(chi2 - freedom) < 5.0 * np.sqrt(2 * freedom)


def test_a_pilot_that_only_overlaps_gives_a_uniform_proposal():
    rng = np.random.default_rng(6)
    fractional, _, weights = uniform_proposal().sample(rng, 500)
    proposal = learn_proposal(LATTICE, fractional, weights, np.full(500, np.inf), (300.0,))
    assert proposal.relative_density == pytest.approx(np.ones(proposal.relative_density.shape))


def test_voxels_fit_the_number_of_samples():
    few = np.prod(voxel_shape(LATTICE, 600))
    many = np.prod(voxel_shape(LATTICE, 10**6))
    assert few <= 200
    assert many > 10 * few


def test_save_and_load(tmp_path: Path, learned: Proposal):
    path = tmp_path / "a" / "proposal.npz"
    learned.save(path)
    assert (Proposal.load(path).relative_density == learned.relative_density).all()
    with pytest.raises(RunFolderError, match=r"Cannot read the proposal .*missing"):
        Proposal.load(tmp_path / "missing.npz")
