"""Ways of drawing and counting insertions that public tools have, on arrays.

Each is stated from the tool's source, see :mod:`peers`; no code of theirs is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from data.records import Host

KJ_PER_MOL_PER_EV = 96.48533212331
GRID_ANGSTROM = 0.15
CENTRE_ANGSTROM = 1.5
DEEPEST_EV = -1.25
LARGEST_EV = 1.555
RADII_FACTOR = 0.6
RADII_LESS_ANGSTROM = 0.35


def octant_quaternions(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return rotations about an axis of three uniform numbers in [0, 1), by a uniform angle.

    All axes lie in one octant of the sphere, and neither axis nor angle has the distribution
    that uniform orientations need.
    """
    axis = rng.random((count, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    half = np.pi * rng.random((count, 1))
    return np.hstack([np.cos(half), np.sin(half) * axis])


def grid_positions(rng: np.random.Generator, count: int, lattice: np.ndarray) -> np.ndarray:
    """Return fractional positions drawn from a grid of 0.15 angstrom that starts at the origin."""
    points = np.ceil(np.linalg.norm(lattice, axis=1) / GRID_ANGSTROM).astype(int)
    return rng.integers(0, points, (count, 3)) / points


class Atoms:
    """The host's atoms and their images, asked for the nearest one.

    Args:
        host: the framework.
        reach_angstrom: distances up to this are found.
    """

    def __init__(self, host: Host, reach_angstrom: float) -> None:
        from scipy.spatial import cKDTree

        lattice = host.lattice_angstrom
        heights = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
        margin = reach_angstrom / heights
        counts = np.ceil(margin).astype(int)
        shifts = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in counts)), -1).reshape(-1, 3)
        images = (host.fractional[None] + shifts[:, None]).reshape(-1, 3)
        elements = np.tile(np.array(host.elements), len(shifts))
        near = ((images > -margin) & (images < 1.0 + margin)).all(axis=1)
        self.reach_angstrom = reach_angstrom
        self._lattice = lattice
        self._trees = {
            element: cKDTree(images[near & (elements == element)] @ lattice)
            for element in sorted(set(elements.tolist()))
        }

    def nearest(self, positions_angstrom: np.ndarray) -> dict[str, np.ndarray]:
        """Return for each element the (n,) distance to its nearest atom, inf beyond reach."""
        fractional = positions_angstrom @ np.linalg.inv(self._lattice)
        inside = (fractional % 1.0) @ self._lattice
        return {
            element: tree.query(inside, distance_upper_bound=self.reach_angstrom)[0]
            for element, tree in self._trees.items()
        }


def clashes(
    atoms: Atoms, sites: np.ndarray, elements: tuple[str, ...], factor: float, less: float
) -> np.ndarray:
    """Return (n,) whether any guest atom is nearer to a host atom than their radii allow.

    Args:
        atoms: the host.
        sites: (n, k, 3) positions of the guest's atoms, angstrom.
        elements: of the guest's atoms.
        factor: on the sum of the van der Waals radii of `ase.data`.
        less: taken off each radius, angstrom.
    """
    from ase.data import atomic_numbers, vdw_radii

    found = np.zeros(len(sites), dtype=bool)
    for k, own in enumerate(elements):
        for element, distance in atoms.nearest(sites[:, k]).items():
            both = vdw_radii[atomic_numbers[own]] + vdw_radii[atomic_numbers[element]]
            found |= distance < factor * both - 2.0 * less
    return found


@dataclass(frozen=True)
class Ratio:
    """A quotient of sums over batches with its jackknife error."""

    value: float
    standard_error: float


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> Ratio:
    """Return the ratio of two sums.

    Args:
        numerator: (b,) of each batch.
        denominator: (b,) of each batch.
    """
    count = len(numerator)
    left_out = (numerator.sum() - numerator) / (denominator.sum() - denominator)
    spread = np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum())
    return Ratio(float(numerator.sum() / denominator.sum()), float(spread))
