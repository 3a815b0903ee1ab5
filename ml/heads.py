"""Bayesian head: a Gaussian process on the descriptor blocks, read out through few features.

The correction is ``f(x) = sum_c a_c g_c(x)``; each component ``g_c`` is a Gaussian process
with the squared-exponential kernel on its block, summed over sites of equal type and tied to
zero where all descriptors vanish. Following Csato and Opper (Neural Comput. 14 (2002) 641)
and Bartok et al. (GAP, Phys. Rev. Lett. 104 (2010) 136403) it is represented by inducing
points, so energies, forces and torques are all exact linear observations of the weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ml.descriptors import Block
from ml.kernels import bell_at_zero, cross, cross_slopes, prior_variance, tied

JITTER = 1e-8
FEW_INDUCING = 768
MOST_INDUCING = 1536
INDUCING_PER_LABEL = 4
"""Inducing points: that many per label, between the two bounds; scoring costs in proportion."""
NEGLIGIBLE_KJ_PER_MOL = 1e-3
FEWEST_INDUCING = 8
PROBE_STEP = 0.3
LEAST_GAIN = 1e-6
LEAST_SHARE = 1e-13
ROUNDING = 1e-12


@dataclass(frozen=True)
class Kernel:
    """Hyperparameters: per component an amplitude (kJ/mol) and a length, and the noise.

    Attributes:
        amplitudes: (c,) prior scale of each component, kJ/mol.
        lengths: (c,) length scale of each component in descriptor units.
        noise: standard deviations of energies (kJ/mol), forces (kJ/mol/angstrom) and
            torques (kJ/mol).
    """

    amplitudes: tuple[float, ...]
    lengths: tuple[float, ...]
    noise: tuple[float, float, float] = (0.3, 2.0, 2.0)


@dataclass(frozen=True)
class Observations:
    """Corrections to learn from, with the factor each noise variance is stretched by.

    Attributes:
        energy: (L,) correction energies, kJ/mol.
        force: (L, 3) correction forces, or None.
        torque: (L, 3) correction torques, or None.
        stretch: (L,) factors >= 1 on the noise variance of each label.
    """

    energy: Tensor
    force: Tensor | None
    torque: Tensor | None
    stretch: Tensor

    def rows(self, index: Tensor) -> Observations:
        """Return the observations of a subset of labels."""
        force = None if self.force is None else self.force[index]
        torque = None if self.torque is None else self.torque[index]
        return Observations(self.energy[index], force, torque, self.stretch[index])


def choose_centres(
    values: Tensor, length: float, most: int, start: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Pick inducing sites by pivoted Cholesky: always the least explained one.

    Args:
        values: (n, d) candidate descriptors.
        length: kernel length.
        most: largest number of points.
        start: (k, d) points that are already chosen, or None.

    Returns:
        (r, d) newly chosen descriptors and (r,) what each explained that the earlier ones
        did not.
    """
    taken = 0 if start is None else len(start)
    pool = values if start is None else torch.cat([start, values])
    at_zero = bell_at_zero(pool, length)
    left = 1.0 - at_zero * at_zero
    factors = torch.zeros(len(pool), taken + most, dtype=pool.dtype, device=pool.device)
    chosen, gains = [], []
    for step in range(min(taken + most, len(pool))):
        pick = step if step < taken else int(torch.argmax(left))
        gain = float(left[pick])
        if gain <= LEAST_GAIN:
            if step < taken:
                continue
            break
        column = tied(pool, pool[pick : pick + 1], length)[:, 0]
        column = (column - factors[:, :step] @ factors[pick, :step]) / gain**0.5
        factors[:, step] = column
        left = left - column * column
        left[pick] = -1.0
        if step >= taken:
            chosen.append(pick)
            gains.append(gain)
    return pool[chosen], torch.tensor(gains, dtype=pool.dtype, device=pool.device)


@dataclass(frozen=True)
class Head:
    """A fitted Gaussian process in feature form.

    Attributes:
        kernel: hyperparameters.
        centres: per component, per site type, inducing descriptors (r_t, d).
        weights: (r,) coefficients of the kernel values; mean = k @ weights.
        root: (r, q) matrix; variance = prior - |k @ root|^2. Its columns are orthogonal,
            which keeps the sum accurate in single precision too.
    """

    kernel: Kernel
    centres: tuple[tuple[Tensor, ...], ...]
    weights: Tensor
    root: Tensor

    def predict(self, blocks: tuple[Block, ...]) -> tuple[Tensor, Tensor]:
        """Return the posterior mean and standard deviation (b,), kJ/mol."""
        columns, prior = [], torch.zeros(())
        for block, centres, amplitude, length in self._components(blocks):
            columns.append(cross(block, centres, length))
            prior = prior.to(columns[-1]) + amplitude**2 * prior_variance(block, length)
        features = torch.cat(columns, dim=1)
        explained = (features @ self.root).square().sum(dim=1)
        return features @ self.weights, torch.sqrt((prior - explained).clamp(min=0.0))

    def slopes(self, blocks: tuple[Block, ...]) -> Tensor:
        """Return (b, 6) derivatives of the mean along the rigid-body directions, kJ/mol."""
        columns = [
            cross_slopes(block, centres, length)
            for block, centres, _, length in self._components(blocks)
        ]
        return torch.cat(columns, dim=2) @ self.weights

    def to(self, device: str) -> Head:
        """Return the same head on another device."""
        centres = tuple(tuple(p.to(device) for p in part) for part in self.centres)
        return Head(self.kernel, centres, self.weights.to(device), self.root.to(device))

    def _components(
        self, blocks: tuple[Block, ...]
    ) -> list[tuple[Block, tuple[Tensor, ...], float, float]]:
        return list(
            zip(blocks, self.centres, self.kernel.amplitudes, self.kernel.lengths, strict=True)
        )


