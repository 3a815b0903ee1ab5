"""The Henry coefficient over temperature, drawn: van 't Hoff picture and effective samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from chem.van_t_hoff import HenryCurve, VanTHoff
from flows.report.style import (
    ANSWER,
    BASELINE,
    MUTED,
    NORMAL_95,
    PAPER,
    dress,
    legend,
    new_figure,
    threshold,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW_DECADES = 30.0
LINE_POINTS = 100


def against_temperature(
    curve: HenryCurve,
    intervals_mol_per_kg_pa: np.ndarray,
    fit: VanTHoff | None,
    fewest_effective: float,
) -> Figure:
    """Draw K_H(T) over its effective samples, and the van 't Hoff plot over its residuals.

    Args:
        curve: coefficients at k temperatures.
        intervals_mol_per_kg_pa: (k, 2) their 95 % intervals.
        fit: the fits, or None where too few temperatures had enough samples.
        fewest_effective: effective samples a temperature needs to enter the fit.
    """
    figure = new_figure(9.0, 5.0)
    grid = figure.subplots(2, 2, height_ratios=(2.6, 1.0), sharex="col")
    used = np.zeros(len(curve.temperatures_k), dtype=bool) if fit is None else fit.used
    _draw_coefficients(grid[0, 0], curve, intervals_mol_per_kg_pa, used)
    _draw_samples(grid[1, 0], curve, used, fewest_effective)
    _draw_van_t_hoff(grid[0, 1], curve, intervals_mol_per_kg_pa, used, fit)
    _draw_residuals(grid[1, 1], curve, used, fit)
    return figure


def _draw_coefficients(
    axes: Axes, curve: HenryCurve, intervals: np.ndarray, used: np.ndarray
) -> None:
    _points(axes, curve.temperatures_k, curve.henry_mol_per_kg_pa, intervals, used)
    dress(axes, y="Henry coefficient / mol/(kg Pa)", title="answer with its 95 % interval")
    _log_scale(axes, intervals)


def _draw_samples(axes: Axes, curve: HenryCurve, used: np.ndarray, fewest: float) -> None:
    width = 0.6 * _spacing(curve.temperatures_k)
    colours = [ANSWER if good else BASELINE for good in used]
    samples = np.maximum(curve.effective_samples, 1.0)
    axes.bar(curve.temperatures_k, samples, width, color=colours, alpha=0.75, linewidth=0)
    threshold(axes, fewest, f"needed for the fit: {fewest:g}")
    dress(axes, x="temperature / K", y="effective\ninsertions")
    axes.set_yscale("log")
    axes.set_ylim(min(0.5 * fewest, 0.5 * samples.min()), 2.0 * max(fewest, samples.max()))


def _draw_van_t_hoff(
    axes: Axes,
    curve: HenryCurve,
    intervals: np.ndarray,
    used: np.ndarray,
    fit: VanTHoff | None,
) -> None:
    inverse = 1e3 / curve.temperatures_k
    if fit is not None:
        kelvin = 1e3 / np.linspace(inverse.min(), inverse.max(), LINE_POINTS)
        heat = fit.heat_kj_per_mol
        label = f"slope {heat.mean:.2f} ± {heat.standard_error:.2f} kJ/mol"
        axes.plot(1e3 / kelvin, fit.straight(kelvin), color=MUTED, linewidth=1.3, label=label)
    _points(axes, inverse, curve.henry_mol_per_kg_pa, intervals, used)
    dress(axes, title="van 't Hoff plot")
    _log_scale(axes, intervals)
    if fit is not None:
        legend(axes, loc="upper left")


def _draw_residuals(axes: Axes, curve: HenryCurve, used: np.ndarray, fit: VanTHoff | None) -> None:
    dress(axes, x="1000 K / temperature", y="off the line\n/ per cent")
    axes.axhline(0.0, color=MUTED, linewidth=1.0)
    if fit is None:
        axes.set_ylim(-1.0, 1.0)
        axes.text(0.5, 0.75, "no line", transform=axes.transAxes, color=MUTED, ha="center")
        return
    line = fit.straight(curve.temperatures_k)
    off = 100.0 * (curve.henry_mol_per_kg_pa / line - 1.0)
    bars = 100.0 * NORMAL_95 * curve.relative_standard_error
    inverse = 1e3 / curve.temperatures_k
    band = np.argsort(inverse)
    axes.fill_between(inverse[band], -bars[band], bars[band], color=ANSWER, alpha=0.14, linewidth=0)
    for chosen, colour, fill in ((used, ANSWER, ANSWER), (~used, BASELINE, PAPER)):
        axes.plot(inverse[chosen], off[chosen], "o", color=colour, mfc=fill, markersize=4)
    reach = 1.3 * max(np.abs(off[used]).max(), bars[used].max())
    axes.set_ylim(-reach, reach)


def _points(
    axes: Axes, x: np.ndarray, value: np.ndarray, intervals: np.ndarray, used: np.ndarray
) -> None:
    """Draw points with intervals; hollow where they did not enter the fit."""
    shown = np.isfinite(value) & (value > 0.0)
    ends = np.where(np.isfinite(intervals) & (intervals > 0.0), intervals, value[:, None])
    bars = np.abs(ends - value[:, None]).T
    for chosen, colour, fill in (
        (shown & used, ANSWER, ANSWER),
        (shown & ~used, BASELINE, PAPER),
    ):
        if chosen.any():
            axes.errorbar(
                x[chosen],
                value[chosen],
                yerr=bars[:, chosen],
                fmt="o",
                color=colour,
                mfc=fill,
                markersize=4.5,
                capsize=2.5,
                elinewidth=1.2,
            )


def _log_scale(axes: Axes, intervals: np.ndarray) -> None:
    """Turn the y axis logarithmic, with readable ticks also over less than a decade."""
    from matplotlib.ticker import LogLocator, NullFormatter

    shown = intervals[np.isfinite(intervals) & (intervals > 0.0)]
    if not len(shown):
        return
    axes.set_yscale("log")
    low, high = float(shown.min()), float(shown.max())
    axes.set_ylim(low / 1.25, high * 1.25)
    if high < FEW_DECADES * low:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(_plain_power)
        axes.yaxis.set_minor_formatter(NullFormatter())


def _plain_power(value: float, _: float) -> str:
    """Return a tick label such as 2 10^-5 in mathematical type."""
    power = math.floor(math.log10(value) + 1e-9)
    return rf"${value / 10.0**power:.3g}\cdot10^{{{power}}}$"


def _spacing(kelvin: np.ndarray) -> float:
    """Return the smallest distance of neighbouring temperatures, or a width for one alone."""
    return float(np.diff(np.sort(kelvin)).min()) if len(kelvin) > 1 else 5.0
