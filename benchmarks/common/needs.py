"""How many reference calls each way of spending them needs, from the files of one run.

W = exp(-U/RT) with U at the reference level, averages over the uniform density with overlapping
insertions as zeros. Where an insertion has no label the surrogate's energy stands for U; for
the moments of W itself the labels correct that, as they correct the answer.

- uniform Widom: V = <W^2>/<W>^2 - 1, error^2 = V / labels;
- force-field importance sampling: insertions drawn in proportion to G = exp(-B/(tempering RT)),
  B the baseline's energy, V = <W^2/G><G>/<W>^2 - 1. Where the force field repels and the
  reference does not, W^2/G has no bound: the plain variance is infinite or owned by terms that
  no affordable sample meets. So a region of largest W/G is left out and what it holds of the
  answer is charged as a bias, error^2 = bias^2 + V / labels, the region chosen afresh for each
  number of labels to make this least: no practitioner does better, most do worse;
- threshold routing: insertions with a baseline energy under a threshold are labelled, the
  baseline answers for the others, again with the best threshold for each number of labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

LARGEST_EXPONENT = 300.0
NEVER = float("inf")


@dataclass(frozen=True)
class ScoredRound:
    """One round whose scores are on disk.

    Attributes:
        number: round.
        share: its weight among the rounds that are on disk.
        insertions: N of its table, overlapping ones included.
        weight: (n,) v = p/q of the others, and
        energy: (n,) their surrogate energies,
        baseline: (n,) and baseline energies, kJ/mol.
        drawn: (m, 3) weight over routing probability, surrogate and reference energy of the
            labelled ones, and
        probability: (m,) their routing probabilities.
    """

    number: int
    share: float
    insertions: int
    weight: np.ndarray
    energy: np.ndarray
    baseline: np.ndarray
    drawn: np.ndarray
    probability: np.ndarray

    @property
    def free_share(self) -> float:
        """Share of the cell outside the hard core."""
        return float(self.weight.sum()) / self.insertions


def scored_rounds(folder: Path, temperature_k: float) -> list[ScoredRound]:
    """Return the rounds of a finished run that have their scores on disk, in order.

    Args:
        folder: run folder.
        temperature_k: temperature whose weights of rounds are taken.
    """
    from data.store import read_columns, read_rows
    from tasks.estimate import reference_of_routed

    wanted = ["round", "overlap", "proposal_weight", "surrogate_kj_per_mol", "baseline_kj_per_mol"]
    found = []
    for row in read_rows(folder / "rounds.parquet"):
        if abs(row["temperature_k"] - temperature_k) > 1e-6:
            continue
        paths = sorted((folder / "insertions").glob(f"table-{row['table']:02d}-batch-*.parquet"))
        parts = [read_columns(path, wanted) for path in paths]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in wanted}
        if columns["round"][0] != row["round"]:
            continue  # a later round scored this table anew
        free = ~columns["overlap"].astype(bool)
        weight, energy, baseline = (columns[name][free] for name in wanted[2:])
        routed, reference = reference_of_routed(str(folder), row["round"])
        probability = routed["routing_probability"]
        surrogate = routed["surrogate_kj_per_mol"]
        known = np.where(np.isfinite(reference), reference, surrogate)
        drawn = np.stack([routed["proposal_weight"] / probability, surrogate, known], axis=1)
        share = row["combination_weight"]
        found.append(
            ScoredRound(
                row["round"], share, len(free), weight, energy, baseline, drawn, probability
            )
        )
    return _shared_out(found)


def _shared_out(rounds: list[ScoredRound]) -> list[ScoredRound]:
    total = sum(r.share for r in rounds)
    return [ScoredRound(**(vars(r) | {"share": r.share / total})) for r in rounds]


@dataclass(frozen=True)
class Measured:
    """A number with its standard error."""

    value: float
    standard_error: float


def uniform_variance(rounds: list[ScoredRound], beta: float) -> Measured:
    """Return <W^2>/<W>^2, corrected by the labels, with its standard error.

    Labels too few to correct a square leave it below the least it can be; the surrogate's own
    number then stands, as uncertain as it is large.

    Args:
        rounds: rounds of one run.
        beta: 1/(R T), mol/kJ.
    """
    lowest = min(float(r.energy.min()) for r in rounds)
    first = sum(r.share * _corrected(r, beta, lowest, 1) for r in rounds)
    second = sum(r.share * _corrected(r, beta, lowest, 2) for r in rounds)
    value = second / first**2
    if value <= 1.0:
        first, second = (
            sum(
                r.share * _plain(r.weight, r.energy, beta, lowest, k) / r.insertions for r in rounds
            )
            for k in (1, 2)
        )
        return Measured(second / first**2, second / first**2)
    variance = sum(r.share**2 * _ratio_variance(r, beta, lowest, first, second) for r in rounds)
    return Measured(float(value), float(np.sqrt(variance)))


def _ratio_variance(
    r: ScoredRound, beta: float, lowest: float, first: float, second: float
) -> float:
    """Return the variance of <W^2>/<W>^2 from table and labels, by the delta method."""

    def slope(weight: np.ndarray, energy: np.ndarray) -> np.ndarray:
        factor = np.exp(-beta * (energy - lowest))
        return weight * (factor**2 - 2.0 * second / first * factor) / first**2

    over, surrogate, reference = r.drawn.T
    at_surrogate, at_reference = slope(over, surrogate), slope(over, reference)
    table = slope(r.weight, r.energy)
    squares = float((table**2).sum())
    squares += max(-0.5 * squares, (r.probability * (at_reference**2 - at_surrogate**2)).sum())
    change = (at_reference - at_surrogate) / r.insertions
    mean = float(table.sum()) / r.insertions + float(change.sum())
    design = float(((1.0 - r.probability) * change**2).sum())
    return (squares / r.insertions - mean**2) / r.insertions + design


def _plain(weight: np.ndarray, energy: np.ndarray, beta: float, lowest: float, power: int) -> float:
    return float((weight * np.exp(-power * beta * (energy - lowest))).sum())


def _corrected(r: ScoredRound, beta: float, lowest: float, power: int) -> float:
    """Return <W^power> over its own scale, corrected by the labels."""
    over, surrogate, reference = r.drawn.T
    total = _plain(r.weight, r.energy, beta, lowest, power)
    total += _plain(over, reference, beta, lowest, power)
    return (total - _plain(over, surrogate, beta, lowest, power)) / r.insertions


@dataclass(frozen=True)
class Tradeoff:
    """Ways of one method that differ in what they leave out.

    Attributes:
        bias: (k,) relative bias of each.
        variance: (k,) relative variance of one label.
    """

    bias: np.ndarray
    variance: np.ndarray

    def error(self, labels: np.ndarray) -> np.ndarray:
        """Return the least relative error at each number of labels."""
        return np.array([np.sqrt((self.bias**2 + self.variance / n).min()) for n in labels])

    def need(self, target: float) -> float:
        """Return the fewest labels to a relative error, infinity where none would do."""
        room = target**2 - self.bias**2
        enough = self.variance / np.where(room > 0, room, np.nan)
        return float(np.nanmin(enough)) if (room > 0).any() else NEVER


def importance_sampling(r: ScoredRound, beta: float, tempering: float = 1.0) -> Tradeoff:
    """Return force-field importance sampling with ever less left out; see the module.

    Args:
        r: a round.
        beta: 1/(R T), mol/kJ.
        tempering: temperature of the baseline's density over that of the answer.
    """
    log_factor = -beta * (r.energy - r.energy.min())
    log_density = -beta / tempering * (r.baseline - r.baseline.min())
    order = np.argsort(log_factor - log_density)
    factor = (r.weight * np.exp(log_factor))[order]
    total = factor.sum() / r.insertions
    share = np.cumsum(factor) / factor.sum()
    drawn = float((r.weight * np.exp(log_density)).sum()) / r.insertions
    power = (2.0 * log_factor - log_density)[order]
    squares = np.cumsum(r.weight[order] * np.exp(np.minimum(power, LARGEST_EXPONENT)))
    variance = squares / r.insertions * drawn / total**2 - share**2
    return Tradeoff(1.0 - share, np.maximum(variance, 0.0))


def best_tempering(r: ScoredRound, beta: float, target: float) -> tuple[float, float]:
    """Return the tempering of the force field that needs fewest labels, and how many."""
    choices = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
    needs = [importance_sampling(r, beta, choice).need(target) for choice in choices]
    best = int(np.argmin(needs))
    return choices[best], needs[best]


def threshold_routing(r: ScoredRound, beta: float) -> Tradeoff:
    """Return threshold routing with ever higher thresholds on the baseline's energy.

    A label's variance is that of an insertion times the share of insertions labelled.
    """
    lowest = min(r.energy.min(), r.baseline.min())
    order = np.argsort(r.baseline)
    weight = r.weight[order] / r.insertions
    factor = np.exp(-beta * (r.energy[order] - lowest))
    cheap = np.exp(-beta * (r.baseline[order] - lowest))
    true = float((weight * factor).sum())
    answer = np.cumsum(weight * (factor - cheap)) + float((weight * cheap).sum())
    squares = np.cumsum(weight * (factor**2 - cheap**2)) + float((weight * cheap**2).sum())
    labelled = np.cumsum(weight)
    variance = np.maximum(squares - answer**2, 0.0) * labelled / true**2
    return Tradeoff(np.abs(answer / true - 1.0), variance)
