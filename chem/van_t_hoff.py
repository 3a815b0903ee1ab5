"""Henry coefficients over a range of temperatures from one table, and the van 't Hoff picture.

Insertions do not know the temperature, so one table serves all temperatures by reweighting; how
well, its effective sample size at each says. The answers share their insertions and are
strongly correlated; the covariance between temperatures goes into every error here.

Convention: K_H in mol/(kg Pa) contains 1/(R T). With <W> the mean Boltzmann factor,

    ln K_H = ln <W> - ln(rho R) + ln(1/T),
    d ln K_H / d(1/T)     = (R T - <U>) / R = Qst / R,
    d ln(K_H T) / d(1/T)  = -<U> / R        = (Qst - R T) / R.

So the slope of ln K_H against 1/T is the heat of adsorption itself, that of a K_H without the
factor 1/(R T) lacks R T. Two fits:

    straight:  ln K_H = ln K0 + Q/(R T)
    curved:    ln K_H = ln K(T0) + Q0/R (1/T - 1/T0) + dCp/R (T0/T - 1 + ln(T/T0))   [1]

with dCp the heat capacity change of adsorption, Qst(T) = Q0 - dCp (T - T0). Points weigh alike
and the errors are the covariance between temperatures propagated through the fit. Weights from
the inverse of that covariance would be optimal for a model that holds exactly; here the line is
a summary of a curve, the covariance is estimated and nearly singular, and such weights turn its
noise into parameters whose errors come out a third too small.

References:
    [1] Clarke, Glew, Trans. Faraday Soc. 62 (1966) 539.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chem.estimator import (
    beta_mol_per_kj,
    boltzmann_factor,
    heat_of_adsorption,
    henry_prefactor,
    kish,
)
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import SettingsError
from data.records import Estimate

FEWEST_EFFECTIVE = 100.0
MOST_TEMPERATURES = 200
SIGNIFICANT = 2.0


@dataclass(frozen=True)
class HenryCurve:
    """Henry coefficients at k temperatures from one table.

    Attributes:
        temperatures_k: (k,) rising.
        henry_mol_per_kg_pa: (k,) coefficients.
        covariance: (k, k) of the coefficients, (mol/(kg Pa))^2.
        effective_samples: (k,) Kish effective sample sizes.
        qst_kj_per_mol: (k,) heats of adsorption.
        qst_standard_error: (k,) their errors.
    """

    temperatures_k: np.ndarray
    henry_mol_per_kg_pa: np.ndarray
    covariance: np.ndarray
    effective_samples: np.ndarray
    qst_kj_per_mol: np.ndarray
    qst_standard_error: np.ndarray

    @property
    def relative_standard_error(self) -> np.ndarray:
        """(k,) standard errors over the coefficients; infinite where these are zero."""
        error, henry = np.sqrt(np.diag(self.covariance)), self.henry_mol_per_kg_pa
        return np.divide(error, henry, out=np.full(len(henry), np.inf), where=henry > 0.0)


@dataclass(frozen=True)
class VanTHoff:
    """Fits of ln K_H against 1/T.

    Attributes:
        used: (k,) which temperatures went into the fits; the others have too few effective
            samples, or no positive coefficient.
        reference_k: T0, the harmonic mean of the temperatures used.
        ln_prefactor: ln K0 of the straight fit, K0 in mol/(kg Pa).
        heat_kj_per_mol: Q of the straight fit, positive where adsorption releases heat.
        worst_residual: largest |ln K_H - straight fit| of the temperatures used.
        heat_at_reference_kj_per_mol: Q0 of the curved fit; NaN with fewer than three used.
        heat_capacity_j_per_mol_k: dCp of the curved fit; NaN with fewer than three used.
    """

    used: np.ndarray
    reference_k: float
    ln_prefactor: Estimate
    heat_kj_per_mol: Estimate
    worst_residual: float
    heat_at_reference_kj_per_mol: Estimate
    heat_capacity_j_per_mol_k: Estimate

    @property
    def prefactor_mol_per_kg_pa(self) -> float:
        """K0 of the straight fit."""
        return math.exp(self.ln_prefactor.mean)

    @property
    def curved(self) -> bool:
        """Whether the heat capacity change is more than two standard errors from zero."""
        change = self.heat_capacity_j_per_mol_k
        return abs(change.mean) > SIGNIFICANT * change.standard_error

    def straight(self, temperatures_k: np.ndarray) -> np.ndarray:
        """Return the straight fit's coefficients at (k,) temperatures, mol/(kg Pa)."""
        exponent = self.heat_kj_per_mol.mean / (GAS_CONSTANT_KJ_PER_MOL_K * temperatures_k)
        return np.asarray(np.exp(self.ln_prefactor.mean + exponent))


def temperature_range(text: str) -> tuple[float, ...]:
    """Return the temperatures of a range ``first:last:step`` or a list ``250,298.15``, K.

    The last one of a range is included where a step lands on it.

    Raises:
        SettingsError: the text is neither, or a value makes no sense.
    """
    found: list[float] = []
    for part in text.split(","):
        numbers = [_kelvin(number, text) for number in part.split(":")]
        if len(numbers) == 1:
            found += numbers
        elif len(numbers) == 3:
            found += _steps(numbers[0], numbers[1], numbers[2], text)
        else:
            raise SettingsError(f"{part!r} in {text!r} is no range; write first:last:step in K")
    if any(value <= 0.0 for value in found):
        raise SettingsError(f"{text!r} has a temperature that is not above 0 K")
    if len(set(found)) > MOST_TEMPERATURES:
        raise SettingsError(
            f"{text!r} asks for {len(found)} temperatures; at most {MOST_TEMPERATURES}"
        )
    return tuple(sorted(set(found)))


