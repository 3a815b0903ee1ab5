"""From a checked cluster file to a Dask cluster of our own, or a client of somebody else's."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from data.errors import SettingsError
from flows.cluster_file import AnyCluster, BatchQueue, ExistingScheduler, LocalCluster, Threads
from flows.runners import (
    batch_queue_arguments,
    check_jobqueue,
    check_scheduler,
    local_arguments,
    queue_class,
)

if TYPE_CHECKING:
    from distributed import Client

Demand = Callable[[], int]
CLOSE_SECONDS = 20.0
_KEEP_SECONDS = 60
_ADAPT_SECONDS = 2


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
    """

    client: Client
    owned: Any
    workers: int
    killable: bool
    has: dict[str, float]
    demands: list[Demand] = field(default_factory=list)

    def close(self) -> None:
        """End the workers, where they are ours, and the connection."""
        # What Dask says about connections that end now would only hide the reason.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
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
        return _batch_queue(cluster, workers, where)
    count = cluster.workers or workers
    owned = _local(cluster, count)
    client = Client(owned, set_as_default=False)
    killable = isinstance(cluster, LocalCluster)
    return OpenCluster(client, owned, count, killable, cluster.resources)


def _local(cluster: LocalCluster | Threads, count: int) -> Any:
    import distributed

    if isinstance(cluster, LocalCluster):
        return distributed.LocalCluster(**local_arguments(cluster, count))
    return distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=count,
        processes=False,
        dashboard_address=None,
        memory_limit=None,
        silence_logs=logging.CRITICAL,
        resources=cluster.resources or None,
    )


def _batch_queue(cluster: BatchQueue, workers: int, where: str) -> OpenCluster:
    from distributed import Client

    check_jobqueue(cluster, where)
    import dask_jobqueue

    make = getattr(dask_jobqueue, queue_class(cluster).rpartition(".")[2])
    try:
        owned = make(**batch_queue_arguments(cluster, workers))
    except FileNotFoundError as error:
        raise SettingsError(
            f"{where}: kind: {cluster.kind}: the command {error.filename} is not found; run this "
            "on a machine from which jobs can be submitted."
        ) from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise SettingsError(f"{where}: {error}.") from error
    most = cluster.adapt.maximum if cluster.adapt else cluster.workers or workers
    least = cluster.adapt.minimum if cluster.adapt else most
    client = Client(owned, set_as_default=False)
    opened = OpenCluster(client, owned, most, True, cluster.resources)
    # Also where the number is fixed: this is what submits a job again when one has ended.
    owned.adapt(
        Adaptive=functools.partial(_following(), demands=opened.demands),
        minimum=least,
        maximum=most,
        interval=f"{_ADAPT_SECONDS}s",
        wait_count=max(1, _KEEP_SECONDS // _ADAPT_SECONDS),
    )
    return opened


@functools.cache
def _following() -> Any:
    """Return Dask's adaptive scaling with our own count of what waits.

    Dask sees only what a pool has handed it, which is about one item a worker.
    """
    from distributed.deploy.adaptive import Adaptive

    class Following(Adaptive):
        def __init__(self, *arguments: Any, demands: list[Demand], **options: Any) -> None:
            self._demands = demands
            super().__init__(*arguments, **options)

        async def target(self) -> int:
            return sum(demand() for demand in self._demands)

    return Following
