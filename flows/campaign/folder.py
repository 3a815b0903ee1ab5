"""The folder of a campaign: what is planned, finished, failed and running, read from its files."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from data.errors import RunFolderError
from data.store import plain, write_json
from flows.campaign.lock import is_claimed
from flows.campaign.units import Unit, read_units

SILENT_S = 120.0
"""An engine on another machine that has written nothing for so long is gone."""
State = Literal["finished", "failed", "running", "waiting"]


@dataclass(frozen=True)
class Failure:
    """Why a unit has no answer.

    Attributes:
        unit_id: the unit.
        host_id: its host.
        guest: its guest.
        level: its level.
        error: class of the error.
        reason: its words.
        when: time, ISO 8601, UTC.
        attempts: how often it was tried.
        retry: whether trying again may help: input has to be mended first, a lost worker not.
    """

    unit_id: str
    host_id: str
    guest: str
    level: str
    error: str
    reason: str
    when: str
    attempts: int
    retry: bool


class CampaignFolder:
    """Reads and writes the files of one campaign.

    Args:
        path: its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path).expanduser().absolute()

    @property
    def runs(self) -> Path:
        """Folder of the run folders."""
        return self.path / "runs"

    @property
    def report_path(self) -> Path:
        """The report of the campaign."""
        return self.path / "report.html"

    def require(self) -> CampaignFolder:
        """Return the folder, or say that it is none.

        Raises:
            RunFolderError: it holds no campaign.
        """
        if not (self.path / "units.parquet").is_file():
            raise RunFolderError(
                f"{self.path} is not the folder of a campaign (no units.parquet). Give the folder "
                "that `widomill campaign run FILE` printed."
            )
        return self

    def units(self) -> list[Unit]:
        """Return the units as last planned."""
        return read_units(self.path)

    def state(self, unit: Unit) -> State:
        """Return where a unit stands; running is what a live engine says."""
        if (self.runs / unit.id / "result.json").is_file():
            return "finished"
        if self._failure_path(unit.id).is_file():
            return "failed"
        return "running" if unit.id in self._running() else "waiting"

    def states(self, units: list[Unit]) -> dict[str, State]:
        """Return where each unit stands, by its id; one look at the folder for all."""
        running = self._running()
        failed = {p.stem for p in (self.path / "failures").glob("*.json")}
        found: dict[str, State] = {}
        for unit in units:
            if (self.runs / unit.id / "result.json").is_file():
                found[unit.id] = "finished"
            elif unit.id in failed:
                found[unit.id] = "failed"
            else:
                found[unit.id] = "running" if unit.id in running else "waiting"
        return found

    def left(
        self, units: Sequence[Unit], states: Mapping[str, State], retry_failed: bool
    ) -> list[Unit]:
        """Return the units to do: neither finished nor failed for a reason that lasts.

        Args:
            units: to look at.
            states: where each stands, see :meth:`states`.
            retry_failed: take lasting failures too.
        """

        def is_left(unit: Unit) -> bool:
            if states[unit.id] != "failed":
                return states[unit.id] != "finished"
            failure = self.failure(unit)
            return retry_failed or failure is None or failure.retry

        return [unit for unit in units if is_left(unit)]

    def record_failure(self, failure: Failure) -> None:
        """Write why a unit was given up."""
        write_json(self._failure_path(failure.unit_id), asdict(failure))

    def forget_failure(self, unit: Unit) -> None:
        """Remove a failure: the unit is tried again."""
        self._failure_path(unit.id).unlink(missing_ok=True)

    def failure(self, unit: Unit) -> Failure | None:
        """Return why a unit was given up, or None."""
        path = self._failure_path(unit.id)
        return _failure(path) if path.is_file() else None

    def failures(self) -> list[Failure]:
        """Return the failures of planned units that have no answer, by host."""
        planned = {u.id: u for u in self.units()}
        found = []
        for path in sorted((self.path / "failures").glob("*.json")):
            if path.stem in planned and self.state(planned[path.stem]) == "failed":
                found.append(_failure(path))
        return found

    def unit_results(self, unit: Unit) -> list[dict[str, Any]]:
        """Return the results of a finished unit, one per temperature, with the unit's names."""
        path = self.runs / unit.id / "result.json"
        try:
            results = json.loads(path.read_text(encoding="utf-8"))["results"]
        except (OSError, ValueError, KeyError) as error:
            raise RunFolderError(
                f"Cannot read {path}: {error}. Remove it and resume the campaign."
            ) from error
        names = {"unit_id": unit.id, "host_id": unit.host_id, "level": unit.level}
        return [{**result, **names} for result in results]

    def each_result(self) -> Iterator[dict[str, Any]]:
        """Yield the result rows of all finished units, in the order of the plan."""
        for unit in self.units():
            if (self.runs / unit.id / "result.json").is_file():
                yield from self.unit_results(unit)

    def results(self) -> list[dict[str, Any]]:
        """Return all result rows; see :meth:`each_result` for very large campaigns."""
        return list(self.each_result())

    def write_live(self, live: dict[str, Any]) -> None:
        """Write what is going on now."""
        write_json(self.path / "live.json", live)

    def live(self) -> dict[str, Any]:
        """Return what a running engine said last; empty where none has run."""
        return _json(self.path / "live.json")

    def alive(self) -> bool:
        """Return whether an engine works on the campaign now.

        It holds the lock as long as it lives, whatever the clock says; of one on another machine
        only its last word is known.
        """
        live = self.live()
        if not live or live.get("ended"):
            return False
        if is_claimed(self.path):
            return True
        here = str(live.get("process", "")).endswith(f" on {socket.gethostname()}")
        return not here and self._silent_s() <= SILENT_S

    def write_usage(self, usage: dict[str, Any]) -> None:
        """Write what the campaign has used, all its sessions together."""
        write_json(self.path / "usage.json", usage)

    def usage(self) -> dict[str, Any]:
        """Return wall and CPU seconds, labels and shares; empty before the first end."""
        return _json(self.path / "usage.json")

    def _failure_path(self, unit_id: str) -> Path:
        return self.path / "failures" / f"{unit_id}.json"

    def _running(self) -> set[str]:
        """Return the ids of running units; none where no engine is alive."""
        running = self.live().get("running", [])
        return {entry["unit"] for entry in running} if running and self.alive() else set()

    def _silent_s(self) -> float:
        try:
            return time.time() - (self.path / "live.json").stat().st_mtime
        except OSError:
            return float("inf")


def _failure(path: Path) -> Failure:
    try:
        return Failure(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(f"Cannot read {path}: {error}. Remove it and resume.") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return plain(content)
