"""From insertions to the three descriptor blocks that the Bayesian head reads.

Block one holds, per guest site, radial moments of the host by element, or by class of atoms
(`ml.atom_classes`); block two their sums over the sites of each type; block three, per insertion,
learned descriptors summed over the sites of each type and concatenated over the encoders of the
ensemble. The first can express corrections that add up over sites, the others what depends on
the whole guest. All vanish where no host atom is in reach.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ml.encoder import Encoder, radial_moments
from ml.graphs import GuestSites, HostArrays, SiteNeighbours, place_sites


@dataclass(frozen=True)
class Block:
    """Descriptors of one kind for a set of insertions.

    Attributes:
        values: per site type, (b, m_t, d) float64 descriptors of its m_t sites.
        slopes: per site type, (b, m_t, 6, d) derivatives with respect to a shift along and a
            rotation about the three axes (through the body origin), or None.
    """

    values: tuple[Tensor, ...]
    slopes: tuple[Tensor, ...] | None = None

    @property
    def known_slopes(self) -> tuple[Tensor, ...]:
        """The slopes, where they must be known."""
        if self.slopes is None:
            raise ValueError("the block carries no slopes")
        return self.slopes

    def rows(self, index: Tensor) -> Block:
        """Return the block of a subset of insertions."""
        slopes = None if self.slopes is None else tuple(s[index] for s in self.slopes)
        return Block(tuple(v[index] for v in self.values), slopes)


class Describer:
    """Turns insertions of one guest in one host into descriptor blocks.

    Args:
        encoders: pretrained encoders of the ensemble.
        host: the host, embedded here once.
        guest: the guest's sites.
        device: torch device.
    """

    def __init__(
        self,
        encoders: tuple[Encoder, ...],
        host: HostArrays,
        guest: GuestSites,
        device: str = "cpu",
    ) -> None:
        """Take copies of the encoders; the host is embedded when first needed."""
        self.device = torch.device(device)
        self.host = host
        self.encoders = tuple(copy.deepcopy(e).to(self.device).eval() for e in encoders)
        settings = encoders[0].settings
        self.basis = settings.site_basis
        self.kinds = len(encoders[0].host_kinds)
        self.width = settings.channels + self.kinds
        lattice = np.asarray(host.lattice_angstrom, dtype=np.float64)
        self.lattice = torch.as_tensor(lattice).to(self.device)
        self.body = torch.as_tensor(guest.positions_angstrom, dtype=torch.float64).to(self.device)
        index = guest.type_index
        self.groups = tuple(
            torch.as_tensor(np.flatnonzero(index == k)).to(self.device)
            for k in range(len(guest.type_names))
        )

    @cached_property
    def neighbours(self) -> SiteNeighbours:
        """Which host images a site can feel."""
        return SiteNeighbours.build(self.host, self.basis.cutoff_angstrom).to(self.device)

    @cached_property
    def channels(self) -> Tensor:
        """(n, members * width) channels of the host atoms.

        They are worked out on the CPU, where sums over edges have a fixed order.
        """
        with torch.no_grad():
            members = [copy.deepcopy(encoder).cpu() for encoder in self.encoders]
            channels = torch.cat([e.host_channels(self.host) for e in members], dim=1)
        return channels.to(self.device)

    def _prepare(self) -> None:
        """Embed the host now: under a derivative it could not be."""
        _ = self.neighbours, self.channels

    def describe(self, fractional: Tensor, quaternions: Tensor) -> tuple[Block, ...]:
        """Return the three blocks of (b,) insertions, without slopes."""
        positions, _ = place_sites(self.lattice, self.body, fractional, quaternions)
        radial, learned = [], []
        with torch.no_grad():
            for kind, group in enumerate(self.groups):
                sites = positions[:, group]
                shape = (len(sites), len(group), -1)
                near, deep = self._site(sites.reshape(-1, 3), kind)
                radial.append(near.double().reshape(shape))
                learned.append(deep.double().reshape(shape).sum(dim=1))
        sums = [values.sum(dim=1) for values in radial]
        return Block(tuple(radial)), Block((_join(sums),)), Block((_join(learned),))

    def describe_with_slopes(self, fractional: Tensor, quaternions: Tensor) -> tuple[Block, ...]:
        """Return the three blocks with their slopes along the six rigid-body directions."""
        self._prepare()
        positions, arms = place_sites(self.lattice, self.body, fractional, quaternions)
        radial, radial_slopes, learned, learned_slopes = [], [], [], []
        for kind, group in enumerate(self.groups):
            sites = positions[:, group]
            shape = (len(sites), len(group), -1)
            (near, deep), slopes = self._site_jacobian(sites.reshape(-1, 3), kind)
            moves = rigid_moves(arms[:, group])
            near_slopes, deep_slopes = (
                torch.einsum("bmkx,xbmd->bmkd", moves, s.double().reshape(3, *shape))
                for s in slopes
            )
            radial.append(near.double().reshape(shape))
            radial_slopes.append(near_slopes)
            learned.append(deep.double().reshape(shape).sum(dim=1))
            learned_slopes.append(deep_slopes.sum(dim=1))
        sums = _join([values.sum(dim=1) for values in radial])
        sum_slopes = _join([slopes.sum(dim=1) for slopes in radial_slopes])
        return (
            Block(tuple(radial), tuple(radial_slopes)),
            Block((sums,), (sum_slopes,)),
            Block((_join(learned),), (_join(learned_slopes),)),
        )

    def _site(self, positions: Tensor, kind: int) -> tuple[Tensor, Tensor]:
        """Return scaled radial moments (s, d) and learned descriptors (s, d') of sites."""
        moments = radial_moments(self.neighbours, self.basis, self.channels, positions)
        flags = moments[:, :, self.width - self.kinds : self.width].flatten(1)
        deep = []
        for member, encoder in enumerate(self.encoders):
            part = moments[:, :, member * self.width : (member + 1) * self.width]
            deep.append(encoder.describe(part, kind))
        return flags / self.radial_scale(kind), torch.cat(deep, dim=1) / self.learned_scale(kind)

    def radial_scale(self, kind: int) -> Tensor:
        """Return the (d,) divisors of the radial moments of one site type."""
        scale = self.encoders[0].radial_scale[kind]
        return scale * len(scale) ** 0.5

    def learned_scale(self, kind: int) -> Tensor:
        """Return the (d',) divisors of the learned descriptors of one site type."""
        scale = torch.cat([encoder.descriptor_scale[kind] for encoder in self.encoders])
        return scale * len(scale) ** 0.5

    def _site_jacobian(
        self, positions: Tensor, kind: int
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return ``_site`` and its derivatives (3, s, d) along x, y and z."""

        def at(place: Tensor) -> tuple[Tensor, Tensor]:
            return self._site(place, kind)

        slopes = []
        for axis in range(3):
            tangent = torch.zeros_like(positions)
            tangent[:, axis] = 1.0
            slopes.append(torch.func.jvp(at, (positions,), (tangent,))[1])
        near = torch.stack([s[0].detach() for s in slopes])
        deep = torch.stack([s[1].detach() for s in slopes])
        with torch.no_grad():
            return at(positions), (near, deep)


def _join(parts: list[Tensor]) -> Tensor:
    """Join (b, ..., d) parts of all site types into one (b, 1, ..., d') descriptor."""
    return torch.cat(parts, dim=-1).unsqueeze(1) / len(parts) ** 0.5


def rigid_moves(arms: Tensor) -> Tensor:
    """Return (b, m, 6, 3) site velocities under unit shifts and rotations of the guest.

    Args:
        arms: (b, m, 3) positions relative to the body origin.
    """
    unit = torch.eye(3, dtype=arms.dtype, device=arms.device)
    shifts = unit.expand(*arms.shape[:2], 3, 3)
    turns = torch.cross(shifts, arms.unsqueeze(2).expand_as(shifts), dim=-1)
    return torch.cat([shifts, turns], dim=2)
