"""One Henry coefficient by widomill's classical level, as the benchmarks ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chem.system import System


@dataclass(frozen=True)
class Answer:
    """What a benchmark keeps of a result.

    Attributes:
        henry_mol_per_kg_pa: Henry coefficient.
        relative_error: relative standard error.
        insertions: evaluated insertions, those that only taught the proposal included.
        reached: whether the target error was reached.
    """

    henry_mol_per_kg_pa: float
    relative_error: float
    insertions: int
    reached: bool


def henry(
    system: System,
    temperature_k: float,
    target_error: float,
    *,
    energies: Literal["auto", "direct", "grid"] = "auto",
    insertions: int = 20_000_000,
    threads: int = 1,
    seed: int = 0,
    block_pockets: bool = True,
) -> Answer:
    """Compute one Henry coefficient to a relative standard error, nothing taken from a cache.

    Args:
        system: host, guest and parameters.
        temperature_k: temperature, K.
        target_error: relative standard error to stop at.
        energies: "auto", "grid" or "direct".
        insertions: the most insertions.
        threads: threads.
        seed: random seed.
        block_pockets: leave out pores the guest cannot reach.
    """
    from chem.widom import WidomSettings, run_widom

    settings = WidomSettings(
        target_error=target_error,
        insertions=insertions,
        energies=energies,
        threads=threads,
        seed=seed,
        block_pockets=block_pockets,
    )
    result = run_widom(system, (temperature_k,), settings, cache=None)
    return Answer(
        henry_mol_per_kg_pa=float(result.henry_mol_per_kg_pa[0]),
        relative_error=float(result.relative_standard_error[0]),
        insertions=result.evaluated,
        reached=result.reached,
    )
