"""The reference runs of a screen: one more round of one of them, and their results at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from data.errors import CampaignStopped, DeadWorkerError, TransientError
from data.store import read_rows
from flows.campaign.costs import remember_cost
from flows.campaign.drive import UnitExecutor, labels_so_far
from flows.campaign.engine import Engine
from flows.campaign.live import now
from flows.campaign.screen.record import Found
from flows.campaign.units import Unit
from flows.campaign.work import write_unit_report
from flows.console import SilentReporter
from flows.executors import Executor
from flows.run import ReferenceRun, open_reference_run

Result = TypeVar("Result")


class Runs:
    """Reference runs that are open, by unit. One thread a unit at a time.

    Args:
        engine: gives executors and keeps the counts.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: dict[str, tuple[ReferenceRun, UnitExecutor, Executor]] = {}

    def advance(self, unit: Unit, number: int, temperature_k: float, labels_before: int) -> Found:
        """Bring a run to a round and return what it then knows.

        Args:
            unit: the run.
            number: of the round wanted.
            temperature_k: temperature asked for.
            labels_before: labels that the screen has paid in this run before.
        """
        self._engine.live.begin(unit, labels_before)
        try:
            run = self._shown(unit, f"round:{number}", lambda: self._rounds(unit, number))
        finally:
            self._engine.live.wait(unit)
        return _found(unit, run, temperature_k, labels_before)

    def finish(self, unit: Unit, number: int, labels: int, because: str) -> None:
        """Write the results of a run after its last round.

        Args:
            unit: the run.
            number: of its last round.
            labels: paid in it so far.
            because: why there are no more rounds.
        """
        live = self._engine.live
        live.begin(unit, labels)
        try:
            self._shown(unit, "closing", lambda: self._finish(unit, number, because))
            live.finish(unit)
        except BaseException:
            live.wait(unit)
            raise

    def _finish(self, unit: Unit, number: int, because: str) -> None:
        run = self._rounds(unit, number)
        _, _, executor = self._open.pop(unit.id)
        results = run.finish(run.outcome.stopped_because or because)
        folder = str(unit.settings.out)
        executor.call(write_unit_report, folder, kind="train", run_name=f"{unit.host_id} report")
        remember_cost(unit, results[0])
        self._engine.view.unit_finished(unit, self._engine.folder.unit_results(unit), executor)

    def _shown(self, unit: Unit, tag: str, work: Callable[[], Result]) -> Result:
        """Do work of a unit as a run of its own in the UI."""
        tags = [*self._engine.tags(unit), f"level:{unit.level}", tag]
        return self._engine.view.subflow(work, name=unit.title, tags=tags)

    def _rounds(self, unit: Unit, number: int) -> ReferenceRun:
        """Return a run after a round; one that a lost worker broke is opened again."""
        for attempt in range(1, self._engine.limits.attempts + 1):
            try:
                run = self._opened(unit)
                while len(run.outcome.rounds) < number:
                    run.advance()
                return run
            except (TransientError, CampaignStopped) as error:
                self._open.pop(unit.id, None)
                last = attempt == self._engine.limits.attempts
                if last or isinstance(error, DeadWorkerError | CampaignStopped):
                    raise
                self._engine.reporter.say(f"{unit.title}: {error} Trying again.")
            except BaseException:
                self._open.pop(unit.id, None)
                raise
        raise AssertionError("at least one attempt")

    def _opened(self, unit: Unit) -> ReferenceRun:
        limit_s = 3600.0 * self._engine.limits.unit_hours
        if unit.id not in self._open:
            own = self._engine.executor(unit)
            executor = self._engine.view.page(own)

            def publish(_: Path) -> None:
                self._engine.live.paid(unit, labels_so_far(unit))
                self._engine.view.round_finished(unit, executor)

            # A screen that got a larger budget goes on with a run that it had closed.
            (Path(unit.settings.out) / "result.json").unlink(missing_ok=True)
            run = open_reference_run(unit.settings, executor, SilentReporter(), publish)
            self._open[unit.id] = (run, own, executor)
        run, own, _ = self._open[unit.id]
        own.allow_until(time.monotonic() + limit_s)
        return run


def _found(unit: Unit, run: ReferenceRun, temperature_k: float, labels_before: int) -> Found:
    outcome = run.outcome
    temperatures = unit.settings.temperatures_k
    k = min(range(len(temperatures)), key=lambda i: abs(temperatures[i] - temperature_k))
    rows = read_rows(Path(unit.settings.out) / "rounds.parquet")
    row = [r for r in rows if r["temperature_k"] == temperatures[k]][-1]
    freedom = outcome.combined[k].degrees_of_freedom
    positive = row["henry"] > 0.0
    return Found(
        labels=outcome.labels - labels_before,
        labels_total=outcome.labels,
        henry_mol_per_kg_pa=row["henry"] if positive else None,
        relative_standard_error=row["relative_standard_error"] if positive else None,
        degrees_of_freedom=freedom if freedom != float("inf") else None,
        qst_kj_per_mol=row["qst_kj_per_mol"],
        qst_standard_error=row["qst_standard_error"],
        finished=now(),
        closed=outcome.stopped_because,
    )
