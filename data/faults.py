"""Files that are not what they should be: torn, truncated, flipped or left over."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from data.errors import RunFolderError
from data.store import read_columns

LEFT_OVER = re.compile(r"^\..+\.[0-9a-f]{8}\.tmp$")


def problem_of(path: Path) -> str | None:
    """Return what is wrong with a file of a run's folder, or None.

    Parquet files are read whole with their checksums, archives (``.npz``, ``.pt``) by the checksums
    of their members, JSON is parsed; of other files only emptiness is a fault.

    Args:
        path: the file.
    """
    if LEFT_OVER.match(path.name):
        return "left by a write that was interrupted"
    try:
        if path.stat().st_size == 0 and path.suffix in _READERS:
            return "it is empty"
        check = _READERS.get(path.suffix)
        return check(path) if check else None
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"


def _parquet(path: Path) -> str | None:
    try:
        read_columns(path)
    except RunFolderError as error:
        return "its schema is of another version" if "version" in str(error) else "it is damaged"
    return None


def _archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError):
        return "it is damaged"
    return f"{bad} in it is damaged" if bad else None


def _json(path: Path) -> str | None:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return "it is no JSON"
    return None


_READERS = {".parquet": _parquet, ".npz": _archive, ".pt": _archive, ".json": _json}
