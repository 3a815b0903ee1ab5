"""Hosts of a collection that differ: few of each metal, no composition twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from chem.host_import.bonds import NONMETALS
from chem.host_import.duplicates import reduced_formula
from chem.hosts import Host, host_density_kg_per_m3, load_host
from data.errors import WidomillError

LARGEST_FILE_BYTES = 9_000
"""Files above it hold cells too large for many reference labels; they are not even read."""
MOST_ATOMS = 84
MOST_KG_PER_M3 = 1600.0
MOST_OF_A_METAL = 15


def pick(collection: str, count: int, seed: int, without: Iterable[str]) -> list[Path]:
    """Return structures of a collection in an order drawn by a seed.

    Args:
        collection: such as ``core-mof:2019-asr``.
        count: how many.
        seed: of the order.
        without: reduced formulas that are not to be among them.

    Returns:
        CIF files: open enough, small, with carbon and one metal, at most fifteen of each metal.
    """
    metals: Counter[str] = Counter()
    seen = set(without)
    found: list[Path] = []
    for path in _in_random_order(collection, seed):
        if len(found) == count:
            break
        host = _read(path)
        if host is None or (formula := reduced_formula(host.elements)) in seen:
            continue
        metal = sorted(set(host.elements) - NONMETALS)
        if len(metal) != 1 or metals[metal[0]] == MOST_OF_A_METAL:
            continue
        metals[metal[0]] += 1
        seen.add(formula)
        found.append(path)
    return found


def _in_random_order(collection: str, seed: int) -> Iterator[Path]:
    from chem.collections.expand import expand_collection
    from data.streams import stream

    paths = [path for _, path in expand_collection(collection)]
    order = stream(seed, "diverse").permutation(len(paths))
    return (paths[k] for k in order if paths[k].stat().st_size < LARGEST_FILE_BYTES)


def _read(path: Path) -> Host | None:
    """Return a structure, or None where it is broken, large, dense or holds no carbon."""
    try:
        host = load_host(str(path), charges="none")
    except WidomillError:
        return None
    if "C" not in host.elements or len(host.elements) > MOST_ATOMS:
        return None
    return host if host_density_kg_per_m3(host) <= MOST_KG_PER_M3 else None
