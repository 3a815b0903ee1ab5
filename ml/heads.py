"""Bayesian head: a Gaussian process on the descriptor blocks, read out through few features.

The correction is ``f(x) = sum_c a_c g_c(x)``; each component ``g_c`` is a Gaussian process
with the squared-exponential kernel on its block, summed over sites of equal type and tied to
zero where all descriptors vanish. Following Csato and Opper (Neural Comput. 14 (2002) 641)
and Bartok et al. (GAP, Phys. Rev. Lett. 104 (2010) 136403) it is represented by inducing
points, so energies, forces and torques are all exact linear observations of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ml.descriptors import Block
from ml.kernels import bell_at_zero, cross, cross_slopes, prior_variance, tied
from ml.linear_system import LinearSystem, Observations, PairTerm

FEW_INDUCING = 768
MOST_INDUCING = 1536
INDUCING_PER_LABEL = 4
"""Inducing points: that many per label, between the two bounds; scoring costs in proportion."""
NEGLIGIBLE_KJ_PER_MOL = 1e-3
FEWEST_INDUCING = 8
PROBE_STEP = 0.3
LEAST_GAIN = 1e-6
LEAST_SHARE = 1e-13


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
        pairs: pair potentials known beforehand, whose features follow those of the kernels; or
            None.
    """

    kernel: Kernel
    centres: tuple[tuple[Tensor, ...], ...]
    weights: Tensor
    root: Tensor
    pairs: PairTerm | None = None

    def predict(self, blocks: tuple[Block, ...]) -> tuple[Tensor, Tensor]:
        """Return the posterior mean and standard deviation (b,), kJ/mol."""
        columns, prior = [], torch.zeros(())
        for block, centres, amplitude, length in self._components(blocks):
            columns.append(cross(block, centres, length))
            prior = prior.to(columns[-1]) + amplitude**2 * prior_variance(block, length)
        if self.pairs is not None:
            columns.append(self.pairs.features(blocks))
            prior = prior + columns[-1].square().sum(dim=1)
        features = torch.cat(columns, dim=1)
        explained = (features @ self.root).square().sum(dim=1)
        return features @ self.weights, torch.sqrt((prior - explained).clamp(min=0.0))

    def slopes(self, blocks: tuple[Block, ...]) -> Tensor:
        """Return (b, 6) derivatives of the mean along the rigid-body directions, kJ/mol."""
        columns = [
            cross_slopes(block, centres, length)
            for block, centres, _, length in self._components(blocks)
        ]
        if self.pairs is not None:
            columns.append(self.pairs.slopes(blocks))
        return torch.cat(columns, dim=2) @ self.weights

    def to(self, device: str) -> Head:
        """Return the same head on another device."""
        centres = tuple(tuple(p.to(device) for p in part) for part in self.centres)
        pairs = None if self.pairs is None else self.pairs.to(device)
        return Head(self.kernel, centres, self.weights.to(device), self.root.to(device), pairs)

    def _components(
        self, blocks: tuple[Block, ...]
    ) -> list[tuple[Block, tuple[Tensor, ...], float, float]]:
        return list(
            zip(blocks, self.centres, self.kernel.amplitudes, self.kernel.lengths, strict=True)
        )


def fit_head(
    blocks: tuple[Block, ...],
    observed: Observations,
    kernel: Kernel,
    pairs: PairTerm | None = None,
) -> Head:
    """Condition the process on the observations for given hyperparameters.

    Args:
        blocks: descriptor blocks of the labels, with slopes when forces are given.
        observed: corrections of the labels.
        kernel: hyperparameters.
        pairs: pair potentials known beforehand, or None.

    Returns:
        The fitted head.
    """
    centres = select_centres(blocks, kernel)
    beyond = observed if pairs is None else pairs.above(blocks, observed)
    system = LinearSystem.build(blocks, beyond, centres, kernel.lengths, pairs)
    scales = system.scales(torch.tensor(kernel.amplitudes, dtype=torch.float64))
    noise = torch.tensor(kernel.noise, dtype=torch.float64)
    posterior = system.posterior(scales, noise, stabilised=True)
    root = system.unwhiten * scales
    eye = torch.eye(len(scales), dtype=torch.float64, device=root.device)
    weights = root @ posterior.mean
    if pairs is not None:
        weights[-len(pairs.mean) :] += pairs.mean
    return Head(
        kernel,
        centres,
        weights=weights,
        root=_square_root(root @ (eye - posterior.covariance) @ root.T),
        pairs=pairs,
    )


def linear_head(
    term: PairTerm, blocks: tuple[Block, ...], noise: tuple[float, float, float]
) -> Head:
    """Return a linear term as a head, before any label, whose kernels count for nothing.

    Args:
        term: the term.
        blocks: descriptor blocks of any insertion, for their sizes.
        noise: noise levels.
    """
    centres = tuple(tuple(torch.zeros_like(v[:1, 0]) for v in b.values) for b in blocks)
    idle = sum(len(part) for part in centres)
    count = len(blocks)
    return Head(
        Kernel((NEGLIGIBLE_KJ_PER_MOL,) * count, (1.0,) * count, noise),
        centres,
        weights=torch.cat([torch.zeros(idle, dtype=torch.float64), term.mean]),
        root=torch.zeros(idle + len(term.mean), 1, dtype=torch.float64),
        pairs=term,
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
    every = []
    for values, slopes in zip(block.values, block.known_slopes, strict=True):
        steps = PROBE_STEP * slopes
        around = torch.cat([values.unsqueeze(2) + steps, values.unsqueeze(2) - steps], dim=2)
        every.append(around.flatten(0, 2))
    return tuple(every)
