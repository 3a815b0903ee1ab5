"""Scales a measured cost to the cost of a wanted error, with the uncertainty of doing so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Scatter:
    """Mean of independent runs, with errors from their scatter alone.

    Attributes:
        mean: mean of the runs.
        standard_error: of the mean.
    """

    mean: float
    standard_error: float

    @property
    def relative(self) -> float:
        """Standard error over the mean."""
        return self.standard_error / self.mean


def scatter(values: np.ndarray) -> Scatter:
    """Return mean and standard error of (r,) independent runs of equal length, r > 1."""
    return Scatter(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def without_most_extreme(values: np.ndarray) -> np.ndarray:
    """Return the runs without the one farthest from their median, r > 2.

    Averages of exp(-beta U) have long tails: one run in forty can carry most of the scatter, or
    none may. Without the most extreme run the scatter is steadier and, if anything, too small,
    which understates a cost scaled from it.
    """
    return np.delete(values, int(np.argmax(np.abs(values - np.median(values)))))


def cpu_seconds_to_error(
    setup_s: float, sampling_s: float, relative_error: float, target: float
) -> float:
    """Return the CPU seconds to a target error: ``setup + sampling (error / target)^2``.

    Args:
        setup_s: CPU seconds spent once.
        sampling_s: CPU seconds of the sampling that gave ``relative_error``.
        relative_error: relative standard error reached.
        target: relative standard error wanted.
    """
    return setup_s + sampling_s * (relative_error / target) ** 2


def cost_interval(
    values: np.ndarray, setup_s: float, sampling_s: float, target: float, seed: int = 0
) -> tuple[float, float]:
    """Return a 95 % interval of the cost to a target error, by resampling the runs.

    Few runs, each dominated by few insertions, know their own error badly; with r runs of
    normal scatter the cost is uncertain by about sqrt(2 / (r - 1)).

    Args:
        values: (r,) answers of independent runs.
        setup_s: CPU seconds spent once.
        sampling_s: CPU seconds of all runs together.
        target: relative standard error wanted.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    drawn = values[rng.integers(len(values), size=(RESAMPLES, len(values)))]
    # A resample repeats runs, which shrinks its variance by (r - 1) / r.
    errors = drawn.std(axis=1, ddof=1) / np.sqrt(len(values) - 1) / drawn.mean(axis=1)
    costs = setup_s + sampling_s * (errors / target) ** 2
    low, high = np.percentile(costs, [2.5, 97.5])
    return float(low), float(high)
