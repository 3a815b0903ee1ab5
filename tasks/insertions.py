"""Batches of insertions: draw, evaluate the baseline, write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.schemas import PLACEMENT_COLUMNS, TABLE
from data.store import read_columns, write_table
from data.streams import stream
from tasks.context import insertion_model, load_context
from tasks.paths import proposal_path, table_path
from tasks.pores import load_blocking

if TYPE_CHECKING:
    from chem.proposal import Known


@dataclass(frozen=True)
class BatchItem:
    """One batch to draw: which run, table and batch, and how many insertions."""

    run_dir: str
    table: int
    batch: int
    count: int


@dataclass(frozen=True)
class BatchRecord:
    """A batch that was drawn: where it lies and how many of it overlap."""

    path: str
    count: int
    overlapping: int


def placement(columns: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 3) fractional positions and (n, 4) quaternions of stored columns."""
    every = np.stack([columns[name] for name in PLACEMENT_COLUMNS], axis=1)
    return np.ascontiguousarray(every[:, :3]), np.ascontiguousarray(every[:, 3:])


def placement_columns(fractional: np.ndarray, quaternions: np.ndarray) -> dict[str, np.ndarray]:
    """Return positions and orientations as named columns."""
    every = np.hstack([fractional, quaternions])
    return {name: every[:, k] for k, name in enumerate(PLACEMENT_COLUMNS)}


def sample_batch(item: BatchItem) -> BatchRecord:
    """Draw one batch from its table's proposal and give every insertion its baseline energy."""
    from chem.batches import evaluate
    from chem.proposal import Proposal

    path = table_path(item.run_dir, item.table, item.batch)
    if path.exists():
        done = read_columns(path, ["overlap"])["overlap"]
        return BatchRecord(str(path), len(done), int(done.sum()))
    context = load_context(item.run_dir)
    host, guest = context.system.host, context.system.guest
    proposal = Proposal.load(proposal_path(item.run_dir, item.table))
    rng = stream(context.seed, host.hash, guest.hash, "table", item.table, item.batch)
    placed = proposal.sample(rng, item.count)
    batch = evaluate(insertion_model(item.run_dir), placed, load_blocking(item.run_dir))
    columns = batch_columns(batch.known, item.batch)
    write_table(path, columns, TABLE)
    return BatchRecord(str(path), item.count, int(columns["overlap"].sum()))


def batch_columns(known: Known, batch: int) -> dict[str, np.ndarray]:
    """Return the insertions of a batch as named columns; out of reach counts as overlap."""
    return {
        "insertion": np.arange(len(known.weights)) + np.int64(batch) * 2**32,
        **placement_columns(known.fractional, known.quaternions),
        "overlap": np.isposinf(known.energy_kj_per_mol),
        "baseline_kj_per_mol": known.energy_kj_per_mol,
        "proposal_weight": known.weights,
    }


def batch_items(run_dir: Path | str, table: int, total: int, size: int) -> list[BatchItem]:
    """Split a table into batches of a fixed size, whatever the number of workers."""
    counts = [size] * (total // size) + ([total % size] if total % size else [])
    return [BatchItem(str(run_dir), table, k, n) for k, n in enumerate(counts)]
