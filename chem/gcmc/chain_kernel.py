"""The Markov chain: displacements, and cycles of randomly chosen moves.

Translation, rotation and reinsertion are accepted with ``min(1, exp(-beta dU))``, a
reinsertion with the ratio g(old) / g(new) of insertion densities besides. What to do is drawn
without looking at the configuration; a displacement that finds no guest is a move that
changed nothing, and is counted in the averages like every other.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.gcmc.host_kernel import host_energy, is_blocked
from chem.gcmc.layout import (
    DELETION,
    EVERY,
    INSERTION,
    REINSERTION,
    ROTATION,
    TRANSLATION,
    Box,
    Conditions,
    Model,
    Scratch,
    State,
)
from chem.gcmc.moves import (
    commit,
    energy_with_guests,
    is_charged,
    largest_wave_gain,
    pick,
    place_sites,
    potential_energy,
    store,
    wave_part,
)
from chem.gcmc.rng import index_below, turned_quaternion, uniform
from chem.gcmc.swap_kernel import delete, draw_pose, insert, log_density
from chem.gcmc.wave_kernel import structure_factors
from chem.kernel_options import FAST


@numba.njit(**FAST)
def _shift(random: np.ndarray, centre: np.ndarray, step: float, box: Box) -> None:
    """Move a fractional centre within a cube of half edge ``step`` in angstrom."""
    x = step * (2.0 * uniform(random) - 1.0)
    y = step * (2.0 * uniform(random) - 1.0)
    z = step * (2.0 * uniform(random) - 1.0)
    for axis in range(3):
        f = centre[axis]
        f += x * box.inverse[0, axis] + y * box.inverse[1, axis] + z * box.inverse[2, axis]
        f -= math.floor(f)
        centre[axis] = f if f < 1.0 else 0.0


@numba.njit(**FAST)
def _propose(
    kind: int, state: State, scratch: Scratch, model: Model, conditions: Conditions
) -> float:
    """Write the new pose into the work space; return the log of g(old) / g(new)."""
    if kind == TRANSLATION:
        _shift(state.random, scratch.centre, conditions.steps[0], model.box)
        return 0.0
    if kind == ROTATION:
        turned_quaternion(state.random, scratch.quaternion, conditions.steps[1])
        place_sites(scratch.quaternion, model.body, scratch.offsets)
        return 0.0
    before = log_density(scratch, model)
    draw_pose(state, scratch, model)
    return before - log_density(scratch, model)


@numba.njit(**FAST)
def displace(
    kind: int, state: State, scratch: Scratch, model: Model, conditions: Conditions
) -> bool:
    """Try to move one guest of at least one; return whether it moved."""
    box, waves = model.box, model.waves
    guest = index_below(state.random, state.number[0])
    pick(state, scratch, guest)
    bias = _propose(kind, state, scratch, model, conditions)
    limit = (bias - math.log(1.0 - uniform(state.random))) / conditions.beta
    if is_blocked(scratch.centre, box, model.placement):
        return False
    host = host_energy(scratch.centre, scratch.offsets, box, scratch, model.direct, model.grids)
    if not host < np.inf:
        return False
    pair = energy_with_guests(scratch.centre, scratch.offsets, guest, state, scratch, model)
    if not pair < np.inf:
        return False
    pair -= energy_with_guests(
        scratch.old_centre, scratch.old_offsets, guest, state, scratch, model
    )
    change = host - state.host[guest] + pair
    if not change - largest_wave_gain(state, waves, 2.0) < limit:
        return False
    every, own = 0.0, 0.0
    if is_charged(waves):
        before, after = scratch.before, scratch.after
        structure_factors(scratch.old_centre, scratch.old_offsets, box, waves, scratch, before)
        structure_factors(scratch.centre, scratch.offsets, box, waves, scratch, after)
        wave, every, own = wave_part(state, waves, scratch)
        change += wave
    if not change < limit:
        return False
    commit(state, scratch, host - state.host[guest], pair, every, own)
    store(state, scratch, guest, host)
    return True


@numba.njit(**FAST)
def _one_move(
    state: State,
    scratch: Scratch,
    model: Model,
    conditions: Conditions,
    counters: np.ndarray,
) -> None:
    """Choose a kind of move, try it and count it; without guests only insertions are tries."""
    choice = uniform(state.random)
    thresholds = conditions.thresholds
    kind = REINSERTION
    if choice < thresholds[0]:
        kind = INSERTION if 2.0 * choice < thresholds[0] else DELETION
    elif choice < thresholds[1]:
        kind = TRANSLATION
    elif choice < thresholds[2]:
        kind = ROTATION
    if kind == INSERTION:
        done = insert(state, scratch, model, conditions)
    elif state.number[0] == 0:
        return
    elif kind == DELETION:
        done = delete(state, scratch, model, conditions)
    else:
        done = displace(kind, state, scratch, model, conditions)
    counters[kind, 0] += 1
    counters[kind, 1] += 1 if done else 0


@numba.njit(**FAST)
def run_cycles(
    first: int,
    last: int,
    moves: int,
    state: State,
    scratch: Scratch,
    model: Model,
    conditions: Conditions,
    counters: np.ndarray,
    series: np.ndarray,
) -> int:
    """Run cycles ``first`` to ``last - 1`` of ``moves`` moves each.

    Args:
        first: first cycle.
        last: where to stop.
        moves: moves in a cycle; zero takes max(20, N) anew for each.
        state: the configuration, changed in place.
        scratch: work space.
        model: energies.
        conditions: state point and step sizes.
        counters: (6, 2) attempts and acceptances of each kind of move, and moves, added to.
        series: (cycles, 4) output: averages over a cycle's moves of N, N^2, U and U N, U in
            kJ/mol.

    Returns:
        The cycle to go on with: ``last``, or an earlier one if the arrays of guests are
        nearly full and must be made longer first.
    """
    for cycle in range(first, last):
        length = moves if moves > 0 else max(20, state.number[0])
        if state.number[0] + length > state.host.shape[0]:
            return cycle
        n_sum, nn_sum, u_sum, un_sum = 0.0, 0.0, 0.0, 0.0
        counters[EVERY, 0] += length
        for _ in range(length):
            _one_move(state, scratch, model, conditions, counters)
            n = float(state.number[0])
            u = potential_energy(state, model.box, model.waves)
            n_sum += n
            nn_sum += n * n
            u_sum += u
            un_sum += u * n
        series[cycle, 0] = n_sum / length
        series[cycle, 1] = nn_sum / length
        series[cycle, 2] = u_sum / length
        series[cycle, 3] = un_sum / length
    return last
