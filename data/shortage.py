"""What runs short where files are written: space, quota, rights, open files, a working disk."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from data.errors import InputError, StorageError

_LASTING = {
    errno.ENOSPC: ("the file system is full", "Make space there"),
    errno.EDQUOT: ("the disk quota is used up", "Make space there"),
    errno.EROFS: ("the file system is read-only", "Make it writable, or choose another folder"),
    errno.EMFILE: ("too many files are open", "Allow more (ulimit -n)"),
    errno.ENFILE: ("too many files are open on this machine", "Close some"),
}
"""By error number: what it means and what to do. Whatever is written next fails as well."""
_WRITING = {
    errno.EACCES: ("it may not be written", "Change its rights, or choose another folder"),
    errno.EPERM: ("it may not be written", "Change its rights, or choose another folder"),
    errno.EFBIG: ("it would be larger than files may be", "Allow larger ones (ulimit -f)"),
    errno.EIO: ("the disk reports an input/output error", "Look after the disk"),
    errno.ESTALE: ("the file server has lost it", "Look after the file server"),
}
"""The same, of files that are being written; where they are read, only one input is lost."""
_MOST_CAUSES = 20
KEPT = "What is finished is kept: repeat the command to go on."


def shortage_of(error: BaseException) -> StorageError | None:
    """Return what an error says of a want that everything else will meet too, or None.

    Args:
        error: of any kind; what was raised on the way to it counts, for libraries hide it. An
            input that cannot be used is not looked into: it is that input's own.
    """
    return None if isinstance(error, InputError) else _found(error, _LASTING)


@contextlib.contextmanager
def written(path: Path) -> Iterator[None]:
    """Tell errors of writing a file in words that say what to do.

    Args:
        path: the file or folder, for the message.

    Raises:
        StorageError: there is no space, no right to write, no working disk.
    """
    try:
        yield
    except Exception as error:
        short = _found(error, _LASTING | _WRITING, path)
        if short is None or short is error:
            raise
        raise short from error


def _found(
    error: BaseException, known: Mapping[int, tuple[str, str]], path: Path | None = None
) -> StorageError | None:
    """Return the first error of a known number on the way to an error, in words."""
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None or isinstance(cause, StorageError):
            return cause
        number = cause.errno if isinstance(cause, OSError) else None
        if isinstance(cause, OSError) and number is not None and number in known:
            what, do = known[number]
            name = path or cause.filename
            where = f" {os.fsdecode(name)}" if isinstance(name, str | bytes | Path) else ""
            return StorageError(
                f"Cannot write{where}: {what} ({os.strerror(number)}). {do}. {KEPT}"
            )
        cause = cause.__cause__ or cause.__context__
    return None
