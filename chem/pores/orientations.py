"""Deterministic, evenly spread orientations of a rigid guest.

A guest that is one point needs one orientation, a rod needs directions on the sphere (half of
it when its two ends are equal), everything else rotations. Directions lie on a Fibonacci
spiral [1], rotations on a super-Fibonacci spiral [2]; the first few of a set are themselves
spread evenly.

References:
    [1] Gonzalez, Math. Geosci. 42 (2010) 49.
    [2] Alexa, Proc. IEEE/CVF CVPR (2022) 8291.
"""

from __future__ import annotations

import math

import numpy as np

from data.records import Guest, PairTable

_SAME_PLACE_ANGSTROM = 1e-3
_DIRECTIONS, _ROTATIONS = 32, 48
_FINER = 6
_PSI = 1.533751168755204288118041  # the root of psi^4 = psi + 4 of the spiral [2]


def guest_orientations(
    guest: Guest, pairs: PairTable, orientations: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a base set of orientations and a set six times as fine.

    Only sites that interact count: a rod whose middle site carries nothing is still a rod.

    Args:
        guest: the molecule.
        pairs: its parameters with the host; sites without any interaction are left out.
        orientations: size of the base set; by default 32 directions for a rod (16 of them
            where its ends are equal) and 48 rotations for any other shape.

    Returns:
        (n, 4) and (6 n, 4) unit quaternions (w, x, y, z); one each for a point.
    """
    kinds, positions = _interacting_sites(guest, pairs)
    if np.linalg.norm(positions, axis=1).max(initial=0.0) < _SAME_PLACE_ANGSTROM:
        identity = np.array([[1.0, 0.0, 0.0, 0.0]])
        return identity, identity
    axis = _rod_axis(positions)
    if axis is None:
        count = orientations or _ROTATIONS
        return super_fibonacci(count), super_fibonacci(_FINER * count)
    half = _ends_are_equal(kinds, positions @ axis)
    count = orientations or (_DIRECTIONS // 2 if half else _DIRECTIONS)
    coarse, fine = (fibonacci_directions(n, half=half) for n in (count, _FINER * count))
    return _turns(axis, coarse), _turns(axis, fine)


def fibonacci_directions(count: int, *, half: bool = False) -> np.ndarray:
    """Return (count, 3) unit vectors spread over the sphere, or over its upper half [1]."""
    index = np.arange(count) + 0.5
    height = 1.0 - index / count if half else 1.0 - 2.0 * index / count
    angle = math.pi * (3.0 - math.sqrt(5.0)) * index
    radius = np.sqrt(1.0 - height * height)
    directions = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    return _farthest_first(directions, either_sign=half)


def super_fibonacci(count: int) -> np.ndarray:
    """Return (count, 4) unit quaternions spread over all rotations [2]."""
    index = np.arange(count) + 0.5
    share = index / count
    one = 2.0 * math.pi * index / math.sqrt(2.0)
    two = 2.0 * math.pi * index / _PSI
    inner, outer = np.sqrt(share), np.sqrt(1.0 - share)
    quaternions = np.stack(
        [inner * np.sin(one), inner * np.cos(one), outer * np.sin(two), outer * np.cos(two)], axis=1
    )
    return _farthest_first(quaternions, either_sign=True)


def _farthest_first(points: np.ndarray, *, either_sign: bool) -> np.ndarray:
    """Return unit vectors in an order of which every beginning is spread evenly.

    Each is the one farthest from all before it; with ``either_sign`` v and -v are the same.
    """
    cosines = points @ points.T
    if either_sign:
        cosines = np.abs(cosines)
    order = [0]
    nearest = cosines[0].copy()
    for _ in range(1, len(points)):
        order.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, cosines[order[-1]])
    return points[order]


def _interacting_sites(guest: Guest, pairs: PairTable) -> tuple[np.ndarray, np.ndarray]:
    """Return a kind and a position of every site that has any interaction."""
    charges = pairs.guest_charges_e if pairs.has_charges else np.zeros(len(guest.site_types))
    acts = (pairs.epsilon_kj_per_mol > 0.0).any(axis=1) | (charges != 0.0)
    rows = np.column_stack([pairs.epsilon_kj_per_mol, pairs.sigma_angstrom, charges])
    kinds = np.unique(rows.round(9), axis=0, return_inverse=True)[1].reshape(-1)
    return kinds[acts], np.asarray(guest.positions_angstrom, dtype=np.float64)[acts]


def _rod_axis(positions: np.ndarray) -> np.ndarray | None:
    """Return the unit axis through the body origin that holds every site, or None."""
    far = positions[np.argmax(np.linalg.norm(positions, axis=1))]
    axis = far / np.linalg.norm(far)
    off_axis = positions - np.outer(positions @ axis, axis)
    return axis if np.linalg.norm(off_axis, axis=1).max() < _SAME_PLACE_ANGSTROM else None


def _ends_are_equal(kinds: np.ndarray, heights: np.ndarray) -> bool:
    """Whether turning the rod round leaves it as it was."""

    def profile(signs: float) -> np.ndarray:
        order = np.lexsort((signs * heights, kinds))
        return np.column_stack([kinds[order], signs * heights[order]])

    return bool(np.allclose(profile(1.0), profile(-1.0), atol=_SAME_PLACE_ANGSTROM))


def _turns(axis: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return quaternions that turn the axis into each direction."""
    cosine = directions @ axis
    quaternions = np.column_stack([1.0 + cosine, np.cross(axis, directions)])
    opposite = quaternions[:, 0] < 1e-12
    sideways = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    quaternions[opposite] = np.concatenate([[0.0], sideways])
    return quaternions / np.linalg.norm(quaternions, axis=1)[:, None]
