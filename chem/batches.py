"""Batches of insertions and what is kept of each: sums, and the lowest energies.

A batch is one independent repetition of a sample. Its sums hold, for every temperature, all
that the answer and its error need, so that batches can be thrown away once they are summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from chem.energy_model import EnergyModel
from chem.estimator import Moments, beta_mol_per_kj, boltzmann_factor
from chem.proposal import Known

LOWEST_KEPT = 64
TYPICAL_KEPT = 32


class Blocking(Protocol):
    """Regions a guest cannot reach."""

    def blocked(self, fractional: np.ndarray) -> np.ndarray:
        """Return (n,) whether each fractional position is out of reach."""
        ...


@dataclass(frozen=True)
class Batch:
    """Evaluated insertions.

    Attributes:
        known: positions, orientations, weights and energies (+inf: overlap or out of reach).
        overlap: (n,) inside the hard core.
        excluded: rows with finite energy in a region out of reach, and
        excluded_energy_kj_per_mol: what their energy would have been.
    """

    known: Known
    overlap: np.ndarray
    excluded: np.ndarray
    excluded_energy_kj_per_mol: np.ndarray


def evaluate(
    model: EnergyModel,
    placed: tuple[np.ndarray, np.ndarray, np.ndarray],
    pockets: Blocking | None,
) -> Batch:
    """Give insertions their energies; those out of reach get +inf.

    Args:
        model: the classical level.
        placed: (n, 3) fractional positions, (n, 4) quaternions, (n,) weights.
        pockets: regions out of reach, or None.
    """
    fractional, quaternions, weights = placed
    energy, overlap = model.energies(fractional, quaternions)
    excluded = np.zeros(0, dtype=np.int64)
    out_of_reach = np.zeros(0)
    if pockets is not None:
        free = np.flatnonzero(~overlap)
        excluded = free[pockets.blocked(fractional[free])]
        out_of_reach = energy[excluded]
        energy[excluded] = np.inf
    return Batch(Known(fractional, quaternions, weights, energy), overlap, excluded, out_of_reach)


@dataclass(frozen=True)
class BatchSums:
    """What one batch says, K temperatures.

    Attributes:
        insertions: how many.
        means: (2, K) averages of W = v exp(-beta U) and of U W, kJ/mol.
        squares: (K,) sum of W^2.
        largest: (K,) largest W.
        excluded: (K,) average W of what is out of reach.
        overlap_share: share of the uniform volume inside the hard core.
        lowest: the insertions of lowest energy.
        typical: insertions drawn by their share of the answer at the first temperature, with
            weights that make their sum that of the batch.
    """

    insertions: int
    means: np.ndarray
    squares: np.ndarray
    largest: np.ndarray
    excluded: np.ndarray
    overlap_share: float
    lowest: Known
    typical: Known


def sum_batch(batch: Batch, temperatures_k: Sequence[float]) -> BatchSums:
    """Sum a batch at every temperature."""
    known = batch.known
    count = len(known.weights)
    found = np.flatnonzero(np.isfinite(known.energy_kj_per_mol))
    energy, weight = known.energy_kj_per_mol[found], known.weights[found]
    size = len(temperatures_k)
    means, squares, largest = np.zeros((2, size)), np.zeros(size), np.zeros(size)
    for k, temperature in enumerate(temperatures_k):
        beta = beta_mol_per_kj(temperature)
        terms = weight * boltzmann_factor(beta, energy)
        means[:, k] = terms.sum() / count, float(terms @ energy) / count
        squares[k], largest[k] = float(terms @ terms), terms.max(initial=0.0)
    kept = found
    if len(found) > LOWEST_KEPT:
        kept = found[np.argpartition(energy, LOWEST_KEPT)[:LOWEST_KEPT]]
    return BatchSums(
        count,
        means,
        squares,
        largest,
        excluded_means(batch, temperatures_k),
        float(known.weights[batch.overlap].sum()) / count,
        _rows(known, kept),
        _typical(_rows(known, found), temperatures_k[0]),
    )


def excluded_means(batch: Batch, temperatures_k: Sequence[float]) -> np.ndarray:
    """Return (K,) averages of W = v exp(-beta U) over a batch of what is out of reach."""
    weight, energy = batch.known.weights, batch.excluded_energy_kj_per_mol
    lost = [boltzmann_factor(beta_mol_per_kj(t), energy) for t in temperatures_k]
    return np.array([float(weight[batch.excluded] @ one) / len(weight) for one in lost])


def _typical(known: Known, temperature_k: float) -> Known:
    """Resample insertions in proportion to their terms, at equal steps of the running sum."""
    factor = boltzmann_factor(beta_mol_per_kj(temperature_k), known.energy_kj_per_mol)
    running = np.cumsum(known.weights * factor)
    if not (len(running) and np.isfinite(running[-1]) and running[-1] > 0):
        return _rows(known, np.zeros(0, dtype=np.int64))
    steps = (np.arange(TYPICAL_KEPT) + 0.5) / TYPICAL_KEPT * running[-1]
    rows = np.minimum(np.searchsorted(running, steps), len(running) - 1)
    chosen = _rows(known, rows)
    weights = running[-1] / TYPICAL_KEPT / factor[rows]
    return Known(chosen.fractional, chosen.quaternions, weights, chosen.energy_kj_per_mol)


def _rows(known: Known, rows: np.ndarray) -> Known:
    return Known(
        known.fractional[rows],
        known.quaternions[rows],
        known.weights[rows],
        known.energy_kj_per_mol[rows],
    )


def join(parts: Sequence[Known]) -> Known:
    """Put insertions together, in order."""
    return Known(
        np.concatenate([p.fractional for p in parts]),
        np.concatenate([p.quaternions for p in parts]),
        np.concatenate([p.weights for p in parts]),
        np.concatenate([p.energy_kj_per_mol for p in parts]),
    )


@dataclass(frozen=True)
class Pooled:
    """All batches together, K temperatures.

    Attributes:
        insertions: how many.
        moments: one per temperature, the error from the scatter of the batches.
        relative_covariance: (K, K) covariance of <W> between temperatures over both means.
        degrees_of_freedom: batches minus one.
        excluded_share: (K,) share of the whole that lies out of reach.
        overlap_fraction: share of the uniform volume inside the hard core.
        lowest: the insertions of lowest energy, ascending.
        typical: insertions drawn by their share of the answer at the first temperature.
    """

    insertions: int
    moments: tuple[Moments, ...]
    relative_covariance: np.ndarray
    degrees_of_freedom: float
    excluded_share: np.ndarray
    overlap_fraction: float
    lowest: Known
    typical: Known

    @property
    def relative_standard_errors(self) -> np.ndarray:
        """(K,) relative standard error of <W>; infinite where nothing was found."""
        variance = np.diag(self.relative_covariance)
        return np.sqrt(np.where(np.isfinite(variance), variance, np.inf))


def pool(batches: Sequence[BatchSums]) -> Pooled:
    """Average batches of equal size; their scatter is the error.

    Args:
        batches: at least two.
    """
    means = np.stack([b.means for b in batches])
    count = sum(b.insertions for b in batches)
    number, _, size = means.shape
    mean = means.mean(axis=0)
    spread = (means - mean).reshape(number, -1)
    covariance = (spread.T @ spread / (number * (number - 1))).reshape(2, size, 2, size)
    total = mean[0] * count
    squares = np.sum([b.squares for b in batches], axis=0)
    largest = np.max([b.largest for b in batches], axis=0)
    some = total > 0
    effective = np.divide(total**2, squares, out=np.zeros(size), where=some)
    share = np.divide(largest, total, out=np.zeros(size), where=some)
    excluded = np.mean([b.excluded for b in batches], axis=0)
    whole = mean[0] + excluded
    scale = np.outer(mean[0], mean[0])
    moments = tuple(
        Moments(
            mean[:, k],
            covariance[:, k, :, k],
            np.zeros((2, 2)),
            float(effective[k]),
            float("inf"),
            float(share[k]),
        )
        for k in range(size)
    )
    lowest = join([b.lowest for b in batches])
    order = np.argsort(lowest.energy_kj_per_mol, kind="stable")[:LOWEST_KEPT]
    return Pooled(
        count,
        moments,
        np.divide(covariance[0, :, 0], scale, out=np.full((size, size), np.inf), where=scale > 0),
        float(number - 1),
        np.divide(excluded, whole, out=np.zeros(size), where=whole > 0),
        float(np.mean([b.overlap_share for b in batches])),
        _rows(lowest, order),
        join([b.typical for b in batches]),
    )
