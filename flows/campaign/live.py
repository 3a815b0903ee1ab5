"""What a campaign is doing now: counted in memory, written to live.json every few seconds."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flows.campaign.folder import Failure, State
from flows.campaign.units import Unit

LATEST = 20


def now() -> str:
    """Return the time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class _Running:
    unit: Unit
    since: str
    began: float
    stage: str = "starting"
    done: int = 0
    total: int = 0
    labels: int = 0


@dataclass
class _Level:
    """Totals of one level in this session."""

    seconds: float = 0.0
    units: int = 0


@dataclass
class Live:
    """Counts of a running campaign; every method may be called from any thread.

    Args:
        units: all units by id.
        states: where each stood at the start.
        workers: worker processes.
    """

    units: Mapping[str, Unit]
    states: dict[str, State]
    workers: int
    labels: int = 0
    ended: bool = False
    cpu_s: float = 0.0
    _running: dict[str, _Running] = field(default_factory=dict)
    _levels: dict[str, _Level] = field(default_factory=dict)
    _latest: list[dict[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _started: str = field(default_factory=now)
    _began: float = field(default_factory=time.monotonic)

    def begin(self, unit: Unit, labels: int = 0) -> None:
        """A unit starts, or goes on after so many labels that were counted before."""
        with self._lock:
            self.states[unit.id] = "running"
            self._running[unit.id] = _Running(unit, now(), time.monotonic(), labels=labels)

    def stage(self, unit: Unit, name: str, done: int, total: int) -> None:
        """A unit is at a stage."""
        with self._lock:
            entry = self._running.get(unit.id)
            if entry:
                entry.stage, entry.done, entry.total = name, done, total

    def paid(self, unit: Unit, labels: int) -> None:
        """A unit has used so many labels since its run began."""
        with self._lock:
            entry = self._running.get(unit.id)
            if entry:
                self.labels += labels - entry.labels
                entry.labels = labels

    def finish(self, unit: Unit) -> None:
        """A unit has its answer."""
        with self._lock:
            entry = self._running.pop(unit.id)
            self.states[unit.id] = "finished"
            level = self._levels.setdefault(unit.level, _Level())
            level.seconds += time.monotonic() - entry.began
            level.units += 1

    def fail(self, unit: Unit, failure: Failure) -> None:
        """A unit was given up."""
        with self._lock:
            self._running.pop(unit.id, None)
            self.states[unit.id] = "failed"
            told = {"unit": unit.id, "error": failure.error, "reason": failure.reason}
            self._latest = [told, *self._latest][:LATEST]

    def wait(self, unit: Unit) -> None:
        """A unit was interrupted and waits again."""
        with self._lock:
            self._running.pop(unit.id, None)
            self.states[unit.id] = "waiting"

    def counts(self) -> dict[str, int]:
        """Return the number of units by state, and of all."""
        with self._lock:
            return self._counts(self.states.values())

    def as_dict(self) -> dict[str, Any]:
        """Return what live.json holds."""
        with self._lock:
            wall_s = time.monotonic() - self._began
            levels: dict[str, list[State]] = {}
            for unit_id, state in self.states.items():
                levels.setdefault(self.units[unit_id].level, []).append(state)
            done = sum(level.units for level in self._levels.values())
            return {
                "at": now(),
                "started": self._started,
                "ended": self.ended,
                "process": f"{os.getpid()} on {socket.gethostname()}",
                "wall_s": wall_s,
                "counts": self._counts(self.states.values()),
                "levels": {name: self._counts(states) for name, states in levels.items()},
                "running": [self._entry(entry) for entry in self._running.values()],
                "labels": self.labels,
                "rates": {
                    "units_per_hour": 3600.0 * done / max(wall_s, 1.0),
                    "labels_per_hour": 3600.0 * self.labels / max(wall_s, 1.0),
                },
                "cpu": {
                    "workers": self.workers,
                    "cpu_s": self.cpu_s,
                    "busy_share": self.cpu_s / max(wall_s * self.workers, 1e-9),
                },
                "left_s": self._left_s(levels),
                "latest_failures": list(self._latest),
            }

    def _left_s(self, levels: Mapping[str, list[State]]) -> float | None:
        """Return the expected time to the end, s, from what units of each level took here."""
        running = len(self._running)
        if not self._levels or self.ended:
            return None
        left = 0.0
        for name, states in levels.items():
            level = self._levels.get(name)
            waiting = sum(s in ("waiting", "running") for s in states)
            if waiting and level is None:
                return None
            if level is not None:
                left += waiting * level.seconds / level.units
        return left / max(1, min(running, 2 * self.workers))

    @staticmethod
    def _counts(states: Any) -> dict[str, int]:
        found = Counter(states)
        names: tuple[State, ...] = ("finished", "failed", "running", "waiting")
        return {name: found[name] for name in names} | {"total": found.total()}

    @staticmethod
    def _entry(entry: _Running) -> dict[str, Any]:
        unit = entry.unit
        return {
            "unit": unit.id,
            "host": unit.host_id,
            "guest": unit.guest,
            "level": unit.level,
            "stage": entry.stage,
            "done": entry.done,
            "total": entry.total,
            "labels": entry.labels,
            "since": entry.since,
        }
