"""Widom's average over insertions at the classical level, as narrow as asked.

Insertions are placed where they count: a uniform scan teaches a broad proposal, that one a
focused one (`chem.proposal`), and the answer is averaged over insertions of the last alone, in
batches that are independent repetitions of a stratified sample. The error comes from the
scatter of the batches. Batches are added until the relative standard error is reached or the
insertions are spent. [1] Widom, J. Chem. Phys. 39 (1963) 2808.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from chem.batches import (
    Batch,
    BatchSums,
    Blocking,
    Pooled,
    evaluate,
    excluded_means,
    join,
    pool,
    sum_batch,
)
from chem.energy_model import EnergyModel
from chem.orientations import OrientationBins, orientation_bins
from chem.proposal import (
    EXACT,
    Known,
    Proposal,
    Shares,
    learn_proposal,
    uniform_proposal,
    voxel_shape,
)
from data.errors import SettingsError
from data.streams import stream

BATCHES = 32
FEWEST_PER_BATCH = 500
MOST_PER_BATCH = 250_000
TAUGHT_PER_PIECE = 50_000
FEWEST_SCANNED = 100_000
MOST_SCANNED = 500_000
SCANNED_PER_ANGSTROM3 = 30.0
MOST_SHARE_SCANNED = 0.3
STEP_SHARE = 0.35
MOST_TURNS = 4
MOST_SHARE_TAUGHT = 0.6
PAYS = 1.5
MARGIN = 1.15
BROAD = Shares(uniform=0.1, explore=0.3, explore_tempering=3.0, focus_tempering=2.0)

Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class Plan:
    """How many insertions, and how they are placed.

    Attributes:
        insertions: the most insertions to evaluate, those that only teach included.
        target_error: relative standard error of K_H to stop at, at every temperature.
        adaptive: learn where to insert; otherwise plain uniform Widom insertion.
        seed: random seed.
        threads: threads to work on; the numbers do not depend on it.
    """

    insertions: int = 1_000_000
    target_error: float = 0.01
    adaptive: bool = True
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            SettingsError: a value is out of its bounds.
        """
        if self.insertions < 2 * BATCHES:
            raise SettingsError(
                f"at least {2 * BATCHES} insertions are needed, got {self.insertions}"
            )
        if not 0.0 < self.target_error < 1.0:
            raise SettingsError(
                f"the target error must lie between 0 and 1, got {self.target_error}"
            )
        if self.threads < 1:
            raise SettingsError(f"at least one thread is needed, got {self.threads}")


@dataclass(frozen=True)
class WidomAnswer:
    """The average over insertions and what it rests on.

    Attributes:
        temperatures_k: K temperatures.
        pooled: all batches together.
        evaluated: insertions evaluated in all, those that only taught included.
        reached: whether the target error was reached at every temperature.
    """

    temperatures_k: tuple[float, ...]
    pooled: Pooled
    evaluated: int
    reached: bool


class _Work:
    """One answer in the making: draws, evaluates and counts."""

    def __init__(
        self,
        model: EnergyModel,
        temperatures_k: tuple[float, ...],
        plan: Plan,
        pockets: Blocking | None,
        threads: ThreadPoolExecutor,
    ) -> None:
        self.model, self.temperatures_k, self.plan = model, temperatures_k, plan
        self.pockets, self.threads = pockets, threads
        self.bins = orientation_bins(model.guest)
        self.evaluated = 0
        self.excluded = np.zeros(len(temperatures_k))

    def voxels(self, samples: int) -> tuple[int, int, int]:
        """Return the voxels that so many insertions can teach."""
        return voxel_shape(self.model.host.lattice_angstrom, samples, self.bins)

    def batch(self, proposal: Proposal, name: str, number: int, count: int) -> Batch:
        """Draw and evaluate one batch, the same bits wherever it runs."""
        host, guest = self.model.host, self.model.guest
        rng = stream(self.plan.seed, host.hash, guest.hash, "widom", name, number)
        draw = proposal.sample_stratified if self.plan.adaptive else proposal.sample
        return evaluate(self.model, draw(rng, count), self.pockets)

    def teach(self, proposal: Proposal, name: str, count: int) -> Known:
        """Evaluate insertions to learn from, in pieces."""
        return join([batch.known for batch in self.pieces(proposal, name, count)])

    def scan(self, proposal: Proposal, count: int) -> Known:
        """Evaluate uniform insertions to learn from; note what is out of reach.

        Later proposals hardly visit what is out of reach, so its share is best known from here.
        """
        batches = self.pieces(proposal, "scan", count)
        if self.pockets is not None:
            lost = [excluded_means(batch, self.temperatures_k) for batch in batches]
            self.excluded = np.mean(lost, axis=0)
        return join([batch.known for batch in batches])

    def pieces(self, proposal: Proposal, name: str, count: int) -> list[Batch]:
        """Evaluate insertions in batches whose size does not depend on the threads."""
        pieces = math.ceil(count / TAUGHT_PER_PIECE)
        size = math.ceil(count / pieces)
        self.evaluated += size * pieces
        return list(self.threads.map(lambda k: self.batch(proposal, name, k, size), range(pieces)))


