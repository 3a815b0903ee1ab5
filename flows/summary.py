"""What the user sees at the end of a run, on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.constants import PA_PER_BAR
from flows.report.words import NOTHING, decimals, is_short, known, plain_number

if TYPE_CHECKING:
    from rich.console import Console

NAME_WIDTH = 15
MOST_IN_FULL = 3

Result = dict[str, Any]


def print_summary(
    results: Sequence[Result],
    run_dir: Path,
    report_path: Path,
    console: Console | None = None,
) -> None:
    """Print the answer, what it rests on and where the files are.

    Args:
        results: one result per temperature, as in result.json.
        run_dir: the run folder.
        report_path: the HTML report.
        console: where to print; standard output by default.
    """
    from rich.console import Console
    from rich.text import Text

    out = console or Console(highlight=False, soft_wrap=True)
    first = results[0]
    level = first["force_field"] if first["rounds"] == 0 else first["reference"]
    out.print(Text(f"{first['guest']} in {first['host']}, {level}", style="bold"))
    brief = len(results) > MOST_IN_FULL
    for result in results:
        for name, text in brief_lines(result) if brief else answer_lines(result):
            out.print(_line(name, text, "bold" if name.startswith("K_H") else ""))
    for name, text in common_lines(results):
        out.print(_line(name, text))
    for warning in dict.fromkeys(w for r in results for w in r["warnings"]):
        out.print(_line("warning", warning, "yellow"))
    out.print(_line("files", str(run_dir)))
    out.print(_line("report", str(report_path)))


def _line(name: str, text: str, style: str = "") -> Any:
    from rich.text import Text

    return Text.assemble((f"  {name:<{NAME_WIDTH}}", style or "dim"), (text, style))


def answer_lines(result: Result) -> list[tuple[str, str]]:
    """Return name and text of the lines that hold at one temperature."""
    low, high = result["henry_ci95"]
    henry = result["henry_mol_per_kg_pa"]
    lines = [
        (
            f"K_H {result['temperature_k']:g} K",
            f"{_exact(henry)} mol/(kg Pa)   95 % {_exact(low)} to {_exact(high)}   "
            f"relative standard error {_percent(result['henry_relative_standard_error'])}",
        ),
        (
            "",
            f"{_short(_times(henry))} mol/(kg bar)   95 % {_short(_times(low))} to "
            f"{_short(_times(high))}",
        ),
        ("Qst", f"{_heat(result)} kJ/mol"),
    ]
    if result["rounds"]:
        own = result["surrogate_henry_mol_per_kg_pa"], result["baseline_henry_mol_per_kg_pa"]
        lines.append(
            ("without labels", f"surrogate {_exact(own[0])}, baseline {_exact(own[1])} mol/(kg Pa)")
        )
    lines.append(("error from", _error_sources(result)))
    return lines


def brief_lines(result: Result) -> list[tuple[str, str]]:
    """Return one line of one of many temperatures."""
    low, high = result["henry_ci95"]
    return [
        (
            f"K_H {result['temperature_k']:g} K",
            f"{_exact(result['henry_mol_per_kg_pa'])} mol/(kg Pa)   95 % {_exact(low)} to "
            f"{_exact(high)}   {_percent(result['henry_relative_standard_error'])}   "
            f"Qst {_heat(result)} kJ/mol",
        )
    ]


def common_lines(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Return name and text of the lines that hold for the run."""
    first = results[0]
    lines = [("binding energy", f"{_short(first['binding_energy_kj_per_mol'])} kJ/mol")]
    if first["rounds"]:
        failed = first["label_failures"]
        lines.append(
            (
                "labels",
                f"{first['labels']}{f' ({failed} failed)' if failed else ''} in "
                f"{first['rounds']} rounds, {first['reference_s']:.0f} s of reference calls",
            )
        )
    if first.get("verdict"):
        lines.append(("verdict", first["verdict"]))
    lines.append(("stopped", f"{first['stopped_because']}, {first['wall_s']:.0f} s in all"))
    return lines


def _error_sources(result: Result) -> str:
    text = (
        f"{result['insertions']:,} insertions {_percent(result['table_relative_error'])} "
        f"({_count(result['effective_samples'])} effective)"
    )
    if result["rounds"]:
        text += (
            f", labels {_percent(result['design_relative_error'])} "
            f"({_count(result['correction_effective_samples'])} effective)"
        )
    if result.get("failed_relative_error"):
        text += f", failed labels {_percent(result['failed_relative_error'])}"
    return text + f"; largest weight {_percent(result['largest_weight_share'])}"


def _times(value: float | None) -> float | None:
    return None if value is None else value * PA_PER_BAR


def _exact(value: float | None) -> str:
    return f"{value:.3e}" if known(value) else NOTHING


def _short(value: float | None) -> str:
    if value is not None and known(value) and not is_short(value):
        return _exact(value)
    return plain_number(value, 4)


def _count(value: float | None) -> str:
    return f"{value:,.0f}" if known(value) else NOTHING


def _percent(fraction: float | None) -> str:
    return f"{100.0 * fraction:.2g} %" if fraction is not None and known(fraction) else NOTHING


def _heat(result: Result) -> str:
    """Return the heat of adsorption with its error, as many decimals as the error has."""
    heat, error = result["qst_kj_per_mol"], result["qst_standard_error"]
    if not known(heat) or not known(error) or error <= 0:
        return _short(heat)
    places = decimals(error)
    return f"{heat:.{places}f} +- {error:.{places}f}"
