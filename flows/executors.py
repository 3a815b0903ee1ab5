"""Where the tasks of the loop run: in this process, or as Prefect task runs on workers.

The loop is written against ``Executor`` and gives the same numbers on each. Items and records are
small (paths, numbers); arrays stay in files.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

from data.errors import CrashedWorkerError, SettingsError, TransientError
from flows.artifacts import RunArtifacts
from flows.server import answers

if TYPE_CHECKING:
    from distributed import Client
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.futures import PrefectFuture
    from prefect.task_runners import TaskRunner
    from prefect.tasks import Task

Item = TypeVar("Item")
Record = TypeVar("Record")
Kind = Literal["insertions", "scores", "labels", "train"]
Progress = Callable[[int, int], None]

RETRY_DELAYS_SECONDS: tuple[float, ...] = (1.0, 4.0, 16.0)


class Executor(Protocol):
    """Runs plain functions on small items and shows what comes out."""

    def map(
        self,
        function: Callable[[Item], Record],
        items: Sequence[Item],
        *,
        kind: Kind,
        run_names: Sequence[str],
        progress: Progress | None = None,
    ) -> list[Record]:
        """Run ``function`` on each item; records come back in the order of the items."""
        ...

    def call(
        self, function: Callable[[Item], Record], item: Item, *, kind: Kind, run_name: str
    ) -> Record:
        """Run ``function`` on one item, where the items of ``map`` run."""
        ...

    def table(self, key: str, rows: list[dict[str, Any]], description: str) -> None:
        """Show a table on the run's page."""
        ...

    def markdown(self, key: str, text: str, description: str) -> None:
        """Show a text on the run's page."""
        ...

    def progress(self, key: str, percent: float, description: str) -> None:
        """Show or move a progress bar on the run's page."""
        ...


class PagelessExecutor:
    """An executor that shows nothing: what runs items and what shows them come together here."""

    def map(
        self,
        function: Callable[[Item], Record],
        items: Sequence[Item],
        *,
        kind: Kind,
        run_names: Sequence[str],
        progress: Progress | None = None,
    ) -> list[Record]:
        """Run ``function`` on each item; see ``Executor.map``."""
        raise NotImplementedError

    def call(
        self, function: Callable[[Item], Record], item: Item, *, kind: Kind, run_name: str
    ) -> Record:
        """Run ``function`` on one item, as a stage of its own."""
        return self.map(function, [item], kind=kind, run_names=[run_name])[0]

    def table(self, key: str, rows: list[dict[str, Any]], description: str) -> None:
        """Do nothing: there is no page."""

    def markdown(self, key: str, text: str, description: str) -> None:
        """Do nothing: there is no page."""

    def progress(self, key: str, percent: float, description: str) -> None:
        """Do nothing: there is no page."""


class PlainExecutor(PagelessExecutor):
    """Runs everything in this process, one item after another; shows nothing.

    Args:
        retry_delays_seconds: pause before each further attempt after a ``TransientError``, s.
    """

    def __init__(self, retry_delays_seconds: Sequence[float] = RETRY_DELAYS_SECONDS) -> None:
        self._retry_delays_seconds = tuple(retry_delays_seconds)

    def map(
        self,
        function: Callable[[Item], Record],
        items: Sequence[Item],
        *,
        kind: Kind,
        run_names: Sequence[str],
        progress: Progress | None = None,
    ) -> list[Record]:
        """Run ``function`` on each item in turn; see ``Executor.map``."""
        records: list[Record] = []
        for item, _ in zip(items, run_names, strict=True):
            records.append(self._attempt(function, item))
            if progress is not None:
                progress(len(records), len(items))
        return records

    def _attempt(self, function: Callable[[Item], Record], item: Item) -> Record:
        """Run ``function`` on one item, again after a ``TransientError``."""
        for delay in self._retry_delays_seconds:
            try:
                return function(item)
            except TransientError:
                time.sleep(delay)
        return function(item)


