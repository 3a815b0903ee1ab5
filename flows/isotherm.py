"""The Prefect flow ``isotherm``: loadings of one guest in one host over pressures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.artifacts import artifact_key, markdown_image
from flows.console import Reporter
from flows.executors import PrefectExecutor
from flows.isotherm_run import run_isotherm_job
from flows.runners import make_task_runner
from flows.settings import IsothermSettings

SHOWN = ("temperature_k", "pressure_pa", "mol_per_kg", "mol_per_kg_standard_error")


def _run_name() -> str:
    settings = flow_run.parameters["settings"]
    values = settings if isinstance(settings, dict) else settings.model_dump()
    return f"{Path(values['host']).stem} {Path(values['guest']).stem} isotherm"


@flow(
    name="isotherm",
    flow_run_name=_run_name,
    description="Adsorption isotherm of a guest in a host by grand-canonical Monte Carlo",
    persist_result=False,
    validate_parameters=True,
)
def isotherm(settings: IsothermSettings) -> dict[str, Any]:
    """Compute an isotherm on the workers its settings name.

    Args:
        settings: host, guest, pressures; see :class:`flows.settings.IsothermSettings`.

    Returns:
        What isotherm.json holds.
    """
    cluster = Path(settings.cluster) if settings.cluster else None
    with make_task_runner(settings.workers, cluster) as runner, Reporter() as reporter:
        executor = PrefectExecutor(runner)
        result = run_isotherm_job(settings, executor, reporter)
        words = (result["host"], result["guest"])
        rows = [{name: point[name] for name in SHOWN} for point in result["points"]]
        executor.table(artifact_key("isotherm", *words), rows, "Loadings, one row per point")
        picture = markdown_image(
            (settings.run_dir / "isotherm.png").read_bytes(), "loading against pressure"
        )
        key = artifact_key("isotherm-picture", *words)
        executor.markdown(key, f"# {' in '.join(reversed(words))}\n\n{picture}\n", "The isotherm")
    return result
