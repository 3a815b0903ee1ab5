"""The status of a campaign as a table for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.campaign.status import MOST_FAILURES, MOST_RUNNING, STATES, CampaignStatus
from flows.report.words import count, duration, known, percent

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

COLOURS = {"finished": "green", "failed": "red", "running": "blue", "waiting": "dim"}
BAR = 40
STAGE_BAR = 12


def render(now: CampaignStatus) -> RenderableType:
    """Return a status as something rich prints."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_head(now), _bar(now.counts), _levels(now), _facts(now)]
    if now.running:
        parts.append(_running(now.running))
    if now.failures:
        parts.append(_failures(now.failures))
    if not now.alive and not now.done:
        parts.append(
            Text(f"No engine works on it. widomill campaign resume {now.folder}", style="yellow")
        )
    return Group(*parts)


def _head(now: CampaignStatus) -> Text:
    from rich.text import Text

    state = "running" if now.alive else "finished" if now.done else "stopped"
    return Text.assemble((Path(now.folder).name, "bold"), f"  {state}  ", (now.folder, "dim"))


def _bar(counts: dict[str, int], width: int = BAR) -> Text:
    """Return the shares of the states as one bar; none that occurs is lost to rounding."""
    from rich.text import Text

    total = counts["total"] or 1
    found = Text()
    for state in STATES:
        cells = round(width * counts[state] / total)
        found.append(
            ("░" if state == "waiting" else "█") * max(cells, counts[state] > 0), COLOURS[state]
        )
    found.append(f" {percent(counts['finished'] / total)} answered")
    return found


def _levels(now: CampaignStatus) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("level", *STATES, "units"):
        justify: Any = "left" if name == "level" else "right"
        table.add_column(name, justify=justify, style=COLOURS.get(name, ""), header_style="dim")
    rows = [*now.levels.items(), *([("all", now.counts)] if len(now.levels) > 1 else [])]
    for name, counts in rows:
        cells = [count(counts[state]) if counts[state] else "" for state in STATES]
        table.add_row(Text(name), *cells, count(counts["total"]))
    return table


def _facts(now: CampaignStatus) -> Text:
    from rich.text import Text

    found = []
    if known(now.wall_s):
        found.append(
            f"{duration(now.wall_s)} so far" if now.alive else f"{duration(now.wall_s)} in all"
        )
    if now.labels:
        found.append(f"{count(now.labels)} labels paid")
    for key, word in (("units_per_hour", "units"), ("labels_per_hour", "labels")):
        if now.rates.get(key):
            found.append(f"{now.rates[key]:.3g} {word} an hour")
    if known(now.cpu.get("busy_share")):
        workers = now.cpu.get("workers")
        found.append(
            f"CPU use {percent(now.cpu['busy_share'])}"
            + (f" of {count(workers)} workers" if workers else "")
        )
    if now.alive:
        left = (
            f"about {duration(now.left_s)} left" if known(now.left_s) else "time left unknown yet"
        )
        found.append(left)
    return Text("; ".join(found))


def _running(entries: list[dict[str, Any]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left")
    for name in ("running", "guest", "level", "stage", "", "labels"):
        table.add_column(name, header_style="dim", justify="right" if name == "labels" else "left")
    for entry in entries[:MOST_RUNNING]:
        table.add_row(
            *(Text(_printable(entry[k])) for k in ("host", "guest", "level", "stage")),
            _stage_bar(entry.get("done", 0), entry.get("total", 0)),
            count(entry["labels"]) if entry.get("labels") else "",
        )
    if len(entries) > MOST_RUNNING:
        table.add_row(Text(f"and {len(entries) - MOST_RUNNING} more", style="dim"))
    return table


def _stage_bar(done: int, total: int) -> Text:
    from rich.text import Text

    if not total:
        return Text("")
    cells = round(STAGE_BAR * min(1.0, done / total))
    return Text("█" * cells + "░" * (STAGE_BAR - cells) + f" {done} of {total}", style="blue")


def _printable(text: object) -> str:
    """Return text without the signs that steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def _failures(failures: list[dict[str, Any]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("failed", "guest", "level", "reason"):
        table.add_column(
            name, header_style="dim", overflow="fold" if name == "reason" else "ellipsis"
        )
    for failure in failures[:MOST_FAILURES]:
        words = f"{failure['error']}: {failure['reason']}".splitlines()[0]
        named = [failure[k] for k in ("host_id", "guest", "level")]
        table.add_row(*(Text(_printable(word)) for word in (*named, words)))
    if len(failures) > MOST_FAILURES:
        table.add_row(Text(f"and {len(failures) - MOST_FAILURES} more", style="dim"))
    return table
