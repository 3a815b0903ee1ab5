"""The periodic cell a label is computed in, and where the guest's atoms lie in it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from chem.rotations import rotate_sites
from data.records import Guest, Host

IMAGE_CLEARANCE_ANGSTROM = 4.0
IMAGE_WARNING_ANGSTROM = 10.0
_MAX_REPLICAS_PER_AXIS = 8


@dataclass(frozen=True)
class LabelCell:
    """The host's cell, replicated where guest images would otherwise touch.

    Attributes:
        host: the host as the reference sees it.
        replication: how often the host's own cell is repeated along each lattice vector.
        image_distance_angstrom: centre-to-centre distance of nearest guest images.
    """

    host: Host
    replication: tuple[int, int, int]
    image_distance_angstrom: float

    @property
    def note(self) -> str:
        """One sentence on the choice."""
        size = "x".join(str(n) for n in self.replication)
        return (
            f"labels in a {size} cell ({len(self.host.elements)} host atoms), the guest's own "
            "energy in the same cell and orientation, nearest guest image "
            f"{self.image_distance_angstrom:.1f} angstrom away"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """A warning with the distance in it where images are close."""
        if self.image_distance_angstrom >= IMAGE_WARNING_ANGSTROM:
            return ()
        return (
            f"guest images are {self.image_distance_angstrom:.1f} angstrom apart in the label "
            f"cell (under {IMAGE_WARNING_ANGSTROM:.0f}): the self-check's larger-cell line says "
            "what that is worth",
        )

    def to_label_fractional(self, fractional: np.ndarray) -> np.ndarray:
        """Return positions given in the host's own cell as fractions of the label cell."""
        return np.asarray(fractional, dtype=np.float64) / np.array(self.replication, dtype=float)

    def guest_atoms(
        self, guest: Guest, fractional: np.ndarray, quaternions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (B, k, 3) positions of the guest's atoms and (B, 3) body origins, angstrom."""
        origins = self.to_label_fractional(fractional) @ self.host.lattice_angstrom
        rotated = rotate_sites(
            np.asarray(quaternions, dtype=np.float64), guest.atom_positions_angstrom
        )
        return rotated + origins[:, None, :], origins


def short_lattice_vectors(lattice: np.ndarray, limit_angstrom: float) -> np.ndarray:
    """Return the lattice vectors no longer than a limit, shortest first, opposites dropped.

    Args:
        lattice: (3, 3) cell vectors as rows, angstrom.
        limit_angstrom: length limit.

    Returns:
        (v, 3) integer coefficients.
    """
    heights = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    reach = np.floor(limit_angstrom / heights).astype(int)
    ranges = [range(-n, n + 1) for n in reach]
    found = [
        (float(np.linalg.norm(np.array(c) @ lattice)), c)
        for c in itertools.product(*ranges)
        if c > (0, 0, 0)
    ]
    kept = sorted(item for item in found if item[0] <= limit_angstrom)
    return np.array([c for _, c in kept], dtype=int).reshape(-1, 3)


def shortest_vector(lattice: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the length in angstrom and the coefficients of the shortest lattice vector."""
    limit = float(np.linalg.norm(lattice, axis=1).min()) * (1.0 + 1e-12)
    best = short_lattice_vectors(lattice, limit)[0]
    return float(np.linalg.norm(best @ lattice)), best


def needed_replication(lattice: np.ndarray, distance_angstrom: float) -> tuple[int, int, int]:
    """Return the smallest replication found that keeps images a distance apart.

    Axes are repeated one at a time, each time the one that removes most of the lattice
    vectors that are too short, the less repeated one where two are equal.

    Args:
        lattice: (3, 3) cell vectors as rows, angstrom.
        distance_angstrom: smallest allowed length of a lattice vector.
    """
    counts = np.ones(3, dtype=int)
    limit = distance_angstrom * (1.0 - 1e-12)
    while len(short_lattice_vectors(counts[:, None] * lattice, limit)):
        trials = [counts + np.eye(3, dtype=int)[axis] for axis in range(3)]
        counts = min(
            trials,
            key=lambda c: (len(short_lattice_vectors(c[:, None] * lattice, limit)), c.prod()),
        )
        if counts.max() > _MAX_REPLICAS_PER_AXIS:
            break
    return int(counts[0]), int(counts[1]), int(counts[2])


def label_cell(
    host: Host, guest: Guest, replication: tuple[int, int, int] | None = None
) -> LabelCell:
    """Choose the cell labels are computed in.

    The host's own cell serves unless its shortest lattice vector is under the guest's diameter
    plus 4 angstrom. With the guest's energy taken in the same cell, CO2 in CALF-20 and
    Mg-MOF-74 then agrees with large supercells to 0.1 to 0.3 kJ/mol.

    Args:
        host: the framework.
        guest: the molecule.
        replication: a replication to use instead of the one chosen here.
    """
    from chem.hosts import replicate

    needed = 2.0 * guest.radius_angstrom + IMAGE_CLEARANCE_ANGSTROM
    counts = replication or needed_replication(host.lattice_angstrom, needed)
    chosen = host if counts == (1, 1, 1) else replicate(host, counts)
    return LabelCell(chosen, counts, shortest_vector(chosen.lattice_angstrom)[0])
