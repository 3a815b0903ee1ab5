"""Geometry of a rigid host seen from a guest site: periodic graphs and radial bases.

Everything is built from distances alone, so it does not change under rotation, lattice
translation or renumbering of atoms. Host images are collected once per host in a grid of
voxels; a site then looks only at the images its own voxel can reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ml.atom_classes import FIRST_CLASS, LONGEST_BOND_ANGSTROM, atom_classes, bonded

SITE_CUTOFF_ANGSTROM = 6.0
HOST_CUTOFF_ANGSTROM = 4.5
VOXEL_ANGSTROM = 0.5
MAX_VOXELS = 200_000


@dataclass(frozen=True)
class HostArrays:
    """A rigid periodic host as plain arrays.

    Attributes:
        lattice_angstrom: (3, 3) cell vectors as rows.
        positions_angstrom: (n, 3) Cartesian positions.
        atomic_numbers: (n,) atomic numbers.
        features: (n, d) numbers that describe every atom's surroundings alike in all hosts, or
            None.
    """

    lattice_angstrom: np.ndarray
    positions_angstrom: np.ndarray
    atomic_numbers: np.ndarray
    features: np.ndarray | None = None

    @property
    def known_features(self) -> np.ndarray:
        """The features, where they must be known."""
        if self.features is None:
            raise ValueError("the host carries no features of its atoms")
        return self.features

    @property
    def key(self) -> bytes:
        """What tells cells with other atoms apart."""
        parts = (self.lattice_angstrom, self.positions_angstrom, self.atomic_numbers)
        return b"".join(np.asarray(part, dtype=float).tobytes() for part in parts)

    @cached_property
    def classes(self) -> np.ndarray:
        """(n,) codes of the atoms' classes, see `ml.atom_classes`."""
        receivers, senders, distances = (
            part.numpy() for part in host_edges(self, LONGEST_BOND_ANGSTROM)
        )
        bonds = bonded(self.atomic_numbers, receivers, senders, distances)
        return atom_classes(self.atomic_numbers, receivers[bonds], senders[bonds])

    def kinds(self, known: Sequence[int]) -> np.ndarray:
        """Return what stands for the (n,) atoms among known codes: classes, or elements."""
        by_class = any(code >= FIRST_CLASS for code in known)
        return np.asarray(self.classes if by_class else self.atomic_numbers, dtype=np.int64)


@dataclass(frozen=True)
class GuestSites:
    """A rigid guest: the type and body-frame position of each interaction site.

    Sites of equal type are interchangeable; the order of sites carries no meaning.

    Attributes:
        types: m site type names.
        positions_angstrom: (m, 3) body-frame positions.
    """

    types: tuple[str, ...]
    positions_angstrom: np.ndarray

    @property
    def type_names(self) -> tuple[str, ...]:
        """Distinct type names, sorted."""
        return tuple(sorted(set(self.types)))

    @property
    def sites(self) -> tuple[str, ...]:
        """Types of all sites, sorted."""
        return tuple(sorted(self.types))

    @property
    def type_index(self) -> np.ndarray:
        """(m,) index of each site's type in ``type_names``."""
        names = self.type_names
        return np.array([names.index(name) for name in self.types], dtype=np.int64)


@dataclass(frozen=True)
class RadialBasis:
    """Evenly spaced Gaussians of distance under an envelope that ends smoothly.

    The envelope ``(1 - x^2)^3`` with ``x = r / cutoff`` has two continuous derivatives at
    the cutoff, so energies, forces and torques fade without a jump.

    Attributes:
        cutoff_angstrom: where the envelope reaches zero.
        start_angstrom: centre of the first Gaussian.
        count: number of Gaussians.
    """

    cutoff_angstrom: float = SITE_CUTOFF_ANGSTROM
    start_angstrom: float = 1.6
    count: int = 12

    def __call__(self, distance: Tensor) -> Tensor:
        """Return (..., count) basis values at distances in angstrom."""
        spacing = (self.cutoff_angstrom - self.start_angstrom) / self.count
        steps = torch.arange(self.count, dtype=distance.dtype, device=distance.device)
        centres = self.start_angstrom + spacing * steps
        reduced = (distance / self.cutoff_angstrom).clamp(max=1.0)
        envelope = (1.0 - reduced * reduced) ** 3
        arguments = (distance.unsqueeze(-1) - centres) / spacing
        return torch.exp(-0.5 * arguments * arguments) * envelope.unsqueeze(-1)


