"""From a small YAML file to a Prefect task runner: threads, processes, a scheduler, a queue.

What a cluster file may say is in ``flows/cluster_file.py``, with examples in ``flows/clusters``.
"""

from __future__ import annotations

import logging
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chem.references.child import MEMORY
from data.errors import SettingsError
from flows.cluster_file import (
    BatchQueue,
    ExistingScheduler,
    LocalCluster,
    Threads,
    read_cluster,
)

if TYPE_CHECKING:
    from prefect.task_runners import TaskRunner

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_FORWARDED = (
    "PREFECT_API_URL",
    "PREFECT_LOGGING_SETTINGS_PATH",
    "PREFECT_SERVER_ANALYTICS_ENABLED",
    "DO_NOT_TRACK",
    "WIDOMILL_CACHE",
    "WIDOMILL_DEVICE",
    "WIDOMILL_LABELS",
    "WIDOMILL_MODELS",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "DASK_LOGGING__DISTRIBUTED",
    "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED",
)
_QUEUE_CLASSES = {
    "slurm": "dask_jobqueue.SLURMCluster",
    "pbs": "dask_jobqueue.PBSCluster",
    "lsf": "dask_jobqueue.LSFCluster",
}
_ANSWER_SECONDS = 10.0
JOB_FOLDER = "widomill-jobs"
"""Where the output of batch jobs goes, below the folder they are submitted from."""
# None would not do: Dask then takes port 8787, and complains where another run has it.
ANY_FREE_PORT = "127.0.0.1:0"
_SHORTEST_NOTICE_SECONDS, _LONGEST_NOTICE_SECONDS = 60.0, 600.0


def make_task_runner(
    workers: int, cluster_file: Path | None = None, threads_per_worker: int = 1
) -> TaskRunner[Any]:
    """Return the task runner to inject with ``flow.with_options(task_runner=...)``.

    Args:
        workers: worker processes, where the file does not say.
        cluster_file: YAML cluster file; ``None`` is Dask processes on this machine.
        threads_per_worker: numeric threads (BLAS, torch, numba) of each process on this machine,
            where there is no file. A worker runs one task at a time whatever this is.

    Raises:
        SettingsError: the file is wrong, no scheduler answers, or dask-jobqueue is missing.
    """
    if cluster_file is None:
        return _local(LocalCluster(kind="local", threads_per_worker=threads_per_worker), workers)
    cluster = read_cluster(cluster_file)
    if isinstance(cluster, LocalCluster):
        return _local(cluster, workers)
    if isinstance(cluster, Threads):
        from prefect.task_runners import ThreadPoolTaskRunner

        return ThreadPoolTaskRunner(max_workers=cluster.workers or workers)
    if isinstance(cluster, ExistingScheduler):
        return _existing(cluster, cluster_file)
    return _batch_queue(cluster, workers, cluster_file)


def worker_environment(threads: int, memory: str | None = None) -> dict[str, str]:
    """Return the environment of a worker: numeric threads, Prefect's address and quiet logs.

    No secrets: they reach a task with its settings, never through a job script.

    Args:
        threads: threads of OpenMP (torch too), MKL, OpenBLAS and numba.
        memory: limit of a worker, in Dask's words; references in processes of their own get it
            too, for Dask looks at the worker alone.
    """
    forwarded = {name: os.environ[name] for name in _FORWARDED if name in os.environ}
    limit = {} if memory is None else {MEMORY: _bytes(memory)}
    return {**forwarded, **dict.fromkeys(_THREAD_VARIABLES, str(threads)), **limit}


def _bytes(memory: str) -> str:
    """Return an amount such as 8GiB in bytes; 0, no limit, where it is no amount."""
    from dask.utils import parse_bytes

    try:
        return str(parse_bytes(memory))
    except ValueError:
        return "0"


def _local(cluster: LocalCluster, workers: int) -> TaskRunner[Any]:
    from prefect_dask.task_runners import DaskTaskRunner

    return DaskTaskRunner(
        cluster_class="distributed.LocalCluster", cluster_kwargs=local_arguments(cluster, workers)
    )


def local_arguments(cluster: LocalCluster, workers: int) -> dict[str, Any]:
    """Return the arguments of ``distributed.LocalCluster`` for a cluster file.

    Args:
        cluster: the checked file.
        workers: processes, where the file does not say.
    """
    import dask

    environment = worker_environment(cluster.threads_per_worker, cluster.memory_limit)
    # Read before a worker process starts, and so before numpy reads it in there.
    threads = {name: environment[name] for name in _THREAD_VARIABLES}
    before = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    dask.config.set({"distributed.nanny.pre-spawn-environ": {**before, **threads}})
    arguments: dict[str, Any] = {
        "n_workers": cluster.workers or workers,
        "threads_per_worker": 1,
        "processes": True,
        "host": "127.0.0.1",
        "dashboard_address": cluster.dashboard or ANY_FREE_PORT,
        "worker_dashboard_address": None,
        "memory_limit": cluster.memory_limit,
        # A worker that dies is reported from here; its own last words are only noise.
        "silence_logs": logging.CRITICAL,
        "env": environment,
    }
    return {**arguments, "resources": cluster.resources} if cluster.resources else arguments


