"""Hosts of a collection that differ: few of each metal, no composition twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST_FILE_BYTES = 9_000
"""Files above it hold cells too large for many reference labels; they are not even read."""
MOST_ATOMS = 100
MOST_KG_PER_M3 = 1600.0
MOST_OF_A_METAL = 4
NON_METALS = frozenset(["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br", "I"])

Composition = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Picked:
    """A structure and its reduced composition."""

    path: Path
    composition: Composition


def composition(elements: Iterable[str]) -> Composition:
    """Return the reduced composition of a host's elements, sorted by symbol."""
    from math import gcd

    counts = Counter(elements)
    divisor = gcd(*counts.values())
    return tuple(sorted((symbol, count // divisor) for symbol, count in counts.items()))


def pick(collection: str, count: int, seed: int, without: Iterable[Composition]) -> list[Path]:
    """Return structures of a collection in an order drawn by a seed.

    Args:
        collection: such as ``core-mof:2019-asr``.
        count: how many.
        seed: of the order.
        without: reduced compositions that are not to be among them.

    Returns:
        CIF files: open enough, small, with carbon and one metal, at most four of each metal.
    """
    metals: Counter[str] = Counter()
    seen = set(without)
    found: list[Path] = []
    for path in _in_random_order(collection, seed):
        if len(found) == count:
            break
        one = _read(path)
        if one is None or one.composition in seen:
            continue
        metal = [symbol for symbol, _ in one.composition if symbol not in NON_METALS]
        if len(metal) != 1 or metals[metal[0]] == MOST_OF_A_METAL:
            continue
        metals[metal[0]] += 1
        seen.add(one.composition)
        found.append(path)
    return found


def _in_random_order(collection: str, seed: int) -> Iterator[Path]:
    from chem.collections.expand import expand_collection
    from data.streams import stream

    paths = [path for _, path in expand_collection(collection)]
    order = stream(seed, "diverse").permutation(len(paths))
    return (paths[k] for k in order if paths[k].stat().st_size < LARGEST_FILE_BYTES)


def _read(path: Path) -> Picked | None:
    """Return a structure, or None where it is broken, large, dense or holds no carbon."""
    from chem.hosts import host_density_kg_per_m3, load_host
    from data.errors import WidomillError

    try:
        host = load_host(str(path), charges="none")
    except WidomillError:
        return None
    if "C" not in host.elements or len(host.elements) > MOST_ATOMS:
        return None
    if host_density_kg_per_m3(host) > MOST_KG_PER_M3:
        return None
    return Picked(path, composition(host.elements))
