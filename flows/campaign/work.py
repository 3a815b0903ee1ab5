"""What a worker does for a campaign besides the tasks of a run: a whole classical unit."""

from __future__ import annotations

from dataclasses import dataclass

from flows.settings import HenrySettings


@dataclass(frozen=True)
class UnitItem:
    """A unit to do in one piece; settings as JSON, so that little travels."""

    unit_id: str
    settings: str


@dataclass(frozen=True)
class UnitRecord:
    """A unit that is done: its wall time on the worker and the insertions it took."""

    unit_id: str
    seconds: float
    insertions: int


def run_classical_unit(item: UnitItem) -> UnitRecord:
    """Do a classical unit in this process, or take it as it is where it is done."""
    from flows.console import SilentReporter
    from flows.executors import PlainExecutor
    from flows.run import run

    settings = HenrySettings.model_validate_json(item.settings)
    results = run(settings, PlainExecutor(), SilentReporter())
    first = results[0]
    return UnitRecord(item.unit_id, float(first["wall_s"]), int(first["insertions_evaluated"]))


def write_unit_report(run_dir: str) -> str:
    """Write the report of a finished unit and return its path."""
    from pathlib import Path

    from flows.report import write_report

    return str(write_report(Path(run_dir)))
