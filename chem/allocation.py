"""How many labels and insertions a round gets, from what its past predicts.

A round with m labels and N insertions is expected to have the relative variance c/m + s/N,
where c (label spread) and s (table spread) are estimated from earlier insertions scored by the
round's surrogate. Labels are dear, insertions cheap: labels grow from round to round while the
surrogate still learns, and stop growing where the target is in reach; insertions follow, so
that the table is the smaller part of the error. Nothing here sees a label or an insertion of
the round itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chem.combine import RoundEstimate, combine

FEWEST_LABELS = 8
FIRST_LABELS = 24
FIRST_SHARE = 1.0 / 6.0
LEAST_GROWTH = 0.3
FEWEST_INSERTIONS = 50_000
AIM = 0.95
"""Part of the target error that a round plans for: estimates of errors scatter."""
YOUNG_LABELS = 75.0
YOUNGEST_LABELS = 10.0
"""Labels under which a surrogate's claims about itself are hardly believed."""
LEARNING_POWER = 3.0
EXPERIENCE_RATE = 0.5
EXPERIENCE_LABELS = 5.0
MOST_CORRECTION = 1e4
TABLE_SHARES = (0.2, 0.35, 0.5, 0.7)
"""Parts of the variance that the table may have, the first by preference."""


@dataclass(frozen=True)
class Outlook:
    """What a round's surrogate and proposal promise, one value per temperature.

    Attributes:
        table_spread: relative variance of <W> times the number of insertions.
        label_spread: relative design variance of <W> times the number of labels.
        mean: <W> by the surrogate, to which both are relative.
    """

    table_spread: tuple[float, ...]
    label_spread: tuple[float, ...]
    mean: tuple[float, ...]

    def relative_variance(self, labels: float, insertions: int) -> tuple[float, ...]:
        """Return the relative variance to expect of a round, per temperature."""
        return tuple(
            c / max(labels, 1.0) + s / max(insertions, 1)
            for c, s in zip(self.label_spread, self.table_spread, strict=True)
        )

    def humbled(self, factors: Sequence[float]) -> Outlook:
        """Return the outlook with the label spreads times factors, one per temperature."""
        spread = tuple(f * c for f, c in zip(factors, self.label_spread, strict=True))
        return Outlook(self.table_spread, spread, self.mean)

    def overshoot(self, past: Sequence[float]) -> tuple[float, ...]:
        """Return the factor that makes relative variances relative to an earlier answer.

        A surrogate that imagines a deep site has a large answer, and an error that looks small
        beside it. One that misses a site has a small answer, and its error is left as it is.

        Args:
            past: <W> of the rounds so far, per temperature; empty before the first.
        """
        if not past:
            return tuple(1.0 for _ in self.mean)
        return tuple(
            max(1.0, (m / p) ** 2) if p > 0 else 1.0 for m, p in zip(self.mean, past, strict=True)
        )


@dataclass(frozen=True)
class Purse:
    """What is left to spend, and how far the answer is.

    Attributes:
        insertions: insertions left.
        labels: labels left.
        rounds: rounds left, the one to plan included.
        labels_spent: labels of the rounds so far.
        target_error: relative standard error wanted.
        relative_errors: relative standard errors so far, per temperature; empty before the
            first round.
    """

    insertions: int
    labels: int
    rounds: int
    labels_spent: int
    target_error: float
    relative_errors: tuple[float, ...] = ()


@dataclass(frozen=True)
class RoundPlan:
    """Expected labels and insertions of a round."""

    labels: float
    insertions: int


def outlook_of(
    weight: np.ndarray,
    new_weight: np.ndarray,
    factors: Sequence[np.ndarray],
    errors: Sequence[np.ndarray],
    insertions: int,
) -> Outlook:
    """Return what insertions drawn from an old proposal say about a new one.

    With v the old weights and v' the new, E_q'[(v' W)^2] = E_q[v v' W^2], and the least design
    variance of m labels is (E_q[v e])^2 / m for expected errors e of W.

    Args:
        weight: (n,) weights v of the non-overlapping insertions.
        new_weight: (n,) weights v' they would have in the new proposal, which must have been
            learned from other insertions.
        factors: per temperature (n,) Boltzmann factors W by the surrogate.
        errors: per temperature (n,) expected sizes of v (W - W of the surrogate).
        insertions: all insertions, overlapping ones included.

    Returns:
        The outlook; infinite where the surrogate sees no room.
    """
    table, labels, means = [], [], []
    for factor, error in zip(factors, errors, strict=True):
        mean = float((weight * factor).sum()) / insertions
        square = float((weight * new_weight * factor**2).sum()) / insertions
        bias = float(error.sum()) / insertions
        table.append(max(0.0, square / mean**2 - 1.0) if mean > 0 else math.inf)
        labels.append((bias / mean) ** 2 if mean > 0 else math.inf)
        means.append(mean)
    return Outlook(tuple(table), tuple(labels), tuple(means))


