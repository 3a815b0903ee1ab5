"""Distances that no sound structure has, and atoms that no other one holds."""

from __future__ import annotations

import numpy as np

from chem.cells import compact_lattice, narrowest_angstrom
from chem.host_import.bonds import Bonds, covalent_radii_angstrom, metal_mask
from chem.host_import.components import Component
from chem.host_import.findings import Finding, listed
from data.records import Host

IMPOSSIBLE = 0.6
"""Below this share of the sum of covalent radii there is no bond (N2, the shortest, has 0.77)."""
DOUBTFUL = 0.7
IMPOSSIBLE_METAL, DOUBTFUL_METAL = 0.5, 0.6
"""Multiple bonds of metals are short: uranyl's U=O has 0.67, vanadyl's V=O 0.72."""


def distance_findings(host: Host, pairs: Bonds, bonds: Bonds) -> list[Finding]:
    """Report pairs of atoms that are too close to each other.

    Args:
        host: the structure.
        pairs: every pair within bonding distance, `chem.host_import.bonds.close_pairs`.
        bonds: those that count as bonds, `chem.host_import.bonds.find_bonds`.
    """
    radii, metals = covalent_radii_angstrom(host.elements), metal_mask(host.elements)
    once = pairs.select(pairs.first <= pairs.second)
    share = once.distance_angstrom / (radii[once.first] + radii[once.second])
    metal = metals[once.first] | metals[once.second]
    impossible = share < np.where(metal, IMPOSSIBLE_METAL, IMPOSSIBLE)
    doubtful = ~impossible & (share < np.where(metal, DOUBTFUL_METAL, DOUBTFUL))
    found = []
    if impossible.any():
        text = (
            f"atoms too close: {_pairs(host, once.select(impossible))}. Remove duplicates, "
            "alternative positions or a wrong symmetry"
        )
        found.append(Finding("overlap", "refused", text))
    if doubtful.any():
        text = f"short bonds: {_pairs(host, once.select(doubtful))}"
        found.append(Finding("short bonds", "warning", text))
    return found + _clashing_hydrogens(host, once, bonds)


def _clashing_hydrogens(host: Host, pairs: Bonds, bonds: Bonds) -> list[Finding]:
    """Report hydrogens of different groups that are nearly as close as in H2."""
    hydrogen = np.array([element == "H" for element in host.elements])
    molecules = set(bonds.first[hydrogen[bonds.first] & hydrogen[bonds.second]].tolist())
    free = hydrogen & ~np.isin(np.arange(len(hydrogen)), list(molecules))
    clash = free[pairs.first] & free[pairs.second]
    if not clash.any():
        return []
    text = f"hydrogens nearly on top of each other: {_pairs(host, pairs.select(clash))}"
    return [Finding("short bonds", "warning", text)]


def _pairs(host: Host, pairs: Bonds) -> str:
    order = np.argsort(pairs.distance_angstrom, kind="stable")
    return listed(
        f"{host.labels[pairs.first[k]]}-{host.labels[pairs.second[k]]} "
        f"{pairs.distance_angstrom[k]:.2f} angstrom"
        for k in order[:50]
    )


def isolated_findings(host: Host, components: list[Component]) -> list[Finding]:
    """Report hydrogens, carbons and other non-ions that are bonded to nothing."""
    alone = [int(c.atoms[0]) for c in components if len(c.atoms) == 1 and c.dimension == 0]
    odd = [i for i in alone if host.elements[i] in {"H", "B", "C", "N", "P", "S", "Si"}]
    if not odd:
        return []
    text = (
        f"atoms bonded to nothing: {listed(host.labels[i] for i in odd)} ({len(odd)} of "
        f"{len(host.elements)}). A part of the structure is missing or misplaced"
    )
    return [Finding("isolated atoms", "warning", text)]


def cell_findings(host: Host, cutoff_angstrom: float) -> list[Finding]:
    """Note a cell that is thinner than the cutoff, and densities no crystal has."""
    found = []
    width = narrowest_angstrom(compact_lattice(host.lattice_angstrom))
    if width < cutoff_angstrom:
        text = (
            f"cell {width:.2f} angstrom thick, the cutoff is {cutoff_angstrom:g}: a guest's images "
            "are near, so a reference needs a supercell or the guest in the same cell"
        )
        found.append(Finding("thin cell", "note", text))
    per_atom = host.volume_angstrom3 / len(host.elements)
    if per_atom > 200.0 or per_atom < 4.0:
        text = (
            f"{per_atom:.3g} cubic angstrom per atom; crystals have some 5 to 100. Are atoms "
            "missing, or is the cell's unit wrong?"
        )
        found.append(Finding("density", "warning", text))
    return found
