"""The corpus of dirty inputs, modelled on what databases and users' folders hold.

Each case is a kind of file, a name and a function that writes it. ``must`` says what the outcome
has to be where only one is right: ``error``, ``record``, or None where both are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anything
import cifs
import parameters
import tables


@dataclass(frozen=True)
class Case:
    """One dirty input."""

    kind: str
    name: str
    content: Callable[[], str | bytes] | None
    suffix: str
    must: str | None = "error"
    large: bool = False

    def write(self, folder: Path) -> Path:
        """Write it into a folder (a folder of its name where there is no content)."""
        path = folder / f"dirty{self.suffix}"
        if self.content is None:
            path.mkdir(parents=True)
            return path
        made = self.content()
        path.write_bytes(made.encode("utf-8", "surrogatepass") if isinstance(made, str) else made)
        return path


def cases() -> Iterator[Case]:
    """Yield the whole corpus."""
    for name, (text, must) in cifs.cifs().items():
        yield Case("cif", name, lambda text=text: text, ".cif", must)
        yield Case("import", name, lambda text=text: text, ".cif", "record")
    for name, (make, must) in cifs.large_cifs().items():
        yield Case("cif", name, make, ".cif", must, large=True)
        yield Case("import", name, make, ".cif", "record", large=True)
    for kind, suffix, table in (
        ("force field", ".yaml", parameters.force_fields_yaml()),
        ("force field", ".json", parameters.force_fields_json()),
        ("guest", ".yaml", parameters.guests_yaml()),
        ("guest", ".json", parameters.guests_json()),
        ("charges", ".csv", tables.charges()),
        ("block file", ".block", tables.blocks()),
        ("host list", ".csv", tables.host_lists()),
    ):
        for name, (text, must) in table.items():
            yield Case(kind, f"{name} {suffix}", lambda text=text: text, suffix, must)
    for name, make in tables.parquets().items():
        yield Case("parquet", name, make, ".parquet", None if name.startswith("maybe") else "error")
        yield Case("host list", f"parquet {name}", make, ".parquet", None)
    for kind, name, content, suffix in anything.everywhere():
        made = None if content is None else (lambda content=content: content)
        yield Case(kind, name, made, suffix)
