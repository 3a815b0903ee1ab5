"""The closing of a run: one Parquet dataset of all insertions with their last scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.schemas import INSERTIONS, SCORE_COLUMNS
from data.store import read_columns, write_table
from tasks.paths import (
    insertions_path,
    probability_path,
    routed_path,
    scores_path,
    table_path,
)

SCORED = (*SCORE_COLUMNS, "routing_probability")


@dataclass(frozen=True)
class ConsolidateItem:
    """One batch to join: its table, and the last round that scored it (0: none)."""

    run_dir: str
    table: int
    batch: int
    round_number: int


def consolidate_batch(item: ConsolidateItem) -> str:
    """Join a batch's insertions with scores and routing of its last round; drop the parts."""
    path = insertions_path(item.run_dir, item.table, item.batch)
    if path.exists():
        return str(path)
    source = table_path(item.run_dir, item.table, item.batch)
    columns = closed_columns(read_columns(source), item.table, item.round_number)
    if item.round_number:
        scores = read_columns(scores_path(item.run_dir, item.round_number, item.batch))
        scores |= read_columns(probability_path(item.run_dir, item.round_number, item.batch))
        free = ~columns["overlap"]
        for key in SCORED:
            columns[key][free] = scores[key]
        routed = read_columns(routed_path(item.run_dir, item.round_number), ["insertion"])
        columns["labelled"] = np.isin(columns["insertion"], routed["insertion"])
    write_table(path, columns, INSERTIONS)
    return str(path)


def closed_columns(columns: dict[str, np.ndarray], table: int, round_number: int) -> dict[str, Any]:
    """Return a batch's columns with those of scores and labels, blank: nothing is known of them.

    Args:
        columns: a batch of insertions.
        table: its table.
        round_number: last round that scored it; 0 where none did.
    """
    count = len(columns["insertion"])
    return {
        **columns,
        **{name: np.full(count, np.nan) for name in SCORED},
        "labelled": np.zeros(count, dtype=bool),
        "table": np.full(count, table),
        "round": [round_number or None] * count,
    }


def remove_parts(run_dir: str) -> None:
    """Remove the per-stage parts once every batch is consolidated, and what is made on demand."""
    for path in sorted((Path(run_dir) / "models").glob("fields-*.pt")):
        path.unlink()
    for folder in ("tables", "scores"):
        for path in sorted((Path(run_dir) / folder).rglob("*.parquet")):
            path.unlink()
