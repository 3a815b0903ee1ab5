"""A screen in words on the terminal: the ranking and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.campaign.screen.settings import ScreenPart
from flows.campaign.screen.state import ScreenState


def print_ranking(
    state: ScreenState,
    screen: ScreenPart,
    rows: Sequence[Mapping[str, Any]],
    most: int,
    folder: Path,
) -> None:
    """Print the best hosts, with intervals and probabilities.

    Args:
        state: of the screen.
        screen: what was asked for.
        rows: of the ranking.
        most: rows to print.
        folder: of the campaign.
    """
    console = Console(highlight=False)
    table = Table(box=None)
    for name in ("rank", "host", f"in the top {screen.top_k}"):
        table.add_column(name, justify="left" if name == "host" else "right")
    for criterion in state.criteria:
        unit = "" if criterion.unit == "1" else f", {criterion.unit}"
        table.add_column(f"{criterion.name}{unit}, 95 % believed", justify="right")
    for guest in state.guests:
        table.add_column(f"K_H of {guest}, own estimate, 95 %", justify="right")
    table.add_column("labels", justify="right")
    for row in rows[:most]:
        table.add_row(*(Text(cell) for cell in _cells(state, row)))
    console.print(table)
    record = state.record
    share = f"{record.shares[-1][0]:.2f}" if record.shares else "?"
    console.print(
        f"{len(rows)} hosts, {len(record.lots)} lots, {record.labels:,} labels of "
        f"{screen.budget_labels:,}; expected share of the top {screen.top_k} found: {share}"
    )
    if record.stopped_because:
        console.print(Text(f"Ended: {record.stopped_because}"))
    console.print(Text(f"All of it: {folder / 'ranking.parquet'}, lot by lot: screen.json"))


def _cells(state: ScreenState, row: Mapping[str, Any]) -> list[str]:
    cells = [str(row["rank"]), str(row["host"]), f"{row['probability']:.2f}"]
    for criterion in state.criteria:
        cells.append(_span(row, criterion.name))
    for guest in state.guests:
        cells.append(_span(row, f"reference_{guest}"))
    return [*cells, str(row["labels"])]


def _span(row: Mapping[str, Any], name: str) -> str:
    if row.get(name) is None:
        return ""
    return f"{row[name]:.3g} ({row[f'{name}_low']:.2g} to {row[f'{name}_high']:.2g})"
