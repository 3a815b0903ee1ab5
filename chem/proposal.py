"""Where insertions are placed: a mixture of uniform and voxel densities with exact weights.

The proposal is a density over the cell (relative to uniform), constant within a voxel;
orientations are always uniform. The weight of an insertion is v = p/q, the ratio of the
uniform density to the proposal, bounded by the inverse of the uniform share.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter

from chem.rotations import random_quaternions
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import RunFolderError
from data.store import write_atomically

UNIFORM_SHARE = 0.2
EXPLORE_SHARE = 0.2
EXPLORE_TEMPERING = 3.0
FOCUS_TEMPERING = 1.3
VOXEL_ANGSTROM = 0.6
MAX_VOXELS = 262_144
INSERTIONS_PER_VOXEL = 6


@dataclass(frozen=True)
class Proposal:
    """A voxel density over the cell.

    Attributes:
        relative_density: (na, nb, nc) density relative to uniform; its mean is one.
    """

    relative_density: np.ndarray

    def weights(self, fractional: np.ndarray) -> np.ndarray:
        """Return v = p/q of positions.

        Args:
            fractional: (n, 3) fractional coordinates, any image.

        Returns:
            (n,) weights.
        """
        return (
            1.0
            / self.relative_density.ravel()[voxel_index(fractional, self.relative_density.shape)]
        )

    def sample(
        self, rng: np.random.Generator, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw insertions.

        Args:
            rng: source of randomness.
            count: how many.

        Returns:
            (n, 3) fractional positions in [0, 1), (n, 4) quaternions, (n,) weights.
        """
        shape = np.array(self.relative_density.shape)
        cumulative = np.cumsum(self.relative_density.ravel())
        chosen = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
        chosen = np.minimum(chosen, cumulative.size - 1)
        corner = np.stack(np.unravel_index(chosen, tuple(shape)), axis=1)
        fractional = (corner + rng.random((count, 3))) / shape
        fractional = np.minimum(fractional, np.nextafter(1.0, 0.0))
        return fractional, random_quaternions(rng, count), self.weights(fractional)

    def save(self, path: Path) -> None:
        """Write the density to an .npz file, atomically."""

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as handle:
                np.savez_compressed(handle, relative_density=self.relative_density)

        write_atomically(path, write)

    @staticmethod
    def load(path: Path) -> Proposal:
        """Read a density written by :meth:`save`.

        Raises:
            RunFolderError: the file is missing or damaged.
        """
        try:
            with np.load(path) as content:
                return Proposal(content["relative_density"])
        except (OSError, KeyError, ValueError) as error:
            raise RunFolderError(f"Cannot read the proposal {path}: {error}.") from error


def uniform_proposal() -> Proposal:
    """Return the uniform density: plain Widom insertion, every weight one."""
    return Proposal(np.ones((1, 1, 1)))


def voxel_index(fractional: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the flat voxel number of each (n, 3) fractional position."""
    cells = np.floor((fractional % 1.0) * np.array(shape)).astype(np.int64)
    cells = np.minimum(cells, np.array(shape) - 1)
    return np.ravel_multi_index(tuple(cells.T), tuple(shape))


def voxel_shape(lattice_angstrom: np.ndarray, samples: int) -> tuple[int, int, int]:
    """Return a grid of near-cubic voxels that ``samples`` insertions can fill.

    Args:
        lattice_angstrom: (3, 3) cell vectors as rows.
        samples: insertions the density will be learned from.
    """
    volume = abs(float(np.linalg.det(lattice_angstrom)))
    most = max(8, min(MAX_VOXELS, samples // INSERTIONS_PER_VOXEL))
    edge = max(VOXEL_ANGSTROM, (volume / most) ** (1.0 / 3.0))
    lengths = np.linalg.norm(lattice_angstrom, axis=1)
    a, b, c = (max(1, round(length / edge)) for length in lengths)
    return a, b, c


def learn_proposal(
    lattice_angstrom: np.ndarray,
    fractional: np.ndarray,
    weights: np.ndarray,
    energy_kj_per_mol: np.ndarray,
    temperatures_k: tuple[float, ...],
) -> Proposal:
    """Build a proposal from insertions whose energies are known at some cheap level.

    The mixture holds a uniform share, a share that follows the Boltzmann density tempered
    to three times the temperature (so that sites the cheap level underrates are visited),
    and the rest close to the Boltzmann density itself.

    Args:
        lattice_angstrom: (3, 3) cell vectors as rows.
        fractional: (n, 3) positions.
        weights: (n,) weights p/q with which they were drawn.
        energy_kj_per_mol: (n,) energies; +inf inside the hard core.
        temperatures_k: temperatures the table must serve.

    Returns:
        The proposal.
    """
    shape = voxel_shape(lattice_angstrom, len(fractional))
    index = voxel_index(fractional, shape)
    size = int(np.prod(shape))
    visits = np.bincount(index, minlength=size)
    uniform_mass = np.bincount(index, weights=weights, minlength=size)

    def density(tempering: float, temperature_k: float) -> np.ndarray:
        beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k * tempering)
        finite = np.isfinite(energy_kj_per_mol)
        if not finite.any():
            return np.ones(shape)
        exponent = np.full(len(energy_kj_per_mol), -np.inf)
        exponent[finite] = -beta * energy_kj_per_mol[finite]
        boltzmann = np.exp(exponent - exponent.max())
        mass = np.bincount(index, weights=weights * boltzmann, minlength=size)
        mean = np.divide(mass, uniform_mass, out=np.zeros(size), where=visits > 0)
        smooth = uniform_filter(mean.reshape(shape), size=3, mode="wrap")
        mixed = 0.5 * mean.reshape(shape) + 0.5 * smooth
        total = mixed.mean()
        return mixed / total if total > 0 else np.ones(shape)

    focus_share = 1.0 - UNIFORM_SHARE - EXPLORE_SHARE
    focus = np.mean([density(FOCUS_TEMPERING, t) for t in temperatures_k], axis=0)
    explore = np.mean([density(EXPLORE_TEMPERING, t) for t in temperatures_k], axis=0)
    return Proposal(UNIFORM_SHARE + EXPLORE_SHARE * explore + focus_share * focus)
