"""Do labels look like energies of this guest in this host, in the right unit?

A reference whose energies are off by a constant factor (electronvolts taken for hartrees, calories
for joules) is zero where there is no interaction, keeps every symmetry and has forces that are its
gradients. What gives it away is that a classical baseline, which is right to a factor of two or
so where it binds, is nowhere near.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K

BINDS_RT = 2.0
"""Insertions count where the baseline binds by more than this many RT."""
FEWEST_LABELS = 8
WALL_KJ_PER_MOL = 1e4


@dataclass(frozen=True)
class Likeness:
    """Labels beside the baseline, where it binds.

    Attributes:
        labels: labels there.
        ratio: median of reference over baseline energy; NaN for fewer than eight labels.
        walls: labels of more than 1e4 kJ/mol there.
        highest_kj_per_mol: the highest energy of all labels; NaN where there is none.
    """

    labels: int
    ratio: float
    walls: int
    highest_kj_per_mol: float


def likeness(
    reference_kj_per_mol: np.ndarray, baseline_kj_per_mol: np.ndarray, temperature_k: float
) -> Likeness:
    """Hold labels beside the baseline.

    Args:
        reference_kj_per_mol: (n,) labels; NaN where they failed.
        baseline_kj_per_mol: (n,) classical energies.
        temperature_k: temperature of the run.
    """
    known = np.isfinite(reference_kj_per_mol)
    bound = known & (baseline_kj_per_mol < -BINDS_RT * GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)
    energy = reference_kj_per_mol[bound]
    ratio = np.median(energy / baseline_kj_per_mol[bound]) if len(energy) else np.nan
    return Likeness(
        len(energy),
        float(ratio) if len(energy) >= FEWEST_LABELS else float("nan"),
        int((energy > WALL_KJ_PER_MOL).sum()),
        float(reference_kj_per_mol[known].max()) if known.any() else float("nan"),
    )
