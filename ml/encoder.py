"""Graph encoder: what a guest site feels of the host, as a short learned vector.

The host graph is embedded once (two rounds of messages on distances). A site at ``r`` then
gathers ``A[k, c] = sum_j g_k(|r - r_j|) e[j, c]`` over host images, a small network per site
type turns ``A`` into a descriptor, and descriptors of a guest's sites add up. The network is
zero where no host atom is in reach. Continuous-filter messages follow Schuett et al. (SchNet,
J. Chem. Phys. 148 (2018) 241722).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.graphs import HOST_CUTOFF_ANGSTROM, HostArrays, RadialBasis, SiteNeighbours, host_edges

MAX_ATOMIC_NUMBER = 118
SMALLEST_SPREAD = 1e-3


@dataclass(frozen=True)
class EncoderSettings:
    """Sizes of the encoder.

    Attributes:
        channels: length of a host-atom embedding as seen by sites.
        hidden: width inside the networks.
        descriptors: length of a site descriptor.
        site_basis: radial basis between sites and host atoms.
        host_basis: radial basis among host atoms.
        features: length of the given features of host atoms that are embedded in place of the
            graph; 0 for the graph.
        deep: whether site networks have a second hidden layer.
    """

    channels: int = 12
    hidden: int = 64
    descriptors: int = 24
    site_basis: RadialBasis = RadialBasis()
    host_basis: RadialBasis = RadialBasis(HOST_CUTOFF_ANGSTROM, 0.8, 12)
    features: int = 0
    deep: bool = False


class HostEmbedding(nn.Module):
    """Embeds every host atom from its element and two shells of neighbours."""

    def __init__(self, settings: EncoderSettings, width: int = 24) -> None:
        """Create the layers."""
        super().__init__()
        self.basis = settings.host_basis
        self.elements = nn.Embedding(MAX_ATOMIC_NUMBER + 1, width)
        self.filters = nn.ModuleList(
            nn.Linear(self.basis.count, width, bias=False) for _ in range(2)
        )
        self.updates = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(2)
        )
        self.out = nn.Linear(width, settings.channels)

    def forward(self, numbers: Tensor, edges: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Return (n, channels) embeddings of the host atoms."""
        receivers, senders, distances = edges
        state = self.elements(numbers)
        radial = self.basis(distances.to(state.dtype))
        for mix, update in zip(self.filters, self.updates, strict=True):
            messages = mix(radial) * state[senders]
            gathered = torch.zeros_like(state).index_add(0, receivers, messages)
            state = state + update(torch.cat([state, gathered], dim=1))
        embedding: Tensor = self.out(state)
        return embedding

    @torch.no_grad()
    def settle_unknown(self, known: tuple[int, ...]) -> None:
        """Give all but the known elements their mean embedding, not a random one."""
        weight = self.elements.weight
        unknown = torch.ones(len(weight), dtype=torch.bool)
        unknown[torch.tensor(known)] = False
        weight[unknown] = weight[torch.tensor(known)].mean(dim=0)


