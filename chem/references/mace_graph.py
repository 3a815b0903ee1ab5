"""Edges of the MACE graph: the host's once, an insertion's by themselves.

An edge goes from a sender i to a receiver j and carries the lattice translation s, so that its
vector is ``r_j - r_i + s``. Only arrays here; torch stays in ``mace.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Edges:
    """Directed edges within the cutoff.

    Attributes:
        senders: (e,) node numbers.
        receivers: (e,) node numbers.
        shifts_angstrom: (e, 3) Cartesian lattice translations.
    """

    senders: np.ndarray
    receivers: np.ndarray
    shifts_angstrom: np.ndarray

    def __add__(self, other: Edges) -> Edges:
        return Edges(
            np.concatenate([self.senders, other.senders]),
            np.concatenate([self.receivers, other.receivers]),
            np.vstack([self.shifts_angstrom, other.shifts_angstrom]),
        )

    def moved(self, offset: int) -> Edges:
        """Return the same edges with every node number raised by ``offset``."""
        return Edges(self.senders + offset, self.receivers + offset, self.shifts_angstrom)


def lattice_translations(lattice: np.ndarray, reach_angstrom: float) -> np.ndarray:
    """Return every (t, 3) Cartesian lattice translation that can matter within a reach.

    Translations between any point of the home cell and anything within ``reach_angstrom`` of
    another point of it are included.
    """
    heights = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    counts = np.ceil(reach_angstrom / heights).astype(int) + 1
    grids = np.meshgrid(*[np.arange(-n, n + 1) for n in counts], indexing="ij")
    return np.stack([g.ravel() for g in grids], axis=1).astype(float) @ lattice


def periodic_edges(positions: np.ndarray, lattice: np.ndarray, cutoff_angstrom: float) -> Edges:
    """Return all edges among the atoms of a crystal, an atom's own images included.

    Args:
        positions: (n, 3) Cartesian positions inside the home cell, angstrom.
        lattice: (3, 3) cell vectors as rows, angstrom.
        cutoff_angstrom: largest edge length.
    """
    parts = []
    for shift in lattice_translations(lattice, cutoff_angstrom):
        vectors = positions[None, :, :] + shift - positions[:, None, :]
        close = (vectors**2).sum(axis=2) < cutoff_angstrom**2
        if not shift.any():
            np.fill_diagonal(close, False)
        senders, receivers = np.nonzero(close)
        parts.append(Edges(senders, receivers, np.broadcast_to(shift, (len(senders), 3))))
    return Edges(
        np.concatenate([p.senders for p in parts]),
        np.concatenate([p.receivers for p in parts]),
        np.vstack([p.shifts_angstrom for p in parts]),
    )


class HostGraph:
    """The host's nodes and edges, and a fast way to attach a guest.

    Args:
        positions: (n, 3) host positions, angstrom.
        lattice: (3, 3) cell vectors as rows, angstrom.
        cutoff_angstrom: the model's cutoff.
        guest_radius_angstrom: largest distance of a guest atom from the body origin.
    """

    def __init__(
        self,
        positions: np.ndarray,
        lattice: np.ndarray,
        cutoff_angstrom: float,
        guest_radius_angstrom: float,
    ) -> None:
        self.lattice = lattice
        self.positions = _folded(positions, lattice)
        self.cutoff_angstrom = cutoff_angstrom
        self.edges = periodic_edges(self.positions, lattice, cutoff_angstrom)
        reach = cutoff_angstrom + guest_radius_angstrom
        translations = lattice_translations(lattice, reach)
        cloud = self.positions[None, :, :] + translations[:, None, :]
        margin = reach * np.linalg.norm(np.linalg.inv(lattice), axis=0)
        fractional = cloud @ np.linalg.inv(lattice)
        near = ((fractional > -margin) & (fractional < 1.0 + margin)).all(axis=2)
        which, self._cloud_atoms = np.nonzero(near)
        self._cloud_shifts = translations[which]
        self._cloud = cloud[near]
        self._guest_translations = lattice_translations(lattice, 2 * guest_radius_angstrom + reach)

    def shift_home(self, origins: np.ndarray) -> np.ndarray:
        """Return the (B, 3) lattice translations that bring body origins into the home cell."""
        return _folded(origins, self.lattice) - origins

    def guest_host_edges(self, guest_positions: np.ndarray) -> Edges:
        """Return the edges between guest and host, both ways; guest nodes follow the host's.

        Args:
            guest_positions: (k, 3) folded positions, angstrom.
        """
        n = len(self.positions)
        vectors = self._cloud[None, :, :] - guest_positions[:, None, :]
        guest, image = np.nonzero((vectors**2).sum(axis=2) < self.cutoff_angstrom**2)
        atoms, shifts = self._cloud_atoms[image], self._cloud_shifts[image]
        return Edges(guest + n, atoms, shifts) + Edges(atoms, guest + n, -shifts)

    def guest_edges(self, guest_positions: np.ndarray) -> tuple[Edges, bool]:
        """Return the edges among the guest's atoms and whether any of them reaches an image.

        Args:
            guest_positions: (k, 3) folded positions, angstrom.

        Returns:
            Edges numbered from zero, and the flag.
        """
        k = len(guest_positions)
        vectors = (
            guest_positions[None, None, :, :]
            + self._guest_translations[:, None, None, :]
            - guest_positions[None, :, None, :]
        )
        close = (vectors**2).sum(axis=3) < self.cutoff_angstrom**2
        at_home = np.all(self._guest_translations == 0.0, axis=1)
        close[at_home] &= ~np.eye(k, dtype=bool)
        which, senders, receivers = np.nonzero(close)
        edges = Edges(senders, receivers, self._guest_translations[which])
        return edges, bool(np.any(~at_home[which]))


def _folded(positions: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    fractional = positions @ np.linalg.inv(lattice)
    return positions - np.floor(fractional) @ lattice
