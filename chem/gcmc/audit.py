"""All energies of a configuration from scratch, to hold the running totals against."""

from __future__ import annotations

import numba
import numpy as np

from chem.gcmc.host_kernel import host_energy
from chem.gcmc.layout import HOST, OWN, PAIR, WAVES, Model, Scratch, State
from chem.gcmc.moves import energy_with_guests, is_charged, pick, potential_energy
from chem.gcmc.wave_kernel import structure_factors, wave_energy
from chem.kernel_options import FAST


@numba.njit(**FAST)
def fresh_totals(state: State, scratch: Scratch, model: Model, factors: np.ndarray) -> np.ndarray:
    """Return the totals (4,) of a configuration anew, and write its structure factors (2, k)."""
    box, waves = model.box, model.waves
    totals = np.zeros(4)
    factors[:] = 0.0
    for guest in range(state.number[0]):
        pick(state, scratch, guest)
        centre, offsets = scratch.centre, scratch.offsets
        totals[HOST] += host_energy(centre, offsets, box, scratch, model.direct, model.grids)
        totals[PAIR] += 0.5 * energy_with_guests(centre, offsets, guest, state, scratch, model)
        if is_charged(waves):
            structure_factors(centre, offsets, box, waves, scratch, scratch.after)
            for k in range(factors.shape[1]):
                factors[0, k] += scratch.after[0, k]
                factors[1, k] += scratch.after[1, k]
            totals[OWN] += wave_energy(waves.green, scratch.after)
    totals[WAVES] = wave_energy(waves.green, factors)
    return totals


@numba.njit(**FAST)
def energy_drift(state: State, scratch: Scratch, model: Model) -> tuple[float, float]:
    """Return the potential energy from scratch, and the running one minus it, kJ/mol."""
    running = potential_energy(state, model.box, model.waves)
    totals, kept = fresh_totals(state, scratch, model, np.zeros_like(state.factors)), np.empty(4)
    for part in range(4):
        kept[part] = state.totals[part]
        state.totals[part] = totals[part]
    fresh = potential_energy(state, model.box, model.waves)
    for part in range(4):
        state.totals[part] = kept[part]
    return fresh, running - fresh
