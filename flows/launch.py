"""Start a run with Prefect and Dask, or in this process alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from flows.settings import HenrySettings, IsothermSettings, SystemKind

Result = TypeVar("Result")


def launch(settings: HenrySettings, *, orchestration: bool) -> list[dict[str, Any]]:
    """Do a run, its report included.

    Args:
        settings: what to do.
        orchestration: whether tasks are Prefect task runs on Dask workers.

    Returns:
        One result per temperature.
    """
    from flows.prepare import prepare

    return _orchestrated(settings, prepare, _henry_flow) if orchestration else _plain(settings)


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
        return _orchestrated(settings, prepare_isotherm, _isotherm_flow)
    from flows.console import Reporter
    from flows.executors import PlainExecutor
    from flows.isotherm_run import run_isotherm_job

    with Reporter() as reporter:
        return run_isotherm_job(settings, PlainExecutor(), reporter)


def _plain(settings: HenrySettings) -> list[dict[str, Any]]:
    from flows.console import Reporter
    from flows.executors import PlainExecutor
    from flows.report import write_report
    from flows.run import run

    with Reporter() as reporter:
        results = run(settings, PlainExecutor(), reporter)
    write_report(settings.run_dir)
    return results


def _orchestrated(
    settings: SystemKind,
    check: Callable[[SystemKind], object],
    import_flow: Callable[[], Callable[[SystemKind], Result]],
) -> Result:
    """Run a flow on a server of its own, or the user's.

    Args:
        settings: what to do.
        check: raises for bad input, before a server starts.
        import_flow: returns the flow; importing it takes as long as the server to start.
    """
    from flows.cluster_file import read_cluster
    from flows.server import prefect_server

    if settings.cluster is not None:
        read_cluster(Path(settings.cluster))
    absolute = settings.model_copy(update={"out": str(settings.run_dir)})
    check(absolute)
    with prefect_server(settings.run_dir / "prefect", wait=False) as server:
        flow = import_flow()
        server.wait()
        return flow(absolute)


def _henry_flow() -> Callable[[HenrySettings], list[dict[str, Any]]]:
    from flows.henry import henry

    return henry


def _isotherm_flow() -> Callable[[IsothermSettings], dict[str, Any]]:
    from flows.isotherm import isotherm

    return isotherm
