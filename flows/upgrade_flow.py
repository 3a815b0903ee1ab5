"""The Prefect flow ``upgrade``: a finished run one reference level up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.console import Reporter
from flows.executors import PrefectExecutor
from flows.runners import make_task_runner
from flows.upgrade import UpgradeSettings, upgrade_run


def _run_name() -> str:
    settings = flow_run.parameters["settings"]
    values = settings if isinstance(settings, dict) else settings.model_dump()
    return f"{Path(values['run_dir']).name} to {values['reference']}"


@flow(
    name="upgrade",
    flow_run_name=_run_name,
    description="A finished run corrected by few labels at a higher reference level",
    persist_result=False,
    validate_parameters=True,
)
def upgrade(settings: UpgradeSettings) -> list[dict[str, Any]]:
    """Do one upgrade on the workers its settings name.

    Args:
        settings: run, level, budget; see :class:`flows.upgrade.UpgradeSettings`.
    """
    cluster = Path(settings.cluster) if settings.cluster else None
    with make_task_runner(settings.workers, cluster) as runner, Reporter() as reporter:
        return upgrade_run(settings, PrefectExecutor(runner), reporter)
