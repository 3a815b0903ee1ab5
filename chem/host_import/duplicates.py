"""Finds structures that are the same crystal, whatever cell, origin or names they are written in.

First by a hash of the standardised primitive cell, which costs nothing and misses some; then,
among structures of one reduced formula, equal number of atoms and nearly equal volume, by
pymatgen's StructureMatcher [1] with tight tolerances, so that open and closed forms of a flexible
framework stay apart.

References:
    [1] Ong et al., Comput. Mater. Sci. 68 (2013) 314.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import Any

import numpy as np

from data.records import Host, content_hash

SAME_VOLUME = 0.03
LENGTH_TOLERANCE = 0.03
SITE_TOLERANCE = 0.1
"""Root mean square distance over the cube root of the volume per atom."""
ANGLE_TOLERANCE_DEGREES = 2.0
SYMMETRY_ANGSTROM = 0.01
LARGEST_MATCHED_ATOMS = 1000
"""Above this only cells that are written alike are recognised: matching would take minutes."""


@dataclass(frozen=True)
class _Known:
    name: str
    host: Host
    structure: Any


class Duplicates:
    """Remembers structures and tells whether a new one is among them."""

    def __init__(self) -> None:
        self._by_hash: dict[str, str] = {}
        self._by_formula: dict[tuple[str, int], list[_Known]] = defaultdict(list)

    def find(self, name: str, host: Host) -> str | None:
        """Return the name of the same structure among those seen, else remember this one.

        Args:
            name: what to call this one.
            host: its primitive cell.
        """
        plain = _without_names(host)
        key = structure_hash(plain)
        if key in self._by_hash:
            return self._by_hash[key]
        bucket = self._by_formula[reduced_formula(plain.elements), len(plain.elements)]
        mine = _Known(name, plain, _structure(plain) if self._matchable(plain) else None)
        for other in bucket:
            if _same(mine, other):
                return other.name
        self._by_hash[key] = name
        bucket.append(mine)
        return None

    @staticmethod
    def _matchable(host: Host) -> bool:
        return len(host.elements) <= LARGEST_MATCHED_ATOMS


def reduced_formula(elements: tuple[str, ...]) -> str:
    """Return the formula divided by the common divisor of its counts, elements by letter."""
    counts = Counter(elements)
    divisor = reduce(gcd, counts.values())
    return " ".join(f"{name}{counts[name] // divisor}" for name in sorted(counts))


def structure_hash(host: Host) -> str:
    """Return a hash of the standardised primitive cell: elements, lattice, rounded positions."""
    import spglib
    from ase.data import atomic_numbers

    numbers = [atomic_numbers[element] for element in host.elements]
    cell: Any
    if len(numbers) > LARGEST_MATCHED_ATOMS:
        return content_hash(
            np.round(host.lattice_angstrom, 2), np.round(host.fractional, 3), numbers
        )
    cell = (host.lattice_angstrom, host.fractional, numbers)
    found = spglib.standardize_cell(cell, to_primitive=True, symprec=SYMMETRY_ANGSTROM)
    lattice, places, kinds = cell if found is None else found
    rounded = np.round(np.asarray(places) % 1.0, 3) % 1.0
    rows = sorted((int(kind), *row) for kind, row in zip(kinds, rounded.tolist(), strict=True))
    return content_hash(np.round(np.asarray(lattice), 2) + 0.0, rows)


def _without_names(host: Host) -> Host:
    """Return the primitive cell by elements alone: labels and charges tell nothing apart."""
    from dataclasses import replace

    from chem.cells import reduce_to_primitive

    return reduce_to_primitive(replace(host, labels=host.elements, charges_e=None))


def _structure(host: Host) -> Any:
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.structure import Structure

    lattice = Lattice(host.lattice_angstrom)
    return Structure(lattice, list(host.elements), host.fractional).get_reduced_structure()


def _same(one: _Known, two: _Known) -> bool:
    """Whether two structures of one formula and size are the same crystal."""
    volumes = one.host.volume_angstrom3, two.host.volume_angstrom3
    if abs(volumes[0] - volumes[1]) > SAME_VOLUME * max(volumes):
        return False
    if one.structure is None or two.structure is None:
        return False
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(
        ltol=LENGTH_TOLERANCE,
        stol=SITE_TOLERANCE,
        angle_tol=ANGLE_TOLERANCE_DEGREES,
        primitive_cell=False,
        scale=False,
    )
    return bool(matcher.fit(one.structure, two.structure))
