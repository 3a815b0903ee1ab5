"""The stages of a round, each mapped over an executor with names and live progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from chem.allocation import Outlook
from data.errors import CrashedWorkerError, TimeLimitError
from flows.console import Reporter
from flows.executors import Executor, Kind
from tasks.insertions import BatchRecord, batch_items, sample_batch
from tasks.labels import CRASHED, HUNG, LabelItem, LabelRecord, label_chunk, try_label
from tasks.paths import PILOT_TABLE, labels_path
from tasks.proposals import (
    ProposalItem,
    learn_table_proposal,
    sources_of,
    uniform_table_proposal,
)
from tasks.scores import ScoreItem, score_batch

Item = TypeVar("Item")
Record = TypeVar("Record")

BATCH_SIZE = 50_000
CHUNK_SIZE = 6
TAUGHT = 150_000
TAUGHT_SHARE = 3
"""Insertions that teach a proposal: so many, or that part of the latest table."""


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

    def learn(self, round_number: int, tables: Sequence[Table], adaptive: bool) -> Outlook:
        """Score earlier insertions with a round's surrogate and learn its proposal from them.

        Args:
            round_number: round; its surrogate must be there.
            tables: the tables so far, oldest first.
            adaptive: learn where to insert; otherwise insertions stay uniform.

        Returns:
            What the round promises.
        """
        most = max(TAUGHT, tables[-1].insertions // TAUGHT_SHARE)
        sources = sources_of([(t.number, t.batches, t.insertions) for t in tables], most)
        items = [
            ScoreItem(self.run_dir, round_number, table, k, earlier=True)
            for table, batches in sources
            for k in range(batches)
        ]
        self.map(score_batch, items, "scores", f"round {round_number} proposal scores")
        item = ProposalItem(self.run_dir, round_number, sources, adaptive)
        return self.call(learn_table_proposal, item, "insertions", f"table {round_number} proposal")

    def draw_pilot(self, insertions: int) -> Table:
        """Draw uniform insertions that only teach."""
        uniform_table_proposal(self.run_dir, PILOT_TABLE)
        return self.draw_table(PILOT_TABLE, insertions)

    def draw_table(self, number: int, insertions: int) -> Table:
        """Draw a table from its proposal."""
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
        what = f"round {round_number} labels"
        try:
            return self.map(label_chunk, items, "labels", what, "labels")
        except (TimeLimitError, CrashedWorkerError) as error:
            self.reporter.say(f"{error} Looking for the call that does not come back.")
        items = [self._without_lost(item) for item in items]
        return self.map(label_chunk, items, "labels", what, "labels")

    def _without_lost(self, item: LabelItem) -> LabelItem:
        """Return a chunk with the rows named that do not come back when asked alone, and why."""
        if labels_path(item.run_dir, item.round_number, item.chunk).exists():
            return item
        given_up = []
        for row in item.rows:
            alone = replace(item, rows=(row,))
            try:
                self.call(try_label, alone, "labels", f"round {item.round_number} label alone")
            except TimeLimitError:
                given_up.append((row, HUNG))
            except CrashedWorkerError:
                given_up.append((row, CRASHED))
        return replace(item, given_up=tuple(given_up))
