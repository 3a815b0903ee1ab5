"""Insertion and deletion.

With activity ``z = beta f``, a box of volume V and insertions drawn from a density g relative
to uniform, the chain accepts [1, 2]

    insertion   min(1, z V / (N + 1) / g(new) exp(-beta dU))
    deletion    min(1, N / (z V) g(old) exp(-beta dU))

The random number is drawn first, which turns every test into dU below a limit. The
reciprocal part of Ewald, the dearest, is not computed when even its largest possible gain
could not bring dU below the limit: the same chain, sooner.

References:
    [1] Norman, Filinov, High Temp. 7 (1969) 216; Adams, Mol. Phys. 29 (1975) 307.
    [2] Frenkel, Smit, Understanding Molecular Simulation, 2nd ed., 2002, section 5.6.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.gcmc.host_kernel import host_energy, is_blocked
from chem.gcmc.layout import Conditions, Model, Scratch, State
from chem.gcmc.moves import (
    commit,
    count_energy,
    energy_with_guests,
    is_charged,
    largest_wave_gain,
    pick,
    place_sites,
    store,
    wave_part,
)
from chem.gcmc.rng import index_below, uniform
from chem.gcmc.wave_kernel import structure_factors
from chem.kernel_options import FAST
from chem.proposal_kernels import cell_numbers, place


@numba.njit(**FAST)
def draw_pose(state: State, scratch: Scratch, model: Model) -> None:
    """Draw centre and orientation from the insertion density, into the work space."""
    random, placement, repeats = state.random, model.placement, model.box.repeats
    cell = index_below(random, len(placement.keep))
    if uniform(random) >= placement.keep[cell]:
        cell = placement.alias[cell]
    scratch.cell[0] = cell
    for axis in range(6):
        scratch.uniforms[0, axis] = uniform(random)
    place(
        scratch.cell,
        scratch.uniforms,
        placement.voxels,
        placement.bins,
        placement.alignment,
        scratch.place,
        scratch.turn,
    )
    for axis in range(3):
        which = index_below(random, int(repeats[axis]))
        centre = (which + scratch.place[0, axis]) / repeats[axis]
        scratch.centre[axis] = centre if centre < 1.0 else 0.0
    for part in range(4):
        scratch.quaternion[part] = scratch.turn[0, part]
    place_sites(scratch.quaternion, model.body, scratch.offsets)


@numba.njit(**FAST)
def log_density(scratch: Scratch, model: Model) -> float:
    """Log of the insertion density, relative to uniform, at the pose in the work space."""
    placement = model.placement
    for axis in range(3):
        scratch.place[0, axis] = scratch.centre[axis] * model.box.repeats[axis]
    for part in range(4):
        scratch.turn[0, part] = scratch.quaternion[part]
    cell_numbers(
        scratch.place,
        scratch.turn,
        placement.voxels,
        placement.bins,
        placement.alignment,
        scratch.cell,
    )
    return placement.log_density[scratch.cell[0]]


@numba.njit(**FAST)
def insert(state: State, scratch: Scratch, model: Model, conditions: Conditions) -> bool:
    """Try to add a guest; return whether it stayed."""
    box, waves, count = model.box, model.waves, state.number[0]
    draw_pose(state, scratch, model)
    chance = math.log(1.0 - uniform(state.random))
    if is_blocked(scratch.centre, box, model.placement):
        return False
    host = host_energy(scratch.centre, scratch.offsets, box, scratch, model.direct, model.grids)
    if not host < np.inf:
        return False
    bias = log_density(scratch, model)
    limit = (conditions.log_activity - math.log(count + 1.0) - bias - chance) / conditions.beta
    pair = energy_with_guests(scratch.centre, scratch.offsets, -1, state, scratch, model)
    alone = count_energy(count + 1, box, waves) - count_energy(count, box, waves)
    change = host + pair + alone
    if not change - largest_wave_gain(state, waves, 1.0) < limit:
        return False
    every, own = 0.0, 0.0
    if is_charged(waves):
        scratch.before[:] = 0.0
        structure_factors(scratch.centre, scratch.offsets, box, waves, scratch, scratch.after)
        wave, every, own = wave_part(state, waves, scratch)
        change += wave
    if not change < limit:
        return False
    store(state, scratch, count, host)
    commit(state, scratch, host, pair, every, own)
    state.number[0] = count + 1
    return True


@numba.njit(**FAST)
def delete(state: State, scratch: Scratch, model: Model, conditions: Conditions) -> bool:
    """Try to take one guest of at least one away; return whether it went."""
    box, waves, count = model.box, model.waves, state.number[0]
    guest = index_below(state.random, count)
    chance = math.log(1.0 - uniform(state.random))
    pick(state, scratch, guest)
    host = state.host[guest]
    bias = log_density(scratch, model)
    limit = (math.log(float(count)) - conditions.log_activity + bias - chance) / conditions.beta
    pair = energy_with_guests(scratch.centre, scratch.offsets, guest, state, scratch, model)
    alone = count_energy(count - 1, box, waves) - count_energy(count, box, waves)
    change = alone - host - pair
    if not change - largest_wave_gain(state, waves, 1.0) < limit:
        return False
    every, own = 0.0, 0.0
    if is_charged(waves):
        scratch.after[:] = 0.0
        structure_factors(scratch.centre, scratch.offsets, box, waves, scratch, scratch.before)
        wave, every, own = wave_part(state, waves, scratch)
        change += wave
    if not change < limit:
        return False
    commit(state, scratch, -host, -pair, every, own)
    _move_last(state, guest)
    return True


@numba.njit(**FAST)
def _move_last(state: State, guest: int) -> None:
    """Fill the place of a deleted guest with the last one."""
    last = state.number[0] - 1
    centres, quaternions, offsets, host = (
        state.centres,
        state.quaternions,
        state.offsets,
        state.host,
    )
    for axis in range(3):
        centres[axis, guest] = centres[axis, last]
        for site in range(offsets.shape[0]):
            offsets[site, axis, guest] = offsets[site, axis, last]
    for part in range(4):
        quaternions[part, guest] = quaternions[part, last]
    host[guest] = host[last]
    state.number[0] = last
