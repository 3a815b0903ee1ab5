"""Texts with pictures for the page of a reference unit: convergence, parity, the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.artifacts import markdown_image
from flows.campaign.page.markdown import escaped, number, span, table, with_error
from flows.campaign.units import Unit


def round_text(unit: Unit) -> str | None:
    """Return the convergence so far, or None where there are no rounds."""
    from flows.report.figures import convergence_png

    picture = convergence_png(Path(unit.settings.out))
    if picture is None:
        return None
    image = markdown_image(picture, "Henry coefficient against labels")
    return f"# {escaped(unit.title)}\n\n{image}\n"


def results_with_parity(unit: Unit, results: Sequence[Mapping[str, Any]]) -> str:
    """Return the answer as a table, its warnings, the parity picture and the files."""
    rows = [
        [
            f"{r['temperature_k']:g}",
            span(r["henry_mol_per_kg_pa"], r["henry_ci95"]),
            with_error(r["qst_kj_per_mol"], r["qst_standard_error"]),
            number(r["baseline_henry_mol_per_kg_pa"]),
            str(r["labels"]),
        ]
        for r in results
    ]
    head = ["T / K", "K_H / mol/(kg Pa), 95 %", "Qst / kJ/mol", "baseline K_H", "labels"]
    text = f"# {escaped(unit.title)}\n\n{table(head, rows)}\n"
    warnings = dict.fromkeys(w for r in results for w in r["warnings"])
    text += "".join(f"> {escaped(w)}\n\n" for w in warnings)
    picture = parity_png(Path(unit.settings.out), float(results[0]["temperature_k"]))
    if picture is not None:
        text += "## Predicted against reference energy\n\nLabels the surrogate had not seen.\n\n"
        text += markdown_image(picture, "Surrogate and baseline against the reference") + "\n\n"
    folder = Path(unit.settings.out)
    report = folder / "report.html"
    text += f"## Files\n\n- folder `{folder}`\n"
    return text + (f"- report [{report}]({report.as_uri()})\n" if report.is_file() else "")


def parity_png(folder: Path, temperature_k: float) -> bytes | None:
    """Return the picture of predicted against reference energies, or None without labels."""
    from flows.report.levels import parity
    from flows.report.load import load_run, read_unseen
    from flows.report.style import to_png

    run = load_run(folder)
    if not run.rounds:
        return None
    figure = parity(read_unseen(run), temperature_k)
    return None if figure is None else to_png(figure)
