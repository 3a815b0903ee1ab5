"""Which places of the cell a guest can stand at: its free energy on a grid of voxels.

The free energy of a guest whose body origin stands at r, relative to the guest far away, is

    F(r) = -kT ln < exp(-U(r, orientation)/kT) >,  the mean over all orientations,

so a place is as free as its best orientation makes it, less the price of having to take that
orientation. A voxel is free where F lies below a threshold in kT. Two bounds spare most of the
work: where no host atom is within its diameter of any site in any orientation, F cannot be
positive (the mean energy of a neutral guest there has no Coulomb part, as the host's potential
is harmonic, and F never exceeds the mean energy); where some site lies deep inside a host atom
in every orientation, the place is wall.
"""

from __future__ import annotations

import math

import numpy as np

from chem.energies import core_radii_angstrom
from chem.energy_model import EnergyModel
from chem.geometry import images_near_cell
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K

WALL, UNKNOWN, OPEN = 0, 1, 2
_DEEP_KT = 80.0
_BARE_REACH_ANGSTROM = 1.0
_LARGEST_EXPONENT = 600.0
_CHUNK = 65_536


def grid_shape(
    lattice_angstrom: np.ndarray, spacing_angstrom: float, most: int
) -> tuple[int, int, int]:
    """Return even numbers of voxels along the cell vectors, no wider than the spacing.

    Even, so that centres of symmetry at 1/2 lie on the grid. A cell that would need more than
    ``most`` voxels gets wider ones.
    """
    lengths = np.linalg.norm(lattice_angstrom, axis=1)
    spacing = spacing_angstrom
    while True:
        a, b, c = (2 * max(1, math.ceil(length / (2.0 * spacing) - 1e-9)) for length in lengths)
        if a * b * c <= most or max(a, b, c) == 2:
            return a, b, c
        spacing *= 1.02


def grid_points(indices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return (n, 3) fractional positions of voxels given by flat index; voxel 0 is at 0."""
    return np.stack(np.unravel_index(indices, shape), axis=1) / np.array(shape)


def classify(
    model: EnergyModel, temperature_k: float, threshold_kt: float, shape: tuple[int, int, int]
) -> np.ndarray:
    """Mark voxels that are wall or open for certain.

    Args:
        model: energies of one guest in one host.
        temperature_k: temperature.
        threshold_kt: free energy that separates free from not free, kT.
        shape: number of voxels along the cell vectors.

    Returns:
        (na, nb, nc) of WALL, UNKNOWN and OPEN.
    """
    from chem.pores.kernels import mark_voxels

    host, pairs = model.host, model.pairs
    lattice = np.array(host.lattice_angstrom, dtype=np.float64, order="C")
    arms = np.linalg.norm(model.guest.positions_angstrom, axis=1)[:, None]
    energy_k = (threshold_kt + _DEEP_KT) * temperature_k
    cores = core_radii_angstrom(pairs.epsilon_kj_per_mol, pairs.sigma_angstrom, energy_k)
    wall = (cores - arms).max(axis=0, initial=0.0)
    sigma = np.where(pairs.epsilon_kj_per_mol > 0.0, pairs.sigma_angstrom, 0.0)
    reach = np.maximum(sigma, _BARE_REACH_ANGSTROM) + arms
    wide = reach.max(axis=0, initial=0.0)
    state = np.full(shape, OPEN, dtype=np.uint8)
    largest = float(wide.max(initial=0.0))
    positions, atoms = images_near_cell(host.fractional, lattice, largest + 1e-9)
    centres = np.ascontiguousarray(positions @ np.linalg.inv(lattice))
    widths = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    mark_voxels(state, lattice, widths, centres, wide[atoms], wall[atoms])
    return state


def boltzmann_sums(
    model: EnergyModel,
    temperature_k: float,
    fractional: np.ndarray,
    quaternions: np.ndarray,
    enough: float = np.inf,
    hopeless: float = -1.0,
) -> np.ndarray:
    """Return the mean of exp(-U/kT) over a set of orientations, at each of many places.

    Args:
        model: energies of one guest in one host.
        temperature_k: temperature.
        fractional: (n, 3) fractional positions of the body origin.
        quaternions: (m, 4) orientations.
        enough: a place that has certainly reached this mean is not looked at further; what is
            returned for it is a lower bound.
        hopeless: a place that is not above this mean after a third of the orientations is
            given up as wall.

    Returns:
        (n,) means, or lower bounds of at least ``enough``.
    """
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)
    sums = np.zeros(len(fractional))
    third = -(-len(quaternions) // 3)
    for start in range(0, len(fractional), _CHUNK):
        waiting = np.arange(start, min(start + _CHUNK, len(fractional)))
        for turn, quaternion in enumerate(quaternions):
            if turn == third:
                waiting = waiting[sums[waiting] > hopeless * len(quaternions)]
            turned = np.tile(quaternion, (len(waiting), 1))
            energy = model.energies(fractional[waiting], turned)[0]
            sums[waiting] += np.exp(np.minimum(-beta * energy, _LARGEST_EXPONENT))
            waiting = waiting[sums[waiting] < enough * len(quaternions)]
            if not len(waiting):
                break
    return sums / len(quaternions)


def find_free(
    model: EnergyModel,
    temperature_k: float,
    threshold_kt: float,
    state: np.ndarray,
    quaternions: np.ndarray,
) -> np.ndarray:
    """Return the (na, nb, nc) flags of voxels whose free energy lies below the threshold.

    Args:
        model: energies of one guest in one host.
        temperature_k: temperature.
        threshold_kt: the threshold in kT, above the guest far away.
        state: what :func:`classify` found; only unknown voxels are evaluated.
        quaternions: (m, 4) orientations the mean is taken over.
    """
    free = state == OPEN
    unknown = np.flatnonzero(state == UNKNOWN)
    enough = math.exp(-threshold_kt)
    places = grid_points(unknown, state.shape)
    hopeless = enough * math.exp(-_DEEP_KT)
    means = boltzmann_sums(model, temperature_k, places, quaternions, enough, hopeless)
    free.reshape(-1)[unknown[means >= enough]] = True
    return free


def mean_weights(
    model: EnergyModel,
    temperature_k: float,
    voxels: np.ndarray,
    shape: tuple[int, ...],
    quaternions: np.ndarray,
    most: int,
) -> np.ndarray:
    """Estimate <exp(-U/kT)> of voxels with at most ``most`` energies, evenly spread.

    Args:
        model: energies of one guest in one host.
        temperature_k: temperature.
        voxels: (n,) flat indices.
        shape: of the grid.
        quaternions: (m, 4) orientations; each voxel takes the next ones of the list in turn.
        most: number of energies that may be spent.

    Returns:
        (n,) weights, NaN for voxels that were left out.
    """
    each = max(1, min(len(quaternions), most // max(1, len(voxels))))
    chosen = np.arange(0, len(voxels), max(1, -(-len(voxels) * each // most)))
    weights = np.full(len(voxels), np.nan)
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)
    places = grid_points(voxels[chosen], shape)
    sums = np.zeros(len(chosen))
    for turn in range(each):
        picked = quaternions[(np.arange(len(chosen)) * each + turn) % len(quaternions)]
        energy = model.energies(places, picked)[0]
        sums += np.exp(np.minimum(-beta * energy, _LARGEST_EXPONENT))
    weights[chosen] = sums / each
    return weights
