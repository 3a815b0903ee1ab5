"""Distances between placements of a rigid guest, under the symmetry of host and guest.

A placement is the position of the guest's body origin, fractional in the host's primitive cell,
with the Cartesian offsets of its sites. The distance of two placements is the root mean square
distance of their sites, smallest over lattice translations and over renamings of like sites of
the guest; the symmetric distance is also smallest over the operations of the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from chem.cells import compact_lattice
from chem.rotations import rotate_sites
from chem.symmetry import CrystalSymmetry
from data.records import Guest

SAME_LENGTH_ANGSTROM = 1e-3
CHUNK_PAIRS = 400_000
NEAREST = 24
MOST_RENAMINGS = 720


@dataclass(frozen=True)
class Placements:
    """Placements of a guest.

    Attributes:
        fractional: (n, 3) positions of the body origin in the primitive cell.
        offsets_angstrom: (n, m, 3) Cartesian offsets of the sites.
    """

    fractional: np.ndarray
    offsets_angstrom: np.ndarray

    def __len__(self) -> int:
        return len(self.fractional)

    def __getitem__(self, rows: np.ndarray | slice) -> Placements:
        return Placements(self.fractional[rows], self.offsets_angstrom[rows])


class Metric:
    """Distances in one host for one guest.

    Args:
        lattice_angstrom: (3, 3) cell vectors as rows.
        guest: the guest.
        symmetry: of the host; improper operations are left out for a chiral guest.
    """

    def __init__(
        self, lattice_angstrom: np.ndarray, guest: Guest, symmetry: CrystalSymmetry
    ) -> None:
        primitive = symmetry.lattice_angstrom
        self._to_primitive = np.asarray(lattice_angstrom) @ np.linalg.inv(primitive)
        self._compact = compact_lattice(primitive)
        self._to_compact = primitive @ np.linalg.inv(self._compact)
        self._body = np.asarray(guest.positions_angstrom, dtype=float).reshape(-1, 3)
        self.renamings = like_sites(guest)
        turns = symmetry.operations.cartesian_rotations(primitive)
        kept = np.linalg.det(turns) > 0.0
        if not is_chiral(self._body, self.renamings):
            kept[:] = True
        self._turns, self._operations = turns[kept], symmetry.operations
        self._kept = kept

    def placements(self, fractional: np.ndarray, quaternions: np.ndarray) -> Placements:
        """Return placements of (n, 3) positions in the host's cell and (n, 4) quaternions."""
        inside = np.asarray(fractional, dtype=float) @ self._to_primitive
        return Placements(inside, rotate_sites(quaternions, self._body))

    def images(self, one: Placements) -> Placements:
        """Return the images of a single placement under the host's operations."""
        moved = self._operations.apply(one.fractional)[self._kept, 0]
        turned = np.einsum("gij,mj->gmi", self._turns, one.offsets_angstrom[0])
        return Placements(moved, turned)

    def renamed(self, some: Placements) -> Placements:
        """Return every renaming of every placement, those of one placement together."""
        names = len(self.renamings)
        offsets = some.offsets_angstrom[:, self.renamings].reshape(-1, *self._body.shape)
        return Placements(np.repeat(some.fractional, names, axis=0), offsets)

    def to_images(self, some: Placements, images: Placements) -> np.ndarray:
        """Return (n,) distance of each placement to the nearest of some images, angstrom.

        Distances beyond half a cell may come out too long.
        """
        copies = self.renamed(images)
        step = max(1, CHUNK_PAIRS // len(copies))
        parts = [slice(k, k + step) for k in range(0, len(some), step)]
        if not parts:
            return np.zeros(0)
        return np.concatenate([self._pairs(some[part], copies).min(axis=1) for part in parts])

    def distinct(self, images: Placements, same_angstrom: float) -> Placements:
        """Return images that differ from each other by more than a distance."""
        left, kept = np.arange(len(images)), []
        while len(left):
            kept.append(int(left[0]))
            away = self.to_images(images[left], images[left[:1]])
            left = left[1:][away[1:] > same_angstrom]
        return images[np.array(kept)]

    def nearest(self, some: Placements, images: Placements, owner: np.ndarray) -> np.ndarray:
        """Return the owner of the image nearest to each placement, whatever the distance.

        Candidates are the images with the nearest origins.

        Args:
            some: n placements.
            images: k images, without duplicates.
            owner: (k,) whose image each is.
        """
        from scipy.spatial import cKDTree

        copies, owners = self.renamed(images), np.repeat(owner, len(self.renamings))
        shifts = np.array(list(product((-1, 0, 1), repeat=3)), dtype=float)
        inside = self._wrapped(copies.fractional)
        everywhere = (inside[:, None] + shifts).reshape(-1, 3) @ self._compact
        points = self._wrapped(some.fractional) @ self._compact
        most = min(len(everywhere), NEAREST * len(self.renamings))
        _, close = cKDTree(everywhere).query(points, k=np.arange(1, most + 1))
        copy = close // len(shifts)
        apart = points[:, None] - everywhere[close]
        own = some.offsets_angstrom[:, None] - copies.offsets_angstrom[copy]
        squared = ((apart[:, :, None] + own) ** 2).sum(axis=3).mean(axis=2)
        rows = np.arange(len(points))
        return np.asarray(owners[copy[rows, squared.argmin(axis=1)]])

    def _wrapped(self, fractional: np.ndarray) -> np.ndarray:
        """Return positions in the compact cell, in [0, 1)."""
        inside = fractional @ self._to_compact
        return np.asarray(inside - np.floor(inside))

    def _pairs(self, some: Placements, others: Placements) -> np.ndarray:
        """Return (n, k) root mean square distances of sites, like index to like index."""
        apart = (some.fractional[:, None] - others.fractional[None]) @ self._to_compact
        apart = (apart - np.rint(apart)) @ self._compact
        one, two = some.offsets_angstrom, others.offsets_angstrom
        sites = one.shape[1]
        middle = one.mean(axis=1)[:, None] - two.mean(axis=1)[None]
        squared = (apart * (apart + 2.0 * middle)).sum(axis=2)
        squared += (one**2).sum(axis=(1, 2))[:, None] / sites
        squared += (two**2).sum(axis=(1, 2))[None] / sites
        squared -= 2.0 / sites * one.reshape(len(one), -1) @ two.reshape(len(two), -1).T
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def like_sites(guest: Guest) -> np.ndarray:
    """Return (p, m) renamings of like sites that keep every distance; the identity first.

    They are the rotations and reflections of the rigid guest. Sites are alike when type,
    charge and Lennard-Jones parameters agree.
    """
    body = np.asarray(guest.positions_angstrom, dtype=float).reshape(-1, 3)
    values = np.nan_to_num(np.stack([guest.charges_e, guest.epsilon_k, guest.sigma_angstrom]))
    keys = [
        (name, *row) for name, row in zip(guest.site_types, values.T.round(9).tolist(), strict=True)
    ]
    apart = np.linalg.norm(body[:, None] - body[None], axis=2)
    partial: list[list[int]] = [[]]
    for site, key in enumerate(keys):
        partial = [
            [*names, other]
            for names in partial
            for other in range(len(keys))
            if other not in names
            and keys[other] == key
            and np.allclose(apart[other, names], apart[site, :site], atol=SAME_LENGTH_ANGSTROM)
        ][:MOST_RENAMINGS]
    return np.array(partial)


def is_chiral(body_angstrom: np.ndarray, renamings: np.ndarray) -> bool:
    """Return whether no rotation turns the guest's mirror image into a renamed guest."""
    from scipy.spatial.transform import Rotation

    centred = body_angstrom - body_angstrom.mean(axis=0)
    if np.linalg.matrix_rank(centred, tol=SAME_LENGTH_ANGSTROM) < 3:
        return False
    for names in renamings:
        _, miss = Rotation.align_vectors(centred[names], -centred)
        if miss < np.sqrt(len(centred)) * SAME_LENGTH_ANGSTROM:
            return False
    return True
