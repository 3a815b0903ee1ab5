"""The surrogate: baseline plus learned correction, with an uncertainty."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data.store import write_atomically
from ml.descriptors import Block, Describer
from ml.devices import default_device
from ml.encoder import Encoder, encoder_from_specification
from ml.fields import Fields, build_fields
from ml.graphs import GuestSites, HostArrays
from ml.heads import Head, Kernel
from ml.linear_system import PairTerm
from ml.scoring import Scorer
from ml.weights import read_weights, save_weights

FORMAT = "widomill-surrogate-2"
CHUNK = 512
CHUNK_ON_GPU = 65_536
PRIOR_SD_KJ_PER_MOL = 6.0
SKIP_ABOVE_KJ_PER_MOL = 60.0
LARGEST_SD_KJ_PER_MOL = 15.0
SMALLEST_SD_KJ_PER_MOL = 0.05


@dataclass(frozen=True)
class Limits:
    """Bounds that keep extrapolation from owning the sum.

    Attributes:
        lowest_kj_per_mol: predictions are clipped from below here.
        skip_above_kj_per_mol: baseline energy from which on no correction is evaluated.
        prior_sd_kj_per_mol: standard deviation where no correction is evaluated.
        noise_kj_per_mol: standard deviation that no prediction undercuts.
        calibration: factor on every standard deviation of the head.
    """

    lowest_kj_per_mol: float = -math.inf
    skip_above_kj_per_mol: float = SKIP_ABOVE_KJ_PER_MOL
    prior_sd_kj_per_mol: float = PRIOR_SD_KJ_PER_MOL
    noise_kj_per_mol: float = SMALLEST_SD_KJ_PER_MOL
    calibration: float = 1.0

    def stretched(self, spread: np.ndarray) -> np.ndarray:
        """Return the standard deviations stated for those of the head, kJ/mol."""
        stated = self.calibration * np.hypot(spread, self.noise_kj_per_mol)
        return np.asarray(np.clip(stated, SMALLEST_SD_KJ_PER_MOL, LARGEST_SD_KJ_PER_MOL))


class Surrogate:
    """Predicts reference energies of insertions of one guest in one host.

    Args:
        host: the host.
        guest: the guest's sites.
        limits: clipping bounds and calibration.
        encoders: pretrained encoders; empty for the prior.
        head: fitted head; None for the prior (baseline energies, constant uncertainty).
        device: torch device to predict on.
        fields: tabulated fields of the encoders and the host; without them every prediction
            is worked out from the host atoms.
        prior: what labels in other hosts taught, as a surrogate of this host; its correction
            is the prior mean that the head's adds to.
    """

    def __init__(
        self,
        host: HostArrays,
        guest: GuestSites,
        limits: Limits,
        encoders: tuple[Encoder, ...] = (),
        head: Head | None = None,
        device: str = "cpu",
        fields: Fields | None = None,
        prior: Surrogate | None = None,
    ) -> None:
        """Prepare what turns insertions into descriptors when there is a head to feed."""
        self.host = host
        self.guest = guest
        self.limits = limits
        self.encoders = encoders
        self.device = device
        self.head = None if head is None else head.to(device)
        self.fields = None if fields is None else fields.to(device)
        self.prior = None if prior is None else prior.to(device)
        self.describer = None if head is None else Describer(encoders, host, guest, device)

    @cached_property
    def _scorer(self) -> Scorer | None:
        if self.head is None or self.describer is None or self.fields is None:
            return None
        return Scorer(self.fields, self.describer, self.head)

    def predict(
        self,
        fractional: np.ndarray,
        quaternions: np.ndarray,
        baseline_kj_per_mol: np.ndarray,
        *,
        exact: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Predict reference energies.

        Args:
            fractional: (b, 3) fractional positions of the body origin.
            quaternions: (b, 4) unit quaternions (w, x, y, z).
            baseline_kj_per_mol: (b,) baseline energies; +inf where atoms overlap.
            exact: do not use tabulated fields; slower, and smooth enough to be differentiated.

        Returns:
            (b,) mean and (b,) standard deviation, kJ/mol.
        """
        limits = self.limits
        mean = np.array(baseline_kj_per_mol, dtype=float)
        sd = np.full(len(mean), limits.prior_sd_kj_per_mol)
        if self.head is None:
            return mean, sd
        rows = np.flatnonzero(mean < limits.skip_above_kj_per_mol)
        correction, spread = self._correct(fractional[rows], quaternions[rows], exact)
        mean[rows] += correction
        sd[rows] = limits.stretched(spread)
        return np.maximum(mean, limits.lowest_kj_per_mol), sd

    def _correct(
        self, fractional: np.ndarray, quaternions: np.ndarray, exact: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the correction, prior mean included, kJ/mol."""
        mean, spread = self._own_correction(fractional, quaternions, exact)
        if self.prior is not None:
            mean = mean + self.prior._correct(fractional, quaternions, exact)[0]
        return mean, spread

    def _own_correction(
        self, fractional: np.ndarray, quaternions: np.ndarray, exact: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        if self._scorer is not None and not exact:
            found = self._scorer.predict(self._tensor(fractional), self._tensor(quaternions))
            return found[0].cpu().numpy(), found[1].cpu().numpy()
        mean, spread = np.zeros(len(fractional)), np.zeros(len(fractional))
        if self.head is None:
            return mean, spread
        chunk = CHUNK if torch.device(self.device).type == "cpu" else CHUNK_ON_GPU
        for start in range(0, len(fractional), chunk):
            part = slice(start, start + chunk)
            one, other = self.head.predict(self.describe(fractional[part], quaternions[part]))
            mean[part], spread[part] = one.cpu().numpy(), other.cpu().numpy()
        return mean, spread

    def correction_and_gradient(
        self, fractional: np.ndarray, quaternions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the learned correction with its force and torque on the guest.

        Neither the clip from below nor the skipping of high baselines is applied.

        Args:
            fractional: (b, 3) fractional positions of the body origin.
            quaternions: (b, 4) unit quaternions (w, x, y, z).

        Returns:
            (b,) correction in kJ/mol, (b, 3) force in kJ/mol/angstrom and (b, 3) torque
            about the body origin in the space frame, kJ/mol.
        """
        count = len(fractional)
        energy, force, torque = np.zeros(count), np.zeros((count, 3)), np.zeros((count, 3))
        if self.head is None or self.describer is None:
            return energy, force, torque
        for start in range(0, count, CHUNK):
            part = slice(start, start + CHUNK)
            blocks = self.describer.describe_with_slopes(
                self._tensor(fractional[part]), self._tensor(quaternions[part])
            )
            energy[part] = self.head.predict(blocks)[0].cpu().numpy()
            slopes = self.head.slopes(blocks).cpu().numpy()
            force[part], torque[part] = -slopes[:, :3], -slopes[:, 3:]
        if self.prior is not None:
            known = self.prior.correction_and_gradient(fractional, quaternions)
            return energy + known[0], force + known[1], torque + known[2]
        return energy, force, torque

    def describe(self, fractional: np.ndarray, quaternions: np.ndarray) -> tuple[Block, ...]:
        """Return the descriptor blocks of insertions; empty for the prior."""
        if self.describer is None:
            return ()
        return self.describer.describe(self._tensor(fractional), self._tensor(quaternions))

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(values, dtype=np.float64), device=self.device)

    def to(self, device: str) -> Surrogate:
        """Return the same surrogate on another device."""
        return self._again(device, self.fields, self.prior)

    def with_fields(self, fields: Fields | None) -> Surrogate:
        """Return the same surrogate, predicting from tabulated fields."""
        return self._again(self.device, fields, self.prior)

    def with_prior(self, prior: Surrogate | None) -> Surrogate:
        """Return the same surrogate with another prior mean."""
        return self._again(self.device, self.fields, prior)

    def _again(self, device: str, fields: Fields | None, prior: Surrogate | None) -> Surrogate:
        return Surrogate(
            self.host, self.guest, self.limits, self.encoders, self.head, device, fields, prior
        )

    def save(
        self, path: str | Path, *, fields_file: str | None = None, prior_file: str | None = None
    ) -> None:
        """Write all but fields and prior to one file, atomically and without pickled code.

        Args:
            path: where to.
            fields_file: name of the file beside it that holds the fields, if there is one.
            prior_file: name of the file beside it that holds the prior, if there is one.
        """
        spec: dict[str, Any] = {
            "format": FORMAT,
            "types": list(self.guest.types),
            "limits": self.limits.__dict__,
            "encoders": [e.specification() for e in self.encoders],
            "kernel": None if self.head is None else self.head.kernel.__dict__,
            "fields": fields_file,
            "prior": prior_file,
        }
        content: dict[str, Any] = {
            "specification": json.dumps(spec),
            "lattice": torch.as_tensor(np.asarray(self.host.lattice_angstrom, dtype=float)),
            "positions": torch.as_tensor(np.asarray(self.host.positions_angstrom, dtype=float)),
            "numbers": torch.as_tensor(np.asarray(self.host.atomic_numbers, dtype=np.int64)),
            "features": None
            if self.host.features is None
            else torch.as_tensor(np.asarray(self.host.features, dtype=np.float32)),
            "body": torch.as_tensor(np.asarray(self.guest.positions_angstrom, dtype=float)),
            "encoders": [
                {k: v.detach().cpu() for k, v in e.state_dict().items()} for e in self.encoders
            ],
        }
        if self.head is not None:
            head = self.head.to("cpu")
            content["centres"] = [list(part) for part in head.centres]
            content["weights"] = head.weights
            content["root"] = head.root
            content["pairs"] = None if head.pairs is None else vars(head.pairs)
        save_atomically(content, path)

    @classmethod
    def load(cls, path: str | Path, device: str | None = None) -> Surrogate:
        """Read a surrogate written by ``save``; fields whose file is gone are built again.

        Args:
            path: the surrogate's file.
            device: torch device to predict on; `default_device` when omitted.
        """
        device = default_device() if device is None else device
        content = read_weights(path)
        spec = json.loads(content["specification"])
        if spec["format"] != FORMAT:
            raise ValueError(f"{path}: expected a file of format {FORMAT}, found {spec['format']}")
        features = content.get("features")
        host = HostArrays(
            content["lattice"].numpy(),
            content["positions"].numpy(),
            content["numbers"].numpy(),
            None if features is None else features.numpy(),
        )
        guest = GuestSites(tuple(spec["types"]), content["body"].numpy())
        encoders = tuple(
            load_encoder(s, state)
            for s, state in zip(spec["encoders"], content["encoders"], strict=True)
        )
        head = None
        if spec["kernel"] is not None:
            kernel = Kernel(**{k: tuple(v) for k, v in spec["kernel"].items()})
            centres = tuple(tuple(part) for part in content["centres"])
            pairs = PairTerm(**content["pairs"]) if content.get("pairs") else None
            head = Head(kernel, centres, content["weights"], content["root"], pairs)
        table = Path(path).with_name(spec["fields"]) if spec["fields"] else None
        prior = spec.get("prior")
        known = cls.load(Path(path).with_name(prior), device) if prior else None
        limits = Limits(**spec["limits"])
        model = cls(host, guest, limits, encoders, head, device, prior=known)
        if table is None or model.describer is None:
            return model
        fields = Fields.load(table) if table.exists() else build_fields(model.describer)
        return model.with_fields(fields)


