"""References and functions that take more memory than they are given."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from ase.calculators.lj import LennardJones

MOST_MB = 3000
_kept: list[np.ndarray] = []


class Hungry(LennardJones):
    """Takes 40 MB every twentieth of a second, and would stop at MOST_MB."""

    def calculate(self, *arguments: Any, **options: Any) -> None:
        """Take all there is."""
        taken = [np.ones(5_000_000) for _ in _slowly(MOST_MB // 40)]
        raise RuntimeError(f"nobody stopped {len(taken)} pieces of 40 MB")


def make() -> Hungry:
    """Return the calculator."""
    return Hungry(epsilon=0.01, sigma=3.2, rc=8.0, smooth=True)


def devour(megabytes: int) -> int:
    """Take so many MB bit by bit, so that who watches can see it."""
    return len([np.ones(2_500_000) for _ in _slowly(megabytes // 20)])


def keep(megabytes: int) -> int:
    """Fill this process to so many MB, and leave it so."""
    import psutil

    while psutil.Process().memory_info().rss < megabytes * 1e6:
        _kept.append(np.ones(1_250_000))
    return len(_kept)


def _slowly(times: int) -> Any:
    for number in range(times):
        time.sleep(0.05)
        yield number
