"""Maps of hosts: what a guest feels in each, as one vector, and the vectors in a plane.

The vector of a host is the surrogate's radial descriptor block (:mod:`ml.descriptors`) averaged
over insertions: Gaussians of the distance between guest sites and host atoms, by type of site
and element of atom. Hosts near each other on the map offer a guest the same surroundings, and
what a surrogate learned in one should hold in the other.

References:
    McInnes, Healy, Melville, UMAP, arXiv:1802.03426.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.graphs import GuestSites, HostArrays, RadialBasis, host_images

Fingerprint = dict[str, np.ndarray]
"""Per ``type|atomic number``, the (count,) mean radial moments."""


def fingerprint(
    host: HostArrays,
    guest: GuestSites,
    positions_angstrom: np.ndarray,
    basis: RadialBasis | None = None,
) -> Fingerprint:
    """Return the mean radial moments around a guest's sites, by site type and element.

    Args:
        host: the host.
        guest: the guest's sites.
        positions_angstrom: (b, m, 3) positions of the sites in b insertions of equal weight.
        basis: radial basis; the surrogate's by default.
    """
    import torch
    from scipy.spatial import cKDTree

    basis = basis or RadialBasis()
    lattice = np.asarray(host.lattice_angstrom, dtype=float)
    images, atoms = host_images(host, basis.cutoff_angstrom)
    fractional = positions_angstrom.reshape(-1, 3) @ np.linalg.inv(lattice)
    home = (fractional - np.floor(fractional)) @ lattice
    pairs = cKDTree(home).sparse_distance_matrix(
        cKDTree(images), basis.cutoff_angstrom, output_type="ndarray"
    )
    values = basis(torch.as_tensor(np.ascontiguousarray(pairs["v"]))).numpy()
    numbers = np.asarray(host.atomic_numbers)[atoms[pairs["j"]]]
    kinds = np.tile(guest.type_index, len(positions_angstrom))[pairs["i"]]
    found: Fingerprint = {}
    for kind, name in enumerate(guest.type_names):
        for element in np.unique(host.atomic_numbers):
            mine = (kinds == kind) & (numbers == element)
            found[f"{name}|{element}"] = values[mine].sum(axis=0) / len(positions_angstrom)
    return found


def as_matrix(fingerprints: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """Return (n, d) vectors of hosts, every distance of equal weight and rms 1 over the hosts.

    Elements a host does not have count zero. Scales are shared by the elements: one that a
    single host has must not own the map.
    """
    keys = sorted({key for one in fingerprints for key in one})
    if not keys:
        return np.zeros((len(fingerprints), 0))
    width = len(next(iter(fingerprints[0].values())))
    cube = np.array([[one.get(key, np.zeros(width)) for key in keys] for one in fingerprints])
    spread = cube - cube.mean(axis=0)
    scale = np.sqrt((spread**2).sum(axis=1).mean(axis=0))
    cube = cube / np.where(scale > 0.0, scale, 1.0) / np.sqrt(width)
    return cube.reshape(len(fingerprints), -1)


@dataclass(frozen=True)
class Plane:
    """Hosts in a plane.

    Attributes:
        points: (n, 2) coordinates.
        shares: share of the variance along each of the two; NaN where that means nothing.
    """

    points: np.ndarray
    shares: tuple[float, float]


def principal_plane(vectors: np.ndarray) -> Plane:
    """Return the first two principal components, signs fixed so that a rerun looks the same."""
    centred = vectors - vectors.mean(axis=0)
    left, scale, right = np.linalg.svd(centred, full_matrices=False)
    points, shares = np.zeros((len(vectors), 2)), [0.0, 0.0]
    total = float((scale**2).sum())
    for k in range(min(2, len(scale))):
        largest = right[k][np.abs(right[k]).argmax()]
        points[:, k] = left[:, k] * scale[k] * (1.0 if largest >= 0 else -1.0)
        shares[k] = float(scale[k] ** 2) / total if total > 0 else 0.0
    return Plane(points, (shares[0], shares[1]))


def umap_plane(vectors: np.ndarray, seed: int = 0, neighbours: int = 15) -> Plane | None:
    """Return a UMAP of the vectors, or None where hosts are few."""
    import warnings

    if len(vectors) <= 2 * neighbours:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that a fixed seed means one thread
        from umap import UMAP

        points = UMAP(n_neighbors=neighbours, random_state=seed).fit_transform(vectors)
    return Plane(np.asarray(points, dtype=float), (float("nan"), float("nan")))


def distance_to_seen(vectors: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return each host's distance to the nearest host with labels.

    Args:
        vectors: (n, d) vectors of hosts.
        seen: (n,) whether a host has labels.

    Returns:
        (n,) distances in units of the median distance between nearest neighbours; NaN without
        labels anywhere, zero for hosts that have some.
    """
    from scipy.spatial import cKDTree

    if not seen.any() or len(vectors) < 2:
        return np.where(seen, 0.0, np.nan)
    nearest = cKDTree(vectors).query(vectors, k=2)[0][:, 1]
    usual = float(np.median(nearest)) or 1.0
    return cKDTree(vectors[seen]).query(vectors)[0] / usual
