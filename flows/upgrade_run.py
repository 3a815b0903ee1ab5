"""Start an upgrade with Prefect and Dask, or in this process alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.upgrade import UpgradeSettings, upgrade_run


def launch_upgrade(settings: UpgradeSettings, *, orchestration: bool) -> list[dict[str, Any]]:
    """Do an upgrade.

    Args:
        settings: what to do.
        orchestration: whether labels are Prefect task runs on Dask workers.

    Returns:
        One result per temperature.
    """
    from flows.console import Reporter
    from flows.executors import PlainExecutor

    if not orchestration:
        with Reporter() as reporter:
            return upgrade_run(settings, PlainExecutor(), reporter)
    from flows.cluster_file import read_cluster
    from flows.server import prefect_server

    if settings.cluster is not None:
        read_cluster(Path(settings.cluster))
    with prefect_server(settings.folder / "prefect", wait=False) as server:
        from flows.upgrade_flow import upgrade
        from flows.without_server import with_or_without_server

        return with_or_without_server(
            server.wait(),
            lambda: upgrade(settings),
            lambda executor, reporter: upgrade_run(settings, executor, reporter),
            settings,
        )
