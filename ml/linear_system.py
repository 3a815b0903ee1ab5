"""The Bayesian head's linear algebra: features of observations, normal equations, posterior.

With features ``S`` times those of the normal equations, ``G = sum_k G_k / noise_k^2`` and ``b``
alike, weights have the posterior covariance ``C = (1 + S G S)^-1`` and mean ``u = C S b``, and the
log evidence is ``(b S u - log det (1 + S G S) - sum_k (q_k / noise_k^2 + 2 n_k log noise_k)) / 2``
(Bishop, Pattern Recognition and Machine Learning, 2006, section 3.5). Its derivatives follow from
``C`` and ``u`` alone, without another factorisation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ml.descriptors import Block
from ml.kernels import cross, cross_slopes, tied

JITTER = 1e-8
ROUNDING = 1e-12
SUMS = 1
"""The block that pair potentials are linear in: radial moments summed over sites of a type."""
LEARNED = 2
"""The block that a committee of networks is linear in: what they say, summed over sites."""


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

    def beyond(self, said: Observations) -> Observations:
        """Return what is left of energies, forces and torques beyond what is said of them."""
        force = None if self.force is None or said.force is None else self.force - said.force
        torque = None if self.torque is None or said.torque is None else self.torque - said.torque
        return Observations(self.energy - said.energy, force, torque, self.stretch)


@dataclass(frozen=True)
class PairTerm:
    """Pair potentials of a host before it has labels (:mod:`ml.pair_prior`), as features.

    Attributes:
        mean: (p,) expected weights of the features.
        root: (d, p) root of the prior covariance of the second block's coefficients.
        rest_kj_per_mol: standard deviation of what is no sum over pairs.
        block: the block that the features are linear in, the second by default.
    """

    mean: Tensor
    root: Tensor
    rest_kj_per_mol: float
    block: int = SUMS

    def features(self, blocks: tuple[Block, ...]) -> Tensor:
        """Return the (b, p) features of insertions; their weights have the prior N(mean, 1)."""
        return blocks[self.block].values[0][:, 0] @ self.root

    def slopes(self, blocks: tuple[Block, ...]) -> Tensor:
        """Return the (b, 6, p) derivatives of the features along the rigid-body directions."""
        return blocks[self.block].known_slopes[0][:, 0] @ self.root

    def above(self, blocks: tuple[Block, ...], observed: Observations) -> Observations:
        """Return what observations say beyond the mean."""
        energy = observed.energy - self.features(blocks) @ self.mean
        force, torque = observed.force, observed.torque
        if force is not None or torque is not None:
            along = self.slopes(blocks) @ self.mean
            force = None if force is None else force + along[:, :3]
            torque = None if torque is None else torque + along[:, 3:]
        return Observations(energy, force, torque, observed.stretch)

    def stretched(self, factor: float) -> PairTerm:
        """Return the same expected potentials, with standard deviations a factor wider."""
        return replace(self, mean=self.mean / factor, root=self.root * factor)

    def to(self, device: str) -> PairTerm:
        """Return the same term on another device."""
        return replace(self, mean=self.mean.to(device), root=self.root.to(device))


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
        columns: features of each component, and of pair potentials where there are any.
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
        pairs: PairTerm | None = None,
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
        if pairs is not None:
            energies.append(pairs.features(blocks))
            columns.append(len(pairs.mean))
            whiteners.append(torch.eye(columns[-1]).to(pairs.root))
            if wants_slopes:
                slopes.append(pairs.slopes(blocks))
        every = torch.cat(slopes, dim=2) if wants_slopes else None
        equations = normal_equations(torch.cat(energies, dim=1), every, observed)
        return cls(torch.block_diag(*whiteners), tuple(columns), *equations)

    def scales(self, amplitudes: Tensor, factor: Tensor | None = None) -> Tensor:
        """Return each column's component amplitude (r,); pair potentials have a factor, or one."""
        others = amplitudes.new_ones(len(self.columns) - len(amplitudes))
        every = torch.cat([amplitudes, others if factor is None else factor * others]).unbind()
        return torch.cat([a.expand(n) for a, n in zip(every, self.columns, strict=True)]).to(
            self.unwhiten.device
        )

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
        gram, moment = self._weighted(precision)
        information = scales.unsqueeze(1) * gram * scales.unsqueeze(0)
        pull = scales * moment
        eye = torch.eye(len(scales), dtype=scales.dtype, device=scales.device)
        factor = (_stable_cholesky if stabilised else torch.linalg.cholesky)(information + eye)
        covariance = torch.cholesky_inverse(factor)
        mean = covariance @ pull
        misfit = (precision * self.squares).sum() - pull @ mean
        volume = 2.0 * torch.log(torch.diagonal(factor)).sum()
        levels = 2.0 * (self.counts * torch.log(noise)).sum()
        return Posterior(mean, covariance, -0.5 * (misfit + volume + levels))

    def log_evidence(self, scales: Tensor, noise: Tensor) -> Tensor:
        """Return the log evidence of a stabilised posterior, to be differentiated.

        Args:
            scales: (r,) prior scale of each feature.
            noise: (k,) standard deviations of the observations.
        """
        return _LogEvidence.apply(self, scales, noise)

    def _weighted(self, precision: Tensor) -> tuple[Tensor, Tensor]:
        """Return (r, r) and (r,) normal equations of all kinds of observation together."""
        gram = torch.tensordot(precision, self.grams, dims=1)
        return gram, torch.tensordot(precision, self.moments, dims=1)


