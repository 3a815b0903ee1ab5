"""The pore network of a host: maxima of the distance to its atoms, and the passes between them.

Every grid node climbs to the neighbour that lies farthest from any atom, up to a maximum; the
nodes that reach one maximum are its basin. Where two basins touch (or one touches its own
image), the highest edge between them is the pass that joins them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numba
import numpy as np

from chem.kernel_options import FAST

STEPS = np.array([s for s in product((-1, 0, 1), repeat=3) if s > (0, 0, 0)], dtype=np.int64)


@dataclass(frozen=True)
class Network:
    """Maxima and passes on a grid.

    Attributes:
        basins: (na, nb, nc) which maximum each node climbs to, -1 inside atoms.
        heights: (m,) distances there, angstrom.
        ends: (p, 2) basins a pass joins.
        shifts: (p, 3) the second basin counts as this many lattice vectors away.
        passes: (p,) height of each pass, the lower distance of its two nodes.
        nodes: (p, 2, 3) grid indices of the two nodes of the pass, not wrapped: the first in
            the cell, the second beside it.
        climbs: (p, 2, s, 3) grid indices met going uphill from them, in the same image.
    """

    basins: np.ndarray
    heights: np.ndarray
    ends: np.ndarray
    shifts: np.ndarray
    passes: np.ndarray
    nodes: np.ndarray
    climbs: np.ndarray


def pore_network(distances: np.ndarray, climb_steps: int = 5) -> Network:
    """Find maxima and passes among the nodes outside all atoms.

    Args:
        distances: (na, nb, nc) distance of each node to the nearest atom surface.
        climb_steps: number s of uphill steps in ``climbs``.

    Returns:
        The network; heights are those of grid nodes.
    """
    shape = np.array(distances.shape, dtype=np.int64)
    heights = np.ascontiguousarray(distances).reshape(-1)
    order = np.flatnonzero(heights > 0.0)
    order = order[np.argsort(-heights[order], kind="stable")]
    upward, steps = np.full(heights.size, -1, dtype=np.int64), _zeros(heights.size)
    _climb(shape, heights, order, STEPS, upward, steps)
    basins, offsets = np.full(heights.size, -1, dtype=np.int64), _zeros(heights.size)
    peaks = order[upward[order] == order]
    basins[peaks] = np.arange(len(peaks))
    _fill_basins(order, upward, steps, basins, offsets)
    rows = _touching_pairs(shape, heights, order, STEPS, basins, offsets)
    rows = _highest_of_each(rows, heights, len(peaks))
    node, other, wrap = rows[:, 0], rows[:, 1], rows[:, 7:10]
    climbs = np.empty((len(rows), 2, climb_steps, 3), dtype=np.int64)
    for end, start in enumerate((node, other)):
        climbs[:, end] = _uphill(shape, upward, steps, start, climb_steps)
    indices = np.stack(np.unravel_index(rows[:, :2].astype(np.int64), distances.shape), axis=-1)
    nodes = indices.astype(np.int64)
    nodes[:, 1] += wrap * shape
    climbs[:, 1] += (wrap * shape)[:, None]
    return Network(
        basins=basins.reshape(distances.shape),
        heights=heights[peaks],
        ends=rows[:, 2:4],
        shifts=rows[:, 4:7],
        passes=np.minimum(heights[node], heights[other]),
        nodes=nodes,
        climbs=climbs,
    )


def _zeros(size: int) -> np.ndarray:
    return np.zeros((size, 3), dtype=np.int16)


def _highest_of_each(rows: np.ndarray, heights: np.ndarray, basins: int) -> np.ndarray:
    """Keep the highest edge of each pair of basins and shift between them."""
    if not len(rows):
        return rows
    height = np.minimum(heights[rows[:, 0]], heights[rows[:, 1]])
    spread = int(np.abs(rows[:, 4:7]).max()) * 2 + 1
    key = rows[:, 2] * basins + rows[:, 3]
    for k in range(3):
        key = key * spread + rows[:, 4 + k] + spread // 2
    order = np.lexsort((-height, key))
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    return rows[order[first]]


def _uphill(
    shape: np.ndarray, upward: np.ndarray, steps: np.ndarray, start: np.ndarray, count: int
) -> np.ndarray:
    """Return (p, s, 3) grid indices of the nodes met going uphill, not wrapped."""
    here, wraps = start.copy(), np.zeros((len(start), 3), dtype=np.int64)
    met = []
    for _ in range(count):
        wraps = wraps + steps[here]
        here = upward[here]
        met.append(np.stack(np.unravel_index(here, tuple(shape)), axis=-1) + wraps * shape)
    return np.stack(met, axis=1)


@numba.njit(**FAST)
def _step(index: int, step: np.ndarray, sign: int, shape: np.ndarray, wrap: np.ndarray) -> int:
    """Return the node one step away, and write which cell it lies in."""
    here = (index // (shape[1] * shape[2]), (index // shape[2]) % shape[1], index % shape[2])
    result = 0
    for k in range(3):
        place = here[k] + sign * step[k]
        wrap[k] = 0
        if place < 0:
            place, wrap[k] = place + shape[k], -1
        elif place >= shape[k]:
            place, wrap[k] = place - shape[k], 1
        result = result * shape[k] + place
    return result


@numba.njit(**FAST)
def _climb(
    shape: np.ndarray,
    heights: np.ndarray,
    order: np.ndarray,
    moves: np.ndarray,
    upward: np.ndarray,
    steps: np.ndarray,
) -> None:
    """Point every node to its highest neighbour; equal heights go by place in ``order``."""
    rank = np.full(heights.size, heights.size, dtype=np.int64)
    for place in range(order.size):
        rank[order[place]] = place
    wrap = np.zeros(3, dtype=np.int64)
    for place in range(order.size):
        here = order[place]
        best, upward[here] = place, here
        for m in range(2 * moves.shape[0]):
            there = _step(here, moves[m // 2], 1 - 2 * (m % 2), shape, wrap)
            if rank[there] < best:
                best, upward[here] = rank[there], there
                for k in range(3):
                    steps[here, k] = wrap[k]


@numba.njit(**FAST)
def _fill_basins(
    order: np.ndarray,
    upward: np.ndarray,
    steps: np.ndarray,
    basins: np.ndarray,
    offsets: np.ndarray,
) -> None:
    """Hand basins and offsets down from the maxima, highest nodes first."""
    for place in range(order.size):
        here = order[place]
        above = upward[here]
        if above != here:
            basins[here] = basins[above]
            for k in range(3):
                offsets[here, k] = offsets[above, k] + steps[here, k]


@numba.njit(**FAST)
def _write_pair(
    row: np.ndarray,
    here: int,
    there: int,
    basins: np.ndarray,
    shift: np.ndarray,
    wrap: np.ndarray,
) -> None:
    """Write an edge so that it reads the same from either side."""
    swap = basins[there] < basins[here]
    if basins[there] == basins[here]:
        first = 0
        while shift[first] == 0:
            first += 1
        swap = shift[first] < 0
    sign = -1 if swap else 1
    row[0], row[1] = (there, here) if swap else (here, there)
    row[2], row[3] = basins[row[0]], basins[row[1]]
    for k in range(3):
        row[4 + k], row[7 + k] = sign * shift[k], sign * wrap[k]


@numba.njit(**FAST)
def _touching_pairs(
    shape: np.ndarray,
    heights: np.ndarray,
    order: np.ndarray,
    moves: np.ndarray,
    basins: np.ndarray,
    offsets: np.ndarray,
) -> np.ndarray:
    """List edges between different basins, or one and its image.

    Returns:
        (p, 10) node, neighbour, their basins (the smaller first), shift of the second basin,
        wrap of the neighbour.
    """
    wrap, shift = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    total = 0
    rows = np.empty((0, 10), dtype=np.int64)
    for count_only in (True, False):
        if not count_only:
            rows = np.empty((total, 10), dtype=np.int64)
        total = 0
        for place in range(order.size):
            here = order[place]
            for m in range(moves.shape[0]):
                there = _step(here, moves[m], 1, shape, wrap)
                if basins[there] < 0:
                    continue
                same = basins[there] == basins[here]
                for k in range(3):
                    # peak of `there` seen from the frame of the peak of `here`
                    shift[k] = offsets[there, k] + wrap[k] - offsets[here, k]
                    same = same and shift[k] == 0
                if same:
                    continue
                if not count_only:
                    _write_pair(rows[total], here, there, basins, shift, wrap)
                total += 1
    return rows
