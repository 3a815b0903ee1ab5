"""The loop: route, label, estimate, retrain, until the interval is as narrow as asked.

It composes tasks on an executor and knows nothing of Prefect or Dask, so that every way of
running it gives the same numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from chem.combine import Combined
from flows.stages import Stages, Table
from tasks.check import CheckItem, CheckRecord, check_reference_level
from tasks.context import RunContext
from tasks.estimate import EstimateItem, RoundRecord, combine_rounds, estimate_round
from tasks.paths import PILOT_TABLE
from tasks.routing import RouteItem, RouteRecord, route_round
from tasks.training import FitItem, FitRecord, PretrainItem, fit, pretrain

TABLE_SHARES = (0.1, 0.2, 0.7)
PILOT_SHARE = 0.2
MOST_PILOT = 200_000
FEWEST_PILOT = 2_000
MIN_ROUNDS = 3
MIN_LABELS = 10
PLANNED_ROUNDS = 6
FEWEST_LABELS_PER_ROUND = 8
EXPLORE_FIRST = 0.5
EXPLORE_LATER = 0.15
RESERVED_FOR_BINDING = 1
KEPT_FOR_LATER = 0.6


@dataclass(frozen=True)
class Budget:
    """What the loop may spend and when it may stop."""

    insertions: int
    max_labels: int
    max_rounds: int
    target_error: float
    adaptive: bool

    def table_sizes(self) -> list[int]:
        """Return the insertions of each table; they add up to the whole."""
        count = min(len(TABLE_SHARES), self.max_rounds)
        shares = TABLE_SHARES[-count:]
        sizes = [int(self.insertions * s / sum(shares)) for s in shares]
        sizes[-1] += self.insertions - sum(sizes)
        return sizes

    def pilot(self) -> int:
        """Return the uniform insertions that the first proposal is learned from."""
        return max(FEWEST_PILOT, min(MOST_PILOT, int(PILOT_SHARE * self.insertions)))

    def labels_per_round(self) -> int:
        """Return the expected labels of a round."""
        usable = max(1, self.max_labels - RESERVED_FOR_BINDING)
        return max(
            min(FEWEST_LABELS_PER_ROUND, usable),
            math.ceil(usable / min(self.max_rounds, PLANNED_ROUNDS)),
        )


@dataclass
class RoundLog:
    """What one round did, for tables and pictures."""

    number: int
    table: Table
    route: RouteRecord
    fit: FitRecord
    records: list[RoundRecord]
    labels_total: int
    combined: list[Combined]
    seconds: float


@dataclass
class LoopOutcome:
    """Everything the results are written from."""

    rounds: list[RoundLog]
    tables: list[Table]
    check: CheckRecord
    labels: int
    label_failures: int
    reference_seconds: float
    stopped_because: str
    combined: list[Combined] = field(default_factory=list)


def run_loop(
    context: RunContext,
    budget: Budget,
    stages: Stages,
    accept_offset: bool,
    after_round: Callable[[LoopOutcome], None],
) -> LoopOutcome:
    """Run rounds until the target, the label budget or the round limit is reached.

    Args:
        context: the run.
        budget: what may be spent.
        stages: how stages are run.
        accept_offset: use a reference that fails its self-check.
        after_round: called with all rounds so far.
    """
    say = stages.reporter.say
    check = stages.call(
        check_reference_level, CheckItem(stages.run_dir, accept_offset), "labels", "reference check"
    )
    say(f"reference {context.reference}: {check.message}")
    pilot = _pilot(budget, stages)
    if budget.max_rounds > 1:
        stages.call(pretrain, PretrainItem(stages.run_dir, PILOT_TABLE), "train", "pretraining")
    outcome = LoopOutcome([], [], check, 0, 0, 0.0, "")
    sizes = budget.table_sizes()
    for number in range(1, budget.max_rounds + 1):
        log = _round(context, budget, stages, outcome, number, sizes, pilot)
        outcome.rounds.append(log)
        outcome.combined = log.combined
        _tell(stages, log)
        after_round(outcome)
        outcome.stopped_because = _stop(budget, outcome)
        if outcome.stopped_because:
            break
    return outcome


def _pilot(budget: Budget, stages: Stages) -> Table:
    pilot = stages.draw_table(PILOT_TABLE, budget.pilot(), None, 0)
    stages.reporter.say(f"pilot: {pilot.insertions:,} uniform insertions at the baseline")
    return pilot


def _table(
    budget: Budget,
    stages: Stages,
    outcome: LoopOutcome,
    number: int,
    sizes: list[int],
    pilot: Table,
) -> Table:
    """Return the table of a round, drawing it when the round brings a new one."""
    if number > len(sizes):
        return outcome.tables[-1]
    source: Table | None = outcome.tables[-1] if outcome.tables else pilot
    if not budget.adaptive:
        source = None
    table = stages.draw_table(number, sizes[number - 1], source, number - 1)
    outcome.tables.append(table)
    return table


def _round(
    context: RunContext,
    budget: Budget,
    stages: Stages,
    outcome: LoopOutcome,
    number: int,
    sizes: list[int],
    pilot: Table,
) -> RoundLog:
    began = time.monotonic()
    table = _table(budget, stages, outcome, number, sizes, pilot)
    fitted = stages.call(
        fit,
        FitItem(stages.run_dir, number, tuple(range(1, number))),
        "train",
        f"round {number} training",
    )
    stages.score(number, table)
    remaining = budget.max_labels - RESERVED_FOR_BINDING - outcome.labels
    tables_left = max(0, len(sizes) - number)
    expected = _expected(budget, remaining, tables_left)
    route = stages.call(
        route_round,
        RouteItem(
            stages.run_dir,
            number,
            table.number,
            table.batches,
            expected_labels=expected,
            most_labels=max(1, int(remaining - KEPT_FOR_LATER * expected * tables_left)),
            explore_share=EXPLORE_FIRST if number == 1 else EXPLORE_LATER,
        ),
        "train",
        f"round {number} routing",
    )
    labelled = stages.label(number, route.rows_to_label)
    outcome.labels += sum(r.labels for r in labelled)
    outcome.label_failures += sum(r.failures for r in labelled)
    outcome.reference_seconds += sum(r.seconds for r in labelled)
    records = stages.call(
        estimate_round,
        EstimateItem(stages.run_dir, number, table.number, table.batches, route),
        "train",
        f"round {number} estimate",
    )
    combined = [
        combine_rounds([r.records[k] for r in outcome.rounds] + [records[k]])
        for k in range(len(context.temperatures_k))
    ]
    return RoundLog(
        number,
        table,
        route,
        fitted,
        records,
        outcome.labels,
        combined,
        time.monotonic() - began,
    )


def _expected(budget: Budget, remaining: int, tables_left: int) -> float:
    """Return the labels to expect, with room for the scatter of the draw and later tables."""
    wanted = float(budget.labels_per_round())
    if tables_left > 0:
        wanted = min(wanted, remaining / (tables_left + 1))
    room = (math.sqrt(remaining + 1.0) - 1.0) ** 2
    return max(1.0, min(wanted, room))


def _stop(budget: Budget, outcome: LoopOutcome) -> str:
    number = len(outcome.rounds)
    errors = [c.estimate.relative_standard_error for c in outcome.combined]
    enough = outcome.labels >= MIN_LABELS and number >= min(MIN_ROUNDS, budget.max_rounds)
    if enough and max(errors) <= budget.target_error:
        return "target error reached"
    if number >= budget.max_rounds:
        return "round limit reached"
    remaining = budget.max_labels - RESERVED_FOR_BINDING - outcome.labels
    more_tables = number < len(budget.table_sizes())
    fewest = 1 if more_tables else FEWEST_LABELS_PER_ROUND
    if remaining < min(fewest, budget.labels_per_round()):
        return "label budget spent"
    return ""


def _tell(stages: Stages, log: RoundLog) -> None:
    combined = log.combined[0]
    record = log.records[0]
    own = record.estimate.moments
    stages.reporter.say(
        f"round {log.number}: {log.route.drawn} labels drawn ({log.labels_total} paid), "
        f"<exp(-U/RT)> {own.mean[0]:.4g} alone, {combined.mean[0]:.4g} "
        f"+- {100 * combined.estimate.relative_standard_error:.1f} % combined; surrogate off by "
        f"{record.surrogate_mae_kj_per_mol:.2f} kJ/mol"
    )
