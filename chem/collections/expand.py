"""Turns ``core-mof:2019-asr:100`` into structures: the first N, a random N, or by name."""

from __future__ import annotations

import difflib
import re
from fnmatch import fnmatchcase
from pathlib import Path

from chem.collections.archive import unpacked
from chem.collections.catalogue import Collection, CollectionError, find_collection
from data.streams import stream

EXAMPLES = (
    "Write core-mof:2019-asr (all), core-mof:2019-asr:100 (the first hundred by name), "
    "core-mof:2019-asr:100@7 (a hundred at random, seed 7), core-mof:2019-asr:NAME or a pattern "
    "such as core-mof:2019-asr:AB*"
)


def expand_collection(spec: str, cache: Path | None = None) -> list[tuple[str, Path]]:
    """Return (id, CIF file) of the structures that a host entry asks for.

    Args:
        spec: ``FAMILY:SET[:WHICH]``. WHICH is N (the first N, ordered by name), ``N@SEED`` (N at
            random, the same for the same seed), or a name or pattern, letter case ignored; absent
            means all. ``core-mof:2019-asr[:100]`` is understood as ``core-mof:2019-asr:100``.
        cache: the user's cache, where the structures are kept; found by itself by default.

    Returns:
        Ids that are the file names without suffix, in order of name (a random choice too).

    Raises:
        CollectionError: unknown, not installed, or nothing of that name.
    """
    collection, which = parse(spec)
    if re.fullmatch(r"\d+(@\d+)?", which) and int(which.partition("@")[0]) < 1:
        raise CollectionError(f"{spec!r} asks for no structure. {EXAMPLES}.")
    folder = unpacked(collection, cache)
    paths = {path.stem: path for path in sorted(folder.glob("*.cif"))}
    return [(name, paths[name]) for name in _chosen(list(paths), which, spec)]


def record_of(spec: str) -> dict[str, str]:
    """Return name, licence, citation and address of the collection of a host entry."""
    one, _ = parse(spec)
    return {
        "name": one.name,
        "title": one.title,
        "licence": one.licence,
        "citation": one.citation,
        "url": one.url,
        "package": f"{one.module} {one.version}",
    }


def parse(spec: str) -> tuple[Collection, str]:
    """Return the collection of a host entry and what it asks of it, empty for all.

    Raises:
        CollectionError: not of the form ``FAMILY:SET[:WHICH]``, or unknown.
    """
    plain = re.sub(r"\[:([^]]*)\]$", r":\1", spec.strip())
    family, _, rest = plain.partition(":")
    dataset, colon, which = rest.partition(":")
    found = find_collection(f"{family}:{dataset}")
    if colon and not which.strip():
        raise CollectionError(f"{spec!r} ends in a colon with nothing after it. {EXAMPLES}.")
    return found, which.strip()


def _chosen(names: list[str], which: str, spec: str) -> list[str]:
    """Return the names asked for, in order of name."""
    names = sorted(names)
    if not which:
        return names
    count, at, seed = which.partition("@")
    if count.isdecimal() and (not at or seed.isdecimal()):
        if int(count) > len(names):
            raise CollectionError(
                f"{spec!r} asks for {count} structures, the collection has {len(names)}. "
                f"{EXAMPLES}."
            )
        return _random(names, int(count), int(seed)) if at else names[: int(count)]
    return _named(names, which, spec)


def _random(names: list[str], count: int, seed: int) -> list[str]:
    """Return a random choice; a larger one of the same seed contains it."""
    order = stream(seed, "collection").permutation(len(names))
    return sorted(names[i] for i in order[:count])


def _named(names: list[str], which: str, spec: str) -> list[str]:
    """Return the structures of a name, of a name without its suffix ``_clean``, or of a pattern."""
    wanted = which.lower().removesuffix(".cif")
    found = [name for name in names if fnmatchcase(name.lower(), wanted)]
    if not found:
        found = [name for name in names if re.sub(r"_[a-z]+$", "", name.lower()) == wanted]
    if found:
        return found
    lowered = {name.lower(): name for name in names}
    near = [lowered[hit] for hit in difflib.get_close_matches(wanted, lowered, cutoff=0.6)]
    guess = f" Did you mean {' or '.join(near)}?" if near else ""
    raise CollectionError(f"{spec!r}: there is no structure named {which!r}.{guess} {EXAMPLES}.")
