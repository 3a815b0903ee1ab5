"""The estimator: a surrogate's sum over all insertions, corrected by the labelled share.

For a table of N insertions drawn from q with weights v = p/q, and labels drawn with known
probabilities pi (Poisson sampling),

    <exp(-beta U)> = (1/N) [ sum_i v_i exp(-beta Us_i)
                             + sum_{i in S} v_i (exp(-beta Uref_i) - exp(-beta Us_i)) / pi_i ]

is unbiased whatever the surrogate [1, 2, 3]. Its variance has a table part (N insertions) and
a design part (a labelled share); both are estimated here. The same sums with an extra factor U
give the mean energy of the adsorbed guest, hence the heat of adsorption. Insertions inside the
hard core count in N with weight zero.

[1] Horvitz, Thompson, J. Am. Stat. Assoc. 47 (1952) 663. [2] Sarndal, Swensson, Wretman,
Model Assisted Survey Sampling (1992). [3] Zrnic, Candes, ICML (2024).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from chem.nonresponse import hidden_covariance, response_rates, weighting_classes
from data.constants import GAS_CONSTANT_J_PER_MOL_K, GAS_CONSTANT_KJ_PER_MOL_K

MAX_EXPONENT = 600.0
LARGEST_SQUARED = 1e100


@dataclass(frozen=True)
class Moments:
    """Mean Boltzmann factor and mean energy-weighted Boltzmann factor with covariances.

    Attributes:
        mean: (2,) estimates of <W> and <U W>, W = exp(-beta U), U in kJ/mol.
        table_covariance: (2, 2) covariance from the finite table.
        design_covariance: (2, 2) covariance from labelling a share only.
        effective_samples: Kish effective size of the table's weights.
        correction_effective_samples: Kish effective size of the labelled terms; infinity
            where there is nothing to correct, zero where no label was drawn.
        largest_weight_share: the largest single term's share of <W>.
        table_variance_terms: Kish effective number of the squares the table variance is a sum
            of: how much an error bar, rather than a mean, rests on.
        design_variance_terms: the same of the design variance.
        failure_covariance: (2, 2) covariance for what failed labels may hide; zero where none
            failed. It does not average out over rounds.
    """

    mean: np.ndarray
    table_covariance: np.ndarray
    design_covariance: np.ndarray
    effective_samples: float
    correction_effective_samples: float
    largest_weight_share: float
    table_variance_terms: float = float("inf")
    design_variance_terms: float = float("inf")
    failure_covariance: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))


@dataclass(frozen=True)
class Labelled:
    """The labelled share of a table, arrays of equal length.

    Attributes:
        weight: v = p/q.
        surrogate_kj_per_mol: surrogate energies.
        reference_kj_per_mol: reference energies; NaN where the label failed.
        probability: routing probabilities.
    """

    weight: np.ndarray
    surrogate_kj_per_mol: np.ndarray
    reference_kj_per_mol: np.ndarray
    probability: np.ndarray


def beta_mol_per_kj(temperature_k: float) -> float:
    """Return 1/(R T) in mol/kJ."""
    return 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)


def boltzmann_factor(beta: float, energy_kj_per_mol: np.ndarray) -> np.ndarray:
    """Return exp(-beta U); +inf energies give zero, absurdly low ones stay finite."""
    return np.exp(np.minimum(-beta * energy_kj_per_mol, MAX_EXPONENT))


def henry_prefactor(density_kg_per_m3: float, temperature_k: float) -> float:
    """Return 1/(rho R T) in mol/(kg Pa)."""
    return 1.0 / (density_kg_per_m3 * GAS_CONSTANT_J_PER_MOL_K * temperature_k)


def _terms(beta: float, weight: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Return (2, n) terms v W and v U W; zero where the energy is +inf."""
    factor = weight * boltzmann_factor(beta, energy)
    safe = np.where(np.isfinite(energy), energy, 0.0)
    return np.stack([factor, factor * safe])


def kish(terms: np.ndarray) -> float:
    """Return (sum |x|)^2 / sum x^2, the Kish effective sample size."""
    magnitude = np.abs(terms)
    largest = float(magnitude.max(initial=0.0))
    if largest > LARGEST_SQUARED:  # the size does not change with the scale, and must not overflow
        magnitude = magnitude / largest
    squares = float((magnitude**2).sum())
    return float(magnitude.sum()) ** 2 / squares if squares > 0 else 0.0


def table_moments(
    beta: float, weight: np.ndarray, energy_kj_per_mol: np.ndarray, insertions: int
) -> Moments:
    """Estimate from a table whose every insertion is known at the level asked for.

    Args:
        beta: 1/(R T), mol/kJ.
        weight: (n,) weights of the non-overlapping insertions.
        energy_kj_per_mol: (n,) their energies.
        insertions: N, overlapping ones included.

    Returns:
        Moments with no design part.
    """
    terms = _terms(beta, weight, energy_kj_per_mol)
    mean = terms.sum(axis=1) / insertions
    covariance = _table_covariance(terms @ terms.T, mean, insertions)
    total = float(terms[0].sum())
    largest = float(terms[0].max(initial=0.0)) / total if total > 0 else 0.0
    return Moments(
        mean,
        covariance,
        np.zeros((2, 2)),
        kish(terms[0]),
        float("inf"),
        largest,
        kish(terms[0] ** 2),
    )


