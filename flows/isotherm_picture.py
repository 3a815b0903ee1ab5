"""An isotherm drawn and printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.constants import PA_PER_BAR
from data.store import write_atomically
from flows.report.style import NORMAL_95

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console


def draw(result: dict[str, Any]) -> Figure:
    """Return loading against pressure, linear and logarithmic, with Henry's law dashed."""
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    axes = figure.subplots(1, 2)
    for number, henry in enumerate(result["henry"]):
        temperature, colour = henry["temperature_k"], f"C{number}"
        points = [p for p in result["points"] if p["temperature_k"] == temperature]
        bar = np.array([p["pressure_pa"] for p in points]) / PA_PER_BAR
        loading = np.array([p["mol_per_kg"] for p in points])
        error = NORMAL_95 * np.array([p["mol_per_kg_standard_error"] for p in points])
        slope = henry["henry_mol_per_kg_pa"] * PA_PER_BAR
        for axis in axes:
            axis.errorbar(
                bar, loading, error, fmt="o-", ms=4, lw=1, color=colour, label=f"{temperature:g} K"
            )
        span = np.linspace(0.0, bar.max(), 50)
        shown = slope * span <= 1.3 * loading.max()
        axes[0].plot(span[shown], slope * span[shown], "--", lw=1, color=colour)
        axes[1].plot(bar, slope * bar, "--", lw=1, color=colour)
    axes[0].set_ylim(bottom=0.0)
    axes[1].set_xscale("log")
    if any(point["mol_per_kg"] > 0.0 for point in result["points"]):
        axes[1].set_yscale("log")
    for axis in axes:
        axis.set_xlabel("pressure / bar")
        axis.set_ylabel("absolute loading / mol/kg")
        axis.grid(alpha=0.3)
    axes[0].legend(title=f"{result['guest']} in {result['host']}", frameon=False)
    axes[1].set_title("dashed: Henry's law", fontsize=9)
    return figure


def write_picture(result: dict[str, Any], path: Path) -> None:
    """Write the picture of an isotherm as PNG."""
    figure = draw(result)
    write_atomically(path, lambda p: figure.savefig(p, format="png", dpi=150))


def print_isotherm(result: dict[str, Any], folder: Path, console: Console | None = None) -> None:
    """Print one line per point."""
    from rich.console import Console

    out = console or Console(highlight=False, soft_wrap=True)
    out.print(f"{result['guest']} in {result['host']}, {result['force_field']}")
    for henry in result["henry"]:
        out.print(
            f"  {henry['temperature_k']:g} K   K_H {henry['henry_mol_per_kg_pa']:.4g} mol/(kg Pa)"
        )
        for point in result["points"]:
            if point["temperature_k"] == henry["temperature_k"]:
                out.print(_line(point))
    for warning in result["warnings"]:
        out.print(f"  warning: {warning}")
    out.print(f"  files          {folder}")


def _line(point: dict[str, Any]) -> str:
    heat = point["heat_of_adsorption_kj_per_mol"]
    qst = "" if heat is None else f"   Qst {heat:.1f} kJ/mol"
    return (
        f"    {point['pressure_pa']:>12,.4g} Pa   {point['mol_per_kg']:.4g} +- "
        f"{point['mol_per_kg_standard_error']:.2g} mol/kg   "
        f"{point['molecules_per_cell']:.4g} a cell   "
        f"{point['cm3_stp_per_cm3']:.4g} cm3(STP)/cm3{qst}"
    )
