"""Rounds into one answer, with an interval that admits how little it rests on.

Each round's estimate is unbiased on its own. They are averaged with weights that were fixed before
anything was seen (:class:`chem.allocation.Schedule`), so that their average is unbiased too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chem.estimator import Moments
from chem.intervals import (
    degrees_of_freedom,
    freedom_of_squares,
    interval,
    interval_error,
    pooled_terms,
)
from data.records import Estimate

__all__ = ["Combined", "RoundEstimate", "combine", "interval"]

PRIOR_LABELS = 0.5


@dataclass(frozen=True)
class RoundEstimate:
    """One round, with a table of insertions of its own.

    Attributes:
        moments: the corrected moments of the round.
        weight: how much it counts, up to a factor common to all rounds; fixed beforehand. Zero
            for a round that is to teach only: it is the answer until there is another.
        predicted_relative_design_variance: relative design variance of <W> that the surrogate's
            own spread predicts.
    """

    moments: Moments
    weight: float
    predicted_relative_design_variance: float


@dataclass(frozen=True)
class Combined:
    """All rounds together.

    Attributes:
        mean: (2,) <W>, <U W>.
        covariance: (2, 2) table, design and failure parts together.
        weights: weight of each round, sum one.
        degrees_of_freedom: for Student's t of the interval.
        effective_samples: Kish size of the tables' weights, combined.
        correction_effective_samples: Kish size of the labels, combined.
        largest_weight_share: largest single term's share.
        table_standard_error: of <W>.
        design_standard_error: of <W>.
        failure_standard_error: of <W>, for what failed labels may hide.
    """

    mean: np.ndarray
    covariance: np.ndarray
    weights: np.ndarray
    degrees_of_freedom: float
    effective_samples: float
    correction_effective_samples: float
    largest_weight_share: float
    table_standard_error: float
    design_standard_error: float
    failure_standard_error: float = 0.0

    @property
    def estimate(self) -> Estimate:
        """<W> with its standard error."""
        return Estimate(
            float(self.mean[0]),
            float(np.sqrt(max(0.0, self.covariance[0, 0]))),
            self.correction_effective_samples,
        )

    @property
    def interval_error(self) -> float:
        """Relative standard error that the interval's width amounts to; never the smaller one."""
        return interval_error(self.estimate, self.degrees_of_freedom)


def combine(rounds: Sequence[RoundEstimate]) -> Combined:
    """Average rounds into one answer.

    The design variance is what the labels show. What the surrogate predicted, where it is
    larger, counts as half a label more in a geometric mean: a handful of labels can miss a heavy
    tail, and a prediction can be wrong by orders of magnitude. What failed labels may hide is taken
    to be the same in all rounds: it is averaged, not averaged down.

    Args:
        rounds: at least one round.

    Returns:
        The combined moments.
    """
    shares = _shares(rounds)
    rounds = [r for r, share in zip(rounds, shares, strict=True) if share > 0]
    weights = shares[shares > 0]
    mean = np.sum([w * r.moments.mean for w, r in zip(weights, rounds, strict=True)], axis=0)
    design, design_terms = _design(weights, rounds, mean)
    table, table_terms = _table(weights, rounds)
    used = [r.moments for r in rounds]
    hidden = np.sum([w * m.failure_covariance for w, m in zip(weights, used, strict=True)], axis=0)
    return Combined(
        mean=mean,
        covariance=table + design + hidden,
        weights=shares,
        degrees_of_freedom=degrees_of_freedom(
            [float((design + hidden)[0, 0]), float(table[0, 0])],
            [freedom_of_squares(design_terms), freedom_of_squares(table_terms)],
        ),
        effective_samples=_pooled(weights, [m.effective_samples for m in used]),
        correction_effective_samples=_pooled(
            weights, [m.correction_effective_samples for m in used]
        ),
        largest_weight_share=float(
            max(w * m.largest_weight_share for w, m in zip(weights, used, strict=True))
        ),
        table_standard_error=float(np.sqrt(max(0.0, table[0, 0]))),
        design_standard_error=float(np.sqrt(max(0.0, design[0, 0]))),
        failure_standard_error=float(np.sqrt(max(0.0, hidden[0, 0]))),
    )


def _shares(rounds: Sequence[RoundEstimate]) -> np.ndarray:
    given = np.array([r.weight for r in rounds], dtype=float)
    return given / given.sum() if given.any() else np.full(len(rounds), 1.0 / len(rounds))


def _table(weights: np.ndarray, rounds: Sequence[RoundEstimate]) -> tuple[np.ndarray, float]:
    """Return the covariance of the tables and the number of terms it rests on."""
    parts = [w**2 * r.moments.table_covariance for w, r in zip(weights, rounds, strict=True)]
    terms = [r.moments.table_variance_terms for r in rounds]
    return np.sum(parts, axis=0), pooled_terms([p[0, 0] for p in parts], terms)


def _design(
    weights: np.ndarray, rounds: Sequence[RoundEstimate], mean: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the design covariance and the number of terms it rests on.

    Where no label says anything (none drawn, all failed, none differs) the prediction is all
    there is: both means then carry it, as if they were independent.
    """
    parts = [w**2 * r.moments.design_covariance for w, r in zip(weights, rounds, strict=True)]
    seen = np.sum(parts, axis=0)
    predicted = float(mean[0]) ** 2 * sum(
        float(w**2 * r.predicted_relative_design_variance)
        for w, r in zip(weights, rounds, strict=True)
    )
    if seen[0, 0] <= 0:
        return np.diag(predicted * np.array([1.0, (mean[1] / mean[0]) ** 2])), 0.0
    terms = pooled_terms(
        [p[0, 0] for p in parts], [r.moments.design_variance_terms for r in rounds]
    )
    share = PRIOR_LABELS / (PRIOR_LABELS + terms)
    return seen * max(1.0, (predicted / seen[0, 0]) ** share), terms


def _pooled(weights: np.ndarray, sizes: Sequence[float]) -> float:
    """Return the effective size of a weighted average of samples of given sizes."""
    safe = np.maximum(np.asarray(sizes, dtype=float), 1.0)
    inverse = float(np.sum(weights**2 / safe))
    return 1.0 / inverse if inverse > 0 else float("inf")
