"""Start a run with Prefect and Dask, or in this process alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.settings import HenrySettings, IsothermSettings


def launch(settings: HenrySettings, *, orchestration: bool) -> list[dict[str, Any]]:
    """Do a run, its report included.

    Args:
        settings: what to do.
        orchestration: whether tasks are Prefect task runs on Dask workers.

    Returns:
        One result per temperature.
    """
    return _orchestrated(settings) if orchestration else _plain(settings)


def _plain(settings: HenrySettings) -> list[dict[str, Any]]:
    from flows.console import Reporter
    from flows.executors import PlainExecutor
    from flows.report import write_report
    from flows.run import run

    with Reporter() as reporter:
        results = run(settings, PlainExecutor(), reporter)
    write_report(settings.run_dir)
    return results


def _orchestrated(settings: HenrySettings) -> list[dict[str, Any]]:
    from flows.prepare import prepare
    from flows.runners import read_cluster
    from flows.server import prefect_server

    if settings.cluster is not None:
        read_cluster(Path(settings.cluster))
    absolute = settings.model_copy(update={"out": str(settings.run_dir)})
    prepare(absolute)
    with prefect_server(settings.run_dir / "prefect", wait=False) as server:
        from flows.henry import henry

        server.wait()
        return henry(absolute)


def launch_isotherm(settings: IsothermSettings, *, orchestration: bool) -> dict[str, Any]:
    """Do an isotherm.

    Args:
        settings: what to do.
        orchestration: whether tasks are Prefect task runs on Dask workers.

    Returns:
        What isotherm.json holds.
    """
    from flows.console import Reporter
    from flows.executors import PlainExecutor
    from flows.isotherm_run import run_isotherm_job

    if not orchestration:
        with Reporter() as reporter:
            return run_isotherm_job(settings, PlainExecutor(), reporter)
    from flows.prepare import prepare_isotherm
    from flows.runners import read_cluster
    from flows.server import prefect_server

    if settings.cluster is not None:
        read_cluster(Path(settings.cluster))
    absolute = settings.model_copy(update={"out": str(settings.run_dir)})
    prepare_isotherm(absolute)
    with prefect_server(settings.run_dir / "prefect", wait=False) as server:
        from flows.isotherm import isotherm

        server.wait()
        return isotherm(absolute)
