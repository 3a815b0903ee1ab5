"""Live progress on standard error: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

QUIET_SECONDS = 10.0


class Reporter:
    """Says what a run is doing. Use as a context manager."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._last_line = 0.0
        self._bars: dict[str, TaskID] = {}
        self._progress: Progress | None = None
        if sys.stderr.isatty():
            self._progress = Progress(
                TextColumn("           {task.description}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self.console,
                transient=True,
            )

    def __enter__(self) -> Reporter:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress:
            self._progress.stop()

    def say(self, text: str) -> None:
        """Print one line with the time since the start."""
        seconds = int(time.monotonic() - self._began)
        self.console.print(f"[dim]{seconds // 60:4d}:{seconds % 60:02d}[/dim]  {text}")
        self._last_line = time.monotonic()

    def step(self, name: str, done: int, total: int) -> None:
        """Move the bar of a step, or print a line if none was printed for a while."""
        if self._progress:
            if name not in self._bars:
                self._bars[name] = self._progress.add_task(name, total=total)
            self._progress.update(self._bars[name], completed=done, total=total)
            if done >= total:
                self._progress.remove_task(self._bars.pop(name))
        elif done < total and time.monotonic() - self._last_line > QUIET_SECONDS:
            self.say(f"{name}: {done} of {total}")


class SilentReporter(Reporter):
    """Says nothing; for tests and for flows that run on a worker."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def step(self, name: str, done: int, total: int) -> None:
        """Do nothing."""
