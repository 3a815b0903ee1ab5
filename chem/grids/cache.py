"""A folder of arrays addressed by content, shared by processes and campaigns."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from data.store import write_atomically

DEFAULT_MAX_BYTES = 4 * 1024**3
_SUFFIX = ".grid"
_CHECKSUM_BYTES = 4


def default_cache_folder() -> Path:
    """Return WIDOMILL_CACHE/grids, else widomill/grids in the XDG cache folder."""
    own = os.environ.get("WIDOMILL_CACHE")
    if own:
        return Path(own).expanduser() / "grids"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "widomill" / "grids"


class GridCache:
    """Arrays on disk under the hash of what they were made from.

    A file is an .npy stream followed by its CRC-32; it is written under a temporary name and
    renamed, so that processes may share the folder. A damaged file counts as absent. A cache
    that cannot be written is no error: it stays empty.

    Attributes:
        folder: where the files are.
        max_bytes: beyond it the least recently used files are removed.
    """

    def __init__(self, folder: Path | None = None, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.folder = Path(folder) if folder is not None else default_cache_folder()
        self.max_bytes = max_bytes

    def path(self, key: str) -> Path:
        """Return the file of a key."""
        return self.folder / f"{key}{_SUFFIX}"

    def get(self, key: str) -> np.ndarray | None:
        """Return the array under a key, or None if absent or damaged."""
        path = self.path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        body, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
        if zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "little") != checksum:
            return None
        return np.load(io.BytesIO(body), allow_pickle=False)

    def put(self, key: str, array: np.ndarray) -> None:
        """Keep an array under a key, and remove what has not been used for longest."""
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
        body = stream.getbuffer()
        if len(body) + _CHECKSUM_BYTES > self.max_bytes:
            return
        checksum = zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "little")

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as handle:
                handle.write(body)
                handle.write(checksum)

        with suppress(OSError):
            write_atomically(self.path(key), write)
            self._evict()

    def get_or_make(self, key: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the array under a key, made and kept if absent."""
        found = self.get(key)
        if found is None:
            found = make()
            self.put(key, found)
        return found

    def _evict(self) -> None:
        """Remove the least recently used files beyond the limit."""
        files = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with suppress(FileNotFoundError):  # another process removed it
                status = path.stat()
                files.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size
