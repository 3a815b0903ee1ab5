"""Adsorption isotherms: loadings at a list of pressures, each an independent chain."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chem.energy_model import EnergyModel
from chem.gcmc.build import build_model
from chem.gcmc.chain import Chain, ChainResult, run_chain
from chem.gcmc.gas_phase import critical_constants, fugacity_coefficient
from chem.gcmc.guest_mixing import GuestPairTable
from chem.gcmc.layout import State
from chem.gcmc.loading import LoadingPoint, loading_point
from chem.gcmc.rng import seeded_state
from chem.gcmc.settings import GcmcSettings
from chem.orientations import orientation_bins
from chem.proposal import Known, Proposal, learn_proposal, uniform_proposal, voxel_shape
from chem.rotations import random_quaternions
from data.errors import SettingsError
from data.streams import stream

_PILOT_CHUNK = 20_000

Progress = Callable[[float, int, int], None]
"""Called with a pressure in Pa, its cycles done and its cycles in all, from any thread."""


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
    points = [
        (float(p), _coefficient(model, temperature_k, float(p), settings)) for p in pressures_pa
    ]
    density = proposal or pilot_proposal(
        model, temperature_k, settings.pilot_insertions, seed, blocked
    )
    built = build_model(model, guest_pairs, temperature_k, settings, density, blocked)

    def chain(point: tuple[float, float], start: State | None = None) -> ChainResult:
        pressure, coefficient = point
        key = (model.hash, guest_pairs.hash, repr(float(temperature_k)), repr(pressure))
        random = seeded_state(seed, "gcmc", *key)
        ready = Chain(built, temperature_k, coefficient * pressure, settings, random, start)
        return run_chain(ready, lambda done, of: progress and progress(pressure, done, of))

    results = _run_all(chain, points, settings.start == "previous", threads)
    return tuple(
        loading_point(model, built.box, temperature_k, p, c, settings, result, seed)
        for (p, c), result in zip(points, results, strict=True)
    )


def _run_all(
    chain: Callable[..., ChainResult],
    points: Sequence[tuple[float, float]],
    in_a_row: bool,
    threads: int,
) -> list[ChainResult]:
    """Run the chains side by side, or each from where the one before it ended."""
    if not in_a_row:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(chain, points))
    results: list[ChainResult] = []
    for point in points:
        results.append(chain(point, results[-1].state if results else None))
    return results


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
