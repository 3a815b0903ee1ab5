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


def publish_round(executor: Executor, words: tuple[str, str], run_dir: Path) -> None:
    """Write the convergence plot of the rounds so far as an artifact.

    Args:
        executor: of the flow run.
        words: host and guest.
        run_dir: run folder.
    """
    from flows.report.figures import convergence_png

    picture = convergence_png(run_dir)
    if picture is not None:
        title = " ".join(words)
        text = markdown_image(picture, f"Henry coefficient of {title} against number of labels")
        key = artifact_key("convergence", *words)
        executor.markdown(key, f"# {title}\n\n{text}\n", "Convergence, round by round")


def publish_results(executor: Executor, run_dir: Path, results: list[dict[str, Any]]) -> None:
    """Write the answer as a table, and what belongs to it in words."""
    first = results[0]
    words = (first["host"], first["guest"])
    rows = [{name: result[name] for name in SHOWN} for result in results]
    executor.table(artifact_key("henry", *words), rows, "The answer, one row per temperature")
    text = f"# {first['host']} {first['guest']} at {first['reference']}\n"
    text += "".join(f"\n> {warning}\n" for result in results for warning in result["warnings"])
    text += f"\nFiles and report: `{run_dir}`\n"
    executor.markdown(artifact_key("notes", *words), text, "Warnings and files")