def fit_head(blocks: tuple[Block, ...], observed: Observations, kernel: Kernel) -> Head:
    """Condition the process on the observations for given hyperparameters.

    Args:
        blocks: descriptor blocks of the labels, with slopes when forces are given.
        observed: corrections of the labels.
        kernel: hyperparameters.

    Returns:
        The fitted head.
    """
    centres = select_centres(blocks, kernel)
    system = LinearSystem.build(blocks, observed, centres, kernel.lengths)
    scales = system.scales(torch.tensor(kernel.amplitudes, dtype=torch.float64))
    noise = torch.tensor(kernel.noise, dtype=torch.float64)
    posterior = system.posterior(scales, noise, stabilised=True)
    root = system.unwhiten * scales
    eye = torch.eye(len(scales), dtype=torch.float64, device=root.device)
    return Head(
        kernel,
        centres,
        weights=root @ posterior.mean,
        root=_square_root(root @ (eye - posterior.covariance) @ root.T),
    )


def _square_root(matrix: Tensor) -> Tensor:
    """Return (r, q) orthogonal columns R with R R^T equal to a positive matrix but for noise."""
    values, vectors = torch.linalg.eigh(0.5 * (matrix + matrix.T))
    kept = values > LEAST_SHARE * values[-1]
    return vectors[:, kept] * torch.sqrt(values[kept])


def select_centres(blocks: tuple[Block, ...], kernel: Kernel) -> tuple[tuple[Tensor, ...], ...]:
    """Choose the inducing sites of every component and type.

    Sites of the labels come first. Forces and torques say how the correction changes around
    a label, which kernels centred on labels alone express poorly; so where slopes are known
    the remaining places go to points a step (0.3 angstrom or radian) away from labels. Components
    that count for nothing leave their places to the others.
    """
    chosen = []
    idle = [amplitude <= NEGLIGIBLE_KJ_PER_MOL for amplitude in kernel.amplitudes]
    labels = len(blocks[0].values[0])
    total = min(MOST_INDUCING, max(FEW_INDUCING, INDUCING_PER_LABEL * labels))
    share = total // max(1, idle.count(False))
    for block, length, useless in zip(blocks, kernel.lengths, idle, strict=True):
        most = FEWEST_INDUCING if useless else share
        sites = tuple(values.flatten(0, 1) for values in block.values)
        centres = _best(sites, length, most)
        room = most - sum(len(part) for part in centres)
        if block.slopes is not None and room > 0:
            extra = _best(_probes(block), length, room, centres)
            centres = tuple(torch.cat(pair) for pair in zip(centres, extra, strict=True))
        chosen.append(centres)
    return tuple(chosen)


