"""From the entries of a campaign file to hosts, each with an id and a source."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data.bundled import bundled_files, match_name
from data.errors import HostError, SettingsError
from flows.campaign.settings import HostList

CIF_SUFFIXES = (".cif", ".mcif")
LONGEST_ID = 80


@dataclass(frozen=True)
class HostEntry:
    """A host of a campaign.

    Attributes:
        id: its name in the campaign, safe in file names.
        source: absolute path of its CIF, or the name of a bundled host.
    """

    id: str
    source: str

    def matches(self, pattern: str) -> bool:
        """Return whether the id fits a name with ``*`` and ``?``."""
        return fnmatch.fnmatchcase(self.id, pattern)


def safe_id(text: str) -> str:
    """Return a name that is safe as a file name: letters, digits, dots, dashes, underscores.

    Raises:
        SettingsError: nothing of it is left.
    """
    found = re.sub(r"[^A-Za-z0-9._-]+", "-", text.strip()).strip("-.")[:LONGEST_ID]
    if not found:
        raise SettingsError(f"{text!r} makes no host id: it has no letters or digits.")
    return found


def expand_hosts(entry: str | HostList, base: Path) -> list[HostEntry]:
    """Return the hosts of one entry, in a stable order.

    Args:
        entry: bundled name, CIF file, folder, glob, ``collection:...``, or a table.
        base: folder that relative paths start from.

    Raises:
        HostError: nothing is there.
        SettingsError: the entry makes no sense.
    """
    from chem.collections import is_collection

    if isinstance(entry, HostList):
        return list(_listed(entry, base))
    path = base / Path(entry).expanduser()
    if path.is_file():
        return [HostEntry(safe_id(path.stem), str(path))]
    if path.is_dir():
        return _several(sorted(p for s in CIF_SUFFIXES for p in path.glob(f"*{s}")), str(path))
    bundled = match_name(entry, bundled_files("hosts", ".cif"))
    if bundled is not None:
        return [HostEntry(bundled, bundled)]
    if is_collection(entry):
        return _collection(entry)
    if glob.has_magic(entry):
        return _several(sorted(Path(p) for p in glob.glob(str(path), recursive=True)), entry)
    from data.bundled import unknown_name

    known = bundled_files("hosts", ".cif")
    raise HostError(
        unknown_name("host", entry, known, "a CIF file, a folder, a glob or a collection")
    )


def _several(paths: list[Path], where: str) -> list[HostEntry]:
    files = [p for p in paths if p.is_file() and p.suffix.lower() in CIF_SUFFIXES]
    if not files:
        raise HostError(f"There are no CIF files in {where}.")
    return [HostEntry(safe_id(p.stem), str(p.absolute())) for p in files]


def _collection(entry: str) -> list[HostEntry]:
    from chem.collections import expand_collection
    from tasks.check import cache_dir

    return [HostEntry(safe_id(i), str(p)) for i, p in expand_collection(entry, cache_dir())]


def _listed(entry: HostList, base: Path) -> Iterator[HostEntry]:
    table = base / Path(entry.list).expanduser()
    for number, (name, given) in enumerate(_rows(entry, table), start=1):
        path = table.parent / Path(str(given)).expanduser()
        if not str(given or "").strip():
            raise HostError(f"{table}, row {number}: no path in column {entry.path_column!r}.")
        bundled = match_name(str(given), bundled_files("hosts", ".cif"))
        source = bundled if bundled and not path.is_file() else str(path.absolute())
        try:
            yield HostEntry(safe_id(str(name)), source)
        except SettingsError as error:
            raise HostError(f"{table}, row {number}: {error}") from error


def _rows(entry: HostList, table: Path) -> Iterator[tuple[object, object]]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    try:
        if table.suffix.lower() == ".parquet":
            content = pq.read_table(table, page_checksum_verification=True)
        else:
            content = pa_csv.read_csv(table)
        _ = content.column_names  # decoded here: a file of another encoding fails
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:300]
        raise HostError(f"The list of hosts {table} cannot be read: {reason}.") from error
    for column in (entry.id_column, entry.path_column):
        if column not in content.column_names:
            raise HostError(
                f"{table} has no column {column!r}; it has {', '.join(content.column_names)}. "
                "Name the columns with path_column and id_column."
            )
    if "verdict" in content.column_names:  # the catalogue of `widomill hosts import`
        content = content.filter(pc.field("verdict") != "refused")
    if content.num_rows == 0:
        raise HostError(f"{table} lists no hosts.")
    names = content.column(entry.id_column).to_pylist()
    yield from zip(names, content.column(entry.path_column).to_pylist(), strict=True)
