"""What is known of the sources of a guest, for any host; and of several guests in one file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data.errors import ModelError
from data.store import write_atomically
from ml.descriptors import Describer
from ml.encoder import Encoder
from ml.graphs import GuestSites, HostArrays
from ml.heads import Head, Kernel, linear_head
from ml.linear_system import PairTerm
from ml.pair_prior import PairPrior, class_encoder
from ml.surrogate import Limits, Surrogate, load_encoder
from ml.weights import read_weights

FORMAT = "widomill-transfer-5"


@dataclass(frozen=True)
class SourceModel:
    """What is known of the sources of one guest.

    Attributes:
        sites: types of all sites of the guest, sorted.
        encoders: trained over all sources: the committee, or what describes guests to the process.
        head: what the committee says, or the process.
        limits: bounds and calibration of predictions without labels of the new host.
        pairs: pair potentials of the sources, in common or of departures from the committee; None
            with a single source.
        pairs_first: whether pair potentials, not the head, predict without labels.
    """

    sites: tuple[str, ...]
    encoders: tuple[Encoder, ...]
    head: Head
    limits: Limits
    pairs: PairPrior | None = None
    pairs_first: bool = False

    def for_host(self, host: HostArrays, guest: GuestSites, device: str = "cpu") -> Surrogate:
        """Return what the model says of a host, as a surrogate of it.

        Args:
            host: any host, with features of its atoms where the model has a committee; elements
                that no source has count as an average atom.
            guest: the guest, with site types the model knows.
            device: torch device to predict on.

        Raises:
            ModelError: the guest's site types are not those of the model, or nothing is known
                of the surroundings of the host's atoms.
        """
        if guest.sites != self.sites:
            raise _unknown_guest(guest, [self])
        encoders, head = self.encoders, self.head
        if encoders[0].settings.features and host.features is None:
            raise ModelError(
                "The model needs to be told of the surroundings of the host's atoms, and the "
                "potential that tells of them does not know an element of this host. Leave out "
                "--model."
            )
        if self.pairs is not None and self.pairs_first:
            encoders = (class_encoder(host, guest),)
            head = _pair_head(self.pairs, Describer(encoders, host, guest))
        return Surrogate(host, guest, self.limits, encoders, head, device)

    def content(self) -> dict[str, Any]:
        """Return everything as tensors and plain values."""
        spec = {
            "sites": list(self.sites),
            "encoders": [e.specification() for e in self.encoders],
            "kernel": self.head.kernel.__dict__,
            "limits": self.limits.__dict__,
            "pairs_first": self.pairs_first,
        }
        return {
            "specification": json.dumps(spec, sort_keys=True),
            "encoders": [dict(e.state_dict()) for e in self.encoders],
            "centres": [list(part) for part in self.head.centres],
            "weights": self.head.weights,
            "root": self.head.root,
            "linear": None if self.head.pairs is None else vars(self.head.pairs),
            "pairs": None if self.pairs is None else self.pairs.content(),
        }

    @property
    def pairs_are_departures(self) -> bool:
        """Whether pair potentials tell how hosts depart from the head, not from the baseline."""
        return self.head.pairs is not None

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> SourceModel:
        """Return what ``content`` was made from."""
        spec = json.loads(content["specification"])
        encoders = tuple(
            load_encoder(s, state)
            for s, state in zip(spec["encoders"], content["encoders"], strict=True)
        )
        kernel = Kernel(**{k: tuple(v) for k, v in spec["kernel"].items()})
        centres = tuple(tuple(part) for part in content["centres"])
        linear, known = content["linear"], content["pairs"]
        term = None if linear is None else PairTerm(**linear)
        head = Head(kernel, centres, content["weights"], content["root"], term)
        pairs = None if known is None else PairPrior.from_content(known)
        limits = Limits(**spec["limits"])
        return cls(tuple(spec["sites"]), encoders, head, limits, pairs, spec["pairs_first"])


@dataclass(frozen=True)
class SourceModels:
    """Models of several guests, trained together: one for each."""

    models: tuple[SourceModel, ...]

    def of(self, guest: GuestSites) -> SourceModel:
        """Return the model of a guest.

        Raises:
            ModelError: there is none.
        """
        for model in self.models:
            if model.sites == guest.sites:
                return model
        raise _unknown_guest(guest, self.models)

    def save(self, path: Path) -> None:
        """Write to one file, atomically, without pickled code, and with the same bytes always."""
        content = {"format": FORMAT, "models": [model.content() for model in self.models]}
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomically(path, lambda temporary: _write(temporary, buffer.getvalue()))

    @classmethod
    def load(cls, path: Path) -> SourceModels:
        """Read models.

        Raises:
            ModelError: the file is missing, damaged or of another format.
        """
        try:
            content = read_weights(path)
            if content.get("format") != FORMAT:
                raise ValueError(f"its format is {content.get('format')}, expected {FORMAT}")
            return cls(tuple(SourceModel.from_content(part) for part in content["models"]))
        except Exception as error:  # torch raises half a dozen kinds on damaged files
            raise ModelError(
                f"{path} cannot be read as a model: {error}. Train it again."
            ) from error


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _unknown_guest(guest: GuestSites, models: Sequence[SourceModel]) -> ModelError:
    known = ", ".join(" ".join(model.sites) for model in models)
    return ModelError(
        f"The model was trained for guest sites {known}; this guest has "
        f"{' '.join(guest.sites)}. Train a model for this guest."
    )


def _pair_head(pairs: PairPrior, describer: Describer) -> Head:
    """Return pair potentials as a head whose kernels count for nothing."""
    blocks = describer.describe(*(torch.zeros(1, n, dtype=torch.float64) for n in (3, 4)))
    return linear_head(pairs.term(describer), blocks, pairs.noise)
