"""Scored insertions per second: one process, or several at the same time."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REPEATS = 5
WARM_UP = 4096


@dataclass(frozen=True)
class Rate:
    """One way of evaluation: insertions per second of wall clock and per CPU second."""

    way: str
    insertions: int
    per_second: float
    per_cpu_second: float


def timed(way: str, surrogate: Any, places: tuple[np.ndarray, ...], count: int) -> Rate:
    """Time the best of several repetitions."""
    rows = np.resize(np.arange(len(places[0])), count)
    chosen = tuple(part[rows] for part in places)
    surrogate.predict(*(part[: min(count, WARM_UP)] for part in chosen))
    walls, cpus = [], []
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        surrogate.predict(*chosen)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Rate(way, count, count / min(walls), count / min(cpus))


def together(surrogate: Path, places: Path, processes: int, count: int) -> Rate:
    """Let several processes score at the same time; the slowest one counts.

    Args:
        surrogate: file of the surrogate.
        places: file of the insertions, ``free.npz`` for all without overlap.
        processes: how many.
        count: insertions per process.
    """
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=_work, args=(surrogate, places, count, barrier, queue))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    measured = np.array([queue.get() for _ in workers])
    for worker in workers:
        worker.join()
    walls = measured[:, :, 0].max(axis=0)
    cpus = measured[:, :, 1].sum(axis=0)
    total = processes * count
    name = f"{processes} processes" + (", all without overlap" if places.stem == "free" else "")
    return Rate(name, total, total / float(walls.min()), processes * total / float(cpus.min()))


def _work(path: Path, stored_places: Path, count: int, barrier: Any, queue: Any) -> None:
    import torch

    from ml.surrogate import Surrogate

    torch.set_num_threads(1)
    surrogate = Surrogate.load(path, device="cpu")
    stored = np.load(stored_places)
    rows = np.resize(np.arange(len(stored["arr_0"])), count)
    places = tuple(stored[name][rows] for name in stored.files)
    surrogate.predict(*(part[:WARM_UP] for part in places))
    measured = []
    for _ in range(REPEATS):
        barrier.wait()
        wall, cpu = time.perf_counter(), time.process_time()
        surrogate.predict(*places)
        measured.append((time.perf_counter() - wall, time.process_time() - cpu))
    queue.put(measured)
