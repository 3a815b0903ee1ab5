"""Is a grid good enough: look-ups against direct sums where the Boltzmann weight is.

Insertions are drawn uniformly and looked up; of these, three groups are chosen and summed
directly: drawn by their Boltzmann factors (where the average comes from), by those at three
times the temperature (where the grid might wrongly see a wall), and evenly among the free ones.
With the mixture's probability p, both averages come from the same points::

    bias = sum_i exp(-beta U_grid,i) / p_i  /  sum_i exp(-beta U_direct,i) / p_i  -  1

so that the noise of the sampling cancels and only the grid's own error is left.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np

from chem.geometry import rows_times_matrix
from chem.grids.arrays import BLOCKED
from chem.grids.model import GridModel
from chem.rotations import random_quaternions, rotate_sites
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.records import Estimate

POINTS = 1000
MOST_POINTS = 8000
SHARES = (0.6, 0.25, 0.15)
TEMPERING = 3.0
_DRAW = 32_768
_MOST_DRAWN = 12 * _DRAW
_DRAWN_PER_POINT = 1.0


@dataclass(frozen=True)
class GridCheck:
    """How well a grid reproduces direct sums.

    Attributes:
        points: insertions summed directly; zero where no free insertion was found.
        rms_kj_per_mol: root mean square energy difference, Boltzmann-weighted.
        max_kj_per_mol: largest difference among the Boltzmann-drawn points.
        temperatures_k: temperatures of the bias.
        bias: relative bias of the mean Boltzmann factor at each, with its standard error.
        bias_target: what was asked for.
        spacing_angstrom: largest distance of grid points.
        dims: grid points along each cell vector.
        seconds: wall time of building and checking.
        from_cache: whether the grids were read instead of computed.
    """

    points: int
    rms_kj_per_mol: float
    max_kj_per_mol: float
    temperatures_k: tuple[float, ...]
    bias: tuple[Estimate, ...]
    bias_target: float
    spacing_angstrom: float
    dims: tuple[int, int, int]
    seconds: float = 0.0
    from_cache: bool = False

    @property
    def passed(self) -> bool:
        """Whether no bias exceeds the target beyond two standard errors."""
        return all(
            abs(bias.mean) <= self.bias_target + 2.0 * bias.standard_error for bias in self.bias
        )

    @property
    def worst_bias(self) -> float:
        """Largest magnitude of the bias over the temperatures."""
        return max((abs(bias.mean) for bias in self.bias), default=0.0)


def to_array(check: GridCheck) -> np.ndarray:
    """Return a check as JSON text in an array of bytes, for the cache."""
    text = json.dumps(asdict(check))
    return np.frombuffer(text.encode(), dtype=np.uint8)


def from_array(stored: np.ndarray) -> GridCheck:
    """Return what :func:`to_array` wrote."""
    content = json.loads(stored.tobytes().decode())
    content["bias"] = tuple(Estimate(**bias) for bias in content["bias"])
    for name in ("temperatures_k", "dims"):
        content[name] = tuple(content[name])
    return GridCheck(**content)


def check_grid(
    grid: GridModel,
    temperatures_k: tuple[float, ...],
    bias_target: float,
    rng: np.random.Generator,
) -> GridCheck:
    """Compare a grid model with its direct model.

    Args:
        grid: the model to check.
        temperatures_k: temperatures at which the Boltzmann factors are averaged.
        bias_target: relative bias aimed at; more points are summed until the bias is known to
            half of it, or `MOST_POINTS` are reached.
        rng: source of randomness.

    Returns:
        The check, without seconds.
    """
    betas = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * np.array(temperatures_k, dtype=np.float64))
    points = POINTS
    while True:
        found = _compare(grid, betas, points, rng)
        error = max((bias.standard_error for bias in found[2]), default=0.0)
        if error <= 0.5 * bias_target or points >= MOST_POINTS:
            break
        points = min(MOST_POINTS, 4 * points)
    dims = tuple(int(d) for d in grid.arrays.dims)
    return GridCheck(
        points if found[2] else 0,
        found[0],
        found[1],
        tuple(temperatures_k),
        found[2],
        bias_target,
        grid.spacing_angstrom,
        dims,  # type: ignore[arg-type]
    )


def _draw(
    grid: GridModel, beta: float, points: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Insertions without overlap, evenly distributed, until enough of them carry weight."""
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    drawn, effective = 0, 0.0
    site = int(grid.arrays.order[0])
    open_voxels = _open_voxels(grid, site)
    while len(open_voxels) and drawn < _MOST_DRAWN and effective < _DRAWN_PER_POINT * points:
        fractional, quaternions = _place(grid, site, rng.choice(open_voxels, _DRAW), rng)
        energy, overlap = grid.energies(fractional, quaternions)
        parts.append((fractional[~overlap], quaternions[~overlap], energy[~overlap]))
        drawn += _DRAW
        weight = _boltzmann(np.concatenate([part[2] for part in parts]), beta)
        effective = 1.0 / float((weight**2).sum()) if len(weight) else 0.0
    if not parts:
        return np.zeros((0, 3)), np.zeros((0, 4)), np.zeros(0)
    first, second, third = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return first, second, third


