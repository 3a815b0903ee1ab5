"""Pockets: room that a guest could fill but that no path through the crystal leads to.

Free voxels (see `chem.pores.landscape`) that hang together through periodic faces make up a
region. A region that meets an image of itself is a channel, one that never does is a pocket:
a guest cannot get in from outside, though a blind insertion lands there. Every other voxel,
wall included, belongs to the region nearest to it, so an insertion with some weight just
outside a free voxel is blocked or not together with it.

References:
    [1] Kim, Martin, Ruebel, Haranczyk, Smit, J. Chem. Theory Comput. 8 (2012) 1684: regions of
        energy grids by flood fill.
    [2] Gomez-Alvarez, Ruiz-Salvador, Hamad, Calero, J. Phys. Chem. C 121 (2017) 4462: what
        unblocked voids do to simulated adsorption.
"""

from __future__ import annotations

import numpy as np

from chem.energy_model import EnergyModel
from chem.pores.landscape import (
    UNKNOWN,
    boltzmann_sums,
    classify,
    find_free,
    grid_points,
    grid_shape,
    mean_weights,
)
from chem.pores.orientations import guest_orientations
from chem.pores.percolation import Components, label_components, spread_labels, touching
from chem.pores.pocket_map import PocketMap, Region
from data.errors import SettingsError

THRESHOLD_KT = 15.0
SPACING_ANGSTROM = 0.25
MAX_VOXELS = 4_000_000
_WEIGHT_ENERGIES = 200_000


def find_pockets(
    model: EnergyModel,
    temperature_k: float,
    *,
    threshold_kt: float = THRESHOLD_KT,
    spacing_angstrom: float = SPACING_ANGSTROM,
    orientations: int | None = None,
) -> PocketMap:
    """Find the regions of free room in a host and tell channels from pockets.

    Args:
        model: energies of one guest in one host.
        temperature_k: temperature of the free energy; pockets grow fewer as it rises.
        threshold_kt: a path may climb this far above the guest outside, in kT.
        spacing_angstrom: largest distance of neighbouring voxels along a cell vector; cells
            that would need more than four million voxels get wider ones.
        orientations: size of the base set of orientations, see
            :func:`chem.pores.orientations.guest_orientations`; the walls of pockets are
            looked at with six times as many before a pocket is called closed.

    Returns:
        The map of regions.

    Raises:
        SettingsError: temperature, spacing or number of orientations is not positive, or the
            threshold is not finite.
    """
    _check(temperature_k, threshold_kt, spacing_angstrom, orientations)
    lattice = np.array(model.host.lattice_angstrom, dtype=np.float64)
    shape = grid_shape(lattice, spacing_angstrom, MAX_VOXELS)
    state = classify(model, temperature_k, threshold_kt, shape)
    base, fine = guest_orientations(model.guest, model.pairs, orientations)
    free = find_free(model, temperature_k, threshold_kt, state, base)
    components = label_components(free)
    if len(fine) > len(base):
        components = _open_windows(model, temperature_k, threshold_kt, state, fine, components)
    weights = _weights(model, temperature_k, components, fine)
    return PocketMap(
        host=model.host.name,
        guest=model.guest.name,
        lattice_angstrom=lattice,
        **_ordered(components, weights, lattice),
        temperature_k=float(temperature_k),
        threshold_kt=float(threshold_kt),
        model_hash=model.hash,
    )


def _check(
    temperature_k: float, threshold_kt: float, spacing: float, orientations: int | None
) -> None:
    """Refuse settings that make no sense."""
    for name, value in (("temperature_k", temperature_k), ("spacing_angstrom", spacing)):
        if not (np.isfinite(value) and value > 0.0):
            raise SettingsError(f"{name} must be positive, got {value}")
    if not np.isfinite(threshold_kt):
        raise SettingsError(f"threshold_kt must be finite, got {threshold_kt}")
    if orientations is not None and orientations < 1:
        raise SettingsError(f"orientations must be at least 1, got {orientations}")


def _open_windows(
    model: EnergyModel,
    temperature_k: float,
    threshold_kt: float,
    state: np.ndarray,
    quaternions: np.ndarray,
    components: Components,
) -> Components:
    """Look at the walls of pockets with the finer orientations until nothing opens.

    Only a pocket can change what is blocked, so only the voxels around pockets are looked at
    again; what opens is added to the pocket, and its own neighbours come next.
    """
    free = components.labels >= 0
    seen = np.zeros_like(free)
    enough = float(np.exp(-threshold_kt))
    while True:
        closed = components.dimensionalities == 0
        pockets = free & closed[components.labels] if len(closed) else free
        rim = np.flatnonzero(touching(pockets) & ~free & ~seen & (state == UNKNOWN))
        if not len(rim):
            return components
        seen.reshape(-1)[rim] = True
        places = grid_points(rim, free.shape)
        means = boltzmann_sums(model, temperature_k, places, quaternions, enough)
        opened = rim[means >= enough]
        if len(opened):
            free.reshape(-1)[opened] = True
            components = label_components(free)


def _weights(
    model: EnergyModel, temperature_k: float, components: Components, quaternions: np.ndarray
) -> np.ndarray:
    """Estimate each region's part of the sum of <exp(-U/kT)> over voxels.

    Without pockets, or without anything else, no energy is needed to say what share they have.
    """
    count = len(components.dimensionalities)
    voxels = np.flatnonzero(components.labels >= 0)
    labels = components.labels.reshape(-1)[voxels]
    sizes = np.bincount(labels, minlength=count).astype(np.float64)
    if not count or not (components.dimensionalities == 0).any():
        return sizes
    shape = components.labels.shape
    means = mean_weights(model, temperature_k, voxels, shape, quaternions, _WEIGHT_ENERGIES)
    known = np.isfinite(means)
    sums = np.bincount(labels[known], means[known], minlength=count)
    looked_at = np.bincount(labels[known], minlength=count)
    return sizes * sums / np.maximum(looked_at, 1)


def _ordered(components: Components, weights: np.ndarray, lattice: np.ndarray) -> dict:
    """Return labels of all voxels, free flags and regions: channels first, then by weight."""
    free = components.labels >= 0
    closed = components.dimensionalities == 0
    order = np.lexsort((-weights, closed))
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order))
    labels = np.where(free, rank[components.labels] if len(rank) else -1, -1).astype(np.int32)
    total = float(weights.sum())
    volume = abs(float(np.linalg.det(lattice))) / free.size
    sizes = np.bincount(components.labels[free], minlength=len(order))
    centres = _centres(components)
    regions = tuple(
        Region(
            dimensionality=int(components.dimensionalities[old]),
            centre_fractional=(float(x), float(y), float(z)),
            volume_angstrom3=float(sizes[old] * volume),
            share=float(weights[old] / total) if total > 0.0 else 0.0,
        )
        for old, (x, y, z) in zip(order, centres[order], strict=True)
    )
    return {"labels": spread_labels(labels), "free": free, "regions": regions}


def _centres(components: Components) -> np.ndarray:
    """Return the (k, 3) mean fractional position of each region, its parts brought together."""
    shape = components.labels.shape
    voxels = np.flatnonzero(components.labels >= 0)
    labels = components.labels.reshape(-1)[voxels]
    places = grid_points(voxels, shape) + components.offsets.reshape(-1, 3)[voxels]
    count = len(components.dimensionalities)
    sizes = np.maximum(np.bincount(labels, minlength=count), 1)
    sums = [np.bincount(labels, places[:, k], minlength=count) for k in range(3)]
    return (np.stack(sums, axis=1) / sizes[:, None]).round(9) % 1.0
