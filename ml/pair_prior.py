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

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ml.descriptors import Describer
from ml.encoder import Encoder, EncoderSettings
from ml.graphs import GuestSites, HostArrays
from ml.linear_system import PairTerm
from ml.pair_layout import columns_of, membership, parts_of, place_of, spread_over
from ml.training import kinds_of, new_encoder

JITTER = 1e-10


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
        parts = parts_of(present)
        cells = self.own[0].numel()
        known = torch.tensor([place_of(self.parts, part) for part in parts], dtype=torch.long)
        rows = columns_of(cells, len(self.parts), known.clamp(min=0))
        new = (known < 0).repeat(cells)
        broad, own = spread_over(self.broad, parts), spread_over(self.own, parts)
        mean = torch.zeros(len(new), dtype=torch.float64)
        shared = torch.diag(mean)
        if self.parts:
            shared = self.covariance[rows][:, rows]
            shared = torch.where(new.unsqueeze(0) | new.unsqueeze(1), 0.0, shared)
            mean = torch.where(new, 0.0, self.mean[rows])
        shared = shared + torch.diag(torch.where(new, broad**2, 0.0) + own**2)
        sums = torch.block_diag(*[membership(present, parts)] * cells)
        spread = sums @ shared @ sums.T
        jitter = JITTER * torch.diagonal(spread).max() * torch.eye(len(spread), dtype=torch.float64)
        factor = torch.linalg.cholesky(spread + jitter)
        mean = sums @ mean
        columns = torch.tensor([tuple(flagged).index(z) for z in present], dtype=torch.long)
        root = torch.zeros(cells * len(flagged), len(mean), dtype=torch.float64)
        root[columns_of(cells, len(flagged), columns)] = factor
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