def _kelvin(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SettingsError(
            f"{number.strip()!r} in {text!r} is no temperature; write 250:400:25 or 250,300 in K"
        )
    return value


def _steps(first: float, last: float, step: float, text: str) -> list[float]:
    if step <= 0.0 or last < first:
        raise SettingsError(
            f"the range {text!r} is empty: the last temperature must not be below the first, and "
            "the step must be positive"
        )
    steps = (last - first) / step
    if steps >= MOST_TEMPERATURES:
        raise SettingsError(
            f"{text!r} asks for some {steps:.3g} temperatures; at most {MOST_TEMPERATURES}"
        )
    count = math.floor(steps + 1e-9) + 1
    return [round(first + k * step, 9) for k in range(count)]


def henry_curve(
    temperatures_k: np.ndarray,
    weight: np.ndarray,
    energy_kj_per_mol: np.ndarray,
    insertions: int,
    density_kg_per_m3: float,
) -> HenryCurve:
    """Reweight one table of independent insertions to many temperatures.

    Args:
        temperatures_k: (k,) temperatures.
        weight: (n,) weights p/q of the insertions outside the hard core.
        energy_kj_per_mol: (n,) their energies.
        insertions: N, overlapping ones included.
        density_kg_per_m3: density of the host.

    Returns:
        Coefficients with the covariance between temperatures.
    """
    kelvin = np.asarray(temperatures_k, dtype=float)
    terms = np.stack(
        [weight * boltzmann_factor(beta_mol_per_kj(t), energy_kj_per_mol) for t in kelvin]
    )
    mean = terms.sum(axis=1) / insertions
    covariance = (terms @ terms.T / insertions - np.outer(mean, mean)) / max(1, insertions - 1)
    finite = np.where(np.isfinite(energy_kj_per_mol), energy_kj_per_mol, 0.0)
    heats = []
    for k, temperature in enumerate(kelvin):
        pair = np.stack([terms[k], terms[k] * finite])
        first = pair.sum(axis=1) / insertions
        second = (pair @ pair.T / insertions - np.outer(first, first)) / max(1, insertions - 1)
        heats.append(heat_of_adsorption(first, second, float(temperature)))
    factor = np.array([henry_prefactor(density_kg_per_m3, float(t)) for t in kelvin])
    return HenryCurve(
        kelvin,
        factor * mean,
        covariance * np.outer(factor, factor),
        np.array([kish(row) for row in terms]),
        *np.array(heats).T,
    )


def fit_van_t_hoff(
    curve: HenryCurve, fewest_effective: float = FEWEST_EFFECTIVE
) -> VanTHoff | None:
    """Fit ln K_H against 1/T.

    Args:
        curve: coefficients at several temperatures.
        fewest_effective: temperatures with fewer effective samples are left out.

    Returns:
        The fits, or None where fewer than two temperatures are left.
    """
    good = (curve.effective_samples >= fewest_effective) & (curve.henry_mol_per_kg_pa > 0.0)
    good &= np.isfinite(curve.henry_mol_per_kg_pa)
    if good.sum() < 2:
        return None
    kelvin, henry = curve.temperatures_k[good], curve.henry_mol_per_kg_pa[good]
    covariance = curve.covariance[np.ix_(good, good)] / np.outer(henry, henry)
    ln_henry, reference = np.log(henry), float(len(kelvin) / (1.0 / kelvin).sum())
    gas = GAS_CONSTANT_KJ_PER_MOL_K
    columns = [np.ones(len(kelvin)), (1.0 / kelvin - 1.0 / reference) / gas]
    bend = (reference / kelvin - 1.0 + np.log(kelvin / reference)) / gas
    (middle, heat), errors, residual = _fit(np.stack(columns, axis=1), ln_henry, covariance)
    shift = np.array([1.0, -1.0 / (gas * reference)])
    samples = float(curve.effective_samples[good].min())
    at_reference = change = Estimate(math.nan, math.nan)
    if len(kelvin) >= 3:
        found, spread, _ = _fit(np.stack([*columns, bend], axis=1), ln_henry, covariance)
        at_reference = Estimate(found[1], _error(spread[1, 1]), samples)
        change = Estimate(1e3 * found[2], 1e3 * _error(spread[2, 2]), samples)
    return VanTHoff(
        used=good,
        reference_k=reference,
        ln_prefactor=Estimate(
            middle + float(shift[1]) * heat, _error(shift @ errors @ shift), samples
        ),
        heat_kj_per_mol=Estimate(heat, _error(errors[1, 1]), samples),
        worst_residual=float(np.abs(residual).max()),
        heat_at_reference_kj_per_mol=at_reference,
        heat_capacity_j_per_mol_k=change,
    )


def _fit(
    design: np.ndarray, values: np.ndarray, covariance: np.ndarray
) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Return parameters, their covariance and the residuals of a linear fit."""
    gain = np.linalg.pinv(design, rcond=1e-13)
    found = gain @ values
    return found.tolist(), gain @ covariance @ gain.T, values - design @ found


def _error(variance: float) -> float:
    return math.sqrt(max(0.0, float(variance)))
