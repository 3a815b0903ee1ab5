"""Henry selectivity: the ratio of two Henry coefficients, with its interval.

At zero pressure guests do not meet, so the selectivity of a mixture is K1/K2 whatever its
composition. For two independent runs with relative standard errors r1 and r2

    var(ln S) = ln(1 + r1^2) + ln(1 + r2^2),

and the interval is symmetric in ln S, as that of each K is in ln K, by Student's t with the
degrees of freedom of Welch and Satterthwaite [1, 2]: it is never negative, and the interval of
1/S is the inverse of that of S.

References:
    [1] Satterthwaite, Biometrics Bull. 2 (1946) 110.
    [2] Welch, Biometrika 34 (1947) 28.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.errors import SettingsError
from data.records import Estimate

LARGE_RELATIVE_ERROR = 0.3
LEAST_DEGREES = 2.0
SAME_TEMPERATURE_K = 1e-6
SAME = {"host_hash": "host", "force_field": "force field", "reference": "reference"}


@dataclass(frozen=True)
class Selectivity:
    """The ratio of the Henry coefficients of two guests.

    Attributes:
        value: K1/K2.
        relative_standard_error: standard error of ln(K1/K2).
        interval: ends of the interval, at the level asked for.
        degrees_of_freedom: of the two errors together.
        trustworthy: both relative errors are small enough for an interval in the logarithm.
    """

    value: float
    relative_standard_error: float
    interval: tuple[float, float]
    degrees_of_freedom: float
    trustworthy: bool


def henry_selectivity(
    one: Estimate, two: Estimate, *, level: float = 0.95, ln_covariance: float = 0.0
) -> Selectivity:
    """Return the Henry selectivity of guest one over guest two.

    Args:
        one: Henry coefficient of the first guest; its effective samples count the degrees of
            freedom, NaN means many.
        two: the second guest's, in the same unit and of the same host and temperature.
        level: of the interval.
        ln_covariance: covariance of ln K1 and ln K2; zero for independent tables.

    Raises:
        SettingsError: a coefficient is not positive, or the level is not between 0 and 1.
    """
    for name, estimate in (("first", one), ("second", two)):
        if not (estimate.mean > 0.0 and math.isfinite(estimate.mean)):
            raise SettingsError(
                f"the Henry coefficient of the {name} guest is {estimate.mean:g}; a selectivity "
                "needs two positive ones. Use more insertions, or another guest"
            )
    if not 0.0 < level < 1.0:
        raise SettingsError(f"the level must lie between 0 and 1, got {level}")
    variances = [math.log1p(e.relative_standard_error**2) for e in (one, two)]
    variance = max(0.0, sum(variances) - 2.0 * ln_covariance)
    degrees = _welch(variances, [_degrees(e) for e in (one, two)])
    value = one.mean / two.mean
    reach = _student(level, degrees) * math.sqrt(variance)
    ends = (value * math.exp(-reach), value * math.exp(reach)) if reach < 700.0 else (0.0, math.inf)
    calm = max(e.relative_standard_error for e in (one, two)) <= LARGE_RELATIVE_ERROR
    return Selectivity(value, math.sqrt(variance), ends, degrees, calm)


def selectivity_of_results(
    one: Mapping[str, Any], two: Mapping[str, Any], *, level: float = 0.95
) -> Selectivity:
    """Return the selectivity of two results of independent runs, as in result.json.

    Args:
        one: result of the first guest.
        two: result of the second guest.
        level: of the interval.

    Raises:
        SettingsError: host, level of theory or temperature differ, or a result is not positive.
    """
    for key, name in SAME.items():
        if one.get(key) != two.get(key):
            raise SettingsError(
                f"the two results have a different {name} ({one.get(key)} and {two.get(key)}); a "
                "selectivity compares two guests in one host at one level"
            )
    temperatures = one["temperature_k"], two["temperature_k"]
    if abs(temperatures[0] - temperatures[1]) > SAME_TEMPERATURE_K:
        raise SettingsError(
            f"the two results are at {temperatures[0]} K and {temperatures[1]} K; a selectivity "
            "needs one temperature"
        )
    return henry_selectivity(_estimate(one), _estimate(two), level=level)


def _estimate(result: Mapping[str, Any]) -> Estimate:
    henry = result["henry_mol_per_kg_pa"]
    relative = result["henry_relative_standard_error"]
    samples = result[
        "correction_effective_samples" if result.get("rounds") else "effective_samples"
    ]
    unknown = math.nan if henry is None else henry
    error = math.inf if relative is None else relative * abs(unknown)
    return Estimate(unknown, error, math.nan if samples is None else samples)


def _degrees(estimate: Estimate) -> float:
    """Return the degrees of freedom behind an estimate."""
    if math.isnan(estimate.effective_samples):
        return math.inf
    return max(LEAST_DEGREES, estimate.effective_samples - 1.0)


def _welch(variances: list[float], degrees: list[float]) -> float:
    """Return the degrees of freedom of a sum of independent variances [1, 2]."""
    total = sum(variances)
    parts = sum(v**2 / d for v, d in zip(variances, degrees, strict=True))
    return total**2 / parts if parts > 0.0 else math.inf


def _student(level: float, degrees: float) -> float:
    """Return the two-sided quantile of Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.5 + 0.5 * level, degrees))
