"""One unit of a campaign, driven from a thread: what it runs, and how its failure is told."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from data.errors import InputError, ReferenceFailedError, TimeLimitError, TransientError
from data.store import read_columns
from flows.campaign.folder import Failure
from flows.campaign.live import Live, now
from flows.campaign.units import Unit
from flows.campaign.view import CampaignView
from flows.campaign.work import UnitItem, run_classical_unit, write_unit_report
from flows.console import SilentReporter
from flows.executors import Executor, Kind, PagelessExecutor, Progress
from flows.run import run

Item = TypeVar("Item")
Record = TypeVar("Record")


class UnitExecutor(PagelessExecutor):
    """Runs the stages of one unit on shared workers and tells how far they are.

    Args:
        inner: runs the items.
        view: shows each stage.
        unit: the unit.
        live: counts.
        tags: of the unit's stages.
        hold: called before each stage; waits while the campaign is paused, raises when it stops.
        until: time.monotonic() after which no stage begins.
    """

    def __init__(
        self,
        inner: Executor,
        view: CampaignView,
        unit: Unit,
        live: Live,
        tags: Sequence[str],
        hold: Callable[[], None],
        until: float,
    ) -> None:
        self._inner, self._view, self._unit, self._live = inner, view, unit, live
        self._tags, self._hold, self._until = tuple(tags), hold, until

    def allow_until(self, until: float) -> None:
        """Give the unit until another time.monotonic(), for another lot of its labels."""
        self._until = until

    def map(
        self,
        function: Callable[[Item], Record],
        items: Sequence[Item],
        *,
        kind: Kind,
        run_names: Sequence[str],
        progress: Progress | None = None,
    ) -> list[Record]:
        """Run a stage; see ``Executor.map``.

        Raises:
            TimeLimitError: the unit has had its time.
            CampaignStopped: the campaign was asked to stop.
        """
        self._hold()
        if time.monotonic() > self._until:
            raise TimeLimitError(
                f"{self._unit.title}: the time of one unit is spent (limits: unit_hours). Raise "
                "it and resume; what is finished is kept."
            )
        if not items:
            return []
        name = re.sub(r" \d+/\d+$", "", run_names[0])
        self._live.stage(self._unit, name, 0, len(items))

        def moved(done: int, total: int) -> None:
            self._live.stage(self._unit, name, done, total)
            if progress is not None:
                progress(done, total)

        work = partial(
            self._inner.map, function, items, kind=kind, run_names=run_names, progress=moved
        )
        return self._view.task(work, name=name, tags=[*self._tags, kind])


def drive_classical(unit: Unit, executor: Executor) -> None:
    """Do a classical unit as one item on a worker."""
    item = UnitItem(unit.id, unit.settings.model_dump_json())
    executor.call(run_classical_unit, item, kind="insertions", run_name=unit.title)


def drive_reference(unit: Unit, executor: Executor, after_round: Callable[[], None]) -> None:
    """Do the rounds of a reference unit, each stage on workers, and write its report.

    Args:
        unit: the unit.
        executor: of its stages.
        after_round: called when a round's rows are written.
    """
    folder = Path(unit.settings.out)

    def publish(_: Path) -> None:
        after_round()

    run(unit.settings, executor, SilentReporter(), publish=publish)
    executor.call(
        write_unit_report, str(folder), kind="train", run_name=f"{unit.host_id} {unit.guest} report"
    )


def labels_so_far(unit: Unit) -> int:
    """Return the reference calls that the rounds of a unit have used."""
    rounds = read_columns(Path(unit.settings.out) / "rounds.parquet", ["labels_total"])
    return int(rounds["labels_total"].max(initial=0))


def failure_of(unit: Unit, error: BaseException, attempts: int) -> Failure:
    """Return what to record of an error.

    Input errors come back whenever they are tried; time limits, lost workers and what nobody
    foresaw may not.
    """
    lasting = isinstance(error, InputError | ReferenceFailedError)
    reason = " ".join(str(error).split()) or "no reason given"
    if isinstance(error, MemoryError):
        reason = f"not enough memory ({reason}). Use fewer workers, or a machine with more"
    elif not isinstance(error, InputError | ReferenceFailedError | TimeLimitError | TransientError):
        reason = f"{type(error).__name__}: {reason}"
    return Failure(
        unit_id=unit.id,
        host_id=unit.host_id,
        guest=unit.guest,
        level=unit.level,
        error=type(error).__name__,
        reason=reason,
        when=now(),
        attempts=attempts,
        retry=not lasting,
    )
