"""Looks at a CIF's text before it is split into tokens: its size, and what is there twice."""

from __future__ import annotations

import re

from data.errors import StructureError

LARGEST_FILE_BYTES = 100_000_000
LARGEST_TEXT = 10_000_000
"""Letters that are split into tokens, some 50,000 atoms; long text fields do not count."""
FOREIGN = "~"
"""Stands for letters beyond ASCII, which the tokeniser would drop: a minus sign, say."""
LONG_FIELD = 10_000
"""Text fields longer than this (reflections, refinement logs) are dropped."""
_FIELD = re.compile(r"^;.*?^;", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^\s*data_(\S*)", re.MULTILINE | re.IGNORECASE)
_ONCE = re.compile(
    r"^\s*(_cell_(?:length|angle)_\w+|_atom_site_(?:fract_[xyz]|label|type_symbol|occupancy|charge))"
    r"(?=\s|$)",
    re.MULTILINE | re.IGNORECASE,
)


def prepare(text: str, origin: str) -> str:
    """Return the text to split into tokens, without long text fields.

    Raises:
        StructureError: too large, two blocks of one name, or a column that is there twice.
    """
    if len(text) > LONG_FIELD:
        text = _FIELD.sub(lambda field: "?" if len(field[0]) > LONG_FIELD else field[0], text)
    if len(text) > LARGEST_TEXT:
        raise StructureError(
            f"{origin} has {len(text) / 1e6:.0f} million letters besides long text fields; at most "
            f"{LARGEST_TEXT // 10**6} million are read. A host of 50,000 atoms has fewer: "
            "is it a structure, and one alone?"
        )
    _refuse_twice(_FIELD.sub("?", text), origin)
    return re.sub(r"[^\x00-\x7f]", FOREIGN, text)


def _refuse_twice(text: str, origin: str) -> None:
    """Raise where a later value would silently replace an earlier one."""
    starts = list(_BLOCK.finditer(text))
    names: set[str] = set()
    ends = [*(start.start() for start in starts[1:]), len(text)][: len(starts)]
    for start, end in zip(starts, ends, strict=True):
        name = start[1].lower()
        tags = [found[1].lower() for found in _ONCE.finditer(text, start.end(), end)]
        if name in names and tags:
            raise StructureError(
                f"{origin} has two blocks named data_{start[1][:60]}. Give one structure a file."
            )
        if tags:
            names.add(name)
        twice = next((tag for k, tag in enumerate(tags) if tag in tags[:k]), None)
        if twice:
            raise StructureError(f"{origin} gives {twice} twice in one block. Remove one of them.")