def widom_average(
    model: EnergyModel,
    temperatures_k: tuple[float, ...],
    plan: Plan,
    *,
    pockets: Blocking | None = None,
    keep: Callable[[int, Batch], None] | None = None,
    progress: Progress | None = None,
) -> WidomAnswer:
    """Average exp(-beta U) over insertions until the target error is reached.

    Args:
        model: the classical level, direct sums or grids.
        temperatures_k: temperatures, all served by the same insertions.
        plan: how many insertions, how they are placed.
        pockets: regions out of the guest's reach, counted as overlapping.
        keep: called with number and insertions of each batch of the answer, in order.
        progress: called with the insertions so far and the relative standard error.

    Returns:
        The answer, at every temperature.
    """
    with _threads(plan.threads) as threads:
        work = _Work(model, temperatures_k, plan, pockets, threads)
        proposal, spread = _learn(work) if plan.adaptive else (uniform_proposal(), math.inf)
        return _average(work, proposal, spread, keep, progress)


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=count) as threads:
        yield threads


def _learn(work: _Work) -> tuple[Proposal, float]:
    """Learn where to insert: scan, broad, focus, and on until learning more would not pay.

    Returns:
        The proposal, and the relative variance of one insertion to expect from it.
    """
    plan = work.plan
    wanted = min(
        max(FEWEST_SCANNED, SCANNED_PER_ANGSTROM3 * work.model.host.volume_angstrom3), MOST_SCANNED
    )
    scanned = max(1, int(min(wanted, MOST_SHARE_SCANNED * plan.insertions)))
    known = [work.scan(_flat(work.voxels(scanned), work.bins), scanned)]
    step = max(1, int(STEP_SHARE * scanned))
    known.append(work.teach(_learned(work, known, BROAD), "broad", step))
    for turn in range(MOST_TURNS):
        known.append(work.teach(_learned(work, known, EXACT), f"focus {turn}", step))
        spread = _relative_variance(known[-1], work.temperatures_k)
        needed = min(spread / plan.target_error**2, float(plan.insertions))
        step = work.evaluated
        if needed < PAYS * step or 2 * step > MOST_SHARE_TAUGHT * plan.insertions:
            break
    return _learned(work, known, EXACT), spread


def _learned(work: _Work, known: list[Known], shares: Shares) -> Proposal:
    every = join(known)
    voxels = work.voxels(len(every.weights))
    return learn_proposal(voxels, work.bins, every, work.temperatures_k, shares)


def _flat(voxels: tuple[int, int, int], bins: OrientationBins) -> Proposal:
    return Proposal(np.ones((*voxels, bins.count), dtype=np.float32), bins)


def _relative_variance(known: Known, temperatures_k: tuple[float, ...]) -> float:
    """Return the relative variance of one insertion's term, at the worst temperature."""
    one = Batch(known, np.zeros(len(known.weights), bool), np.zeros(0, int), np.zeros(0))
    sums = sum_batch(one, temperatures_k)
    if not (sums.means[0] > 0).all():
        return math.inf
    second = sums.squares / sums.insertions / sums.means[0] ** 2
    return float(second.max()) - 1.0


def _average(
    work: _Work,
    proposal: Proposal,
    spread: float,
    keep: Callable[[int, Batch], None] | None,
    progress: Progress | None,
) -> WidomAnswer:
    plan = work.plan
    most = max(2 * BATCHES, plan.insertions - work.evaluated)
    first = min(most, MARGIN * spread / plan.target_error**2, BATCHES * MOST_PER_BATCH)
    size = max(2, min(most // BATCHES, max(FEWEST_PER_BATCH, math.ceil(first / BATCHES))))

    def one(number: int) -> tuple[BatchSums, Batch | None]:
        batch = work.batch(proposal, "answer", number, size)
        return sum_batch(batch, work.temperatures_k), batch if keep else None

    sums: list[BatchSums] = []
    wanted = BATCHES
    while True:
        for done, batch in work.threads.map(one, range(len(sums), wanted)):
            if keep and batch is not None:
                keep(len(sums), batch)
            sums.append(done)
        pooled = pool(sums)
        error = float(pooled.relative_standard_errors.max())
        if progress:
            progress(pooled.insertions, error)
        reached = error <= plan.target_error
        spent = (len(sums) + 1) * size > most
        if reached or spent:
            work.evaluated += pooled.insertions
            if plan.adaptive:
                pooled = replace(pooled, excluded_share=_excluded_share(work, pooled))
            return WidomAnswer(work.temperatures_k, pooled, work.evaluated, reached)
        wanted = min(most // size, _more(len(sums), error / plan.target_error))


def _excluded_share(work: _Work, pooled: Pooled) -> np.ndarray:
    """Return (K,) share of the whole that is out of reach, as the scan saw it."""
    whole = work.excluded + np.array([m.mean[0] for m in pooled.moments])
    return np.divide(work.excluded, whole, out=np.zeros(len(whole)), where=whole > 0)


def _more(batches: int, excess: float) -> int:
    """Return how many batches to have next: what the error asks for, at most twice as many."""
    asked = batches * min(2.0, MARGIN * excess**2) if math.isfinite(excess) else 2.0 * batches
    return max(batches + 1, math.ceil(asked))
