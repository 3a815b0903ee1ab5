"""The engine of a campaign: many units at once on shared workers, none in another's way.

Each unit is driven by a thread of this process that waits while workers compute. Short classical
units come first, by the size of their host; reference units, whose stages follow each other, run
beside them in a bounded number, and fill the workers once the classical ones are done.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from data.errors import (
    CampaignStopped,
    DeadWorkerError,
    StorageError,
    TransientError,
    WidomillError,
)
from data.shortage import KEPT, shortage_of
from data.store import write_text
from flows.campaign.costs import remember_cost
from flows.campaign.drive import (
    UnitExecutor,
    drive_classical,
    drive_reference,
    failure_of,
    labels_so_far,
)
from flows.campaign.folder import CampaignFolder
from flows.campaign.live import Live
from flows.campaign.settings import Limits
from flows.campaign.units import Unit
from flows.campaign.view import CampaignView
from flows.console import Reporter
from flows.executors import Kind
from flows.pool_executor import PoolExecutor
from flows.pools import Pools
from flows.stages import CHUNK_SIZE

TICK_S = 3.0
GATE_S = 1.0
STOP_S = 10.0
TOLD_S = 30.0
CLASSICAL_PRIORITY, REFERENCE_PRIORITY = 0, 10
QUEUED_PER_WORKER = 2
"""Classical units in hand for each worker: one runs, one waits."""
LOOPS_PER_WORKER = 4
"""Reference units in hand: their stages follow each other, so that many keep workers busy."""
RESTART_S = 10.0
"""What a reference's own process may take to start again after a call that was given up."""