class _LogEvidence(torch.autograd.Function):
    """The log evidence with its derivatives by scales and noise in closed form."""

    @staticmethod
    def forward(ctx: Any, system: LinearSystem, scales: Tensor, noise: Tensor) -> Tensor:
        found = system.posterior(scales, noise, stabilised=True)
        ctx.system = system
        ctx.save_for_backward(scales, noise, found.mean, found.covariance)
        return found.log_evidence

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[None, Tensor, Tensor]:
        system: LinearSystem = ctx.system
        scales, noise, mean, covariance = ctx.saved_tensors
        used = noise[: len(system.grams)].to(scales.device)
        gram, moment = system._weighted(1.0 / used**2)
        weights = scales * mean
        spread = scales.unsqueeze(1) * covariance
        by_scale = mean * (moment - gram @ weights) - (gram * spread).sum(dim=0)
        residual = system.squares - 2.0 * system.moments @ weights
        residual = residual + torch.mv(system.grams @ weights, weights)
        unsure = (system.grams * (spread * scales)).sum(dim=(1, 2))
        by_noise = torch.zeros_like(noise)
        by_noise[: len(used)] = ((residual + unsure) / used**3 - system.counts / used).to(noise)
        return None, outer * by_scale, outer.to(noise) * by_noise


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


def normal_equations(
    features: Tensor, slopes: Tensor | None, observed: Observations
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what least squares needs of energies and, with slopes, of forces and torques.

    Args:
        features: (b, r) features of the energy.
        slopes: (b, 6, r) their derivatives along the rigid-body directions, or None.
        observed: corrections.

    Returns:
        Per kind of observation (k, r, r) ``X^T W X``, (k, r) ``X^T W y``, (k,) ``y^T W y`` and
        (k,) the number of observations.
    """
    weights = 1.0 / observed.stretch
    kinds = [_reduce(features, observed.energy, weights)]
    if slopes is not None:
        for target, rows in ((observed.force, -slopes[:, :3]), (observed.torque, -slopes[:, 3:])):
            if target is not None:
                stretched = weights.repeat_interleave(3)
                kinds.append(_reduce(rows.flatten(0, 1), target.flatten(), stretched))
            else:
                kinds.append(tuple(torch.zeros_like(part) for part in kinds[0]))
    grams, moments, squares, counts = (torch.stack(parts) for parts in zip(*kinds, strict=True))
    return grams, moments, squares, counts


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
