"""Where a campaign stands, once or until it ends: counts, what runs, what it costs, what failed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.store import plain
from flows.campaign.folder import CampaignFolder

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from flows.campaign.units import Unit

REFRESH_S = 3.0
STATES = ("finished", "failed", "running", "waiting")
MOST_FAILURES = 5
MOST_RUNNING = 12


@dataclass(frozen=True)
class CampaignStatus:
    """A campaign at one moment.

    Attributes:
        folder: its folder.
        at: when, ISO 8601, UTC.
        alive: whether an engine works on it now.
        counts: units by state, and ``total``.
        levels: the same by level.
        running: what each running unit is at, as in live.json.
        labels: reference calls paid in this session, or in all where none runs.
        rates: units and labels per hour of this session.
        cpu: worker processes, their CPU seconds and the share of it that is used.
        wall_s: wall time of this session, or of all where none runs.
        left_s: expected time to the end; None where nothing tells.
        failures: units without an answer, latest first.
    """

    folder: str
    at: str
    alive: bool
    counts: dict[str, int]
    levels: dict[str, dict[str, int]]
    running: list[dict[str, Any]]
    labels: int
    rates: dict[str, float]
    cpu: dict[str, float]
    wall_s: float | None
    left_s: float | None
    failures: list[dict[str, Any]]

    @property
    def done(self) -> bool:
        """Whether every unit has an answer or a reason why it has none."""
        return self.counts["finished"] + self.counts["failed"] >= self.counts["total"]


def status(folder: CampaignFolder, units: Sequence[Unit] | None = None) -> CampaignStatus:
    """Return where a campaign stands, from its files.

    Args:
        folder: the campaign.
        units: its plan, where it has been read before; it does not change while an engine runs.

    Raises:
        RunFolderError: the folder is no campaign.
    """
    planned = list(folder.require().units() if units is None else units)
    states = folder.states(planned)
    live = folder.live()
    alive = folder.alive()
    usage = shares(folder.usage())
    session = live if alive else {}
    levels: dict[str, list[str]] = {}
    for unit in planned:
        levels.setdefault(unit.level, []).append(states[unit.id])
    found = [folder.failure(unit) for unit in planned if states[unit.id] == "failed"]
    failures = sorted((f for f in found if f), key=lambda f: f.when, reverse=True)
    return CampaignStatus(
        folder=str(folder.path),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        alive=alive,
        counts=_counts(list(states.values())),
        levels={name: _counts(own) for name, own in levels.items()},
        running=session.get("running", []),
        labels=int(session.get("labels", usage.get("labels", 0)) or 0),
        rates=session.get("rates", {}),
        cpu=session.get("cpu", {k: usage[k] for k in ("cpu_s", "busy_share") if k in usage}),
        wall_s=session.get("wall_s", usage.get("wall_s")),
        left_s=session.get("left_s"),
        failures=[asdict(f) for f in failures],
    )


def shares(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a campaign has used with the shares of all its sessions together.

    Args:
        usage: as in usage.json.

    Returns:
        Its numbers, ``busy_share`` of the workers' time and ``orchestration_share`` of the CPU.
    """
    found: dict[str, Any] = {k: v for k, v in usage.items() if isinstance(v, int | float)}
    sessions = [s for s in usage.get("sessions", []) if s.get("cpu_s")]
    cpu_s = sum(s["cpu_s"] for s in sessions)
    if cpu_s:
        held_s = sum(s["cpu_s"] / s["busy_share"] for s in sessions if s["busy_share"])
        own_s = sum(
            s["cpu_s"] * s["orchestration_share"] / (1.0 - s["orchestration_share"])
            for s in sessions
        )
        found |= {"busy_share": cpu_s / held_s if held_s else None}
        found |= {"orchestration_share": own_s / (own_s + cpu_s)}
    return found


def _counts(states: list[str]) -> dict[str, int]:
    found = Counter(states)
    return {state: found[state] for state in STATES} | {"total": len(states)}


def as_json(now: CampaignStatus) -> dict[str, Any]:
    """Return a status as plain JSON content."""
    content: dict[str, Any] = plain(asdict(now) | {"done": now.done})
    return content


def show_status(path: Path, *, watch: bool = False, console: Console | None = None) -> None:
    """Print where a campaign stands; with ``watch`` until it has ended.

    A watched campaign that no engine works on is shown once: waiting for it would have no end.

    Args:
        path: folder of the campaign.
        watch: refresh until nothing is left to do.
        console: where to print; standard output by default.

    Raises:
        RunFolderError: the folder is no campaign.
    """
    from rich.console import Console

    from flows.campaign.status_table import render

    out = console or Console(highlight=False)
    folder = CampaignFolder(path).require()
    units = folder.units()
    now = status(folder, units)
    if not (watch and now.alive and out.is_terminal):
        out.print(render(now))
        while watch and now.alive:  # no terminal: a line when something has changed
            time.sleep(REFRESH_S)
            before, now = now, status(folder, units)
            if now.counts != before.counts:
                out.print(_line(now))
        return
    _watch(folder, units, now, out)


def _watch(
    folder: CampaignFolder, units: Sequence[Unit], now: CampaignStatus, console: Console
) -> None:
    from rich.live import Live

    from flows.campaign.status_table import render

    def table() -> RenderableType:
        return render(now)

    with Live(table(), console=console, auto_refresh=False) as shown:
        while now.alive and not now.done:
            time.sleep(REFRESH_S)
            now = status(folder, units)
            shown.update(table(), refresh=True)


def _line(now: CampaignStatus) -> str:
    found = ", ".join(f"{now.counts[state]} {state}" for state in STATES if now.counts[state])
    return f"{now.at}  {found} of {now.counts['total']}"
