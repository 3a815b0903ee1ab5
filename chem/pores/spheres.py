"""Spheres that block: given by the user, or laid so that they cover pockets and no channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from chem.geometry import (
    images_near_cell,
    perpendicular_widths_angstrom,
    rows_times_matrix,
    wrap_fractional,
)
from chem.pores.landscape import grid_points
from chem.pores.pocket_map import PocketMap
from data.records import content_hash

MOST_SPHERES = 100
_FRINGE_ANGSTROM = 0.5
_CANDIDATES = 300
_SMALLEST_ANGSTROM = 0.05
_SAME_PLACE_ANGSTROM = 1e-3


@dataclass(frozen=True)
class BlockSpheres:
    """Spheres of a periodic cell that a guest's body origin is kept out of.

    Has what an engine needs of a `PocketMap`: ``blocked``, ``blocks_anything``,
    ``excluded_share`` (not known), ``warning`` and ``hash``.

    Attributes:
        lattice_angstrom: (3, 3) cell vectors as rows, angstrom.
        centres_fractional: (n, 3) centres.
        radii_angstrom: (n,) radii.
        coverage: for spheres laid over pockets, the share of the pockets' free voxels inside
            one of them; NaN for spheres a user gave.
        source: where they came from.
    """

    lattice_angstrom: np.ndarray
    centres_fractional: np.ndarray
    radii_angstrom: np.ndarray
    coverage: float = float("nan")
    source: str = ""

    excluded_share = float("nan")
    warning: str | None = None

    @property
    def blocks_anything(self) -> bool:
        """Whether there is any sphere."""
        return len(self.radii_angstrom) > 0

    @property
    def hash(self) -> str:
        """Content hash of cell, centres and radii."""
        return content_hash(self.lattice_angstrom, self.centres_fractional, self.radii_angstrom)

    @cached_property
    def _images(self) -> tuple[np.ndarray, np.ndarray]:
        """Cartesian centres near the cell, and their squared radii."""
        reach = float(self.radii_angstrom.max(initial=0.0))
        centres, owners = images_near_cell(self.centres_fractional, self.lattice_angstrom, reach)
        return np.ascontiguousarray(centres), self.radii_angstrom[owners] ** 2

    def blocked(self, fractional: np.ndarray) -> np.ndarray:
        """Return whether places lie inside a sphere.

        Args:
            fractional: (n, 3) fractional positions of the guest's body origin, any image.

        Returns:
            (n,) flags.
        """
        from chem.pores.kernels import inside_spheres

        wrapped = wrap_fractional(np.asarray(fractional, dtype=np.float64))
        flags = np.zeros(len(wrapped), dtype=np.bool_)
        points = np.ascontiguousarray(rows_times_matrix(wrapped, self.lattice_angstrom))
        inside_spheres(points, *self._images, flags)
        return flags

    def in_cell(self, lattice_angstrom: np.ndarray) -> BlockSpheres:
        """Return the same spheres in another cell of the same crystal (primitive or super).

        Args:
            lattice_angstrom: (3, 3) its cell vectors in the same orientation, angstrom.
        """
        corners = np.array(list(product((0.0, 1.0), repeat=3))) @ lattice_angstrom
        inverse = np.linalg.inv(self.lattice_angstrom)
        low, high = np.floor((corners @ inverse).min(axis=0)), (corners @ inverse).max(axis=0)
        steps = [np.arange(a - 1, b + 1) for a, b in zip(low, np.ceil(high), strict=True)]
        shifts = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 1, 3)
        places = (wrap_fractional(self.centres_fractional) + shifts).reshape(-1, 3)
        radii = np.tile(self.radii_angstrom, len(shifts))
        moved = places @ self.lattice_angstrom @ np.linalg.inv(lattice_angstrom)
        kept = _first_of_each(moved % 1.0, radii, lattice_angstrom)
        return BlockSpheres(
            np.array(lattice_angstrom, dtype=np.float64),
            wrap_fractional(moved[kept].round(9)),
            radii[kept],
            self.coverage,
            self.source,
        )


def cover_pockets(
    pockets: PocketMap, *, clearance_angstrom: float = 0.0, most: int = MOST_SPHERES
) -> BlockSpheres:
    """Lay spheres over the pockets of a map that hold no free voxel of a channel.

    Each sphere is centred in a pocket and as large as the nearest channel allows, though
    hardly larger than what it covers, and below half the cell's width; the next one goes where
    it covers most of what is left.

    Args:
        pockets: the map.
        clearance_angstrom: distance kept from free voxels of channels. Zero where the guest's
            centre is tested; the guest's longest arm for programs that test every atom
            (RASPA3), which may leave part of a pocket uncovered.
        most: largest number of spheres per pocket.

    Returns:
        The spheres and the share of pocket voxels they cover, 1 unless ``most`` or the
        clearance stood in the way.
    """
    from chem.pores.percolation import label_components

    lattice = pockets.lattice_angstrom
    source = (
        f"pockets of {pockets.guest} in {pockets.host}, {pockets.threshold_kt:g} kT at "
        f"{pockets.temperature_k:g} K"
    )
    closed = pockets.free & pockets.blocked_voxels
    if not closed.any():
        return BlockSpheres(lattice, np.zeros((0, 3)), np.zeros(0), 1.0, source)
    limit = 0.5 * float(perpendicular_widths_angstrom(lattice).min())
    room = _Room(pockets, limit, clearance_angstrom)
    components = label_components(closed)
    voxels = np.flatnonzero(closed)
    labels = components.labels.reshape(-1)[voxels]
    places = grid_points(voxels, pockets.shape) + components.offsets.reshape(-1, 3)[voxels]
    spheres: list[tuple[np.ndarray, float]] = []
    uncovered = 0
    for label in range(len(components.dimensionalities)):
        points = places[labels == label] @ lattice
        uncovered += _cover(points, room, most, spheres)
    centres = np.array([centre for centre, _ in spheres]).reshape(-1, 3)
    return BlockSpheres(
        lattice,
        wrap_fractional((centres @ np.linalg.inv(lattice)).round(9)),
        np.array([radius for _, radius in spheres]),
        1.0 - uncovered / len(voxels),
        source,
    )


class _Room:
    """How large a sphere may be at a place."""

    def __init__(self, pockets: PocketMap, limit: float, clearance: float) -> None:
        from scipy.spatial import cKDTree

        self._limit, self._clearance = limit, clearance
        self._lattice = pockets.lattice_angstrom
        self._inverse = np.linalg.inv(self._lattice)
        channel = np.flatnonzero(pockets.free & ~pockets.blocked_voxels)
        points = grid_points(channel, pockets.shape)
        images = images_near_cell(points, self._lattice, limit + clearance)[0]
        self._tree = cKDTree(images) if len(images) else None

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the (n,) largest radii of spheres at (n, 3) Cartesian points, angstrom."""
        if self._tree is None:
            return np.full(len(points), self._limit)
        inside = rows_times_matrix(
            wrap_fractional(rows_times_matrix(points, self._inverse)), self._lattice
        )
        distance = self._tree.query(inside)[0] - self._clearance
        return np.clip(distance - 1e-6, 0.0, self._limit)


