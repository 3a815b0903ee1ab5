"""The gas outside: fugacity from pressure by the Peng-Robinson equation of state [1].

    p = RT / (v - b) - a alpha(T) / (v^2 + 2 b v - b^2)
    a = 0.45724 R^2 Tc^2 / pc,   b = 0.07780 R Tc / pc
    alpha = (1 + k (1 - sqrt(T / Tc)))^2,   k = 0.37464 + 1.54226 w - 0.26992 w^2
    ln phi = Z - 1 - ln(Z - B) - A / (2 sqrt(2) B) ln((Z + (1 + sqrt 2) B) / (Z + (1 - sqrt 2) B))

Critical temperature, critical pressure and acentric factor w are those of the real gas, as
grand-canonical codes of the field take them; a force field's own gas may differ a little.

References:
    [1] Peng, Robinson, Ind. Eng. Chem. Fundam. 15 (1976) 59.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from data.constants import GAS_CONSTANT_J_PER_MOL_K
from data.errors import SettingsError
from data.records import Guest

ROOT_TWO = math.sqrt(2.0)


@dataclass(frozen=True)
class CriticalConstants:
    """What the equation of state needs to know of a gas.

    Attributes:
        temperature_k: critical temperature.
        pressure_pa: critical pressure.
        acentric_factor: Pitzer's, dimensionless.
        source: where the numbers come from.
    """

    temperature_k: float
    pressure_pa: float
    acentric_factor: float
    source: str

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            SettingsError: critical temperature or pressure is not positive.
        """
        if not (self.temperature_k > 0.0 and self.pressure_pa > 0.0):
            raise SettingsError(
                "critical temperature and pressure must be positive, got "
                f"{self.temperature_k} K and {self.pressure_pa} Pa"
            )


_JPCRD = "J. Phys. Chem. Ref. Data"
_LEMMON_SPAN = "Lemmon, Span, J. Chem. Eng. Data 51 (2006) 785"
# The values at the critical point of the reference equations of state that the NIST Chemistry
# WebBook (SRD 69) and CoolProp use; each line names its equation.
CRITICAL_CONSTANTS = {
    formula: CriticalConstants(temperature, 1e6 * pressure_mpa, acentric, source)
    for formula, temperature, pressure_mpa, acentric, source in (
        ("CO2", 304.1282, 7.3773, 0.22394, f"Span, Wagner, {_JPCRD} 25 (1996) 1509"),
        ("N2", 126.192, 3.3958, 0.0372, f"Span et al., {_JPCRD} 29 (2000) 1361"),
        ("O2", 154.581, 5.043, 0.0222, "Schmidt, Wagner, Fluid Phase Equilib. 19 (1985) 175"),
        ("CH4", 190.564, 4.5992, 0.01142, f"Setzmann, Wagner, {_JPCRD} 20 (1991) 1061"),
        ("C2H4", 282.35, 5.0418, 0.0866, f"Smukala et al., {_JPCRD} 29 (2000) 1053"),
        ("C2H6", 305.322, 4.8722, 0.099, f"Buecker, Wagner, {_JPCRD} 35 (2006) 205"),
        ("C3H8", 369.89, 4.2512, 0.1521, "Lemmon et al., J. Chem. Eng. Data 54 (2009) 3141"),
        ("H2O", 647.096, 22.064, 0.3443, f"Wagner, Pruss, {_JPCRD} 31 (2002) 387"),
        ("H2", 33.145, 1.2964, -0.219, f"Leachman et al., {_JPCRD} 38 (2009) 721"),
        ("He", 5.1953, 0.2276, -0.385, f"Ortiz-Vega et al., {_JPCRD} 49 (2020) 033105"),
        ("Ne", 44.4918, 2.68, -0.0384, "Katti et al., Adv. Cryog. Eng. 31 (1986) 1189"),
        ("Ar", 150.687, 4.863, -0.00219, f"Tegeler et al., {_JPCRD} 28 (1999) 779"),
        ("Kr", 209.48, 5.525, -0.00089, _LEMMON_SPAN),
        ("Xe", 289.733, 5.842, 0.00363, _LEMMON_SPAN),
        ("CO", 132.86, 3.494, 0.0497, _LEMMON_SPAN),
        ("H2S", 373.1, 9.0, 0.1005, _LEMMON_SPAN),
        ("SO2", 430.64, 7.8866, 0.2561, "Gao et al., J. Chem. Eng. Data 61 (2016) 2859"),
        ("NH3", 405.4, 11.333, 0.25601, "Tillner-Roth et al., DKV-Tagungsbericht 20 (1993) 167"),
    )
}