def _table_covariance(second: np.ndarray, mean: np.ndarray, insertions: int) -> np.ndarray:
    covariance = second / insertions - np.outer(mean, mean)
    return covariance / max(1, insertions - 1)


def corrected_moments(
    beta: float,
    weight: np.ndarray,
    surrogate_kj_per_mol: np.ndarray,
    labelled: Labelled,
    insertions: int,
) -> Moments:
    """Estimate at the reference level from a scored table and its labelled share.

    Labels that failed (NaN) are stood for by those of their class that came back, and what
    they may hide is told: see :mod:`chem.nonresponse`.

    Args:
        beta: 1/(R T), mol/kJ.
        weight: (n,) weights of the non-overlapping insertions.
        surrogate_kj_per_mol: (n,) their surrogate energies.
        labelled: the labelled share.
        insertions: N, overlapping ones included.

    Returns:
        Moments with table and design parts.
    """
    base = _terms(beta, weight, surrogate_kj_per_mol)
    back = responding(labelled)
    at_surrogate = _terms(beta, back.weight, back.surrogate_kj_per_mol)
    at_reference = _terms(beta, back.weight, back.reference_kj_per_mol)
    change = (at_reference - at_surrogate) / back.probability
    mean = (base.sum(axis=1) + change.sum(axis=1)) / insertions

    second = base @ base.T + (at_reference / back.probability) @ at_reference.T
    second -= (at_surrogate / back.probability) @ at_surrogate.T
    covariance = _table_covariance(second, mean, insertions)
    if covariance[0, 0] <= 0 or covariance[1, 1] <= 0:
        covariance = _table_covariance(base @ base.T, base.sum(axis=1) / insertions, insertions)
    design = (change * (1.0 - back.probability)) @ change.T / insertions**2
    total = float(base[0].sum() + np.abs(change[0]).sum())
    largest = max(float(base[0].max(initial=0.0)), float(np.abs(change[0]).max(initial=0.0)))
    return Moments(
        mean,
        covariance,
        design,
        kish(base[0]),
        kish(change[0]) if base.size else float("inf"),
        largest / total if total > 0 else 0.0,
        kish(base[0] ** 2),
        kish(change[0] ** 2 * (1.0 - back.probability)) if base.size else float("inf"),
        _hidden(beta, labelled) / insertions**2,
    )


def responding(labelled: Labelled) -> Labelled:
    """Return the labels that came back, their probabilities times the share that did.

    The response rate is that of a class of labels with similar surrogate energies.
    """
    known = np.isfinite(labelled.reference_kj_per_mol)
    if known.all():
        return labelled
    classes = weighting_classes(labelled.surrogate_kj_per_mol, known)
    return Labelled(
        labelled.weight[known],
        labelled.surrogate_kj_per_mol[known],
        labelled.reference_kj_per_mol[known],
        (labelled.probability * response_rates(classes, known))[known],
    )


def _hidden(beta: float, labelled: Labelled) -> np.ndarray:
    """Return (2, 2) how far off the sums of v W and v U W may be by labels that failed.

    Where none came back, the surrogate's own share of the failed stands for that.
    """
    known = np.isfinite(labelled.reference_kj_per_mol)
    if known.all():
        return np.zeros((2, 2))
    at_surrogate = _terms(beta, labelled.weight, labelled.surrogate_kj_per_mol)
    if not known.any():
        share = (at_surrogate / labelled.probability).sum(axis=1)
        return np.outer(share, share)
    reference = labelled.reference_kj_per_mol[known]
    change = _terms(beta, labelled.weight[known], reference) - at_surrogate[:, known]
    classes = weighting_classes(labelled.surrogate_kj_per_mol, known)
    return hidden_covariance(change / labelled.probability[known], classes, known)


def failed_share(
    beta: float,
    weight: np.ndarray,
    surrogate_kj_per_mol: np.ndarray,
    labelled: Labelled,
) -> float:
    """Return the estimated share of the surrogate's answer that failed labels stood for."""
    failed = ~np.isfinite(labelled.reference_kj_per_mol)
    if not failed.any():
        return 0.0
    total = float((weight * boltzmann_factor(beta, surrogate_kj_per_mol)).sum())
    part = labelled.weight * boltzmann_factor(beta, labelled.surrogate_kj_per_mol)
    return float((part / labelled.probability)[failed].sum()) / total if total > 0 else 1.0


def mean_energy(moments_mean: np.ndarray, covariance: np.ndarray) -> tuple[float, float]:
    """Return <U W>/<W> and its delta-method standard error, kJ/mol.

    Args:
        moments_mean: (2,) <W>, <U W>.
        covariance: (2, 2) their covariance.
    """
    denominator, numerator = moments_mean
    if denominator <= 0:
        return float("nan"), float("nan")
    ratio = numerator / denominator
    gradient = np.array([-ratio, 1.0]) / denominator
    return float(ratio), float(np.sqrt(max(0.0, gradient @ covariance @ gradient)))


def heat_of_adsorption(
    moments_mean: np.ndarray, covariance: np.ndarray, temperature_k: float
) -> tuple[float, float]:
    """Return Qst = R T - <U> of a rigid guest in a rigid host and its error, kJ/mol."""
    energy, error = mean_energy(moments_mean, covariance)
    return GAS_CONSTANT_KJ_PER_MOL_K * temperature_k - energy, error
