"""Reads a list of hosts, such as a catalogue: a table with a column of paths and one of ids."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from chem.host_import.names import safe_name
from data.errors import HostError, RunFolderError
from data.store import read_rows

REFUSED = "refused"


def read_host_list(
    path: Path, path_column: str = "path", id_column: str = "id"
) -> list[tuple[str, Path]]:
    """Return (id, file) of every host of a table.

    Rows without a path are left out, as are those a catalogue calls refused; relative paths start
    at the table's folder. Without the column of ids the file names serve.

    Args:
        path: a ``.csv`` or ``.parquet`` file.
        path_column: column that holds the paths.
        id_column: column that holds the ids.

    Raises:
        HostError: not such a table, an id that is no plain name, or two hosts of one id.
    """
    rows = _rows(path)
    if rows and path_column not in rows[0]:
        raise HostError(
            f"{path} has no column {path_column!r}; its columns are {', '.join(rows[0])}. "
            "Name the right one with path_column."
        )
    found: dict[str, Path] = {}
    for number, row in enumerate(rows, start=1):
        place = str(row.get(path_column) or "").strip()
        if not place or row.get("verdict") == REFUSED:
            continue
        name = str(row.get(id_column) or Path(place).stem).strip()
        if name != safe_name(name):
            raise HostError(
                f"{path}, row {number}: the id {name!r} is no plain name. Use letters, digits, "
                f"dots, dashes and underscores, such as {safe_name(name)}."
            )
        if name in found:
            raise HostError(f"{path}, row {number}: the id {name} is there twice.")
        found[name] = path.parent / Path(place).expanduser()
    return list(found.items())


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return the records of a table."""
    suffix = path.suffix.lower()
    if not path.is_file():
        raise HostError(f"There is no file {path} (looked in {Path.cwd()}). Check the path.")
    if suffix == ".parquet":
        try:
            return read_rows(path)
        except RunFolderError as error:
            raise HostError(f"{path} is no Parquet table that can be read: {error}") from error
    if suffix != ".csv":
        raise HostError(f"{path} is neither .csv nor .parquet. Give a table of hosts.")
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            return list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HostError(f"{path} cannot be read as CSV: {error}.") from error
