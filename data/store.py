"""Atomic files: Parquet and JSON are written to a temporary name and renamed."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import RunFolderError
from data.shortage import written

if TYPE_CHECKING:
    import pyarrow as pa


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, flush it, then rename it.

    Args:
        path: final name; its folder is created.
        write: called with the temporary path.

    Raises:
        StorageError: there is no space, no right to write, no working disk.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, path)
            _flush_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):  # of a read-only file system, even of no file
                temporary.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Make a new name in a folder outlive a power cut; some file systems know no such thing."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write text atomically, UTF-8."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_atomically(path, write)


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically; NaN and infinities are refused by turning them into null."""
    write_text(path, json.dumps(plain(content), indent=2, allow_nan=False) + "\n")


def plain(value: Any) -> Any:
    """Return ``value`` with numpy scalars unwrapped and non-finite numbers as None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def write_table(path: Path, columns: Mapping[str, Any], schema: pa.Schema) -> None:
    """Write columns as one Parquet file under a schema, atomically.

    Args:
        path: final name.
        columns: one array or list per field of the schema.
        schema: one of :mod:`data.schemas`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = [pa.array(columns[f.name], type=f.type, from_pandas=False) for f in schema]
    table = pa.Table.from_arrays(arrays, schema=schema)
    write_atomically(
        path, lambda p: pq.write_table(table, p, compression="zstd", write_page_checksum=True)
    )


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Write a list of records as one Parquet file under a schema, atomically."""
    kept = list(rows)
    write_table(path, {f.name: [r.get(f.name) for r in kept] for f in schema}, schema)


def read_columns(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Read one Parquet file into numpy columns.

    Raises:
        RunFolderError: the file is missing or damaged, or of a newer version of widomill.
    """
    table = _read(path, None if names is None else list(names))
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read one Parquet file into a list of plain records; see :func:`read_columns`."""
    rows: list[dict[str, Any]] = _read(path, None).to_pylist()
    return rows


def _read(path: Path, names: list[str] | None) -> pa.Table:
    """Read a Parquet file; the checksum of every page is verified."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from data.schemas import SCHEMA_VERSION

    try:
        table = pq.read_table(path, columns=names, page_checksum_verification=True)
        _ = table.column_names  # decoded here: the footer has no checksum
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise RunFolderError(
            f"Cannot read {path}: {' '.join(str(error).split())}. `widomill doctor` on the folder "
            "sets damaged files aside; running the command that made it again redoes them."
        ) from error
    found = (table.schema.metadata or {}).get(b"widomill.schema_version", b"1")
    if not found.isdigit() or int(found) > SCHEMA_VERSION:
        raise RunFolderError(
            f"{path} has schema version {found.decode(errors='replace')}, and this widomill knows "
            f"versions up to {SCHEMA_VERSION}. Use the version that wrote it, or a newer one."
        )
    for number in range(int(found), SCHEMA_VERSION):
        table = MIGRATIONS[number](table)
    return table


MIGRATIONS: dict[int, Callable[[pa.Table], pa.Table]] = {}
"""From a schema version to the next: how a table of it becomes one of the next."""
