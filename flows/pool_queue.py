"""Jobs of a batch system as Dask workers: as many as asked for, or as many as there is work for.

dask-jobqueue writes the scripts and submits them. What is added here: a batch system that takes no
job for a while is asked again, a job that ended is replaced, and the number of jobs follows what
waits in the pool.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data.errors import SettingsError
from flows.cluster_file import BatchQueue
from flows.runners import JOB_FOLDER, batch_queue_arguments, check_jobqueue, queue_class

Demand = Callable[[], int]
_SUBMIT_COMMANDS = {"slurm": "sbatch", "pbs": "qsub", "lsf": "bsub"}
_LIST_COMMANDS = {
    "slurm": ["squeue", "--noheader", "--user", str(os.getuid()), "--format", "%i"],
    "pbs": ["qselect"],
    "lsf": ["bjobs", "-w"],
}
LISTED_SECONDS = 20.0
"""So often the batch system is asked which jobs it has."""
_AGAIN_SECONDS = 15.0
_LOOK_SECONDS = 0.2
_ADAPT_SECONDS = 2
_KEEP_SECONDS = 60
"""An idle job is given back after so long."""
_log = logging.getLogger("widomill.pools")


@dataclass(frozen=True)
class OpenQueue:
    """A dask-jobqueue cluster at work.

    Attributes:
        owned: the cluster.
        most: most jobs at once.
        demands: callables to append to; their sum is how many workers could be busy.
        problems: what the batch system said when it took no job, latest last.
        ending: set it before the cluster is closed.
    """

    owned: Any
    most: int
    demands: list[Demand]
    problems: list[str]
    ending: threading.Event


def open_queue(cluster: BatchQueue, workers: int, where: str) -> OpenQueue:
    """Start a Dask scheduler here and submit jobs that join it.

    Args:
        cluster: the checked file.
        workers: jobs, where the file does not say.
        where: words for messages, such as "The cluster file FILE".

    Raises:
        SettingsError: dask-jobqueue or the batch system is missing, or an option is wrong.
    """
    check_jobqueue(cluster, where)
    command = _SUBMIT_COMMANDS[cluster.kind]
    if shutil.which(command) is None:
        raise SettingsError(
            f"{where}: kind: {cluster.kind}: there is no command {command} here; run this on a "
            "machine from which jobs can be submitted."
        )
    import dask_jobqueue

    make = getattr(dask_jobqueue, queue_class(cluster).rpartition(".")[2])
    demands: list[Demand] = []
    problems: list[str] = []
    ending = threading.Event()
    job = _patient(make.job_cls, problems, ending)
    most = cluster.adapt.maximum if cluster.adapt else cluster.workers or workers
    least = cluster.adapt.minimum if cluster.adapt else most
    try:
        owned = make(job_cls=job, **batch_queue_arguments(cluster, workers))
    except (TypeError, ValueError, RuntimeError) as error:
        raise SettingsError(f"{where}: {error}.") from error
    # Also where the number is fixed: this is what submits a job again when one has ended.
    owned.adapt(
        Adaptive=functools.partial(_following(), demands=demands, kind=cluster.kind),
        minimum=least,
        maximum=most,
        interval=f"{_ADAPT_SECONDS}s",
        wait_count=max(1, _KEEP_SECONDS // _ADAPT_SECONDS),
    )
    return OpenQueue(owned, most, demands, problems, ending)


@functools.cache
def _following() -> Any:
    """Return Dask's adaptive scaling with our own count of what waits.

    Dask sees only what a pool has handed it, which is about one item a worker. Nor does it miss a
    job that ended before its worker came: those are found here, and another one is submitted.
    """
    from distributed.deploy.adaptive import Adaptive

    class Following(Adaptive):
        def __init__(
            self, *arguments: Any, demands: list[Demand], kind: str, **options: Any
        ) -> None:
            self._demands, self._kind = demands, kind
            self._looked, self._suspects = time.monotonic(), set[Any]()
            super().__init__(*arguments, **options)

        async def target(self) -> int:
            if time.monotonic() - self._looked > LISTED_SECONDS:
                await self._forget_the_lost()
                self._looked = time.monotonic()
            return sum(demand() for demand in self._demands)

        async def _forget_the_lost(self) -> None:
            """Give up jobs that the batch system twice did not know, and that no worker is of."""
            listed = await listed_jobs(self._kind)
            if listed is None:
                return
            cluster: Any = self.cluster
            jobs = cluster.workers
            lost = {
                name
                for name, job in jobs.items()
                if name not in self.observed and job.job_id and job.job_id not in listed
            }
            for name in lost & self._suspects:
                _log.warning(
                    "job %s ended before its worker came (its output is in %s); submitting another",
                    jobs[name].job_id,
                    JOB_FOLDER,
                )
                del jobs[name]
            self._suspects = lost

    return Following


async def listed_jobs(kind: str) -> set[str] | None:
    """Return the numbers of the user's jobs that wait or run; ``None`` where nobody says."""
    try:
        process = await asyncio.create_subprocess_exec(
            *_LIST_COMMANDS[kind],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await process.communicate()
    except OSError:
        return None
    if process.returncode != 0:
        return None
    return set(re.findall(r"^\s*(\d+)", out.decode(), flags=re.MULTILINE))


def _patient(job: Any, problems: list[str], ending: threading.Event) -> Any:
    """Return a job class that asks again when the batch system takes no job."""
    from distributed.deploy.spec import ProcessInterface

    class Patient(job):
        async def start(self) -> None:
            while not ending.is_set():
                try:
                    await super().start()
                except (RuntimeError, OSError) as error:
                    problems.append(_said(error))
                else:
                    return
                _log.warning(
                    "a job was not taken (%s); trying again in %g s", problems[-1], _AGAIN_SECONDS
                )
                again = time.monotonic() + _AGAIN_SECONDS
                while time.monotonic() < again and not ending.is_set():
                    await asyncio.sleep(_LOOK_SECONDS)
            await ProcessInterface.start(self)

    return Patient


def _said(error: Exception) -> str:
    """Return what the submit command wrote on standard error, in one line."""
    return " ".join(str(error).rpartition("stderr:")[2].split())