def _cover(
    points: np.ndarray, room: _Room, most: int, spheres: list[tuple[np.ndarray, float]]
) -> int:
    """Append spheres that cover the points; return how many points stay uncovered."""
    from scipy.spatial import cKDTree

    left = np.arange(len(points))
    middle = points.mean(axis=0)
    for _ in range(most):
        if not len(left):
            break
        stride = max(1, len(left) // _CANDIDATES), max(1, len(points) // _CANDIDATES)
        candidates = np.vstack([middle, points[left[:: stride[0]]], points[:: stride[1]]])
        radii = room(candidates)
        tree = cKDTree(points[left])
        counts = tree.query_ball_point(candidates, radii, return_length=True)
        counts = np.where(radii > _SMALLEST_ANGSTROM, counts, 0)
        best = int(np.argmax(counts))
        if not counts[best]:
            break
        distance = np.linalg.norm(points[left] - candidates[best], axis=1)
        inside = distance <= radii[best]
        radius = min(radii[best], float(distance[inside].max()) + _FRINGE_ANGSTROM)
        spheres.append((candidates[best], radius))
        left = left[~inside]
    return len(left)


def _first_of_each(
    fractional: np.ndarray, radii: np.ndarray, lattice_angstrom: np.ndarray
) -> np.ndarray:
    """Return indices of spheres that repeat no earlier one, images counted as equal."""
    kept: list[int] = []
    for index in range(len(radii)):
        shifts = fractional[kept] - fractional[index]
        shifts = (shifts - np.round(shifts)) @ lattice_angstrom
        same = np.linalg.norm(shifts, axis=1) < _SAME_PLACE_ANGSTROM
        if not (same & (np.abs(radii[kept] - radii[index]) < _SAME_PLACE_ANGSTROM)).any():
            kept.append(index)
    return np.array(kept, dtype=np.int64)
