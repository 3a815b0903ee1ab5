"""One level up: an answer at a low reference level corrected by a few labels of a high one.

A finished run labelled a share S1 of its insertions at its reference level (low), insertion i
with probability p_i. A second draw S2 from S1, with probabilities q_i, is labelled at a level
that is too dear for more (high). For one round of N insertions with weights v, W = exp(-beta U),
and any energy shift d fixed without these labels, W' = exp(-beta (U_low + d)),

    <W_high> = exp(-beta d) <W_low> + (1/N) sum_{i in S2} v_i (W_high,i - W'_i) / (p_i q_i)

where <W_low> is that round's corrected answer. It is the estimator of :mod:`chem.estimator`
with the shifted low level in place of the surrogate: two-phase sampling [1, ch. 9], unbiased
whatever the two levels disagree in, as long as both draws know their probabilities. The first
rounds of the run decide d for the later ones, which alone make up the answer: a constant
difference of the levels then costs no variance, and d from a round's own labels would bias it.

The variance has three parts, all for the high level: the table, the first draw (W_high less the
surrogate's shifted W) and the second (W_high less W'). The first two need W_high where only W_low
is known; they are estimated by the same kind of difference. Labels that failed at the high level
are treated as in :mod:`chem.nonresponse`; those that failed at the low one cannot be drawn.

[1] Sarndal, Swensson, Wretman, Model Assisted Survey Sampling (1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chem.estimator import boltzmann_factor, kish
from chem.nonresponse import hidden_covariance, response_rates, weighting_classes
from data.records import Estimate

FEWEST_LABELS = 2
LARGEST_SHIFT = 100.0
FEWEST_DEGREES = 2.0


@dataclass(frozen=True)
class LabelledRound:
    """A round labelled at the low level, and a share of that at the high one.

    Attributes:
        number: of the round.
        share: weight of the round in the combined answer, fixed before its labels.
        table: number of its table; rounds of one table share its error.
        insertions: N of the table, overlapping ones included.
        mean: the round's <W> at the low level, corrected by its labels.
        energy_kj_per_mol: mean energy <U W>/<W> at the low level; NaN where not known.
        table_variance: of that mean, from the finite table.
        effective_samples: Kish size of the table's weights.
        weight: (n,) v = p/q of the labelled insertions.
        surrogate_kj_per_mol: (n,) their surrogate energies.
        low_kj_per_mol: (n,) their low-level energies; NaN where that label failed.
        probability: (n,) probabilities of the first draw.
        second_probability: (n,) probabilities of the second draw.
        high_kj_per_mol: (n,) high-level energies; NaN where not drawn, or failed.
        high_failed: (n,) whether a label was drawn at the high level and failed; None: none was.
    """

    number: int
    share: float
    table: int
    insertions: int
    mean: float
    energy_kj_per_mol: float
    table_variance: float
    effective_samples: float
    weight: np.ndarray
    surrogate_kj_per_mol: np.ndarray
    low_kj_per_mol: np.ndarray
    probability: np.ndarray
    second_probability: np.ndarray
    high_kj_per_mol: np.ndarray
    high_failed: np.ndarray | None = None

    @property
    def known_kj_per_mol(self) -> np.ndarray:
        """(n,) low-level energies; the surrogate's where the label failed, as in the answer."""
        low = self.low_kj_per_mol
        return np.where(np.isfinite(low), low, self.surrogate_kj_per_mol)

    @property
    def labelled(self) -> np.ndarray:
        """(n,) whether a high-level energy is there."""
        return np.isfinite(self.high_kj_per_mol)

    def shifted(self, beta: float, shift_kj_per_mol: float) -> LabelledRound:
        """Return the round with its low level, surrogate included, moved by a constant."""
        scale = float(np.exp(-beta * shift_kj_per_mol))
        return replace(
            self,
            mean=self.mean * scale,
            energy_kj_per_mol=self.energy_kj_per_mol + shift_kj_per_mol,
            table_variance=self.table_variance * scale**2,
            surrogate_kj_per_mol=self.surrogate_kj_per_mol + shift_kj_per_mol,
            low_kj_per_mol=self.low_kj_per_mol + shift_kj_per_mol,
        )


@dataclass(frozen=True)
class Corrected:
    """What one round says of the average of some f(U) at the high level.

    Attributes:
        change: high less low, per insertion of the table.
        first_variance: of the first draw, at the high level.
        second_variance: of the second draw.
        hidden_variance: for what labels that failed at the high level may hide.
        second_moment_change: change of <(v f)^2>.
        first_terms: (n,) low-level correction terms.
        second_terms: (m,) terms of the change.
    """

    change: float
    first_variance: float
    second_variance: float
    hidden_variance: float
    second_moment_change: float
    first_terms: np.ndarray
    second_terms: np.ndarray


