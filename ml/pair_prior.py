"""What pair potentials the corrections of many hosts have in common, and how much hosts differ.

The part of a correction that is a sum over pairs of guest site and host atom is linear in the
radial moments of the sites: ``sum_tkc w[t, k, c] M[t, k, c]`` over types of site, Gaussians of
distance and classes of host atoms (`ml.atom_classes`). The coefficients of class c of element e in
host h are ``w = a_e + b_c + d_eh + g_ch``: what an element has everywhere, what a class adds
everywhere, and deviations of this host from both, all normally distributed with standard deviations
that depend on type and distance (a mixed-effects model; Laird and Ware, Biometrics 38 (1982) 963).
Those, and the noise that stands for what is no sum over pairs, maximise the evidence of the hosts.

For a host never seen this gives a mean and, more to the point, a covariance of its coefficients:
few labels of its own then settle what hosts differ in and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ml.atom_classes import FIRST_CLASS, element_of
from ml.descriptors import Block, Describer
from ml.encoder import Encoder, EncoderSettings
from ml.evidence import KINDS, minimise
from ml.graphs import GuestSites, HostArrays
from ml.linear_system import Observations, PairTerm, normal_equations
from ml.training import kinds_of, new_encoder

START = (2.0, 1.0, 1.5)
"""First guess of the spread of shared coefficients, of deviations, and of the noise."""
SPREAD_PRIOR = 2.0
NOISE_PRIOR = 1.0
STEPS = 40
MOST_TO_TUNE = 16
"""Spreads and noise are those of so many sources at most; coefficients are those of all."""
SMALLEST_SCALE = 1e-3
JITTER = 1e-10
LEVELS = 2


@dataclass(frozen=True)
class PairPrior:
    """Coefficients of the pair potentials: what hosts share and how they differ.

    Attributes:
        parts: (c,) what coefficients belong to: elements and classes of the sources, sorted.
        mean: (t * k * c,) shared coefficients, kJ/mol per unit of a radial moment.
        covariance: (t * k * c, t * k * c) how well the sources tell them.
        own: (2, t, k) standard deviation of a host's own deviation, of elements and of classes.
        broad: (2, t, k) the same of a shared coefficient before any source is seen.
        noise: energies (kJ/mol), forces (kJ/mol/angstrom) and torques (kJ/mol) that are no sum
            over pairs.
    """

    parts: tuple[int, ...]
    mean: Tensor
    covariance: Tensor
    own: Tensor
    broad: Tensor
    noise: tuple[float, float, float]

    def term(self, describer: Describer) -> PairTerm:
        """Return the pair potentials that a host is expected to have.

        Args:
            describer: of the host, with encoders that tell its elements or classes apart.
        """
        flagged = describer.encoders[0].host_kinds
        present = sorted({int(z) for z in describer.host.kinds(flagged)} & set(flagged))
        parts = _parts(present)
        cells = self.own[0].numel()
        known = torch.tensor([_place(self.parts, part) for part in parts], dtype=torch.long)
        rows = _columns(cells, len(self.parts), known.clamp(min=0))
        new = (known < 0).repeat(cells)
        broad, own = _spread(self.broad, parts), _spread(self.own, parts)
        shared = self.covariance[rows][:, rows]
        shared = torch.where(new.unsqueeze(0) | new.unsqueeze(1), 0.0, shared)
        shared = shared + torch.diag(torch.where(new, broad**2, 0.0) + own**2)
        sums = torch.block_diag(*[_membership(present, parts)] * cells)
        spread = sums @ shared @ sums.T
        jitter = JITTER * torch.diagonal(spread).max() * torch.eye(len(spread), dtype=torch.float64)
        factor = torch.linalg.cholesky(spread + jitter)
        mean = sums @ torch.where(new, 0.0, self.mean[rows])
        columns = torch.tensor([tuple(flagged).index(z) for z in present], dtype=torch.long)
        root = torch.zeros(cells * len(flagged), len(mean), dtype=torch.float64)
        root[_columns(cells, len(flagged), columns)] = factor
        weights = torch.linalg.solve_triangular(factor, mean.unsqueeze(1), upper=False)[:, 0]
        scale = moment_scale(describer).cpu()
        device = describer.device
        return PairTerm(weights.to(device), (scale.unsqueeze(1) * root).to(device), self.noise[0])

    def rounded(self) -> PairPrior:
        """Return it as it is stored: the covariance in single precision."""
        return replace(self, covariance=self.covariance.float().double())

    def content(self) -> dict[str, Tensor | list[int] | list[float]]:
        """Return everything as tensors and plain lists; the covariance in single precision."""
        return {
            "parts": list(self.parts),
            "mean": self.mean,
            "covariance": self.covariance.float(),
            "own": self.own,
            "broad": self.broad,
            "noise": list(self.noise),
        }

    @classmethod
    def from_content(cls, content: dict[str, Tensor | list[int] | list[float]]) -> PairPrior:
        """Return what ``content`` was made from."""
        given = {
            key: tuple(value) if isinstance(value, list) else value.double()
            for key, value in content.items()
        }
        return cls(**given)  # type: ignore[arg-type]


def class_encoder(host: HostArrays, guest: GuestSites) -> Encoder:
    """Return an encoder, not trained, whose raw moments tell the classes of a host apart."""
    kinds = kinds_of((host,), by_class=True)
    return new_encoder(kinds, guest, EncoderSettings(), 1, seed=0).eval()


def moment_scale(describer: Describer) -> Tensor:
    """Return the (d,) radial moments that one unit of each value of the second block stands for."""
    kinds = range(len(describer.groups))
    scales = [describer.radial_scale(kind) for kind in kinds]
    return torch.cat(scales).double() * len(scales) ** 0.5


def _parts(kinds: Sequence[int]) -> list[int]:
    """Return what the coefficients of kinds of atoms are sums of: elements, then classes."""
    elements = sorted({element_of(kind) for kind in kinds})
    return [*elements, *(kind for kind in kinds if kind >= FIRST_CLASS)]


def _place(parts: Sequence[int], part: int) -> int:
    return parts.index(part) if part in parts else -1


def _membership(kinds: Sequence[int], parts: Sequence[int]) -> Tensor:
    """Return the (kinds, parts) matrix that tells which parts a kind's coefficient sums up."""
    rows = [[float(part in (kind, element_of(kind))) for part in parts] for kind in kinds]
    return torch.tensor(rows, dtype=torch.float64)


