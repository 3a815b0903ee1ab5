"""Binding sites of a guest in a host: relaxed insertions, clustered by symmetry.

Starts are low-energy and Boltzmann-likely insertions of a table, no two close to each other
under the symmetry of host and guest. Each is relaxed as a rigid body; minima that symmetry
maps onto each other are one site. Structures as they come are seldom symmetric to the last
digit: positions may miss by 0.05 angstrom and charges differ by 0.01 e.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chem.estimator import kish
from chem.geometry import images_near_cell, wrap_fractional
from chem.rotations import rotate_sites
from chem.sites.files import write_sites
from chem.sites.placements import Metric, Placements
from chem.sites.relax import Relaxed, relax
from chem.symmetry import CrystalSymmetry, crystal_symmetry, interaction_kinds
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import SettingsError
from data.records import Guest, Host, PairTable

__all__ = [
    "BindingSite",
    "approximate_symmetry",
    "find_binding_sites",
    "nearest_contact",
    "write_sites",
]

MOST_SITES = 8
STARTS = 32
LOWEST_CANDIDATES = 400
LIKELY_CANDIDATES = 1200
START_SPACING_ANGSTROM = 1.0
SAME_SITE_ANGSTROM = 0.3
SAME_ENERGY_KJ_PER_MOL = 1.0
SHARE_SAMPLES = 20_000
SYMMETRY_ANGSTROM = 0.05
SYMMETRY_CHARGE_E = 0.01


@dataclass(frozen=True)
class BindingSite:
    """A local minimum of the interaction energy, with its symmetric copies.

    Attributes:
        energy_kj_per_mol: its interaction energy.
        multiplicity: symmetric copies in the cell, this one included.
        fractional: (3,) position of the guest's body origin, in [0, 1).
        quaternion: (4,) orientation (w, x, y, z).
        nearest_atom: index of the host atom nearest to a guest site.
        nearest_element: its element.
        nearest_label: its CIF label.
        nearest_site_type: type of that guest site.
        nearest_angstrom: their distance.
        share: Boltzmann share of the table's insertions nearest to this site, its copies
            included; all minima found compete, also those that are not returned.
        share_error: its standard error from the effective size of the table.
        starts: starts that ended here.
        converged: whether the gradient left is negligible.
    """

    energy_kj_per_mol: float
    multiplicity: int
    fractional: np.ndarray
    quaternion: np.ndarray
    nearest_atom: int
    nearest_element: str
    nearest_label: str
    nearest_site_type: str
    nearest_angstrom: float
    share: float
    share_error: float
    starts: int
    converged: bool

    @property
    def placement(self) -> np.ndarray:
        """(7,) fractional position and quaternion."""
        return np.concatenate([self.fractional, self.quaternion])


def find_binding_sites(
    model: Any,
    fractional: np.ndarray,
    quaternions: np.ndarray,
    energies_kj_per_mol: np.ndarray,
    weights: np.ndarray,
    temperature_k: float,
    *,
    most: int = MOST_SITES,
) -> tuple[BindingSite, ...]:
    """Relax insertions of a table and cluster the minima by symmetry.

    Args:
        model: an energy model (`chem.energies.ClassicalModel` or alike); of a grid model its
            direct sums are used. Forces are used where it has ``energies_and_forces``,
            differences of energies otherwise.
        fractional: (n, 3) positions of insertions.
        quaternions: (n, 4) orientations.
        energies_kj_per_mol: (n,) energies; +inf where overlapping.
        weights: (n,) weights p/q of the insertions.
        temperature_k: temperature of the Boltzmann shares.
        most: how many sites to return.

    Returns:
        The sites, lowest energy first; none where no insertion has a finite energy.

    Raises:
        SettingsError: a temperature or ``most`` that is not positive.
    """
    if not temperature_k > 0.0 or most < 1:
        raise SettingsError(f"temperature {temperature_k} K and most {most} must be positive")
    model = getattr(model, "direct", model)
    energy = np.asarray(energies_kj_per_mol, dtype=float)
    free = np.flatnonzero(np.isfinite(energy))
    if not len(free):
        return ()
    factor = _boltzmann(energy[free], np.asarray(weights, dtype=float)[free], temperature_k)
    symmetry = approximate_symmetry(model.host, model.pairs)
    metric = Metric(model.host.lattice_angstrom, model.guest, symmetry)
    candidates = free[_candidates(energy[free], factor)]
    spread = _spread(metric, metric.placements(fractional[candidates], quaternions[candidates]))
    minima = [relax(model, fractional[k], quaternions[k]) for k in candidates[spread]]
    clusters = _cluster(metric, minima)
    rows, times = np.unique(_resampled(factor, SHARE_SAMPLES), return_counts=True)
    likely = metric.placements(fractional[free[rows]], quaternions[free[rows]])
    shares = _shares(metric, clusters, likely, times)
    sites = [
        _site(model, members, symmetry.cells * len(images), (share, _share_error(share, factor)))
        for (members, images), share in zip(clusters, shares, strict=True)
    ]
    return tuple(sites[:most])


def approximate_symmetry(host: Host, pairs: PairTable) -> CrystalSymmetry:
    """Return the symmetry of a host as a guest sees it, small deviations forgiven."""
    kinds = interaction_kinds(
        pairs.epsilon_kj_per_mol,
        pairs.sigma_angstrom,
        charges_e=pairs.host_charges_e,
        same_charge_e=SYMMETRY_CHARGE_E,
    )
    return crystal_symmetry(host, kinds, SYMMETRY_ANGSTROM)


def _boltzmann(energy: np.ndarray, weights: np.ndarray, temperature_k: float) -> np.ndarray:
    """Return (n,) shares of the Boltzmann weight."""
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)
    factor = weights * np.exp(-beta * (energy - energy.min()))
    total = factor.sum()
    return np.asarray(factor / total if total > 0 else np.full(len(energy), 1.0 / len(energy)))


def _candidates(energy: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Return the insertions of lowest energy and the likeliest regions', by rising energy."""
    few = min(LOWEST_CANDIDATES, len(energy))
    lowest = np.argpartition(energy, few - 1)[:few]
    rows = np.union1d(lowest, _resampled(factor, LIKELY_CANDIDATES))
    return rows[np.argsort(energy[rows], kind="stable")]


