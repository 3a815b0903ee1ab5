"""What sources teach of pair potentials: spreads and noise of highest evidence, and what is shared.

The evidence is that of the corrections of all sources, energies, forces and torques, in the
mixed-effects model of `ml.pair_prior`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ml.descriptors import Block, Describer
from ml.evidence import KINDS, minimise
from ml.linear_system import Observations, normal_equations
from ml.pair_layout import LEVELS, columns_of, levels_of, membership, parts_of, spread_over
from ml.pair_prior import PairPrior, moment_scale

START = (2.0, 1.0, 1.5)
"""First guess of the spread of shared coefficients, of deviations, and of the noise."""
SPREAD_PRIOR = 2.0
NOISE_PRIOR = 1.0
STEPS = 40
MOST_TO_TUNE = 48
"""Spreads and noise are those of so many sources at most; coefficients are those of all."""
SMALLEST_SCALE = 1e-3


@dataclass(frozen=True)
class PairMoments:
    """Radial moments of labels in one host, by the host's own classes of atoms.

    Attributes:
        kinds: (c,) classes.
        values: (n, t * k, c) moments summed over the sites of a type.
        slopes: (n, 6, t * k, c) derivatives along the rigid-body directions.
    """

    kinds: tuple[int, ...]
    values: Tensor
    slopes: Tensor

    @classmethod
    def of(cls, describer: Describer, block: Block) -> PairMoments:
        """Undo the scaling of a second block with slopes.

        Args:
            describer: with the encoder of `class_encoder`.
            block: its second block.
        """
        kinds = describer.encoders[0].host_kinds
        scale = moment_scale(describer)
        values, slopes = block.values[0][:, 0] * scale, block.known_slopes[0][:, 0] * scale
        count = len(values)
        return cls(
            kinds,
            values.reshape(count, -1, len(kinds)),
            slopes.reshape(count, 6, -1, len(kinds)),
        )


@dataclass(frozen=True)
class _Told:
    """What one source says of shared coefficients: its columns, an information and a pull."""

    columns: Tensor
    information: Tensor
    pull: Tensor


@dataclass(frozen=True)
class _Equations:
    """Normal equations of one source: columns of shared coefficients, levels of spreads."""

    columns: Tensor
    levels: Tensor
    normal: tuple[Tensor, Tensor, Tensor, Tensor]

    def told(self, own: Tensor, noise: Tensor) -> tuple[_Told, Tensor]:
        """Return what the source says of shared coefficients, and its part of the evidence.

        With equations G = X^T R^-1 X and deviations D, a host tells of the shared coefficients
        through X^T (R + X D X^T)^-1 X = G - G E (1 + E G E)^-1 E G, E^2 = D.

        Args:
            own: (2 t k,) standard deviations of deviations.
            noise: (3,) noise levels.
        """
        grams, moments, squares, counts = self.normal
        level = noise[: len(grams)] ** -2.0
        gram = (level[:, None, None] * grams).sum(dim=0)
        moment = (level[:, None] * moments).sum(dim=0)
        root = own[self.levels]
        inner = root.unsqueeze(1) * gram * root + torch.eye(len(root), dtype=torch.float64)
        factor = torch.linalg.cholesky(inner)
        right = root.unsqueeze(1) * torch.cat([gram, moment.unsqueeze(1)], dim=1)
        half = torch.linalg.solve_triangular(factor, right, upper=False)
        misfit = (level * squares).sum() - half[:, -1] @ half[:, -1]
        volume = 2.0 * torch.log(torch.diagonal(factor)).sum()
        levels = 2.0 * (counts * torch.log(noise[: len(grams)])).sum()
        information = gram - half[:, :-1].T @ half[:, :-1]
        pull = moment - half[:, :-1].T @ half[:, -1]
        return _Told(self.columns, information, pull), -0.5 * (misfit + volume + levels)


@dataclass(frozen=True)
class PairLessons:
    """Normal equations of the pair potentials of every source.

    Attributes:
        parts: (c,) elements and classes of all sources.
        unit: (2, t, k) radial moments of which coefficients are thought to be alike.
        sources: moments of every source.
        equations: of every source.
    """

    parts: tuple[int, ...]
    unit: Tensor
    sources: tuple[PairMoments, ...]
    equations: tuple[_Equations, ...]

    @classmethod
    def build(
        cls, sources: Sequence[PairMoments], observed: Sequence[Observations], types: int
    ) -> PairLessons:
        """Collect the equations of sources.

        Args:
            sources: moments of every source.
            observed: per source its corrections.
            types: types of site.
        """
        total = torch.cat([source.values.sum(dim=2) for source in sources])
        unit = total.std(dim=0).clamp(min=SMALLEST_SCALE)
        parts = sorted({part for source in sources for part in parts_of(source.kinds)})
        equations = [
            _equations(source, corrections, unit, parts)
            for source, corrections in zip(sources, observed, strict=True)
        ]
        both = unit.reshape(1, types, -1).repeat(LEVELS, 1, 1)
        return cls(tuple(parts), both, tuple(sources), tuple(equations))

    def fit(self) -> PairPrior:
        """Return the prior of highest evidence."""
        size = self.unit.numel()
        start = torch.log(torch.tensor([START[0]] * size + [START[1]] * size + [START[2]] * KINDS))
        tuned = self._some()

        def objective(theta: Tensor) -> Tensor:
            spreads = (theta[: 2 * size] ** 2).sum() / (2.0 * SPREAD_PRIOR**2)
            noise = ((theta[2 * size :] - start[2 * size :]) ** 2).sum() / (2.0 * NOISE_PRIOR**2)
            return spreads + noise - tuned._posterior(theta)[2]

        _, theta = minimise(objective, start.double(), STEPS)
        with torch.no_grad():
            mean, covariance, _ = self._posterior(theta)
        unit = spread_over(self.unit, self.parts)
        broad, own, noise = (
            theta[:size].exp(),
            theta[size : 2 * size].exp(),
            theta[2 * size :].exp(),
        )
        return PairPrior(
            self.parts,
            mean / unit,
            covariance / (unit.unsqueeze(1) * unit),
            own.reshape(self.unit.shape) / self.unit,
            broad.reshape(self.unit.shape) / self.unit,
            tuple(noise.tolist()),
        )

    def fit_departures(self) -> PairPrior:
        """Return the prior of highest evidence in which hosts have nothing in common.

        For corrections from which what hosts share has been taken: coefficients are deviations of
        a host and no more, so the evidence is a sum over hosts and there is nothing to remember
        but their spreads.
        """
        size = self.unit.numel()
        start = torch.log(torch.tensor([START[1]] * size + [START[2]] * KINDS)).double()
        tuned = self._some()

        def objective(theta: Tensor) -> Tensor:
            spreads = (theta[:size] ** 2).sum() / (2.0 * SPREAD_PRIOR**2)
            noise = ((theta[size:] - start[size:]) ** 2).sum() / (2.0 * NOISE_PRIOR**2)
            own, level = torch.exp(theta[:size]), torch.exp(theta[size:])
            parts = [equations.told(own, level)[1] for equations in tuned.equations]
            return spreads + noise - torch.stack(parts).sum()

        _, theta = minimise(objective, start, STEPS)
        own = theta[:size].exp().reshape(self.unit.shape) / self.unit
        nothing = torch.zeros(0, dtype=torch.float64)
        return PairPrior(
            (),
            nothing,
            torch.diag(nothing),
            own,
            torch.zeros_like(own),
            tuple(theta[size:].exp().tolist()),
        )

    def held_out(self, prior: PairPrior) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield what a prior without a source says of its labels, one source after another.

        The spreads stay those of all sources. What a source told is taken out of the posterior
        of its own columns: with their covariance S and what it told, T, that is (1 - S T)^-1 S.

        Args:
            prior: as of ``fit``.

        Yields:
            Mean and standard deviation (b,) of the corrections.
        """
        own = (prior.own * self.unit).flatten()
        unit = spread_over(self.unit, self.parts)
        noise = torch.tensor(prior.noise, dtype=torch.float64)
        for source, equations in zip(self.sources, self.equations, strict=True):
            told, _ = equations.told(own, noise)
            at = told.columns
            covariance = prior.covariance[at][:, at] * (unit[at].unsqueeze(1) * unit[at])
            without = torch.eye(len(at), dtype=torch.float64) - covariance @ told.information
            pulled = (prior.mean[at] * unit[at]) - covariance @ told.pull
            mean = torch.linalg.solve(without, pulled)
            spread = torch.linalg.solve(without, covariance)
            spread = spread + torch.diag(own[equations.levels] ** 2)
            rows = _rows(source, self.unit[0].flatten(), parts_of(source.kinds))
            variance = ((rows @ spread) * rows).sum(dim=1)
            yield rows @ mean, variance.clamp(min=0.0).sqrt()

    def _some(self) -> PairLessons:
        """Return the lessons of evenly chosen sources, no more than there is time to tune on."""
        count = len(self.sources)
        most = min(count, MOST_TO_TUNE)
        chosen = [k * count // most for k in range(most)]
        sources = tuple(self.sources[k] for k in chosen)
        parts = sorted({part for source in sources for part in parts_of(source.kinds)})
        width, cells = len(self.parts), self.unit[0].numel()
        here = columns_of(cells, width, torch.tensor([self.parts.index(part) for part in parts]))
        again = torch.full((cells * width,), -1, dtype=torch.long)
        again[here] = torch.arange(len(here))
        equations = tuple(
            _Equations(again[one.columns], one.levels, one.normal)
            for one in (self.equations[k] for k in chosen)
        )
        return PairLessons(tuple(parts), self.unit, sources, equations)

    def _posterior(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean and covariance of the shared coefficients, and the log evidence."""
        size = self.unit.numel()
        broad = spread_over(torch.exp(theta[:size]), self.parts)
        own, noise = torch.exp(theta[size : 2 * size]), torch.exp(theta[2 * size :])
        precision = torch.diag(broad**-2.0)
        pull = torch.zeros_like(broad)
        evidence = -torch.log(broad).sum()
        for equations in self.equations:
            told, part = equations.told(own, noise)
            at = told.columns
            precision = precision.index_put(
                (at.unsqueeze(1), at.unsqueeze(0)), told.information, accumulate=True
            )
            pull = pull.index_add(0, at, told.pull)
            evidence = evidence + part
        factor = torch.linalg.cholesky(precision)
        mean = torch.cholesky_solve(pull.unsqueeze(1), factor)[:, 0]
        evidence = evidence - torch.log(torch.diagonal(factor)).sum() + 0.5 * (pull @ mean)
        return mean, torch.cholesky_inverse(factor), evidence


def _rows(source: PairMoments, unit: Tensor, parts: Sequence[int]) -> Tensor:
    """Return the (n, t * k * c) features of a source's energies."""
    values = source.values / unit.unsqueeze(1)
    return (values @ membership(source.kinds, parts)).flatten(1)


def _equations(
    source: PairMoments, observed: Observations, unit: Tensor, every: Sequence[int]
) -> _Equations:
    parts = parts_of(source.kinds)
    slopes = source.slopes / unit.unsqueeze(1) @ membership(source.kinds, parts)
    normal = normal_equations(_rows(source, unit, parts), slopes.flatten(2), observed)
    places = torch.tensor([list(every).index(part) for part in parts])
    cells = len(unit)
    return _Equations(columns_of(cells, len(every), places), levels_of(cells, parts), normal)