def check_scheduler(cluster: ExistingScheduler, where: str) -> None:
    """Refuse a scheduler that does not answer.

    Raises:
        SettingsError: nothing listens at its address.
    """
    parts = urlsplit(cluster.address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), _ANSWER_SECONDS).close()
    except OSError as error:
        raise SettingsError(
            f"{where}: address: no Dask scheduler answers at {cluster.address} "
            f"({error}). Start one with `dask scheduler`, and workers with `dask worker "
            f"{cluster.address} --nthreads 1`."
        ) from error


def _existing(cluster: ExistingScheduler, path: Path) -> TaskRunner[Any]:
    from prefect_dask.task_runners import DaskTaskRunner

    check_scheduler(cluster, f"The cluster file {path}")
    return DaskTaskRunner(address=cluster.address)


def check_jobqueue(cluster: BatchQueue, where: str) -> None:
    """Refuse a batch queue where dask-jobqueue is missing.

    Raises:
        SettingsError: it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("dask_jobqueue") is None:
        raise SettingsError(
            f"{where}: kind: {cluster.kind} needs dask-jobqueue, which is not "
            "installed; `pip install dask-jobqueue`."
        )


def _batch_queue(cluster: BatchQueue, workers: int, path: Path) -> TaskRunner[Any]:
    check_jobqueue(cluster, f"The cluster file {path}")
    from prefect_dask.task_runners import DaskTaskRunner

    adapt = None if cluster.adapt is None else cluster.adapt.model_dump()
    try:
        return DaskTaskRunner(
            cluster_class=_QUEUE_CLASSES[cluster.kind],
            cluster_kwargs=batch_queue_arguments(cluster, workers),
            adapt_kwargs=adapt,
        )
    except (TypeError, ValueError) as error:
        raise SettingsError(f"The cluster file {path}: {error}.") from error


def batch_queue_arguments(cluster: BatchQueue, workers: int) -> dict[str, Any]:
    """Return the arguments of the dask-jobqueue class for a cluster file.

    Args:
        cluster: the checked file.
        workers: jobs, where the file does not say; none at first when it adapts.
    """
    environment = worker_environment(cluster.threads_per_worker or cluster.cores, cluster.memory)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(environment.items())]
    account_name = "project" if cluster.kind == "lsf" else "account"
    arguments: dict[str, Any] = {
        "n_workers": 0 if cluster.adapt else cluster.workers or workers,
        "cores": cluster.cores,
        "processes": 1,
        "memory": cluster.memory,
        "walltime": cluster.walltime,
        "queue": cluster.queue,
        "interface": cluster.interface,
        "python": sys.executable,
        "job_script_prologue": [*exports, *cluster.prologue],
        account_name: cluster.account,
        "job_name": "widomill",
        "log_directory": str(Path.cwd() / JOB_FOLDER),
        **cluster.options,
        "worker_extra_args": _worker_arguments(cluster),
        "scheduler_options": {
            "dashboard_address": ANY_FREE_PORT,
            **cluster.options.get("scheduler_options", {}),
        },
    }
    return {name: value for name, value in arguments.items() if value is not None}


def queue_class(cluster: BatchQueue) -> str:
    """Return the name of the dask-jobqueue class of a batch queue."""
    return _QUEUE_CLASSES[cluster.kind]


def _worker_arguments(cluster: BatchQueue) -> list[str]:
    """Return what `dask worker` is told beside what dask-jobqueue tells it."""
    # The cores of a job are for the numeric threads of the one task that runs in it.
    arguments = ["--nthreads", "1"]
    wall_s = cluster.wall_seconds()
    if wall_s is not None:
        # Gone before the queue ends the job: work in flight moves on without a trace of failure.
        # Not all at once: each worker's end lies half a notice around the middle.
        notice_s = min(max(0.1 * wall_s, _SHORTEST_NOTICE_SECONDS), _LONGEST_NOTICE_SECONDS)
        notice_s = min(notice_s, 0.5 * wall_s)
        arguments += ["--lifetime", f"{wall_s - notice_s:.0f}s"]
        arguments += ["--lifetime-stagger", f"{0.5 * notice_s:.0f}s"]
    if cluster.resources:
        amounts = ",".join(f"{name}={amount:g}" for name, amount in cluster.resources.items())
        arguments += ["--resources", amounts]
    return arguments + list(cluster.options.get("worker_extra_args", []))
