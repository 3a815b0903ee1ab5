"""Adsorption isotherms: loadings at a list of pressures, each an independent chain."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from chem.gcmc.build import EnergyModel, build_model, choose_repeats
from chem.gcmc.chain import Chain, ChainResult, run_chain
from chem.gcmc.gas_phase import critical_constants, fugacity_coefficient
from chem.gcmc.guest_mixing import GuestPairTable
from chem.gcmc.layout import State
from chem.gcmc.rng import seeded_state
from chem.gcmc.settings import LEAST_BLOCKS, GcmcSettings
from chem.gcmc.statistics import autocorrelation_time, heat_of_adsorption, mean_with_error
from chem.hosts import host_mass_kg
from chem.orientations import orientation_bins
from chem.proposal import Known, Proposal, learn_proposal, uniform_proposal, voxel_shape
from chem.rotations import random_quaternions
from data.constants import (
    ANGSTROM3_PER_M3,
    AVOGADRO_PER_MOL,
    GAS_CONSTANT_J_PER_MOL_K,
    GAS_CONSTANT_KJ_PER_MOL_K,
    GRAM_PER_KG,
)
from data.errors import SettingsError
from data.records import Estimate
from data.streams import stream

STP_CM3_PER_MOL = GAS_CONSTANT_J_PER_MOL_K * 273.15 / 101_325.0 * 1e6
"""Molar volume of an ideal gas at 273.15 K and 101 325 Pa, the field's cm3(STP)."""
LEAST_TIMES_PER_BLOCK = 5.0
DRIFT_IN_ERRORS = 4.0
_PILOT_CHUNK = 20_000

Progress = Callable[[float, int, int], None]
"""Called with a pressure in Pa, its cycles done and its cycles in all, from any thread."""


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


def run_isotherm(
    model: EnergyModel,
    guest_pairs: GuestPairTable,
    temperature_k: float,
    pressures_pa: Sequence[float],
    settings: GcmcSettings | None = None,
    seed: int = 0,
    threads: int = 1,
    *,
    proposal: Proposal | None = None,
    blocked: np.ndarray | None = None,
    progress: Progress | None = None,
) -> tuple[LoadingPoint, ...]:
    """Compute loadings at each pressure by grand-canonical Monte Carlo.

    The answer depends on the seed, never on the number of threads or on the other pressures
    (with ``start="previous"`` on those before it).

    Args:
        model: host-guest energy, direct or on grids.
        guest_pairs: guest-guest parameters, see `chem.gcmc.guest_mixing.mix_guests`.
        temperature_k: temperature.
        pressures_pa: pressures of the gas.
        settings: how to run; None takes the defaults.
        seed: of all random numbers.
        threads: chains side by side.
        proposal: density of insertions over the host's cell; None learns one from
            ``settings.pilot_insertions`` host energies.
        blocked: (a, b, c) voxels of the host's cell, nonzero where no guest's centre may be;
            voxel (i, j, k) is centred at (i/a, j/b, k/c). `chem.pores.PocketMap.blocked_voxels`.
        progress: told how far each chain is.

    Returns:
        One point for each pressure, in the given order.

    Raises:
        SettingsError: an argument is out of its bounds, or settings contradict each other.
    """
    settings = settings or GcmcSettings()
    _check(model, guest_pairs, temperature_k, pressures_pa, threads)
    coefficients = [_coefficient(model, temperature_k, p, settings) for p in pressures_pa]
    density = proposal or pilot_proposal(
        model, temperature_k, settings.pilot_insertions, seed, blocked
    )
    built = build_model(model, guest_pairs, temperature_k, settings, density, blocked)

    def one(index: int, start: State | None = None) -> ChainResult:
        pressure = float(pressures_pa[index])
        random = seeded_state(
            seed, "gcmc", model.hash, guest_pairs.hash, repr(float(temperature_k)), repr(pressure)
        )
        fugacity = coefficients[index] * pressure
        chain = Chain(built, temperature_k, fugacity, settings, random, start)
        return run_chain(chain, lambda done, of: progress and progress(pressure, done, of))

    indices = range(len(pressures_pa))
    if settings.start == "previous":
        results: list[ChainResult] = []
        for index in indices:
            results.append(one(index, results[-1].state if results else None))
    else:
        with ThreadPoolExecutor(threads) as pool:
            results = list(pool.map(one, indices))
    repeats = choose_repeats(
        model.host.lattice_angstrom, model.settings.cutoff_angstrom, settings.repeats
    )
    return tuple(
        _point(model, temperature_k, p, c, settings, repeats, r, seed)
        for p, c, r in zip(pressures_pa, coefficients, results, strict=True)
    )


def working_capacity(adsorption: LoadingPoint, desorption: LoadingPoint) -> Estimate:
    """Return the loading released between two states, mol/kg, with its error.

    The two chains are independent, so their errors add in squares.

    Args:
        adsorption: the state of higher loading.
        desorption: the other one; temperature, pressure or both may differ.
    """
    high, low = adsorption.mol_per_kg, desorption.mol_per_kg
    return Estimate(
        high.mean - low.mean,
        math.hypot(high.standard_error, low.standard_error),
        min(high.effective_samples, low.effective_samples),
    )


