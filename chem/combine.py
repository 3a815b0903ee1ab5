"""Rounds into one answer, with an interval that admits how little it rests on.

Each round's estimate is unbiased on its own. They are averaged with weights fixed before the
round's labels are seen: the inverse of the variance predicted from the surrogate's spread.
Weights from realised variances would favour lucky rounds and pull the answer down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from chem.estimator import Moments
from data.records import Estimate

CONFIDENCE = 0.95
MODEL_DISTRUST = 0.01


@dataclass(frozen=True)
class RoundEstimate:
    """One round's moments and what was predicted for it.

    Attributes:
        table: number of the table of insertions it used; rounds sharing it share its error.
        moments: the corrected moments of the round.
        predicted_relative_variance: relative variance of <W> expected before labelling,
            table and design, from the round's surrogate alone.
        predicted_relative_design_variance: the design part of it.
    """

    table: int
    moments: Moments
    predicted_relative_variance: float
    predicted_relative_design_variance: float


@dataclass(frozen=True)
class Combined:
    """All rounds together.

    Attributes:
        mean: (2,) <W>, <U W>.
        covariance: (2, 2) table and design parts together.
        weights: weight of each round, sum one.
        degrees_of_freedom: for Student's t of the interval.
        effective_samples: Kish size of the tables' weights, combined.
        correction_effective_samples: Kish size of the labels, combined.
        largest_weight_share: largest single term's share.
        table_standard_error: of <W>.
        design_standard_error: of <W>.
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

    @property
    def estimate(self) -> Estimate:
        """<W> with its standard error."""
        return Estimate(
            float(self.mean[0]),
            float(np.sqrt(max(0.0, self.covariance[0, 0]))),
            self.correction_effective_samples,
        )


def round_weights(rounds: Sequence[RoundEstimate]) -> np.ndarray:
    """Return the weights of rounds, inverse to their predicted relative variances.

    Relative, because a surrogate that misses the main site also underrates the absolute
    variance. A floor keeps one overconfident prediction from owning the answer.
    """
    predicted = np.array([r.predicted_relative_variance for r in rounds], dtype=float)
    raw = 1.0 / (np.where(np.isnan(predicted), np.inf, predicted) + MODEL_DISTRUST**2)
    if not raw.sum() > 0.0:
        return np.full(len(rounds), 1.0 / len(rounds))
    return raw / raw.sum()


def combine(rounds: Sequence[RoundEstimate]) -> Combined:
    """Average rounds into one answer.

    The design variance is the larger of what the labels show and what the surrogate's
    calibrated spread predicted, since a handful of labels can miss a heavy tail.

    Args:
        rounds: at least one round.

    Returns:
        The combined moments.
    """
    weights = round_weights(rounds)
    mean = np.sum([w * r.moments.mean for w, r in zip(weights, rounds, strict=True)], axis=0)
    design = _guarded_design(weights, rounds, mean)
    table = np.zeros((2, 2))
    for number in sorted({r.table for r in rounds}):
        share = sum(w for w, r in zip(weights, rounds, strict=True) if r.table == number)
        latest = [r for r in rounds if r.table == number][-1]
        table += share**2 * latest.moments.table_covariance
    used = [r.moments for r in rounds]
    correction = _pooled(weights, [m.correction_effective_samples for m in used])
    return Combined(
        mean=mean,
        covariance=table + design,
        weights=weights,
        degrees_of_freedom=max(2.0, correction - 1.0),
        effective_samples=_pooled(weights, [m.effective_samples for m in used]),
        correction_effective_samples=correction,
        largest_weight_share=float(
            max(w * m.largest_weight_share for w, m in zip(weights, used, strict=True))
        ),
        table_standard_error=float(np.sqrt(max(0.0, table[0, 0]))),
        design_standard_error=float(np.sqrt(max(0.0, design[0, 0]))),
    )


def _guarded_design(
    weights: np.ndarray, rounds: Sequence[RoundEstimate], mean: np.ndarray
) -> np.ndarray:
    """Return the design covariance, no smaller than what the surrogate's spread predicted.

    Where no label says anything (none drawn, all failed, none differs) the prediction is all
    there is: both means then carry it, as if they were independent.
    """
    seen = np.zeros((2, 2))
    expected = 0.0
    for weight, item in zip(weights, rounds, strict=True):
        seen += weight**2 * item.moments.design_covariance
        expected += float(weight**2 * item.predicted_relative_design_variance)
    if seen[0, 0] <= 0:
        return np.diag(expected * mean**2)
    return seen * max(1.0, expected * float(mean[0]) ** 2 / seen[0, 0])


def _pooled(weights: np.ndarray, sizes: Sequence[float]) -> float:
    """Return the effective size of a weighted average of samples of given sizes."""
    safe = np.maximum(np.asarray(sizes, dtype=float), 1.0)
    inverse = float(np.sum(weights**2 / safe))
    return 1.0 / inverse if inverse > 0 else float("inf")


def interval(estimate: Estimate, degrees_of_freedom: float) -> tuple[float, float]:
    """Return the 95 % interval of a positive quantity, symmetric in its logarithm.

    Args:
        estimate: mean and standard error.
        degrees_of_freedom: of Student's t.
    """
    if estimate.mean <= 0:
        return 0.0, float("inf")
    quantile = float(stdtrit(degrees_of_freedom, 0.5 + CONFIDENCE / 2))
    spread = np.sqrt(np.log1p(estimate.relative_standard_error**2))
    return (
        float(estimate.mean * np.exp(-quantile * spread)),
        float(estimate.mean * np.exp(quantile * spread)),
    )
