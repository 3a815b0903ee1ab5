"""Hydrogens that a structure seems to lack, by the geometry around C, N and O.

What is bonded at which lengths and angles tells the hybridisation, and that the number of
hydrogens: the rules are cautious, so that what cannot be told (water or hydroxide between metals,
protonated nitrogen) is not reported. Usual lengths: Allen et al., J. Chem. Soc. Perkin Trans. 2
(1987) S1.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from chem.host_import.bonds import Bonds, metal_mask
from chem.host_import.findings import Finding, listed
from data.records import Host

LINEAR_DEGREES = 155.0
PYRAMIDAL_DEGREES = 342.0
MOST_BONDS = {"H": 1, "C": 4, "N": 4, "O": 3, "F": 2}
"""Most bonds to non-metals; boron and silicon are not counted, they make cages and networks."""
UNCOUNTED = ("B", "Si", "Ge")


@dataclass(frozen=True)
class Surroundings:
    """The bonds of one atom.

    Attributes:
        elements: of its neighbours that are no metals.
        lengths_angstrom: of the bonds to them.
        directions: (k, 3) unit vectors to them.
        metals: number of metal neighbours.
        nearest_metal_angstrom: distance of the nearest one, infinite if none.
    """

    elements: tuple[str, ...]
    lengths_angstrom: np.ndarray
    directions: np.ndarray
    metals: int
    nearest_metal_angstrom: float

    def angles_degrees(self) -> list[float]:
        """Return the angles between every two bonds to non-metals."""
        pairs = combinations(self.directions, 2)
        return [float(np.degrees(np.arccos(np.clip(a @ b, -1.0, 1.0)))) for a, b in pairs]


def missing_hydrogens(host: Host, bonds: Bonds) -> dict[int, int]:
    """Return how many hydrogens seem to be missing, by atom index."""
    rules = {"C": _on_carbon, "N": _on_nitrogen, "O": _on_oxygen}
    metals = metal_mask(host.elements)
    order = np.argsort(bonds.first, kind="stable")
    bounds = np.searchsorted(bonds.first[order], np.arange(len(host.elements) + 1))
    found = {}
    for index, element in enumerate(host.elements):
        if element in rules:
            own = order[bounds[index] : bounds[index + 1]]
            count = rules[element](_surroundings(bonds.select(own), host, metals))
            if count:
                found[index] = count
    return found


def hydrogen_findings(host: Host, bonds: Bonds) -> list[Finding]:
    """Report missing hydrogens; they are not added."""
    found = missing_hydrogens(host, bonds)
    if not found:
        return []
    by_element: Counter[str] = Counter()
    for index, count in found.items():
        by_element[host.elements[index]] += count
    shown = ", ".join(f"{count} on {element}" for element, count in sorted(by_element.items()))
    text = (
        f"hydrogens seem to be missing: about {shown} ({listed(host.labels[i] for i in found)}). "
        "None are added; add them, or expect wrong charges and too large pores"
    )
    return [Finding("missing hydrogens", "warning", text)]


def crowded_findings(host: Host, bonds: Bonds) -> list[Finding]:
    """Report atoms with more bonds to non-metals than they can have."""
    counted = ~metal_mask(host.elements) & ~np.isin(np.array(host.elements), UNCOUNTED)
    count = np.bincount(bonds.first[counted[bonds.second]], minlength=len(host.elements))
    most = np.array([MOST_BONDS.get(element, 99) for element in host.elements])
    crowded = np.flatnonzero(count > most)
    if not len(crowded):
        return []
    shown = listed(f"{host.labels[i]} with {count[i]}" for i in crowded)
    text = f"too many bonds: {shown}. Parts overlap, or positions are alternatives"
    return [Finding("too many bonds", "warning", text)]


def _surroundings(bonds: Bonds, host: Host, metals: np.ndarray) -> Surroundings:
    metal = metals[bonds.second]
    plain = bonds.select(~metal)
    distance = bonds.distance_angstrom[metal]
    return Surroundings(
        tuple(host.elements[i] for i in plain.second),
        plain.distance_angstrom,
        plain.vector_angstrom / np.maximum(plain.distance_angstrom, 1e-9)[:, None],
        int(metal.sum()),
        float(distance.min()) if len(distance) else float("inf"),
    )


def _on_carbon(near: Surroundings) -> int:
    """Carbon: four bonds (sp3), three in a plane (sp2) or two in a line (sp)."""
    bonds = len(near.elements)
    if near.metals or bonds >= 4 or bonds == 0:
        return 0
    length = float(near.lengths_angstrom.mean())
    if bonds == 3:
        pyramid = sum(near.angles_degrees()) < PYRAMIDAL_DEGREES
        return int(pyramid and _heavy_length(near) > 1.40)
    if bonds == 2:
        if near.angles_degrees()[0] > LINEAR_DEGREES:
            return 0
        if near.elements == ("O", "O"):
            return int(length > 1.2)  # formate without its hydrogen; bent CO2 is not
        return 2 if _heavy_length(near) > 1.47 else 1
    return _on_terminal_carbon(near.elements[0], length)


def _on_terminal_carbon(neighbour: str, length: float) -> int:
    """Carbon with one bond: methyl, =CH2 or an end of a triple bond."""
    if neighbour in {"N", "O"} and length < 1.25:
        return 0
    if length < 1.25:
        return 1
    return 2 if length < 1.38 else 3


def _on_nitrogen(near: Surroundings) -> int:
    """Nitrogen: a terminal one farther than a double bond is an amine."""
    bonds = len(near.elements)
    if near.metals:
        return 0
    if bonds == 1 and near.elements[0] == "C":
        return 2 if near.lengths_angstrom[0] > 1.30 else 0
    if bonds == 2 and near.elements == ("C", "C"):
        return int(_heavy_length(near) > 1.43 and near.angles_degrees()[0] < 120.0)
    return 0


def _on_oxygen(near: Surroundings) -> int:
    """Oxygen: a long terminal C-O is a hydroxyl, a lone long M-O is bound water."""
    bonds = len(near.elements)
    if bonds == 1 and not near.metals and near.elements[0] == "C":
        return int(near.lengths_angstrom[0] > 1.33)
    if bonds == 0 and near.metals == 0:
        return 2
    if bonds == 0 and near.metals == 1:
        return 2 if near.nearest_metal_angstrom > 2.0 else 0
    return 0


def _heavy_length(near: Surroundings) -> float:
    """Return the mean length of the bonds to others than hydrogen, angstrom."""
    heavy = np.array([element != "H" for element in near.elements])
    return float(near.lengths_angstrom[heavy].mean()) if heavy.any() else 0.0
