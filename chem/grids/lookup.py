"""Compiled look-ups in energy grids: one site, one guest, a batch of insertions.

`site_energy` and `guest_energy` may be called from other compiled code.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.grids.arrays import BLOCKED, FREE, GridArrays
from chem.grids.taps import weigh_taps
from chem.kernel_options import FAST, FAST_INLINED

_SMALLEST = np.float32(1e-3)
BLOCK = 64


@numba.njit(**FAST_INLINED)
def _spline_weights(t: float) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Return the four cubic B-spline weights at a fraction t of a cell."""
    sixth = np.float32(1.0 / 6.0)
    half, one, two_thirds = np.float32(0.5), np.float32(1.0), np.float32(2.0 / 3.0)
    u = np.float32(t)
    v = one - u
    u2, v2 = u * u, v * v
    return (
        sixth * v2 * v,
        two_thirds - u2 * (one - half * u),
        two_thirds - v2 * (one - half * v),
        sixth * u2 * u,
    )


@numba.njit(**FAST_INLINED)
def _wrap(f: float) -> float:
    """Map a fractional coordinate into [0, 1]."""
    return f - math.floor(f)


@numba.njit(**FAST)
def _clashes(fa: float, fb: float, fc: float, kind: int, grids: GridArrays) -> bool:
    """Whether a site at wrapped coordinates lies in a hard core, by distances."""
    lattice, bins, positions = grids.lattice, grids.core_bins, grids.core_positions
    x = fa * lattice[0, 0] + fb * lattice[1, 0] + fc * lattice[2, 0]
    y = fa * lattice[0, 1] + fb * lattice[1, 1] + fc * lattice[2, 1]
    z = fa * lattice[0, 2] + fb * lattice[1, 2] + fc * lattice[2, 2]
    ia = min(np.int64(fa * bins[0]), bins[0] - 1)
    ib = min(np.int64(fb * bins[1]), bins[1] - 1)
    ic = min(np.int64(fc * bins[2]), bins[2] - 1)
    here = (ia * bins[1] + ib) * bins[2] + ic
    for sort in range(grids.core_radii.shape[1]):
        radius = grids.core_radii[kind, sort]
        for j in range(grids.core_starts[here, sort], grids.core_starts[here, sort + 1]):
            dx, dy, dz = x - positions[0, j], y - positions[1, j], z - positions[2, j]
            if dx * dx + dy * dy + dz * dz < radius * radius:
                return True
    return False


@numba.njit(**FAST_INLINED)
def _state(
    fa: float,
    fb: float,
    fc: float,
    kind: int,
    dims: np.ndarray,
    states: np.ndarray,
    strides: np.ndarray,
) -> int:
    """State of the voxel around wrapped coordinates."""
    ia, ib = np.int64(fa * dims[0] + 0.5), np.int64(fb * dims[1] + 0.5)
    ic = np.int64(fc * dims[2] + 0.5)
    return states[kind * strides[0] + ia * strides[1] + ib * strides[2] + ic]


@numba.njit(**FAST_INLINED)
def _spline(
    fa: float,
    fb: float,
    fc: float,
    kind: int,
    dims: np.ndarray,
    coefficients: np.ndarray,
    strides: np.ndarray,
) -> np.float32:
    """Interpolate what is stored of a kind at wrapped coordinates."""
    a, b, c = fa * dims[0], fb * dims[1], fc * dims[2]
    ia, ib, ic = np.int64(a), np.int64(b), np.int64(c)
    return weigh_taps(
        coefficients,
        kind * strides[0] + ia * strides[1] + ib * strides[2] + ic,
        strides[1],
        strides[2],
        _spline_weights(a - ia),
        _spline_weights(b - ib),
        _spline_weights(c - ic),
    )


@numba.njit(**FAST_INLINED)
def _unbend(value: np.float32, floor: float, scale: float) -> float:
    """Turn a stored value into an energy, kJ/mol; a scale of zero means it is one."""
    s = float(max(value, _SMALLEST))
    square = s * s
    bent = floor + scale * (1.0 / (square * square) - 1.0)
    return bent if scale > 0.0 else float(value)


@numba.njit(**FAST)
def site_energy(fa: float, fb: float, fc: float, kind: int, grids: GridArrays) -> float:
    """Return the energy of one site with the host, kJ/mol; +inf in a hard core.

    Args:
        fa: fractional coordinate along a in the host's cell, any image.
        fb: the same along b.
        fc: the same along c.
        kind: kind of the site, from `GridArrays.kinds`.
        grids: the grids.
    """
    fa, fb, fc = _wrap(fa), _wrap(fb), _wrap(fc)
    state = _state(fa, fb, fc, kind, grids.dims, grids.states, grids.state_strides)
    if state != FREE and (state == BLOCKED or _clashes(fa, fb, fc, kind, grids)):
        return np.inf
    value = _spline(fa, fb, fc, kind, grids.dims, grids.coefficients, grids.strides)
    return _unbend(value, grids.floors[kind], grids.scales[kind])


