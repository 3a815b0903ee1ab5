"""One engine a campaign: a lock on its folder that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from data.errors import CampaignBusyError, RunFolderError
from data.shortage import shortage_of, written

LOCK_NAME = "campaign.lock"
_ATTEMPTS, _PAUSE_S = 10, 0.1
"""Who looks whether the lock is held holds it himself for an instant."""


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the folder of a campaign for the length of a ``with`` block.

    Raises:
        CampaignBusyError: another process holds it; the message names it.
        RunFolderError: the folder cannot be written.
        StorageError: the file system is full or read-only.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK_NAME).open("a+", encoding="utf-8")
    except OSError as error:
        short = shortage_of(error)
        if short is not None:
            raise short from error
        raise RunFolderError(
            f"The folder {folder} cannot be written: {error.strerror}. Choose another `out`."
        ) from error
    with handle:
        if not _taken(handle):
            handle.seek(0)
            raise CampaignBusyError(
                f"{folder} is being worked on by {handle.read().strip() or 'another process'}. "
                "Wait for it, or stop it first; `widomill campaign status` shows how far it is."
            )
        with written(folder / LOCK_NAME):
            handle.truncate(0)
            handle.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            handle.flush()
        yield


def is_claimed(folder: Path) -> bool:
    """Return whether a process of this machine holds the folder of a campaign; no clock is asked.

    One of another machine counts where the file system shares locks.
    """
    try:
        with (folder / LOCK_NAME).open(encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _taken(handle: TextIO) -> bool:
    for attempt in range(_ATTEMPTS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if attempt < _ATTEMPTS - 1:
            time.sleep(_PAUSE_S)
    return False
