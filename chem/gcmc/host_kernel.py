"""Guest with host: direct sums or energy grids behind one function.

A chain is compiled once for each: the argument that is not used is None, and its branch is
left out of the machine code.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from chem.gcmc.layout import Box, Placement, Scratch
from chem.grids.arrays import GridArrays
from chem.grids.lookup import guest_energy
from chem.kernel_options import FAST
from chem.kernels import Charges, Cores, Pairs, interaction_energies


class Direct(NamedTuple):
    """What `chem.kernels.interaction_energies` needs, and lattice and bins of the host's cell."""

    lattice: np.ndarray
    bin_counts: np.ndarray
    inverse: np.ndarray
    cores: Cores
    pairs: Pairs
    charges: Charges


@numba.njit(**FAST)
def is_blocked(centre: np.ndarray, box: Box, placement: Placement) -> bool:
    """Whether a centre (3,), fractional in the box, lies in a blocked voxel of the host."""
    blocked = placement.blocked
    a = _nearest(centre[0] * box.repeats[0], blocked.shape[0])
    b = _nearest(centre[1] * box.repeats[1], blocked.shape[1])
    c = _nearest(centre[2] * box.repeats[2], blocked.shape[2])
    return blocked[a, b, c] != 0


@numba.njit(**FAST)
def _nearest(coordinate: float, count: int) -> int:
    """Number of the voxel whose centre is nearest."""
    return int((coordinate - math.floor(coordinate)) * count + 0.5) % count


@numba.njit(**FAST)
def host_energy(
    centre: np.ndarray,
    offsets: np.ndarray,
    box: Box,
    scratch: Scratch,
    direct: Direct | None,
    grids: GridArrays | None,
) -> float:
    """Return the energy of one guest with the host, +inf where they overlap.

    Args:
        centre: (3,) fractional centre in the box.
        offsets: (m, 3) sites from the centre, angstrom.
        box: the simulation box.
        scratch: work space.
        direct: direct sums, or None.
        grids: energy grids, or None.

    Returns:
        Energy in kJ/mol, the constant tail included.
    """
    sites, repeats, inverse = scratch.sites[0], box.repeats, box.unit_inverse
    for site in range(offsets.shape[0]):
        for axis in range(3):
            f = centre[axis] * repeats[axis]
            for k in range(3):
                f += offsets[site, k] * inverse[k, axis]
            f -= math.floor(f)
            sites[site, axis] = f if f < 1.0 else 0.0
    energy = box.host_tail
    if direct is not None:
        energy += _direct_energy(scratch, direct)
    if grids is not None:
        energy += guest_energy(sites, grids)
    return energy


@numba.njit(**FAST)
def _direct_energy(scratch: Scratch, direct: Direct) -> float:
    """Energy of the guest whose fractional sites lie in the work space."""
    lattice, counts = direct.lattice, direct.bin_counts
    sites, points, bins = scratch.sites, scratch.points, scratch.bins
    for site in range(sites.shape[1]):
        f = sites[0, site]
        for axis in range(3):
            points[0, site, axis] = (
                f[0] * lattice[0, axis] + f[1] * lattice[1, axis] + f[2] * lattice[2, axis]
            )
        a = min(int(f[0] * counts[0]), counts[0] - 1)
        b = min(int(f[1] * counts[1]), counts[1] - 1)
        c = min(int(f[2] * counts[2]), counts[2] - 1)
        bins[0, site] = (a * counts[1] + b) * counts[2] + c
    interaction_energies(
        points,
        sites,
        bins,
        direct.inverse,
        direct.cores,
        direct.pairs,
        direct.charges,
        scratch.energy,
        None,
    )
    return scratch.energy[0]
