"""Unpacks a collection's archive once into a folder of the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from chem.collections.catalogue import Collection, CollectionError, archive_path
from data.store import write_json

RECORD = "collection.json"
"""Written last: a folder without it is not used."""
LARGEST_STRUCTURE_BYTES = 50_000_000
READ_BYTES = 1 << 20


def default_cache_folder() -> Path:
    """Return WIDOMILL_CACHE, else widomill in the XDG cache folder."""
    own = os.environ.get("WIDOMILL_CACHE")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "widomill"


def unpacked(collection: Collection, cache: Path | None = None) -> Path:
    """Return the folder with one CIF a structure, made from the archive on first use.

    The archive is read once, from front to end, into a folder of another name, which is renamed
    when complete, so that processes may share the cache and a killed one leaves nothing half.

    Args:
        collection: which.
        cache: the user's cache, in which ``collections`` is made; found by itself by default.

    Raises:
        CollectionError: the package is missing, its archive is damaged, or no room to unpack.
    """
    home = (cache if cache is not None else default_cache_folder()) / "collections"
    folder = home / f"{collection.name.replace(':', '-')}-{collection.version}"
    if (folder / RECORD).is_file():
        return folder
    archive = archive_path(collection)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        temporary.mkdir(parents=True)
        count = sum(_write(temporary / name, text) for name, text in structures(archive))
        if not count:
            raise CollectionError(f"{archive} holds no CIF files. Type: {collection.install}")
        record = {**asdict(collection), "structures": count, "archive_sha256": _sha256(archive)}
        write_json(temporary / RECORD, record)
        _move(temporary, folder)
    except (tarfile.TarError, EOFError) as error:
        raise CollectionError(
            f"{archive} is damaged ({error}). Install it again: {collection.install}"
        ) from error
    except OSError as error:
        raise CollectionError(
            f"{archive} cannot be unpacked into {home}: {error.strerror or error}. Some 300 MB are "
            "needed; set WIDOMILL_CACHE to a folder with room."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def structures(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (file name, content) of every CIF of a tar archive, in its order, reading it once.

    Folders inside the archive are ignored, so that no name leads out of the target folder.
    """
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            name = Path(member.name).name
            if not name.endswith(".cif") or name.startswith(".") or not member.isfile():
                continue
            if member.size > LARGEST_STRUCTURE_BYTES:
                continue
            stream = tar.extractfile(member)
            if stream is not None:
                yield name, stream.read()


def _write(path: Path, content: bytes) -> int:
    path.write_bytes(content)
    return 1


def _move(temporary: Path, folder: Path) -> None:
    """Rename a complete folder; one that another process finished first is kept instead."""
    if folder.is_dir() and not (folder / RECORD).is_file():
        shutil.rmtree(folder, ignore_errors=True)
    try:
        os.rename(temporary, folder)
    except OSError:
        if not (folder / RECORD).is_file():
            raise


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
