"""A Gaussian process on the corrections of several hosts, for atoms without given features.

Encoders trained on the free baseline energies of all source hosts (`ml.many_hosts`) describe a
guest's surroundings; the process is conditioned on the corrections of all sources, with a short
kernel: it says something where the surroundings resemble those in a source, and fades to "no
correction, large uncertainty" elsewhere. A single source has the kernel that is its own best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ml.descriptors import Block, Describer
from ml.encoder import Encoder
from ml.evidence import fit_kernel
from ml.graphs import GuestSites
from ml.heads import Head, Kernel, fit_head
from ml.linear_system import Observations
from ml.many_hosts import Lesson, train_encoders
from ml.observing import describe_labels
from ml.source_scores import Scores
from ml.training import LabelSet

LENGTHS = (0.8, 1.2, 1.8)
AMPLITUDE_KJ_PER_MOL = 8.0
NOISE = (0.5, 2.0, 2.0)
STEPS_PER_HOST = 40
FEWEST_STEPS = 300
MOST_LABELS = 1200
"""Labels of all sources that the process learns from."""
MOST_FOLDS = 8

Predicted = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class SourceProcess:
    """Descriptors and corrections of the labels of every source.

    Attributes:
        encoders: trained over all sources.
        described: per source the descriptor blocks of its labels.
        corrections: per source.
    """

    encoders: tuple[Encoder, ...]
    described: tuple[tuple[Block, ...], ...]
    corrections: tuple[Observations, ...]

    @classmethod
    def build(
        cls,
        lessons: Sequence[Lesson],
        labels: Sequence[LabelSet],
        corrections: Sequence[Observations],
        guest: GuestSites,
        *,
        members: int,
        seed: int,
        steps: int | None,
    ) -> SourceProcess:
        """Train the encoders and describe the labels of every source."""
        encoders = train_encoders(
            tuple(lessons),
            guest,
            members=members,
            seed=seed,
            steps=steps or FEWEST_STEPS + STEPS_PER_HOST * len(lessons),
        )
        described = [
            describe_labels(Describer(encoders, lesson.host, guest), part, observed)
            for lesson, part, observed in zip(lessons, labels, corrections, strict=True)
        ]
        return cls(encoders, tuple(described), tuple(corrections))

    def best(self, score: Callable[[Predicted, float], Scores]) -> tuple[Head, Scores]:
        """Return the process whose kernel predicts sources from the others best.

        Args:
            score: of predictions of all sources, and a noise level.
        """
        every = range(len(self.described))
        if len(self.described) < 2:
            kernel, scores = fit_kernel(*self._joined(every)).kernel, Scores()
        else:
            tried = [
                (kernel, score(self._unseen(kernel), kernel.noise[0]))
                for kernel in _short_kernels()
            ]
            kernel, scores = max(tried, key=lambda pair: pair[1].log_density)
        return fit_head(*self._joined(every), kernel), scores

    def _unseen(self, kernel: Kernel) -> Predicted:
        """Predict every source from the others, or from all but a few where they are many."""
        count = len(self.described)
        folds = min(count, MOST_FOLDS)
        others = [[k for k in range(count) if k % folds != fold] for fold in range(folds)]
        heads = [fit_head(*self._joined(which), kernel) for which in others]
        return [heads[k % folds].predict(self.described[k]) for k in range(count)]

    def _joined(self, which: Sequence[int]) -> tuple[tuple[Block, ...], Observations]:
        """Return descriptors and corrections of some sources, no more than the process can take."""
        each = max(1, MOST_LABELS // len(self.described))
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


def _short_kernels() -> list[Kernel]:
    return [Kernel((AMPLITUDE_KJ_PER_MOL,) * 3, (length,) * 3, NOISE) for length in LENGTHS]


def _given(values: Tensor | None) -> Tensor:
    if values is None:
        raise ValueError("observations of sources carry forces and torques, if only as NaN")
    return values


def _join(blocks: tuple[Block, ...]) -> Block:
    values = tuple(torch.cat(parts) for parts in zip(*(b.values for b in blocks), strict=True))
    slopes = [b.slopes for b in blocks if b.slopes is not None]
    return Block(values, tuple(torch.cat(parts) for parts in zip(*slopes, strict=True)))