def plane_spacings_angstrom(lattice_angstrom: np.ndarray) -> np.ndarray:
    """Return the (3,) distances between opposite faces of the cell."""
    return 1.0 / np.linalg.norm(np.linalg.inv(lattice_angstrom), axis=0)


def host_images(host: HostArrays, reach_angstrom: float) -> tuple[np.ndarray, np.ndarray]:
    """Return every periodic image within reach of some point of the home cell.

    Args:
        host: the host.
        reach_angstrom: largest distance from the home cell that matters.

    Returns:
        (k, 3) Cartesian image positions and (k,) indices of the atoms they copy.
    """
    lattice = np.asarray(host.lattice_angstrom, dtype=float)
    fractional = np.asarray(host.positions_angstrom, dtype=float) @ np.linalg.inv(lattice)
    fractional = fractional - np.floor(fractional)
    margin = reach_angstrom / plane_spacings_angstrom(lattice)
    counts = np.ceil(margin).astype(int)
    axes = [np.arange(-c, c + 1) for c in counts]
    shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    every = (fractional[:, None, :] + shifts[None, :, :]).reshape(-1, 3)
    atoms = np.repeat(np.arange(len(fractional)), len(shifts))
    near = np.all((every > -margin) & (every < 1.0 + margin), axis=1)
    return every[near] @ lattice, atoms[near]


