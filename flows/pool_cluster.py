"""From a checked cluster file to a Dask cluster of our own, or a client of somebody else's."""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from data.errors import DeadWorkerError
from flows.cluster_file import AnyCluster, BatchQueue, ExistingScheduler, LocalCluster, Threads
from flows.pool_queue import Demand, open_queue
from flows.runners import ANY_FREE_PORT, check_scheduler, local_arguments

if TYPE_CHECKING:
    from distributed import Client

CLOSE_SECONDS = 20.0
START_ATTEMPTS = 3
_log = logging.getLogger("widomill.pools")


@dataclass
class OpenCluster:
    """A Dask client and the cluster behind it.

    Attributes:
        client: synchronous client, not the default one of the process.
        owned: the cluster, where it is ours to close.
        workers: most workers it may have, each with one item at a time; 0 where only the
            scheduler knows.
        killable: its workers are processes of their own.
        has: what each worker has, by name.
        demands: how many workers could be busy now, asked by clusters that follow the work.
        problems: what a batch system said when it took no job, latest last.
        ending: set when it closes.
    """

    client: Client
    owned: Any
    workers: int
    killable: bool
    has: dict[str, float]
    demands: list[Demand] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """End the workers, where they are ours, and the connection."""
        # What Dask says about connections that end now would only hide the reason.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self.ending.set()
        with contextlib.suppress(Exception):
            self.client.close(timeout=CLOSE_SECONDS)
        if self.owned is not None:
            with contextlib.suppress(TimeoutError):
                self.owned.close(timeout=CLOSE_SECONDS)


def open_cluster(cluster: AnyCluster, workers: int, where: str) -> OpenCluster:
    """Start the workers a cluster file asks for, or connect to those that are there.

    Args:
        cluster: the checked file.
        workers: workers, where the file does not say.
        where: words for messages, such as "The cluster file FILE".

    Raises:
        SettingsError: no scheduler answers, dask-jobqueue or the batch system is missing.
    """
    from distributed import Client

    if isinstance(cluster, ExistingScheduler):
        check_scheduler(cluster, where)
        client = Client(cluster.address, set_as_default=False)
        return OpenCluster(client, None, 0, True, cluster.resources)
    if isinstance(cluster, BatchQueue):
        queue = open_queue(cluster, workers, where)
        # By its address: a client of the cluster itself waits until all jobs are submitted.
        client = Client(
            queue.owned.scheduler_address, security=queue.owned.security, set_as_default=False
        )
        return OpenCluster(
            client,
            queue.owned,
            queue.most,
            True,
            cluster.resources,
            queue.demands,
            queue.problems,
            queue.ending,
        )
    count = cluster.workers or workers
    owned = _local(cluster, count)
    client = Client(owned, set_as_default=False)
    killable = isinstance(cluster, LocalCluster)
    return OpenCluster(client, owned, count, killable, cluster.resources)


def _started(arguments: dict[str, Any]) -> Any:
    """Start worker processes, again where one died on the way.

    Raises:
        DeadWorkerError: they die each time.
    """
    import distributed

    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            return distributed.LocalCluster(**arguments)
        except RuntimeError as error:  # Dask: "Nanny failed to start."
            if "failed to start" not in str(error):
                raise
            last = error
            _log.warning("a worker died while it started (attempt %d)", attempt)
    raise DeadWorkerError(
        f"The worker processes died while they started, {START_ATTEMPTS} times: is there memory "
        "for them? Use fewer, then repeat the command to go on from the files."
    ) from last


def _local(cluster: LocalCluster | Threads, count: int) -> Any:
    import distributed

    if isinstance(cluster, LocalCluster):
        return _started(local_arguments(cluster, count))
    return distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=count,
        processes=False,
        dashboard_address=ANY_FREE_PORT,
        memory_limit=None,
        silence_logs=logging.CRITICAL,
        resources=cluster.resources or None,
    )
