"""A run whose Prefect server leaves in the middle: it goes on from its files."""

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
    """Run a flow; where its server is gone, do what is left on workers that need none.

    Args:
        url: API address of the server.
        flow: runs the flow.
        work: what the flow does, on any executor; it takes up what files hold.
        settings: name the workers.
    """
    logging.raiseExceptions = False  # who needs to know of log lines that are lost is told below
    try:
        return flow()
    except StorageError:
        raise
    except Exception:
        if answers(f"{url}/health"):
            raise
    from flows.console import Reporter
    from flows.pool_executor import PoolExecutor
    from flows.pools import open_pools

    cluster = None if settings.cluster is None else Path(settings.cluster)
    with Reporter() as reporter, open_pools(cluster, settings.workers) as pools:
        reporter.say(
            f"The Prefect server at {url} does not answer. The run goes on from its files without "
            "it; they will be complete, its page is not."
        )
        return work(PoolExecutor(pools), reporter)
