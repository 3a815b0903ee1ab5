"""How the answer came about: the Henry coefficient against labels, and against temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.store import read_rows
from flows.report.load import read_json
from flows.report.style import (
    ANSWER,
    BASELINE,
    MUTED,
    NORMAL_95,
    SURROGATE,
    dress,
    legend,
    new_figure,
    threshold,
    to_png,
)
from flows.report.words import superscript

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_FROM_RATIO = 8.0
FEW_DECADES = 30.0


def convergence_png(run_dir: Path) -> bytes | None:
    """Return the picture of K_H against labels at the first temperature, or None.

    None where there are no rounds: the baseline is the reference, or the run is not finished.
    """
    rounds_path, settings_path = run_dir / "rounds.parquet", run_dir / "settings.json"
    if not rounds_path.exists():
        return None
    rounds = read_rows(rounds_path)
    if not rounds:
        return None
    target = read_json(settings_path).get("target_error") if settings_path.exists() else None
    first = rounds[0]["temperature_k"]
    figure = convergence([r for r in rounds if r["temperature_k"] == first], target)
    return to_png(figure)


def convergence(rows: Sequence[dict[str, Any]], target: float | None) -> Figure:
    """Draw K_H and its interval against labels, and below it the relative standard error.

    Args:
        rows: rows of rounds.parquet at one temperature, in order of round.
        target: relative standard error to stop at.
    """
    figure = new_figure(7.4, 5.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1.0))
    logarithmic = _spread(rows) > LOG_FROM_RATIO
    scale = 1.0 if logarithmic else _power_of_ten(rows[-1]["henry"])
    limits = _limits(rows, scale, logarithmic)
    _draw_answers(upper, rows, scale, 10.0 * limits[1])
    unit = "mol/(kg Pa)"
    if scale != 1.0:
        unit = f"10{superscript(round(math.log10(scale)))} {unit}"
    dress(upper, y=f"Henry coefficient / {unit}")
    if logarithmic:
        upper.set_yscale("log")
    upper.set_ylim(*limits)
    legend(upper, ncol=2, loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)
    _draw_errors(lower, rows, target)
    return figure


def _spread(rows: Sequence[dict[str, Any]]) -> float:
    """Return the ratio of the largest to the smallest answer that is to be shown."""
    last = rows[-1]
    shown = [last["henry"], last["baseline_henry"], *(r["surrogate_henry"] for r in rows)]
    positive = [v for v in shown if v is not None and v > 0 and math.isfinite(v)]
    return max(positive) / min(positive) if positive else 1.0


def _power_of_ten(value: float) -> float:
    if not math.isfinite(value) or value <= 0:
        return 1.0
    return 10.0 ** math.floor(math.log10(value))


def _limits(rows: Sequence[dict[str, Any]], scale: float, logarithmic: bool) -> tuple[float, float]:
    """Return axis limits that show every answer and the last interval, whole.

    The first intervals can span anything; they are cut.
    """
    last = rows[-1]
    shown = [last["henry_ci_low"], last["henry_ci_high"], last["baseline_henry"]]
    for row in rows:
        shown += [row["henry"], row["round_henry"], row["surrogate_henry"]]
    finite = [v / scale for v in shown if v is not None and math.isfinite(v)]
    if logarithmic:
        positive = [v for v in finite if v > 0]
        return min(positive) / 1.8, max(positive) * 1.8
    low, high = min(finite), max(finite)
    room = 0.3 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def _draw_answers(axes: Axes, rows: Sequence[dict[str, Any]], scale: float, highest: float) -> None:
    """Draw every estimate; the band ends at ``highest``, above what is in view."""
    labels = [r["labels_total"] for r in rows]
    bars = [NORMAL_95 * math.hypot(r["table_error"], r["design_error"]) / scale for r in rows]
    low = [r["henry_ci_low"] / scale for r in rows]
    high = [min(r["henry_ci_high"] / scale, highest) for r in rows]
    axes.fill_between(labels, low, high, color=ANSWER, alpha=0.16, linewidth=0)
    axes.errorbar(
        labels,
        [r["round_henry"] / scale for r in rows],
        yerr=bars,
        fmt="o",
        color=MUTED,
        alpha=0.6,
        markersize=4,
        elinewidth=1.0,
        capsize=2,
        label="each round alone, 95 %",
    )
    axes.plot(
        labels,
        [r["surrogate_henry"] / scale for r in rows],
        "D--",
        color=SURROGATE,
        markersize=4,
        linewidth=1.0,
        label="surrogate's own answer",
    )
    axes.axhline(
        rows[-1]["baseline_henry"] / scale,
        color=BASELINE,
        linestyle=(0, (5, 3)),
        linewidth=1.4,
        label="baseline's own answer",
    )
    axes.plot(
        labels,
        [r["henry"] / scale for r in rows],
        "o-",
        color=ANSWER,
        markersize=5,
        linewidth=1.8,
        label="reference, all rounds so far, 95 % band",
    )


def _draw_errors(axes: Axes, rows: Sequence[dict[str, Any]], target: float | None) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    labels = [r["labels_total"] for r in rows]
    errors = [100.0 * r["relative_standard_error"] for r in rows]
    axes.plot(labels, errors, "o-", color=ANSWER, markersize=4, linewidth=1.5)
    if target:
        threshold(axes, 100.0 * target, f"target {100 * target:g} %")
    dress(axes, x="reference labels paid for", y="rel. error / %")
    axes.set_yscale("log")
    if max(errors) < FEW_DECADES * min(errors):
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlim(left=0.0)


def against_temperature(results: Sequence[dict[str, Any]]) -> Figure:
    """Draw K_H with its intervals against temperature, the surrogate and baseline beside it."""
    figure = new_figure(7.4, 3.2)
    axes = figure.subplots()
    ordered = sorted(results, key=lambda r: r["temperature_k"])
    kelvin = [r["temperature_k"] for r in ordered]
    for name, colour, label in (
        ("baseline_henry_mol_per_kg_pa", BASELINE, "baseline's own answer"),
        ("surrogate_henry_mol_per_kg_pa", SURROGATE, "surrogate's own answer"),
    ):
        if ordered[0]["rounds"]:
            axes.plot(kelvin, [_number(r[name]) for r in ordered], "--", color=colour, label=label)
    value = [_number(r["henry_mol_per_kg_pa"]) for r in ordered]
    ends = [[_number(r["henry_ci95"][k]) for r in ordered] for k in (0, 1)]
    bars = [
        [abs(v - e) if math.isfinite(e) else 0.0 for v, e in zip(value, end, strict=True)]
        for end in ends
    ]
    axes.errorbar(kelvin, value, yerr=bars, fmt="o-", color=ANSWER, capsize=3, label="answer, 95 %")
    dress(axes, x="temperature / K", y="Henry coefficient / mol/(kg Pa)")
    if any(math.isfinite(v) for v in value):
        axes.set_yscale("log")
    legend(axes)
    return figure


def _number(value: float | None) -> float:
    """Return a stored number; null and what a logarithmic axis cannot show become NaN."""
    return value if value is not None and value > 0 else float("nan")
