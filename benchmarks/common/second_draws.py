"""The interval of the second draw, held against hundreds of draws from a run labelled in full."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from chem.two_step import LabelledRound
    from tasks.upgrade import UpgradeItem

TEMPERATURE_K = 298.15


@dataclass(frozen=True)
class Draws:
    """What many second draws of one size gave.

    Attributes:
        size: most labels.
        bias: mean answer over the complete one, less one.
        scatter: standard deviation of the answers, relative.
        stated: median of the errors stated for the second draw, relative.
        held: share of intervals that hold the complete answer.
    """

    size: int
    bias: float
    scatter: float
    stated: float
    held: float


def second_draws(item: UpgradeItem, sizes: tuple[int, ...], count: int) -> list[Draws]:
    """Draw again and again from labels that are all there.

    Args:
        item: an upgrade that labelled every insertion of the run at the higher level.
        sizes: most labels of a draw.
        count: draws of each size.
    """
    from tasks.upgrade import deciding_rounds, high_rounds

    full = high_rounds(item, 0)
    deciding = deciding_rounds(full)
    return [_many(full, deciding, size, count) for size in sizes]


def _many(full: list[LabelledRound], deciding: int, size: int, count: int) -> Draws:
    from chem.combine import interval
    from chem.estimator import beta_mol_per_kj
    from chem.two_step import upgrade
    from data.records import Estimate
    from tasks.upgrade import DECIDING_SHARE

    beta = beta_mol_per_kj(TEMPERATURE_K)
    first = int(np.ceil(DECIDING_SHARE * size))
    answers, errors, held = np.zeros(count), np.zeros(count), np.zeros(count, dtype=bool)
    for k in range(count):
        rng = np.random.default_rng([size, k])
        rounds = _drawn(full[:deciding], first, rng) + _drawn(full[deciding:], size - first, rng)
        found = upgrade(beta, rounds, deciding)
        complete = _complete(full[deciding:], beta, found.shift_kj_per_mol)
        own = Estimate(found.estimate.mean, found.second_standard_error)
        low, high = interval(own, max(2.0, found.estimate.effective_samples - 1.0))
        answers[k], errors[k] = found.estimate.mean / complete, own.relative_standard_error
        held[k] = low <= complete <= high
    stated = float(np.median(errors))
    return Draws(size, answers.mean() - 1.0, answers.std(ddof=1), stated, float(held.mean()))


def _drawn(rounds: list[LabelledRound], most: int, rng: np.random.Generator) -> list[LabelledRound]:
    """Return rounds with a new second draw, as the upgrade makes it."""
    from ml.routing import draw, route
    from tasks.upgrade import EXPECTED_SPREAD_KJ_PER_MOL

    weight = np.concatenate([r.share / r.insertions * r.weight / r.probability for r in rounds])
    low = np.concatenate([r.known_kj_per_mol for r in rounds])
    spread = np.full(len(low), EXPECTED_SPREAD_KJ_PER_MOL)
    routing = route((TEMPERATURE_K,), weight, low, spread, float(min(most, len(low))), 0.15)
    chosen, probability = draw(rng, routing.probability, most)
    taken = np.isin(np.arange(len(low)), chosen)
    found, start = [], 0
    for r in rounds:
        own = slice(start, start + len(r.weight))
        start = own.stop
        high = np.where(taken[own], r.high_kj_per_mol, np.nan)
        found.append(replace(r, second_probability=probability[own], high_kj_per_mol=high))
    return found


def _complete(rounds: list[LabelledRound], beta: float, shift: float) -> float:
    """Return the answer with every label taken up, at the same energy shift."""
    from chem.two_step import correct

    total = sum(r.share for r in rounds)
    moved = [
        replace(r, second_probability=np.ones(len(r.weight))).shifted(beta, shift) for r in rounds
    ]
    return sum(r.share / total * (r.mean + correct(beta, r).change) for r in moved)
