"""Who gets the next lots: Thompson sampling, plain or top-two, several hosts at a time.

Plain: draw every host from its beliefs, take a host at random from the top k of the draw. A host
comes up as often as it is likely to be among the top k (for k = 1: to be the best [1]), so hosts
long known to belong there go on getting lots.

Top-two, after Russo [2], for a top k: draw until two draws disagree on who the top k are; take
one of the hosts that they disagree on, the one believed less exactly. Lots go to hosts whose
membership is in question, above and below the boundary.

A batch serves parallel workers: every pick is made from draws of its own, no host comes twice, so
at most one lot of a host is under way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from chem.screening.top import membership

Rule = Literal["plain", "top-two"]


@dataclass(frozen=True)
class Pick:
    """A host that gets a lot, and why.

    Attributes:
        host: its number.
        reason: "contested" (two draws disagree on it), "member" (among the top k of a draw),
            "undecided" (no draws disagreed: the open host whose membership is least certain).
        probability: of being among the top k, by the draws it was picked from.
    """

    host: int
    reason: Literal["contested", "member", "undecided"]
    probability: float


def choose(
    utility: np.ndarray,
    top_k: int,
    count: int,
    can_take: np.ndarray,
    rng: np.random.Generator,
    rule: Rule = "top-two",
) -> list[Pick]:
    """Pick hosts for the next lots.

    Args:
        utility: (draws, n) draws of what is ranked, more is better; the more draws, the surer
            two that disagree are found. At least two for each pick.
        top_k: k.
        count: lots to give, each to another host.
        can_take: (n,) hosts that can take a lot: some of their labels are left, none under way.
        rng: source of randomness.
        rule: "plain" or "top-two".

    Returns:
        At most ``count`` picks; fewer where fewer hosts can take one.
    """
    inside = membership(utility, top_k)
    probability = inside.mean(axis=0)
    spread = utility.std(axis=0)
    free = np.asarray(can_take, dtype=bool).copy()
    picks: list[Pick] = []
    while len(picks) < count and free.any():
        order = rng.permutation(len(inside))
        if rule == "plain":
            pick = _member(inside[order], free, probability, rng)
        else:
            pick = _contested(inside[order], free, probability, spread)
        picks.append(pick or _undecided(free, probability, spread))
        free[picks[-1].host] = False
    return picks


def _member(
    inside: np.ndarray, free: np.ndarray, probability: np.ndarray, rng: np.random.Generator
) -> Pick | None:
    """Return a random member of the top k of the first draw that has one to give."""
    for row in inside:
        candidates = np.flatnonzero(row & free)
        if len(candidates):
            host = int(rng.choice(candidates))
            return Pick(host, "member", float(probability[host]))
    return None


def _contested(
    inside: np.ndarray, free: np.ndarray, probability: np.ndarray, spread: np.ndarray
) -> Pick | None:
    """Return the vaguest host that the first draw and the first other one disagree on."""
    differs = (inside[1:] != inside[0]) & free
    rows = np.flatnonzero(differs.any(axis=1))
    if not len(rows):
        return None
    candidates = np.flatnonzero(differs[rows[0]])
    host = int(candidates[np.argmax(spread[candidates])])
    return Pick(host, "contested", float(probability[host]))


def _undecided(free: np.ndarray, probability: np.ndarray, spread: np.ndarray) -> Pick:
    """Return the free host whose membership is least certain, the vaguest of equals."""
    candidates = np.flatnonzero(free)
    doubt = np.abs(probability[candidates] - 0.5)
    best = candidates[np.lexsort((-spread[candidates], doubt))[0]]
    return Pick(int(best), "undecided", float(probability[best]))
