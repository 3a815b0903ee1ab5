"""Which calls of a reference fail: a tenth of them, in ways that matter more and less.

- at random: every call alike;
- near overlap: the higher an energy among the round's calls, the more often, up to a half;
- strongly bound: the lower, the more often, up to a half;
- one site: every call near the lowest energy, in a ball that holds a tenth of the answer;
- strongest tenth: every call among the tenth of a round's calls that are bound strongest, so
  that no label there ever comes back.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from chem.estimator import beta_mol_per_kj, boltzmann_factor
from common.population import Population

Failures = Literal[
    "none", "at random", "near overlap", "strongly bound", "one site", "strongest tenth"
]
WAYS: tuple[Failures, ...] = (
    "at random",
    "near overlap",
    "strongly bound",
    "one site",
    "strongest tenth",
)
SHARE = 0.1
STEEP = 4
"""A rank to this power, times a half, averages a tenth."""


def fails(
    way: Failures, population: Population, rows: np.ndarray, chance: np.random.Generator
) -> np.ndarray:
    """Return (n,) which calls of a round fail.

    Args:
        way: what decides it.
        population: what was inserted.
        rows: (n,) the round's calls, rows of the population.
        chance: random numbers.
    """
    if way == "none":
        return np.zeros(len(rows), dtype=bool)
    if way == "one site":
        return site(population)[rows]
    energy = population.reference_kj_per_mol[rows]
    place = np.empty(len(rows))
    place[np.argsort(energy, kind="stable")] = (np.arange(len(rows)) + 0.5) / max(1, len(rows))
    probability = {
        "at random": np.full(len(rows), SHARE),
        "near overlap": (STEEP + 1) * SHARE * place**STEEP,
        "strongly bound": (STEEP + 1) * SHARE * (1.0 - place) ** STEEP,
        "strongest tenth": np.where(place < SHARE, 1.0, 0.0),
    }[way]
    return np.asarray(chance.random(len(rows)) < probability)


# With the population itself, so that no other one can take its number.
_SITES: dict[int, tuple[Population, np.ndarray]] = {}


def site(population: Population) -> np.ndarray:
    """Return (M,) which insertions lie in the ball around the lowest that holds a tenth."""
    known = _SITES.get(id(population))
    if known is not None:
        return known[1]
    energy = population.reference_kj_per_mol
    apart = population.fractional - population.fractional[int(np.argmin(energy))]
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    apart -= np.round(apart)
    distance = np.min(
        [np.linalg.norm((apart + s) @ population.lattice_angstrom, axis=1) for s in steps], axis=0
    )
    beta = beta_mol_per_kj(population.case.temperature_k)
    part = population.measure * boltzmann_factor(beta, energy)
    order = np.argsort(distance, kind="stable")
    inside = np.zeros(len(energy), dtype=bool)
    inside[order[np.cumsum(part[order]) <= SHARE * part.sum()]] = True
    _SITES[id(population)] = (population, inside)
    return inside
