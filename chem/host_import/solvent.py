"""Molecules in the pores: bonded components that do not span the lattice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from chem.host_import.bonds import NONMETALS
from chem.host_import.components import Component
from chem.host_import.findings import Finding
from data.records import Host

MOLECULES = {
    "H2O": "water",
    "O": "oxygen alone, mostly water without its hydrogens",
    "CO2": "carbon dioxide",
    "N2": "nitrogen",
    "CH4O": "methanol",
    "C2H6O": "ethanol or dimethyl ether",
    "C3H6O": "acetone",
    "C3H7NO": "DMF",
    "C4H9NO": "DMA",
    "C5H11NO": "DEF",
    "C2H6OS": "DMSO",
    "C2H3N": "acetonitrile",
    "CHCl3": "chloroform",
    "CH2Cl2": "dichloromethane",
    "C4H8O": "THF",
    "C4H8O2": "dioxane or ethyl acetate",
    "C5H5N": "pyridine",
    "C6H6": "benzene",
    "C7H8": "toluene",
    "C8H10": "xylene",
    "C6H12": "cyclohexane",
    "C6H14": "hexane",
}
IONS = {
    "F": "fluoride",
    "Cl": "chloride",
    "Br": "bromide",
    "I": "iodide",
    "I3": "triiodide",
    "NO3": "nitrate",
    "ClO4": "perchlorate",
    "BF4": "tetrafluoroborate",
    "F6P": "hexafluorophosphate",
    "F6Si": "hexafluorosilicate",
    "F6Sb": "hexafluoroantimonate",
    "O4S": "sulfate",
    "CF3O3S": "triflate",
    "CHO2": "formate",
    "H3O": "hydronium",
    "H4N": "ammonium",
    "C2H8N": "dimethylammonium",
    "C4H12N": "tetramethyl- or diethylammonium",
    "C8H20N": "tetraethylammonium",
    "CNS": "thiocyanate",
}


@dataclass(frozen=True)
class Loose:
    """What lies in the pores of a framework.

    Attributes:
        solvent: molecules that may be taken out.
        ions: known ions and bare metal atoms, which balance the framework's charge and stay.
    """

    solvent: tuple[Component, ...]
    ions: tuple[Component, ...]


def find_loose(components: list[Component], elements: tuple[str, ...]) -> Loose:
    """Return the molecules and ions beside a framework; nothing where there is no framework."""
    if not components or components[0].dimension == 0:
        return Loose((), ())
    molecules = [one for one in components if one.dimension == 0]
    return Loose(
        tuple(one for one in molecules if not _is_ion(one, elements)),
        tuple(one for one in molecules if _is_ion(one, elements)),
    )


def _is_ion(one: Component, elements: tuple[str, ...]) -> bool:
    metal = any(elements[i] not in NONMETALS for i in one.atoms)
    return one.formula in IONS or metal


def loose_findings(components: list[Component], loose: Loose) -> list[Finding]:
    """Name the molecules and ions in the pores."""
    if components and components[0].dimension == 0:
        text = (
            "no bonded component spans the lattice: a crystal of molecules "
            f"({_counted(components)}), or bonds that are too long to be seen. Solvent cannot be "
            "told from the host"
        )
        return [Finding("framework", "warning", text)]
    found = []
    if loose.solvent:
        text = (
            f"unbound molecules in the pores: {_counted(loose.solvent)}. Take them out "
            "(--strip-solvent) unless they belong there"
        )
        found.append(Finding("solvent", "warning", text))
    if loose.ions:
        text = f"unbound ions in the pores, kept: {_counted(loose.ions)}"
        found.append(Finding("ions", "note", text))
    return found


def _counted(components: list[Component] | tuple[Component, ...]) -> str:
    names = {**MOLECULES, **IONS}
    counts = Counter(one.formula for one in components).most_common(8)
    return ", ".join(
        f"{count} {formula}{f' ({names[formula]})' if formula in names else ''}"
        for formula, count in counts
    )


def without(host: Host, components: tuple[Component, ...]) -> Host:
    """Return the host without some of its components, with a note that says so."""
    gone = {int(index) for one in components for index in one.atoms}
    keep = np.array([index for index in range(len(host.elements)) if index not in gone])
    note = f"taken out of the pores by the import: {_counted(components)}"
    return replace(
        host,
        fractional=host.fractional[keep],
        elements=tuple(host.elements[i] for i in keep),
        labels=tuple(host.labels[i] for i in keep),
        charges_e=None if host.charges_e is None else host.charges_e[keep],
        notes=(*host.notes, note),
    )
