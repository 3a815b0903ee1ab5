"""Start a run with Prefect and Dask, or in this process alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.settings import HenrySettings


def launch(settings: HenrySettings, *, orchestration: bool) -> tuple[list[dict[str, Any]], Path]:
    """Do a run and write its report.

    Args:
        settings: what to do.
        orchestration: whether tasks are Prefect task runs on Dask workers.

    Returns:
        One result per temperature, and the path of the report.
    """
    results = _orchestrated(settings) if orchestration else _plain(settings)
    from flows.report import write_report

    return results, write_report(settings.run_dir)


def _plain(settings: HenrySettings) -> list[dict[str, Any]]:
    from flows.console import Reporter
    from flows.executors import PlainExecutor
    from flows.run import run

    with Reporter() as reporter:
        return run(settings, PlainExecutor(), reporter)


def _orchestrated(settings: HenrySettings) -> list[dict[str, Any]]:
    from flows.prepare import prepare
    from flows.runners import make_task_runner, read_cluster
    from flows.server import prefect_server

    cluster = None if settings.cluster is None else Path(settings.cluster)
    if cluster is not None:
        read_cluster(cluster)
    absolute = settings.model_copy(update={"out": str(settings.run_dir)})
    prepare(absolute)
    with prefect_server(settings.run_dir / "prefect", wait=False) as server:
        runner = make_task_runner(settings.workers, cluster)
        server.wait()
        from flows.henry import henry

        return henry.with_options(task_runner=runner)(absolute)
