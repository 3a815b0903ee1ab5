"""How well sources are predicted by what has not seen their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ml.calibration import calibration_factor
from ml.linear_system import Observations


@dataclass(frozen=True)
class HeldOut:
    """How one source is predicted from the others, Boltzmann-relevant rms, kJ/mol.

    Attributes:
        raw_kj_per_mol: reference minus baseline.
        error_kj_per_mol: reference minus prediction; NaN with a single source.
        labels: usable labels.
    """

    raw_kj_per_mol: float
    error_kj_per_mol: float
    labels: int


@dataclass(frozen=True)
class Scores:
    """Predictions of every source from the others, and what they amount to.

    Attributes:
        errors: per source (b,) corrections minus predictions, kJ/mol; empty for a single source.
        calibration: factor that makes the standard deviations fit the errors.
        log_density: weighted mean of the logarithm of the density of the corrections.
    """

    errors: tuple[np.ndarray, ...] = ()
    calibration: float = 1.0
    log_density: float = 0.0

    @classmethod
    def of(
        cls,
        corrections: Sequence[Observations],
        relevance: Sequence[np.ndarray],
        predicted: Sequence[tuple[Tensor, Tensor]],
        noise_kj_per_mol: float,
    ) -> Scores:
        """Compare predictions with corrections; every source counts the same.

        Args:
            corrections: of every source.
            relevance: per source (b,) weights of its labels.
            predicted: per source mean and standard deviation (b,), kJ/mol.
            noise_kj_per_mol: standard deviation to add to those predicted.
        """
        errors, z_scores, spreads = [], [], []
        for observed, (mean, sd) in zip(corrections, predicted, strict=True):
            error = (observed.energy - mean).cpu().numpy()
            spread = np.hypot(sd.cpu().numpy(), noise_kj_per_mol)
            errors.append(error)
            z_scores.append(error / spread)
            spreads.append(spread)
        weights = np.concatenate([r / r.sum() for r in relevance])
        z, spread = np.concatenate(z_scores), np.concatenate(spreads)
        factor = calibration_factor(z, weights)
        density = -0.5 * (z / factor) ** 2 - np.log(factor * spread)
        return cls(tuple(errors), factor, float(np.average(density, weights=weights)))

    def held_out(
        self, corrections: Sequence[Observations], relevance: Sequence[np.ndarray]
    ) -> tuple[HeldOut, ...]:
        """Return the figures of every source."""
        found = []
        for k, (observed, weights) in enumerate(zip(corrections, relevance, strict=True)):
            error = _rms(self.errors[k], weights) if self.errors else float("nan")
            raw = _rms(observed.energy.cpu().numpy(), weights)
            found.append(HeldOut(raw, error, len(weights)))
        return tuple(found)


def _rms(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sqrt(np.average(values**2, weights=weights)))
