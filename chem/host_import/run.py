"""Imports a folder of CIF files: examines each, keeps the sound ones, writes the catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chem.cif import write_cif
from chem.host_import.catalogue import row_of, write_catalogue
from chem.host_import.duplicates import Duplicates
from chem.host_import.examine import Examined, ImportSettings, examine
from chem.host_import.findings import Finding
from chem.host_import.names import UniqueNames
from data.errors import HostError

SUFFIXES = {".cif", ".mcif"}


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        catalogue: path of catalogue.parquet.
        rows: one record a file, as in the catalogue.
    """

    catalogue: Path
    rows: tuple[dict[str, Any], ...]

    @property
    def verdicts(self) -> dict[str, int]:
        """How many files had which verdict."""
        return dict(Counter(str(row["verdict"]) for row in self.rows))

    @property
    def checks(self) -> dict[str, int]:
        """How many files which check had something against, most frequent first."""
        counts = Counter(c for row in self.rows for c in str(row["checks"]).split(",") if c)
        return dict(counts.most_common())


def find_files(places: Sequence[Path]) -> list[Path]:
    """Return the CIF files among files and, at any depth, in folders, ordered by name.

    Raises:
        HostError: a place does not exist, or there is no CIF file at all.
    """
    found: dict[Path, None] = {}
    for place in places:
        if not place.exists():
            raise HostError(f"There is no file or folder {place} (looked in {Path.cwd()}).")
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        for path in inside:
            hidden = place.is_dir() and any(
                part.startswith(".") for part in path.relative_to(place).parts
            )
            if not place.is_dir() or (
                path.suffix.lower() in SUFFIXES and path.is_file() and not hidden
            ):
                found[path] = None
    if not found:
        shown = ", ".join(str(place) for place in places)
        raise HostError(f"There is no file that ends in .cif in {shown}.")
    return list(found)


def import_hosts(
    sources: Iterable[tuple[str, Path]],
    folder: Path,
    settings: ImportSettings | None = None,
    progress: Callable[[int, str], None] = lambda done, name: None,
) -> Imported:
    """Examine structures, copy the accepted ones to ``folder/hosts`` and write the catalogue.

    The originals are not touched. A copy holds the primitive cell in P1 with full precision,
    labels and charges, and says in its comments where it comes from.

    Args:
        sources: name wished for and file of every structure.
        folder: where hosts/ and catalogue.parquet go; it is made.
        settings: how files are examined.
        progress: called with the number done and the name after every file.
    """
    importer = Importer(folder)
    for wished, path in sources:
        row = importer.add(wished, examine(path, settings))
        progress(len(importer.rows), row["id"])
    return importer.finish()


class Importer:
    """Takes examined structures one by one; the sound and new ones go to ``folder/hosts``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self._names, self._seen = UniqueNames(), Duplicates()

    def add(self, wished: str, examined: Examined) -> dict[str, Any]:
        """Take one structure under the name wished for, and return its row of the catalogue."""
        name = self._names.take(wished)
        examined = _unless_duplicate(examined, name, self._seen)
        kept = None
        if examined.host is not None:
            kept = f"hosts/{name}.cif"
            write_cif(replace(examined.host, name=name), self.folder / kept)
        self.rows.append(row_of(examined, name, kept))
        return self.rows[-1]

    def finish(self) -> Imported:
        """Write the catalogue."""
        return Imported(write_catalogue(self.rows, self.folder), tuple(self.rows))


def _unless_duplicate(examined: Examined, name: str, seen: Duplicates) -> Examined:
    """Return the outcome, refused if the same structure was accepted before."""
    if examined.host is None:
        return examined
    twin = seen.find(name, examined.host)
    if twin is None:
        return examined
    finding = Finding("duplicate", "refused", f"the same structure as {twin}")
    return replace(examined, findings=(*examined.findings, finding), host=None)