class PrefectExecutor(RunArtifacts, PagelessExecutor):
    """Runs each item as one Prefect task run on the flow's task runner.

    Use it inside a flow; one instance per flow run.

    Args:
        runner: a started task runner; ``None`` is the flow's own.
        retry_delays_seconds: pause before each further attempt after a ``TransientError``, s.
            Other errors end the run at once.
    """

    def __init__(
        self,
        runner: TaskRunner[Any] | None = None,
        retry_delays_seconds: Sequence[float] = RETRY_DELAYS_SECONDS,
    ) -> None:
        super().__init__()
        self._given_runner = runner
        self._retry_delays_seconds = tuple(retry_delays_seconds)
        self._checked: set[Callable[..., Any]] = set()

    def map(
        self,
        function: Callable[[Item], Record],
        items: Sequence[Item],
        *,
        kind: Kind,
        run_names: Sequence[str],
        progress: Progress | None = None,
    ) -> list[Record]:
        """Submit every item, then collect the records as they arrive.

        Returns:
            The records in the order of the items.

        Raises:
            Exception: the first failure that arrives, of its original type, after what has not
                started is cancelled.
            CrashedWorkerError: workers died over one item several times.
            TransientError: the cluster was lost.
        """
        runner = self._runner()
        self._check_workers(runner, function, items)
        task = _task(kind, self._retry_delays_seconds)
        arrived: SimpleQueue[int] = SimpleQueue()
        futures: list[PrefectFuture[Record]] = []
        try:
            for index, (item, run_name) in enumerate(zip(items, run_names, strict=True)):
                parameters = {"function": function, "item": item, "run_name": run_name}
                future = runner.submit(task, parameters)
                futures.append(future)
                future.add_done_callback(partial(_put, arrived, index))
            records: dict[int, Record] = {}
            while len(records) < len(futures):
                index = arrived.get()
                records[index] = _record(futures[index], run_names[index])
                if progress is not None:
                    progress(len(records), len(futures))
        except BaseException:
            _cancel(futures)
            raise
        return [records[index] for index in range(len(futures))]

    def _runner(self) -> TaskRunner[Any]:
        from prefect.context import FlowRunContext

        context = FlowRunContext.get()
        if context is None:
            raise RuntimeError("PrefectExecutor works inside a Prefect flow; see PlainExecutor")
        return self._given_runner or context.task_runner

    def _check_workers(
        self,
        runner: TaskRunner[Any],
        function: Callable[[Item], Record],
        items: Sequence[Item],
    ) -> None:
        """Make sure that Dask workers can read what they are sent: else they hang, silently."""
        from prefect.context import serialize_context
        from prefect.settings import get_current_settings
        from prefect_dask.task_runners import DaskTaskRunner

        if isinstance(runner, DaskTaskRunner) and items and function not in self._checked:
            sent = (serialize_context(), run_item, function, items[0])
            _read_on_workers(runner.client, sent)
            _reach_from_workers(runner.client, get_current_settings().api.url or "")
            self._checked.add(function)


def run_item(function: Callable[[Item], Record], item: Item, run_name: str) -> Record:
    """Run one item; this is what every Prefect task of ours executes on its worker."""
    return function(item)


def is_transient(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Tell Prefect whether a failed task run is worth another attempt."""
    return isinstance(state.data, TransientError)


@cache
def _task(kind: Kind, retry_delays_seconds: tuple[float, ...]) -> Task[..., Any]:
    """Return the Prefect task of a kind; results stay in our files, not in Prefect's."""
    from prefect.cache_policies import NO_CACHE
    from prefect.tasks import Task

    return Task(
        fn=run_item,
        name=kind,
        task_run_name="{run_name}",
        tags=[kind],
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=len(retry_delays_seconds),
        retry_delay_seconds=list(retry_delays_seconds),
        retry_condition_fn=is_transient,
    )


def _read_on_workers(client: Client, sent: tuple[object, ...]) -> None:
    from distributed.protocol.pickle import dumps

    statements = "import pickle, prefect_dask; pickle.loads(sent)"
    try:
        _on_workers(client, exec, statements, {"sent": dumps(sent)})
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"The Dask workers cannot run widomill: {error}. Install the same version of it, and "
            "whatever else this run imports, for the Python of the workers."
        ) from error


def _reach_from_workers(client: Client, url: str) -> None:
    """Refuse workers on other machines for a Prefect server that only this one can reach."""
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        return
    if not all(_on_workers(client, answers, f"{url}/health")):
        raise SettingsError(
            f"The Dask workers cannot reach the Prefect server at {url}, which listens on this "
            "machine only. Start one they can reach, `prefect server start --host 0.0.0.0`, and "
            "set PREFECT_API_URL to its address."
        )


def _on_workers(client: Client, function: Callable[..., Any], *arguments: object) -> list[Any]:
    if client.scheduler_info()["workers"]:
        return list(client.run(function, *arguments).values())
    # None is there yet: the first that comes answers for all.
    return [client.submit(function, *arguments, pure=False).result()]


def _record(future: PrefectFuture[Record], run_name: str) -> Record:
    try:
        return future.result()
    except Exception as error:
        if type(error).__name__ == "KilledWorker":
            raise CrashedWorkerError(
                f"{run_name}: the worker process died each time it ran this, most likely for want "
                "of memory. Use fewer workers, then repeat the command to go on from the files."
            ) from error
        if type(error).__name__ in ("CancelledError", "FutureCancelledError", "CommClosedError"):
            raise TransientError(
                f"{run_name}: the connection to the Dask cluster was lost ({error}). Repeat the "
                "command to go on from the files."
            ) from error
        raise


def _put(arrived: SimpleQueue[int], index: int, future: PrefectFuture[Any]) -> None:
    arrived.put(index)


def _cancel(futures: Sequence[PrefectFuture[Any]]) -> None:
    # The run is over; what Dask says about workers that are cut off would only hide the reason.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    for future in futures:
        future.wrapped_future.cancel()  # type: ignore[attr-defined]