def correct(beta: float, round_: LabelledRound, about_kj_per_mol: float | None = None) -> Corrected:
    """Return the change of an average from the low to the high level and its variances.

    Args:
        beta: 1/(R T), mol/kJ.
        round_: the round.
        about_kj_per_mol: None for f = W; an energy E for f = (U - E) W.
    """
    r, taken = round_, round_.labelled
    size = r.insertions
    at_surrogate = _value(beta, r.weight, r.surrogate_kj_per_mol, about_kj_per_mol)
    at_low = _value(beta, r.weight, r.known_kj_per_mol, about_kj_per_mol)
    at_high = _value(beta, r.weight[taken], r.high_kj_per_mol[taken], about_kj_per_mol)
    p, q = r.probability, _second_probability(r)[taken]
    both = p[taken] * q
    first = (at_low - at_surrogate) / p
    second = (at_high - at_low[taken]) / both

    squares = (at_high - at_surrogate[taken]) ** 2 - (at_low - at_surrogate)[taken] ** 2
    first_variance = float(((1.0 - p) * first**2).sum())
    first_variance += float(((1.0 - p[taken]) / (p[taken] * both) * squares).sum())
    moment = float(((at_high**2 - at_low[taken] ** 2) / both).sum())
    return Corrected(
        change=float(second.sum()) / size,
        first_variance=first_variance / size**2,
        second_variance=float(((1.0 - q) * second**2).sum()) / size**2,
        hidden_variance=_hidden(r, at_high - at_low[taken]) / size**2,
        second_moment_change=moment / size,
        first_terms=first / size,
        second_terms=second / size,
    )


def _second_probability(r: LabelledRound) -> np.ndarray:
    """Return (n,) probabilities of the second draw, times the share of it that came back."""
    if r.high_failed is None or not r.high_failed.any():
        return r.second_probability
    classes = _classes(r)
    drawn = classes >= 0
    found = r.second_probability.copy()
    found[drawn] *= response_rates(classes[drawn], r.labelled[drawn])
    return found


def _classes(r: LabelledRound) -> np.ndarray:
    """Return (n,) weighting classes of what was drawn for the high level, -1 elsewhere."""
    drawn = r.labelled if r.high_failed is None else r.labelled | r.high_failed
    classes = np.full(len(drawn), -1)
    classes[drawn] = weighting_classes(r.known_kj_per_mol[drawn], r.labelled[drawn])
    return classes


def _hidden(r: LabelledRound, change: np.ndarray) -> float:
    """Return the square of how far off the sum of the change may be by failed labels."""
    if r.high_failed is None or not r.high_failed.any() or not r.labelled.any():
        return 0.0
    classes, taken = _classes(r), r.labelled
    terms = change / (r.probability * r.second_probability)[taken]
    drawn = classes >= 0
    return float(hidden_covariance(terms[None, :], classes[drawn], taken[drawn])[0, 0])


def _value(beta: float, weight: np.ndarray, energy: np.ndarray, about: float | None) -> np.ndarray:
    factor = weight * boltzmann_factor(beta, energy)
    return factor if about is None else factor * (energy - about)


@dataclass(frozen=True)
class Upgraded:
    """The answer one level up.

    Attributes:
        estimate: <W> at the high level with its standard error.
        degrees_of_freedom: for Student's t of the interval.
        ratio: high over low level.
        shift_kj_per_mol: constant difference of the levels that the first rounds found.
        table_standard_error: of <W>, from the finite tables.
        first_standard_error: from the share labelled at the low level.
        second_standard_error: from the share of that labelled at the high level.
        energy_kj_per_mol: mean energy <U W>/<W> at the high level, and
        energy_standard_error: its standard error.
    """

    estimate: Estimate
    degrees_of_freedom: float
    ratio: float
    shift_kj_per_mol: float
    table_standard_error: float
    first_standard_error: float
    second_standard_error: float
    energy_kj_per_mol: float
    energy_standard_error: float


