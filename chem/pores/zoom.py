"""Continuous refinement of a maximum or a pass of the distance to the nearest atom.

Both are found on a small cube of nodes that is halved around its best node again and again.
For a pass the best node is the lowest one of the best path between two sides, found by joining
nodes from the highest down until the sides meet.
"""

from __future__ import annotations

import numba
import numpy as np

from chem.kernel_options import FAST
from chem.pores.distances import Field, distance_at

_FIRST_HALF, _NEXT_HALF = 10, 6
_LEVELS = 6
_PEAK_NODES = 9
_PEAK_CENTRE = _PEAK_NODES // 2
_PEAK_LEVELS = 10


@numba.njit(**FAST)
def refine_peak(field: Field, start: np.ndarray, reach: float) -> tuple[float, np.ndarray]:
    """Climb to the highest place near a start.

    Args:
        field: distances.
        start: (3,) Cartesian place, angstrom.
        reach: half the edge of the first cube, angstrom.

    Returns:
        The distance to the nearest atom there, and the (3,) Cartesian place, angstrom.
    """
    centre, best_place = start.copy(), start.copy()
    best = _height(field, start[0], start[1], start[2])
    for _ in range(_PEAK_LEVELS):
        step = reach / _PEAK_CENTRE
        for i in range(_PEAK_NODES):
            x = centre[0] + (i - _PEAK_CENTRE) * step
            for j in range(_PEAK_NODES):
                y = centre[1] + (j - _PEAK_CENTRE) * step
                for k in range(_PEAK_NODES):
                    z = centre[2] + (k - _PEAK_CENTRE) * step
                    height = _height(field, x, y, z)
                    if height > best:
                        best = height
                        best_place[0], best_place[1], best_place[2] = x, y, z
        centre[:] = best_place
        reach *= 0.5
    return best, best_place


@numba.njit(**FAST)
def refine_pass(
    field: Field, one: np.ndarray, two: np.ndarray, middle: np.ndarray, reach: float
) -> tuple[float, np.ndarray]:
    """Find the height of the best path between two places that lie either side of a pass.

    Every tight spot of the best path in the first cube is looked at more closely, and the
    tightest one counts. Where both sides climb to the same node, the cube is too coarse to
    tell them apart, and a smaller one is taken.

    Args:
        field: distances.
        one: (s, 3) Cartesian places met going uphill on one side, angstrom.
        two: (s, 3) the same on the other side.
        middle: (3,) Cartesian place near the pass.
        reach: half the edge of the first cube around it, angstrom.

    Returns:
        The largest sphere radius that gets through, and the (3,) Cartesian place where it is
        tightest, angstrom.
    """
    half = _FIRST_HALF
    heights = np.empty((2 * half + 1) ** 3)
    path = np.empty(heights.size, dtype=np.int64)
    first, last, step = 0, 0, 0.0
    for _ in range(_LEVELS):
        step = reach / half
        _fill(field, middle, step, half, heights)
        first = _node(_last_inside(one, middle, reach), middle, step, half)
        last = _node(_last_inside(two, middle, reach), middle, step, half)
        first, last = _climb(heights, half, first), _climb(heights, half, last)
        if first != last:
            break
        reach *= 0.5
    length = _best_path(heights, half, first, last, path)
    along = heights[path[:length]]
    lowest, where = max(along[0], along[-1]), middle.copy()
    limit = along.min() + step
    for n in range(1, length - 1):
        if along[n] <= limit and along[n] < along[n - 1] and along[n] <= along[n + 1]:
            height, place = _zoom(field, path[:length], n, middle, step)
            if height < lowest:
                lowest = height
                where = place
    return lowest, where


@numba.njit(**FAST)
def _last_inside(places: np.ndarray, middle: np.ndarray, reach: float) -> np.ndarray:
    """Return the last of a row of places before it leaves the cube, or its first."""
    chosen = 0
    for n in range(places.shape[0]):
        if np.abs(places[n] - middle).max() > reach:
            break
        chosen = n
    return places[chosen]


@numba.njit(**FAST)
def _zoom(
    field: Field, start: np.ndarray, tight: int, base: np.ndarray, step: float
) -> tuple[float, np.ndarray]:
    """Follow one tight spot of a path in the first cube through ever smaller ones around it."""
    one, two, centre = np.empty(3), np.empty(3), np.empty(3)
    old, half = _FIRST_HALF, _NEXT_HALF
    heights = np.empty((2 * half + 1) ** 3)
    path, length = start, start.size
    space = np.empty(heights.size, dtype=np.int64)
    base = base.copy()
    lowest = 0.0
    for _ in range(_LEVELS):
        _place(path[tight], base, step, old, centre)
        reach = 0.5 * step * half
        _follow(path[:length], tight, -1, base, step, old, centre, reach, one)
        _follow(path[:length], tight, 1, base, step, old, centre, reach, two)
        base[:] = centre
        step, old, path = 0.5 * step, half, space
        _fill(field, base, step, half, heights)
        low, high = _node(one, base, step, half), _node(two, base, step, half)
        first, last = _climb(heights, half, low), _climb(heights, half, high)
        if first == last:
            first, last = low, high
        length = _best_path(heights, half, first, last, path)
        tight = 0
        for n in range(length):
            if heights[path[n]] < heights[path[tight]]:
                tight = n
        lowest = heights[path[tight]]
    _place(path[tight], base, step, half, centre)
    return lowest, centre


