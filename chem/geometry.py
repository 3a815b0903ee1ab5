"""Lattice helpers: cell widths, periodic images, and neighbour lists on a grid of bins.

The neighbour lists are what makes an insertion cheap: the cell is cut into small
parallelepiped bins, and each bin stores, contiguously and sorted by type, every image of
a host atom that can lie within the cutoff of any point of the bin. A guest site looks up
its bin and runs over one contiguous stretch of memory; the cutoff may exceed the cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_FIRST_BIN_EDGE_ANGSTROM = 2.0
_BIN_GROWTH = 1.2
_MAX_LIST_ENTRIES = 3_000_000


def wrap_fractional(fractional: np.ndarray) -> np.ndarray:
    """Map fractional coordinates into [0, 1), also where rounding would give 1."""
    wrapped = fractional - np.floor(fractional)
    return np.where(wrapped >= 1.0, 0.0, wrapped)


def rows_times_matrix(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return ``rows @ matrix`` by plain sums, so that a row gets the same bits in any batch.

    Fractional to Cartesian coordinates with the matrix of cell vectors as rows, and back
    with its inverse.

    Args:
        rows: (..., 3) row vectors.
        matrix: (3, 3) matrix.

    Returns:
        (..., 3) row vectors.
    """
    return rows[..., 0:1] * matrix[0] + rows[..., 1:2] * matrix[1] + rows[..., 2:3] * matrix[2]


def perpendicular_widths_angstrom(lattice_angstrom: np.ndarray) -> np.ndarray:
    """Return the (3,) distances between opposite faces of the cell, angstrom."""
    return 1.0 / np.linalg.norm(np.linalg.inv(lattice_angstrom), axis=0)


def images_near_cell(
    fractional: np.ndarray, lattice_angstrom: np.ndarray, reach_angstrom: float
) -> tuple[np.ndarray, np.ndarray]:
    """List the periodic images of atoms that can lie within reach of the cell.

    Args:
        fractional: (n, 3) fractional coordinates, any image.
        lattice_angstrom: (3, 3) cell vectors as rows, angstrom.
        reach_angstrom: distance in angstrom.

    Returns:
        Cartesian positions (k, 3) in angstrom and the atom index (k,) of each image, atoms
        in order. No image within reach of a point of the cell is missing.
    """
    margin = reach_angstrom / perpendicular_widths_angstrom(lattice_angstrom)
    steps = [np.arange(-math.ceil(edge), math.ceil(edge) + 1) for edge in margin]
    shifts = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    images = wrap_fractional(np.asarray(fractional, dtype=np.float64))[:, None] + shifts[None]
    near = np.all((images >= -margin) & (images <= 1.0 + margin), axis=2)
    atoms = np.nonzero(near)[0]
    return rows_times_matrix(images[near], lattice_angstrom), atoms


@dataclass(frozen=True)
class NeighbourList:
    """Host images around each bin of the cell, contiguous per bin and sorted by type.

    Attributes:
        bins: (3,) number of bins along each cell vector.
        starts: (number of bins, number of types + 1) first entry of each type's stretch;
            the last column is the end of the bin.
        positions_angstrom: (3, entries) Cartesian positions of the images.
        atoms: (entries,) host atom index of each image.
    """

    bins: np.ndarray
    starts: np.ndarray
    positions_angstrom: np.ndarray
    atoms: np.ndarray


def choose_bins(lattice_angstrom: np.ndarray, reach_angstrom: float, atoms: int) -> np.ndarray:
    """Choose the number of bins along each cell vector so that the lists stay in memory."""
    lengths = np.linalg.norm(lattice_angstrom, axis=1)
    density = atoms / abs(np.linalg.det(lattice_angstrom))
    edge = _FIRST_BIN_EDGE_ANGSTROM
    while True:
        bins = np.maximum(1, np.ceil(lengths / edge)).astype(np.int64)
        radius = reach_angstrom + _bin_radius_angstrom(lattice_angstrom, bins)
        per_bin = density * 4.0 / 3.0 * math.pi * radius**3
        if bins.prod() == 1 or bins.prod() * per_bin <= _MAX_LIST_ENTRIES:
            return bins
        edge *= _BIN_GROWTH


def build_neighbour_list(
    fractional: np.ndarray,
    lattice_angstrom: np.ndarray,
    types: np.ndarray,
    reach_angstrom: np.ndarray,
    bins: np.ndarray,
) -> NeighbourList:
    """List, for each bin, the host images within reach of any of its points.

    Args:
        fractional: (n, 3) fractional coordinates of the host atoms.
        lattice_angstrom: (3, 3) cell vectors as rows, angstrom.
        types: (n,) type index of each atom; a negative type is left out.
        reach_angstrom: (number of types,) reach of each type, angstrom; zero leaves it out.
        bins: (3,) number of bins along each cell vector.

    Returns:
        The lists; each bin's entries are sorted by type, then atom.
    """
    kept = np.nonzero((types >= 0) & (np.append(reach_angstrom, 0.0)[types] > 0.0))[0]
    kept = kept[np.argsort(types[kept], kind="stable")]
    radius = _bin_radius_angstrom(lattice_angstrom, bins)
    largest = float(np.max(reach_angstrom[types[kept]], initial=0.0)) if len(kept) else 0.0
    positions, order = images_near_cell(fractional[kept], lattice_angstrom, largest + radius)
    columns, atoms = np.ascontiguousarray(positions.T), kept[order]
    image_types = types[atoms]
    limits = (reach_angstrom[image_types] + radius) ** 2
    edges = np.arange(len(reach_angstrom) + 1)
    starts = np.zeros((int(bins.prod()), len(edges)), dtype=np.int64)
    entries: list[np.ndarray] = []
    total = 0
    for index, centre in enumerate(_bin_centres(lattice_angstrom, bins)):
        offsets = columns - centre[:, None]
        near = np.nonzero((offsets * offsets).sum(axis=0) <= limits)[0]
        starts[index] = total + np.searchsorted(image_types[near], edges)
        total += len(near)
        entries.append(near)
    chosen = np.concatenate(entries)
    return NeighbourList(bins, starts, np.ascontiguousarray(columns[:, chosen]), atoms[chosen])


def _bin_radius_angstrom(lattice_angstrom: np.ndarray, bins: np.ndarray) -> float:
    """Distance from a bin's centre to its farthest corner, with a hair for rounding."""
    a, b, c = lattice_angstrom / bins[:, None]
    diagonals = np.array([a + b + c, a + b - c, a - b + c, -a + b + c])
    return 0.5 * float(np.linalg.norm(diagonals, axis=1).max()) + 1e-9


def _bin_centres(lattice_angstrom: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """(number of bins, 3) Cartesian centres, the last cell vector running fastest."""
    axes = [(np.arange(count) + 0.5) / count for count in bins]
    fractional = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return rows_times_matrix(fractional, lattice_angstrom)
