"""Classes of host atoms: an element in one kind of bonding environment.

A hydrogen on carbon and one on oxygen carry different charges, and so do carbons of a ring and of
a carboxylate; what they do to a guest differs by more than one element does from the next. The
class of an atom says its element, whom it is bonded to and how many neighbours it has, coarsely
enough that classes recur from host to host:

- hydrogen: its neighbour;
- carbon: the number of neighbours, and whether oxygen or nitrogen is among them;
- other non-metals: the number of neighbours, and which of metal, hydrogen, carbon and
  other non-metals are among them;
- metals: the number of neighbours, at most six.
"""

from __future__ import annotations

import numpy as np

BOND_FACTOR = 1.25
"""Atoms closer than this times the sum of their covalent radii count as bonded."""
LONGEST_BOND_ANGSTROM = 4.0
FIRST_CLASS = 1000
"""Codes below are atomic numbers, codes from here on are classes: 1000 c + atomic number."""
MOST_NEIGHBOURS = 6
NON_METALS = frozenset(
    (1, 2, *range(5, 11), *range(14, 19), *range(33, 37), *range(52, 55), 85, 86)
)
HYDROGEN, CARBON, NITROGEN, OXYGEN, OTHER, METAL = (1 << bit for bit in range(6))
ELEMENT_BITS = {1: HYDROGEN, 6: CARBON, 7: NITROGEN, 8: OXYGEN}
CARBON_SEES = OXYGEN | NITROGEN
NON_METAL_SEES = METAL | HYDROGEN | CARBON | OTHER


def element_of(code: int) -> int:
    """Return the atomic number that the code of a class, or of an element, stands for."""
    return code % FIRST_CLASS


def atom_classes(
    atomic_numbers: np.ndarray, receivers: np.ndarray, senders: np.ndarray
) -> np.ndarray:
    """Return the (n,) codes of the classes of host atoms.

    Args:
        atomic_numbers: (n,) atomic numbers.
        receivers: (e,) atom at one end of every bond; each bond is listed from both ends.
        senders: (e,) atom at the other end.
    """
    numbers = np.asarray(atomic_numbers, dtype=np.int64)
    bits = np.array([_bit(int(z)) for z in numbers], dtype=np.int64)
    seen = np.zeros(len(numbers), dtype=np.int64)
    np.bitwise_or.at(seen, receivers, bits[senders])
    bonds = np.minimum(np.bincount(receivers, minlength=len(numbers)), MOST_NEIGHBOURS)
    told = np.select(
        [numbers == 1, numbers == 6, bits == METAL],
        [_first(seen), CARBON_SEES & seen, 0],
        default=_gathered(seen),
    )
    count = np.where(numbers == 1, 0, bonds)
    return FIRST_CLASS * (1 + count + (MOST_NEIGHBOURS + 1) * told) + numbers


def bonded(
    atomic_numbers: np.ndarray, receivers: np.ndarray, senders: np.ndarray, distances: np.ndarray
) -> np.ndarray:
    """Return which of the (e,) edges between host atoms are bonds.

    Args:
        atomic_numbers: (n,) atomic numbers.
        receivers: (e,) atom at one end.
        senders: (e,) atom at the other.
        distances: (e,) lengths, angstrom.
    """
    from ase.data import covalent_radii

    radii = covalent_radii[np.asarray(atomic_numbers, dtype=np.int64)]
    return np.asarray(distances < BOND_FACTOR * (radii[receivers] + radii[senders]))


def _bit(number: int) -> int:
    return ELEMENT_BITS.get(number, OTHER if number in NON_METALS else METAL)


def _first(seen: np.ndarray) -> np.ndarray:
    """Return one of the kinds seen: a hydrogen between two atoms is its acid's."""
    return seen & -seen


def _gathered(seen: np.ndarray) -> np.ndarray:
    """Return what non-metals are told apart by; nitrogen and oxygen count as others."""
    other = np.where(seen & (NITROGEN | OXYGEN), OTHER, 0)
    return (seen & NON_METAL_SEES) | other
