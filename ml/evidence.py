"""Hyperparameters of the Bayesian head by evidence maximisation.

Amplitudes and lengths come from the exact marginal likelihood of the energies (Rasmussen and
Williams, Gaussian Processes for Machine Learning, 2006, eq. 5.8) with weak log-normal priors;
noise levels of forces and torques, and amplitudes once more, from the evidence of all
observations with the features held fixed.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import torch
from torch import Tensor

from ml.descriptors import Block
from ml.heads import NEGLIGIBLE_KJ_PER_MOL, Kernel, select_centres
from ml.kernels import gram
from ml.linear_system import LinearSystem, Observations, PairTerm

MOST_LABELS = 300
STARTS = (0.8, 2.0)
AMPLITUDE_PRIOR = (math.log(10.0), 1.5)
START_AMPLITUDE = 1.2
"""First guess of all amplitudes together, over the centre of their prior."""
REST_WIDTH = 1.0
LENGTH_PRIOR = (math.log(1.5), 0.8)
NOISE_PRIOR = (math.log(0.4), 1.0)
SLOPE_NOISE_PRIOR = (math.log(2.0), 1.0)
LEAST_NOISE = 0.05
LEAST_SLOPE_NOISE = 0.1
WITH_LEARNED = 3


def fit_kernel(
    blocks: tuple[Block, ...],
    observed: Observations,
    *,
    steps: int = 40,
    pairs: PairTerm | None = None,
) -> Kernel:
    """Return the hyperparameters of highest (penalised) evidence.

    Lengths are those of the energies alone, so where forces are known the learned descriptors
    may turn out to mislead: they are then left out, if the evidence of all observations is higher
    without them.

    Args:
        blocks: descriptor blocks of the labels, with slopes when forces are given.
        observed: corrections of the labels.
        steps: most iterations of the optimiser per start.
        pairs: pair potentials known beforehand, which are kept; or None.

    Returns:
        Amplitudes, lengths and noise levels.
    """
    if pairs is not None:
        observed = pairs.above(blocks, observed)
    if len(observed.energy) < 3:
        count = len(blocks)
        return Kernel((10.0 / math.sqrt(count),) * count, (2.0,) * count, (0.5, 3.0, 3.0))
    kernel = _fit_energies(*_subset(blocks, observed), pairs, steps=steps)
    if observed.force is None and observed.torque is None:
        return kernel
    value, kernel = _refine_noise(blocks, observed, kernel, pairs, steps=steps)
    if len(blocks) < WITH_LEARNED:
        return kernel
    plain = _fit_energies(*_subset(blocks[:-1], observed), pairs, steps=steps)
    plain_value, plain = _refine_noise(blocks[:-1], observed, plain, pairs, steps=steps)
    return kernel if value <= plain_value else _without_last(plain, kernel.lengths[-1])


def _without_last(kernel: Kernel, length: float) -> Kernel:
    """Return a kernel of one more component, which counts for nothing."""
    return Kernel(
        (*kernel.amplitudes, NEGLIGIBLE_KJ_PER_MOL), (*kernel.lengths, length), kernel.noise
    )


def _subset(
    blocks: tuple[Block, ...], observed: Observations
) -> tuple[tuple[Block, ...], Observations]:
    """Keep at most ``MOST_LABELS`` labels, the latest and least stretched ones."""
    if len(observed.energy) <= MOST_LABELS:
        return blocks, observed
    order = torch.argsort(observed.stretch, stable=True)[:MOST_LABELS].sort().values
    return tuple(block.rows(order) for block in blocks), observed.rows(order)


def _fit_energies(
    blocks: tuple[Block, ...], observed: Observations, pairs: PairTerm | None, *, steps: int
) -> Kernel:
    count = len(blocks)
    known = None if pairs is None else pairs.features(blocks)
    fixed = torch.zeros(()) if known is None else known @ known.T
    usual = _amplitude_prior(pairs)
    best: tuple[float, Tensor] | None = None
    for start in STARTS:
        amplitude = usual[0] + math.log(START_AMPLITUDE / math.sqrt(count))
        initial = torch.tensor(
            [amplitude] * count + [math.log(start)] * count + [0.0], dtype=torch.float64
        )

        def objective(theta: Tensor) -> Tensor:
            return _energy_evidence(blocks, observed, theta, fixed, usual)

        value, theta = minimise(objective, initial, steps)
        if math.isfinite(value) and (best is None or value < best[0]):
            best = (value, theta)
    theta = initial if best is None else best[1]
    numbers = [float(x) for x in torch.exp(theta)]
    noise = math.hypot(numbers[-1], LEAST_NOISE)
    return Kernel(tuple(numbers[:count]), tuple(numbers[count:-1]), (noise, 2.0, 2.0))


def _energy_evidence(
    blocks: tuple[Block, ...],
    observed: Observations,
    theta: Tensor,
    fixed: Tensor,
    usual: tuple[float, float],
) -> Tensor:
    count = len(blocks)
    amplitudes, lengths, noise = theta[:count], theta[count:-1], theta[-1]
    level = torch.exp(2.0 * noise) + LEAST_NOISE**2
    kernel = torch.diag(level * observed.stretch) + fixed
    for block, amplitude, length in zip(blocks, amplitudes, lengths, strict=True):
        kernel = kernel + torch.exp(2.0 * amplitude) * gram(block, torch.exp(length))
    factor = torch.linalg.cholesky(kernel)
    solved = torch.cholesky_solve(observed.energy.unsqueeze(1), factor)[:, 0]
    fit = 0.5 * (observed.energy @ solved) + torch.log(torch.diagonal(factor)).sum()
    penalty = _penalty(amplitudes, usual) + _penalty(lengths, LENGTH_PRIOR)
    return fit + penalty + _penalty(noise, NOISE_PRIOR)


def _refine_noise(
    blocks: tuple[Block, ...],
    observed: Observations,
    kernel: Kernel,
    pairs: PairTerm | None,
    *,
    steps: int,
) -> tuple[float, Kernel]:
    """Return the negative penalised evidence of all observations and the refined kernel."""
    centres = select_centres(blocks, kernel)
    system = LinearSystem.build(blocks, observed, centres, kernel.lengths, pairs)
    count, usual = len(blocks), _amplitude_prior(pairs)
    start = (max(kernel.noise[0], 0.2), *kernel.noise[1:])
    initial = torch.log(torch.tensor([*kernel.amplitudes, *start], dtype=torch.float64))
    least = torch.tensor((LEAST_NOISE, LEAST_SLOPE_NOISE, LEAST_SLOPE_NOISE), dtype=torch.float64)

    def objective(theta: Tensor) -> Tensor:
        scales = system.scales(torch.exp(theta[:count]))
        noise = torch.hypot(torch.exp(theta[count:]), least)
        evidence = system.posterior(scales, noise, stabilised=True).log_evidence
        penalty = _penalty(theta[:count], usual) + _penalty(theta[count], NOISE_PRIOR)
        return penalty + _penalty(theta[count + 1 :], SLOPE_NOISE_PRIOR) - evidence

    value, theta = minimise(objective, initial, steps)
    if not math.isfinite(value):
        return math.inf, kernel
    value += float(_penalty(torch.log(torch.tensor(kernel.lengths)), LENGTH_PRIOR))
    numbers = [float(x) for x in torch.exp(theta)]
    first, second, third = torch.hypot(torch.exp(theta[count:]), least).tolist()
    return value, Kernel(tuple(numbers[:count]), kernel.lengths, (first, second, third))


def _amplitude_prior(pairs: PairTerm | None) -> tuple[float, float]:
    """Return centre and width of the log-normal prior of amplitudes.

    Beside pair potentials, kernels have what is no sum over pairs left to explain.
    """
    if pairs is None:
        return AMPLITUDE_PRIOR
    return math.log(pairs.rest_kj_per_mol), REST_WIDTH


def _penalty(values: Tensor, prior: tuple[float, float]) -> Tensor:
    return 0.5 * (((values - prior[0]) / prior[1]) ** 2).sum()


def minimise(
    objective: Callable[[Tensor], Tensor], initial: Tensor, steps: int
) -> tuple[float, Tensor]:
    """Minimise with L-BFGS, as far as the factorisation holds; infinite where it never does."""
    best = (math.inf, initial.clone())
    theta = initial.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [theta], lr=0.5, max_iter=steps, tolerance_change=1e-3, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        nonlocal best
        optimiser.zero_grad()
        value = objective(theta)
        if float(value.detach()) < best[0]:
            best = (float(value.detach()), theta.detach().clone())
        value.backward()
        return value

    with contextlib.suppress(RuntimeError):  # torch's own where a Cholesky factor does not exist
        optimiser.step(closure)
    return best
