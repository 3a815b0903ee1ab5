"""What reference labels in some hosts say of another, before that one has labels of its own.

Two kinds of knowledge:

- pair potentials that hosts have in common, with how much hosts differ (`ml.pair_prior`): a mean
  and a covariance that a new host's own labels narrow down. It takes two sources at least;
- a Gaussian process on the descriptors of encoders trained over all source hosts
  (`ml.many_hosts`), conditioned on the corrections of all sources, with a short kernel: it says
  something where the surroundings of a guest resemble those in a source, and fades to "no
  correction, large uncertainty" elsewhere. A single source has the kernel that is its own best.

Before the first label speaks whichever predicts each source better from the others; from then on
labels held out in turn choose (`ml.fitting`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import ModelError
from data.store import write_atomically
from ml.calibration import boltzmann_relevance, calibration_factor
from ml.descriptors import Block, Describer
from ml.encoder import Encoder
from ml.evidence import fit_kernel
from ml.fitting import CLIP_BELOW_KT
from ml.graphs import GuestSites, HostArrays
from ml.heads import NEGLIGIBLE_KJ_PER_MOL, Head, Kernel, fit_head
from ml.linear_system import SUMS, Observations
from ml.many_hosts import Lesson, train_encoders
from ml.observing import describe_labels, observations, relevant_rows
from ml.pair_prior import PairLessons, PairMoments, PairPrior, class_encoder
from ml.surrogate import PRIOR_SD_KJ_PER_MOL, Limits, Surrogate, load_encoder
from ml.training import LabelSet
from ml.weights import read_weights

FORMAT = "widomill-transfer-3"
LENGTHS = (0.8, 1.2, 1.8)
AMPLITUDE_KJ_PER_MOL = 8.0
NOISE = (0.5, 2.0, 2.0)
ONE_SOURCE_CALIBRATION = 2.0
MEMBERS = 2
STEPS_PER_HOST = 40
FEWEST_STEPS = 300
LARGEST_BASELINE_KJ_PER_MOL = 100.0
MOST_FOR_HEAD = 1200
"""Labels of all sources that the process on descriptors learns from; pair potentials take all."""
MOST_FOLDS = 8


@dataclass(frozen=True)
class Source:
    """A host with free baseline energies and reference labels.

    Attributes:
        lesson: host and baseline energies.
        labels: reference labels.
    """

    lesson: Lesson
    labels: LabelSet


@dataclass(frozen=True)
class HeldOut:
    """How one source is predicted from the others, Boltzmann-relevant rms, kJ/mol.

    Attributes:
        raw_kj_per_mol: reference minus baseline.
        error_kj_per_mol: reference minus prediction; NaN with a single source.
        labels: usable labels.
    """

    raw_kj_per_mol: float
    error_kj_per_mol: float
    labels: int


@dataclass(frozen=True)
class SourceModel:
    """What is known of the sources.

    Attributes:
        encoders: trained over all sources.
        head: conditioned on the corrections of all sources.
        limits: bounds and calibration of predictions without labels of the new host.
        pairs: pair potentials of the sources; None with a single source.
        pairs_first: whether pair potentials, not the head, predict without labels.
    """

    encoders: tuple[Encoder, ...]
    head: Head
    limits: Limits
    pairs: PairPrior | None = None
    pairs_first: bool = False

    def for_host(self, host: HostArrays, guest: GuestSites, device: str = "cpu") -> Surrogate:
        """Return what the model says of a host, as a surrogate of it.

        Args:
            host: any host; elements that no source has count as an average atom.
            guest: the guest, with site types the model knows.
            device: torch device to predict on.

        Raises:
            ModelError: the guest's site types are not those of the model.
        """
        known = self.encoders[0].types
        if guest.type_names != known:
            raise ModelError(
                f"The model was trained for guest sites {' '.join(known)}; this guest has "
                f"{' '.join(guest.type_names)}. Train a model for this guest."
            )
        encoders, head = self.encoders, self.head
        if self.pairs is not None and self.pairs_first:
            encoders = (class_encoder(host, guest),)
            head = _pair_head(self.pairs, Describer(encoders, host, guest))
        return Surrogate(host, guest, self.limits, encoders, head, device)

    def save(self, path: Path) -> None:
        """Write to one file, atomically, without pickled code, and with the same bytes always."""
        spec = {
            "format": FORMAT,
            "encoders": [e.specification() for e in self.encoders],
            "kernel": self.head.kernel.__dict__,
            "limits": self.limits.__dict__,
            "pairs_first": self.pairs_first,
        }
        content = {
            "specification": json.dumps(spec, sort_keys=True),
            "encoders": [dict(e.state_dict()) for e in self.encoders],
            "centres": [list(part) for part in self.head.centres],
            "weights": self.head.weights,
            "root": self.head.root,
            "pairs": None if self.pairs is None else self.pairs.content(),
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomically(path, lambda temporary: _write(temporary, buffer.getvalue()))

    @classmethod
    def load(cls, path: Path) -> SourceModel:
        """Read a model.

        Raises:
            ModelError: the file is missing, damaged or of another format.
        """
        try:
            content = read_weights(path)
            spec = json.loads(content["specification"])
            if spec["format"] != FORMAT:
                raise ValueError(f"its format is {spec['format']}, expected {FORMAT}")
            encoders = tuple(
                load_encoder(s, state)
                for s, state in zip(spec["encoders"], content["encoders"], strict=True)
            )
            kernel = Kernel(**{k: tuple(v) for k, v in spec["kernel"].items()})
            centres = tuple(tuple(part) for part in content["centres"])
            head = Head(kernel, centres, content["weights"], content["root"])
            known = content["pairs"]
            pairs = None if known is None else PairPrior.from_content(known)
            return cls(encoders, head, Limits(**spec["limits"]), pairs, spec["pairs_first"])
        except Exception as error:  # torch raises half a dozen kinds on damaged files
            raise ModelError(
                f"{path} cannot be read as a model: {error}. Train it again."
            ) from error


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def train_source_model(
    sources: tuple[Source, ...],
    guest: GuestSites,
    *,
    temperature_k: float,
    seed: int,
    members: int = MEMBERS,
    steps: int | None = None,
) -> tuple[SourceModel, tuple[HeldOut, ...]]:
    """Train a model on the labels of several hosts.

    Args:
        sources: hosts with baseline energies and labels.
        guest: the guest's sites.
        temperature_k: temperature that says which labels matter, K.
        seed: seed of the encoders.
        members: encoders.
        steps: optimiser steps per encoder; by default 300 and 40 more per host.

    Returns:
        The model, and how each source is predicted by a head without its labels. The encoders
        have seen its free baseline energies, which a host never seen lacks: for one with elements
        that no source has, these figures are too good.

    Raises:
        ModelError: there is not one usable label.
    """
    thermal = GAS_CONSTANT_KJ_PER_MOL_K * temperature_k
    kept = [s.labels.rows(relevant_rows(s.labels, thermal)) for s in sources]
    if sum(len(k.energy_kj_per_mol) for k in kept) == 0 or not all(
        len(k.energy_kj_per_mol) for k in kept
    ):
        raise ModelError(
            "A source host has no usable reference label. Give runs that were labelled, or more "
            "--labels."
        )
    encoders = train_encoders(
        tuple(s.lesson for s in sources),
        guest,
        members=members,
        seed=seed,
        steps=steps or FEWEST_STEPS + STEPS_PER_HOST * len(sources),
    )
    taught = _Taught.build(sources, kept, encoders, guest, thermal)
    kernel, scores = taught.best_kernel()
    every = range(len(kept))
    head = fit_head(*taught.joined(every), kernel)
    noise, pairs, first = kernel.noise[0], None, False
    if len(kept) > 1:
        lessons = PairLessons.build(taught.moments, taught.corrections, len(guest.type_names))
        pairs = lessons.fit()
        alone = taught.pair_scores(lessons, pairs)
        first = alone.log_density >= scores.log_density
        if first:
            noise, scores = pairs.noise[0], alone
        pairs = pairs.rounded()
    lowest = min(float(k.energy_kj_per_mol.min()) for k in kept) - CLIP_BELOW_KT * thermal
    limits = Limits(
        lowest_kj_per_mol=lowest,
        skip_above_kj_per_mol=LARGEST_BASELINE_KJ_PER_MOL,
        prior_sd_kj_per_mol=PRIOR_SD_KJ_PER_MOL,
        noise_kj_per_mol=noise,
        calibration=scores.calibration if len(kept) > 1 else ONE_SOURCE_CALIBRATION,
    )
    return SourceModel(encoders, head, limits, pairs, first), taught.held_out(scores)


def _short_kernels() -> list[Kernel]:
    return [Kernel((AMPLITUDE_KJ_PER_MOL,) * 3, (length,) * 3, NOISE) for length in LENGTHS]


def _pair_head(pairs: PairPrior, describer: Describer) -> Head:
    """Return pair potentials as a head whose kernels count for nothing."""
    term = pairs.term(describer)
    blocks = describer.describe(*(torch.zeros(1, n, dtype=torch.float64) for n in (3, 4)))
    centres = tuple(tuple(torch.zeros_like(v[:1, 0]) for v in b.values) for b in blocks)
    idle = sum(len(part) for part in centres)
    count = len(blocks)
    return Head(
        Kernel((NEGLIGIBLE_KJ_PER_MOL,) * count, (1.0,) * count, pairs.noise),
        centres,
        weights=torch.cat([torch.zeros(idle, dtype=torch.float64), term.mean]),
        root=torch.zeros(idle + len(term.mean), 1, dtype=torch.float64),
        pairs=term,
    )


@dataclass(frozen=True)
class _Scores:
    """Predictions of every source from the others, and what they amount to."""

    errors: tuple[np.ndarray, ...]
    calibration: float
    log_density: float


@dataclass(frozen=True)
class _Taught:
    """Descriptors, radial moments and corrections of every source, and how labels matter."""

    described: tuple[tuple[Block, ...], ...]
    moments: tuple[PairMoments, ...]
    corrections: tuple[Observations, ...]
    relevance: tuple[np.ndarray, ...]

    @classmethod
    def build(
        cls,
        sources: tuple[Source, ...],
        kept: list[LabelSet],
        encoders: tuple[Encoder, ...],
        guest: GuestSites,
        thermal: float,
    ) -> _Taught:
        """Describe the labels of every source."""
        described, corrections, moments = [], [], []
        for source, labels in zip(sources, kept, strict=True):
            observed = _with_all_kinds(observations(labels, thermal))
            describer = Describer(encoders, source.lesson.host, guest)
            described.append(describe_labels(describer, labels, observed))
            corrections.append(observed)
            raw = Describer((class_encoder(source.lesson.host, guest),), source.lesson.host, guest)
            moments.append(PairMoments.of(raw, describe_labels(raw, labels, observed)[SUMS]))
        relevance = tuple(boltzmann_relevance(k.energy_kj_per_mol, thermal) for k in kept)
        return cls(tuple(described), tuple(moments), tuple(corrections), relevance)

    def joined(self, which: Sequence[int]) -> tuple[tuple[Block, ...], Observations]:
        """Return descriptors and corrections of some sources, no more than the process can take."""
        each = max(1, MOST_FOR_HEAD // len(self.described))
        blocks, parts = [], []
        for k in which:
            count = len(self.corrections[k].energy)
            rows = torch.linspace(0, count - 1, min(each, count)).round().long()
            blocks.append(tuple(block.rows(rows) for block in self.described[k]))
            parts.append(self.corrections[k].rows(rows))
        corrections = Observations(
            torch.cat([p.energy for p in parts]),
            torch.cat([_given(p.force) for p in parts]),
            torch.cat([_given(p.torque) for p in parts]),
            torch.cat([p.stretch for p in parts]),
        )
        return tuple(_join(kind) for kind in zip(*blocks, strict=True)), corrections

    def best_kernel(self) -> tuple[Kernel, _Scores]:
        """Return the kernel that predicts sources from the others best.

        A single source tells nothing of others: its own best kernel by evidence is taken.
        """
        every = range(len(self.described))
        if len(self.described) < 2:
            return fit_kernel(*self.joined(every)).kernel, _Scores((), 1.0, 0.0)
        scored = [(kernel, self.scores(kernel)) for kernel in _short_kernels()]
        return max(scored, key=lambda pair: pair[1].log_density)

    def scores(self, kernel: Kernel) -> _Scores:
        """Predict every source from the others, or from all but a few where they are many."""
        count = len(self.described)
        folds = min(count, MOST_FOLDS)
        others = [[k for k in range(count) if k % folds != fold] for fold in range(folds)]
        heads = [fit_head(*self.joined(which), kernel) for which in others]
        return self._scored(
            [heads[k % folds].predict(self.described[k]) for k in range(count)], kernel.noise[0]
        )

    def pair_scores(self, lessons: PairLessons, prior: PairPrior) -> _Scores:
        """Predict every source from the pair potentials of the others."""
        return self._scored(list(lessons.held_out(prior)), prior.noise[0])

    def _scored(self, predicted: Sequence[tuple[Tensor, Tensor]], noise: float) -> _Scores:
        errors, z_scores, spreads = [], [], []
        for corrections, (mean, sd) in zip(self.corrections, predicted, strict=True):
            error = (corrections.energy - mean).cpu().numpy()
            spread = np.hypot(sd.cpu().numpy(), noise)
            errors.append(error)
            z_scores.append(error / spread)
            spreads.append(spread)
        weights = np.concatenate([r / r.sum() for r in self.relevance])
        z, spread = np.concatenate(z_scores), np.concatenate(spreads)
        factor = calibration_factor(z, weights)
        density = -0.5 * (z / factor) ** 2 - np.log(factor * spread)
        return _Scores(tuple(errors), factor, float(np.average(density, weights=weights)))

    def held_out(self, scores: _Scores) -> tuple[HeldOut, ...]:
        """Return the figures of every source."""
        found = []
        for k, (observed, relevance) in enumerate(
            zip(self.corrections, self.relevance, strict=True)
        ):
            error = _rms(scores.errors[k], relevance) if scores.errors else float("nan")
            raw = _rms(observed.energy.cpu().numpy(), relevance)
            found.append(HeldOut(raw, error, len(relevance)))
        return tuple(found)


def _rms(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sqrt(np.average(values**2, weights=weights)))


def _with_all_kinds(observed: Observations) -> Observations:
    """Return observations with forces and torques, unknown ones as NaN."""
    blank = torch.full((len(observed.energy), 3), float("nan"), dtype=observed.energy.dtype)
    force = blank if observed.force is None else observed.force
    torque = blank if observed.torque is None else observed.torque
    return Observations(observed.energy, force, torque, observed.stretch)


def _given(values: Tensor | None) -> Tensor:
    if values is None:
        raise ValueError("observations of sources carry forces and torques, if only as NaN")
    return values


def _join(blocks: tuple[Block, ...]) -> Block:
    values = tuple(torch.cat(parts) for parts in zip(*(b.values for b in blocks), strict=True))
    slopes = [b.slopes for b in blocks if b.slopes is not None]
    return Block(values, tuple(torch.cat(parts) for parts in zip(*slopes, strict=True)))
