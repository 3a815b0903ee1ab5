"""Connected components of voxels on a torus, and how they meet their own images.

Voxels are joined by a union-find that also keeps, for every voxel, the lattice offset to its
root. Two joined voxels of one component whose offsets disagree close a loop that is a nonzero
lattice vector: the component meets an image of itself. The rank of all such vectors is its
dimensionality: 0 for a closed pocket, 1 to 3 for channels. This is exact in any cell; lengths
and angles play no part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from chem.kernel_options import STRICT


@dataclass(frozen=True)
class Components:
    """Connected components (through the six faces) of the free voxels.

    Attributes:
        labels: (na, nb, nc) component of each voxel, -1 where it is not free.
        offsets: (na, nb, nc, 3) whole lattice vectors that bring the voxels of a component
            together in space (around an arbitrary one of them).
        loops: (k, 3, 3) for each component up to three independent lattice vectors, as rows
            of integers, by which it meets itself.
        dimensionalities: (k,) how many of those there are, 0 to 3.
    """

    labels: np.ndarray
    offsets: np.ndarray
    loops: np.ndarray
    dimensionalities: np.ndarray


def label_components(free: np.ndarray) -> Components:
    """Find the connected components of free voxels through periodic faces.

    Args:
        free: (na, nb, nc) flags.

    Returns:
        The components, numbered in the order of their first voxel.
    """
    shape = np.array(free.shape, dtype=np.int64)
    flags = np.ascontiguousarray(free).reshape(-1)
    parent = np.arange(flags.size, dtype=np.int32)
    steps = np.zeros((flags.size, 3), dtype=np.int16)
    _join_neighbours(flags, shape, parent, steps)
    labels = np.full(flags.size, -1, dtype=np.int32)
    offsets = np.zeros((flags.size, 3), dtype=np.int16)
    count = _number(flags, parent, steps, labels, offsets)
    loops = np.zeros((count, 3, 3), dtype=np.int64)
    ranks = np.zeros(count, dtype=np.int64)
    _find_loops(shape, labels, offsets, loops, ranks)
    return Components(labels.reshape(free.shape), offsets.reshape(*free.shape, 3), loops, ranks)


def spread_labels(labels: np.ndarray) -> np.ndarray:
    """Give every voxel the label of a nearest labelled one, counted in steps through faces.

    Args:
        labels: (na, nb, nc) labels, -1 where there is none.

    Returns:
        The filled labels; all -1 where none was labelled.
    """
    spread = np.ascontiguousarray(labels, dtype=np.int32).reshape(-1).copy()
    _spread(np.array(labels.shape, dtype=np.int64), spread)
    return spread.reshape(labels.shape)


def touching(mask: np.ndarray) -> np.ndarray:
    """Return which voxels lie outside the mask and share a face with a voxel of it."""
    near = np.zeros_like(mask)
    for axis in range(3):
        near |= np.roll(mask, 1, axis) | np.roll(mask, -1, axis)
    return near & ~mask


@numba.njit(**STRICT)
def find_root(parent: np.ndarray, steps: np.ndarray, node: int) -> tuple[int, int, int, int]:
    """Return the root of a node and the lattice offset to it, halving the path."""
    a, b, c = 0, 0, 0
    while parent[node] != node:
        above = parent[node]
        if parent[above] != above:
            steps[node] += steps[above]
            parent[node] = parent[above]
        a, b, c = a + steps[node, 0], b + steps[node, 1], c + steps[node, 2]
        node = parent[node]
    return node, a, b, c


@numba.njit(**STRICT)
def _neighbour(index: int, axis: int, shape: np.ndarray) -> tuple[int, int]:
    """Return the next voxel along an axis and whether the step leaves the cell."""
    stride = 1
    for k in range(axis + 1, 3):
        stride *= shape[k]
    place = (index // stride) % shape[axis]
    if place + 1 < shape[axis]:
        return index + stride, 0
    return index - place * stride, 1


@numba.njit(**STRICT)
def _join_neighbours(
    free: np.ndarray, shape: np.ndarray, parent: np.ndarray, steps: np.ndarray
) -> None:
    """Unite free voxels that share a face; the smaller root stays."""
    wrap = np.zeros(3, dtype=np.int64)
    for here in range(free.size):
        if not free[here]:
            continue
        for axis in range(3):
            there, crossing = _neighbour(here, axis, shape)
            if not free[there]:
                continue
            one, a, b, c = find_root(parent, steps, here)
            two, d, e, f = find_root(parent, steps, there)
            if one == two:
                continue
            wrap[0], wrap[1], wrap[2] = a - d, b - e, c - f
            wrap[axis] += crossing
            if one < two:
                parent[two] = one
                for k in range(3):
                    steps[two, k] = wrap[k]
            else:
                parent[one] = two
                for k in range(3):
                    steps[one, k] = -wrap[k]


@numba.njit(**STRICT)
def _number(
    free: np.ndarray,
    parent: np.ndarray,
    steps: np.ndarray,
    labels: np.ndarray,
    offsets: np.ndarray,
) -> int:
    """Number the roots in order and write every voxel's label and offset."""
    count = 0
    for here in range(free.size):
        if not free[here]:
            continue
        root, a, b, c = find_root(parent, steps, here)
        if root == here:
            labels[here] = count
            count += 1
        else:
            labels[here] = labels[root]
            offsets[here, 0], offsets[here, 1], offsets[here, 2] = a, b, c
    return count


