"""What has to be tabulated for one guest in one host, and on which grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chem.energies import ClassicalModel
from chem.grids.orbits import GridSymmetry, multiples
from data.errors import SettingsError

WIDEST_SPACING_ANGSTROM = 0.5
"""Beyond it the grid would not hold the waves of the far part."""
MOST_EXTRA = 1.4
"""Symmetry may cost this factor in points, not more."""


@dataclass(frozen=True)
class SiteKinds:
    """Distinct guest sites: equal kinds have equal energies everywhere.

    Attributes:
        of_site: (m,) kind of each guest site.
        row: (kinds,) row of Lennard-Jones parameters of each kind.
        charge_e: (kinds,) site charge, zero where the host has none.
        core_radii_angstrom: (kinds, n) core radii with every host atom.
        epsilon_kj_per_mol, sigma_angstrom: (rows, n) distinct Lennard-Jones parameters.
    """

    of_site: np.ndarray
    row: np.ndarray
    charge_e: np.ndarray
    core_radii_angstrom: np.ndarray
    epsilon_kj_per_mol: np.ndarray
    sigma_angstrom: np.ndarray


def site_kinds(model: ClassicalModel) -> SiteKinds:
    """Group the guest's sites by all that decides their energies and cores."""
    pairs = model.pairs
    atoms = len(model.host.elements)
    sigma = np.where(pairs.epsilon_kj_per_mol > 0.0, pairs.sigma_angstrom, 1.0)
    parameters = np.concatenate([pairs.epsilon_kj_per_mol, sigma], axis=1)
    rows, row = np.unique(parameters, axis=0, return_inverse=True)
    charges = np.array(pairs.guest_charges_e) * float(pairs.has_charges)
    every = np.concatenate(
        [row.reshape(-1, 1), charges[:, None], model.core_radii_angstrom], axis=1
    )
    kinds, of_site = np.unique(every, axis=0, return_inverse=True)
    return SiteKinds(
        of_site=of_site.reshape(-1).astype(np.int64),
        row=kinds[:, 0].astype(np.int64),
        charge_e=kinds[:, 1].copy(),
        core_radii_angstrom=kinds[:, 2:].copy(),
        epsilon_kj_per_mol=rows[:, :atoms].copy(),
        sigma_angstrom=rows[:, atoms:].copy(),
    )


def grid_dims(
    lattice_angstrom: np.ndarray, spacing_angstrom: float, symmetry: GridSymmetry | None = None
) -> tuple[int, int, int]:
    """Return grid points along each cell vector for a largest spacing.

    Args:
        lattice_angstrom: (3, 3) cell vectors as rows.
        spacing_angstrom: largest distance of points along a cell vector.
        symmetry: operations that must map the grid onto itself, or None.

    Returns:
        Three numbers that the FFT likes.

    Raises:
        SettingsError: the spacing is not positive or too wide.
    """
    if not 0.0 < spacing_angstrom <= WIDEST_SPACING_ANGSTROM:
        raise SettingsError(
            f"the grid spacing must be above 0 and at most {WIDEST_SPACING_ANGSTROM} angstrom, "
            f"got {spacing_angstrom}"
        )
    lengths = np.linalg.norm(lattice_angstrom, axis=1)
    least = np.ceil(lengths / spacing_angstrom - 1e-9).astype(np.int64)
    divisor, group = np.ones(3, dtype=np.int64), np.arange(3)
    if symmetry is not None:
        divisor, group = multiples(symmetry)
    a, b, c = (
        _fast_multiple(int(least[group == group[axis]].max()), int(divisor[axis]))
        for axis in range(3)
    )
    return a, b, c


def _fast_multiple(least: int, divisor: int) -> int:
    """Smallest multiple at or above a number with no prime factor above five."""
    from scipy.fft import next_fast_len

    number = math.ceil(least / divisor) * divisor
    while next_fast_len(number, real=True) != number:
        number += divisor
    return number


def choose_grid(
    lattice_angstrom: np.ndarray, spacing_angstrom: float, symmetry: GridSymmetry
) -> tuple[tuple[int, int, int], GridSymmetry | None]:
    """Return the grid, and the symmetry where it pays: more than one operation, few more points."""
    plain = grid_dims(lattice_angstrom, spacing_angstrom)
    if len(symmetry) == 1:
        return plain, None
    dims = grid_dims(lattice_angstrom, spacing_angstrom, symmetry)
    if math.prod(dims) > MOST_EXTRA * math.prod(plain):
        return plain, None
    return dims, symmetry
