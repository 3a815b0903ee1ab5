"""A run whose Prefect server leaves or breaks in the middle: it goes on from its files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from data.errors import StorageError
from flows.server import answers

if TYPE_CHECKING:
    from flows.console import Reporter
    from flows.executors import Executor

Result = TypeVar("Result")
_MOST_CAUSES, _MOST_WORDS = 20, 200
_SERVERS_OWN = 500
"""HTTP status from which on an error is the server's own."""
_NO_SLOT = "ConcurrencySlotAcquisitionError"
"""What Prefect makes of one on the way to a task's turn."""


class Workforce(Protocol):
    """What settings say of the workers."""

    cluster: str | None
    workers: int


def with_or_without_server(
    url: str,
    flow: Callable[[], Result],
    work: Callable[[Executor, Reporter], Result],
    settings: Workforce,
) -> Result:
    """Run a flow; where its server fails it, do what is left on workers that need none.

    Args:
        url: API address of the server.
        flow: runs the flow.
        work: what the flow does, on any executor; it takes up what files hold.
        settings: name the workers.
    """
    logging.raiseExceptions = False  # who needs to know of log lines that are lost is told below
    try:
        return flow()
    except Exception as error:
        if not _is_the_servers(error, url):
            raise
        said = " ".join(str(error).split())[:_MOST_WORDS] or type(error).__name__
    from flows.console import Reporter
    from flows.pool_executor import PoolExecutor
    from flows.pools import open_pools

    cluster = None if settings.cluster is None else Path(settings.cluster)
    with Reporter() as reporter, open_pools(cluster, settings.workers) as pools:
        reporter.say(
            f"The Prefect server at {url} cannot be used any more ({said}). The run goes on from "
            "its files without it; they will be complete, its page is not."
        )
        return work(PoolExecutor(pools), reporter)


def _is_the_servers(error: BaseException, url: str) -> bool:
    """Return whether a flow failed for want of its server: gone, or answering with errors."""
    import httpx
    from prefect.exceptions import CancelledRun

    if isinstance(error, StorageError | CancelledRun):
        return False
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            break
        if isinstance(cause, httpx.TransportError) or type(cause).__name__ == _NO_SLOT:
            return True
        if isinstance(cause, httpx.HTTPStatusError):
            return cause.response.status_code >= _SERVERS_OWN
        cause = cause.__cause__ or cause.__context__
    return not answers(f"{url}/health")
