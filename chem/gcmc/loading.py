"""From a chain's series to loadings in the units people use, with errors and warnings."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from chem.energy_model import EnergyModel
from chem.gcmc.chain import ChainResult
from chem.gcmc.layout import Box
from chem.gcmc.settings import LEAST_BLOCKS, GcmcSettings
from chem.gcmc.statistics import autocorrelation_time, heat_of_adsorption, mean_with_error
from chem.hosts import host_density_kg_per_m3, host_mass_kg
from data.constants import (
    ANGSTROM3_PER_M3,
    AVOGADRO_PER_MOL,
    CM3_PER_M3,
    GAS_CONSTANT_KJ_PER_MOL_K,
    STP_CM3_PER_MOL,
)
from data.records import Estimate, Host

LEAST_TIMES_PER_BLOCK = 5.0
DRIFT_IN_ERRORS = 4.0


@dataclass(frozen=True)
class LoadingPoint:
    """One point of an isotherm. Loadings are absolute, per empty host.

    Attributes:
        temperature_k, pressure_pa: the state point.
        fugacity_coefficient: f / p that was used.
        molecules_per_cell: guests per cell of the host as given to the run.
        mol_per_kg, mg_per_g, cm3_stp_per_cm3: the same loading in other units, the last by
            crystal volume, at 273.15 K and 101 325 Pa.
        heat_of_adsorption_kj_per_mol: from fluctuations, or None where N hardly fluctuates.
        energy_kj_per_mol: mean potential energy of all guests in the box.
        repeats: cells of the box.
        autocorrelation_cycles: integrated autocorrelation time of the loading.
        moves_per_cycle, moves: moves in a production cycle, and in all.
        acceptance: accepted share of each kind of move in production.
        steps: largest translation (angstrom) and rotation (radian).
        energy_drift_kj_per_mol: running energy minus energy recomputed at the end.
        guests_at_end: guests in the last configuration.
        seed: seed of the run.
        notes: what to know before trusting the number.
    """

    temperature_k: float
    pressure_pa: float
    fugacity_coefficient: float
    molecules_per_cell: Estimate
    mol_per_kg: Estimate
    mg_per_g: Estimate
    cm3_stp_per_cm3: Estimate
    heat_of_adsorption_kj_per_mol: Estimate | None
    energy_kj_per_mol: Estimate
    repeats: tuple[int, int, int]
    autocorrelation_cycles: float
    moves_per_cycle: int
    moves: int
    acceptance: dict[str, float]
    steps: tuple[float, float]
    energy_drift_kj_per_mol: float
    guests_at_end: int
    seed: int
    notes: tuple[str, ...] = ()


def working_capacity(adsorption: LoadingPoint, desorption: LoadingPoint) -> Estimate:
    """Return the loading released between two states, mol/kg, with its error.

    Args:
        adsorption: the state of higher loading.
        desorption: the other one; temperature, pressure or both may differ.
    """
    return released_loading(adsorption.mol_per_kg, desorption.mol_per_kg)


def released_loading(adsorption: Estimate, desorption: Estimate) -> Estimate:
    """Return the difference of two loadings with its error.

    The two chains are independent, so their errors add in squares.

    Args:
        adsorption: the higher loading.
        desorption: the lower one, in the same unit.
    """
    return Estimate(
        adsorption.mean - desorption.mean,
        math.hypot(adsorption.standard_error, desorption.standard_error),
        min(adsorption.effective_samples, desorption.effective_samples),
    )


def excess_mol_per_kg(
    point: LoadingPoint, host: Host, void_fraction: float, gas_density_mol_per_m3: float
) -> Estimate:
    """Return the excess loading: what is there beyond the gas that would fill the pores anyway.

    Args:
        point: absolute loading.
        host: the framework.
        void_fraction: share of the cell open to the gas, usually helium's.
        gas_density_mol_per_m3: of the gas outside, see `chem.gcmc.gas_phase`.
    """
    filled = void_fraction / host_density_kg_per_m3(host) * gas_density_mol_per_m3
    return replace(point.mol_per_kg, mean=point.mol_per_kg.mean - filled)


def _times(estimate: Estimate, factor: float) -> Estimate:
    return replace(
        estimate, mean=estimate.mean * factor, standard_error=estimate.standard_error * factor
    )


def loading_point(
    model: EnergyModel,
    box: Box,
    temperature_k: float,
    pressure_pa: float,
    coefficient: float,
    settings: GcmcSettings,
    result: ChainResult,
    seed: int,
) -> LoadingPoint:
    """Turn a chain's series into loadings.

    Args:
        model: host and guest.
        box: the simulation box.
        temperature_k: temperature.
        pressure_pa: pressure.
        coefficient: f / p used.
        settings: how the chain ran.
        result: what it left.
        seed: of the run.
    """
    a, b, c = (int(n) for n in box.repeats)
    guests = mean_with_error(result.series[:, 0], settings.blocks)
    per_cell = _times(guests, 1.0 / (a * b * c))
    cell_m3 = model.host.volume_angstrom3 / ANGSTROM3_PER_M3
    mol_per_kg = _times(per_cell, 1.0 / (AVOGADRO_PER_MOL * host_mass_kg(model.host)))
    per_m3 = 1.0 / (AVOGADRO_PER_MOL * cell_m3)
    rt = GAS_CONSTANT_KJ_PER_MOL_K * temperature_k
    return LoadingPoint(
        temperature_k=float(temperature_k),
        pressure_pa=float(pressure_pa),
        fugacity_coefficient=coefficient,
        molecules_per_cell=per_cell,
        mol_per_kg=mol_per_kg,
        mg_per_g=_times(mol_per_kg, model.guest.molar_mass_g_per_mol),
        cm3_stp_per_cm3=_times(per_cell, per_m3 * STP_CM3_PER_MOL / CM3_PER_M3),
        heat_of_adsorption_kj_per_mol=heat_of_adsorption(result.series, settings.blocks, rt),
        energy_kj_per_mol=mean_with_error(result.series[:, 2], settings.blocks),
        repeats=(a, b, c),
        autocorrelation_cycles=autocorrelation_time(result.series[:, 0]),
        moves_per_cycle=result.moves_per_cycle,
        moves=result.moves,
        acceptance=result.acceptance,
        steps=result.steps,
        energy_drift_kj_per_mol=result.energy_drift_kj_per_mol,
        guests_at_end=int(result.state.number[0]),
        seed=seed,
        notes=_notes(result, settings),
    )


def _notes(result: ChainResult, settings: GcmcSettings) -> tuple[str, ...]:
    """Say what speaks against a chain's error or equilibrium."""
    loading = result.series[:, 0]
    notes = []
    tau = autocorrelation_time(loading)
    length = len(loading) // settings.blocks
    if length < LEAST_TIMES_PER_BLOCK * tau:
        notes.append(
            f"blocks of {length} cycles are short against the loading's autocorrelation time of "
            f"{tau:.0f} cycles: the error may be too small; run longer"
        )
    halves = [mean_with_error(half, LEAST_BLOCKS) for half in np.array_split(loading, 2)]
    gap = abs(halves[1].mean - halves[0].mean)
    error = math.hypot(*(half.standard_error for half in halves))
    if gap > DRIFT_IN_ERRORS * error > 0.0:
        notes.append(
            f"the loading of the second half differs from the first by {gap / error:.1f} standard "
            "errors: not yet in equilibrium; take more initialisation cycles"
        )
    if not loading.any():
        notes.append(
            f"no guest stayed in {result.moves} moves: the loading is below what this run can see, "
            "and its error is unknown; run longer, or take the Henry coefficient"
        )
    if settings.initialisation_cycles == 0:
        notes.append("no initialisation cycles: the start is part of the average")
    return tuple(notes)
