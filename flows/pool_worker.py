"""What runs on a Dask worker of a pool: one item, timed. Imports nothing of Prefect."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data.errors import SettingsError

if TYPE_CHECKING:
    from distributed import Nanny

# Long enough for the word of a start to leave before a kernel holds the interpreter.
_WORD_SECONDS = 0.003


@dataclass(frozen=True)
class Carried:
    """A record on its way home.

    Attributes:
        record: what the function returned.
        seconds: wall time it took, s.
        process: the worker process, by host, number and start.
        cpu_s: processor seconds, user and system, which that process has used so far.
    """

    record: Any
    seconds: float
    process: str
    cpu_s: float


def carry(sent: bytes, token: str, topic: str | None) -> Carried:
    """Run one item.

    Args:
        sent: the pickled function and item.
        token: name of the item, for the word of its start.
        topic: where to say that it starts; ``None`` where nobody asks.

    Raises:
        SettingsError: this Python cannot import what it was sent.
    """
    if topic is not None:
        _say_started(token, topic)
    try:
        function, item = pickle.loads(sent)
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"The Dask workers cannot run widomill: {error}. Install the same version of it, and "
            "whatever else this run imports, for the Python of the workers."
        ) from error
    began = time.monotonic()
    record = function(item)
    process, cpu_s = cpu()
    return Carried(record, time.monotonic() - began, process, cpu_s)


def _say_started(token: str, topic: str) -> None:
    from distributed import get_worker

    worker = get_worker()
    worker.log_event(topic, {"token": token, "worker": worker.address})
    time.sleep(_WORD_SECONDS)


def cpu(number: int | None = None) -> tuple[str, float]:
    """Return a name of a process of this machine and its processor seconds so far.

    Args:
        number: process id; ``None`` is this process.
    """
    import psutil

    process = psutil.Process(number)
    name = f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"
    times = process.cpu_times()
    spent = times.user + times.system
    spent += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    for child in process.children(recursive=True):  # a reference in a process of its own
        with contextlib.suppress(psutil.NoSuchProcess):
            own = child.cpu_times()
            spent += own.user + own.system
    return name, float(spent)


def kill_worker(dask_worker: Nanny) -> tuple[str, float] | None:
    """Kill the worker process of a nanny, and what it started; the nanny starts another.

    The argument's name is how Dask knows to pass the nanny. Returns what ``cpu`` says of the
    process, for nobody can ask it later.
    """
    import psutil

    number = dask_worker.pid
    if number is None:
        return None
    spent = cpu(number)
    below = psutil.Process(number).children(recursive=True)
    for child in [number, *(process.pid for process in below)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    return spent