def _resampled(factor: np.ndarray, count: int) -> np.ndarray:
    """Return (count,) rows drawn by evenly spaced quantiles of the Boltzmann weight."""
    quantiles = (np.arange(count) + 0.5) / count
    cumulative = np.cumsum(factor)
    rows = np.searchsorted(cumulative, quantiles * cumulative[-1])
    return np.minimum(rows, len(factor) - 1)


def _spread(metric: Metric, places: Placements) -> np.ndarray:
    """Return rows, in order, no two of them close under symmetry; at most ``STARTS``."""
    left = np.arange(len(places))
    kept: list[int] = []
    while len(left) and len(kept) < STARTS:
        kept.append(int(left[0]))
        images = metric.images(places[left[:1]])
        away = metric.to_images(places[left[1:]], images)
        left = left[1:][away > START_SPACING_ANGSTROM]
    return np.array(kept)


def _cluster(metric: Metric, minima: list[Relaxed]) -> list[tuple[list[Relaxed], Placements]]:
    """Return the minima of each site, lowest first, with the site's distinct images."""
    minima = sorted(minima, key=lambda m: m.energy_kj_per_mol)
    clusters: list[tuple[list[Relaxed], Placements]] = []
    for one in minima:
        place = metric.placements(one.fractional[None], one.quaternion[None])
        for members, images in clusters:
            near = metric.to_images(place, images)[0] < SAME_SITE_ANGSTROM
            above = one.energy_kj_per_mol - members[0].energy_kj_per_mol
            if near and above < SAME_ENERGY_KJ_PER_MOL:
                members.append(one)
                break
        else:
            images = metric.distinct(metric.images(place), SAME_SITE_ANGSTROM)
            clusters.append(([one], images))
    return clusters


def _shares(
    metric: Metric,
    clusters: list[tuple[list[Relaxed], Placements]],
    likely: Placements,
    times: np.ndarray,
) -> np.ndarray:
    """Return the share of insertions, each so many times, that are nearest to each site."""
    images = Placements(
        np.concatenate([images.fractional for _, images in clusters]),
        np.concatenate([images.offsets_angstrom for _, images in clusters]),
    )
    owner = np.repeat(np.arange(len(clusters)), [len(images) for _, images in clusters])
    nearest = metric.nearest(likely, images, owner)
    return np.bincount(nearest, weights=times, minlength=len(clusters)) / times.sum()


def _share_error(share: float, factor: np.ndarray) -> float:
    """Return the binomial standard error of a share: finite table, finite resampling."""
    return float(np.sqrt(share * (1.0 - share) * (1.0 / kish(factor) + 1.0 / SHARE_SAMPLES)))


def _site(
    model: Any, members: list[Relaxed], multiplicity: int, share: tuple[float, float]
) -> BindingSite:
    best, host, guest = members[0], model.host, model.guest
    atom, site, distance = nearest_contact(host, guest, best.fractional, best.quaternion)
    return BindingSite(
        energy_kj_per_mol=best.energy_kj_per_mol,
        multiplicity=multiplicity,
        fractional=wrap_fractional(best.fractional),
        quaternion=best.quaternion,
        nearest_atom=atom,
        nearest_element=host.elements[atom],
        nearest_label=host.labels[atom],
        nearest_site_type=guest.site_types[site],
        nearest_angstrom=distance,
        share=float(share[0]),
        share_error=share[1],
        starts=len(members),
        converged=best.converged,
    )


def nearest_contact(
    host: Host, guest: Guest, fractional: np.ndarray, quaternion: np.ndarray
) -> tuple[int, int, float]:
    """Return host atom, guest site and distance (angstrom) of the shortest contact."""
    lattice = host.lattice_angstrom
    offsets = rotate_sites(quaternion[None], guest.positions_angstrom.reshape(-1, 3))[0]
    sites = wrap_fractional(fractional + offsets @ np.linalg.inv(lattice)) @ lattice
    reach = 4.0
    while True:
        places, atoms = images_near_cell(host.fractional, lattice, reach)
        apart = np.linalg.norm(places[:, None] - sites[None], axis=2)
        if len(places) and apart.min() <= reach:
            image, site = np.unravel_index(int(apart.argmin()), apart.shape)
            return int(atoms[image]), int(site), float(apart.min())
        reach *= 2.0
