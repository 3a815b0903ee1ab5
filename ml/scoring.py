"""Fast predictions from tabulated fields: what `Head.predict` gives, to a stated tolerance.

Per insertion: one spline look-up a site, the hidden layers of the site networks, and the
kernel with the inducing points. All of it is single precision but the sum over inducing
points that gives the mean, whose large weights of either sign cancel. The same operations run
on a CPU and on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ml.descriptors import Describer
from ml.fields import Fields
from ml.graphs import place_sites
from ml.heads import Head
from ml.linear_system import LEARNED, SUMS
from ml.products import FixedMatrix

CHUNK = 2048
CHUNK_ON_GPU = 65_536


@dataclass(frozen=True)
class _Network:
    """The site networks of one type, all members at once.

    Attributes:
        radial: (p, d) map from field values to radial descriptors.
        into: (p, members * hidden) map into the hidden layers, with their biases.
        between: (members, hidden, hidden) map into second hidden layers and (members, 1, hidden)
            bias, or None.
        out: (members, hidden, descriptors) scaled maps out of the hidden layers.
        silent: (members * descriptors,) what the networks give for one site out of reach.
    """

    radial: FixedMatrix
    into: FixedMatrix
    between: tuple[Tensor, Tensor] | None
    out: Tensor
    silent: Tensor

    @classmethod
    def build(cls, describer: Describer, fields: Fields, kind: int) -> _Network:
        """Collect the networks of one site type."""
        encoders = describer.encoders
        bias = torch.cat([encoder.first_bias(kind) for encoder in encoders])
        scales = describer.learned_scale(kind).chunk(len(encoders))
        out = torch.stack(
            [(e.last_weight(kind) / s[:, None]).T for e, s in zip(encoders, scales, strict=True)]
        )
        radial, into = fields.read_outs[kind].split(
            [len(describer.radial_scale(kind)), len(bias)], 1
        )
        layers = [layer for encoder in encoders if (layer := encoder.between(kind)) is not None]
        between = None
        if layers:
            between = (
                torch.stack([weight.T for weight, _ in layers]),
                torch.stack([shift[None] for _, shift in layers]),
            )
        hidden = torch.nn.functional.silu(bias).reshape(len(encoders), 1, -1)
        silent = torch.bmm(_second(hidden, between), out).flatten()
        return cls(FixedMatrix(radial), FixedMatrix(into, bias), between, out, silent)

    def __call__(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return (m * b, d) radial descriptors and (b, d') learned ones summed over m sites.

        Args:
            values: (m, b, p) field values.
        """
        sites, count, width = values.shape
        flat = values.reshape(sites * count, width)
        hidden = torch.nn.functional.silu(self.into(flat), inplace=True)
        if self.between is not None:
            members = hidden.reshape(sites * count, len(self.out), -1).transpose(0, 1)
            hidden = _second(members, self.between).transpose(0, 1).flatten(1)
        summed = _total(hidden, sites).reshape(count, len(self.out), -1)
        learned = torch.bmm(summed.transpose(0, 1), self.out).transpose(0, 1)
        return self.radial(flat), learned.reshape(count, -1) - sites * self.silent


def _second(hidden: Tensor, between: tuple[Tensor, Tensor] | None) -> Tensor:
    """Return the second hidden layers of (members, n, hidden) first ones; those where none are."""
    if between is None:
        return hidden
    return torch.nn.functional.silu(torch.baddbmm(between[1], hidden, between[0]))


