"""One run from settings to files, on any executor."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.errors import RunFolderError
from flows.console import Reporter
from flows.executors import Executor
from flows.loop import MIN_LABELS, MIN_LABELS_WITH_MODEL, Budget, Loop, LoopOutcome
from flows.prepare import prepare
from flows.results import (
    Clock,
    classical_results,
    loop_results,
    round_rows,
    write_results,
    write_rounds,
)
from flows.settings import HenrySettings
from flows.stages import Stages, Table
from tasks.binding import BindingItem, BindingRecord, find_binding_site
from tasks.classical import ClassicalItem, average_classical
from tasks.context import RunContext
from tasks.finish import ConsolidateItem, consolidate_batch, remove_parts
from tasks.models import AdoptItem, adopt_model
from tasks.pores import PoresItem, find_pores
from tasks.sites import SitesItem, find_sites


def finished_results(run_dir: Path) -> list[dict[str, Any]] | None:
    """Return the results of a finished run folder, or None."""
    path = run_dir / "result.json"
    if not path.exists():
        return None
    try:
        results: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError) as error:
        raise RunFolderError(
            f"Cannot read {path}: {error}. Remove it and run again: finished work is kept."
        ) from error
    return results


def run(
    settings: HenrySettings,
    executor: Executor,
    reporter: Reporter,
    *,
    shuffle_labels: bool = False,
    publish: Callable[[Path], None] | None = None,
) -> list[dict[str, Any]]:
    """Do a run, or what is missing of it, and return one result per temperature.

    Args:
        settings: what to do.
        executor: where tasks run.
        reporter: where progress is told.
        shuffle_labels: see :func:`flows.prepare.prepare`.
        publish: called with the run folder after each round, once rounds.parquet is written.

    Raises:
        InputError: something given cannot be used.
    """
    began = time.monotonic()
    context = prepare(settings, shuffle_labels=shuffle_labels)
    done = finished_results(settings.run_dir)
    if done is not None:
        reporter.say(f"{settings.run_dir} is finished: its results are shown")
        return done
    stages = _stages(settings, context, executor, reporter)
    if settings.reference == "classical":
        return _classical(settings, context, stages, began)
    return _with_reference(settings, context, stages, publish)


def _stages(
    settings: HenrySettings, context: RunContext, executor: Executor, reporter: Reporter
) -> Stages:
    host = context.system.host
    title = f"{host.name} {context.system.guest.name}"
    reporter.say(
        f"{title}: {len(host.elements)} atoms, {host.volume_angstrom3:.0f} cubic angstrom, "
        f"baseline {context.system.pairs.force_field}"
    )
    return Stages(executor, reporter, str(settings.run_dir), title)


def open_reference_run(
    settings: HenrySettings,
    executor: Executor,
    reporter: Reporter,
    publish: Callable[[Path], None] | None = None,
) -> ReferenceRun:
    """Prepare a run at a reference level for rounds one at a time; see :class:`ReferenceRun`.

    Rounds whose files are there are done again from them, at no cost.

    Raises:
        InputError: something given cannot be used.
    """
    context = prepare(settings)
    return ReferenceRun(settings, context, _stages(settings, context, executor, reporter), publish)


def _classical(
    settings: HenrySettings, context: RunContext, stages: Stages, began: float
) -> list[dict[str, Any]]:
    item = ClassicalItem(stages.run_dir, settings.keeps_insertions)
    record = stages.call(average_classical, item, "insertions", "classical average")
    for note in record.notes:
        stages.reporter.say(note)
    stages.reporter.say(
        f"{record.insertions:,} insertions by {record.energies} energies, after "
        f"{record.evaluated - record.insertions:,} to learn where"
    )
    sites = stages.call(find_sites, SitesItem(stages.run_dir), "insertions", "binding sites")
    clock = Clock(time.monotonic() - began, 0.0)
    results = classical_results(settings, context, record, sites, clock)
    write_rounds(settings.run_dir, [])
    write_results(settings.run_dir, results, sites.binding)
    return results


class ReferenceRun:
    """A run at a reference level, one round at a time.

    Args:
        settings: what to do.
        context: the prepared run.
        stages: how stages are run.
        publish: called with the run folder after each round.
    """

    def __init__(
        self,
        settings: HenrySettings,
        context: RunContext,
        stages: Stages,
        publish: Callable[[Path], None] | None = None,
    ) -> None:
        self._began = time.monotonic()
        self._settings, self._context, self._stages = settings, context, stages
        self._publish = publish
        self._pores = stages.call(find_pores, PoresItem(stages.run_dir), "insertions", "pores")
        if context.model:
            item = AdoptItem(stages.run_dir, context.model)
            stages.call(adopt_model, item, "train", f"model {context.model}")
        self._loop = Loop(
            context, _budget(settings), stages, settings.accept_offset, self._after_round
        )

    @property
    def outcome(self) -> LoopOutcome:
        """All rounds so far."""
        return self._loop.outcome

    def advance(self) -> LoopOutcome:
        """Do one more round; see :meth:`flows.loop.Loop.advance`."""
        return self._loop.advance()

    def finish(self, stopped_because: str = "") -> list[dict[str, Any]]:
        """Write the results of the rounds done and return them.

        Args:
            stopped_because: why no more rounds are wanted; default: what the loop says.
        """
        outcome, stages, settings = self.outcome, self._stages, self._settings
        outcome.stopped_because = stopped_because or outcome.stopped_because
        table, last = outcome.tables[-1], len(outcome.rounds)
        binding = _binding(stages, table, last, may_label=outcome.labels < settings.max_labels)
        outcome.labels += binding.labels
        clock = Clock(time.monotonic() - self._began, outcome.reference_seconds)
        results = loop_results(settings, self._context, outcome, binding, self._pores, clock)
        _close(stages, outcome.tables, _last_rounds(outcome), settings.run_dir, results, binding)
        return results

    def _after_round(self, outcome: LoopOutcome) -> None:
        write_rounds(self._settings.run_dir, round_rows(self._context, outcome))
        if self._publish:
            self._publish(self._settings.run_dir)


def _with_reference(
    settings: HenrySettings,
    context: RunContext,
    stages: Stages,
    publish: Callable[[Path], None] | None,
) -> list[dict[str, Any]]:
    run_of_rounds = ReferenceRun(settings, context, stages, publish)
    while not run_of_rounds.outcome.stopped_because:
        run_of_rounds.advance()
    return run_of_rounds.finish()


def _budget(settings: HenrySettings) -> Budget:
    usual = MIN_LABELS_WITH_MODEL if settings.model else MIN_LABELS
    return Budget(
        settings.insertions,
        settings.max_labels,
        settings.max_rounds,
        settings.wanted_error,
        settings.sampling == "adaptive",
        settings.first_labels,
        usual if settings.min_labels is None else settings.min_labels,
    )


def _last_rounds(outcome: LoopOutcome) -> dict[int, int]:
    """Return the last round that scored each table."""
    return {log.table.number: log.number for log in outcome.rounds}


def _binding(stages: Stages, table: Table, round_number: int, may_label: bool) -> BindingRecord:
    item = BindingItem(stages.run_dir, table.number, table.batches, round_number, may_label)
    return stages.call(find_binding_site, item, "labels", "binding site")


def _close(
    stages: Stages,
    tables: list[Table],
    last_rounds: dict[int, int],
    run_dir: Path,
    results: list[dict[str, Any]],
    binding: BindingRecord,
) -> None:
    items = [
        ConsolidateItem(stages.run_dir, t.number, k, last_rounds.get(t.number, 0))
        for t in tables
        for k in range(t.batches)
    ]
    stages.map(consolidate_batch, items, "insertions", "closing")
    write_results(run_dir, results, binding)
    remove_parts(stages.run_dir)
