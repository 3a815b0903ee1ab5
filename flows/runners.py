"""From a small YAML file to a Prefect task runner: threads, processes, a scheduler, a queue.

A cluster file says where tasks run and nothing about the science; the numbers are the same on
each. Every field is documented below; examples are in ``flows/clusters``.
"""

from __future__ import annotations

import logging
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from data.errors import SettingsError

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
)
_QUEUE_CLASSES = {
    "slurm": "dask_jobqueue.SLURMCluster",
    "pbs": "dask_jobqueue.PBSCluster",
    "lsf": "dask_jobqueue.LSFCluster",
}
_OPTIONS_ELSEWHERE = {
    "asynchronous": "Prefect sets it",
    "processes": "each job is one worker",
    "n_workers": "use the field `workers`",
    "job_script_prologue": "use the field `prologue`",
    **{
        name: f"use the field `{name}`"
        for name in ("cores", "memory", "walltime", "queue", "account", "interface")
    },
}
_ANSWER_SECONDS = 10.0
# None would not do: Dask then takes port 8787, and complains where another run has it.
_ANY_FREE_PORT = "127.0.0.1:0"
Count = Annotated[int, Field(ge=1, le=10_000)]


class _Cluster(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LocalCluster(_Cluster):
    """Dask processes on this machine, ended with the run; the default."""

    kind: Literal["local"]
    workers: Count | None = Field(default=None, description="processes; default: --workers")
    threads_per_worker: Count = Field(default=1, description="numeric threads within each process")
    memory_limit: str | None = Field(
        default=None,
        description="memory at which Dask restarts a worker, such as 8GiB; default: never",
    )
    dashboard: str | None = Field(
        default=None,
        description="address of the Dask dashboard, such as 127.0.0.1:8787; default: any free port",
    )


class Threads(_Cluster):
    """Threads of this process; for short runs and debugging."""

    kind: Literal["threads"]
    workers: Count | None = Field(default=None, description="threads; default: --workers")


class ExistingScheduler(_Cluster):
    """A Dask scheduler that is running already, with workers that have widomill installed."""

    kind: Literal["scheduler"]
    address: str = Field(
        description="address of the scheduler, such as tcp://login1:8786",
        pattern=r"^(tcp|tls|ucx|ws|wss)://[^\s:/]+:\d+$",
    )


class Adapt(_Cluster):
    """Bounds between which the number of batch jobs follows the work."""

    minimum: int = Field(default=0, ge=0, le=10_000, description="fewest workers")
    maximum: Count = Field(description="most workers")


class BatchQueue(_Cluster):
    """Workers as jobs of a batch system, submitted from this machine through dask-jobqueue."""

    kind: Literal["slurm", "pbs", "lsf"]
    cores: Count = Field(default=1, description="cores of one job")
    memory: str = Field(description="memory of one job, such as 4GB")
    walltime: str = Field(description='time limit of one job, in quotes, such as "01:00:00"')
    workers: Count | None = Field(default=None, description="jobs; default: --workers")
    adapt: Adapt | None = Field(default=None, description="let the number of jobs follow the work")
    queue: str | None = Field(default=None, description="partition or queue")
    account: str | None = Field(default=None, description="account or project to charge")
    interface: str | None = Field(default=None, description="network interface, such as ib0")
    threads_per_worker: Count | None = Field(
        default=None, description="numeric threads of each worker; default: cores"
    )
    prologue: tuple[str, ...] = Field(
        default=(), description="shell lines before the worker starts (module load, activate)"
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="further arguments of the dask-jobqueue class, as they are",
    )

    @field_validator("options")
    @classmethod
    def _not_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, instead in _OPTIONS_ELSEWHERE.items():
            if name in value:
                raise ValueError(f"{name} does not go here; {instead}")
        return value


ClusterSettings = Annotated[
    LocalCluster | Threads | ExistingScheduler | BatchQueue, Field(discriminator="kind")
]
_ADAPTER: TypeAdapter[LocalCluster | Threads | ExistingScheduler | BatchQueue] = TypeAdapter(
    ClusterSettings
)


def read_cluster(path: Path) -> LocalCluster | Threads | ExistingScheduler | BatchQueue:
    """Read and check a cluster file.

    Raises:
        SettingsError: the file is missing, is no YAML mapping, or a field of it is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The cluster file {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"The cluster file {path} is not valid YAML: {reason}.") from error
    if not isinstance(content, dict):
        raise SettingsError(
            f"The cluster file {path} holds no mapping; it needs at least `kind: local`, "
            "`threads`, `scheduler`, `slurm`, `pbs` or `lsf`."
        )
    try:
        return _ADAPTER.validate_python(content)
    except ValidationError as error:
        raise SettingsError(f"The cluster file {path}: {_first_problem(error)}") from error


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


def worker_environment(threads: int) -> dict[str, str]:
    """Return the environment of a worker: numeric threads, Prefect's address and quiet logs.

    No secrets: they reach a task with its settings, never through a job script.

    Args:
        threads: threads of OpenMP (torch too), MKL, OpenBLAS and numba.
    """
    forwarded = {name: os.environ[name] for name in _FORWARDED if name in os.environ}
    return {**forwarded, **dict.fromkeys(_THREAD_VARIABLES, str(threads))}


def _local(cluster: LocalCluster, workers: int) -> TaskRunner[Any]:
    import dask
    from prefect_dask.task_runners import DaskTaskRunner

    environment = worker_environment(cluster.threads_per_worker)
    # Read before a worker process starts, and so before numpy reads it in there.
    threads = {name: environment[name] for name in _THREAD_VARIABLES}
    before = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    dask.config.set({"distributed.nanny.pre-spawn-environ": {**before, **threads}})
    return DaskTaskRunner(
        cluster_class="distributed.LocalCluster",
        cluster_kwargs={
            "n_workers": cluster.workers or workers,
            "threads_per_worker": 1,
            "processes": True,
            "host": "127.0.0.1",
            "dashboard_address": cluster.dashboard or _ANY_FREE_PORT,
            "worker_dashboard_address": None,
            "memory_limit": cluster.memory_limit,
            # A worker that dies is reported from here; its own last words are only noise.
            "silence_logs": logging.CRITICAL,
            "env": environment,
        },
    )


def _existing(cluster: ExistingScheduler, path: Path) -> TaskRunner[Any]:
    from prefect_dask.task_runners import DaskTaskRunner

    parts = urlsplit(cluster.address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), _ANSWER_SECONDS).close()
    except OSError as error:
        raise SettingsError(
            f"The cluster file {path}: address: no Dask scheduler answers at {cluster.address} "
            f"({error}). Start one with `dask scheduler`, and workers with `dask worker "
            f"{cluster.address} --nthreads 1`."
        ) from error
    return DaskTaskRunner(address=cluster.address)


def _batch_queue(cluster: BatchQueue, workers: int, path: Path) -> TaskRunner[Any]:
    from importlib.util import find_spec

    if find_spec("dask_jobqueue") is None:
        raise SettingsError(
            f"The cluster file {path}: kind: {cluster.kind} needs dask-jobqueue, which is not "
            "installed; `pip install dask-jobqueue`."
        )
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
    environment = worker_environment(cluster.threads_per_worker or cluster.cores)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(environment.items())]
    account_name = "project" if cluster.kind == "lsf" else "account"
    arguments: dict[str, Any] = {
        "n_workers": 0 if cluster.adapt else cluster.workers or workers,
        "cores": cluster.cores,
        "processes": 1,
        # The cores of a job are for the numeric threads of the one task that runs in it.
        "worker_extra_args": ["--nthreads", "1"],
        "memory": cluster.memory,
        "walltime": cluster.walltime,
        "queue": cluster.queue,
        "interface": cluster.interface,
        "python": sys.executable,
        "job_script_prologue": [*exports, *cluster.prologue],
        account_name: cluster.account,
        **cluster.options,
        "scheduler_options": {
            "dashboard_address": _ANY_FREE_PORT,
            **cluster.options.get("scheduler_options", {}),
        },
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "kind"
    found = first.get("input")
    kinds = "kind is one of local, threads, scheduler, slurm, pbs, lsf"
    if first["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return f"kind: {first['msg']}; {kinds}."
    if first["type"] == "missing":
        return f"{where}: this field is required and missing."
    if first["type"] == "extra_forbidden":
        return f"{where}: there is no such field here; the examples in flows/clusters show them."
    hint = "; put it in quotes" if first["type"] == "string_type" else ""
    return f"{where}: {first['msg']}, found {found!r}{hint}."