def _open_voxels(grid: GridModel, site: int) -> np.ndarray:
    """Flat numbers of the voxels where a site is not certain to overlap."""
    arrays = grid.arrays
    padded = arrays.states.reshape(-1, *(int(d) + 1 for d in arrays.dims))
    return np.flatnonzero(padded[arrays.kinds[site], :-1, :-1, :-1] != BLOCKED)


def _place(
    grid: GridModel, site: int, voxels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Guests with one site evenly distributed in given voxels, in random orientations.

    Where that site goes decides the body origin: a shift, so evenly distributed too.
    """
    dims = grid.arrays.dims
    quaternions = random_quaternions(rng, len(voxels))
    index = np.stack(np.unravel_index(voxels, tuple(int(d) for d in dims)), axis=1)
    place = (index + rng.random((len(voxels), 3)) - 0.5) / dims
    arm = rotate_sites(quaternions, grid.arrays.body[site : site + 1])[:, 0]
    return place - rows_times_matrix(arm, grid.arrays.inverse), quaternions


def _boltzmann(energy: np.ndarray, beta: float) -> np.ndarray:
    """Normalised Boltzmann factors."""
    if len(energy) == 0:
        return energy
    factor = np.exp(-beta * (energy - energy.min()))
    return factor / factor.sum()


def _chosen(probability: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Systematic sample: how often each is drawn."""
    edges = np.cumsum(probability) * (count / probability.sum())
    edges[-1] = count
    return np.diff(np.floor(edges + rng.random()), prepend=0.0).astype(np.int64).clip(min=0)


def _compare(
    grid: GridModel, betas: np.ndarray, points: int, rng: np.random.Generator
) -> tuple[float, float, tuple[Estimate, ...]]:
    """Rms and largest difference, and the bias at each temperature."""
    fractional, quaternions, energy = _draw(grid, float(betas.max()), points, rng)
    if len(energy) == 0:
        return 0.0, 0.0, ()
    focus = np.mean([_boltzmann(energy, beta) for beta in betas], axis=0)
    broad = np.mean([_boltzmann(energy, beta / TEMPERING) for beta in betas], axis=0)
    groups = (focus, broad, np.full(len(energy), 1.0 / len(energy)))
    counts = [
        _chosen(group, round(share * points), rng)
        for group, share in zip(groups, SHARES, strict=True)
    ]
    mixture = np.tensordot(SHARES, groups, axes=1)
    total = np.sum(counts, axis=0)
    kept = np.nonzero(total)[0]
    often = total[kept]
    direct, _ = grid.direct.energies(fractional[kept], quaternions[kept])
    difference = energy[kept] - direct
    drawn = counts[0][kept]
    rms = float(np.sqrt((drawn * difference**2).sum() / drawn.sum()))
    bias = tuple(_bias(energy[kept], direct, beta, often, mixture[kept]) for beta in betas)
    return rms, float(np.abs(difference[drawn > 0]).max()), bias


def _bias(
    energy: np.ndarray, direct: np.ndarray, beta: float, often: np.ndarray, density: np.ndarray
) -> Estimate:
    """Ratio of the two averages minus one, with its standard error."""
    lowest = min(energy.min(), direct.min())
    grid_terms = often * np.exp(-beta * (energy - lowest)) / density
    direct_terms = often * np.exp(-beta * (direct - lowest)) / density
    total = direct_terms.sum()
    ratio = float(grid_terms.sum() / total)
    error = float(np.sqrt(((grid_terms - ratio * direct_terms) ** 2).sum()) / total)
    effective = float(total**2 / (direct_terms**2).sum())
    return Estimate(ratio - 1.0, error, effective)
