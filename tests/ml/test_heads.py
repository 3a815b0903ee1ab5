"""The head against the dense Gaussian process it stands for."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from ml import heads
from ml.descriptors import Block, rigid_moves
from ml.evidence import LARGEST_AMPLITUDE_KJ_PER_MOL, fit_kernel, minimise
from ml.heads import Kernel, choose_centres, fit_head, select_centres
from ml.kernels import cross, cross_slopes, gram, prior_variance, tied
from ml.linear_system import LinearSystem, Observations

RNG = np.random.default_rng(3)


def random_blocks(count: int, seed: int = 0) -> tuple[Block, Block]:
    """A block of two site types (one and two sites) and one of whole-guest descriptors."""
    rng = np.random.default_rng(seed)
    first = Block(
        (torch.as_tensor(rng.normal(size=(count, 1, 4))),
         torch.as_tensor(rng.normal(size=(count, 2, 4))))
    )  # fmt: skip
    return first, Block((torch.as_tensor(rng.normal(size=(count, 1, 5))),))


def energies_only(blocks: tuple[Block, ...], noise: float = 1.0) -> Observations:
    values = sum(torch.tanh(v).sum(dim=(1, 2)) for block in blocks for v in block.values)
    return Observations(5.0 * values, None, None, torch.full((len(values),), noise).double())


def dense(blocks: tuple[Block, ...], other: tuple[Block, ...], kernel: Kernel) -> torch.Tensor:
    """Kernel between two sets by looping over pairs of sites of equal type."""
    total = torch.zeros(len(blocks[0].values[0]), len(other[0].values[0]), dtype=torch.float64)
    for a, b, amplitude, length in zip(
        blocks, other, kernel.amplitudes, kernel.lengths, strict=True
    ):
        for left, right in zip(a.values, b.values, strict=True):
            for s in range(left.shape[1]):
                for t in range(right.shape[1]):
                    total += amplitude**2 * tied(left[:, s], right[:, t], length)
    return total


def test_tied_kernel_is_the_covariance_given_zero_at_the_origin() -> None:
    points = torch.as_tensor(RNG.normal(size=(6, 3)))
    with_origin = torch.cat([points, torch.zeros(1, 3)])
    squared = torch.cdist(with_origin, with_origin) ** 2
    free = torch.exp(-0.5 * squared / 1.3**2)
    expected = free[:6, :6] - free[:6, 6:] @ free[6:, :6] / free[6, 6]
    torch.testing.assert_close(tied(points, points, 1.3), expected)
    assert torch.count_nonzero(tied(torch.zeros(1, 3).double(), points, 1.3)) == 0


def test_gram_and_prior_variance_agree_with_loops_over_sites() -> None:
    blocks = random_blocks(7)
    kernel = Kernel((1.0, 1.0), (1.1, 1.9))
    total = gram(blocks[0], 1.1) + gram(blocks[1], 1.9)
    torch.testing.assert_close(total, dense(blocks, blocks, kernel))
    variance = prior_variance(blocks[0], 1.1) + prior_variance(blocks[1], 1.9)
    torch.testing.assert_close(variance, torch.diagonal(total))


def test_with_every_point_inducing_the_head_is_the_exact_process() -> None:
    blocks, fresh = random_blocks(25), random_blocks(9, seed=8)
    kernel = Kernel((6.0, 4.0), (2.0, 3.0), (0.4, 1.0, 1.0))
    observed = energies_only(blocks, noise=2.0)
    mean, sd = fit_head(blocks, observed, kernel).predict(fresh)
    noisy = dense(blocks, blocks, kernel) + 0.4**2 * 2.0 * torch.eye(25).double()
    between = dense(fresh, blocks, kernel)
    exact = between @ torch.linalg.solve(noisy, observed.energy)
    left = dense(fresh, fresh, kernel) - between @ torch.linalg.solve(noisy, between.T)
    torch.testing.assert_close(mean, exact, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(sd, torch.sqrt(torch.diagonal(left)), atol=2e-3, rtol=2e-3)


def test_evidence_is_the_gaussian_likelihood_of_all_observations() -> None:
    blocks = slopes_from_map(12)
    force = torch.as_tensor(RNG.normal(size=(12, 3)))
    torque = torch.as_tensor(RNG.normal(size=(12, 3)))
    observed = Observations(
        energies_only(blocks).energy, force, torque, torch.ones(12, dtype=torch.float64)
    )
    kernel = Kernel((3.0,), (1.5,), (0.5, 0.8, 0.9))
    centres = select_centres(blocks, kernel)
    system = LinearSystem.build(blocks, observed, centres, kernel.lengths)
    scales = system.scales(torch.tensor(kernel.amplitudes, dtype=torch.float64))
    found = system.posterior(scales, torch.tensor(kernel.noise, dtype=torch.float64))
    white = system.unwhiten * scales
    slopes = -cross_slopes(blocks[0], centres[0], 1.5) @ white
    rows = torch.cat(
        [cross(blocks[0], centres[0], 1.5) @ white, slopes[:, :3].flatten(0, 1),
         slopes[:, 3:].flatten(0, 1)]
    )  # fmt: skip
    noise = np.repeat([0.5**2, 0.8**2, 0.9**2], [12, 36, 36])
    values = torch.cat([observed.energy, force.flatten(), torque.flatten()]).numpy()
    covariance = (rows @ rows.T).numpy() + np.diag(noise)
    expected = multivariate_normal(np.zeros(84), covariance).logpdf(values)
    constant = 0.5 * 84 * math.log(2 * math.pi)
    assert float(found.log_evidence) - constant == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("slopes", [False, True])
def test_derivatives_of_the_evidence_are_numeric_ones(slopes: bool) -> None:
    blocks = slopes_from_map(12)
    force, torque = (torch.as_tensor(RNG.normal(size=(12, 3))) for _ in range(2))
    observed = energies_only(blocks)
    if slopes:
        observed = Observations(observed.energy, force, torque, observed.stretch)
    kernel = Kernel((3.0,), (1.5,))
    centres = select_centres(blocks, kernel)
    system = LinearSystem.build(blocks, observed, centres, kernel.lengths)

    def evidence(amplitude: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return system.log_evidence(system.scales(amplitude), noise)

    given = [torch.tensor(v, dtype=torch.float64) for v in ([2.5], [0.6, 0.9, 1.3])]
    assert torch.autograd.gradcheck(evidence, [value.requires_grad_() for value in given])
    scales = torch.linspace(0.5, 2.0, sum(system.columns), dtype=torch.float64)
    noise = given[1].detach()
    assert torch.autograd.gradcheck(
        lambda each: system.log_evidence(each, noise), [scales.requires_grad_()]
    )


def coordinates(pose: torch.Tensor) -> torch.Tensor:
    """A smooth map from six coordinates to two sites with three descriptors each."""
    mix = torch.linspace(-1.0, 1.0, 36, dtype=torch.float64).reshape(6, 6)
    return torch.sin(pose @ mix + 0.3).reshape(*pose.shape[:-1], 2, 3)


def slopes_from_map(count: int) -> tuple[Block]:
    pose = torch.as_tensor(np.random.default_rng(5).normal(size=(count, 6)))
    jacobian = torch.func.vmap(torch.func.jacfwd(coordinates))(pose)
    return (Block((coordinates(pose),), (jacobian.movedim(-1, 2),)),)


def test_slopes_are_numeric_derivatives() -> None:
    pose = torch.as_tensor(np.random.default_rng(5).normal(size=(4, 6)))
    block = slopes_from_map(4)[0]
    centres = (torch.as_tensor(RNG.normal(size=(8, 3))),)
    found = cross_slopes(block, centres, 1.2)
    for axis in range(6):
        step = torch.zeros(6, dtype=torch.float64)
        step[axis] = 1e-5
        up = cross(Block((coordinates(pose + step),)), centres, 1.2)
        down = cross(Block((coordinates(pose - step),)), centres, 1.2)
        torch.testing.assert_close(found[:, axis], (up - down) / 2e-5, atol=1e-8, rtol=1e-6)


def test_forces_that_are_not_known_are_left_out() -> None:
    blocks = slopes_from_map(10)
    energy = energies_only(blocks).energy
    ones = torch.ones(10, dtype=torch.float64)
    nothing = torch.full((10, 3), torch.nan, dtype=torch.float64)
    kernel = Kernel((3.0,), (1.5,))
    without = fit_head(blocks, Observations(energy, None, None, ones), kernel)
    unknown = fit_head(blocks, Observations(energy, nothing, nothing, ones), kernel)
    torch.testing.assert_close(without.weights, unknown.weights)


def test_exact_forces_pin_the_slope() -> None:
    blocks = slopes_from_map(6)
    ones = torch.ones(6, dtype=torch.float64)
    kernel = Kernel((5.0,), (1.0,), (1e-2, 1e-2, 1e-2))
    centres = (torch.as_tensor(np.random.default_rng(0).normal(size=(20, 3))),)
    weights = torch.as_tensor(np.random.default_rng(1).normal(size=20))
    truth = cross(blocks[0], centres, 1.0) @ weights
    slope = cross_slopes(blocks[0], centres, 1.0) @ weights
    observed = Observations(truth, -slope[:, :3], -slope[:, 3:], ones)
    head = fit_head(blocks, observed, kernel)
    torch.testing.assert_close(head.slopes(blocks), slope, atol=0.05, rtol=0.05)


def test_centres_are_distinct_and_explain_the_candidates() -> None:
    values = torch.as_tensor(np.random.default_rng(7).normal(size=(200, 2)))
    doubled = torch.cat([values, values])
    chosen, gains = choose_centres(doubled, 2.0, 400)
    assert len(chosen) == len(torch.unique(chosen, dim=0)) < 200
    assert torch.all(gains[1:] <= gains[:-1] + 1e-12)
    projected = tied(doubled, chosen, 2.0) @ torch.linalg.solve(
        tied(chosen, chosen, 2.0) + 1e-10 * torch.eye(len(chosen)), tied(chosen, doubled, 2.0)
    )
    torch.testing.assert_close(projected, tied(doubled, doubled, 2.0), atol=1e-4, rtol=0.0)


def test_places_are_shared_among_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MOST_INDUCING", 30)
    rng = np.random.default_rng(0)
    lively = torch.as_tensor(rng.normal(size=(40, 2, 4)))
    dull = torch.as_tensor(0.01 * rng.normal(size=(40, 1, 4)))
    centres = select_centres((Block((lively, dull)),), Kernel((1.0,), (1.0,)))[0]
    assert len(centres[0]) + len(centres[1]) == 30
    assert len(centres[0]) > 20


def test_noise_is_found_by_evidence() -> None:
    rng = np.random.default_rng(11)
    values = torch.as_tensor(rng.normal(size=(150, 1, 2)))
    clean = 6.0 * torch.sin(values[:, 0, 0]) + 3.0 * values[:, 0, 1]
    noisy = clean + torch.as_tensor(rng.normal(scale=0.5, size=150))
    observed = Observations(noisy, None, None, torch.ones(150, dtype=torch.float64))
    kernel = fit_kernel((Block((values,)),), observed).kernel
    assert kernel.noise[0] == pytest.approx(0.5, rel=4.0 / math.sqrt(2 * 130))


def test_two_labels_get_default_hyperparameters() -> None:
    blocks = random_blocks(2)
    kernel = fit_kernel(blocks, energies_only(blocks)).kernel
    assert len(kernel.lengths) == 2


@pytest.mark.parametrize("slopes", [False, True])
def test_amplitudes_stay_where_rounding_does_not_decide(slopes: bool) -> None:
    """Corrections no molecule has, without noise: an evidence left to itself follows them up."""
    block = random_blocks(40)[0]
    values = tuple(1e6 * v.sum(dim=(1, 2)) for v in block.values)
    energy = values[0] + values[1]
    force = 1e6 * torch.ones(40, 3, dtype=torch.float64)
    known = (force, torch.zeros_like(force)) if slopes else (None, None)
    around = tuple(torch.zeros(*v.shape[:2], 6, v.shape[2]).double() for v in block.values)
    observed = Observations(energy, *known, torch.ones(40, dtype=torch.float64))
    kernel = fit_kernel((Block(block.values, around if slopes else None),), observed).kernel
    assert 50.0 < kernel.amplitudes[0] <= LARGEST_AMPLITUDE_KJ_PER_MOL * (1.0 + 1e-12)


def test_rigid_moves_turn_about_the_body_origin() -> None:
    arms = torch.tensor([[[0.0, 0.0, 2.0]]], dtype=torch.float64)
    moves = rigid_moves(arms)[0, 0]
    torch.testing.assert_close(moves[:3], torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(moves[3], torch.tensor([0.0, -2.0, 0.0]).double())
    torch.testing.assert_close(moves[4], torch.tensor([2.0, 0.0, 0.0]).double())
    torch.testing.assert_close(moves[5], torch.zeros(3).double())


def test_labels_more_precise_than_rounding_are_fitted_all_the_same() -> None:
    blocks = random_blocks(30)
    observed = energies_only(blocks)
    kernel = Kernel((1e5, 1e5), (2.0, 3.0), (1e-7, 1.0, 1.0))
    centres = select_centres(blocks, kernel)
    system = LinearSystem.build(blocks, observed, centres, kernel.lengths)
    scales = system.scales(torch.tensor(kernel.amplitudes).double())
    with pytest.raises(RuntimeError, match="positive-definite"):
        system.posterior(scales, torch.tensor(kernel.noise).double())
    mean, sd = fit_head(blocks, observed, kernel).predict(blocks)
    torch.testing.assert_close(mean, observed.energy, atol=0.05, rtol=0.01)
    assert bool(torch.isfinite(sd).all())


def test_a_search_that_breaks_down_keeps_the_best_it_had() -> None:
    def objective(theta: torch.Tensor) -> torch.Tensor:
        if float(theta.detach()[0]) < 0.5:
            raise RuntimeError("no Cholesky factor")
        return (theta**2).sum()

    value, theta = minimise(objective, torch.tensor([2.0], dtype=torch.float64), 40)
    assert value == pytest.approx(float(theta[0]) ** 2)
    assert 0.5 <= float(theta[0]) <= 2.0
    value, _ = minimise(objective, torch.tensor([0.1], dtype=torch.float64), 40)
    assert math.isinf(value)


def test_learned_descriptors_are_left_out_where_forces_contradict_them() -> None:
    """Equal values, but slopes of the wrong sign: energies cannot tell, forces can."""
    (good,) = slopes_from_map(24)
    assert good.slopes is not None
    wrong = Block(good.values, tuple(-s for s in good.slopes))
    centres = (torch.as_tensor(np.random.default_rng(0).normal(size=(20, 3))),)
    weights = 4.0 * torch.as_tensor(np.random.default_rng(1).normal(size=20))
    slope = cross_slopes(good, centres, 1.0) @ weights
    energy = cross(good, centres, 1.0) @ weights
    ones = torch.ones(24, dtype=torch.float64)
    observed = Observations(energy, -slope[:, :3], -slope[:, 3:], ones)
    misled = fit_kernel((good, good, wrong), observed).kernel
    assert misled.amplitudes[2] == heads.NEGLIGIBLE_KJ_PER_MOL
    helped = fit_kernel((wrong, wrong, good), observed).kernel
    assert helped.amplitudes[2] > 1.0
