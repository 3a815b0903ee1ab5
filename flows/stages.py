"""The stages of a round, each mapped over an executor with names and live progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flows.console import Reporter
from flows.executors import Executor, Kind
from tasks.insertions import (
    BatchRecord,
    ProposalItem,
    batch_items,
    learn_table_proposal,
    sample_batch,
)
from tasks.labels import LabelItem, LabelRecord, label_chunk
from tasks.paths import PILOT_TABLE
from tasks.scores import ScoreItem, score_batch

Item = TypeVar("Item")
Record = TypeVar("Record")

BATCH_SIZE = 50_000
CHUNK_SIZE = 6


@dataclass(frozen=True)
class Table:
    """A table of insertions: number, batches, insertions."""

    number: int
    batches: int
    insertions: int


@dataclass(frozen=True)
class Stages:
    """A run's executor, reporter, folder and the words that name its task runs."""

    executor: Executor
    reporter: Reporter
    run_dir: str
    title: str

    def map(
        self,
        function: Callable[[Item], Record],
        items: Sequence[Item],
        kind: Kind,
        what: str,
        bar: str | None = None,
    ) -> list[Record]:
        """Run a stage's items, named "title, what k/n"; ``bar`` names a progress artifact."""
        names = [f"{self.title} {what} {k + 1}/{len(items)}" for k in range(len(items))]

        def moved(done: int, total: int) -> None:
            self.reporter.step(what, done, total)
            if bar:
                self.executor.progress(bar, 100.0 * done / total, f"{self.title} {what}")

        return self.executor.map(function, items, kind=kind, run_names=names, progress=moved)

    def call(self, function: Callable[[Item], Record], item: Item, kind: Kind, what: str) -> Record:
        """Run one item of a stage."""
        return self.executor.call(function, item, kind=kind, run_name=f"{self.title} {what}")

    def draw_table(
        self, number: int, insertions: int, source: Table | None, source_round: int
    ) -> Table:
        """Draw a table from a proposal learned on another one (None: uniform).

        Args:
            number: table number.
            insertions: how many.
            source: table to learn the proposal from.
            source_round: round whose surrogate scores that table; 0 for the baseline.
        """
        item = ProposalItem(
            self.run_dir,
            number,
            source.number if source else PILOT_TABLE,
            source_round,
            source.batches if source else 0,
        )
        self.call(learn_table_proposal, item, "insertions", f"table {number} proposal")
        items = batch_items(self.run_dir, number, insertions, BATCH_SIZE)
        records: list[BatchRecord] = self.map(
            sample_batch, items, "insertions", f"table {number} insertions", "insertions"
        )
        return Table(number, len(records), insertions)

    def score(self, round_number: int, table: Table) -> None:
        """Score every batch of a table with a round's surrogate."""
        items = [
            ScoreItem(self.run_dir, round_number, table.number, k) for k in range(table.batches)
        ]
        self.map(score_batch, items, "scores", f"round {round_number} scores", "scores")

    def label(self, round_number: int, rows: Sequence[int]) -> list[LabelRecord]:
        """Send rows of a round's routed file to the reference, in chunks."""
        chunks = [tuple(rows[k : k + CHUNK_SIZE]) for k in range(0, len(rows), CHUNK_SIZE)]
        items = [LabelItem(self.run_dir, round_number, k, c) for k, c in enumerate(chunks)]
        return self.map(label_chunk, items, "labels", f"round {round_number} labels", "labels")
