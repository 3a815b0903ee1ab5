"""The adaptive proposal: exact weights, bounded, and better than uniform."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chem.guests import load_guest
from chem.orientations import GENERAL_BINS, LINEAR_BINS, OrientationBins, orientation_bins
from chem.proposal import (
    CAUTIOUS,
    EXACT,
    Known,
    Proposal,
    cell_index,
    learn_proposal,
    uniform_proposal,
    voxel_shape,
)
from chem.rotations import random_quaternions, rotate_sites
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


LINEAR = orientation_bins(load_guest("CO2"))
AXIS = np.array([[0.0, 0.0, 1.0]])


def leaning_well(fractional: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
    """The well, deepest for a guest that points along z, either way."""
    pointing = rotate_sites(quaternions, AXIS)[:, 0, 2]
    return well(fractional) - 12.0 * pointing**2


def flat(voxels: tuple[int, int, int], bins: OrientationBins) -> Proposal:
    return Proposal(np.ones((*voxels, bins.count)), bins)


def learn(count: int, shares=CAUTIOUS) -> Proposal:
    voxels = voxel_shape(LATTICE, count, LINEAR)
    placed = flat(voxels, LINEAR).sample(np.random.default_rng(1), count)
    known = Known(*placed, leaning_well(*placed[:2]))
    return learn_proposal(voxels, LINEAR, known, (TEMPERATURE_K,), shares)


@pytest.fixture(scope="module")
def learned() -> Proposal:
    return learn(100_000)


def average(proposal: Proposal, seed: int, stratified: bool = False) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    draw = proposal.sample_stratified if stratified else proposal.sample
    fractional, quaternions, weights = draw(rng, 100_000)
    terms = weights * np.exp(-BETA * leaning_well(fractional, quaternions))
    return terms.mean(), terms.std() / np.sqrt(len(terms))


def test_uniform_proposal_has_unit_weights():
    fractional, quaternions, weights = uniform_proposal().sample(np.random.default_rng(0), 1000)
    assert (weights == 1.0).all()
    assert ((fractional >= 0) & (fractional < 1)).all()
    assert np.linalg.norm(quaternions, axis=1) == pytest.approx(np.ones(1000))


def test_density_is_normalised_and_weights_bounded(learned: Proposal):
    assert learned.relative_density.mean() == pytest.approx(1.0, rel=1e-5)
    assert learned.relative_density.min() > CAUTIOUS.uniform * (1 - 1e-5)
    fractional, quaternions, weights = learned.sample(np.random.default_rng(2), 20_000)
    assert weights.max() < 1.0 / CAUTIOUS.uniform * (1 + 1e-5)
    assert weights == pytest.approx(learned.weights(fractional + 3.0, quaternions))


@pytest.mark.parametrize("stratified", [False, True])
def test_weighted_averages_are_those_of_the_uniform_density(learned: Proposal, stratified: bool):
    rng = np.random.default_rng(3)
    draw = learned.sample_stratified if stratified else learned.sample
    fractional, quaternions, weights = draw(rng, 200_000)
    for k in range(3):
        for power, exact in ((0, 1.0), (1, 0.5), (2, 1.0 / 3.0)):
            terms = weights * fractional[:, k] ** power
            error = terms.std() / np.sqrt(len(terms))
            assert abs(terms.mean() - exact) < 4.0 * error
    # The second moments of every entry of a uniform rotation are 1/3, the first are zero.
    entries = rotate_sites(quaternions, np.eye(3)).reshape(-1, 9)
    for power, exact in ((1, 0.0), (2, 1.0 / 3.0)):
        terms = weights[:, None] * entries**power
        error = terms.std(axis=0) / np.sqrt(len(terms))
        assert (abs(terms.mean(axis=0) - exact) < 4.5 * error).all()


def test_adaptive_agrees_with_uniform_and_is_far_more_precise(learned: Proposal):
    plain, plain_error = average(uniform_proposal(), 4)
    better, better_error = average(learned, 5)
    assert abs(plain - better) < 3.5 * np.hypot(plain_error, better_error)
    assert better_error < 0.25 * plain_error
    _, exact_error = average(learn(100_000, EXACT), 6)
    assert exact_error < better_error


def test_orientations_are_learned():
    """Averaging the bins of a voxel away costs precision."""
    proposal = learn(100_000, EXACT)
    blurred = proposal.relative_density.mean(axis=3, keepdims=True)
    blind = Proposal(np.broadcast_to(blurred, proposal.relative_density.shape).copy(), LINEAR)
    blind_mean, blind_error = average(blind, 7)
    mean, error = average(proposal, 8)
    assert abs(mean - blind_mean) < 3.5 * np.hypot(error, blind_error)
    assert error < 0.85 * blind_error


def test_stratified_samples_scatter_less_than_independent_ones(learned: Proposal):
    repeats = [average(learned, seed, stratified=True)[0] for seed in range(10, 40)]
    mean, error = average(learned, 9)
    assert abs(np.mean(repeats) - mean) < 3.5 * error
    assert np.std(repeats, ddof=1) < error


def test_stratified_counts_are_right_to_one(learned: Proposal):
    count = 50_000
    fractional, quaternions, _ = learned.sample_stratified(np.random.default_rng(5), count)
    cells = cell_index(fractional, quaternions, learned.voxels, learned.bins)
    found = np.bincount(cells, minlength=learned.relative_density.size)
    expected = learned.relative_density.ravel() / learned.relative_density.sum(dtype=float) * count
    # A point on the very edge of a bin of orientations may be rounded to its neighbour.
    assert (np.abs(found - expected) < 1.0 + 1e-6).mean() > 0.999
    assert np.abs(found - expected).max() < 3.0


def test_samples_fall_in_voxels_as_the_density_says(learned: Proposal):
    fractional, quaternions, _ = learned.sample(np.random.default_rng(5), 300_000)
    voxels = cell_index(fractional, quaternions, learned.voxels, OrientationBins())
    density = learned.relative_density.sum(axis=3).ravel()
    counts = np.bincount(voxels, minlength=density.size)
    expected = density / density.sum(dtype=float) * 300_000
    chi2 = ((counts - expected) ** 2 / expected).sum()
    freedom = counts.size - 1
    assert abs(chi2 - freedom) < 5.0 * np.sqrt(2 * freedom)


@pytest.mark.parametrize(("guest", "shape"), [("CO2", LINEAR_BINS), ("H2O", GENERAL_BINS)])
def test_bins_of_orientation_have_equal_measure(guest, shape):
    bins = orientation_bins(load_guest(guest))
    assert bins.shape == shape
    count = 200_000
    quaternions = random_quaternions(np.random.default_rng(11), count)
    cells = cell_index(np.zeros((count, 3)), quaternions, (1, 1, 1), bins)
    found = np.bincount(cells, minlength=bins.count)
    chi2 = ((found - count / bins.count) ** 2 / (count / bins.count)).sum()
    assert abs(chi2 - bins.count + 1) < 5.0 * np.sqrt(2 * bins.count)


def test_bins_follow_the_guest():
    assert orientation_bins(load_guest("CH4:Dubbeldam")).count == 1
    assert orientation_bins(load_guest("N2")).inverts
    assert not orientation_bins(load_guest("CO")).inverts
    turned = load_guest("CO2")
    axis = np.array([1.0, 2.0, -2.0]) / 3.0
    lying = np.outer(turned.positions_angstrom[:, 2], axis)
    turned = replace(turned, positions_angstrom=lying, atom_positions_angstrom=lying)
    bins = orientation_bins(turned)
    z = rotate_sites(np.array([bins.alignment]), AXIS)[0, 0]
    assert np.abs(np.abs(z @ axis) - 1.0) < 1e-12


def test_opposite_bins_hold_the_opposite_orientations():
    quaternions = random_quaternions(np.random.default_rng(12), 2_000)
    axes = rotate_sites(quaternions, AXIS)[:, 0]
    across = np.cross(axes, np.roll(axes, 1, axis=1))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    half_turn = np.column_stack([np.zeros(len(axes)), across])  # by pi about an axis across
    w, v = quaternions[:, :1], quaternions[:, 1:]
    flipped = np.column_stack(
        [-(across * v).sum(axis=1), w * half_turn[:, 1:] + np.cross(half_turn[:, 1:], v)]
    )
    where = np.zeros((len(axes), 3))
    first = cell_index(where, quaternions, (1, 1, 1), LINEAR)
    second = cell_index(where, flipped, (1, 1, 1), LINEAR)
    assert (LINEAR.opposite()[first] == second).all()


def test_a_pilot_that_only_overlaps_gives_a_uniform_proposal():
    voxels = voxel_shape(LATTICE, 500, LINEAR)
    placed = uniform_proposal().sample(np.random.default_rng(6), 500)
    known = Known(*placed, np.full(500, np.inf))
    proposal = learn_proposal(voxels, LINEAR, known, (300.0,))
    assert proposal.relative_density == pytest.approx(np.ones(proposal.relative_density.shape))


def test_voxels_fit_the_number_of_samples():
    few = np.prod(voxel_shape(LATTICE, 6_000, LINEAR))
    many = np.prod(voxel_shape(LATTICE, 10**6, LINEAR))
    assert few <= 200
    assert many > 10 * few


def test_save_and_load(tmp_path: Path, learned: Proposal):
    path = tmp_path / "a" / "proposal.npz"
    learned.save(path)
    again = Proposal.load(path)
    assert (again.relative_density == learned.relative_density).all()
    assert again.bins == learned.bins
    with pytest.raises(RunFolderError, match=r"Cannot read the proposal .*missing"):
        Proposal.load(tmp_path / "missing.npz")