def upgrade(
    beta: float,
    rounds: Sequence[LabelledRound],
    deciding: int = 0,
    low_energy_error_kj_per_mol: float = float("nan"),
) -> Upgraded:
    """Combine rounds into the answer at the high level.

    Args:
        beta: 1/(R T), mol/kJ.
        rounds: rounds of one run in their order; their shares add up to one.
        deciding: how many of the first rounds decide the energy shift of the others, and do
            that only.
        low_energy_error_kj_per_mol: standard error of the run's own mean energy.

    Returns:
        The answer; its error is infinite where there are too few labels to have one.
    """
    low = sum(r.share * r.mean for r in rounds)
    shift = energy_shift(beta, rounds[:deciding])
    pairs = [(r, correct(beta, r)) for r in _answering(beta, rounds, deciding, shift)]
    mean = sum(r.share * (r.mean + c.change) for r, c in pairs)
    table, first = _table_variance(pairs, mean), _first_variance(pairs, mean)
    second = sum(r.share**2 * c.second_variance + r.share * c.hidden_variance for r, c in pairs)
    if sum(int(r.labelled.sum()) for r, _ in pairs) < FEWEST_LABELS:
        second = float("inf")
    one = kish(np.concatenate([r.share * c.first_terms for r, c in pairs]))
    two = kish(np.concatenate([r.share * c.second_terms for r, c in pairs]))
    samples = max(r.effective_samples for r in rounds)
    energy, energy_variance = _mean_energy(beta, pairs, mean)
    return Upgraded(
        Estimate(mean, float(np.sqrt(table + first + second)), two),
        _degrees((table, first, second), (samples, one, two)),
        mean / low if low > 0 else float("nan"),
        shift,
        float(np.sqrt(table)),
        float(np.sqrt(first)),
        float(np.sqrt(second)),
        energy,
        float(np.hypot(low_energy_error_kj_per_mol, np.sqrt(energy_variance))),
    )


def _answering(
    beta: float, rounds: Sequence[LabelledRound], deciding: int, shift: float
) -> list[LabelledRound]:
    """Return the rounds that make up the answer, shifted, their shares adding up to one."""
    later = rounds[deciding:]
    total = sum(r.share for r in later)
    return [replace(r, share=r.share / total).shifted(beta, shift) for r in later]


def energy_shift(beta: float, rounds: Sequence[LabelledRound]) -> float:
    """Return the constant that takes the low level's answer to the high one's, kJ/mol.

    Args:
        beta: 1/(R T), mol/kJ.
        rounds: rounds whose high-level labels decide it; zero where there are none.
    """
    high = low = 0.0
    for r in rounds:
        taken = r.labelled
        scale = r.share * r.weight / (r.probability * r.second_probability * r.insertions)
        high += float((scale * boltzmann_factor(beta, r.high_kj_per_mol))[taken].sum())
        low += float((scale * boltzmann_factor(beta, r.known_kj_per_mol))[taken].sum())
    if not (high > 0 and low > 0):
        return 0.0
    return float(np.clip(-np.log(high / low) / beta, -LARGEST_SHIFT, LARGEST_SHIFT))


Pairs = Sequence[tuple[LabelledRound, Corrected]]


def _table_variance(pairs: Pairs, mean: float) -> float:
    """Return the variance from finite tables at the high level.

    Where the few labels would make a variance negative, the low level's is scaled instead.
    """
    total = 0.0
    scale = _scale(pairs, mean)
    for number in sorted({r.table for r, _ in pairs}):
        own = [(r, c) for r, c in pairs if r.table == number]
        share = sum(r.share for r, _ in own)
        r, c = own[-1]
        squares = r.table_variance * (r.insertions - 1) + r.mean**2 + c.second_moment_change
        variance = (squares - (r.mean + c.change) ** 2) / max(1, r.insertions - 1)
        total += share**2 * (variance if variance > 0 else r.table_variance * scale)
    return total


def _first_variance(pairs: Pairs, mean: float) -> float:
    """Return the variance of the first draw at the high level, guarded like the table's."""
    found = sum(r.share**2 * c.first_variance for r, c in pairs)
    if found > 0:
        return found
    low = sum(
        r.share**2 * float(((1.0 - r.probability) * c.first_terms**2).sum()) for r, c in pairs
    )
    return low * _scale(pairs, mean)


def _scale(pairs: Pairs, mean: float) -> float:
    low = sum(r.share * r.mean for r, _ in pairs)
    return (mean / low) ** 2 if low > 0 else 1.0


def _degrees(variances: Sequence[float], sizes: Sequence[float]) -> float:
    """Return Satterthwaite's degrees of freedom of a sum of variances."""
    total = sum(variances)
    if not np.isfinite(total) or total <= 0:
        return FEWEST_DEGREES
    spread = sum(v**2 / max(1.0, n - 1.0) for v, n in zip(variances, sizes, strict=True))
    return max(FEWEST_DEGREES, total**2 / spread)


def _mean_energy(beta: float, pairs: Pairs, mean: float) -> tuple[float, float]:
    """Return the mean energy at the high level and its variance from both draws.

    The table's part is not in it: the caller adds the low level's whole error, which holds it.
    """
    if mean <= 0:
        return float("nan"), float("nan")
    total = 0.0
    for r, c in pairs:  # about its own mean energy the low level's <(U - E) W> is zero
        about = correct(beta, r, r.energy_kj_per_mol).change
        total += r.share * (r.energy_kj_per_mol * (r.mean + c.change) + about)
    energy = total / mean
    parts = [(r.share, correct(beta, r, energy)) for r, _ in pairs]
    variance = sum(
        s**2 * (max(0.0, c.first_variance) + c.second_variance) + s * c.hidden_variance
        for s, c in parts
    )
    return energy, variance / mean**2
