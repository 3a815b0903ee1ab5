"""Which atoms of a host are bonded, by distance and covalent radii.

Two atoms are bonded when they are closer than the sum of their covalent radii [1] and a margin,
0.4 angstrom where a metal or hydrogen is involved (the rule of the Cambridge Structural Database),
0.3 elsewhere. A hydrogen has one bond: to its nearest neighbour, metals and hydrogens last.

References:
    [1] Cordero et al., Dalton Trans. (2008) 2832.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from data.records import Host

WIDE_MARGIN_ANGSTROM = 0.4
MARGIN_ANGSTROM = 0.3
HYDROGEN_MOLECULE_ANGSTROM = 0.85
"""Two hydrogens closer than this are H2; farther ones are never bonded."""
_NONMETALS = "H He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Te I Xe At Rn"
NONMETALS = frozenset(_NONMETALS.split())
"""Metalloids included."""


@dataclass(frozen=True)
class Bonds:
    """Every bond of a cell, in both directions.

    Attributes:
        first: (b,) atom index.
        second: (b,) atom index.
        shift: (b, 3) lattice translation from the first atom's cell to the second's.
        vector_angstrom: (b, 3) from the first atom to the second.
        distance_angstrom: (b,) its length.
    """

    first: np.ndarray
    second: np.ndarray
    shift: np.ndarray
    vector_angstrom: np.ndarray
    distance_angstrom: np.ndarray

    def select(self, keep: np.ndarray) -> Bonds:
        """Return the bonds where a (b,) mask is true."""
        return Bonds(
            self.first[keep],
            self.second[keep],
            self.shift[keep],
            self.vector_angstrom[keep],
            self.distance_angstrom[keep],
        )


@cache
def _radii_table() -> np.ndarray:
    from ase.data import covalent_radii

    return np.array(covalent_radii)


def covalent_radii_angstrom(elements: tuple[str, ...]) -> np.ndarray:
    """Return the (n,) covalent radius of every atom, angstrom [1]."""
    from ase.data import atomic_numbers

    return _radii_table()[[atomic_numbers[element] for element in elements]]


def metal_mask(elements: tuple[str, ...]) -> np.ndarray:
    """Return an (n,) mask of the atoms that are metals."""
    return np.array([element not in NONMETALS for element in elements], dtype=bool)


def close_pairs(host: Host) -> Bonds:
    """Return all pairs closer than the longest bond their elements can have."""
    from ase.neighborlist import primitive_neighbor_list

    radii, metals = covalent_radii_angstrom(host.elements), metal_mask(host.elements)
    longest = 2.0 * radii.max() + WIDE_MARGIN_ANGSTROM
    first, second, distance, vector, shift = primitive_neighbor_list(
        "ijdDS", [True] * 3, host.lattice_angstrom, host.positions_angstrom, float(longest)
    )
    wide = metals | (np.array(host.elements) == "H")
    margin = np.where(wide[first] | wide[second], WIDE_MARGIN_ANGSTROM, MARGIN_ANGSTROM)
    near = distance < radii[first] + radii[second] + margin
    return Bonds(first[near], second[near], shift[near], vector[near], distance[near])


def find_bonds(host: Host) -> Bonds:
    """Return the bonds of a host."""
    pairs = close_pairs(host)
    hydrogen = np.array([element == "H" for element in host.elements])
    both = hydrogen[pairs.first] & hydrogen[pairs.second]
    pairs = pairs.select(~both | (pairs.distance_angstrom < HYDROGEN_MOLECULE_ANGSTROM))
    return pairs.select(_one_bond_each(pairs, hydrogen, metal_mask(host.elements)))


def _one_bond_each(pairs: Bonds, hydrogen: np.ndarray, metals: np.ndarray) -> np.ndarray:
    """Return the mask of pairs in which every hydrogen keeps its best neighbour only."""
    merit = pairs.distance_angstrom + 10.0 * metals[pairs.second] + 5.0 * hydrogen[pairs.second]
    best = np.full(len(hydrogen), np.inf)
    own = hydrogen[pairs.first]
    np.minimum.at(best, pairs.first[own], merit[own])
    chosen = np.zeros(len(pairs.first), dtype=bool)
    chosen[own] = merit[own] <= best[pairs.first[own]] + 1e-6
    keys = zip(pairs.first, pairs.second, map(tuple, pairs.shift), strict=True)
    kept = {key for key, keep in zip(keys, chosen, strict=True) if keep}
    back = zip(pairs.second, pairs.first, map(tuple, -pairs.shift), strict=True)
    returned = np.array([key in kept for key in back], dtype=bool)
    other = hydrogen[pairs.second]
    return (~own | chosen) & (~other | returned)
