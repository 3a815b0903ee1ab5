"""What all moves share: energies, poses, and bringing the structure factors up to date."""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.gcmc.layout import HOST, OWN, PAIR, WAVES, Box, Model, Scratch, State, Waves
from chem.gcmc.pair_kernel import gather, pair_energy
from chem.gcmc.wave_kernel import wave_change
from chem.kernel_options import FAST


@numba.njit(**FAST)
def potential_energy(state: State, box: Box, waves: Waves) -> float:
    """Return the energy of all guests with the host and each other, kJ/mol."""
    totals = state.totals
    energy = totals[HOST] + totals[PAIR] + totals[WAVES] + count_energy(state.number[0], box, waves)
    return energy if waves.own_images else energy - totals[OWN]


@numba.njit(**FAST)
def count_energy(count: int, box: Box, waves: Waves) -> float:
    """Return the part of the energy that depends on the number of guests alone.

    That is the tail of every guest with every other beyond the cutoff and, where guests see
    their own images, their self and intramolecular terms of Ewald.
    """
    if waves.own_images:
        return 0.5 * box.tail * count * count - count * waves.own_constant
    return 0.5 * box.tail * count * (count - 1)


@numba.njit(**FAST)
def place_sites(quaternion: np.ndarray, body: np.ndarray, out: np.ndarray) -> None:
    """Write the (m, 3) body-frame sites turned by a quaternion, angstrom."""
    w, x, y, z = quaternion[0], quaternion[1], quaternion[2], quaternion[3]
    for site in range(body.shape[0]):
        a, b, c = body[site, 0], body[site, 1], body[site, 2]
        # v + 2 w (u x v) + 2 u x (u x v) with u = (x, y, z)
        p, q, r = y * c - z * b, z * a - x * c, x * b - y * a
        out[site, 0] = a + 2.0 * (w * p + y * r - z * q)
        out[site, 1] = b + 2.0 * (w * q + z * p - x * r)
        out[site, 2] = c + 2.0 * (w * r + x * q - y * p)


@numba.njit(**FAST)
def pick(state: State, scratch: Scratch, guest: int) -> None:
    """Copy a guest's pose into the work space, as the new and as the old one."""
    centres, quaternions, all_offsets = state.centres, state.quaternions, state.offsets
    centre, old_centre, quaternion = scratch.centre, scratch.old_centre, scratch.quaternion
    offsets, old_offsets = scratch.offsets, scratch.old_offsets
    for axis in range(3):
        centre[axis] = centres[axis, guest]
        old_centre[axis] = centres[axis, guest]
        for site in range(offsets.shape[0]):
            offsets[site, axis] = all_offsets[site, axis, guest]
            old_offsets[site, axis] = all_offsets[site, axis, guest]
    for part in range(4):
        quaternion[part] = quaternions[part, guest]


@numba.njit(**FAST)
def store(state: State, scratch: Scratch, guest: int, host: float) -> None:
    """Write the trial pose into place ``guest``."""
    centres, quaternions, all_offsets = state.centres, state.quaternions, state.offsets
    centre, quaternion, offsets = scratch.centre, scratch.quaternion, scratch.offsets
    for axis in range(3):
        centres[axis, guest] = centre[axis]
        for site in range(offsets.shape[0]):
            all_offsets[site, axis, guest] = offsets[site, axis]
    for part in range(4):
        quaternions[part, guest] = quaternion[part]
    state.host[guest] = host


@numba.njit(**FAST)
def energy_with_guests(
    centre: np.ndarray,
    offsets: np.ndarray,
    skip: int,
    state: State,
    scratch: Scratch,
    model: Model,
) -> float:
    """Return the real-space energy of one guest with all but ``skip``, +inf on overlap."""
    found = gather(
        centre,
        skip,
        state.number[0],
        state.centres,
        state.offsets,
        model.box,
        scratch.separations,
        scratch.near,
    )
    return pair_energy(offsets, scratch.near, found, model.pairs)


@numba.njit(**FAST)
def is_charged(waves: Waves) -> bool:
    """Whether there is a reciprocal part at all."""
    return waves.green.shape[0] > 0


@numba.njit(**FAST)
def largest_wave_gain(state: State, waves: Waves, parts: float) -> float:
    """Bound what the reciprocal energy can change when ``parts`` guest parts come or go.

    Cauchy-Schwarz on ``sum green Re(S* d)``, with the root of ``sum green |d|^2`` of one guest
    never above ``spread`` and that of all guests known.
    """
    if not is_charged(waves):
        return 0.0
    length = math.sqrt(max(0.0, 2.0 * state.totals[WAVES])) + waves.spread
    return parts * waves.spread * length + 0.5 * (parts * waves.spread) ** 2


@numba.njit(**FAST)
def wave_part(state: State, waves: Waves, scratch: Scratch) -> tuple[float, float, float]:
    """Return the reciprocal energy change from the work space's old and new factors.

    Returns:
        What counts, and its two parts: all guests, and the one guest alone.
    """
    every, own = wave_change(waves.green, state.factors, scratch.before, scratch.after)
    return (every if waves.own_images else every - own), every, own


@numba.njit(**FAST)
def commit(
    state: State, scratch: Scratch, host: float, pair: float, every: float, own: float
) -> None:
    """Add the changes of an accepted move to the running totals and structure factors."""
    state.totals[HOST] += host
    state.totals[PAIR] += pair
    state.totals[WAVES] += every
    state.totals[OWN] += own
    factors, before, after = state.factors, scratch.before, scratch.after
    for k in range(factors.shape[1]):
        factors[0, k] += after[0, k] - before[0, k]
        factors[1, k] += after[1, k] - before[1, k]
