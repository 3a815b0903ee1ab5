"""What limits an interval and what would halve it, in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass

CLEAR = 0.7
"""Share of the variance from which one side alone is said to limit."""
FEW_LABELS = 5.0
HALF = 4.0
"""Halving an error takes four times the sample."""


@dataclass(frozen=True)
class ErrorBudget:
    """The two parts of an error and what they were bought with.

    Attributes:
        table_relative_error: relative standard error from the finite number of insertions.
        design_relative_error: relative standard error from labelling a share of them.
        insertions: insertions the answer averages over.
        labels: reference calls paid; zero where the baseline is the reference.
        effective_labels: Kish size of the labelled terms.
        failed_relative_error: relative standard error for what failed labels may hide.
    """

    table_relative_error: float
    design_relative_error: float
    insertions: int
    labels: int
    effective_labels: float = math.inf
    failed_relative_error: float = 0.0


def verdict(budget: ErrorBudget) -> str:
    """Return what limits the interval and what would halve it."""
    table, design = budget.table_relative_error**2, budget.design_relative_error**2
    failed = budget.failed_relative_error**2
    total = table + design + failed
    if not math.isfinite(total):
        return "no answer yet: nothing that counts was found"
    if total == 0:
        return "nothing limits the interval: its width is zero"
    if failed > 0.5 * total:
        return (
            "failed labels limit the interval: what they may hide is the larger part of it; "
            "mend the reference's settings so that its calls come back"
        )
    total = table + design
    sampled = f"{_round(HALF * budget.insertions):,} insertions"
    if design < (1.0 - CLEAR) * total:
        return f"insertions limit the interval: 4x as many ({sampled}) would halve it"
    labelled = f"{_round(HALF * budget.labels):,} labels"
    few = ""
    if budget.effective_labels < FEW_LABELS:
        few = f"; it rests on {budget.effective_labels:.0f} effective labels"
    if design >= CLEAR * total:
        return (
            f"labels limit the interval: 4x as many ({labelled}) would halve it, fewer while the "
            f"surrogate still learns{few}"
        )
    return (
        "labels and insertions limit the interval alike: 4x as many of both "
        f"({labelled}, {sampled}) would halve it, fewer labels while the surrogate still "
        f"learns{few}"
    )


def _round(count: float) -> int:
    """Round to two significant digits."""
    if count < 1:
        return 0
    digits = max(0, math.floor(math.log10(count)) - 1)
    return int(round(count / 10**digits) * 10**digits)
