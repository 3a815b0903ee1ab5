"""What pair potentials the corrections of many hosts have in common, and how much hosts differ.

The part of a correction that is a sum over pairs of guest site and host atom is linear in the
radial moments of the sites: ``sum_tke w[t, k, e] M[t, k, e]`` over types of site, Gaussians of
distance and elements. The coefficients of host h are ``w_h = w + d_h``: a mean that all hosts
share and a deviation of its own, normally distributed with standard deviations that depend on
type and distance (a mixed-effects model; Laird and Ware, Biometrics 38 (1982) 963). Those, and
the noise that stands for what is no sum over pairs, maximise the evidence of all hosts.

For a host never seen this gives a mean and, more to the point, a covariance of its coefficients:
few labels of its own then settle what hosts differ in and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ml.descriptors import Block, Describer
from ml.evidence import minimise
from ml.linear_system import Observations, PairTerm, normal_equations

START = (2.0, 1.0, 1.5)
"""First guess of the spread of shared coefficients, of deviations, and of the noise."""
SPREAD_PRIOR = 2.0
NOISE_PRIOR = 1.0
STEPS = 60
SMALLEST_SCALE = 1e-3
KINDS = 3


@dataclass(frozen=True)
class PairPrior:
    """Coefficients of the pair potentials: what hosts share and how they differ.

    Attributes:
        elements: (e,) atomic numbers of the sources, sorted.
        mean: (t * k * e,) shared coefficients, kJ/mol per unit of a radial moment.
        covariance: (t * k * e, t * k * e) how well the sources tell them.
        own: (t, k) standard deviation of a host's own deviation from them.
        broad: (t, k) the same of a shared coefficient before any source is seen.
        noise: energies (kJ/mol), forces (kJ/mol/angstrom) and torques (kJ/mol) that are no sum
            over pairs.
    """

    elements: tuple[int, ...]
    mean: Tensor
    covariance: Tensor
    own: Tensor
    broad: Tensor
    noise: tuple[float, float, float]

    def term(self, describer: Describer, elements: Sequence[int]) -> PairTerm:
        """Return the pair potentials that a host is expected to have.

        Args:
            describer: of the host.
            elements: atomic numbers that the describer's encoders tell apart.
        """
        present = sorted({int(z) for z in describer.host.atomic_numbers} & set(elements))
        types, count = self.own.shape
        known = torch.tensor(
            [self.elements.index(z) if z in self.elements else -1 for z in present],
            dtype=torch.long,
        )
        new = (known < 0).repeat(types * count)
        grid = torch.arange(types * count).unsqueeze(1) * len(self.elements)
        rows = (grid + known.clamp(min=0)).flatten()
        broad = self.broad.flatten().repeat_interleave(len(present))
        mean = torch.where(new, 0.0, self.mean[rows])
        shared = self.covariance[rows][:, rows]
        shared = torch.where(new.unsqueeze(0) | new.unsqueeze(1), 0.0, shared)
        shared = shared + torch.diag(torch.where(new, broad**2, 0.0))
        own = self.own.flatten().repeat_interleave(len(present))
        factor = torch.linalg.cholesky(shared + torch.diag(own**2))
        columns = torch.tensor([tuple(elements).index(z) for z in present], dtype=torch.long)
        places = torch.arange(types * count).unsqueeze(1) * len(elements) + columns
        root = torch.zeros(types * count * len(elements), len(mean), dtype=torch.float64)
        root[places.flatten()] = factor
        weights = torch.linalg.solve_triangular(factor, mean.unsqueeze(1), upper=False)[:, 0]
        scale = moment_scale(describer).cpu()
        device = describer.device
        return PairTerm(weights.to(device), (scale.unsqueeze(1) * root).to(device), self.noise[0])

    def content(self) -> dict[str, Tensor | list[int] | list[float]]:
        """Return everything as tensors and plain lists."""
        return {
            "elements": list(self.elements),
            "mean": self.mean,
            "covariance": self.covariance,
            "own": self.own,
            "broad": self.broad,
            "noise": list(self.noise),
        }

    @classmethod
    def from_content(cls, content: dict[str, Tensor | list[int] | list[float]]) -> PairPrior:
        """Return what ``content`` was made from."""
        given = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
        return cls(**given)  # type: ignore[arg-type]


def moment_scale(describer: Describer) -> Tensor:
    """Return the (d,) radial moments that one unit of each value of the second block stands for."""
    kinds = range(len(describer.groups))
    scales = [describer.radial_scale(kind) for kind in kinds]
    return torch.cat(scales).double() * len(scales) ** 0.5


@dataclass(frozen=True)
class PairLessons:
    """Normal equations of the pair potentials of every source.

    Attributes:
        elements: (e,) atomic numbers that are told apart.
        shape: types of site and Gaussians of distance.
        scale: (t * k * e,) radial moments of the sources, of the size of which coefficients
            are thought to be alike.
        block_scale: (d,) as of ``moment_scale``.
        parts: per source the coefficients it has a say in, and its equations.
    """

    elements: tuple[int, ...]
    shape: tuple[int, int]
    scale: Tensor
    block_scale: Tensor
    parts: tuple[tuple[Tensor, tuple[Tensor, ...]], ...]

    @classmethod
    def build(
        cls,
        sums: Sequence[Block],
        observed: Sequence[Observations],
        scale: Tensor,
        elements: tuple[int, ...],
        types: int,
    ) -> PairLessons:
        """Collect the equations of sources.

        Args:
            sums: per source the second block, with slopes.
            observed: per source its corrections.
            scale: (d,) as of ``moment_scale``, the same for all sources.
            elements: atomic numbers that the block tells apart.
            types: types of site.
        """
        shape = types, len(scale) // (types * len(elements))
        every = torch.cat([block.values[0][:, 0] * scale for block in sums])
        total = every.reshape(len(every), *shape, len(elements)).sum(dim=-1)
        spread = total.std(dim=0).clamp(min=SMALLEST_SCALE)
        unit = spread.flatten().repeat_interleave(len(elements))
        factor = scale / unit
        parts = []
        for block, corrections in zip(sums, observed, strict=True):
            rows, slopes = block.values[0][:, 0] * factor, block.known_slopes[0][:, 0] * factor
            seen = torch.nonzero((rows != 0).any(dim=0) | (slopes != 0).any(dim=1).any(dim=0))[:, 0]
            equations = normal_equations(rows[:, seen], slopes[:, :, seen], corrections)
            parts.append((seen, equations))
        return cls(elements, shape, unit, scale, tuple(parts))

    @property
    def _unit(self) -> Tensor:
        """(t, k) part of the scale, which is the same for all elements."""
        return self.scale.reshape(*self.shape, -1)[:, :, 0]

    def fit(self) -> PairPrior:
        """Return the prior of highest evidence."""
        size = self.shape[0] * self.shape[1]
        start = torch.log(torch.tensor([START[0]] * size + [START[1]] * size + [START[2]] * KINDS))

        def objective(theta: Tensor) -> Tensor:
            spreads = (theta[: 2 * size] ** 2).sum() / (2.0 * SPREAD_PRIOR**2)
            noise = ((theta[2 * size :] - start[2 * size :]) ** 2).sum() / (2.0 * NOISE_PRIOR**2)
            return spreads + noise - self._posterior(theta, range(len(self.parts)))[2]

        _, theta = minimise(objective, start.double(), STEPS)
        return self.prior(theta, range(len(self.parts)))

    def prior(self, theta: Tensor, which: Sequence[int]) -> PairPrior:
        """Return what some sources say, for given hyperparameters."""
        size = self.shape[0] * self.shape[1]
        with torch.no_grad():
            mean, covariance, _ = self._posterior(theta, which)
        broad, own = torch.exp(theta[:size]), torch.exp(theta[size : 2 * size])
        noise = torch.exp(theta[2 * size :]).tolist()
        return PairPrior(
            self.elements,
            mean / self.scale,
            covariance / (self.scale.unsqueeze(1) * self.scale.unsqueeze(0)),
            own.reshape(self.shape) / self._unit,
            broad.reshape(self.shape) / self._unit,
            (noise[0], noise[1], noise[2]),
        )

    def without(self, prior: PairPrior, held: int) -> PairPrior:
        """Return a prior of the same hyperparameters that one source has no part in."""
        spreads = torch.cat([(one * self._unit).flatten() for one in (prior.broad, prior.own)])
        theta = torch.log(torch.cat([spreads, torch.tensor(prior.noise, dtype=torch.float64)]))
        return self.prior(theta, [k for k in range(len(self.parts)) if k != held])

    def predict(self, prior: PairPrior, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of corrections in a host of its own deviations.

        Args:
            prior: of the same elements.
            rows: (b, d) values of the second block.
        """
        moments = rows * self.block_scale
        own = prior.own.flatten().repeat_interleave(len(self.elements))
        variance = ((moments @ prior.covariance) * moments).sum(dim=1)
        variance = variance + (moments * own).square().sum(dim=1)
        return moments @ prior.mean, variance.clamp(min=0.0).sqrt()

    def _posterior(self, theta: Tensor, which: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean and covariance of the shared coefficients, and the log evidence.

        With equations G = X^T R^-1 X and deviations D, a host tells of the shared coefficients
        through X^T (R + X D X^T)^-1 X = G - G E (1 + E G E)^-1 E G, E^2 = D.
        """
        size, each = self.shape[0] * self.shape[1], len(self.elements)
        broad = torch.exp(theta[:size]).repeat_interleave(each)
        own = torch.exp(theta[size : 2 * size]).repeat_interleave(each)
        noise = torch.exp(theta[2 * size :])
        precision = torch.diag(broad**-2.0)
        pull = torch.zeros_like(broad)
        evidence = -torch.log(broad).sum()
        for k in which:
            seen, (grams, moments, squares, counts) = self.parts[k]
            level = noise[: len(grams)] ** -2.0
            gram = (level[:, None, None] * grams).sum(dim=0)
            moment = (level[:, None] * moments).sum(dim=0)
            root = own[seen]
            inner = root.unsqueeze(1) * gram * root + torch.eye(len(seen), dtype=torch.float64)
            factor = torch.linalg.cholesky(inner)
            right = torch.cat([gram, moment.unsqueeze(1)], dim=1)
            half = torch.linalg.solve_triangular(factor, root.unsqueeze(1) * right, upper=False)
            told = gram - half[:, :-1].T @ half[:, :-1]
            precision = precision.index_put(
                (seen.unsqueeze(1), seen.unsqueeze(0)), told, accumulate=True
            )
            pull = pull.index_add(0, seen, moment - half[:, :-1].T @ half[:, -1])
            misfit = (level * squares).sum() - half[:, -1] @ half[:, -1]
            volume = 2.0 * torch.log(torch.diagonal(factor)).sum()
            levels = 2.0 * (counts * torch.log(noise[: len(grams)])).sum()
            evidence = evidence - 0.5 * (misfit + volume + levels)
        factor = torch.linalg.cholesky(precision)
        mean = torch.cholesky_solve(pull.unsqueeze(1), factor)[:, 0]
        evidence = evidence - torch.log(torch.diagonal(factor)).sum() + 0.5 * (pull @ mean)
        return mean, torch.cholesky_inverse(factor), evidence
