"""Several criteria as one ranking: reciprocal-rank fusion, its uncertainty carried by draws.

    score(h) = sum_c w_c / (60 + rank_c(h)),   rank 1 the best,   sum_c w_c = 1,

after Cormack, Clarke and Buettcher [3], with weights; equal values share the mean of their ranks.
Only ranks enter, so ln K_H and kJ/mol need no common scale. Fused draw by draw, the score of a
host has a distribution, and so has its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RANK_CONSTANT = 60.0


def ranks(utility: np.ndarray) -> np.ndarray:
    """Return (..., n) ranks along the last axis, 1 for the largest value, ties averaged."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(-np.asarray(utility, dtype=float), axis=-1))


def fuse(
    criteria: Sequence[np.ndarray], weights: Sequence[float], constant: float = RANK_CONSTANT
) -> np.ndarray:
    """Return the fused score, more is better.

    Args:
        criteria: for each criterion (..., n) utilities, more is better.
        weights: of the criteria, positive; scaled to the sum one.
        constant: 60 in [3]: how little the very first places count more than the next.
    """
    share = np.asarray(weights, dtype=float) / float(np.sum(weights))
    return np.asarray(sum(w / (constant + ranks(u)) for w, u in zip(share, criteria, strict=True)))
