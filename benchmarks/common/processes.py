"""Runs work in fresh processes and reads their CPU seconds from the operating system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


class WorkerError(RuntimeError):
    """A worker process failed; the message holds the end of what it printed."""


def run_worker(
    script: Path, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[dict[str, Any], float]:
    """Run a Python script in a fresh process, its BLAS and OpenMP on one thread.

    Args:
        script: the script; it writes a JSON object to the file named by its last argument.
        arguments: what comes before that.
        environment: variables on top of the present ones.

    Returns:
        The object, and the CPU seconds (user and system) of the process from start to exit.

    Raises:
        WorkerError: the process failed.
    """
    settings = {**os.environ, **ONE_THREAD, **environment}
    settings.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        answer, log = Path(folder) / "answer.json", Path(folder) / "log.txt"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, str(script.resolve()), *arguments, str(answer)],
                env=settings,
                cwd=folder,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode or not answer.is_file():
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise WorkerError(f"{script.name} {' '.join(arguments)} failed:\n{tail}")
        return json.loads(answer.read_text(encoding="utf-8")), usage.ru_utime + usage.ru_stime


def stay_on_one_core() -> None:
    """Bind this process to one processor core, where the system allows it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
