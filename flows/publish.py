"""Results on the run's page: the answer as a table, the convergence as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.artifacts import artifact_key, markdown_image
from flows.executors import Executor

SHOWN = (
    "host",
    "guest",
    "temperature_k",
    "reference",
    "henry_mol_per_kg_pa",
    "henry_ci95",
    "henry_relative_standard_error",
    "qst_kj_per_mol",
    "qst_standard_error",
    "binding_energy_kj_per_mol",
    "labels",
    "rounds",
    "stopped_because",
)


def publish_results(executor: Executor, run_dir: Path, results: list[dict[str, Any]]) -> None:
    """Write the answer and the convergence plot as artifacts."""
    from flows.report.figures import convergence_png

    first = results[0]
    words = (first["host"], first["guest"])
    rows = [{name: result[name] for name in SHOWN} for result in results]
    executor.table(artifact_key("henry", *words), rows, "The answer, one row per temperature")
    picture = convergence_png(run_dir)
    text = f"# {first['host']} {first['guest']} at {first['reference']}\n\n"
    if picture is None:
        text += "The baseline is the reference: no rounds.\n"
    else:
        text += markdown_image(picture, "Henry coefficient against number of labels") + "\n"
    text += "\n".join(f"\n> {warning}" for warning in first["warnings"])
    text += f"\n\nFiles: `{run_dir}`\n"
    executor.markdown(artifact_key("convergence", *words), text, "Convergence of the rounds")