@numba.njit(**FAST)
def guest_energy(sites: np.ndarray, grids: GridArrays) -> float:
    """Return the energy of one guest with the host, kJ/mol; +inf where any site overlaps.

    Args:
        sites: (m, 3) fractional coordinates of its sites in the host's cell, any image.
        grids: the grids.
    """
    order, kinds, dims = grids.order, grids.kinds, grids.dims
    states, state_strides = grids.states, grids.state_strides
    for n in range(kinds.shape[0]):
        site = order[n]
        fa, fb, fc = _wrap(sites[site, 0]), _wrap(sites[site, 1]), _wrap(sites[site, 2])
        state = _state(fa, fb, fc, kinds[site], dims, states, state_strides)
        if state != FREE and (state == BLOCKED or _clashes(fa, fb, fc, kinds[site], grids)):
            return np.inf
    coefficients, strides = grids.coefficients, grids.strides
    floors, scales = grids.floors, grids.scales
    energy = 0.0
    for site in range(kinds.shape[0]):
        kind = kinds[site]
        fa, fb, fc = _wrap(sites[site, 0]), _wrap(sites[site, 1]), _wrap(sites[site, 2])
        value = _spline(fa, fb, fc, kind, dims, coefficients, strides)
        energy += _unbend(value, floors[kind], scales[kind])
    return energy


@numba.njit(**FAST)
def batch_energies(
    fractional: np.ndarray,
    quaternions: np.ndarray,
    grids: GridArrays,
    constant: float,
    energies: np.ndarray,
) -> None:
    """Fill the energies of a batch of insertions, kJ/mol, +inf where sites overlap.

    Blocks of insertions are first screened for overlaps, then the others looked up, so that
    the memory accesses of several look-ups overlap in time.

    Args:
        fractional: (B, 3) fractional positions of the body origin, any image.
        quaternions: (B, 4) unit quaternions (w, x, y, z).
        grids: the grids.
        constant: added to every energy, kJ/mol.
        energies: (B,) output.
    """
    places = np.empty((BLOCK, grids.kinds.shape[0], 3))
    chosen = np.empty(BLOCK, dtype=np.int64)
    for begin in range(0, fractional.shape[0], BLOCK):
        end = min(begin + BLOCK, fractional.shape[0])
        kept = _screen(
            fractional[begin:end],
            quaternions[begin:end],
            grids,
            energies[begin:end],
            places,
            chosen,
        )
        _look_up(kept, places, chosen, grids, constant, energies[begin:end])


@numba.njit(**FAST)
def _look_up(
    count: int,
    places: np.ndarray,
    chosen: np.ndarray,
    grids: GridArrays,
    constant: float,
    energies: np.ndarray,
) -> None:
    """Fill the energies of the insertions that passed."""
    coefficients, kinds, strides, dims = grids.coefficients, grids.kinds, grids.strides, grids.dims
    floors, scales = grids.floors, grids.scales
    for n in range(count):
        energy = constant
        for site in range(kinds.shape[0]):
            kind = kinds[site]
            place = places[n, site]
            value = _spline(place[0], place[1], place[2], kind, dims, coefficients, strides)
            energy += _unbend(value, floors[kind], scales[kind])
        energies[chosen[n]] = energy


@numba.njit(**FAST)
def _screen(
    fractional: np.ndarray,
    quaternions: np.ndarray,
    grids: GridArrays,
    energies: np.ndarray,
    places: np.ndarray,
    chosen: np.ndarray,
) -> int:
    """Find the insertions without overlap: how many, their numbers and wrapped sites."""
    body, inverse, order, kinds = grids.body, grids.inverse, grids.order, grids.kinds
    states, strides, dims = grids.states, grids.state_strides, grids.dims
    kept = 0
    for b in range(fractional.shape[0]):
        w, x, y, z = quaternions[b, 0], quaternions[b, 1], quaternions[b, 2], quaternions[b, 3]
        r00, r01, r02 = 1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)
        r10, r11, r12 = 2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)
        r20, r21, r22 = 2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)
        free = True
        for n in range(kinds.shape[0]):
            site = order[n]
            p, q, r = body[site, 0], body[site, 1], body[site, 2]
            dx = r00 * p + r01 * q + r02 * r
            dy = r10 * p + r11 * q + r12 * r
            dz = r20 * p + r21 * q + r22 * r
            fa = _wrap(
                fractional[b, 0] + dx * inverse[0, 0] + dy * inverse[1, 0] + dz * inverse[2, 0]
            )
            fb = _wrap(
                fractional[b, 1] + dx * inverse[0, 1] + dy * inverse[1, 1] + dz * inverse[2, 1]
            )
            fc = _wrap(
                fractional[b, 2] + dx * inverse[0, 2] + dy * inverse[1, 2] + dz * inverse[2, 2]
            )
            state = _state(fa, fb, fc, kinds[site], dims, states, strides)
            if state != FREE and (state == BLOCKED or _clashes(fa, fb, fc, kinds[site], grids)):
                free = False
                break
            places[kept, site, 0] = fa
            places[kept, site, 1] = fb
            places[kept, site, 2] = fc
        energies[b] = np.inf
        chosen[kept] = b
        kept += 1 if free else 0
    return kept