def _columns(cells: int, width: int, places: Tensor) -> Tensor:
    """Return the indices of places in a (cells, width) array laid out in one row."""
    return (torch.arange(cells).unsqueeze(1) * width + places).flatten()


def _levels(cells: int, parts: Sequence[int]) -> Tensor:
    """Return where the spread of each of (t * k * c,) coefficients lies among (2 * t * k,)."""
    level = torch.tensor([int(part >= FIRST_CLASS) for part in parts], dtype=torch.long)
    return _columns(cells, 1, cells * level)


def _spread(spreads: Tensor, parts: Sequence[int]) -> Tensor:
    """Return the (t * k * c,) standard deviations of parts from those of (2, t, k) levels."""
    return spreads.flatten()[_levels(spreads.numel() // LEVELS, parts)]


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
        parts = sorted({part for source in sources for part in _parts(source.kinds)})
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
        unit = _spread(self.unit, self.parts)
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
        unit = _spread(self.unit, self.parts)
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
            rows = _rows(source, self.unit[0].flatten(), _parts(source.kinds))
            variance = ((rows @ spread) * rows).sum(dim=1)
            yield rows @ mean, variance.clamp(min=0.0).sqrt()

    def _some(self) -> PairLessons:
        """Return the lessons of evenly chosen sources, no more than there is time to tune on."""
        count = len(self.sources)
        most = min(count, MOST_TO_TUNE)
        chosen = [k * count // most for k in range(most)]
        sources = tuple(self.sources[k] for k in chosen)
        parts = sorted({part for source in sources for part in _parts(source.kinds)})
        width, cells = len(self.parts), self.unit[0].numel()
        here = _columns(cells, width, torch.tensor([self.parts.index(part) for part in parts]))
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
        broad = _spread(torch.exp(theta[:size]), self.parts)
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
    return (values @ _membership(source.kinds, parts)).flatten(1)


def _equations(
    source: PairMoments, observed: Observations, unit: Tensor, every: Sequence[int]
) -> _Equations:
    parts = _parts(source.kinds)
    slopes = source.slopes / unit.unsqueeze(1) @ _membership(source.kinds, parts)
    normal = normal_equations(_rows(source, unit, parts), slopes.flatten(2), observed)
    places = torch.tensor([list(every).index(part) for part in parts])
    cells = len(unit)
    return _Equations(_columns(cells, len(every), places), _levels(cells, parts), normal)
