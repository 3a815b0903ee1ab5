"""Which insertions are sent to the reference, each with a known probability.

The labelling budget is split between insertions whose Boltzmann-weighted error the surrogate
expects to be large, and an exploring share that follows the density tempered to three times
the temperature; on top, every insertion keeps a floor. For an energy error that is normal
with standard deviation s, E[(exp(-beta U) - exp(-beta Us))^2] is proportional to
exp(-2 beta Us) (exp(2 b) - 2 exp(b/2) + 1) with b = (beta s)^2, and the variance of a
Horvitz-Thompson sum is least when the probabilities are proportional to its root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K

EXPLORE_TEMPERING = 3.0
FLOOR_SHARE = 0.03
MAX_BETA2_SD2 = 1.0
"""Largest (beta s)^2 that counts: the mean square of a log-normal error comes from deviations of
several sigma, which a surrogate's spread does not describe."""


@dataclass(frozen=True)
class Believed:
    """What the surrogate says of the non-overlapping insertions of a table.

    Attributes:
        weight: (n,) proposal weights v.
        mean_kj_per_mol: (n,) mean energies.
        sd_kj_per_mol: (n,) calibrated standard deviations.
        prediction_kj_per_mol: (n,) energies that stand for them in the sum.
    """

    weight: np.ndarray
    mean_kj_per_mol: np.ndarray
    sd_kj_per_mol: np.ndarray
    prediction_kj_per_mol: np.ndarray


@dataclass(frozen=True)
class Routing:
    """Probabilities of one round.

    Attributes:
        probability: (n,) routing probabilities, floor <= p <= 1.
        expected_labels: their sum.
    """

    probability: np.ndarray
    expected_labels: float


def cautious_energy(
    mean_kj_per_mol: np.ndarray, sd_kj_per_mol: np.ndarray, temperature_k: float
) -> np.ndarray:
    """Return energies to stand for insertions in a sum of Boltzmann factors.

    A wrong well in a place that the surrogate does not know would outweigh everything else. So
    the Boltzmann factor is the harmonic mean over the surrogate's normal distribution,
    1/E[exp(beta U)]: the mean energy raised by beta s^2 / 2.

    Args:
        mean_kj_per_mol: (n,) predicted means.
        sd_kj_per_mol: (n,) predicted standard deviations.
        temperature_k: temperature of the sum, the lowest of several.
    """
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)
    return np.asarray(mean_kj_per_mol + 0.5 * beta * sd_kj_per_mol**2)


def error_factor(beta: float, sd_kj_per_mol: np.ndarray) -> np.ndarray:
    """Return sqrt(E[(exp(-beta e) - 1)^2]) of a normal energy error e of given sd.

    Args:
        beta: 1/(R T), mol/kJ.
        sd_kj_per_mol: (n,) standard deviations.
    """
    b = np.minimum((beta * sd_kj_per_mol) ** 2, MAX_BETA2_SD2)
    return np.sqrt(np.maximum(0.0, np.exp(2.0 * b) - 2.0 * np.exp(0.5 * b) + 1.0))


def expected_error_terms(
    temperature_k: float, weight: np.ndarray, prediction: np.ndarray, sd: np.ndarray
) -> np.ndarray:
    """Return the expected size of v |exp(-beta U) - exp(-beta Us)| of each insertion.

    Args:
        temperature_k: temperature.
        weight: (n,) proposal weights v.
        prediction: (n,) energies that stand for insertions in the sum, kJ/mol.
        sd: (n,) calibrated standard deviations, kJ/mol.
    """
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)
    return weight * np.exp(np.minimum(-beta * prediction, 600.0)) * error_factor(beta, sd)


def route(
    temperatures_k: Sequence[float],
    believed: Believed,
    expected_labels: float,
    explore_share: float,
) -> Routing:
    """Return routing probabilities whose sum is the expected number of labels.

    Exploration follows the mean energies, which do not shun what is unknown.

    Args:
        temperatures_k: temperatures one draw serves; each gets an equal share.
        believed: the table as the surrogate sees it.
        expected_labels: wanted sum of the probabilities (at most n).
        explore_share: part of the budget that follows the tempered density.

    Returns:
        The probabilities.
    """
    weight, sd = believed.weight, believed.sd_kj_per_mol
    count = len(weight)
    if count == 0:
        return Routing(np.zeros(0), 0.0)
    wanted = min(float(expected_labels), float(count))
    share = np.zeros(count)
    for temperature in temperatures_k:
        aim = expected_error_terms(temperature, weight, believed.prediction_kj_per_mol, sd)
        beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature * EXPLORE_TEMPERING)
        explore = weight * np.exp(np.minimum(-beta * believed.mean_kj_per_mol, 600.0))
        share += (1.0 - explore_share) * _unit(aim) + explore_share * _unit(explore)
    share = (1.0 - FLOOR_SHARE) * share / len(temperatures_k) + FLOOR_SHARE / count
    probability = scaled(share, wanted)
    return Routing(probability, float(probability.sum()))


def _unit(values: np.ndarray) -> np.ndarray:
    total = float(values.sum())
    return values / total if total > 0 else np.full(len(values), 1.0 / len(values))


def scaled(share: np.ndarray, wanted: float) -> np.ndarray:
    """Scale shares to probabilities of given sum, none above one.

    Args:
        share: (n,) shares, none negative.
        wanted: their sum afterwards.
    """
    certain = np.zeros(len(share), dtype=bool)
    for _ in range(100):
        rest = max(0.0, wanted - certain.sum())
        free = float(share[~certain].sum())
        scale = rest / free if free > 0 else 0.0
        over = ~certain & (scale * share >= 1.0)
        if not over.any():
            break
        certain |= over
    return np.where(certain, 1.0, np.minimum(1.0, scale * share))


def draw(
    rng: np.random.Generator,
    probability: np.ndarray,
    most: int,
    numbers: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the labelled set: independent trials, thinned when more than ``most`` come out.

    Thinning keeps a simple random subset of m of the n drawn and multiplies the
    probabilities by m/n: two-phase sampling, still unbiased.

    Args:
        rng: source of randomness.
        probability: (n,) routing probabilities.
        most: the largest number that may be labelled.
        numbers: (n,) ascending places of the insertions in their table, so that the fate of one
            does not hang on whether another one overlaps; 0 to n - 1 when omitted.

    Returns:
        Sorted indices drawn, and the (n,) probabilities that hold after thinning.
    """
    numbers = np.arange(len(probability)) if numbers is None else numbers
    uniform = rng.random(int(numbers[-1]) + 1 if len(numbers) else 0)[numbers]
    drawn = np.flatnonzero(uniform < probability)
    if len(drawn) <= most:
        return drawn, probability
    kept = np.sort(rng.permutation(drawn)[:most])
    return kept, probability * (most / len(drawn))


def predicted_design_variance(
    temperature_k: float, believed: Believed, probability: np.ndarray
) -> float:
    """Return the variance of the correction's sum that the surrogate's spread predicts."""
    if len(probability) == 0:
        return 0.0
    terms = expected_error_terms(
        temperature_k, believed.weight, believed.prediction_kj_per_mol, believed.sd_kj_per_mol
    )
    return float(((1.0 - probability) / probability * terms**2).sum())