def critical_constants(guest: Guest) -> CriticalConstants:
    """Return the critical constants of a guest, found by the formula of its real atoms.

    Raises:
        SettingsError: the formula is unknown or not in the table.
    """
    counts: dict[str, int] = {}
    for element in guest.atom_elements:
        counts[element] = counts.get(element, 0) + 1
    for formula, constants in CRITICAL_CONSTANTS.items():
        if counts and counts == _counts(formula):
            return constants
    raise SettingsError(
        f"no critical constants are known for guest {guest.name}, so Peng-Robinson cannot give "
        f"its fugacity (known: {', '.join(CRITICAL_CONSTANTS)}). Give its fugacity coefficient "
        "(1 for an ideal gas)"
    )


def _counts(formula: str) -> dict[str, int]:
    """Return element counts of a formula without brackets."""
    import re

    return {e: int(n or 1) for e, n in re.findall(r"([A-Z][a-z]?)(\d*)", formula)}


def compressibility_factors(
    gas: CriticalConstants, temperature_k: float, pressure_pa: float
) -> tuple[np.ndarray, float, float]:
    """Return the real roots Z > B of the cubic, ascending, and its A and B."""
    reduced = temperature_k / gas.temperature_k
    w = gas.acentric_factor
    slope = 0.37464 + 1.54226 * w - 0.26992 * w * w
    alpha = (1.0 + slope * (1.0 - math.sqrt(reduced))) ** 2
    ratio = pressure_pa / gas.pressure_pa
    a = 0.45724 * alpha * ratio / reduced**2
    b = 0.07780 * ratio / reduced
    cubic = [1.0, b - 1.0, a - 3.0 * b * b - 2.0 * b, b**3 + b * b - a * b]
    roots = np.roots(cubic)
    real = np.sort(roots.real[np.abs(roots.imag) < 1e-9 * np.abs(roots)])
    return real[real > b], a, b


def fugacity_coefficient(gas: CriticalConstants, temperature_k: float, pressure_pa: float) -> float:
    """Return phi = f / p of the pure gas; where liquid and vapour both solve, of the stable one.

    Args:
        gas: critical constants.
        temperature_k: temperature.
        pressure_pa: pressure.
    """
    return math.exp(_stable_phase(gas, temperature_k, pressure_pa)[0])


def gas_density_mol_per_m3(
    gas: CriticalConstants, temperature_k: float, pressure_pa: float
) -> float:
    """Return the molar density of the stable phase by the same equation."""
    factor = _stable_phase(gas, temperature_k, pressure_pa)[1]
    return pressure_pa / (factor * GAS_CONSTANT_J_PER_MOL_K * temperature_k)


def _stable_phase(
    gas: CriticalConstants, temperature_k: float, pressure_pa: float
) -> tuple[float, float]:
    """Return ln phi and Z of the root with the lower fugacity."""
    roots, a, b = compressibility_factors(gas, temperature_k, pressure_pa)
    logs = np.log((roots + (1.0 + ROOT_TWO) * b) / (roots + (1.0 - ROOT_TWO) * b))
    log_phi = roots - 1.0 - np.log(roots - b) - a / (2.0 * ROOT_TWO * b) * logs
    stable = int(np.argmin(log_phi))
    return float(log_phi[stable]), float(roots[stable])