def host_edges(host: HostArrays, cutoff_angstrom: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the periodic edges among host atoms shorter than the cutoff.

    Args:
        host: the host.
        cutoff_angstrom: longest edge; may exceed the cell.

    Returns:
        Receivers (e,), senders (e,) and float64 distances (e,) in angstrom.
    """
    from scipy.spatial import cKDTree

    lattice = np.asarray(host.lattice_angstrom, dtype=float)
    images, atoms = host_images(host, cutoff_angstrom)
    fractional = np.asarray(host.positions_angstrom, dtype=float) @ np.linalg.inv(lattice)
    home = (fractional - np.floor(fractional)) @ lattice
    pairs = cKDTree(home).sparse_distance_matrix(
        cKDTree(images), cutoff_angstrom, output_type="ndarray"
    )
    pairs = pairs[pairs["v"] > 1e-6]
    pairs = pairs[np.lexsort((pairs["j"], pairs["i"]))]
    return (
        torch.as_tensor(pairs["i"].astype(np.int64)),
        torch.as_tensor(atoms[pairs["j"]].astype(np.int64)),
        torch.as_tensor(np.ascontiguousarray(pairs["v"])),
    )


@dataclass(frozen=True)
class SiteNeighbours:
    """Which host images a site can feel, looked up by the voxel it sits in.

    Attributes:
        lattice: (3, 3) cell vectors, float64.
        inverse: (3, 3) inverse of the lattice, float64.
        shape: voxels along each cell vector.
        images: (k + 1, 3) image positions; the last lies out of reach (padding).
        atoms: (k + 1,) atom behind each image.
        candidates: (voxels, c) image indices, padded with k.
    """

    lattice: Tensor
    inverse: Tensor
    shape: tuple[int, int, int]
    images: Tensor
    atoms: Tensor
    candidates: Tensor
    _strides: tuple[int, int, int] = field(default=(0, 0, 0))

    @classmethod
    def build(cls, host: HostArrays, cutoff_angstrom: float) -> SiteNeighbours:
        """Collect the images and the candidate list of every voxel."""
        lattice = np.asarray(host.lattice_angstrom, dtype=float)
        lengths = np.linalg.norm(lattice, axis=1)
        size = max(VOXEL_ANGSTROM, float((abs(np.linalg.det(lattice)) / MAX_VOXELS) ** (1 / 3)))
        shape = np.maximum(1, np.ceil(lengths / size)).astype(int)
        axes = [(np.arange(n) + 0.5) / n for n in shape]
        centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3) @ lattice
        corners = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
        slack = 0.5 * float(np.linalg.norm((corners / shape) @ lattice, axis=1).max())
        images, atoms = host_images(host, cutoff_angstrom + slack)
        candidates = _candidates(centres, images, cutoff_angstrom + slack)
        far = lattice.sum(axis=0) + 1e3 * (cutoff_angstrom + lengths.max())
        strides = (int(shape[1] * shape[2]), int(shape[2]), 1)
        return cls(
            lattice=torch.as_tensor(lattice),
            inverse=torch.as_tensor(np.linalg.inv(lattice)),
            shape=(int(shape[0]), int(shape[1]), int(shape[2])),
            images=torch.as_tensor(np.vstack([images, far[None]])),
            atoms=torch.as_tensor(np.append(atoms, 0).astype(np.int64)),
            candidates=torch.as_tensor(candidates),
            _strides=strides,
        )

    def to(self, device: torch.device) -> SiteNeighbours:
        """Return a copy on another device."""
        return SiteNeighbours(
            self.lattice.to(device),
            self.inverse.to(device),
            self.shape,
            self.images.to(device),
            self.atoms.to(device),
            self.candidates.to(device),
            self._strides,
        )

    def lookup(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Wrap positions into the home cell and list their candidate images.

        Args:
            positions: (s, 3) float64 Cartesian site positions.

        Returns:
            Wrapped positions (s, 3) and image indices (s, c).
        """
        fractional = positions @ self.inverse
        fractional = fractional - torch.floor(fractional)
        shape = torch.tensor(self.shape, dtype=torch.int64, device=positions.device)
        voxel = (fractional * shape).to(torch.int64).minimum(shape - 1)
        strides = torch.tensor(self._strides, dtype=torch.int64, device=positions.device)
        return fractional @ self.lattice, self.candidates[(voxel * strides).sum(dim=1)]


def _candidates(centres: np.ndarray, images: np.ndarray, reach: float) -> np.ndarray:
    """Return (voxels, c) indices of images within reach of each centre, padded."""
    from scipy.spatial import cKDTree

    found = cKDTree(images).query_ball_point(centres, reach, return_sorted=True)
    widest = max(1, max(len(row) for row in found))
    table = np.full((len(centres), widest), len(images), dtype=np.int64)
    for row, indices in zip(table, found, strict=True):
        row[: len(indices)] = indices
    return table


def rotation_matrices(quaternions: Tensor) -> Tensor:
    """Return (b, 3, 3) rotation matrices of (b, 4) unit quaternions (w, x, y, z)."""
    w, x, y, z = quaternions.unbind(dim=1)
    rows = (
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], dim=1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], dim=1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], dim=1),
    )
    return torch.stack(rows, dim=1)


def place_sites(
    lattice: Tensor, body: Tensor, fractional: Tensor, quaternions: Tensor
) -> tuple[Tensor, Tensor]:
    """Place a rigid guest.

    Args:
        lattice: (3, 3) cell vectors as rows, angstrom.
        body: (m, 3) body-frame site positions, angstrom.
        fractional: (b, 3) fractional positions of the body origin.
        quaternions: (b, 4) unit quaternions (w, x, y, z).

    Returns:
        (b, m, 3) site positions and (b, m, 3) lever arms from the body origin, angstrom.
    """
    arms = (rotation_matrices(quaternions) @ body.T).transpose(1, 2)
    return (fractional @ lattice).unsqueeze(1) + arms, arms