def _best(
    candidates: tuple[Tensor, ...],
    length: float,
    most: int,
    starts: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """Share a number of inducing sites among the types by what each of them explains."""
    given = starts or (None,) * len(candidates)
    picked = [
        choose_centres(c, length, most, start) for c, start in zip(candidates, given, strict=True)
    ]
    gains = torch.cat([gain for _, gain in picked])
    least = -1.0 if len(gains) <= most else float(torch.sort(gains).values[-most])
    return tuple(points[gain >= least] for points, gain in picked)


def _probes(block: Block) -> tuple[Tensor, ...]:
    """Return per type the descriptors a small step away from the labels, to first order."""
    if block.slopes is None:
        raise ValueError("the block carries no slopes")
    every = []
    for values, slopes in zip(block.values, block.slopes, strict=True):
        steps = PROBE_STEP * slopes
        around = torch.cat([values.unsqueeze(2) + steps, values.unsqueeze(2) - steps], dim=2)
        every.append(around.flatten(0, 2))
    return tuple(every)


@dataclass(frozen=True)
class Posterior:
    """Weights of whitened features: mean (r,), covariance (r, r) and the log evidence."""

    mean: Tensor
    covariance: Tensor
    log_evidence: Tensor


@dataclass(frozen=True)
class LinearSystem:
    """Whitened features of energies, forces and torques, reduced to normal equations.

    Attributes:
        unwhiten: (r, r) block-diagonal ``inv(chol(K))^T`` of unit-amplitude kernels.
        columns: features of each component.
        grams: (k, r, r) ``Phi^T W Phi`` of each kind of observation.
        moments: (k, r) ``Phi^T W y``.
        squares: (k,) ``y^T W y``.
        counts: (k,) number of observations.
    """

    unwhiten: Tensor
    columns: tuple[int, ...]
    grams: Tensor
    moments: Tensor
    squares: Tensor
    counts: Tensor

    @classmethod
    def build(
        cls,
        blocks: tuple[Block, ...],
        observed: Observations,
        centres: tuple[tuple[Tensor, ...], ...],
        lengths: tuple[float, ...],
    ) -> LinearSystem:
        """Evaluate the features of all observations."""
        whiteners, energies, slopes, columns = [], [], [], []
        wants_slopes = observed.force is not None or observed.torque is not None
        for block, points, length in zip(blocks, centres, lengths, strict=True):
            whitener = torch.block_diag(*(_whitener(p, length) for p in points))
            whiteners.append(whitener)
            columns.append(len(whitener))
            energies.append(cross(block, points, length) @ whitener)
            if wants_slopes:
                slopes.append(cross_slopes(block, points, length) @ whitener)
        weights = 1.0 / observed.stretch
        kinds = [_reduce(torch.cat(energies, dim=1), observed.energy, weights)]
        if wants_slopes:
            every = -torch.cat(slopes, dim=2)
            for target, rows in ((observed.force, every[:, :3]), (observed.torque, every[:, 3:])):
                if target is not None:
                    stretched = weights.repeat_interleave(3)
                    kinds.append(_reduce(rows.flatten(0, 1), target.flatten(), stretched))
                else:
                    kinds.append(tuple(torch.zeros_like(part) for part in kinds[0]))
        grams, moments, squares, counts = (torch.stack(parts) for parts in zip(*kinds, strict=True))
        return cls(torch.block_diag(*whiteners), tuple(columns), grams, moments, squares, counts)

    def scales(self, amplitudes: Tensor) -> Tensor:
        """Return each column's component amplitude (r,)."""
        return torch.cat(
            [a.expand(n) for a, n in zip(amplitudes.unbind(), self.columns, strict=True)]
        ).to(self.unwhiten.device)

    def posterior(self, scales: Tensor, noise: Tensor, *, stabilised: bool = False) -> Posterior:
        """Return the posterior of weights with prior ``N(0, 1)`` on scaled features.

        Args:
            scales: (r,) prior scale of each feature.
            noise: (k,) standard deviations of the observations.
            stabilised: narrow the prior by as much as rounding asks for, rather than fail,
                where observations are so precise that the prior drowns in them.
        """
        noise = noise[: len(self.grams)].to(scales.device)
        precision = 1.0 / noise**2
        information = (precision[:, None, None] * self.grams).sum(dim=0)
        information = scales.unsqueeze(1) * information * scales.unsqueeze(0)
        pull = scales * (precision[:, None] * self.moments).sum(dim=0)
        eye = torch.eye(len(scales), dtype=scales.dtype, device=scales.device)
        factor = (_stable_cholesky if stabilised else torch.linalg.cholesky)(information + eye)
        covariance = torch.cholesky_inverse(factor)
        mean = covariance @ pull
        misfit = (precision * self.squares).sum() - pull @ mean
        volume = 2.0 * torch.log(torch.diagonal(factor)).sum()
        levels = 2.0 * (self.counts * torch.log(noise)).sum()
        return Posterior(mean, covariance, -0.5 * (misfit + volume + levels))


def _stable_cholesky(matrix: Tensor) -> Tensor:
    """Return the Cholesky factor of a matrix, its diagonal raised where rounding asks for it.

    By less than 1e-12 of the largest element it would be a factor of noise.
    """
    factor, failed = torch.linalg.cholesky_ex(matrix)
    rise = ROUNDING * float(torch.diagonal(matrix).detach().max())
    eye = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
    while int(failed) and rise < math.inf:
        factor, failed = torch.linalg.cholesky_ex(matrix + rise * eye)
        rise *= 10.0
    if int(failed):
        raise RuntimeError("the labels or their descriptors are not finite")
    return factor


def _whitener(points: Tensor, length: float) -> Tensor:
    kernel = tied(points, points, length)
    eye = torch.eye(len(points), dtype=points.dtype, device=points.device)
    factor = torch.linalg.cholesky(kernel + JITTER * eye)
    return torch.linalg.solve_triangular(factor, eye, upper=False).T


def _reduce(rows: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
    """Return the normal equations of one kind of observation, skipping unknown targets."""
    known = torch.isfinite(targets)
    rows, targets, weights = rows[known], targets[known], weights[known]
    weighted = weights.unsqueeze(1) * rows
    return (
        rows.T @ weighted,
        weighted.T @ targets,
        (weights * targets * targets).sum(),
        torch.tensor(float(len(targets)), dtype=rows.dtype, device=rows.device),
    )
