"""Confidence intervals of a positive mean whose error bar rests on few terms.

The interval is symmetric in the logarithm, with Student's t and as many degrees of freedom as
the variance estimate deserves: the Welch-Satterthwaite number [1] over the parts of the
variance, each part judged by the Kish effective number of the squares it is a sum of. Chosen by
measured coverage, see docs/estimator.md and benchmarks/coverage.py.

[1] Satterthwaite, Biometrics Bull. 2 (1946) 110; Welch, Biometrika 34 (1947) 28.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri, stdtrit

from data.records import Estimate

CONFIDENCE = 0.95
FEWEST_FREEDOM = 1.5
UNSEEN_SQUARES = 2.0
LARGEST_SQUARED = 1e100
NORMAL_QUANTILE = float(ndtri(0.5 + CONFIDENCE / 2))


def pooled_terms(variances: Sequence[float], terms: Sequence[float]) -> float:
    """Return the effective number of squares in a sum of sums of squares.

    With Kish's number n = (sum x^2)^2 / sum x^4 of each part, it is that of all together.

    Args:
        variances: the parts, sums of squares.
        terms: Kish number of the squares of each; infinity where a part is no sample.
    """
    variances = _moderate(variances)
    total = float(np.sum(variances))
    fourth = sum(v**2 / n for v, n in zip(variances, terms, strict=True) if n > 0)
    if fourth <= 0:
        return float("inf") if total > 0 else 0.0
    return float(total**2 / fourth)


def _moderate(variances: Sequence[float]) -> Sequence[float]:
    """Return variances whose squares do not overflow; what is wanted does not change with scale."""
    largest = max(variances, default=0.0)
    return [v / largest for v in variances] if largest > LARGEST_SQUARED else variances


def freedom_of_squares(terms: float) -> float:
    """Return the degrees of freedom of a variance that is a sum of squares drawn at random.

    A sum V of squares, each in the sample with a chance of its own, has a variance that the sum
    of their squares estimates, so Satterthwaite's 2 V^2 / var(V) is twice their Kish number. Two
    squares are taken off, for heavy ones that were not met.

    Args:
        terms: Kish number of the squares.
    """
    return 2.0 * (terms - UNSEEN_SQUARES)


def degrees_of_freedom(variances: Sequence[float], freedom: Sequence[float]) -> float:
    """Return the Welch-Satterthwaite degrees of freedom of a sum of variances, at least 1.5.

    Args:
        variances: the parts.
        freedom: degrees of freedom of each part.
    """
    variances = _moderate(variances)
    total = float(np.sum(variances))
    spread = sum(v**2 / max(f, 1.0) for v, f in zip(variances, freedom, strict=True))
    return max(FEWEST_FREEDOM, total**2 / spread) if spread > 0 else float("inf")


def interval(estimate: Estimate, degrees_of_freedom: float) -> tuple[float, float]:
    """Return the 95 % interval of a positive quantity, symmetric in its logarithm.

    Args:
        estimate: mean and standard error.
        degrees_of_freedom: of Student's t.
    """
    if estimate.mean <= 0:
        return 0.0, float("inf")
    reach = float(np.exp(_half_width(estimate, degrees_of_freedom)))
    return estimate.mean / reach, estimate.mean * reach


def interval_error(estimate: Estimate, degrees_of_freedom: float) -> float:
    """Return the relative standard error of a normal interval as wide as this one.

    Larger than the estimate's own where the error bar itself is uncertain.

    Args:
        estimate: mean and standard error.
        degrees_of_freedom: of Student's t.
    """
    if estimate.mean <= 0:
        return float("inf")
    return _half_width(estimate, degrees_of_freedom) / NORMAL_QUANTILE


def _half_width(estimate: Estimate, degrees_of_freedom: float) -> float:
    quantile = float(stdtrit(degrees_of_freedom, 0.5 + CONFIDENCE / 2))
    return quantile * float(np.sqrt(np.log1p(estimate.relative_standard_error**2)))