def humility(labels_learned: int) -> float:
    """Return the factor on the error variance that a surrogate of few labels claims.

    Variances fall about as the third power of the labels learned, and a surrogate of a few
    dozen labels knows least of what it has not seen; the discount costs little, since such
    rounds carry little, and keeps a lucky one of them from owning the answer.
    """
    return 1.0 + (YOUNG_LABELS / max(labels_learned, YOUNGEST_LABELS)) ** LEARNING_POWER


def experience(rounds: Sequence[RoundEstimate]) -> float:
    """Return the factor on predicted design variances that the labels so far ask for.

    A running geometric average of what labels showed over what was predicted for them, slower
    where few labels carry it. The first round is left out: its surrogate knew nothing.

    Args:
        rounds: the rounds so far at one temperature.
    """
    if len(rounds) < 2:
        return 1.0
    last = rounds[-1]
    before, predicted = last.experience, last.predicted_relative_design_variance
    mean = float(combine(rounds).mean[0])
    seen = float(last.moments.design_covariance[0, 0])
    size = last.moments.correction_effective_samples
    if not (predicted > 0 and math.isfinite(size) and mean != 0):
        return before
    ratio = min(max(seen / mean**2 / predicted, 1.0 / MOST_CORRECTION), MOST_CORRECTION)
    rate = EXPERIENCE_RATE * size / (size + EXPERIENCE_LABELS)
    return float(before * ratio**rate)


def lot(purse: Purse) -> float:
    """Return the labels of a round whose surrogate still learns.

    The number of labels grows by a constant factor, so that the budget lasts for the rounds
    left; a surrogate that learns like a power of its labels wants them that way.
    """
    if purse.rounds <= 1:
        return float(purse.labels)
    total = purse.labels + purse.labels_spent
    first = min(FIRST_LABELS, max(FEWEST_LABELS, FIRST_SHARE * total))
    if purse.labels_spent == 0:
        return min(first, float(purse.labels))
    growth = max(LEAST_GROWTH, (total / purse.labels_spent) ** (1.0 / purse.rounds) - 1.0)
    return min(max(first, growth * purse.labels_spent), float(purse.labels))


def plan_round(purse: Purse, outlook: Outlook) -> RoundPlan:
    """Plan the labels and insertions of a round.

    Where the target can be reached in this round with no more labels than it would get anyway,
    it gets what that takes, insertions rather than labels. Otherwise it gets its labels, and
    insertions enough to make the table the smaller part of its error.

    Args:
        purse: what is left.
        outlook: what the round's surrogate and proposal promise.
    """
    wanted = lot(purse)
    for share in TABLE_SHARES:
        plan = _finish(purse, outlook, share)
        if plan.labels <= wanted and plan.insertions <= purse.insertions:
            return plan
    most = max(purse.insertions * max(wanted / max(purse.labels, 1), 1.0 / purse.rounds), 1.0)
    ratio = (1.0 - TABLE_SHARES[0]) / TABLE_SHARES[0]
    needed = max(
        s / (c / max(wanted, 1.0)) * ratio if c / max(wanted, 1.0) > 0 else most
        for c, s in zip(outlook.label_spread, outlook.table_spread, strict=True)
    )
    fewest = min(float(FEWEST_INSERTIONS), most)
    return RoundPlan(wanted, max(1, int(min(most, max(fewest, needed)))))


def _finish(purse: Purse, outlook: Outlook, share: float) -> RoundPlan:
    """Return what reaches the target, the table having a given share of the variance."""
    labels, insertions = 0.0, 0.0
    for k, (c, s) in enumerate(zip(outlook.label_spread, outlook.table_spread, strict=True)):
        room = _variance_wanted(purse, k)
        labels = max(labels, c / ((1.0 - share) * room))
        insertions = max(insertions, s / (share * room))
    if not (math.isfinite(labels) and math.isfinite(insertions)):
        return RoundPlan(math.inf, purse.insertions + 1)
    fewest = min(FEWEST_INSERTIONS, purse.insertions)
    least = min(FEWEST_LABELS, purse.labels)
    return RoundPlan(max(float(least), labels), max(1, fewest, math.ceil(insertions)))


def _variance_wanted(purse: Purse, k: int) -> float:
    """Return the relative variance this round alone needs for the target."""
    goal = (AIM * purse.target_error) ** 2
    if not purse.relative_errors or not math.isfinite(purse.relative_errors[k]):
        return goal
    have = purse.relative_errors[k] ** 2
    return math.inf if have <= goal else 1.0 / (1.0 / goal - 1.0 / have)
