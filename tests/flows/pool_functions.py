"""Functions for the tests of pools, in a module that workers can import; nothing of Prefect."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.errors import SettingsError, TransientError


@dataclass(frozen=True)
class Mark:
    """An item that leaves a file for every attempt."""

    number: int
    folder: str
    pause_s: float = 0.0


@dataclass(frozen=True)
class Where:
    """Where an item ran."""

    process: int
    threads: str | None
    prefect: bool


def _attempts(item: Mark) -> int:
    folder = Path(item.folder)
    (folder / f"{item.number}-{time.monotonic_ns()}").touch()
    return len(list(folder.glob(f"{item.number}-*")))


def square(number: int) -> int:
    return number * number


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def draw(item: Mark) -> float:
    """Attempts leave their mark; the value is the item's alone."""
    _attempts(item)
    time.sleep(item.pause_s)
    return float(np.random.default_rng(item.number).standard_normal(1000).mean())


def where(seconds: float) -> Where:
    time.sleep(seconds)
    return Where(os.getpid(), os.environ.get("OMP_NUM_THREADS"), "prefect" in sys.modules)


def burn(seconds: float) -> float:
    """Use the processor for so long."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        np.linalg.svd(np.eye(30))
    return seconds


def say_and_sleep(item: Mark) -> int:
    """Write the order in which items start."""
    with (Path(item.folder) / "order").open("a") as order:
        order.write(f"{item.number}\n")
    time.sleep(item.pause_s)
    return item.number


def hiccup_twice(item: Mark) -> int:
    attempts = _attempts(item)
    if attempts < 3:
        raise TransientError("a hiccup")
    return attempts


def hiccup_always(item: Mark) -> int:
    _attempts(item)
    raise TransientError("a hiccup")


def fail_at_three(item: Mark) -> int:
    _attempts(item)
    time.sleep(item.pause_s)
    if item.number == 3:
        raise SettingsError("item 3 is wrong")
    return item.number


def die_once(item: Mark) -> int:
    attempts = _attempts(item)
    if attempts == 1:
        os._exit(3)
    return attempts


def die_always(item: Mark) -> int:
    _attempts(item)
    os.kill(os.getpid(), signal.SIGKILL)
    return 0
