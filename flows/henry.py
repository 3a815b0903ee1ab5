"""The Prefect flow ``henry``: one host, one guest, at the reference level."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.console import Reporter
from flows.executors import PrefectExecutor
from flows.publish import publish_results, publish_round
from flows.report import write_report
from flows.run import run
from flows.runners import make_task_runner
from flows.settings import HenrySettings


def _run_name() -> str:
    settings = flow_run.parameters["settings"]
    values = settings if isinstance(settings, dict) else settings.model_dump()
    host, guest = Path(values["host"]).stem, Path(values["guest"]).stem
    return f"{host} {guest} {values.get('reference', 'mace-dac')}"


@flow(
    name="henry",
    flow_run_name=_run_name,
    description="Henry coefficient of a guest in a host at the reference level of theory",
    persist_result=False,
    validate_parameters=True,
)
def henry(settings: HenrySettings) -> list[dict[str, Any]]:
    """Run one Henry-coefficient job on the workers its settings name.

    Args:
        settings: host, guest, levels, budget; see :class:`flows.settings.HenrySettings`.

    Returns:
        One result per temperature, as in result.json.
    """
    cluster = Path(settings.cluster) if settings.cluster else None
    with make_task_runner(settings.workers, cluster) as runner, Reporter() as reporter:
        executor = PrefectExecutor(runner)
        words = (Path(settings.host).stem, Path(settings.guest).stem)
        publish = partial(publish_round, executor, words)
        results = run(settings, executor, reporter, publish=publish)
        write_report(settings.run_dir)
        publish_results(executor, settings.run_dir, results)
    return results