class FeatureEmbedding(nn.Module):
    """Embeds every host atom from given features of its surroundings."""

    def __init__(self, settings: EncoderSettings, width: int = 48) -> None:
        """Create the layers."""
        super().__init__()
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", torch.zeros(settings.features))
        self.register_buffer("spread", torch.ones(settings.features))
        self.layers = nn.Sequential(
            nn.Linear(settings.features, width), nn.SiLU(), nn.Linear(width, settings.channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return (n, channels) embeddings of (n, features)."""
        embedding: Tensor = self.layers((features - self.mean) / self.spread)
        return embedding

    @torch.no_grad()
    def set_scales(self, features: Tensor) -> None:
        """Fix what (n, features) are centred on and divided by."""
        self.mean.copy_(features.mean(dim=0))
        self.spread.copy_(features.std(dim=0, correction=0) + SMALLEST_SPREAD)


class SiteNetwork(nn.Module):
    """One network per site type, with one or two hidden layers, zero at zero input."""

    def __init__(self, inputs: int, types: int, settings: EncoderSettings) -> None:
        """Create the layers for a number of site types."""
        super().__init__()
        hidden, outputs = settings.hidden, settings.descriptors
        self.first = nn.ModuleList(nn.Linear(inputs, hidden) for _ in range(types))
        self.between = nn.ModuleList(
            nn.Linear(hidden, hidden) for _ in range(types if settings.deep else 0)
        )
        self.second = nn.ModuleList(nn.Linear(hidden, outputs, bias=False) for _ in range(types))

    def forward(self, inputs: Tensor, kind: int) -> Tensor:
        """Return (s, descriptors) of (s, inputs) for sites of one type."""
        silent = self._hidden(torch.zeros_like(inputs[:1]), kind)
        descriptors: Tensor = self.second[kind](self._hidden(inputs, kind) - silent)
        return descriptors

    def _hidden(self, inputs: Tensor, kind: int) -> Tensor:
        hidden = nn.functional.silu(self.first[kind](inputs))
        return nn.functional.silu(self.between[kind](hidden)) if self.between else hidden


def radial_moments(
    neighbours: SiteNeighbours, basis: RadialBasis, channels: Tensor, positions: Tensor
) -> Tensor:
    """Gather host channels around sites, resolved by distance.

    Args:
        neighbours: voxel look-up of host images.
        basis: radial basis.
        channels: (n, c) channels of the host atoms.
        positions: (s, 3) float64 site positions, angstrom.

    Returns:
        (s, basis.count, c) moments in the dtype of the channels.
    """
    weights, atoms = site_edges(neighbours, basis, positions, channels.dtype)
    return torch.bmm(weights.transpose(1, 2), channels[atoms])


def site_edges(
    neighbours: SiteNeighbours, basis: RadialBasis, positions: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return basis values (s, c, k) and host atoms (s, c) of every site's edges."""
    wrapped, images = neighbours.lookup(positions.detach())
    shift = (wrapped - positions).detach()
    separation = (positions + shift).unsqueeze(1) - neighbours.images[images]
    squared = (separation * separation).sum(dim=-1).clamp(min=1e-4)
    return basis(torch.sqrt(squared).to(dtype)), neighbours.atoms[images]


class Encoder(nn.Module):
    """Host embedding, site networks and linear read-outs for pretraining.

    Args:
        types: distinct guest site type names.
        kinds: what raw radial moments tell apart, sorted: atomic numbers present in the host, or
            codes of its classes of atoms (`ml.atom_classes`).
        settings: sizes.
        targets: number of energies regressed in pretraining.
    """

    def __init__(
        self,
        types: tuple[str, ...],
        kinds: tuple[int, ...],
        settings: EncoderSettings,
        targets: int = 1,
    ) -> None:
        """Create the layers; parameters come from the current torch generator."""
        super().__init__()
        self.types = types
        self.host_kinds = kinds
        self.settings = settings
        self.host: HostEmbedding | FeatureEmbedding = (
            FeatureEmbedding(settings) if settings.features else HostEmbedding(settings)
        )
        self.inputs = settings.site_basis.count * (settings.channels + len(kinds))
        self.sites = SiteNetwork(self.inputs, len(types), settings)
        self.readout = nn.Linear(settings.descriptors, targets, bias=False)
        radial = settings.site_basis.count * len(kinds)
        self.scale: Tensor
        self.radial_scale: Tensor
        self.descriptor_scale: Tensor
        self.register_buffer("scale", torch.ones(self.inputs))
        self.register_buffer("radial_scale", torch.ones(len(types), radial))
        self.register_buffer("descriptor_scale", torch.ones(len(types), settings.descriptors))

    def host_channels(self, host: HostArrays) -> Tensor:
        """Return (n, channels + kinds): learned embedding beside flags of the kinds."""
        if self.settings.features:
            features = torch.as_tensor(host.known_features).to(self.readout.weight)
            flags = kind_flags(host, self.host_kinds).to(self.readout.weight)
            return torch.cat([self.host(features), flags], dim=1)
        numbers = torch.as_tensor(np.asarray(host.atomic_numbers, dtype=np.int64))
        numbers = numbers.to(self.readout.weight.device)
        receivers, senders, distances = host_edges(host, self.settings.host_basis.cutoff_angstrom)
        device = numbers.device
        edges = (receivers.to(device), senders.to(device), distances.to(device))
        return self.channels(numbers, edges, kind_flags(host, self.host_kinds).to(device))

    def channels(
        self, numbers: Tensor, edges: tuple[Tensor, Tensor, Tensor], flags: Tensor
    ) -> Tensor:
        """Return (n, channels + kinds) of host atoms given their edges and flags."""
        return torch.cat([self.host(numbers, edges), flags], dim=1)

    def describe(self, moments: Tensor, kind: int) -> Tensor:
        """Return (s, descriptors) of (s, k, c) moments for sites of one type."""
        return self.sites(moments.flatten(1) / self.scale, kind)

    def first_weight(self, kind: int) -> Tensor:
        """Return the (hidden, k * c) map from unscaled moments into one type's hidden layer."""
        first = self.sites.first[kind]
        return (first.get_parameter("weight") / self.scale).detach()

    def first_bias(self, kind: int) -> Tensor:
        """Return the (hidden,) bias of one type's hidden layer."""
        return self.sites.first[kind].get_parameter("bias").detach()

    def between(self, kind: int) -> tuple[Tensor, Tensor] | None:
        """Return (hidden, hidden) weight and (hidden,) bias of a second hidden layer, if any."""
        if not self.settings.deep:
            return None
        layer = self.sites.between[kind]
        return layer.get_parameter("weight").detach(), layer.get_parameter("bias").detach()

    def last_weight(self, kind: int) -> Tensor:
        """Return the (descriptors, hidden) map out of one type's hidden layer."""
        return self.sites.second[kind].get_parameter("weight").detach()

    def of_types(self, first: int, names: tuple[str, ...]) -> Encoder:
        """Return the encoder of consecutive site types, under names of their own.

        Args:
            first: the first of them.
            names: what they are to be called.
        """
        part, kept = copy.deepcopy(self), slice(first, first + len(names))
        part.types = names
        part.sites.first = self.sites.first[kept]
        part.sites.between = self.sites.between[kept]
        part.sites.second = self.sites.second[kept]
        part.radial_scale = self.radial_scale[kept].clone()
        part.descriptor_scale = self.descriptor_scale[kept].clone()
        return part

    def specification(self) -> dict[str, Any]:
        """Return what is needed, beside the weights, to build this encoder again."""
        s = self.settings
        return {
            "types": list(self.types),
            "elements": list(self.host_kinds),
            "targets": self.readout.out_features,
            "sizes": [s.channels, s.hidden, s.descriptors],
            "site_basis": list(_basis_numbers(s.site_basis)),
            "host_basis": list(_basis_numbers(s.host_basis)),
            "features": s.features,
            "deep": s.deep,
        }


def encoder_from_specification(spec: dict[str, Any]) -> Encoder:
    """Build an untrained encoder of the given specification."""
    channels, hidden, descriptors = spec["sizes"]
    settings = EncoderSettings(
        channels=channels,
        hidden=hidden,
        descriptors=descriptors,
        site_basis=RadialBasis(*spec["site_basis"]),
        host_basis=RadialBasis(*spec["host_basis"]),
        features=spec.get("features", 0),
        deep=spec.get("deep", False),
    )
    return Encoder(tuple(spec["types"]), tuple(spec["elements"]), settings, spec["targets"])


def kind_flags(host: HostArrays, known: tuple[int, ...]) -> Tensor:
    """Return (n, len(known)) float flags telling each host atom's kind; none for one unknown."""
    kinds = torch.as_tensor(host.kinds(known))
    return (kinds.unsqueeze(1) == torch.tensor(known)).to(torch.float32)


def _basis_numbers(basis: RadialBasis) -> tuple[float, float, int]:
    return basis.cutoff_angstrom, basis.start_angstrom, basis.count
