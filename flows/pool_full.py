"""Workers that are full of memory and idle: Dask gives them nothing more, so they begin anew.

Dask pauses a worker at 80 % of its memory limit until it shrinks. One whose memory is caches or a
leak does not shrink, and an item that waits for it would wait for ever.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client

PATIENCE_S = 5.0
_BUSY = {"executing", "long-running", "cancelled", "resumed"}
_log = logging.getLogger("widomill.pools")


class FullWorkers:
    """Restarts workers that have been paused and idle for a while.

    Args:
        client: of their cluster.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._since: dict[str, float] = {}

    def look(self, workers: Mapping[str, Mapping[str, Any]]) -> None:
        """Restart, in the background, those that are due.

        Args:
            workers: by address, as the scheduler tells of them.
        """
        now = time.monotonic()
        full = [address for address, worker in workers.items() if is_full(worker)]
        self._since = {address: self._since.get(address, now) for address in full}
        due = [address for address, since in self._since.items() if now - since > PATIENCE_S]
        if due:
            for address in due:
                self._since[address] = float("inf")  # once; a new process has a new address
            threading.Thread(target=self._restart, args=(due,), daemon=True).start()

    def _restart(self, addresses: list[str]) -> None:
        try:
            self._client.restart_workers(addresses, raise_for_error=False)
            _log.info("%d workers were full of memory and began anew", len(addresses))
        except Exception as error:  # it is gone, or the scheduler is: others say so
            _log.debug("the workers %s could not be restarted: %s", addresses, error)


def is_full(worker: Mapping[str, Any]) -> bool:
    """Return whether a worker is paused, runs nothing, and has a nanny that can restart it."""
    counts = worker.get("metrics", {}).get("task_counts", {})
    paused = worker.get("status") == "paused"
    return paused and bool(worker.get("nanny")) and not _BUSY.intersection(counts)
