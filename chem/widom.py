"""The classical Henry coefficient of a system: grids, pockets, average, in one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from chem.batches import Batch, Pooled
from chem.combine import interval
from chem.energy_model import EnergyModel
from chem.estimator import heat_of_adsorption, henry_prefactor
from chem.hosts import host_density_kg_per_m3
from chem.sampling import Plan, Progress, widom_average
from data.errors import SettingsError
from data.records import Estimate

if TYPE_CHECKING:
    from chem.energies import ClassicalModel
    from chem.grids.cache import GridCache
    from chem.grids.check import GridCheck
    from chem.pores.pocket_map import PocketMap
    from chem.pores.spheres import BlockSpheres
    from chem.system import System

Energies = Literal["auto", "direct", "grid"]
POCKET_TEMPERATURE_K = 298.15
SMALLEST_BIAS = 5e-4
BIAS_PER_TARGET = 0.09


@dataclass(frozen=True)
class WidomSettings:
    """How the classical level is worked out.

    Attributes:
        insertions: the most insertions to evaluate.
        target_error: relative standard error of K_H to stop at.
        sampling: "adaptive" learns where to insert, "uniform" is plain Widom insertion.
        energies: "direct" sums, "grid" look-ups, or "auto": grids, and direct sums where a
            grid cannot be had.
        threads: threads to work on.
        seed: random seed.
        block_pockets: leave out pores the guest cannot reach.
        pocket_threshold_kt: barrier that closes a pore, in kT at 298.15 K.
    """

    insertions: int = 1_000_000
    target_error: float = 0.01
    sampling: Literal["adaptive", "uniform"] = "adaptive"
    energies: Energies = "auto"
    threads: int = 1
    seed: int = 0
    block_pockets: bool = True
    pocket_threshold_kt: float = 15.0

    @property
    def plan(self) -> Plan:
        """How many insertions, and how they are placed."""
        return Plan(
            self.insertions,
            self.target_error,
            self.sampling == "adaptive",
            self.seed,
            self.threads,
        )


@dataclass(frozen=True)
class WidomResult:
    """The classical answer at K temperatures and what it rests on.

    Attributes:
        temperatures_k: temperatures.
        henry_mol_per_kg_pa: (K,) Henry coefficients.
        relative_standard_error: (K,) of them.
        henry_ci95: (K, 2) their 95 % intervals.
        qst_kj_per_mol: (K,) isosteric heats of adsorption.
        qst_standard_error: (K,) of them, kJ/mol.
        pooled: the averages behind it.
        evaluated: insertions evaluated, those that only taught included.
        reached: whether the target error was reached.
        grid_check: comparison of grid and direct energies; None with direct sums.
        pockets: what was blocked, a map or spheres that were given; None where nothing was.
        notes: what a reader must know.
        seconds: wall time of grids, pockets and average.
    """

    temperatures_k: tuple[float, ...]
    henry_mol_per_kg_pa: np.ndarray
    relative_standard_error: np.ndarray
    henry_ci95: np.ndarray
    qst_kj_per_mol: np.ndarray
    qst_standard_error: np.ndarray
    pooled: Pooled
    evaluated: int
    reached: bool
    grid_check: GridCheck | None
    pockets: PocketMap | BlockSpheres | None
    notes: tuple[str, ...]
    seconds: float

    @property
    def insertions(self) -> int:
        """Insertions the answer averages over."""
        return self.pooled.insertions


def run_widom(
    system: System,
    temperatures_k: tuple[float, ...] = (298.15,),
    settings: WidomSettings | None = None,
    *,
    pockets: PocketMap | BlockSpheres | None = None,
    cache: GridCache | None = None,
    keep: Callable[[int, Batch], None] | None = None,
    progress: Progress | None = None,
) -> WidomResult:
    """Compute the classical Henry coefficient of a system.

    Args:
        system: host, guest and parameters.
        temperatures_k: temperatures, all from the same insertions.
        settings: how; the defaults reach one per cent.
        pockets: what to block; searched for where None is given and settings ask for it.
        cache: grids of earlier runs, and where new ones go.
        keep: called with number and insertions of each batch of the answer, in order.
        progress: called with the insertions so far and the relative standard error.

    Raises:
        SettingsError: settings contradict each other or the system.
    """
    began = time.monotonic()
    settings = settings or WidomSettings()
    direct = system.model()
    model, check, notes = choose_model(direct, temperatures_k, settings, cache)
    if settings.block_pockets and pockets is None:
        pockets = map_pockets(model, settings.pocket_threshold_kt)
    answer = widom_average(
        model,
        temperatures_k,
        settings.plan,
        pockets=pockets if pockets is not None and pockets.blocks_anything else None,
        keep=keep,
        progress=progress,
    )
    numbers = _numbers(answer.pooled, temperatures_k, host_density_kg_per_m3(system.host))
    return WidomResult(
        temperatures_k,
        *numbers,
        answer.pooled,
        answer.evaluated,
        answer.reached,
        check,
        pockets,
        notes,
        time.monotonic() - began,
    )


def choose_model(
    direct: ClassicalModel,
    temperatures_k: tuple[float, ...],
    settings: WidomSettings,
    cache: GridCache | None = None,
) -> tuple[EnergyModel, GridCheck | None, tuple[str, ...]]:
    """Return the energies to use: grids where asked for and possible, else direct sums.

    Returns:
        The model, the comparison of its grids with direct sums (None without grids), and a
        note where "auto" had to do without grids.

    Raises:
        SettingsError: grids were asked for and cannot be had.
    """
    if settings.energies == "direct":
        return direct, None, ()
    from chem.grids import build_grid_model

    try:
        model = build_grid_model(
            direct,
            temperatures_k=temperatures_k,
            bias_target=max(SMALLEST_BIAS, BIAS_PER_TARGET * settings.target_error),
            cache=cache,
            threads=settings.threads,
        )
    except SettingsError as error:
        if settings.energies == "grid":
            raise
        return direct, None, (f"direct sums in place of energy grids: {error}",)
    return model, model.check, ()


def map_pockets(model: EnergyModel, threshold_kt: float) -> PocketMap:
    """Return the map of pores, at one temperature whatever those of the answer.

    A pore is open or closed to a guest for good: K_H(T) must not jump where a threshold in kT
    would pass a barrier.
    """
    from chem.pores.pockets import find_pockets

    return find_pockets(model, POCKET_TEMPERATURE_K, threshold_kt=threshold_kt)


def _numbers(
    pooled: Pooled, temperatures_k: tuple[float, ...], density_kg_per_m3: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return Henry coefficients, relative errors, intervals, heats and their errors."""
    errors = pooled.relative_standard_errors
    henry, intervals, heats = [], [], []
    for moments, temperature in zip(pooled.moments, temperatures_k, strict=True):
        prefactor = henry_prefactor(density_kg_per_m3, temperature)
        mean = float(moments.mean[0])
        estimate = Estimate(mean, float(np.sqrt(max(0.0, moments.table_covariance[0, 0]))))
        henry.append(prefactor * mean)
        intervals.append([prefactor * x for x in interval(estimate, pooled.degrees_of_freedom)])
        heats.append(heat_of_adsorption(moments.mean, moments.table_covariance, temperature))
    heat, heat_error = np.array(heats).T
    return np.array(henry), errors, np.array(intervals), heat, heat_error
