"""Which hosts are the top k, with the probability of each and when that is enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TopK:
    """The top k as draws from the beliefs show it.

    Attributes:
        probability: (n,) probability of each host to be among the top k; they add up to k.
        standard_error: (n,) Monte Carlo error of it.
        members: (k,) the hosts most likely among them, likeliest first.
        share: expected share of the true top k among the members.
        share_error: Monte Carlo standard error of the share.
    """

    probability: np.ndarray
    standard_error: np.ndarray
    members: np.ndarray
    share: float
    share_error: float

    def is_sure(self, wanted: float) -> bool:
        """Return whether the share is at least as wanted, by two of its errors."""
        return self.share - 2.0 * self.share_error >= wanted


def membership(utility: np.ndarray, top_k: int) -> np.ndarray:
    """Return (draws, n) whether each host is among the top k of each draw.

    Args:
        utility: (draws, n), more is better; equal values go to the earlier host.
        top_k: k.
    """
    count = utility.shape[1]
    if top_k >= count:
        return np.ones(utility.shape, dtype=bool)
    order = np.argsort(-utility, axis=1, kind="stable")[:, :top_k]
    inside = np.zeros(utility.shape, dtype=bool)
    np.put_along_axis(inside, order, True, axis=1)
    return inside


def top_k(utility: np.ndarray, k: int) -> TopK:
    """Return the top k and how sure they are.

    With a host's indicator b in M draws, p = mean b and its error is sqrt(p (1 - p) / M). The
    share that the k likeliest have of the true top k is the mean of their p: the expected
    recall. It is slightly too large, since the members are chosen by the same draws, by less
    than its own error for thousands of draws.

    Args:
        utility: (draws, n) draws of what is ranked, more is better.
        k: hosts wanted, at most n of them.
    """
    inside = membership(utility, k)
    draws, count = inside.shape
    k = min(k, count)
    probability = inside.mean(axis=0)
    error = np.sqrt(probability * (1.0 - probability) / draws)
    members = np.lexsort((-np.median(utility, axis=0), -probability))[:k]
    hits = inside[:, members].mean(axis=1)
    return TopK(probability, error, members, float(hits.mean()), float(hits.std() / np.sqrt(draws)))
