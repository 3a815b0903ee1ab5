"""The process of a Prefect server of our own: its room, and how it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

STOP_SECONDS = 10.0
_DRAIN_SECONDS = 10.0
_DATABASE_MB = 4.0


def little_space(home: Path) -> str | None:
    """Return what to do where a database has no room, or None."""
    free_mb = shutil.disk_usage(home).free / 1e6
    if free_mb > _DATABASE_MB:
        return None
    return (
        f"The Prefect server has no room for its database: the file system of {home} is full "
        f"({free_mb:.1f} MB left). Make space there, or run with --no-orchestration."
    )


def drain() -> None:
    """Send the events and log lines that Prefect's background threads still hold."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (EventsWorker, APILogWorker):
        worker.drain_all(timeout=_DRAIN_SECONDS)


def terminate(process: subprocess.Popen[bytes]) -> None:
    """End a server, in the end by force."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()
