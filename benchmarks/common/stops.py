"""Where whole runs stop by their own rule, without and with a model, and whether they are right."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chem.intervals import NORMAL_QUANTILE


@dataclass(frozen=True)
class Stop:
    """The round at which a run stops, or would.

    Attributes:
        labels: labels paid by then; those of the whole run where it does not get there.
        reached: whether its interval was narrow enough.
        henry_mol_per_kg_pa: Henry coefficient.
        low, high: 95 % interval.
    """

    labels: int
    reached: bool
    henry_mol_per_kg_pa: float
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether the interval holds a value."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Stops:
    """A host and seed: where the runs stop.

    Attributes:
        host: the host.
        seed: random seed.
        without: the run without a model.
        without_early: the same run, had it been allowed to stop as early as one with a model.
        with_model: the run with a model.
    """

    host: str
    seed: int
    without: Stop
    without_early: Stop
    with_model: Stop


def stop_of(rounds: Sequence[dict[str, Any]], target_error: float, fewest: int, first: int) -> Stop:
    """Return where a run stops.

    Args:
        rounds: its rows of rounds.parquet, at one temperature.
        target_error: relative standard error that the interval's width must amount to.
        fewest: labels it needs before.
        first: the first round after which it may stop.
    """
    for row in rounds:
        low, high = row["henry_ci_low"], row["henry_ci_high"]
        width = math.log(high / low) / (2 * NORMAL_QUANTILE) if low > 0 else math.inf
        if row["round"] >= first and row["labels_total"] >= fewest and width <= target_error:
            return _stop(row, reached=True)
    return _stop(rounds[-1], reached=False)


def _stop(row: dict[str, Any], *, reached: bool) -> Stop:
    limits = (float(row[name]) for name in ("henry", "henry_ci_low", "henry_ci_high"))
    return Stop(int(row["labels_total"]), reached, *limits)


def stop_table(stops: Sequence[Stops], target_error: float, fewest: tuple[int, int]) -> str:
    """Return labels paid and answers as a Markdown table, and what they come to.

    Args:
        stops: one per host and seed.
        target_error: relative standard error the runs stopped at.
        fewest: labels before a run may stop, without and with a model.
    """
    lines = [
        "Labels paid until a run stopped, its interval no wider than that of a standard error of "
        f"{100 * target_error:g} %: not before {fewest[0]} labels without a model, {fewest[1]} "
        "with one. The third column is what the runs without a model would have paid, had they "
        f"been allowed to stop from {fewest[1]} labels on too. In brackets: the budget was spent "
        "first.",
        "",
        f"| host | seed | without | with | without, from {fewest[1]} | "
        "K_H without, mol/(kg Pa) | with | common mean |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    means = _common_means(stops)
    for one in stops:
        paid = (one.without, one.with_model, one.without_early)
        answers = map(_answer, (one.without, one.with_model))
        cells = [*map(_paid, paid), *answers, f"{means[one.host]:.4g}"]
        lines.append(f"| {one.host} | {one.seed} | {' | '.join(cells)} |")
    arms = {
        "without a model": [(s.without, means[s.host]) for s in stops],
        f"without a model, stopping from {fewest[1]} labels on": [
            (s.without_early, means[s.host]) for s in stops
        ],
        "with the model": [(s.with_model, means[s.host]) for s in stops],
    }
    base = sum(stop.labels for stop, _ in arms["without a model"])
    for name, pairs in arms.items():
        paid_labels = sum(stop.labels for stop, _ in pairs)
        held = sum(stop.holds(mean) for stop, mean in pairs)
        lines += [
            "",
            f"{name[0].upper()}{name[1:]}: {paid_labels} labels ({paid_labels / base:.2f}); "
            f"{held} of {len(pairs)} intervals hold the common mean.",
        ]
    return "\n".join(lines)


def _common_means(stops: Sequence[Stops]) -> dict[str, float]:
    """Return what the runs of each host say together, weighted by the widths of intervals."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one in stops:
        for stop in (one.without, one.with_model):
            weight = 1.0 / math.log(stop.high / stop.low) ** 2 if stop.low > 0 else 0.0
            sums[one.host][0] += weight
            sums[one.host][1] += weight * math.log(stop.henry_mol_per_kg_pa) if weight else 0.0
    return {host: math.exp(total / weight) for host, (weight, total) in sums.items()}


def _paid(stop: Stop) -> str:
    return f"{stop.labels}" if stop.reached else f"({stop.labels})"


def _answer(stop: Stop) -> str:
    low, high = (f"{value:.3g}" for value in (stop.low, stop.high))
    return f"{stop.henry_mol_per_kg_pa:.4g} ({low} to {high})"
