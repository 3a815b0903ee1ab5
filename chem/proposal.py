"""Where insertions are placed: a mixture of densities over cells, with exact weights.

A cell is a voxel of the host's unit cell times a bin of orientations (`chem.orientations`), all
of equal measure. The proposal is a density over cells (relative to uniform), constant within a
cell. The weight of an insertion is v = p/q, the ratio of the uniform density to the proposal,
bounded by the inverse of the uniform share.

The density that makes the variance of <exp(-beta U)> least is, cell by cell, proportional to
the root mean square of exp(-beta U) [1]; it is learned from insertions with known energies,
smoothed over neighbouring voxels, and mixed with broader ones, since what the learning has not
seen must still be found.

[1] Kahn, Marshall, J. Oper. Res. Soc. Am. 1 (1953) 263.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from chem.estimator import beta_mol_per_kj
from chem.orientations import OrientationBins
from data.errors import RunFolderError
from data.store import write_atomically

VOXEL_ANGSTROM = 0.5
MAX_CELLS = 3_000_000
CELLS_PER_INSERTION = 1.5
NEIGHBOUR_SHARE = 0.5
VOXEL_SHARE = 0.1


@dataclass(frozen=True)
class Shares:
    """What a learned proposal is made of; the rest follows the Boltzmann density.

    Attributes:
        uniform: share of the uniform density; its inverse bounds every weight.
        explore: share of the density at a tempered (higher) temperature.
        explore_tempering: factor on the temperature of that density.
        focus_tempering: factor on the temperature of the remaining share.
    """

    uniform: float = 0.2
    explore: float = 0.2
    explore_tempering: float = 3.0
    focus_tempering: float = 1.3


# A cheap level that is not the reference: its density is a hint, and a fifth explores.
CAUTIOUS = Shares()
# The level of the answer itself: only what the learning has not seen must be provided for.
EXACT = Shares(uniform=0.05, explore=0.1, focus_tempering=1.0)


@dataclass(frozen=True)
class Proposal:
    """A density over the cells of positions and orientations.

    Attributes:
        relative_density: (na, nb, nc, bins) density relative to uniform, any positive scale.
        bins: bins of orientation.
    """

    relative_density: np.ndarray
    bins: OrientationBins = field(default_factory=OrientationBins)

    @property
    def voxels(self) -> tuple[int, int, int]:
        """Voxels along each cell vector."""
        a, b, c, _ = self.relative_density.shape
        return a, b, c

    def weights(self, fractional: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
        """Return v = p/q of insertions.

        Args:
            fractional: (n, 3) fractional coordinates, any image.
            quaternions: (n, 4) unit quaternions.

        Returns:
            (n,) weights.
        """
        return self._weights_of(cell_index(fractional, quaternions, self.voxels, self.bins))

    def sample(
        self, rng: np.random.Generator, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw independent insertions.

        Args:
            rng: source of randomness.
            count: how many.

        Returns:
            (n, 3) fractional positions in [0, 1), (n, 4) quaternions, (n,) weights.
        """
        cumulative = self._cumulative
        chosen = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
        return self._placed(np.minimum(chosen, cumulative.size - 1), rng)

    def sample_stratified(
        self, rng: np.random.Generator, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw insertions whose number in each cell is what it should be, to one.

        Averages over such a sample are unbiased, with less variance than independent draws;
        its error is seen from independent repetitions only. Cells come in ascending order.

        Args:
            rng: source of randomness.
            count: how many.

        Returns:
            As :meth:`sample`.
        """
        from chem.proposal_kernels import systematic_cells

        cells = np.empty(count, dtype=np.int64)
        systematic_cells(self._cumulative, rng.random(), cells)
        return self._placed(cells, rng)

    @cached_property
    def _cumulative(self) -> np.ndarray:
        return np.cumsum(self.relative_density.ravel(), dtype=np.float64)

    @cached_property
    def _mean(self) -> np.float64:
        return self.relative_density.mean(dtype=np.float64)

    def _weights_of(self, cells: np.ndarray) -> np.ndarray:
        return self._mean / self.relative_density.ravel()[cells].astype(np.float64)

    def _placed(
        self, cells: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        from chem.proposal_kernels import place

        fractional, quaternions = np.empty((len(cells), 3)), np.empty((len(cells), 4))
        uniforms = rng.random((len(cells), 6))
        place(
            cells,
            uniforms,
            self.voxels,
            self.bins.shape,
            self.bins.alignment,
            fractional,
            quaternions,
        )
        return fractional, quaternions, self._weights_of(cells)

    def save(self, path: Path) -> None:
        """Write the density to an .npz file, atomically."""

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as handle:
                np.savez_compressed(
                    handle,
                    relative_density=self.relative_density,
                    bins=np.array(self.bins.shape),
                    alignment=np.array(self.bins.alignment),
                    inverts=np.array(self.bins.inverts),
                )

        write_atomically(path, write)

    @staticmethod
    def load(path: Path) -> Proposal:
        """Read a density written by :meth:`save`.

        Raises:
            RunFolderError: the file is missing or damaged.
        """
        try:
            with np.load(path) as content:
                a, b, c = (int(n) for n in content["bins"])
                w, x, y, z = (float(n) for n in content["alignment"])
                bins = OrientationBins((a, b, c), (w, x, y, z), bool(content["inverts"]))
                return Proposal(content["relative_density"], bins)
        except (OSError, KeyError, ValueError) as error:
            raise RunFolderError(f"Cannot read the proposal {path}: {error}.") from error


def uniform_proposal() -> Proposal:
    """Return the uniform density: plain Widom insertion, every weight one."""
    return Proposal(np.ones((1, 1, 1, 1)))


def cell_index(
    fractional: np.ndarray,
    quaternions: np.ndarray,
    voxels: tuple[int, int, int],
    bins: OrientationBins,
) -> np.ndarray:
    """Return the flat cell number of each insertion, orientation bin running fastest."""
    from chem.proposal_kernels import cell_numbers

    cells = np.empty(len(fractional), dtype=np.int64)
    cell_numbers(
        np.asarray(fractional, dtype=np.float64),
        np.asarray(quaternions, dtype=np.float64),
        voxels,
        bins.shape,
        bins.alignment,
        cells,
    )
    return cells


def voxel_shape(
    lattice_angstrom: np.ndarray, samples: int, bins: OrientationBins
) -> tuple[int, int, int]:
    """Return a grid of near-cubic voxels whose cells ``samples`` insertions can teach.

    Args:
        lattice_angstrom: (3, 3) cell vectors as rows.
        samples: insertions the density will be learned from.
        bins: bins of orientation.
    """
    volume = abs(float(np.linalg.det(lattice_angstrom)))
    most = max(8.0, min(MAX_CELLS, CELLS_PER_INSERTION * samples) / bins.count)
    edge = max(VOXEL_ANGSTROM, (volume / most) ** (1.0 / 3.0))
    lengths = np.linalg.norm(lattice_angstrom, axis=1)
    a, b, c = (max(1, round(length / edge)) for length in lengths)
    return a, b, c


@dataclass(frozen=True)
class Known:
    """Insertions with known energies, to learn from.

    Attributes:
        fractional: (n, 3) positions.
        quaternions: (n, 4) orientations.
        weights: (n,) weights p/q with which they were drawn.
        energy_kj_per_mol: (n,) energies; +inf inside the hard core.
    """

    fractional: np.ndarray
    quaternions: np.ndarray
    weights: np.ndarray
    energy_kj_per_mol: np.ndarray


def learn_proposal(
    voxels: tuple[int, int, int],
    bins: OrientationBins,
    known: Known,
    temperatures_k: tuple[float, ...],
    shares: Shares = CAUTIOUS,
) -> Proposal:
    """Build a proposal from insertions whose energies are known at some cheap level.

    Args:
        voxels: voxels along each cell vector, see :func:`voxel_shape`.
        bins: bins of orientation.
        known: what has been evaluated.
        temperatures_k: temperatures the table must serve.
        shares: what the mixture is made of.

    Returns:
        The proposal.
    """
    cells = cell_index(known.fractional, known.quaternions, voxels, bins)
    finite = np.flatnonzero(np.isfinite(known.energy_kj_per_mol))
    mass = _Smoothed(cells, known.weights, voxels, bins)

    def density(tempering: float) -> np.ndarray:
        squares = np.zeros(len(finite))
        for temperature in temperatures_k:
            exponent = -beta_mol_per_kj(tempering * temperature) * known.energy_kj_per_mol[finite]
            factor = np.exp(exponent - exponent.max(initial=-np.inf))
            mean = float((known.weights[finite] * factor).sum())
            squares += (factor / mean) ** 2
        found = mass.root_mean(
            _Smoothed(cells[finite], known.weights[finite] * squares, voxels, bins)
        )
        total = found.mean(dtype=np.float64)
        return found / total if total > 0 else np.ones_like(found)

    focus = density(shares.focus_tempering)
    explore = density(shares.explore_tempering)
    rest = 1.0 - shares.uniform - shares.explore
    mixed = shares.uniform + shares.explore * explore + rest * focus
    return Proposal(mixed.reshape(*voxels, bins.count), bins)


class _Smoothed:
    """Sums over cells, with those of neighbouring voxels and of whole voxels beside them."""

    def __init__(
        self,
        cells: np.ndarray,
        values: np.ndarray,
        voxels: tuple[int, int, int],
        bins: OrientationBins,
    ) -> None:
        size = int(np.prod(voxels)) * bins.count
        own = np.bincount(cells, weights=values, minlength=size).astype(np.float32)
        own = own.reshape(*voxels, bins.count)
        if bins.inverts:
            own += own[..., bins.opposite()]
        self.cells = own + np.float32(NEIGHBOUR_SHARE / 27.0) * _with_neighbours(own)
        self.voxels = self.cells.sum(axis=3, keepdims=True)

    def root_mean(self, squares: _Smoothed) -> np.ndarray:
        """Return the root of the mean squares, cells mixed with the whole of their voxel."""
        cell = _ratio(squares.cells, self.cells)
        voxel = _ratio(squares.voxels, self.voxels)
        mixed = np.float32(1.0 - VOXEL_SHARE) * cell + np.float32(VOXEL_SHARE) * voxel
        return np.sqrt(mixed)


def _with_neighbours(values: np.ndarray) -> np.ndarray:
    """Return each voxel's sum with its 26 periodic neighbours, bin by bin."""
    total = values
    for axis in range(3):
        total = total + np.roll(total, 1, axis) + np.roll(total, -1, axis)
    return total


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return a/b where b is positive, zero elsewhere; rounding below zero is cut."""
    quotient = np.divide(
        numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0
    )
    return np.maximum(quotient, 0.0)
