"""A queue of items before one Dask cluster: the most urgent first, about one a worker at a time.

Items wait here and not in Dask, so that one that comes late and matters is next, that what waits
costs no memory on the scheduler, and that an item handed over starts at once.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from data.errors import CrashedWorkerError, DeadWorkerError, TimeLimitError
from flows.pool_full import FullWorkers
from flows.pool_worker import Carried, carry, kill_worker

if TYPE_CHECKING:
    from distributed import Future as DaskFuture

    from flows.pool_cluster import OpenCluster
    from flows.pools import Job

_LOOK_SECONDS = 0.2
_COUNT_SECONDS = 2.0
_COLLECTORS = 4
_PATIENCE_SECONDS = 300.0
# The next item of such a length is handed over early, lest the worker waits for it.
_SHORT_SECONDS = 1.0
_REMEMBER = 0.7
_LOST = ("CancelledError", "FutureCancelledError", "CommClosedError")
_log = logging.getLogger("widomill.pools")


@dataclass(order=True)
class _Entry:
    """An item on its way; ordered by urgency, then by arrival."""

    rank: tuple[int, int]
    job: Job = field(compare=False)
    future: Future[Any] = field(compare=False, default_factory=Future)
    token: str = field(compare=False, default_factory=lambda: uuid.uuid4().hex)
    sent: DaskFuture | None = field(compare=False, default=None)
    began: float | None = field(compare=False, default=None)
    worker: str = field(compare=False, default="")
    ended: bool = field(compare=False, default=False)


class Lane:
    """Hands items to the workers of a cluster and records back to who asked.

    Args:
        cluster: the open cluster.
        asks: what each item asks of its worker, by name.
    """

    def __init__(self, cluster: OpenCluster, asks: dict[str, float]) -> None:
        self._cluster = cluster
        self._client = cluster.client
        self._asks = asks
        self._changed = threading.Condition()
        self._heap: list[_Entry] = []
        self._arrivals = itertools.count()
        self._away: dict[str, _Entry] = {}
        self._places = 0
        self._seconds: dict[str, float] = {}
        self._closed = False
        self._topic = f"widomill-{uuid.uuid4().hex}"
        self.spent: dict[str, float] = {}
        self._full = FullWorkers(self._client)
        self._collectors = ThreadPoolExecutor(_COLLECTORS, thread_name_prefix="widomill-records")
        self._client.subscribe_topic(self._topic, self._started)
        self._count_places()
        cluster.demands.append(self._demand)
        self._threads = [
            threading.Thread(target=target, name=f"widomill-{target.__name__}", daemon=True)
            for target in (self._dispatch, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def places(self) -> int:
        """Items that can run at once on the workers that are there."""
        return self._places

    @property
    def running(self) -> int:
        """Items handed to workers."""
        return len(self._away)

    @property
    def waiting(self) -> int:
        """Items that no worker has yet."""
        return len(self._heap)

    def submit(self, job: Job) -> Future[Any]:
        """Queue one item; its record, or what went wrong, arrives in the future."""
        entry = _Entry((-job.priority, next(self._arrivals)), job)
        with self._changed:
            if self._closed:
                raise RuntimeError("the pools are closed")
            heapq.heappush(self._heap, entry)
            self._changed.notify_all()
        return entry.future

    def close(self) -> None:
        """Take no more items; those not finished are cancelled."""
        with self._changed:
            self._closed = True
            left = [*self._heap, *self._away.values()]
            self._heap.clear()
            self._changed.notify_all()
        for entry in left:
            if not entry.future.cancel() and not entry.future.done():
                _fail(entry, DeadWorkerError(f"{entry.job.name}: stopped before it was done."))
        self._collectors.shutdown(wait=False, cancel_futures=True)

    def _demand(self) -> int:
        return len(self._away) + len(self._heap)

    def _dispatch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._may_send())
                if self._closed:
                    return
                entry = heapq.heappop(self._heap)
                if not entry.future.set_running_or_notify_cancel():
                    continue
                self._away[entry.token] = entry
            try:
                self._send(entry)
            except Exception as error:  # whatever it is, it belongs to this item
                self._leave(entry)
                _fail(entry, error)

    def _may_send(self) -> bool:
        if not self._heap or self._places == 0:
            return False
        if len(self._away) < self._places or self._heap[0].future.cancelled():
            return True
        seconds = self._seconds.get(_what(self._heap[0].job), _SHORT_SECONDS)
        return seconds < _SHORT_SECONDS and len(self._away) < 2 * self._places

    def _send(self, entry: _Entry) -> None:
        from distributed.protocol.pickle import dumps

        job = entry.job
        future = self._client.submit(
            carry,
            dumps((job.function, job.item)),
            entry.token,
            None if job.limit_s is None else self._topic,
            key=f"{job.kind}-{entry.token}",
            priority=job.priority,
            resources=self._asks or None,
            pure=False,
        )
        entry.sent = future
        future.add_done_callback(lambda done: self._hand_on(entry, done))

    def _hand_on(self, entry: _Entry, done: DaskFuture) -> None:
        try:
            self._collectors.submit(self._collect, entry, done)
        except RuntimeError:  # closed meanwhile
            return

    def _collect(self, entry: _Entry, done: DaskFuture) -> None:
        try:
            carried: Carried = done.result()
        except BaseException as error:
            self._leave(entry)
            _fail(entry, _translated(error, entry.job.name))
            return
        finally:
            done.release()
        self._remember(carried.process, carried.cpu_s)
        what = _what(entry.job)
        before = self._seconds.get(what, carried.seconds)
        self._seconds[what] = _REMEMBER * before + (1.0 - _REMEMBER) * carried.seconds
        self._leave(entry)
        if not entry.ended:
            entry.future.set_result(carried.record)

    def _remember(self, process: str, cpu_s: float) -> None:
        self.spent[process] = max(cpu_s, self.spent.get(process, 0.0))

    def _leave(self, entry: _Entry) -> None:
        with self._changed:
            self._away.pop(entry.token, None)
            self._changed.notify_all()

    def _started(self, event: tuple[float, dict[str, str]]) -> None:
        """Start an item's clock; a worker that died makes it start again elsewhere."""
        said = event[1]
        entry = self._away.get(said["token"])
        if entry is not None:
            entry.began, entry.worker = time.monotonic(), said["worker"]

    def _watch(self) -> None:
        counted = lonely = time.monotonic()
        while not self._closed:
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            for entry in list(self._away.values()):
                limit_s, began = entry.job.limit_s, entry.began
                late = limit_s is not None and began is not None and now - began > limit_s
                if late and not entry.ended:
                    self._end(entry)
            if now - counted > _COUNT_SECONDS or self._places == 0:
                counted = now
                self._count_places()
            if self._places or not self._demand():
                lonely = now
            elif now - lonely > _PATIENCE_SECONDS:
                lonely = now
                _log.warning(
                    "%d items wait and no worker has come for %g s; `widomill cluster check` "
                    "says what is wrong",
                    self._demand(),
                    _PATIENCE_SECONDS,
                )

    def _end(self, entry: _Entry) -> None:
        """Give an item up and kill the process that runs it."""
        entry.ended = True
        how = "its worker process was ended" if self._cluster.killable else "its thread goes on"
        _fail(
            entry,
            TimeLimitError(
                f"{entry.job.name}: stopped after {entry.job.limit_s:g} s, the limit of one "
                f"item; {how}. Raise the limit if it needs longer."
            ),
            anyway=True,
        )
        if self._cluster.killable:
            threading.Thread(target=self._kill, args=(entry,), daemon=True).start()

    def _kill(self, entry: _Entry) -> None:
        try:
            self._client.cancel([entry.sent], force=True)
            found = self._client.run(
                kill_worker, workers=[entry.worker], nanny=True, on_error="ignore"
            )
            for spent in filter(None, (found or {}).values()):
                self._remember(*spent)
        except Exception as error:
            _log.warning("the worker %s could not be ended: %s", entry.worker, error)
        finally:
            self._leave(entry)

    def _count_places(self) -> None:
        try:
            workers = self._client.scheduler_info()["workers"]
            places = sum(self._places_of(worker) for worker in workers.values())
            self._full.look(workers)
        except Exception as error:  # the scheduler is busy or gone: its futures say which
            _log.debug("the workers could not be counted: %s", error)
            return
        with self._changed:
            self._places = places
            self._changed.notify_all()

    def _places_of(self, worker: dict[str, Any]) -> int:
        if worker.get("status", "running") != "running":
            return 0
        has = worker.get("resources", {})
        fits = [int(has.get(name, 0.0) / amount) for name, amount in self._asks.items()]
        return int(min([worker["nthreads"], *fits]))


def _what(job: Job) -> str:
    return f"{job.kind} {getattr(job.function, '__qualname__', job.function)}"


def _fail(entry: _Entry, error: BaseException, *, anyway: bool = False) -> None:
    if (anyway or not entry.ended) and not entry.future.done():
        entry.future.set_exception(error)


def _translated(error: BaseException, name: str) -> BaseException:
    translated: DeadWorkerError
    if type(error).__name__ == "KilledWorker":
        translated = CrashedWorkerError(
            f"{name}: the worker process died each time it ran this, most likely for want "
            "of memory. Use fewer workers, then repeat the command to go on from the files."
        )
        translated.__cause__ = error
        return translated
    if type(error).__name__ in _LOST:
        translated = DeadWorkerError(
            f"{name}: the connection to the Dask cluster was lost ({error}). Repeat the "
            "command to go on from the files."
        )
        translated.__cause__ = error
        return translated
    return error
