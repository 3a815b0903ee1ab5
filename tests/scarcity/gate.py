"""A reference that waits until a file is there: a test decides how far a run comes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ase.calculators.lj import LennardJones

GATE = "WIDOMILL_TEST_GATE"


class Gated(LennardJones):
    """Lennard-Jones behind a gate; without GATE in the environment it is open."""

    def calculate(self, *arguments: Any, **options: Any) -> None:
        """Wait, then compute."""
        gate = os.environ.get(GATE)
        if gate:
            Path(f"{gate}.reached").touch()
        while gate and not Path(gate).exists():
            time.sleep(0.05)
        super().calculate(*arguments, **options)


def make() -> Gated:
    """Return the calculator."""
    return Gated(epsilon=0.01, sigma=3.2, rc=8.0, smooth=True)
