"""The loop's executor on pools: many runs share the workers, each with an executor of its own."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from data.errors import DeadWorkerError, TransientError
from flows.executors import RETRY_DELAYS_SECONDS, Item, Kind, PagelessExecutor, Progress, Record
from flows.pools import Job

if TYPE_CHECKING:
    from flows.pools import Pools


class PoolExecutor(PagelessExecutor):
    """Runs each item on a worker of the pools; shows nothing. Any number may share the pools.

    Args:
        pools: open pools.
        priority: of its items; the greater, the earlier.
        limits_s: longest time of one item by kind, s; without an entry there is none.
        retry_delays_seconds: pause before each further attempt after a ``TransientError``, s.
            Workers that died over an item have had their attempts.
    """

    def __init__(
        self,
        pools: Pools,
        *,
        priority: int = 0,
        limits_s: Mapping[Kind, float] | None = None,
        retry_delays_seconds: Sequence[float] = RETRY_DELAYS_SECONDS,
    ) -> None:
        self._pools = pools
        self._retry_delays_seconds = tuple(retry_delays_seconds)
        self._priority = priority
        self._limits_s = dict(limits_s or {})

    def map(
        self,
        function: Callable[[Item], Record],
        items: Sequence[Item],
        *,
        kind: Kind,
        run_names: Sequence[str],
        progress: Progress | None = None,
    ) -> list[Record]:
        """Submit every item, then collect the records as they arrive; see ``Executor.map``.

        Raises:
            Exception: the first failure that arrives, of its original type, after what has not
                started is cancelled.
        """
        limit_s = self._limits_s.get(kind)
        jobs = [
            Job(function, item, kind, name, self._priority, limit_s)
            for item, name in zip(items, run_names, strict=True)
        ]
        batch = _Batch(self._pools, jobs, self._retry_delays_seconds)
        return batch.run(progress)


class _Batch:
    """The items of one ``map``: those on their way, those that wait to be tried again."""

    def __init__(self, pools: Pools, jobs: Sequence[Job], delays_s: Sequence[float]) -> None:
        self._pools = pools
        self._jobs = jobs
        self._delays_s = delays_s
        self._futures: dict[int, Future[Any]] = {}
        self._attempts = [0] * len(jobs)
        self._arrived: SimpleQueue[int] = SimpleQueue()
        self._later: list[tuple[float, int]] = []

    def run(self, progress: Progress | None) -> list[Any]:
        records: dict[int, Any] = {}
        try:
            for index in range(len(self._jobs)):
                self._start(index)
            while len(records) < len(self._jobs):
                index = self._next()
                try:
                    records[index] = self._futures[index].result()
                except DeadWorkerError:
                    raise
                except TransientError:
                    self._again(index)
                    continue
                if progress is not None:
                    progress(len(records), len(self._jobs))
        except BaseException:
            for future in self._futures.values():
                future.cancel()
            raise
        return [records[index] for index in range(len(self._jobs))]

    def _start(self, index: int) -> None:
        future = self._pools.submit(self._jobs[index])
        self._futures[index] = future
        future.add_done_callback(partial(_put, self._arrived, index))

    def _next(self) -> int:
        """Return the next item that is done; start again those whose pause is over."""
        while True:
            try:
                if not self._later:
                    return self._arrived.get()
                return self._arrived.get(timeout=max(0.0, self._later[0][0] - time.monotonic()))
            except Empty:
                self._start(heapq.heappop(self._later)[1])

    def _again(self, index: int) -> None:
        """Try an item again after its pause, or raise what it raised."""
        attempt = self._attempts[index]
        if attempt >= len(self._delays_s):
            self._futures[index].result()
        self._attempts[index] += 1
        heapq.heappush(self._later, (time.monotonic() + self._delays_s[attempt], index))


def _put(arrived: SimpleQueue[int], index: int, future: Future[Any]) -> None:
    arrived.put(index)
