"""An executor whose tables, texts and bars are on the page of the unit it works for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flows.artifacts import artifact_key, plain_value
from flows.executors import Executor, Kind, PagelessExecutor, Progress

Item = TypeVar("Item")
Record = TypeVar("Record")
Write = Callable[[str, str, Any, str], None]


class PageExecutor(PagelessExecutor):
    """Runs items where ``inner`` does and hands what is to be shown to ``write``.

    Args:
        inner: runs the items.
        write: takes kind, key, content and description of an artifact.
        update_s: least time between two positions of a bar, s.
    """

    def __init__(self, inner: Executor, write: Write, update_s: float) -> None:
        self._inner, self._write, self._update_s = inner, write, update_s
        self._moved: dict[str, float] = {}

    def map(
        self,
        function: Callable[[Item], Record],
        items: Sequence[Item],
        *,
        kind: Kind,
        run_names: Sequence[str],
        progress: Progress | None = None,
    ) -> list[Record]:
        """Run ``function`` on each item; see ``Executor.map``."""
        return self._inner.map(function, items, kind=kind, run_names=run_names, progress=progress)

    def table(self, key: str, rows: list[dict[str, Any]], description: str) -> None:
        """Show a table on the unit's page."""
        plain = [{name: plain_value(value) for name, value in row.items()} for row in rows]
        self._write("table", artifact_key(key), json.dumps(plain), description)

    def markdown(self, key: str, text: str, description: str) -> None:
        """Show a text on the unit's page."""
        self._write("markdown", artifact_key(key), text, description)

    def progress(self, key: str, percent: float, description: str) -> None:
        """Show or move a bar on the unit's page; steps in quick succession are left out."""
        now = time.monotonic()
        if percent < 100.0 and now - self._moved.get(key, -self._update_s) < self._update_s:
            return
        self._moved[key] = now
        self._write("progress", artifact_key(key), min(max(percent, 0.0), 100.0), description)
