"""``widomill cluster check``: what a cluster file says, and whether a worker of it answers."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from data.errors import WidomillError
from flows.cluster_file import (
    AnyCluster,
    BatchQueue,
    ExistingScheduler,
    LocalCluster,
    PoolsSettings,
    Threads,
    read_pools,
)
from flows.cluster_smoke import Smoke, Token, smoke, versions
from flows.runners import JOB_FOLDER

Say = Callable[[str], None]
_LOOK_SECONDS = 0.1
_STATUS_COMMANDS = {"slurm": "squeue", "pbs": "qstat", "lsf": "bjobs"}


def check_cluster(path: Path, timeout_s: float, folder: Path, say: Say) -> list[Smoke]:
    """Start one worker of each pool of a cluster file, run a smoke task on it, say what came back.

    Args:
        path: the cluster file.
        timeout_s: how long to wait for the answer of a pool, s.
        folder: where runs will be; workers have to see it.
        say: takes the lines.

    Returns:
        The answers, one a pool.

    Raises:
        SettingsError: the file is wrong, or there is no such scheduler or batch system here.
        WidomillError: no worker answered in time.
    """
    settings = read_pools(path)
    answers = []
    for name, cluster in _pools(settings):
        say(f"pool {name}: {describe(cluster)}")
        answers.append(_check(name, cluster, f"The cluster file {path}", timeout_s, folder, say))
    say(f"{len(answers)} of {len(answers)} pools answer.")
    return answers


def describe(cluster: AnyCluster) -> str:
    """Return in words what a cluster's settings mean."""
    if isinstance(cluster, Threads):
        words = f"{cluster.workers or '--workers'} threads of the process that runs the campaign"
    elif isinstance(cluster, LocalCluster):
        words = (
            f"{cluster.workers or '--workers'} processes on this machine, "
            f"{cluster.threads_per_worker} numeric threads each"
        )
    elif isinstance(cluster, ExistingScheduler):
        words = f"the workers of the Dask scheduler at {cluster.address}"
    else:
        words = _describe_queue(cluster)
    if cluster.resources:
        amounts = ", ".join(f"{name} {amount:g}" for name, amount in cluster.resources.items())
        words += f"; reference calls ask for {amounts}"
    return words


def _describe_queue(cluster: BatchQueue) -> str:
    number = f"{cluster.workers or '--workers'}"
    if cluster.adapt:
        number = f"{cluster.adapt.minimum} to {cluster.adapt.maximum}, as there is work,"
    wall_s = cluster.wall_seconds()
    ends = (
        "; its end is not foreseen (walltime cannot be read)"
        if wall_s is None
        else "; workers leave before that"
    )
    where = f" in {cluster.queue}" if cluster.queue else ""
    return (
        f"{number} {cluster.kind} jobs{where}, each {cluster.cores} cores, {cluster.memory}, "
        f"{cluster.walltime}{ends}"
    )


def _pools(settings: PoolsSettings) -> Iterator[tuple[str, AnyCluster]]:
    if settings.references is None:
        yield "all", settings.general
    else:
        yield "general", settings.general
        yield "references", settings.references


def _check(
    name: str, cluster: AnyCluster, where: str, timeout_s: float, folder: Path, say: Say
) -> Smoke:
    from flows.pool_cluster import open_cluster
    from flows.pools import Job, Pools

    began = time.monotonic()
    opened = open_cluster(_one_worker(cluster), 1, where)
    with Pools(opened, None, 1) as pools, _token(folder) as token:
        if isinstance(cluster, BatchQueue):
            say("its job script:")
            say("\n".join(f"    {line}" for line in opened.owned.job_script().splitlines()))
        future = pools.submit(Job(smoke, token, "labels", f"smoke task of pool {name}"))
        while not future.done() and time.monotonic() - began < timeout_s:
            time.sleep(_LOOK_SECONDS)
            if opened.problems:
                said = f"the batch system took no job: {opened.problems[-1]}"
                raise WidomillError(f"{where}: pool {name}: {said}")
        if not future.done():
            raise WidomillError(_silent(name, cluster, where, timeout_s))
        answer: Smoke = future.result()
        say(f"pool {name} answers after {time.monotonic() - began:.1f} s:")
        for line in _lines(answer, folder):
            say(f"    {line}")
        return answer


def _one_worker(cluster: AnyCluster) -> AnyCluster:
    if isinstance(cluster, ExistingScheduler):
        return cluster
    update = {"workers": 1} | ({"adapt": None} if isinstance(cluster, BatchQueue) else {})
    return cluster.model_copy(update=update)


@contextlib.contextmanager
def _token(folder: Path) -> Iterator[Token]:
    """Leave a file for the worker to read, to see whether both share the file system."""
    text = uuid.uuid4().hex
    path = folder.absolute() / f".widomill-check-{text}"
    path.write_text(text, encoding="utf-8")
    try:
        yield Token(str(path), text)
    finally:
        path.unlink()


def _silent(name: str, cluster: AnyCluster, where: str, timeout_s: float) -> str:
    began = f"{where}: no worker of pool {name} answered within {timeout_s:g} s"
    if isinstance(cluster, BatchQueue):
        return (
            f"{began}. Either the job still waits in the queue (`{_STATUS_COMMANDS[cluster.kind]}` "
            "says; wait longer with --timeout), or it ran and its worker could not reach this "
            f"machine: see its output in {JOB_FOLDER}, and docs/clusters.md (interface, ports)."
        )
    if isinstance(cluster, ExistingScheduler):
        asks = f" that has {', '.join(cluster.resources)}" if cluster.resources else ""
        return (
            f"{began}: the scheduler at {cluster.address} has no worker{asks} that is free. Start "
            f"one with `dask worker {cluster.address} --nthreads 1`."
        )
    return f"{began}; its process did not start."


def _lines(answer: Smoke, folder: Path) -> Iterator[str]:
    yield f"host {answer.host}, {answer.cpus} processors, Python {answer.python}"
    yield f"Python at {answer.executable}"
    yield "versions: " + ", ".join(f"{name} {found}" for name, found in answer.versions.items())
    here = versions()
    if other := [f"{name} {here[name]}" for name in here if answer.versions[name] != here[name]]:
        yield f"note: here it is {', '.join(other)}; install the same in both places"
    yield "threads: " + ", ".join(f"{name}={value}" for name, value in answer.threads.items())
    yield f"GPU: {answer.gpu}"
    if answer.sees_folder:
        yield f"it reads what is written in {folder.absolute()}"
    else:
        yield (
            f"note: it does not see {folder.absolute()}; runs have to be on a file system that "
            "workers share with this machine"
        )
