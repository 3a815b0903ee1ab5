"""One engine a campaign: a lock on its folder that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from data.errors import CampaignBusyError, RunFolderError

LOCK_NAME = "campaign.lock"


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the folder of a campaign for the length of a ``with`` block.

    Raises:
        CampaignBusyError: another process holds it; the message names it.
        RunFolderError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK_NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise RunFolderError(
            f"The folder {folder} cannot be written: {error.strerror}. Choose another `out`."
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise CampaignBusyError(
                f"{folder} is being worked on by {handle.read().strip() or 'another process'}. "
                "Wait for it, or stop it first; `widomill campaign status` shows how far it is."
            ) from None
        handle.truncate(0)
        handle.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        handle.flush()
        yield
