"""The loop: route, label, estimate, retrain, until the interval is as narrow as asked.

It composes tasks on an executor and knows nothing of Prefect or Dask, so that every way of
running it gives the same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from chem.allocation import FEWEST_LABELS, Outlook, Schedule
from chem.combine import Combined, combine
from data.errors import ReferenceFailedError
from flows.stages import Stages, Table
from tasks.check import CheckItem, CheckRecord, check_reference_level
from tasks.context import RunContext
from tasks.estimate import EstimateItem, RoundRecord, estimate_round
from tasks.labels import LabelRecord
from tasks.paths import PILOT_TABLE
from tasks.routing import RouteItem, RouteRecord, route_round
from tasks.training import FitItem, FitRecord, PretrainItem, fit, pretrain

PILOT_SHARE = 0.2
MOST_PILOT = 200_000
FEWEST_PILOT = 2_000
MIN_ROUNDS = 3
MIN_LABELS = 100
"""Labels before a run may stop on its target; fewer hardly show what a surrogate missed."""
MIN_LABELS_WITH_MODEL = 40
"""The same of a run that starts from a model of other hosts, which knows the likely sites."""
EXPLORE_FIRST = 0.5
EXPLORE_LATER = 0.15
RESERVED_FOR_BINDING = 1
MOST_FAILED_SHARE = 0.8
FEWEST_TO_JUDGE = 12
"""Labels from which on a reference that mostly fails ends its run."""


@dataclass(frozen=True)
class Budget:
    """What the loop may spend and when it may stop."""

    insertions: int
    max_labels: int
    max_rounds: int
    target_error: float
    adaptive: bool
    first_labels: int | None = None
    min_labels: int = MIN_LABELS

    def pilot(self) -> int:
        """Return the uniform insertions that the first proposal is learned from."""
        return max(FEWEST_PILOT, min(MOST_PILOT, int(PILOT_SHARE * self.insertions)))

    @cached_property
    def schedule(self) -> Schedule:
        """Labels and weights of the rounds."""
        most = max(1, self.max_labels - RESERVED_FOR_BINDING)
        return Schedule(most, self.max_rounds, self.first_labels)


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


class Loop:
    """The rounds of one run, one at a time.

    Args:
        context: the run.
        budget: what may be spent.
        stages: how stages are run.
        accept_offset: use a reference that fails its self-check.
        after_round: called with all rounds so far.
    """

    def __init__(
        self,
        context: RunContext,
        budget: Budget,
        stages: Stages,
        accept_offset: bool,
        after_round: Callable[[LoopOutcome], None],
    ) -> None:
        self._context, self._budget, self._stages = context, budget, stages
        self._after_round = after_round
        check = stages.call(
            check_reference_level,
            CheckItem(stages.run_dir, accept_offset),
            "labels",
            "reference check",
        )
        stages.reporter.say(f"reference {context.reference}: {check.message}")
        self._pilot = _pilot(budget, stages)
        if budget.max_rounds > 1:
            stages.call(pretrain, PretrainItem(stages.run_dir, PILOT_TABLE), "train", "pretraining")
        self.outcome = LoopOutcome([], [], check, 0, 0, 0.0, "")

    def advance(self) -> LoopOutcome:
        """Do one more round and return all so far; ``stopped_because`` says when to stop.

        Raises:
            ReferenceFailedError: most reference calls gave no energy.
        """
        outcome, number = self.outcome, len(self.outcome.rounds) + 1
        log = _round(self._context, self._budget, self._stages, outcome, number, self._pilot)
        outcome.rounds.append(log)
        outcome.combined = log.combined
        _tell(self._stages, log)
        self._after_round(outcome)
        outcome.stopped_because = _stop(self._budget, outcome)
        return outcome


def _pilot(budget: Budget, stages: Stages) -> Table:
    pilot = stages.draw_pilot(budget.pilot())
    stages.reporter.say(f"pilot: {pilot.insertions:,} uniform insertions at the baseline")
    return pilot


def _round(
    context: RunContext,
    budget: Budget,
    stages: Stages,
    outcome: LoopOutcome,
    number: int,
    pilot: Table,
) -> RoundLog:
    began = time.monotonic()
    fitted = stages.call(
        fit,
        FitItem(stages.run_dir, number, tuple(range(1, number))),
        "train",
        f"round {number} training",
    )
    outlook = stages.learn(number, [pilot, *outcome.tables], budget.adaptive)
    table = stages.draw_table(number, _insertions(budget, outcome, number, outlook))
    outcome.tables.append(table)
    stages.score(number, table)
    route = _route(budget, stages, outcome, table)
    labelled = stages.label(number, route.rows_to_label)
    outcome.labels += sum(r.labels for r in labelled)
    outcome.label_failures += sum(r.failures for r in labelled)
    outcome.reference_seconds += sum(r.seconds for r in labelled)
    _refuse_failing(context, outcome, labelled)
    records = stages.call(
        estimate_round,
        EstimateItem(
            stages.run_dir,
            number,
            number,
            table.batches,
            route,
            budget.schedule.weight(number),
        ),
        "train",
        f"round {number} estimate",
    )
    combined = [
        combine([log.records[k].estimate for log in outcome.rounds] + [records[k].estimate])
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


def _refuse_failing(
    context: RunContext, outcome: LoopOutcome, labelled: Sequence[LabelRecord]
) -> None:
    """Stop where most calls fail: what is left would be the surrogate's answer."""
    few = outcome.labels < FEWEST_TO_JUDGE
    if few or outcome.label_failures <= MOST_FAILED_SHARE * outcome.labels:
        return
    reason = next((r.reason for r in labelled if r.reason), "no reason given")
    raise ReferenceFailedError(
        f"{outcome.label_failures} of {outcome.labels} calls of the reference {context.reference} "
        f"gave no energy (the first: {reason}). Mend the reference's settings; labels already "
        "paid are kept."
    )


def _insertions(budget: Budget, outcome: LoopOutcome, number: int, outlook: Outlook) -> int:
    """Return the insertions of a round's table."""
    left = budget.insertions - sum(t.insertions for t in outcome.tables)
    most = budget.schedule.most_insertions(number, left)
    return outlook.insertions(budget.schedule.lots[number - 1], budget.target_error, most)


def _route(budget: Budget, stages: Stages, outcome: LoopOutcome, table: Table) -> RouteRecord:
    """Draw the labels of a round, no more than are left."""
    left = max(1, budget.schedule.max_labels - outcome.labels)
    item = RouteItem(
        stages.run_dir,
        table.number,
        table.number,
        table.batches,
        expected_labels=min(budget.schedule.lots[table.number - 1], float(left)),
        most_labels=left,
        explore_share=EXPLORE_FIRST if table.number == 1 else EXPLORE_LATER,
    )
    return stages.call(route_round, item, "train", f"round {table.number} routing")


def _stop(budget: Budget, outcome: LoopOutcome) -> str:
    number = len(outcome.rounds)
    errors = [c.interval_error for c in outcome.combined]
    enough = outcome.labels >= budget.min_labels and number >= min(MIN_ROUNDS, budget.max_rounds)
    if enough and max(errors) <= budget.target_error:
        return "target error reached"
    if number >= budget.max_rounds:
        return "round limit reached"
    left = budget.schedule.max_labels - outcome.labels
    if number >= len(budget.schedule.lots) or left < min(FEWEST_LABELS, budget.max_labels):
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
