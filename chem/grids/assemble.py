"""From fields to the arrays of the look-up."""

from __future__ import annotations

import numpy as np

from chem.energies import ClassicalModel
from chem.geometry import NeighbourList, build_neighbour_list
from chem.grids import spline
from chem.grids.arrays import BLOCKED, GridArrays
from chem.grids.cores import voxel_states
from chem.grids.fields import HostFields, run_parts
from chem.grids.kinds import SiteKinds
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K

SCALE_K = 8000.0
"""Where the stored value begins to bend: by trial, the least bias over the hosts of the tests."""
_CORE_BIN_ANGSTROM = 2.0


def assemble(
    model: ClassicalModel,
    kinds: SiteKinds,
    fields: HostFields,
    dims: tuple[int, int, int],
    threads: int = 1,
) -> GridArrays:
    """Turn fields into spline coefficients and voxel states.

    Args:
        model: host, guest and cores.
        kinds: the guest's site kinds.
        fields: their fields.
        dims: grid points along each axis.
        threads: how many to use.

    Returns:
        The arrays.
    """
    count = len(kinds.row)
    lattice = np.array(model.host.lattice_angstrom, dtype=np.float64)
    fractional = np.array(model.host.fractional, dtype=np.float64)
    pads = spline.PAD_BEFORE + spline.PAD_AFTER
    padded = np.empty((count, *(n + pads for n in dims)), dtype=np.float32)
    states = np.empty((count, *(n + 1 for n in dims)), dtype=np.uint8)
    floors, scales, share = np.zeros(count), np.zeros(count), np.zeros(count)

    def fill(kind: int) -> None:
        inner = voxel_states(fractional, lattice, kinds.core_radii_angstrom[kind], dims)
        share[kind] = np.count_nonzero(inner == BLOCKED)
        states[kind] = np.pad(inner, (0, 1), mode="wrap")
        floors[kind], scales[kind] = _coefficients(kinds, kind, fields, inner, padded[kind])

    run_parts(fill, range(count), threads)
    radii, bins, close = _core_list(kinds, fractional, lattice)
    return GridArrays(
        coefficients=padded.reshape(-1),
        strides=np.array(padded.strides[:3]) // padded.itemsize,
        dims=np.array(dims, dtype=np.float64),
        floors=floors,
        scales=scales,
        states=states.reshape(-1),
        state_strides=np.array(states.strides[:3]),
        kinds=kinds.of_site,
        order=np.argsort(-share[kinds.of_site], kind="stable"),
        body=np.array(model.guest.positions_angstrom, dtype=np.float64).reshape(-1, 3),
        lattice=lattice,
        inverse=np.ascontiguousarray(np.linalg.inv(lattice)),
        core_radii=radii,
        core_bins=bins,
        core_starts=close.starts,
        core_positions=close.positions_angstrom,
    )


def _coefficients(
    kinds: SiteKinds, kind: int, fields: HostFields, states: np.ndarray, padded: np.ndarray
) -> tuple[float, float]:
    """Fill the coefficients of one kind; return the floor and scale of its stored value."""
    row, charge = kinds.row[kind], float(kinds.charge_e[kind])
    energies, potential = fields.lennard_jones[row].reshape(-1), fields.potential.reshape(-1)
    values = np.empty(states.shape, dtype=np.float32)
    floor, scale = 0.0, 0.0
    if kinds.epsilon_kj_per_mol[row].any():
        floor = spline.lowest(energies, potential, charge, states.reshape(-1), BLOCKED)
        floor = floor if np.isfinite(floor) else 0.0  # no room at all
        scale = SCALE_K * GAS_CONSTANT_KJ_PER_MOL_K
        spline.bend(energies, potential, charge, floor, scale, values.reshape(-1))
    elif potential.size:
        np.multiply(fields.potential, np.float32(charge), out=values)
    else:
        values[:] = 0.0
    spline.spline_coefficients(values, spline.filter_taps(), padded)
    return floor, scale


def _core_list(
    kinds: SiteKinds, fractional: np.ndarray, lattice: np.ndarray
) -> tuple[np.ndarray, np.ndarray, NeighbourList]:
    """Radii by kind and type of atom, bins, and the atoms whose cores reach each bin."""
    radii, types = np.unique(kinds.core_radii_angstrom, axis=1, return_inverse=True)
    lengths = np.linalg.norm(lattice, axis=1)
    bins = np.maximum(1, np.ceil(lengths / _CORE_BIN_ANGSTROM)).astype(np.int64)
    reach = radii.max(axis=0, initial=0.0)
    close = build_neighbour_list(fractional, lattice, types.reshape(-1), reach, bins)
    return np.ascontiguousarray(radii), bins, close
