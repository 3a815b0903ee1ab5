"""Pools of workers for campaigns: one for reference calls, one for the rest, or one for both.

Plain Dask: no Prefect on a worker, so a compute node never has to reach the Prefect server.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from flows.cluster_file import read_pools
from flows.executors import Kind
from flows.pool_cluster import OpenCluster, open_cluster
from flows.pool_lane import Lane
from flows.pool_worker import cpu

REFERENCE_KIND: Kind = "labels"
_ASK_SECONDS = 5.0
_KNOWN_SECONDS = 15.0
"""How long what the workers have said of themselves will do."""


@dataclass(frozen=True)
class Job:
    """One item of work.

    Attributes:
        function: what to run; a worker has to be able to import it.
        item: small argument, pickled.
        kind: "labels" goes to the references pool, anything else to the general one.
        name: words for messages.
        priority: the greater, the earlier.
        limit_s: longest time it may take on a worker, s; waiting for one does not count.
    """

    function: Callable[[Any], Any]
    item: Any
    kind: Kind
    name: str
    priority: int = 0
    limit_s: float | None = None


@dataclass(frozen=True)
class PoolStatus:
    """What a pool is doing.

    Attributes:
        name: "general", "references" or "all".
        places: items that the workers which are there can run at once.
        running: items handed to workers.
        waiting: items that no worker has yet.
    """

    name: str
    places: int
    running: int
    waiting: int


class Pools:
    """Open pools; ``submit`` may be called from many threads. Use as a context manager.

    Args:
        general: cluster for everything.
        references: cluster for reference calls alone.
        workers: workers of both, where no file says.
    """

    def __init__(self, general: OpenCluster, references: OpenCluster | None, workers: int) -> None:
        self._clusters = [general] if references is None else [general, references]
        apart = references or general
        self._general = self._references = Lane(general, {})
        self._lanes = {"all": self._general}
        if apart is not general or apart.has:
            self._references = Lane(apart, dict(apart.has))
            self._lanes = {"general": self._general, "references": self._references}
        self._workers = workers
        self._asked = -_KNOWN_SECONDS

    @property
    def workers(self) -> int:
        """Most workers of both pools together; those of an existing scheduler as they are now."""
        return sum(cluster.workers or len(_threads(cluster)) for cluster in self._clusters) or (
            self._workers
        )

    @property
    def clients(self) -> dict[str, Any]:
        """The Dask clients by pool."""
        names = ["all"] if len(self._clusters) == 1 else ["general", "references"]
        return {name: cluster.client for name, cluster in zip(names, self._clusters, strict=True)}

    def submit(self, job: Job) -> Future[Any]:
        """Queue one item; thread-safe.

        Returns:
            The future of its record. It raises what the function raised; ``TimeLimitError`` past
            the job's limit; ``DeadWorkerError``, a ``TransientError``, where workers died over it
            or the cluster was lost.
        """
        lane = self._references if job.kind == REFERENCE_KIND else self._general
        return lane.submit(job)

    def status(self) -> list[PoolStatus]:
        """Return what each pool is doing."""
        return [
            PoolStatus(name, lane.places, lane.running, lane.waiting)
            for name, lane in self._lanes.items()
        ]

    def cpu_seconds(self, *, now: bool = False) -> float:
        """Return the user and system seconds of all worker processes so far.

        Those that have ended count as far as they were known; threads of this process count it
        whole. Each record brings the figure of its worker; beyond that they are asked every now
        and then.

        Args:
            now: ask them all the same.
        """
        spent: dict[str, float] = {}
        for lane in self._lanes.values():
            spent |= {name: max(s, spent.get(name, 0.0)) for name, s in lane.spent.items()}
        if now or time.monotonic() - self._asked > _KNOWN_SECONDS:
            self._asked = time.monotonic()
            for cluster in self._clusters:
                for name, seconds in _cpu_now(cluster):
                    spent[name] = max(seconds, spent.get(name, 0.0))
        self._general.spent |= spent
        return sum(spent.values())

    def close(self) -> None:
        """End the workers that are ours; what is not finished is cancelled."""
        for lane in self._lanes.values():
            lane.close()
        for cluster in self._clusters:
            cluster.close()

    def __enter__(self) -> Pools:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_pools(cluster: Path | Mapping[str, Any] | None, workers: int) -> Pools:
    """Start the workers of a campaign, or connect to those that are there.

    Args:
        cluster: path of a cluster file, or what would stand in one; ``None`` is Dask processes on
            this machine.
        workers: workers of a pool, where the file does not say.

    Raises:
        SettingsError: the file is wrong, no scheduler answers, or dask-jobqueue is missing.
    """
    settings = read_pools(cluster)
    where = f"The cluster file {cluster}" if isinstance(cluster, Path) else "cluster"
    if settings.references is None:
        return Pools(open_cluster(settings.general, workers, where), None, workers)
    general = open_cluster(settings.general, workers, f"{where}: general")
    try:
        references = open_cluster(settings.references, workers, f"{where}: references")
    except BaseException:
        general.close()
        raise
    return Pools(general, references, workers)


def _threads(cluster: OpenCluster) -> dict[str, int]:
    with contextlib.suppress(Exception):
        return dict(cluster.client.nthreads())
    return {}


def _cpu_now(cluster: OpenCluster) -> list[tuple[str, float]]:
    """Ask the workers; one that is busy without listening is left out."""
    with contextlib.suppress(Exception):
        client = cluster.client
        found = client.sync(client._run, cpu, on_error="ignore", callback_timeout=_ASK_SECONDS)
        return list(found.values())
    return []
