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
from dataclasses import dataclass

import torch
from torch import Tensor

from ml.descriptors import Block
from ml.heads import NEGLIGIBLE_KJ_PER_MOL, Kernel, select_centres
from ml.kernels import gram
from ml.linear_system import LinearSystem, Observations, PairTerm

MOST_LABELS = 300
FEWEST_TO_TUNE = 3
FEW_LENGTH, FEW_NOISE = 2.0, (0.5, 3.0, 3.0)
"""Length of all kernels and noise where labels are too few to tell them."""
STARTS = (0.8, 2.0)
AMPLITUDE_PRIOR = (math.log(10.0), 1.5)
START_AMPLITUDE = 1.2
"""First guess of all amplitudes together, over the centre of their prior."""
REST_WIDTH = 1.0
KINDS = 3
"""Kinds of observation: energies, forces, torques."""
FACTOR_PRIOR = (0.0, 0.5)
"""Logarithm of how much more a host differs from others than those among themselves."""
LENGTH_PRIOR = (math.log(1.5), 0.8)
NOISE_PRIOR = (math.log(0.4), 1.0)
SLOPE_NOISE_PRIOR = (math.log(2.0), 1.0)
LARGEST_AMPLITUDE_KJ_PER_MOL = 1e2
"""At 400 to 600 kJ/mol weights reach 1e6, and rounding makes scores from fields, which are of
single precision, err by 0.2 to 0.8 kJ/mol; far beyond, it decides what the evidence is."""
LEAST_NOISE = 0.05
LEAST_SLOPE_NOISE = 0.1
WITH_LEARNED = 3


@dataclass(frozen=True)
class Fit:
    """Hyperparameters and how well they explain the observations.

    Attributes:
        kernel: amplitudes, lengths and noise levels.
        log_evidence: penalised logarithm of the density of the observations.
        pairs: the pair potentials, their spread as much wider or narrower as this host differs
            more or less from others than those among themselves; None where there are none.
    """

    kernel: Kernel
    log_evidence: float
    pairs: PairTerm | None = None


def fit_kernel(
    blocks: tuple[Block, ...],
    observed: Observations,
    *,
    steps: int = 40,
    pairs: PairTerm | None = None,
    rest_kj_per_mol: float | None = None,
) -> Fit:
    """Return the hyperparameters of highest (penalised) evidence.

    Lengths are those of the energies alone, so where forces are known the learned descriptors
    may turn out to mislead: they are then left out, if the evidence of all observations is higher
    without them.

    Args:
        blocks: descriptor blocks of the labels, with slopes when forces are given.
        observed: corrections of the labels.
        steps: most iterations of the optimiser per start.
        pairs: pair potentials known beforehand, or None.
        rest_kj_per_mol: what kernels are expected to be left with, beside what is known
            beforehand; None where nothing is known. Pair potentials say it themselves.
    """
    if pairs is not None:
        observed = pairs.above(blocks, observed)
        rest_kj_per_mol = pairs.rest_kj_per_mol
    usual = AMPLITUDE_PRIOR
    if rest_kj_per_mol is not None:
        usual = math.log(rest_kj_per_mol), REST_WIDTH
    if len(observed.energy) < FEWEST_TO_TUNE:
        count = len(blocks)
        amplitude = math.exp(usual[0]) / math.sqrt(count)
        kernel = Kernel((amplitude,) * count, (FEW_LENGTH,) * count, FEW_NOISE)
        return Fit(kernel, -math.inf, pairs)
    value, kernel, factor = _fit_energies(*_subset(blocks, observed), pairs, usual, steps=steps)
    if observed.force is not None or observed.torque is not None:
        value, kernel, factor = _refine_noise(
            blocks, observed, kernel, pairs, usual, factor, steps=steps
        )
        if len(blocks) >= WITH_LEARNED:
            _, plain, other = _fit_energies(
                *_subset(blocks[:-1], observed), pairs, usual, steps=steps
            )
            plain_value, plain, other = _refine_noise(
                blocks[:-1], observed, plain, pairs, usual, other, steps=steps
            )
            if plain_value < value:
                kernel = _without_last(plain, kernel.lengths[-1])
                value, factor = plain_value, other
    return Fit(kernel, -value, None if pairs is None else pairs.stretched(factor))


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
    blocks: tuple[Block, ...],
    observed: Observations,
    pairs: PairTerm | None,
    usual: tuple[float, float],
    *,
    steps: int,
) -> tuple[float, Kernel, float]:
    """Return the negative penalised evidence of energies, the kernel and the pairs' factor."""
    count = len(blocks)
    known = None if pairs is None else pairs.features(blocks)
    fixed = torch.zeros((), dtype=torch.float64) if known is None else known @ known.T
    wider = [] if pairs is None else [0.0]
    best: tuple[float, Tensor] | None = None
    for start in STARTS:
        amplitude = usual[0] + math.log(START_AMPLITUDE / math.sqrt(count))
        initial = torch.tensor(
            [amplitude] * count + [math.log(start)] * count + [0.0, *wider], dtype=torch.float64
        )

        def objective(theta: Tensor) -> Tensor:
            return _energy_evidence(blocks, observed, theta, fixed, usual)

        value, theta = minimise(objective, initial, steps)
        if math.isfinite(value) and (best is None or value < best[0]):
            best = (value, theta)
    theta = initial if best is None else best[1]
    numbers = [float(x) for x in torch.exp(theta)]
    noise = math.hypot(numbers[2 * count], LEAST_NOISE)
    amplitudes = tuple(_amplitudes(theta[:count]).tolist())
    kernel = Kernel(amplitudes, tuple(numbers[count : 2 * count]), (noise, 2.0, 2.0))
    value = math.inf if best is None else best[0]
    return value, kernel, math.prod(numbers[2 * count + 1 :])