def _total(values: Tensor, sites: int) -> Tensor:
    """Sum (m * b, n) values over m sites."""
    return values if sites == 1 else values.reshape(sites, len(values) // sites, -1).sum(dim=0)


@dataclass(frozen=True)
class _Bells:
    """The kernel with the inducing points of one component and one site type.

    Attributes:
        columns: where its features go.
        table: (d + 2, r) map from (v, -|v|^2 / 2 l^2, 1) to exponents.
        at_zero: (r,) kernel of the inducing points with the origin.
        scale: -1 / 2 l^2.
        variance: squared amplitude, (kJ/mol)^2.
    """

    columns: slice
    table: FixedMatrix
    at_zero: Tensor
    scale: float
    variance: float

    @classmethod
    def build(cls, centres: Tensor, length: float, amplitude: float, start: int) -> _Bells:
        """Prepare the kernel with (r, d) inducing points."""
        scale = -0.5 / length**2
        exponent = scale * (centres * centres).sum(dim=1)
        ones = torch.ones_like(exponent)
        table = torch.cat([centres.T / length**2, ones[None], exponent[None]])
        columns = slice(start, start + len(centres))
        return cls(columns, FixedMatrix(table), torch.exp(exponent).float(), scale, amplitude**2)

    def __call__(self, values: Tensor, sites: int, features: Tensor) -> Tensor:
        """Fill the features, summed over sites, and return the (b,) prior variance.

        Args:
            values: (m * b, d) descriptors of m sites.
            sites: m.
            features: (b, all features) to fill this kernel's columns of.
        """
        at_zero = torch.linalg.vector_norm(values, dim=1).square_().mul_(self.scale)
        inputs = torch.cat([values, at_zero[:, None], torch.ones_like(at_zero)[:, None]], dim=1)
        kernel = self.table(inputs).exp_().addr_(torch.exp(at_zero), self.at_zero, alpha=-1.0)
        features[:, self.columns] = _total(kernel, sites)
        return self.variance * self._prior(values, at_zero.double(), sites)

    def _prior(self, values: Tensor, at_zero: Tensor, sites: int) -> Tensor:
        alone = at_zero.reshape(sites, -1)
        total = sites - torch.exp(2.0 * alone).sum(dim=0)
        places = values.reshape(sites, len(total), -1)
        for one in range(sites):
            for other in range(one):
                gap = torch.linalg.vector_norm(places[one] - places[other], dim=1).double()
                both = torch.exp(alone[one] + alone[other])
                total += 2.0 * (torch.exp(self.scale * gap.square_()) - both)
        return total


class Scorer:
    """Posterior mean and standard deviation of the correction, from tabulated fields.

    Args:
        fields: tabulated fields.
        describer: the describer that the fields were built from.
        head: fitted head.
    """

    def __init__(self, fields: Fields, describer: Describer, head: Head) -> None:
        """Rearrange networks and head for fast evaluation."""
        kinds = range(len(describer.groups))
        self.fields = fields
        self.lattice = describer.lattice
        self.counts = [len(group) for group in describer.groups]
        self.body = describer.body[torch.cat(describer.groups)]
        self.networks = [_Network.build(describer, fields, kind) for kind in kinds]
        self.bells: list[list[_Bells]] = []
        start = 0
        for part, length, amplitude in zip(
            head.centres, head.kernel.lengths, head.kernel.amplitudes, strict=True
        ):
            self.bells.append([])
            for points in part:
                self.bells[-1].append(_Bells.build(points, length, amplitude, start))
                start += len(points)
        self.pairs = None if head.pairs is None else FixedMatrix(head.pairs.root)
        self.linear_in = SUMS if head.pairs is None else head.pairs.block
        self.kernel_features = start
        self.weights = head.weights
        self.root = FixedMatrix(head.root)
        self.chunk = CHUNK_ON_GPU if self.lattice.is_cuda else CHUNK

    @torch.no_grad()
    def predict(self, fractional: Tensor, quaternions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior mean and standard deviation (b,), kJ/mol.

        Args:
            fractional: (b, 3) float64 fractional positions of the body origin.
            quaternions: (b, 4) float64 unit quaternions (w, x, y, z).
        """
        count = len(fractional)
        mean, spread = torch.empty_like(fractional[:, 0]), torch.empty_like(fractional[:, 0])
        shape = (min(count, self.chunk), len(self.weights))
        features = self.fields.coefficients.new_empty(shape)
        precise = self.weights.new_empty(shape)
        for start in range(0, count, self.chunk):
            part = slice(start, min(start + self.chunk, count))
            filled = features[: part.stop - part.start]
            prior = self._fill(fractional[part], quaternions[part], filled)
            explained = self.root.squared_norms(filled)
            spread[part] = (prior - explained).clamp_(min=0.0).sqrt_()
            torch.mv(precise[: len(filled)].copy_(filled), self.weights, out=mean[part])
        return mean, spread

    def _fill(self, fractional: Tensor, quaternions: Tensor, features: Tensor) -> Tensor:
        """Fill the (b, r) features of insertions and return their (b,) prior variance."""
        positions, _ = place_sites(self.lattice, self.body, fractional, quaternions)
        places = positions.transpose(0, 1).reshape(-1, 3)
        values = self.fields.at(places).reshape(len(self.body), len(features), -1)
        prior = torch.zeros_like(fractional[:, 0])
        sums, learned = [], []
        for kind, part in enumerate(values.split(self.counts)):
            near, deep = self.networks[kind](part)
            prior += self.bells[0][kind](near, len(part), features)
            sums.append(_total(near, len(part)))
            learned.append(deep)
        joined = {SUMS: _join(sums), LEARNED: _join(learned)}
        for block, values_of_block in joined.items():
            prior += self.bells[block][0](values_of_block, 1, features)
        if self.pairs is not None:
            linear = self.pairs(joined[self.linear_in])
            features[:, self.kernel_features :] = linear
            prior += torch.linalg.vector_norm(linear, dim=1).double().square_()
        return prior


def _join(parts: Sequence[Tensor]) -> Tensor:
    """Join (b, d) parts of all site types into one descriptor."""
    return torch.cat(tuple(parts), dim=1) / len(parts) ** 0.5
