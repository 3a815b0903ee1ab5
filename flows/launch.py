"""Start a run with Prefect and Dask, or in this process alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flows.settings import HenrySettings, IsothermSettings, SystemKind

if TYPE_CHECKING:
    from flows.console import Reporter
    from flows.executors import Executor

Result = TypeVar("Result")
Work = Callable[[SystemKind, "Executor", "Reporter"], Result]


def launch(settings: HenrySettings, *, orchestration: bool) -> list[dict[str, Any]]:
    """Do a run, its report included.

    Args:
        settings: what to do.
        orchestration: whether tasks are Prefect task runs on Dask workers.

    Returns:
        One result per temperature.
    """
    from flows.prepare import prepare

    if orchestration:
        return _orchestrated(settings, prepare, _henry_flow, _henry)
    return _plain(settings, _henry)


def launch_isotherm(settings: IsothermSettings, *, orchestration: bool) -> dict[str, Any]:
    """Do an isotherm.

    Args:
        settings: what to do.
        orchestration: whether tasks are Prefect task runs on Dask workers.

    Returns:
        What isotherm.json holds.
    """
    from flows.prepare import prepare_isotherm

    if orchestration:
        return _orchestrated(settings, prepare_isotherm, _isotherm_flow, _isotherm)
    return _plain(settings, _isotherm)


def _henry(settings: HenrySettings, executor: Executor, reporter: Reporter) -> list[dict[str, Any]]:
    from flows.report import write_report
    from flows.run import run

    results = run(settings, executor, reporter)
    write_report(settings.run_dir)
    return results


def _isotherm(settings: IsothermSettings, executor: Executor, reporter: Reporter) -> dict[str, Any]:
    from flows.isotherm_run import run_isotherm_job

    return run_isotherm_job(settings, executor, reporter)


def _plain(settings: SystemKind, work: Work[SystemKind, Result]) -> Result:
    from flows.console import Reporter
    from flows.executors import PlainExecutor

    with Reporter() as reporter:
        return work(settings, PlainExecutor(), reporter)


def _orchestrated(
    settings: SystemKind,
    check: Callable[[SystemKind], object],
    import_flow: Callable[[], Callable[[SystemKind], Result]],
    work: Work[SystemKind, Result],
) -> Result:
    """Run a flow on a server of its own, or the user's; go on without one that leaves.

    Args:
        settings: what to do.
        check: raises for bad input, before a server starts.
        import_flow: returns the flow; importing it takes as long as the server to start.
        work: what the flow does.
    """
    from flows.cluster_file import read_cluster
    from flows.server import prefect_server
    from flows.without_server import with_or_without_server

    if settings.cluster is not None:
        read_cluster(Path(settings.cluster))
    absolute = settings.model_copy(update={"out": str(settings.run_dir)})
    check(absolute)
    with prefect_server(settings.run_dir / "prefect", wait=False) as server:
        flow = import_flow()
        url = server.wait()
        return with_or_without_server(
            url,
            lambda: flow(absolute),
            lambda executor, reporter: work(absolute, executor, reporter),
            absolute,
        )


def _henry_flow() -> Callable[[HenrySettings], list[dict[str, Any]]]:
    from flows.henry import henry

    return henry


def _isotherm_flow() -> Callable[[IsothermSettings], dict[str, Any]]:
    from flows.isotherm import isotherm

    return isotherm
