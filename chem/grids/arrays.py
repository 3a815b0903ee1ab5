"""The arrays every look-up kernel reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FREE, UNDECIDED, BLOCKED = 0, 1, 2
"""States of a voxel: wholly outside the hard cores, cut by their surface, or wholly inside."""
POWER = 4
"""Energies are stored as s = (1 + (U - floor) / scale)^(-1/POWER)."""


class GridArrays(NamedTuple):
    """Energy grids of one host and guest, as compiled code sees them.

    Attributes:
        coefficients: float32, B-spline coefficients of all kinds one after another, each
            padded periodically: one plane before and three after along every axis.
        strides: (3,) int64 elements from one kind, one plane and one row to the next.
        dims: (3,) float64 points along each cell vector.
        floors, scales: (kinds,) the constants of s, kJ/mol; a kind of scale zero (no
            Lennard-Jones) is stored as its energy itself.
        states: uint8, the voxel around each point of each kind, padded by one after.
        state_strides: (3,) int64 as strides.
        kinds: (m,) kind of each guest site.
        order: (m,) sites, the one most often blocked first.
        body: (m, 3) body-frame positions, angstrom.
        lattice, inverse: (3, 3) cell vectors as rows, and the inverse matrix.
        core_radii: (kinds, types) hard-core radii, angstrom.
        core_bins: (3,) int64 bins of the neighbour list of host atoms near a core.
        core_starts, core_positions: that list, as in `chem.geometry.NeighbourList`.
    """

    coefficients: np.ndarray
    strides: np.ndarray
    dims: np.ndarray
    floors: np.ndarray
    scales: np.ndarray
    states: np.ndarray
    state_strides: np.ndarray
    kinds: np.ndarray
    order: np.ndarray
    body: np.ndarray
    lattice: np.ndarray
    inverse: np.ndarray
    core_radii: np.ndarray
    core_bins: np.ndarray
    core_starts: np.ndarray
    core_positions: np.ndarray
