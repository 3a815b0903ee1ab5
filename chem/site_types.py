"""Records of a force field: site types, pair overrides and mixing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mixing = Literal["lorentz-berthelot", "geometric"]
Truncation = Literal["truncated", "shifted", "force-shifted"]


@dataclass(frozen=True)
class SiteType:
    """Parameters of one named site type.

    Attributes:
        name: type name, a CIF label, an element or a guest site such as ``O_co2``.
        epsilon_k: Lennard-Jones well depth over k_B, kelvin; None when the file gives no
            interaction for this type.
        sigma_angstrom: Lennard-Jones diameter, angstrom; None likewise.
        element: element symbol, or None when unknown or no atom.
        charge_e: partial charge in e, or None when the file gives none.
        mass_g_per_mol: mass, or None; zero marks a site that is no atom.
        for_host: whether the file marks the type as one of the framework.
        for_guest: whether guest sites of this name take these parameters.
    """

    name: str
    epsilon_k: float | None
    sigma_angstrom: float | None
    element: str | None = None
    charge_e: float | None = None
    mass_g_per_mol: float | None = None
    for_host: bool = True
    for_guest: bool = False


@dataclass(frozen=True)
class ForceField:
    """Named Lennard-Jones parameters with their mixing rule.

    Attributes:
        name: bundled name or file stem.
        types: site types by name.
        pairs: explicit (epsilon over k_B in K, sigma in angstrom) by sorted pair of names.
        mixing: rule for all other pairs.
        truncation: how the file wants the potential cut, or None when it does not say.
        tail_correction: whether the file wants the analytic tail, or None.
        cutoff_angstrom: the file's cutoff between host and guest, or None.
        without_charges: whether the file switches all charges off.
        source: citation or path.
    """

    name: str
    types: Mapping[str, SiteType]
    pairs: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    mixing: Mixing = "lorentz-berthelot"
    truncation: Truncation | None = None
    tail_correction: bool | None = None
    cutoff_angstrom: float | None = None
    without_charges: bool = False
    source: str = ""

    def host_type(self, label: str, element: str) -> SiteType | None:
        """Return the type of a host atom: named like its label, else its element.

        When neither exists, a single framework type declared for that element is taken.
        """
        named = self.types.get(label) or self.types.get(element)
        if named is not None:
            return named
        same = [t for t in self.types.values() if t.for_host and t.element == element]
        return same[0] if len(same) == 1 else None

    def guest_type(self, name: str) -> SiteType | None:
        """Return the type of a guest site, or None when the guest keeps its own parameters."""
        found = self.types.get(name)
        return found if found is not None and found.for_guest else None


def sorted_pair(one: str, two: str) -> tuple[str, str]:
    """Return two names in alphabetical order, the key of a pair override."""
    return (one, two) if one <= two else (two, one)