def pilot_proposal(
    model: EnergyModel,
    temperature_k: float,
    insertions: int,
    seed: int,
    blocked: np.ndarray | None = None,
) -> Proposal:
    """Return an insertion density learned from host energies at uniform places.

    Args:
        model: host-guest energy.
        temperature_k: temperature.
        insertions: how many energies; zero returns the uniform density.
        seed: of the insertions.
        blocked: (a, b, c) voxels where no guest may be.
    """
    if insertions == 0:
        return uniform_proposal()
    rng = stream(seed, "gcmc-pilot", model.hash)
    fractional, quaternions = rng.random((insertions, 3)), random_quaternions(rng, insertions)
    energies = np.concatenate(
        [
            model.energies(fractional[i : i + _PILOT_CHUNK], quaternions[i : i + _PILOT_CHUNK])[0]
            for i in range(0, insertions, _PILOT_CHUNK)
        ]
    )
    if blocked is not None:
        voxel = np.rint(fractional * blocked.shape).astype(np.int64) % blocked.shape
        energies[np.asarray(blocked)[tuple(voxel.T)] != 0] = np.inf
    bins = orientation_bins(model.guest)
    voxels = voxel_shape(model.host.lattice_angstrom, insertions, bins)
    known = Known(fractional, quaternions, np.ones(insertions), energies)
    return learn_proposal(voxels, bins, known, (temperature_k,))


def _check(
    model: EnergyModel,
    guest_pairs: GuestPairTable,
    temperature_k: float,
    pressures_pa: Sequence[float],
    threads: int,
) -> None:
    """Raise for arguments that make no sense."""
    if not (math.isfinite(temperature_k) and temperature_k > 0.0):
        raise SettingsError(f"the temperature must be positive, got {temperature_k} K")
    if not len(pressures_pa):
        raise SettingsError("an isotherm needs at least one pressure")
    for pressure in pressures_pa:
        if not (math.isfinite(pressure) and pressure > 0.0):
            raise SettingsError(f"pressures must be positive and finite, got {pressure} Pa")
    if threads < 1:
        raise SettingsError(f"threads must be at least 1, got {threads}")
    sites = len(model.guest.site_types)
    if guest_pairs.epsilon_kj_per_mol.shape != (sites, sites):
        raise SettingsError(
            f"the guest-guest table is {guest_pairs.epsilon_kj_per_mol.shape}, but guest "
            f"{model.guest.name} has {sites} sites"
        )
    effective = model.settings.feynman_hibbs_k
    if effective is not None and effective != temperature_k:
        raise SettingsError(
            f"the Feynman-Hibbs potential was made for {effective:g} K, the isotherm is at "
            f"{temperature_k:g} K; build the energy model for this temperature"
        )


def _coefficient(
    model: EnergyModel, temperature_k: float, pressure_pa: float, settings: GcmcSettings
) -> float:
    """Return f / p of the gas."""
    if settings.fugacity_coefficient is not None:
        return settings.fugacity_coefficient
    gas = settings.critical or critical_constants(model.guest)
    return fugacity_coefficient(gas, temperature_k, pressure_pa)


def _times(estimate: Estimate, factor: float) -> Estimate:
    return replace(
        estimate, mean=estimate.mean * factor, standard_error=estimate.standard_error * factor
    )


def _point(
    model: EnergyModel,
    temperature_k: float,
    pressure_pa: float,
    coefficient: float,
    settings: GcmcSettings,
    repeats: tuple[int, int, int],
    result: ChainResult,
    seed: int,
) -> LoadingPoint:
    """Turn a chain's series into loadings."""
    guests = mean_with_error(result.series[:, 0], settings.blocks)
    per_cell = _times(guests, 1.0 / math.prod(repeats))
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
        mg_per_g=_times(mol_per_kg, model.guest.molar_mass_g_per_mol * 1e3 / GRAM_PER_KG),
        cm3_stp_per_cm3=_times(per_cell, per_m3 * STP_CM3_PER_MOL / 1e6),
        heat_of_adsorption_kj_per_mol=heat_of_adsorption(result.series, settings.blocks, rt),
        energy_kj_per_mol=mean_with_error(result.series[:, 2], settings.blocks),
        repeats=repeats,
        autocorrelation_cycles=autocorrelation_time(result.series[:, 0]),
        moves_per_cycle=result.moves_per_cycle,
        moves=result.moves,
        acceptance=result.acceptance,
        steps=result.steps,
        energy_drift_kj_per_mol=result.energy_drift_kj_per_mol,
        guests_at_end=int(result.state.count[0]),
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
    if settings.initialisation_cycles == 0:
        notes.append("no initialisation cycles: the start is part of the average")
    return tuple(notes)
