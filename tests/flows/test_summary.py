"""The closing words: every figure of the answer, whole names, few lines."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flows.summary import print_summary

RESULT: dict[str, Any] = {
    "host": "Mg-MOF-74",
    "guest": "CO2",
    "reference": "mace-dac",
    "force_field": "UFF",
    "temperature_k": 298.15,
    "henry_mol_per_kg_pa": 1.2344e-4,
    "henry_ci95": [1.1e-4, 1.39e-4],
    "henry_relative_standard_error": 0.0478,
    "table_relative_error": 0.0213,
    "design_relative_error": 0.0428,
    "qst_kj_per_mol": 44.6543,
    "qst_standard_error": 0.3721,
    "binding_energy_kj_per_mol": -48.12,
    "baseline_henry_mol_per_kg_pa": 3.1e-8,
    "surrogate_henry_mol_per_kg_pa": 1.4e-4,
    "insertions": 1_000_000,
    "effective_samples": 4321.0,
    "labels": 243,
    "label_failures": 2,
    "correction_effective_samples": 61.0,
    "largest_weight_share": 0.012,
    "rounds": 6,
    "stopped_because": "target error reached",
    "wall_s": 412.0,
    "reference_s": 301.0,
    "warnings": ["2 labels failed"],
}


def printed(results: list[dict[str, Any]], folder: Path = Path("runs/a run")) -> list[str]:
    """What goes to a file that is no terminal, 80 columns wide."""
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False, soft_wrap=True)
    print_summary(results, folder, folder / "report.html", console)
    return out.getvalue().splitlines()


def test_every_figure_is_there_in_few_lines() -> None:
    lines = printed([RESULT])
    text = "\n".join(lines)
    assert len(lines) <= 25
    for figure in (
        "CO2 in Mg-MOF-74, mace-dac",
        "1.234e-04 mol/(kg Pa)   95 % 1.100e-04 to 1.390e-04",
        "relative standard error 4.8 %",
        "12.34 mol/(kg bar)   95 % 11.00 to 13.90",
        "44.65 +- 0.37 kJ/mol",
        "-48.12 kJ/mol",
        "surrogate 1.400e-04, baseline 3.100e-08 mol/(kg Pa)",
        "1,000,000 insertions 2.1 % (4,321 effective), labels 4.3 % (61 effective)",
        "largest weight 1.2 %",
        "243 (2 failed) in 6 rounds, 301 s of reference calls",
        "target error reached, 412 s in all",
        "2 labels failed",
        "runs/a run/report.html",
    ):
        assert figure in text


def test_each_temperature_has_its_answer_and_shared_lines_come_once() -> None:
    hot = RESULT | {"temperature_k": 350.0, "henry_mol_per_kg_pa": 2.5e-5}
    text = "\n".join(printed([RESULT, hot]))
    assert "K_H 298.15 K" in text
    assert "K_H 350 K" in text
    assert "2.500e-05" in text
    assert text.count("binding energy") == text.count("2 labels failed") == 1


def test_a_classical_answer_speaks_of_no_labels() -> None:
    text = "\n".join(printed([RESULT | {"rounds": 0, "labels": 0, "reference": "classical"}]))
    assert "CO2 in Mg-MOF-74, UFF" in text
    assert "labels  " not in text
    assert "surrogate" not in text


@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf")])
def test_what_is_not_known_is_not_made_up(nothing: float | None) -> None:
    unknown = {name: nothing for name in RESULT if name.endswith(("_error", "_per_mol"))}
    text = "\n".join(printed([RESULT | unknown | {"henry_ci95": [0.0, nothing]}]))
    assert "Qst            n/a kJ/mol" in text
    assert "nan" not in text
    assert "inf" not in text


def test_names_are_printed_as_they_are_and_never_cut() -> None:
    host, folder = "[red]x[/red] [bold", Path("/") / ("deep" * 40)
    lines = printed([RESULT | {"host": host}], folder)
    assert lines[0] == f"CO2 in {host}, mace-dac"
    assert lines[-1].endswith(str(folder / "report.html"))


def test_it_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary([RESULT], Path("runs/x"), Path("runs/x/report.html"))
    captured = capsys.readouterr()
    assert "1.234e-04" in captured.out
    assert captured.err == ""
