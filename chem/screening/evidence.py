"""What is known of one quantity of many hosts: classical answers and reference estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST_FREEDOM = 2.0


@dataclass(frozen=True)
class Evidence:
    """One quantity, ln K_H or a heat of adsorption, of n hosts.

    Attributes:
        classical: (n,) answers of the classical level.
        estimate: (n,) estimates at the reference; NaN where there is none yet.
        standard_error: (n,) of the estimates.
        degrees_of_freedom: (n,) of Student's t that the error bars deserve.
    """

    classical: np.ndarray
    estimate: np.ndarray
    standard_error: np.ndarray
    degrees_of_freedom: np.ndarray

    @staticmethod
    def of_classical(classical: Sequence[float] | np.ndarray) -> Evidence:
        """Return what is known before any label."""
        values = np.asarray(classical, dtype=float)
        none = np.full(len(values), np.nan)
        return Evidence(values, none, none.copy(), none.copy())

    @property
    def labelled(self) -> np.ndarray:
        """(n,) whether a host has an estimate at the reference."""
        return np.isfinite(self.estimate) & np.isfinite(self.standard_error)

    @property
    def shift(self) -> np.ndarray:
        """(n,) estimate less classical answer; NaN where there is no estimate."""
        return np.asarray(self.estimate - self.classical)


def logarithmic(relative_standard_error: np.ndarray) -> np.ndarray:
    """Return the standard error of the logarithm of a positive estimate.

    As in the project's intervals: sigma^2 = ln(1 + eps^2) of a log-normal quantity.

    Args:
        relative_standard_error: (n,) eps.
    """
    return np.sqrt(np.log1p(np.asarray(relative_standard_error, dtype=float) ** 2))


def student_log_density(
    value: np.ndarray, scale: np.ndarray | float, freedom: np.ndarray | float
) -> np.ndarray:
    """Return the log density of Student's t of given scale around zero.

    Args:
        value: places.
        scale: of the distribution, same shape or broadcastable.
        freedom: degrees of freedom; infinity is the normal distribution.
    """
    from scipy.special import gammaln

    nu = np.minimum(np.asarray(freedom, dtype=float), 1e6)
    norm = gammaln(0.5 * (nu + 1.0)) - gammaln(0.5 * nu) - 0.5 * np.log(np.pi * nu)
    return np.asarray(norm - np.log(scale) - 0.5 * (nu + 1.0) * np.log1p((value / scale) ** 2 / nu))
