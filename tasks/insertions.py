"""Batches of insertions: draw, evaluate the baseline, write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.schemas import PLACEMENT_COLUMNS, TABLE
from data.store import read_columns, write_table
from data.streams import stream
from tasks.context import baseline_model, load_context
from tasks.paths import proposal_path, scores_path, table_path


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
    from chem.proposal import Proposal

    path = table_path(item.run_dir, item.table, item.batch)
    if path.exists():
        done = read_columns(path, ["overlap"])["overlap"]
        return BatchRecord(str(path), len(done), int(done.sum()))
    context = load_context(item.run_dir)
    host, guest = context.system.host, context.system.guest
    proposal = Proposal.load(proposal_path(item.run_dir, item.table))
    rng = stream(context.seed, host.hash, guest.hash, "table", item.table, item.batch)
    fractional, quaternions, weights = proposal.sample(rng, item.count)
    energy, overlap = baseline_model(item.run_dir).energies(fractional, quaternions)
    columns = {
        "insertion": np.arange(item.count) + np.int64(item.batch) * 2**32,
        **placement_columns(fractional, quaternions),
        "overlap": overlap,
        "baseline_kj_per_mol": energy,
        "proposal_weight": weights,
    }
    write_table(path, columns, TABLE)
    return BatchRecord(str(path), item.count, int(overlap.sum()))


@dataclass(frozen=True)
class ProposalItem:
    """A proposal to learn: for which table, from which table (and its scores in a round)."""

    run_dir: str
    table: int
    from_table: int
    from_round: int
    batches: int


def learn_table_proposal(item: ProposalItem) -> str:
    """Learn the proposal of a table from an earlier one; round 0 means baseline energies."""
    from chem.proposal import learn_proposal, uniform_proposal

    path = proposal_path(item.run_dir, item.table)
    if path.exists():
        return str(path)
    if item.batches == 0:
        uniform_proposal().save(path)
        return str(path)
    context = load_context(item.run_dir)
    parts = [
        read_scored(item.run_dir, item.from_table, b, item.from_round) for b in range(item.batches)
    ]
    proposal = learn_proposal(
        context.system.host.lattice_angstrom,
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]),
        context.temperatures_k,
    )
    proposal.save(path)
    return str(path)


def read_scored(
    run_dir: str, table: int, batch: int, round_number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions, weights and energies of a batch at the best cheap level known.

    Args:
        run_dir: run folder.
        table: table number.
        batch: batch number.
        round_number: round whose surrogate scores to use; 0 for the baseline.

    Returns:
        (n, 3) fractional positions, (n,) weights, (n,) energies with +inf where overlap.
    """
    columns = read_columns(table_path(run_dir, table, batch))
    energy = columns["baseline_kj_per_mol"].copy()
    if round_number:
        scores = read_columns(scores_path(run_dir, round_number, batch))
        energy[~columns["overlap"]] = scores["surrogate_kj_per_mol"]
    return placement(columns)[0], columns["proposal_weight"], energy


def batch_items(run_dir: Path | str, table: int, total: int, size: int) -> list[BatchItem]:
    """Split a table into batches of a fixed size, whatever the number of workers."""
    counts = [size] * (total // size) + ([total % size] if total % size else [])
    return [BatchItem(str(run_dir), table, k, n) for k, n in enumerate(counts)]
