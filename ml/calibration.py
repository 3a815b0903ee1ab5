"""Calibration of energy uncertainties from labels the model had not seen.

A surrogate that says "plus or minus 1 kJ/mol" should err by about that much on new labels.
The scaled errors ``z = (reference - mean) / sd`` of labels predicted before they were used
tell by which factor its standard deviations must be stretched.
"""

from __future__ import annotations

import numpy as np

LOWEST_FACTOR = 0.7
HIGHEST_FACTOR = 5.0
Z_CAP = 6.0
PRIOR_STRENGTH = 8.0


def calibration_factor(
    z_scores: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    prior_strength: float = PRIOR_STRENGTH,
    lowest: float = LOWEST_FACTOR,
    highest: float = HIGHEST_FACTOR,
) -> float:
    """Return the factor by which predicted standard deviations should be multiplied.

    The weighted mean of ``min(z^2, cap^2)`` is pulled towards 1 by a prior worth
    ``prior_strength`` labels; the weights enter through their effective number, so one
    dominant label cannot decide alone. Non-finite scores and weights are left out.

    Args:
        z_scores: (L,) errors over predicted standard deviations (uncalibrated), each of a
            label the predicting model had not been trained on.
        weights: (L,) relevance of each label, for example its Boltzmann weight over its
            routing probability; equal when omitted.
        prior_strength: number of labels the prior ``factor = 1`` counts for.
        lowest: smallest factor.
        highest: largest factor.

    Returns:
        The factor, between lowest and highest; 1.0 without usable labels.
    """
    z = np.asarray(z_scores, dtype=float).ravel()
    w = np.ones_like(z) if weights is None else np.asarray(weights, dtype=float).ravel()
    if w.shape != z.shape:
        raise ValueError(f"{w.size} weights were given for {z.size} z-scores")
    usable = np.isfinite(z) & np.isfinite(w) & (w > 0.0)
    if not usable.any():
        return 1.0
    z, w = z[usable], w[usable] / w[usable].max()
    w = w / w.sum()
    count = 1.0 / float((w * w).sum())
    observed = float((w * np.minimum(z * z, Z_CAP**2)).sum())
    pooled = (count * observed + prior_strength) / (count + prior_strength)
    return float(np.clip(np.sqrt(pooled), lowest, highest))


def boltzmann_relevance(
    energies_kj_per_mol: np.ndarray, thermal_energy_kj_per_mol: float
) -> np.ndarray:
    """Return relevance weights that fall off as ``exp(-U / 2 kT)`` from the deepest energy.

    The square root of the Boltzmann factor keeps labels a few kT up informative while the
    deepest still weigh most.

    Args:
        energies_kj_per_mol: (L,) energies, kJ/mol.
        thermal_energy_kj_per_mol: RT, kJ/mol.

    Returns:
        (L,) weights in (0, 1]; zero where the energy is not finite.
    """
    energies = np.asarray(energies_kj_per_mol, dtype=float)
    finite = np.isfinite(energies)
    if not finite.any():
        return np.zeros_like(energies)
    lowest = energies[finite].min()
    above = np.where(finite, energies - lowest, np.inf)
    return np.exp(-0.5 * above / thermal_energy_kj_per_mol)