@numba.njit(**FAST)
def _climb(heights: np.ndarray, half: int, node: int) -> int:
    """Return the maximum that steepest ascent over the nodes of the cube leads to."""
    size = 2 * half + 1
    while True:
        i, j, k = node // (size * size), (node // size) % size, node % size
        best = node
        for a in range(max(i - 1, 0), min(i + 2, size)):
            for b in range(max(j - 1, 0), min(j + 2, size)):
                for c in range(max(k - 1, 0), min(k + 2, size)):
                    there = (a * size + b) * size + c
                    if heights[there] > heights[best]:
                        best = there
        if best == node:
            return node
        node = best


@numba.njit(**FAST)
def _height(field: Field, x: float, y: float, z: float) -> float:
    """Return the distance to the nearest atom at a Cartesian place."""
    m = field.inverse
    return distance_at(
        field,
        x * m[0, 0] + y * m[1, 0] + z * m[2, 0],
        x * m[0, 1] + y * m[1, 1] + z * m[2, 1],
        x * m[0, 2] + y * m[1, 2] + z * m[2, 2],
    )


@numba.njit(**FAST)
def _fill(field: Field, centre: np.ndarray, step: float, half: int, heights: np.ndarray) -> None:
    """Fill the heights of a cube of nodes."""
    n = 0
    for i in range(-half, half + 1):
        for j in range(-half, half + 1):
            for k in range(-half, half + 1):
                heights[n] = _height(
                    field, centre[0] + i * step, centre[1] + j * step, centre[2] + k * step
                )
                n += 1


@numba.njit(**FAST)
def _node(place: np.ndarray, centre: np.ndarray, step: float, half: int) -> int:
    """Return the node of the cube nearest to a place."""
    node = 0
    for k in range(3):
        index = int(np.floor((place[k] - centre[k]) / step + 0.5)) + half
        node = node * (2 * half + 1) + min(max(index, 0), 2 * half)
    return node


@numba.njit(**FAST)
def _place(node: int, centre: np.ndarray, step: float, half: int, out: np.ndarray) -> None:
    """Write the Cartesian place of a node."""
    size = 2 * half + 1
    out[0] = centre[0] + (node // (size * size) - half) * step
    out[1] = centre[1] + ((node // size) % size - half) * step
    out[2] = centre[2] + (node % size - half) * step


@numba.njit(**FAST)
def _follow(
    path: np.ndarray,
    start: int,
    way: int,
    base: np.ndarray,
    step: float,
    half: int,
    centre: np.ndarray,
    reach: float,
    out: np.ndarray,
) -> None:
    """Write the last place of the path, from a node on, inside the next, smaller cube."""
    place = np.empty(3)
    n = start
    while 0 <= n < path.size:
        _place(path[n], base, step, half, place)
        for k in range(3):
            if abs(place[k] - centre[k]) > reach * (1.0 + 1e-9):
                return
        out[:] = place
        n += way


@numba.njit(**FAST)
def _best_path(heights: np.ndarray, half: int, first: int, last: int, path: np.ndarray) -> int:
    """Write the path whose lowest node is highest; return its number of nodes.

    Dijkstra's order with a plain heap: the highest reachable node is taken next.
    """
    size = 2 * half + 1
    came = np.full(heights.size, -1, dtype=np.int64)
    heap = np.empty(heights.size, dtype=np.int64)
    keys = np.empty(heights.size)
    count = 1
    heap[0], keys[0] = last, -heights[last]
    came[last] = last
    while count > 0:
        here = heap[0]
        if here == first:
            break
        count -= 1
        heap[0], keys[0] = heap[count], keys[count]
        _sift_down(heap, keys, count)
        i, j, k = here // (size * size), (here // size) % size, here % size
        for di in range(max(i - 1, 0), min(i + 2, size)):
            for dj in range(max(j - 1, 0), min(j + 2, size)):
                for dk in range(max(k - 1, 0), min(k + 2, size)):
                    there = (di * size + dj) * size + dk
                    if came[there] < 0:
                        came[there] = here
                        heap[count], keys[count] = there, -heights[there]
                        count += 1
                        _sift_up(heap, keys, count - 1)
    length, here = 0, first
    while True:
        path[length] = here
        length += 1
        if here == last:
            return length
        here = came[here]


@numba.njit(**FAST)
def _sift_up(heap: np.ndarray, keys: np.ndarray, place: int) -> None:
    """Move the last entry of a binary heap to where it belongs."""
    while place > 0:
        above = (place - 1) // 2
        if keys[above] <= keys[place]:
            return
        heap[above], heap[place] = heap[place], heap[above]
        keys[above], keys[place] = keys[place], keys[above]
        place = above


@numba.njit(**FAST)
def _sift_down(heap: np.ndarray, keys: np.ndarray, count: int) -> None:
    """Move the first entry of a binary heap to where it belongs."""
    place = 0
    while 2 * place + 1 < count:
        below = 2 * place + 1
        if below + 1 < count and keys[below + 1] < keys[below]:
            below += 1
        if keys[place] <= keys[below]:
            return
        heap[below], heap[place] = heap[place], heap[below]
        keys[below], keys[place] = keys[place], keys[below]
        place = below
