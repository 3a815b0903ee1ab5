"""Names that are safe as file names: plain letters, no way out of a folder, no two alike."""

from __future__ import annotations

import re
import unicodedata

from data.records import content_hash

LONGEST = 80
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def safe_name(text: str) -> str:
    """Return a name of letters, digits, dots, dashes and underscores, like the one given.

    Accents are dropped; what has no plain letters gets a name from its hash. Names that were cut
    short or lost characters beyond spaces and accents end in a hash too, so that different names
    stay different.
    """
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    spaced = re.sub(r"\s+", "_", plain.strip())
    name = re.sub(r"[^A-Za-z0-9._+-]", "", spaced)
    name = re.sub(r"\.{2,}", ".", name).strip("._-+")
    lost = len(name) < len(spaced.strip("._-+")) or len(name) > LONGEST
    if not name or RESERVED.fullmatch(name):
        return f"host-{content_hash(text)[:8]}"
    return f"{name[:LONGEST]}-{content_hash(text)[:8]}" if lost else name


class UniqueNames:
    """Hands out names that differ by more than letter case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, text: str) -> str:
        """Return `safe_name`, with a number behind it if it is taken."""
        name, number = safe_name(text), 1
        candidate = name
        while candidate.lower() in self._taken:
            number += 1
            candidate = f"{name}-{number}"
        self._taken.add(candidate.lower())
        return candidate
