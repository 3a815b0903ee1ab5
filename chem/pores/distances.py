"""Distance of places in the cell to the nearest surface of a host atom."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from chem.geometry import images_near_cell, rows_times_matrix
from chem.kernel_options import FAST
from chem.pores.radii import Radii, atom_radii_angstrom
from data.errors import SettingsError
from data.records import Host

_BIN_ANGSTROM = 1.2
_MAX_BINS = 200_000
_FIRST_REACH_ANGSTROM = 6.0


class Field(NamedTuple):
    """Everything the compiled functions read: cell, bins, and the atoms near each bin.

    ``starts`` has one entry per bin and one more; ``atoms`` (4, entries) holds x, y, z and
    radius of the images that can be nearest to some point of the bin.
    """

    lattice: np.ndarray
    inverse: np.ndarray
    bins: np.ndarray
    starts: np.ndarray
    atoms: np.ndarray


def distance_field(host: Host, radii: Radii = None) -> Field:
    """Prepare the distance to the nearest atom surface, d(r) = min_j (|r - r_j| - R_j).

    Args:
        host: the framework.
        radii: see :func:`chem.pores.radii.atom_radii_angstrom`.

    Returns:
        The field, for :func:`surface_distances_angstrom`.

    Raises:
        SettingsError: the host has no atoms, or a radius is out of bounds.
    """
    sizes = atom_radii_angstrom(host, radii)
    if not len(sizes):
        raise SettingsError(f"{host.name} has no atoms, so no distance to them")
    lattice = np.array(host.lattice_angstrom, dtype=np.float64, order="C")
    lengths = np.linalg.norm(lattice, axis=1)
    edge = max(_BIN_ANGSTROM, float(np.cbrt(lengths.prod() / _MAX_BINS)))
    bins = np.maximum(1, np.ceil(lengths / edge)).astype(np.int64)
    axes = [(np.arange(count) + 0.5) / count for count in bins]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    corners = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]]) @ (lattice / bins[:, None])
    half_diagonal = 0.5 * float(np.linalg.norm(corners, axis=1).max()) + 1e-9
    starts, atoms = _nearest_lists(
        host, sizes, lattice, rows_times_matrix(centres, lattice), half_diagonal
    )
    return Field(lattice, np.ascontiguousarray(np.linalg.inv(lattice)), bins, starts, atoms)


def _nearest_lists(
    host: Host, radii: np.ndarray, lattice: np.ndarray, centres: np.ndarray, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """List for each bin the images that can be nearest to a point within margin of its centre.

    d changes no faster than the point moves, so these are the images whose surface is no
    farther from the centre than d(centre) + 2 margin.
    """
    from scipy.spatial import cKDTree

    largest = float(radii.max())
    reach = _FIRST_REACH_ANGSTROM + largest
    while True:
        positions, owners = images_near_cell(host.fractional, lattice, reach)
        sizes = radii[owners]
        kinds = [np.flatnonzero(sizes == size) for size in np.unique(sizes)]
        trees = [cKDTree(positions[members]) for members in kinds]
        nearest = np.min(
            [t.query(centres)[0] - sizes[m[0]] for t, m in zip(trees, kinds, strict=True)], axis=0
        )
        limit = nearest + 2.0 * margin
        if float(limit.max()) + largest <= reach:
            break
        reach = float(limit[np.isfinite(limit)].max(initial=reach)) + largest + reach
    rows, columns = [], []
    for tree, members in zip(trees, kinds, strict=True):
        found = tree.query_ball_point(centres, np.maximum(limit + sizes[members[0]], 0.0))
        lengths = np.array([len(hits) for hits in found])
        rows.append(np.repeat(np.arange(len(centres)), lengths))
        columns.append(members[np.concatenate([np.array(h, dtype=np.int64) for h in found])])
    row, column = np.concatenate(rows), np.concatenate(columns)
    order = np.lexsort((column, row))
    starts = np.searchsorted(row[order], np.arange(len(centres) + 1)).astype(np.int64)
    table = np.column_stack([positions, sizes])[column[order]]
    return starts, np.ascontiguousarray(table.T)


def surface_distances_angstrom(field: Field, fractional: np.ndarray) -> np.ndarray:
    """Return the (n,) distances of (n, 3) fractional places to the nearest atom surface.

    Negative inside an atom.
    """
    places = np.ascontiguousarray(fractional, dtype=np.float64)
    distances = np.empty(len(places))
    _distances(field, places, distances)
    return distances


@numba.njit(**FAST)
def distance_at(field: Field, a: float, b: float, c: float) -> float:
    """Return the distance of one fractional place to the nearest atom surface, angstrom."""
    a, b, c = a - np.floor(a), b - np.floor(b), c - np.floor(c)
    bins, lattice = field.bins, field.lattice
    i = min(int(a * bins[0]), bins[0] - 1)
    j = min(int(b * bins[1]), bins[1] - 1)
    k = min(int(c * bins[2]), bins[2] - 1)
    here = (i * bins[1] + j) * bins[2] + k
    x = a * lattice[0, 0] + b * lattice[1, 0] + c * lattice[2, 0]
    y = a * lattice[0, 1] + b * lattice[1, 1] + c * lattice[2, 1]
    z = a * lattice[0, 2] + b * lattice[1, 2] + c * lattice[2, 2]
    best = np.inf
    for n in range(field.starts[here], field.starts[here + 1]):
        dx, dy, dz = x - field.atoms[0, n], y - field.atoms[1, n], z - field.atoms[2, n]
        best = min(best, np.sqrt(dx * dx + dy * dy + dz * dz) - field.atoms[3, n])
    return best


@numba.njit(**FAST)
def _distances(field: Field, fractional: np.ndarray, out: np.ndarray) -> None:
    """Fill the distances of many places."""
    for n in range(fractional.shape[0]):
        out[n] = distance_at(field, fractional[n, 0], fractional[n, 1], fractional[n, 2])
