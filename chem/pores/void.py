"""Void fractions: by helium, and by a hard probe that finds its way in or not.

The helium void fraction is the mean of exp(-U/kT) of one helium atom over the whole cell, at
room temperature by convention [1]. It can exceed the empty volume's share, as helium is
attracted a little.

References:
    [1] Talu, Myers, AIChE J. 47 (2001) 1160.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chem.energy_model import EnergyModel
from chem.pores.distances import distance_field, surface_distances_angstrom
from chem.pores.landscape import grid_points, grid_shape
from chem.pores.orientations import guest_orientations
from chem.pores.percolation import label_components, spread_labels
from chem.pores.radii import Radii
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import SettingsError
from data.records import Estimate, Host
from data.streams import stream

HELIUM_TEMPERATURE_K = 298.0
SAMPLES = 1 << 17
REPLICATES = 16
_SPACING_ANGSTROM = 0.25
_MAX_NODES = 4_000_000


@dataclass(frozen=True)
class ProbeVolume:
    """Shares of the cell where the centre of a hard spherical probe can be.

    Attributes:
        accessible: in channels, which lead through the crystal.
        inaccessible: in pockets, which do not.
        probe_radius_angstrom: radius of the probe.
    """

    accessible: Estimate
    inaccessible: Estimate
    probe_radius_angstrom: float


def helium_void_fraction(
    model: EnergyModel,
    temperature_k: float = HELIUM_TEMPERATURE_K,
    *,
    samples: int = SAMPLES,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """Compute <exp(-U/kT)> over the cell: of helium, the void fraction.

    Positions (and orientations, where the guest is no point) are scrambled Sobol points; the
    error comes from independent scramblings.

    Args:
        model: energies of a helium atom (or of any other guest) in the host.
        temperature_k: temperature.
        samples: number of energies in all; each replicate takes the next power of two.
        replicates: number of independent scramblings, at least two.
        seed: seed of the scramblings.

    Returns:
        The mean with its standard error.

    Raises:
        SettingsError: the temperature is not positive, or there are too few samples.
    """
    if not (math.isfinite(temperature_k) and temperature_k > 0.0):
        raise SettingsError(f"temperature_k must be positive, got {temperature_k}")
    point = len(guest_orientations(model.guest, model.pairs)[0]) == 1
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)
    weights = []
    for points in _sobol(3 if point else 6, samples, replicates, seed):
        turns = np.tile([1.0, 0.0, 0.0, 0.0], (len(points), 1))
        energy = model.energies(points[:, :3], turns if point else _turns(points[:, 3:]))[0]
        weights.append(np.exp(-beta * energy))
    return _estimate(np.array(weights))


def probe_volume(
    host: Host,
    probe_radius_angstrom: float,
    radii: Radii = None,
    *,
    samples: int = SAMPLES,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> ProbeVolume:
    """Compute the share of the cell open to a hard probe, split into channels and pockets.

    Args:
        host: the framework.
        probe_radius_angstrom: radius of the probe; zero measures the volume outside all atoms.
        radii: radii of host atoms, see :func:`chem.pores.radii.atom_radii_angstrom`.
        samples: number of test points in all; each replicate takes the next power of two.
        replicates: number of independent scramblings, at least two.
        seed: seed of the scramblings.

    Returns:
        The accessible and the inaccessible share with their errors.

    Raises:
        SettingsError: the probe radius is negative, or there are too few samples.
    """
    if not (math.isfinite(probe_radius_angstrom) and probe_radius_angstrom >= 0.0):
        raise SettingsError(f"the probe radius must not be negative, got {probe_radius_angstrom}")
    field = distance_field(host, radii)
    shape = grid_shape(field.lattice, _SPACING_ANGSTROM, _MAX_NODES)
    nodes = grid_points(np.arange(math.prod(shape)), shape)
    distances = surface_distances_angstrom(field, nodes).reshape(shape)
    components = label_components(distances >= probe_radius_angstrom)
    open_label = np.append(components.dimensionalities > 0, False)
    leads_through = open_label[spread_labels(components.labels)]
    inside, outside = [], []
    for points in _sobol(3, samples, replicates, seed):
        fits = surface_distances_angstrom(field, points) >= probe_radius_angstrom
        nearest = np.floor(points * shape + 0.5).astype(np.int64) % np.array(shape)
        through = leads_through[tuple(nearest.T)]
        inside.append((fits & through).astype(np.float64))
        outside.append((fits & ~through).astype(np.float64))
    return ProbeVolume(
        _estimate(np.array(inside)), _estimate(np.array(outside)), float(probe_radius_angstrom)
    )


def _sobol(dimensions: int, samples: int, replicates: int, seed: int) -> list[np.ndarray]:
    """Return replicates of scrambled Sobol points in the unit cube."""
    from scipy.stats.qmc import Sobol

    if replicates < 2 or samples < replicates:
        raise SettingsError(
            f"at least two replicates of one sample are needed, got {samples} samples in "
            f"{replicates} replicates"
        )
    power = math.ceil(math.log2(samples / replicates))
    seeds = [int(stream(seed, "sobol", n).integers(1 << 62)) for n in range(replicates)]
    return [Sobol(dimensions, rng=np.random.default_rng(s)).random_base2(power) for s in seeds]


def _turns(uniform: np.ndarray) -> np.ndarray:
    """Turn (n, 3) numbers in the unit cube into uniform random rotations.

    Shoemake, "Uniform random rotations", in Graphics Gems III (1992).
    """
    inner, outer = np.sqrt(1.0 - uniform[:, 0]), np.sqrt(uniform[:, 0])
    one, two = 2.0 * math.pi * uniform[:, 1], 2.0 * math.pi * uniform[:, 2]
    return np.stack(
        [inner * np.sin(one), inner * np.cos(one), outer * np.sin(two), outer * np.cos(two)], axis=1
    )


def _estimate(weights: np.ndarray) -> Estimate:
    """Return mean, error from the spread of replicates (rows), and Kish sample size."""
    means = weights.mean(axis=1)
    squares = float((weights**2).sum())
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    error = float(means.std(ddof=1)) / math.sqrt(len(means))
    return Estimate(float(means.mean()), error, effective)
