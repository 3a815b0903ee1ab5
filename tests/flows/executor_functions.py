"""Functions and records for the tests of executors, in a module that workers can import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from prefect import flow
from prefect.runtime import flow_run

from data.errors import SettingsError, TransientError
from flows.executors import PrefectExecutor


@dataclass(frozen=True)
class Draw:
    seed: int
    folder: str
    pause_s: float = 0.0


@dataclass(frozen=True)
class Drawn:
    seed: int
    mean: float
    process: int
    threads: str


def draw(item: Draw) -> Drawn:
    time.sleep(item.pause_s)
    values = np.random.default_rng(item.seed).standard_normal(1000)
    return Drawn(item.seed, float(values.mean()), os.getpid(), os.environ.get("OMP_NUM_THREADS"))


def _attempts(item: Draw) -> int:
    marks = Path(item.folder)
    (marks / f"{item.seed}-{time.monotonic_ns()}").touch()
    return len(list(marks.glob(f"{item.seed}-*")))


def hiccup_twice(item: Draw) -> int:
    attempts = _attempts(item)
    if attempts < 3:
        raise TransientError("a hiccup")
    return attempts


def fail_at_three(item: Draw) -> int:
    _attempts(item)
    time.sleep(item.pause_s)
    if item.seed == 3:
        raise SettingsError("item 3 is wrong")
    return item.seed


def die_once(item: Draw) -> int:
    attempts = _attempts(item)
    if attempts == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempts


def die_always(item: Draw) -> int:
    _attempts(item)
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


Body = Callable[[PrefectExecutor], Any]
_bodies: list[Body] = []
_outcomes: list[tuple[Any, UUID]] = []


def _run_body() -> None:
    result = _bodies.pop()(PrefectExecutor(retry_delays_seconds=(0.1, 0.2)))
    _outcomes.append((result, UUID(flow_run.id)))


@flow(name="henry")
def henry() -> None:
    _run_body()


def in_flow(body: Body, runner: Any) -> tuple[Any, UUID]:
    """Run ``body`` inside a flow; return what it returns, and the flow run's id."""
    _bodies.append(body)
    henry.with_options(task_runner=runner)()
    return _outcomes.pop()