def prior_surrogate(
    host: HostArrays, guest: GuestSites, prior_sd_kj_per_mol: float = PRIOR_SD_KJ_PER_MOL
) -> Surrogate:
    """Return the surrogate of round one: the baseline, with a constant uncertainty."""
    return Surrogate(host, guest, Limits(prior_sd_kj_per_mol=prior_sd_kj_per_mol))


def load_encoder(specification: dict[str, Any], state: dict[str, Tensor]) -> Encoder:
    """Rebuild one encoder from its specification and weights."""
    encoder = encoder_from_specification(specification)
    encoder.load_state_dict(state)
    return encoder.eval()


def save_encoders(encoders: tuple[Encoder, ...], path: str | Path) -> None:
    """Write pretrained encoders to one file, atomically and without pickled code."""
    content = {
        "specification": json.dumps([e.specification() for e in encoders]),
        "encoders": [{k: v.detach().cpu() for k, v in e.state_dict().items()} for e in encoders],
    }
    save_atomically(content, path)


def load_encoders(path: str | Path) -> tuple[Encoder, ...]:
    """Read encoders written by ``save_encoders``."""
    content = read_weights(path)
    specs = json.loads(content["specification"])
    return tuple(
        load_encoder(spec, state) for spec, state in zip(specs, content["encoders"], strict=True)
    )


def save_atomically(content: dict[str, Any], path: str | Path) -> None:
    """Save tensors and plain values to a temporary file, then rename it."""
    write_atomically(Path(path), lambda temporary: save_weights(content, temporary))
