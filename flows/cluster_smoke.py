"""The smoke task of ``widomill cluster check``: a worker says where it is and what it has."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("widomill", "dask", "distributed", "numpy", "numba", "torch")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Token:
    """A file that the worker should see, and what stands in it."""

    path: str
    text: str


@dataclass(frozen=True)
class Smoke:
    """What a worker says of itself.

    Attributes:
        host: name of its machine.
        python: version of its Python.
        executable: path of its Python.
        versions: of what matters, by package; "missing" where there is none.
        threads: of numeric libraries, by environment variable.
        cpus: processors its process may use.
        gpu: names of the GPUs that torch sees, or why there is none.
        sees_folder: it reads the file written where the command was started.
    """

    host: str
    python: str
    executable: str
    versions: dict[str, str]
    threads: dict[str, str]
    cpus: int
    gpu: str
    sees_folder: bool


def versions() -> dict[str, str]:
    """Return the versions of the packages that have to agree."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def smoke(token: Token) -> Smoke:
    """Say where this runs and what it has."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Smoke(
        socket.gethostname(),
        platform.python_version(),
        sys.executable,
        versions(),
        {name: os.environ.get(name, "unset") for name in THREADS},
        usable or 1,
        _gpu(),
        _reads(token),
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _gpu() -> str:
    try:
        import torch
    except ImportError:
        return "none (torch is not installed)"
    if not torch.cuda.is_available():
        return f"none (torch {torch.__version__})"
    return ", ".join(torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count()))


def _reads(token: Token) -> bool:
    try:
        return Path(token.path).read_text(encoding="utf-8") == token.text
    except OSError:
        return False