def _energy_evidence(
    blocks: tuple[Block, ...],
    observed: Observations,
    theta: Tensor,
    fixed: Tensor,
    usual: tuple[float, float],
) -> Tensor:
    count = len(blocks)
    amplitudes, lengths, noise = theta[:count], theta[count : 2 * count], theta[2 * count]
    level = torch.exp(2.0 * noise) + LEAST_NOISE**2
    wider = theta[2 * count + 1 :].sum()
    kernel = torch.diag(level * observed.stretch) + torch.exp(2.0 * wider) * fixed
    for block, amplitude, length in zip(blocks, _amplitudes(amplitudes), lengths, strict=True):
        kernel = kernel + amplitude**2 * gram(block, torch.exp(length))
    factor = torch.linalg.cholesky(kernel)
    solved = torch.cholesky_solve(observed.energy.unsqueeze(1), factor)[:, 0]
    fit = 0.5 * (observed.energy @ solved) + torch.log(torch.diagonal(factor)).sum()
    penalty = _penalty(amplitudes, usual) + _penalty(lengths, LENGTH_PRIOR)
    return fit + penalty + _penalty(noise, NOISE_PRIOR) + _penalty(wider, FACTOR_PRIOR)


def _refine_noise(
    blocks: tuple[Block, ...],
    observed: Observations,
    kernel: Kernel,
    pairs: PairTerm | None,
    usual: tuple[float, float],
    factor: float,
    *,
    steps: int,
) -> tuple[float, Kernel, float]:
    """Return the negative penalised evidence of all observations, refined kernel and factor."""
    centres = select_centres(blocks, kernel)
    system = LinearSystem.build(blocks, observed, centres, kernel.lengths, pairs)
    count = len(blocks)
    start = (max(kernel.noise[0], 0.2), *kernel.noise[1:])
    wider = [] if pairs is None else [factor]
    initial = torch.log(torch.tensor([*kernel.amplitudes, *start, *wider], dtype=torch.float64))
    least = torch.tensor((LEAST_NOISE, LEAST_SLOPE_NOISE, LEAST_SLOPE_NOISE), dtype=torch.float64)

    def objective(theta: Tensor) -> Tensor:
        stretch = torch.exp(theta[count + KINDS :].sum())
        scales = system.scales(_amplitudes(theta[:count]), stretch)
        noise = torch.hypot(torch.exp(theta[count : count + KINDS]), least)
        evidence = system.log_evidence(scales, noise)
        penalty = _penalty(theta[:count], usual) + _penalty(theta[count], NOISE_PRIOR)
        penalty = penalty + _penalty(theta[count + KINDS :], FACTOR_PRIOR)
        slopes = theta[count + 1 : count + KINDS]
        return penalty + _penalty(slopes, SLOPE_NOISE_PRIOR) - evidence

    value, theta = minimise(objective, initial, steps)
    if not math.isfinite(value):
        return math.inf, kernel, factor
    value += float(_penalty(torch.log(torch.tensor(kernel.lengths)), LENGTH_PRIOR))
    numbers = [float(x) for x in torch.exp(theta)]
    first, second, third = torch.hypot(torch.exp(theta[count : count + KINDS]), least).tolist()
    amplitudes = tuple(_amplitudes(theta[:count]).tolist())
    refined = Kernel(amplitudes, kernel.lengths, (first, second, third))
    return value, refined, math.prod(numbers[count + KINDS :])


def _amplitudes(logarithms: Tensor) -> Tensor:
    return torch.exp(logarithms.clamp(max=math.log(LARGEST_AMPLITUDE_KJ_PER_MOL)))


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
