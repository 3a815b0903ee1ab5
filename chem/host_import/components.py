"""Bonded components of a crystal: frameworks that span the lattice, and molecules that do not."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

import numpy as np

from chem.host_import.bonds import Bonds

ORDER = ("C", "H")
"""Hill order: carbon, hydrogen, then by letter."""


@dataclass(frozen=True)
class Component:
    """Atoms that are bonded with each other, directly or through others.

    Attributes:
        atoms: their indices, ascending.
        dimension: in how many directions it goes on for ever: 0 is a molecule, 3 a framework.
        formula: its atoms, per cell.
    """

    atoms: np.ndarray
    dimension: int
    formula: str


def find_components(bonds: Bonds, elements: tuple[str, ...]) -> list[Component]:
    """Return the components of a bond graph, largest first."""
    neighbours: list[list[tuple[int, np.ndarray]]] = [[] for _ in elements]
    for one, two, shift in zip(bonds.first, bonds.second, bonds.shift, strict=True):
        neighbours[one].append((int(two), shift))
    cells: dict[int, np.ndarray] = {}
    found = []
    for start in range(len(elements)):
        if start not in cells:
            atoms, dimension = _grow(start, neighbours, cells)
            formula = hill_formula([elements[i] for i in atoms])
            found.append(Component(np.array(sorted(atoms)), dimension, formula))
    return sorted(found, key=lambda one: (-one.dimension, -len(one.atoms), int(one.atoms[0])))


def _grow(
    start: int,
    neighbours: list[list[tuple[int, np.ndarray]]],
    cells: dict[int, np.ndarray],
) -> tuple[list[int], int]:
    """Return the atoms reached from one and the rank of the translations that lead back."""
    cells[start] = np.zeros(3, dtype=int)
    atoms, queue = [start], deque([start])
    loops: set[tuple[int, ...]] = set()
    while queue:
        one = queue.popleft()
        for two, shift in neighbours[one]:
            there = cells[one] + shift
            if two not in cells:
                cells[two] = there
                atoms.append(two)
                queue.append(two)
            elif (there != cells[two]).any():
                loops.add(tuple(int(x) for x in there - cells[two]))
    rank = int(np.linalg.matrix_rank(np.array(sorted(loops)))) if loops else 0
    return atoms, rank


def hill_formula(elements: list[str]) -> str:
    """Return a chemical formula in Hill order, such as C3H7NO."""
    counts = Counter(elements)
    first = [e for e in ORDER if e in counts] if "C" in counts else []
    names = first + sorted(set(counts) - set(first))
    return "".join(f"{name}{counts[name] if counts[name] > 1 else ''}" for name in names)
