"""The closing of a run: one Parquet dataset of all insertions with their last scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.schemas import INSERTIONS, SCORE_COLUMNS
from data.store import read_columns, write_table
from tasks.paths import probability_path, routed_path, scores_path, table_path


@dataclass(frozen=True)
class ConsolidateItem:
    """One batch to join: its table, and the last round that scored it (0: none)."""

    run_dir: str
    table: int
    batch: int
    round_number: int


def consolidate_batch(item: ConsolidateItem) -> str:
    """Join a batch's insertions with scores and routing of its last round; drop the parts."""
    name = f"table-{item.table:02d}-batch-{item.batch:05d}.parquet"
    path = Path(item.run_dir) / "insertions" / name
    if path.exists():
        return str(path)
    source = table_path(item.run_dir, item.table, item.batch)
    columns = read_columns(source)
    count = len(columns["insertion"])
    blank = {
        **{name: np.full(count, np.nan) for name in (*SCORE_COLUMNS, "routing_probability")},
        "labelled": np.zeros(count, dtype=bool),
    }
    if item.round_number:
        scores = read_columns(scores_path(item.run_dir, item.round_number, item.batch))
        scores |= read_columns(probability_path(item.run_dir, item.round_number, item.batch))
        free = ~columns["overlap"]
        for key in (*SCORE_COLUMNS, "routing_probability"):
            blank[key][free] = scores[key]
        routed = read_columns(routed_path(item.run_dir, item.round_number), ["insertion"])
        blank["labelled"] = np.isin(columns["insertion"], routed["insertion"])
    rounds = [item.round_number or None] * count
    table = {"table": np.full(count, item.table), "round": rounds}
    write_table(path, columns | blank | table, INSERTIONS)
    return str(path)


def remove_parts(run_dir: str) -> None:
    """Remove the per-stage parts once every batch is consolidated, and what is made on demand."""
    for path in sorted((Path(run_dir) / "models").glob("fields-*.pt")):
        path.unlink()
    for folder in ("tables", "scores"):
        for path in sorted((Path(run_dir) / folder).rglob("*.parquet")):
            path.unlink()
