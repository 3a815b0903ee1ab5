"""Largest spheres: included in the host, and moving through it.

With d(r) the distance to the nearest atom surface, the largest included sphere has the radius
max d. The largest free sphere is the largest one that can travel from a place to a periodic
image of that place: the best path's lowest d, found on the pore network by joining basins
from the highest pass down until a cluster meets its own image. Grid heights are only the
start: maxima and passes that can matter are refined continuously.

The three diameters are those Zeo++ calls Di, Df and Dif [1].

References:
    [1] Willems, Rycroft, Kazi, Meza, Haranczyk, Micropor. Mesopor. Mater. 149 (2012) 134.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from chem.pores.basins import pore_network
from chem.pores.distances import Field, distance_field, surface_distances_angstrom
from chem.pores.landscape import grid_points, grid_shape
from chem.pores.percolation import add_loop, find_root
from chem.pores.radii import Radii
from chem.pores.zoom import refine_pass, refine_peak
from data.errors import SettingsError
from data.records import Host

SPACING_ANGSTROM = 0.25
MAX_NODES = 4_000_000
_TIE_ANGSTROM = 2e-3
_MOST_CELLS = 20_000
_FINEST_ANGSTROM = 0.01
_EIGHTHS = 0.25 * np.array(list(product((-1.0, 1.0), repeat=3)))
_PASS_REACH = 4.0
_NARROWEST_ANGSTROM = 0.5


@dataclass(frozen=True)
class PoreDiameters:
    """Diameters of the largest spheres in a host.

    Attributes:
        included_angstrom: largest sphere that fits anywhere (Di); negative if even the widest
            place lies inside atoms.
        free_angstrom: largest sphere that can move through the crystal (Df); 0 if none can.
        included_along_free_angstrom: largest sphere that fits somewhere along the path of the
            largest free sphere (Dif); 0 if there is no path.
        free_by_dimension_angstrom: largest spheres that can move in at least one, two, three
            independent directions; the first is ``free_angstrom``. Below 1 angstrom they are
            those of the grid, not refined.
        included_at_fractional: where the largest included sphere sits.
        window_at_fractional: where the largest free sphere is held tightest, or None.
    """

    included_angstrom: float
    free_angstrom: float
    included_along_free_angstrom: float
    free_by_dimension_angstrom: tuple[float, float, float]
    included_at_fractional: tuple[float, float, float]
    window_at_fractional: tuple[float, float, float] | None


def pore_diameters(
    host: Host, radii: Radii = None, *, spacing_angstrom: float = SPACING_ANGSTROM
) -> PoreDiameters:
    """Compute the largest included and free spheres of a host.

    Args:
        host: the framework.
        radii: radii of its atoms, see :func:`chem.pores.radii.atom_radii_angstrom`.
        spacing_angstrom: of the grid that finds maxima and passes before they are refined.

    Returns:
        The diameters for the given radii: the included ones good to about 0.001 angstrom, the
        free one to about 0.01.

    Raises:
        SettingsError: the spacing is not positive or a radius is out of bounds.
    """
    if not (np.isfinite(spacing_angstrom) and spacing_angstrom > 0.0):
        raise SettingsError(f"spacing_angstrom must be positive, got {spacing_angstrom}")
    field = distance_field(host, radii)
    shape = grid_shape(field.lattice, spacing_angstrom, MAX_NODES)
    places = grid_points(np.arange(int(np.prod(shape))), shape)
    distances = surface_distances_angstrom(field, places).reshape(shape)
    search = _Search(field, distances)
    included, where = search.highest(np.ones(shape, dtype=bool))
    free, along, window = search.percolate()
    return PoreDiameters(
        included_angstrom=2.0 * included,
        free_angstrom=2.0 * free[0],
        included_along_free_angstrom=2.0 * along,
        free_by_dimension_angstrom=(2.0 * free[0], 2.0 * free[1], 2.0 * free[2]),
        included_at_fractional=search.fractional(where),
        window_at_fractional=None if window is None else search.fractional(window),
    )


class _Search:
    """The pore network of one host with continuous heights where they matter."""

    def __init__(self, field: Field, distances: np.ndarray) -> None:
        self.field, self.distances = field, distances
        self.network = pore_network(distances)
        self._step = field.lattice / np.array(distances.shape)[:, None]
        corners = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]]) @ self._step
        self._slack = 0.5 * float(np.linalg.norm(corners, axis=1).max())

    def fractional(self, place: np.ndarray) -> tuple[float, float, float]:
        """Return a Cartesian place as fractional coordinates in [0, 1)."""
        x, y, z = (place @ self.field.inverse).round(6) % 1.0
        return float(x), float(y), float(z)

    def highest(self, mask: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the largest distance around some nodes, and its Cartesian place.

        Cells around nodes are halved again and again; one is dropped when even a slope of one
        from its centre to its corners would not reach the best value found.
        """
        heights = self.distances[mask]
        places = np.argwhere(mask) @ self._step
        slack, edges = self._slack, self._step
        best, where = float(heights.max()), places[np.argmax(heights)]
        while slack > _FINEST_ANGSTROM:
            kept = np.flatnonzero(heights + slack > best + _FINEST_ANGSTROM)
            kept = kept[np.argsort(-heights[kept], kind="stable")[:_MOST_CELLS]]
            places = (places[kept, None] + _EIGHTHS @ edges).reshape(-1, 3)
            if not len(places):
                break
            slack, edges = 0.5 * slack, 0.5 * edges
            heights = surface_distances_angstrom(self.field, places @ self.field.inverse)
            if heights.max() > best:
                best, where = float(heights.max()), places[np.argmax(heights)]
        radius, place = refine_peak(self.field, where, 4.0 * _FINEST_ANGSTROM)
        return float(radius), place

    def percolate(self) -> tuple[list[float], float, np.ndarray | None]:
        """Join basins from the highest pass down.

        Returns:
            The radii at which a cluster first meets its image in one, two, three independent
            directions; the radius of the largest sphere in such a cluster at the first of
            them; and the Cartesian place of its tightest pass.
        """
        network = self.network
        clusters = Clusters(len(network.heights))
        free, along, window = [0.0, 0.0, 0.0], None, None
        for height, n, place in self._descending(clusters):
            if window is not None and along is None and height < free[0] - _TIE_ANGSTROM:
                along = self._widest(clusters)
            rank = clusters.join(network.ends[n], network.shifts[n])
            for dimension in range(rank):
                free[dimension] = free[dimension] or float(height)
            if rank and window is None:
                window = place
            if rank == 3:
                break
        if window is not None and along is None:
            along = self._widest(clusters)
        return free, along or 0.0, window

    def _descending(self, clusters: Clusters) -> Iterator[tuple[float, int, np.ndarray]]:
        """Yield passes that still join something, from the highest down.

        Passes near a height of percolation on the grid are refined, each when its upper bound
        is the highest that is left; the others cannot be the tightest.
        """
        network = self.network
        levels = np.array([level for level in self._grid_levels() if level > _NARROWEST_ANGSTROM])
        near = (np.abs(network.passes[:, None] - levels) <= self._slack).any(axis=1)
        bounds = network.passes + np.where(near, self._slack, 0.0)
        heap: list[tuple[float, int, bool]] = [(-b, n, False) for n, b in enumerate(bounds)]
        places = network.nodes.mean(axis=1) @ self._step
        heapq.heapify(heap)
        while heap:
            key, n, exact = heapq.heappop(heap)
            if clusters.agree(network.ends[n], network.shifts[n]):
                continue
            if exact or not near[n]:
                yield -key, n, places[n]
                continue
            height, places[n] = self._refined(n, places[n])
            heapq.heappush(heap, (-height, n, True))

    def _refined(self, n: int, middle: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the height of a pass and its Cartesian place, refined."""
        one, two = self.network.climbs[n] @ self._step
        return refine_pass(self.field, one, two, middle, _PASS_REACH * self._slack)

    def _grid_levels(self) -> list[float]:
        """Return the heights of percolation in one, two, three directions on the grid alone."""
        clusters, levels = Clusters(len(self.network.heights)), [0.0, 0.0, 0.0]
        for n in np.argsort(-self.network.passes, kind="stable"):
            rank = clusters.join(self.network.ends[n], self.network.shifts[n])
            for dimension in range(rank):
                levels[dimension] = levels[dimension] or float(self.network.passes[n])
            if rank == 3:
                break
        return levels

    def _widest(self, clusters: Clusters) -> float:
        """Return the radius of the largest sphere in clusters that meet their images."""
        roots = [clusters.rank(n) > 0 for n in range(len(self.network.heights))]
        return self.highest(np.array([*roots, False])[self.network.basins])[0]


class Clusters:
    """Union-find of basins with lattice offsets, and the loops each cluster has closed."""

    def __init__(self, count: int) -> None:
        """Start with ``count`` basins of their own."""
        self._parent = np.arange(count)
        self._steps = np.zeros((count, 3), dtype=np.int64)
        self._loops: dict[int, np.ndarray] = {}
        self._ranks: dict[int, int] = {}

    def rank(self, basin: int) -> int:
        """Return in how many directions the cluster of a basin meets its images."""
        return self._ranks.get(find_root(self._parent, self._steps, basin)[0], 0)

    def agree(self, ends: np.ndarray, shift: np.ndarray) -> bool:
        """Whether joining two basins at this shift would change nothing."""
        one, two, gap = self._gap(ends, shift)
        return one == two and (not gap.any() or self._ranks.get(one, 0) == 3)

    def join(self, ends: np.ndarray, shift: np.ndarray) -> int:
        """Join two basins, the second ``shift`` lattice vectors away; return the rank."""
        one, two, gap = self._gap(ends, shift)
        if one != two:
            self._parent[two] = one
            self._steps[two] = gap
            for loop in self._loops.pop(two, np.zeros((0, 3), dtype=np.int64)):
                self._add(one, loop)
            self._ranks.pop(two, None)
        else:
            self._add(one, gap)
        return self._ranks.get(one, 0)

    def _gap(self, ends: np.ndarray, shift: np.ndarray) -> tuple[int, int, np.ndarray]:
        """Return the roots of two basins and the offset between their frames."""
        one, *near = find_root(self._parent, self._steps, ends[0])
        two, *far = find_root(self._parent, self._steps, ends[1])
        return one, two, np.array(near) + shift - np.array(far)

    def _add(self, root: int, loop: np.ndarray) -> None:
        if loop.any():
            basis = self._loops.setdefault(root, np.zeros((3, 3), dtype=np.int64))
            a, b, c = (int(value) for value in loop)
            self._ranks[root] = add_loop(basis, self._ranks.get(root, 0), a, b, c)