@dataclass
class Engine:
    """Runs the units that are waiting. One engine a campaign folder; see ``lock.claimed``.

    Args:
        folder: of the campaign.
        units: all units of the plan.
        limits: when to give a unit up.
        pools: the workers.
        view: who watches.
        reporter: where progress is told.
        retry_failed: also try units that failed for a reason that lasts.
    """

    folder: CampaignFolder
    units: list[Unit]
    limits: Limits
    pools: Pools
    view: CampaignView
    reporter: Reporter
    name: str = "campaign"
    retry_failed: bool = False
    live: Live = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _ended: SimpleQueue[Unit] = field(default_factory=SimpleQueue)
    _active: dict[str, Unit] = field(default_factory=dict)
    _base_cpu_s: float = 0.0
    _told: float = -TOLD_S
    _told_done: int = 0
    _short: StorageError | None = None

    def __post_init__(self) -> None:
        states = self.folder.states(self.units)
        for unit in self.folder.left(self.units, states, self.retry_failed):
            if states[unit.id] == "failed":
                self.folder.forget_failure(unit)
            states[unit.id] = "waiting"  # running ones are a dead engine's
        self.live = Live({u.id: u for u in self.units}, states, self.pools.workers)

    def run(self, only: Iterable[Unit] | None = None) -> bool:
        """Run what is waiting and return whether all of it came to an end.

        Args:
            only: units to look at; default: all.

        Raises:
            KeyboardInterrupt: passed on, with the folder ready to resume.
            StorageError: files cannot be written; no unit is recorded as failed for it.
        """
        waiting = [u for u in only or self.units if self.live.states[u.id] == "waiting"]
        waiting.sort(key=_size)
        classical = deque(u for u in waiting if u.is_classical)
        references = deque(u for u in waiting if not u.is_classical)
        self._base_cpu_s = self.pools.cpu_seconds(now=True)
        self.tick()
        ticked = time.monotonic()
        try:
            while (classical or references or self._active) and not self._stopping.is_set():
                if self._wanted() == "go":
                    self._fill(classical, references)
                self._collect()
                if time.monotonic() - ticked > TICK_S:
                    self.tick()
                    ticked = time.monotonic()
        except BaseException:
            self.stop()
            raise
        finally:
            self._wait_for_drivers()
            self.tick(now=True)
        self.refuse_shortage()
        return not (classical or references or self._stopping.is_set())

    def stop(self) -> None:
        """Begin no more stages; what is running ends with its workers."""
        self._stopping.set()

    def hold(self) -> None:
        """Wait while the campaign is paused.

        Raises:
            CampaignStopped: it has been asked to stop.
        """
        while not self._stopping.is_set():
            if self._wanted() == "go":
                return
            time.sleep(GATE_S)
        raise CampaignStopped("the campaign was asked to stop; resume it to go on")

    def tick(self, *, now: bool = False) -> None:
        """Write what is going on, and show it; ``now`` asks the workers what they have used."""
        self.live.cpu_s = self.pools.cpu_seconds(now=now) - self._base_cpu_s
        told = self.live.as_dict()
        try:
            self.folder.write_live(told)
        except StorageError as error:
            self._run_short(error)
        self._tell(told)
        self.view.moved(told)

    def refuse_shortage(self) -> None:
        """Raise what made the campaign stop, if it was that files cannot be written."""
        if self._short is not None:
            raise StorageError(
                f"{str(self._short).removesuffix(KEPT)}The campaign has stopped as a whole: what "
                "is finished is kept, nothing counts as failed. Then go on with `widomill campaign "
                f"resume {self.folder.path}`."
            ) from self._short

    def _run_short(self, error: StorageError) -> None:
        """Stop: what would be done next could not be kept either."""
        self._short = self._short or error
        self.stop()

    def _tell(self, told: dict[str, Any]) -> None:
        """Move the bar on a terminal; elsewhere print a line now and then."""
        counts = told["counts"]
        done = counts["finished"] + counts["failed"]
        if sys.stderr.isatty():
            self.reporter.step(self.name, done, max(1, counts["total"]))
        elif time.monotonic() - self._told > TOLD_S or done > self._told_done:
            self._told, self._told_done = time.monotonic(), done
            stages = sorted(f"{e['stage']} {e['done']}/{e['total']}" for e in told["running"])
            self.reporter.say(
                f"{done} of {counts['total']} units ({counts['failed']} failed), "
                f"{told['labels']} labels; {'; '.join(stages[:2])}"
            )

    def executor(self, unit: Unit) -> UnitExecutor:
        """Return the executor of a unit's stages."""
        until = time.monotonic() + 3600.0 * self.limits.unit_hours
        limits: dict[Kind, float] = {
            "labels": CHUNK_SIZE * (self.limits.label_seconds + RESTART_S),
            "insertions": 3600.0 * self.limits.unit_hours,
            "scores": 3600.0 * self.limits.unit_hours,
            "train": 3600.0 * self.limits.unit_hours,
        }
        priority = CLASSICAL_PRIORITY if unit.is_classical else REFERENCE_PRIORITY
        inner = PoolExecutor(self.pools, priority=priority, limits_s=limits)
        return UnitExecutor(inner, self.view, unit, self.live, self.tags(unit), self.hold, until)

    def tags(self, unit: Unit) -> list[str]:
        """Return the tags of a unit's runs in the UI."""
        return [f"campaign:{self.name}", f"host:{unit.host_id}", f"guest:{unit.guest}"]

    def _wanted(self) -> str:
        wanted = self.view.gate()
        if wanted == "stop":
            self.stop()
        return wanted

    def _fill(self, classical: deque[Unit], references: deque[Unit]) -> None:
        """Start drivers until no worker can be without work."""
        workers, apart = self.pools.workers, len(self.pools.status()) > 1
        loops = LOOPS_PER_WORKER * workers if apart or not classical else max(1, workers // 2)
        while references and self._count(False) < loops:
            self._start(references.popleft())
        while classical and self._count(True) < QUEUED_PER_WORKER * workers:
            self._start(classical.popleft())

    def _count(self, classical: bool) -> int:
        return sum(unit.is_classical == classical for unit in self._active.values())

    def _start(self, unit: Unit) -> None:
        self._active[unit.id] = unit
        self.live.begin(unit)
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._drive, unit), name=unit.id, daemon=True
        ).start()

    def _collect(self) -> None:
        """Wait a little for a unit to end, and take all that have."""
        try:
            self._active.pop(self._ended.get(timeout=GATE_S).id, None)
            while True:
                self._active.pop(self._ended.get_nowait().id, None)
        except Empty:
            return

    def _drive(self, unit: Unit) -> None:
        """Do one unit in this thread, whatever happens, and say that it has ended."""
        try:
            self._attempt(unit)
            self.live.finish(unit)
        except BaseException as error:
            self._end(unit, error)
        finally:
            self._ended.put(unit)

    def _attempt(self, unit: Unit) -> None:
        for attempt in range(1, self.limits.attempts + 1):
            try:
                self._do(unit)
                return
            except TransientError as error:
                last = attempt == self.limits.attempts or self._stopping.is_set()
                if last or isinstance(error, DeadWorkerError):
                    raise
                self.reporter.say(f"{unit.title}: {error} Trying again.")

    def _do(self, unit: Unit) -> None:
        executor = self.view.page(self.executor(unit))

        def after_round() -> None:
            self.live.paid(unit, labels_so_far(unit))
            self.view.round_finished(unit, executor)

        def work() -> None:
            if unit.is_classical:
                drive_classical(unit, executor)
            else:
                drive_reference(unit, executor, after_round)
            results = self.folder.unit_results(unit)
            remember_cost(unit, results[0])
            self.view.unit_finished(unit, results, executor)

        if unit.is_classical:
            work()
        else:
            tags = [*self.tags(unit), f"level:{unit.level}"]
            self.view.subflow(work, name=unit.title, tags=tags)

    def _end(self, unit: Unit, error: BaseException) -> None:
        """Give a unit up, unless it is the campaign that cannot go on."""
        short = shortage_of(error)
        try:
            if short is None:
                self.give_up(unit, error)
        except StorageError as not_recorded:
            short = not_recorded
        if short is not None:
            self._run_short(short)
            self.live.wait(unit)

    def give_up(self, unit: Unit, error: BaseException) -> None:
        """Record why a unit has no answer; an interrupted one waits for the next time.

        Raises:
            StorageError: it cannot be recorded.
        """
        if isinstance(error, CampaignStopped) or self._stopping.is_set():
            self.live.wait(unit)
            return
        attempts = self.limits.attempts if isinstance(error, TransientError) else 1
        failure = failure_of(unit, error, attempts)
        if not isinstance(error, WidomillError):
            text = "".join(traceback.format_exception(error))
            write_text(self.folder.path / "failures" / f"{unit.id}.txt", text)
        self.folder.record_failure(failure)
        self.live.fail(unit, failure)
        self.reporter.say(f"{unit.title} failed: {failure.reason}")
        self.view.unit_failed(unit, failure)

    def _wait_for_drivers(self) -> None:
        """Give drivers of a stopped campaign a moment to see it; their workers end soon."""
        until = time.monotonic() + STOP_S
        while self._active and time.monotonic() < until:
            self._collect()


def _size(unit: Unit) -> tuple[int, str]:
    """Return what units are sorted by: bytes of the host's file, a bundled one's as well."""
    from data.bundled import bundled_files

    path = Path(unit.settings.host)
    if path.is_file():
        return path.stat().st_size, unit.id
    bundled: Any = bundled_files("hosts", ".cif").get(unit.settings.host)
    return (len(bundled.read_bytes()) if bundled is not None else 0), unit.id