@numba.njit(**STRICT)
def add_loop(loops: np.ndarray, rank: int, a: int, b: int, c: int) -> int:
    """Add an integer vector to a basis (3, 3) if it is independent; return the new rank."""
    if rank == 3:
        return 3
    p, q = loops[0], loops[1]
    if rank == 0:
        independent = a != 0 or b != 0 or c != 0
    elif rank == 1:
        independent = (
            p[1] * c - p[2] * b != 0 or p[2] * a - p[0] * c != 0 or p[0] * b - p[1] * a != 0
        )
    else:
        volume = a * (p[1] * q[2] - p[2] * q[1]) + b * (p[2] * q[0] - p[0] * q[2])
        independent = volume + c * (p[0] * q[1] - p[1] * q[0]) != 0
    if independent:
        loops[rank, 0], loops[rank, 1], loops[rank, 2] = a, b, c
        return rank + 1
    return rank


@numba.njit(**STRICT)
def _find_loops(
    shape: np.ndarray,
    labels: np.ndarray,
    offsets: np.ndarray,
    loops: np.ndarray,
    ranks: np.ndarray,
) -> None:
    """Collect the lattice vectors by which each component meets itself."""
    wrap = np.zeros(3, dtype=np.int64)
    for here in range(labels.size):
        label = labels[here]
        if label < 0 or ranks[label] == 3:
            continue
        for axis in range(3):
            there, crossing = _neighbour(here, axis, shape)
            if labels[there] != label:
                continue
            for k in range(3):
                wrap[k] = offsets[here, k] - offsets[there, k]
            wrap[axis] += crossing
            ranks[label] = add_loop(loops[label], ranks[label], wrap[0], wrap[1], wrap[2])


@numba.njit(**STRICT)
def _previous(index: int, axis: int, shape: np.ndarray) -> int:
    """Return the voxel before this one along an axis."""
    stride = 1
    for k in range(axis + 1, 3):
        stride *= shape[k]
    place = (index // stride) % shape[axis]
    return index - stride if place > 0 else index + (shape[axis] - 1) * stride


@numba.njit(**STRICT)
def _spread(shape: np.ndarray, labels: np.ndarray) -> None:
    """Flood outward from all labelled voxels at once, one layer after the other."""
    queue = np.empty(labels.size, dtype=np.int64)
    end = 0
    for here in range(labels.size):
        if labels[here] >= 0:
            queue[end] = here
            end += 1
    start = 0
    while start < end:
        here = queue[start]
        start += 1
        for axis in range(3):
            ahead, _ = _neighbour(here, axis, shape)
            behind = _previous(here, axis, shape)
            for there in (ahead, behind):
                if labels[there] < 0:
                    labels[there] = labels[here]
                    queue[end] = there
                    end += 1
