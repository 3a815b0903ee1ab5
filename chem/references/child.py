"""The other end of ``chem/references/isolated.py``: makes one reference and answers its calls."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

LOOK_S = 1.0
MEMORY = "WIDOMILL_MEMORY"
"""What a process may take, bytes; the limit of the worker that asks, where it has one."""


def serve(fd: int) -> None:
    """Answer until the line is closed; end with the process that asked for it.

    Args:
        fd: file descriptor of the line.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked decides
    _limit_memory()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    line = Connection(fd)
    reference: Any = None
    while True:
        try:
            asked = line.recv()
        except (EOFError, OSError):
            return
        try:
            if reference is None:
                reference = _made(asked)
                answer: Any = True
            else:
                fractional, quaternions, forces = asked
                answer = reference.interaction_energies(fractional, quaternions, forces=forces)
        except Exception as error:
            answer = error
        _send(line, answer)


def _limit_memory() -> None:
    """Let what asks for more meet a MemoryError here: Dask looks at the worker alone."""
    most = int(os.environ.get(MEMORY, "0"))
    if most > 0:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _made(binding: Any) -> Any:
    from chem.references.registry import make_reference

    return make_reference(
        binding.text, binding.host, binding.guest, replication=binding.replication
    )


def _send(line: Connection, answer: Any) -> None:
    try:
        line.send(answer)
    except (TypeError, AttributeError, ValueError):  # an exception that cannot be pickled
        line.send(RuntimeError(f"{type(answer).__name__}: {answer}"))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)
