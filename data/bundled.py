"""Finds the bundled hosts, guests and force fields inside the installed package."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable


def bundled_files(folder: str, suffix: str) -> dict[str, Traversable]:
    """Return the bundled files of one folder by their stem, sorted by name.

    Args:
        folder: ``hosts``, ``guests`` or ``force_fields``.
        suffix: file suffix with its dot, ``.cif`` or ``.yaml``.

    Returns:
        Stem to file; the files may live in a zip archive, so read them with ``read_text``.
    """
    entries = (resources.files("data") / folder).iterdir()
    found = {e.name.removesuffix(suffix): e for e in entries if e.name.endswith(suffix)}
    return dict(sorted(found.items()))


def match_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name equal to ``name`` up to letter case, or None."""
    names = {entry.lower(): entry for entry in known}
    return names.get(name.strip().lower())


def unknown_name(kind: str, name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the message for a name nobody knows: nearest names, all names, what else works.

    Args:
        kind: what was looked for, ``host`` and so on.
        name: what the user wrote.
        known: every bundled name.
        otherwise: what to give instead of a bundled name.
    """
    names = list(known)
    lowered = {entry.lower(): entry for entry in names}
    near = [lowered[hit] for hit in difflib.get_close_matches(name.lower(), lowered, cutoff=0.5)]
    guess = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"There is no file and no bundled {kind} named {name!r}.{guess} "
        f"Bundled: {', '.join(names)}. Otherwise give {otherwise}."
    )
