"""How many labels and insertions a round gets, and how much it counts.

Labels and weights of rounds follow a schedule that is fixed before anything is seen, so that the
average of unbiased rounds is unbiased: weights that react to what a surrogate promises of itself,
or to what labels showed, favour some answers over others. Labels grow geometrically from round to
round, since a surrogate learns like a power of its labels; weights grow with what the surrogate
has learned from. The number of insertions, which weights do not see, follows what the surrogate
and its proposal promise: enough that the table is the smaller part of the error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

FEWEST_LABELS = 8
FIRST_LABELS = 24
FIRST_SHARE = 1.0 / 6.0
LEAST_GROWTH = 1.4
"""Labels learned from grow at least by this factor from round to round."""
LEARNING_POWER = 3.0
"""Design variances of a label are taken to fall like this power of the labels learned from."""
YOUNG_LABELS = 8.0
FEWEST_INSERTIONS = 50_000
TABLE_SHARE = 0.25
"""Variance of a table over that of its labels, or over the target's square."""
STEPS_PER_DOUBLING = 2


@dataclass(frozen=True)
class Schedule:
    """Labels and weights of rounds, from the budget alone.

    Attributes:
        max_labels: labels there are.
        max_rounds: rounds there may be.
        first_labels: labels of the first round; None for 24, fewer of a small budget. A screen
            of many hosts starts with fewer.
    """

    max_labels: int
    max_rounds: int
    first_labels: int | None = None

    @cached_property
    def lots(self) -> tuple[float, ...]:
        """Expected labels of each round; they add up to the budget."""
        usual = min(FIRST_LABELS, max(FEWEST_LABELS, FIRST_SHARE * self.max_labels))
        first = min(usual if self.first_labels is None else self.first_labels, self.max_labels)
        later = max(1, self.max_rounds - 1)
        growth = max(LEAST_GROWTH, (self.max_labels / first) ** (1.0 / later))
        lots: list[float] = []
        spent = 0.0
        while spent < self.max_labels:
            lot = max(FEWEST_LABELS, (growth - 1.0) * spent) if lots else float(first)
            left = self.max_labels - spent
            if len(lots) + 1 >= self.max_rounds or left - lot < FEWEST_LABELS:
                lot = left
            lots.append(lot)
            spent += lot
        return tuple(lots)

    def weight(self, number: int) -> float:
        """Return how much round ``number`` counts, up to a factor common to all.

        The first of several rounds counts for nothing: it corrects the baseline, which may be off
        by orders of magnitude, and no power of its labels bounds what that does to an average.
        """
        if number == 1 and len(self.lots) > 1:
            return 0.0
        learned = sum(self.lots[: number - 1])
        return self.lots[number - 1] * (learned + YOUNG_LABELS) ** LEARNING_POWER

    def most_insertions(self, number: int, left: int) -> int:
        """Return the insertions a round may take so that later, weightier ones have theirs.

        That is an equal share of what is left, or one in proportion to its labels where that is
        more: labels are dear, so an early round should not be short of insertions either.

        Args:
            number: round.
            left: insertions left.
        """
        if number >= len(self.lots):
            return left
        rest = self.lots[number - 1 :]
        share = max(rest[0] / sum(rest), 1.0 / len(rest))
        return min(left, max(1, math.ceil(share * left)))


@dataclass(frozen=True)
class Outlook:
    """What a round's surrogate and proposal promise, one value per temperature.

    Attributes:
        table_spread: relative variance of <W> times the number of insertions.
        label_spread: relative design variance of <W> times the number of labels.
    """

    table_spread: tuple[float, ...]
    label_spread: tuple[float, ...]

    def insertions(self, labels: float, target_error: float, most: int) -> int:
        """Return the insertions that make the table the smaller part of the error.

        The number is rounded up to a coarse grid, so that it does not follow the last bits of
        labels from another machine.

        Args:
            labels: expected labels of the round.
            target_error: relative standard error wanted.
            most: largest number of insertions.
        """
        wanted = float(FEWEST_INSERTIONS)
        for table, label in zip(self.table_spread, self.label_spread, strict=True):
            variance = TABLE_SHARE * max(label / max(labels, 1.0), target_error**2)
            wanted = max(wanted, table / variance if math.isfinite(table) else math.inf)
        if wanted >= most:
            return max(1, most)
        steps = math.ceil(STEPS_PER_DOUBLING * math.log2(wanted / FEWEST_INSERTIONS) - 1e-9)
        return min(most, int(FEWEST_INSERTIONS * 2.0 ** (steps / STEPS_PER_DOUBLING)))


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
    table, labels = [], []
    for factor, error in zip(factors, errors, strict=True):
        mean = float((weight * factor).sum()) / insertions
        square = float((weight * new_weight * factor**2).sum()) / insertions
        bias = float(error.sum()) / insertions
        table.append(max(0.0, square / mean**2 - 1.0) if mean > 0 else math.inf)
        labels.append((bias / mean) ** 2 if mean > 0 else math.inf)
    return Outlook(tuple(table), tuple(labels))
