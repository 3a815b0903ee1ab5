"""Units of the Henry coefficient, all by way of mol/(kg Pa).

The coefficient is the slope of the loading at zero pressure, per mass of empty host:

    mol/(kg bar)             K * 1e5
    dimensionless            K * rho R T, the mean Boltzmann factor <exp(-beta U)>: guest in a
                             volume of crystal over guest in the same volume of ideal gas
    cm3(STP)/(g bar)         K * 1e5 * V(STP), V(STP) in cm3/mol and per 1000 g
    cm3(STP)/(cm3 bar)       the same times the density in g/cm3
    mg/(g bar)               K * 1e5 * M, M in g/mol
    molecules/(cell Pa)      K times the mass of a mole of cells, kg/mol

STP is 273.15 K and 101325 Pa, the convention of the adsorption literature (22413.97 cm3/mol);
since 1982 IUPAC's own standard pressure is 1 bar [1].

References:
    [1] Cohen et al., Quantities, Units and Symbols in Physical Chemistry (IUPAC, 2007), 2.11.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from data.constants import (
    AVOGADRO_PER_MOL,
    CM3_PER_M3,
    GAS_CONSTANT_J_PER_MOL_K,
    GRAM_PER_KG,
    PA_PER_BAR,
    STP_CM3_PER_MOL,
)
from data.errors import SettingsError

MG_PER_G = 1e3


@dataclass(frozen=True)
class HenryContext:
    """What a conversion may need.

    Attributes:
        temperature_k: temperature.
        density_kg_per_m3: crystal density of the empty host.
        molar_mass_g_per_mol: molar mass of the guest.
        cell_mass_kg: mass of the cell that "per cell" means.
    """

    temperature_k: float
    density_kg_per_m3: float
    molar_mass_g_per_mol: float
    cell_mass_kg: float

    def __post_init__(self) -> None:
        """Check that every quantity is positive, or NaN where it is unknown.

        Raises:
            SettingsError: a quantity is zero or negative.
        """
        for name, value in vars(self).items():
            if value <= 0.0:
                raise SettingsError(f"{name} must be positive, got {value}")


def per_bar(henry_mol_per_kg_pa: float) -> float:
    """Return mol/(kg bar)."""
    return henry_mol_per_kg_pa * PA_PER_BAR


def dimensionless(
    henry_mol_per_kg_pa: float, density_kg_per_m3: float, temperature_k: float
) -> float:
    """Return K rho R T, the mean Boltzmann factor."""
    return henry_mol_per_kg_pa * density_kg_per_m3 * GAS_CONSTANT_J_PER_MOL_K * temperature_k


def cm3_stp_per_g_bar(henry_mol_per_kg_pa: float) -> float:
    """Return cm3(STP)/(g bar)."""
    return per_bar(henry_mol_per_kg_pa) * STP_CM3_PER_MOL / GRAM_PER_KG


def cm3_stp_per_cm3_bar(henry_mol_per_kg_pa: float, density_kg_per_m3: float) -> float:
    """Return cm3(STP)/(cm3 bar), per volume of crystal."""
    return per_bar(henry_mol_per_kg_pa) * STP_CM3_PER_MOL * density_kg_per_m3 / CM3_PER_M3


def mg_per_g_bar(henry_mol_per_kg_pa: float, molar_mass_g_per_mol: float) -> float:
    """Return mg/(g bar), which is g/(kg bar)."""
    return per_bar(henry_mol_per_kg_pa) * molar_mass_g_per_mol * MG_PER_G / GRAM_PER_KG


def molecules_per_cell_pa(henry_mol_per_kg_pa: float, cell_mass_kg: float) -> float:
    """Return molecules/(cell Pa)."""
    return henry_mol_per_kg_pa * cell_mass_kg * AVOGADRO_PER_MOL


UNITS: dict[str, Callable[[float, HenryContext], float]] = {
    "mol/(kg Pa)": lambda k, _: k,
    "mol/(kg bar)": lambda k, _: per_bar(k),
    "dimensionless": lambda k, c: dimensionless(k, c.density_kg_per_m3, c.temperature_k),
    "cm3(STP)/(cm3 bar)": lambda k, c: cm3_stp_per_cm3_bar(k, c.density_kg_per_m3),
    "cm3(STP)/(g bar)": lambda k, _: cm3_stp_per_g_bar(k),
    "mg/(g bar)": lambda k, c: mg_per_g_bar(k, c.molar_mass_g_per_mol),
    "molecules/(cell Pa)": lambda k, c: molecules_per_cell_pa(k, c.cell_mass_kg),
}
"""Conversions from mol/(kg Pa) by name of the unit; each is a constant factor."""


def every_unit(henry_mol_per_kg_pa: float, context: HenryContext) -> dict[str, float]:
    """Return the coefficient, or its error, in every unit by name of the unit.

    A value that needs a quantity which is unknown is NaN.
    """
    return {unit: convert(henry_mol_per_kg_pa, context) for unit, convert in UNITS.items()}
