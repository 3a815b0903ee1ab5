"""Baseline, surrogate and reference compared: parity, calibration, energies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chem.estimator import beta_mol_per_kj
from flows.report.load import Insertions, Unseen
from flows.report.style import (
    ANSWER,
    BASELINE,
    INK,
    MUTED,
    SURROGATE,
    dress,
    legend,
    new_figure,
)
from ml.calibration import boltzmann_relevance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 1500
WINDOW_RT = 11.0
Z_LIMIT = 4.5
FEWEST_Z = 5
BINS = 100
HISTOGRAM_SPAN_KJ_PER_MOL = 40.0


def relevance(unseen: Unseen, temperature_k: float) -> np.ndarray:
    """Return (n,) how much each label matters, by its reference energy, in (0, 1]."""
    return boltzmann_relevance(unseen.reference_kj_per_mol, 1.0 / beta_mol_per_kj(temperature_k))


def weighted_error(unseen: Unseen, temperature_k: float) -> dict[str, float]:
    """Return the mean absolute errors of baseline and surrogate on labels that matter, kJ/mol."""
    weight = relevance(unseen, temperature_k) * unseen.learned
    if not weight.sum() > 0:
        return {}
    target = unseen.reference_kj_per_mol
    return {
        name: float(np.average(np.abs(values - target), weights=weight))
        for name, values in (
            ("baseline", unseen.baseline_kj_per_mol),
            ("surrogate", unseen.surrogate_kj_per_mol),
        )
    }


def parity(unseen: Unseen, temperature_k: float) -> Figure | None:
    """Draw predictions against labels that were unseen when predicted; None without labels."""
    if not len(unseen.round):
        return None
    figure = new_figure(4.7, 4.5)
    axes = figure.subplots()
    target, weight = unseen.reference_kj_per_mol, relevance(unseen, temperature_k)
    low = float(target.min()) - 4.0
    high = float(target.min()) + WINDOW_RT / beta_mol_per_kj(temperature_k)
    high = min(high, float(target.max()) + 4.0)
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1.0)
    shown = np.argsort(-weight, kind="stable")[:MOST_POINTS]
    every = np.zeros(len(target), dtype=bool)
    every[shown] = True
    _cloud(axes, target, unseen.baseline_kj_per_mol, weight, every, BASELINE, "baseline", "s")
    learned = every & unseen.learned
    if learned.any():
        axes.errorbar(
            target[learned],
            unseen.surrogate_kj_per_mol[learned],
            yerr=unseen.sd_kj_per_mol[learned],
            fmt="none",
            ecolor=SURROGATE,
            alpha=0.25,
            elinewidth=0.8,
        )
        mean = unseen.surrogate_kj_per_mol
        _cloud(axes, target, mean, weight, learned, SURROGATE, "surrogate, ± 1 sd", "o")
    dress(axes, x="reference energy / kJ/mol", y="predicted energy / kJ/mol")
    axes.set_xlim(low, high)
    axes.set_ylim(low - 2.0, high + 2.0)
    axes.set_aspect("equal")
    legend(axes, loc="upper left", handletextpad=0.2)
    return figure


def _cloud(
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    chosen: np.ndarray,
    colour: str,
    label: str,
    marker: str,
) -> None:
    """Scatter points that grow and darken with their relevance."""
    strength = np.sqrt(weight[chosen])
    axes.scatter(
        x[chosen],
        y[chosen],
        s=6.0 + 34.0 * strength,
        alpha=0.25 + 0.6 * strength,
        color=colour,
        marker=marker,
        linewidths=0,
    )
    axes.scatter([], [], s=26, color=colour, marker=marker, linewidths=0, label=label)


def coverage(unseen: Unseen) -> dict[str, Any] | None:
    """Return how often labels fell within one and two predicted standard deviations."""
    z = z_scores(unseen)
    if len(z) < FEWEST_Z:
        return None
    return {
        "labels": len(z),
        "one": float(np.mean(np.abs(z) < 1.0)),
        "two": float(np.mean(np.abs(z) < 2.0)),
    }


def z_scores(unseen: Unseen) -> np.ndarray:
    """Return errors over predicted standard deviations of the rounds that had learned."""
    chosen = unseen.learned & (unseen.sd_kj_per_mol > 0)
    error = unseen.reference_kj_per_mol - unseen.surrogate_kj_per_mol
    return error[chosen] / unseen.sd_kj_per_mol[chosen]


def calibration(unseen: Unseen, temperature_k: float) -> Figure | None:
    """Draw the errors in units of the predicted standard deviation; None with too few labels."""
    z = z_scores(unseen)
    if len(z) < FEWEST_Z:
        return None
    figure = new_figure(4.7, 4.5)
    axes = figure.subplots()
    edges = np.linspace(-Z_LIMIT, Z_LIMIT, 19).tolist()
    clipped = np.clip(z, -Z_LIMIT + 1e-9, Z_LIMIT - 1e-9)
    axes.hist(
        clipped, edges, density=True, color=SURROGATE, alpha=0.35, linewidth=0, label="labels"
    )
    chosen = unseen.learned & (unseen.sd_kj_per_mol > 0)
    weight = relevance(unseen, temperature_k)[chosen]
    axes.hist(
        clipped,
        edges,
        weights=weight,
        density=True,
        histtype="step",
        color=SURROGATE,
        linewidth=1.6,
        label="weighted by relevance",
    )
    grid = np.linspace(-Z_LIMIT, Z_LIMIT, 181)
    normal = np.exp(-0.5 * grid**2) / np.sqrt(2.0 * np.pi)
    axes.plot(grid, normal, color=INK, linewidth=1.3, label="ideal (normal)")
    dress(axes, x="(reference - surrogate) / predicted sd", y="density")
    axes.set_ylim(0.0, axes.get_ylim()[1] * 1.28)
    legend(axes, loc="upper left")
    return figure


def energies(insertions: Insertions, unseen: Unseen, temperature_k: float) -> Figure | None:
    """Draw how much of the cell has which energy, and where the guest's weight is.

    None where no insertion is outside the hard core.
    """
    best = insertions.best_kj_per_mol
    if not len(best):
        return None
    figure = new_figure(7.4, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True)
    levels = [("baseline", BASELINE, insertions.baseline_kj_per_mol)]
    if insertions.surrogate_kj_per_mol is not None:
        levels.append(("surrogate", SURROGATE, insertions.surrogate_kj_per_mol))
    low = min(float(values.min()) for _, _, values in levels) - 1.0
    edges = np.linspace(low, low + HISTOGRAM_SPAN_KJ_PER_MOL, BINS + 1)
    beta = beta_mol_per_kj(temperature_k)
    for name, colour, values in levels:
        volume = insertions.weight / insertions.placed
        factor = volume * np.exp(-beta * (values - values.min()))
        _steps(upper, edges, values, volume, colour, name)
        _steps(lower, edges, values, factor / factor.sum(), colour, name)
    dress(upper, y="share of the cell\nper kJ/mol")
    upper.set_yscale("log")
    dress(lower, x="interaction energy / kJ/mol", y="share of the guest\nper kJ/mol")
    lower.set_ylim(bottom=0.0)
    inside = unseen.reference_kj_per_mol
    inside = inside[(inside > edges[0]) & (inside < edges[-1])][:MOST_POINTS]
    if len(inside):
        height = np.full(len(inside), -0.03)
        lower.plot(
            inside,
            height,
            "|",
            color=ANSWER,
            markersize=7,
            alpha=0.6,
            transform=lower.get_xaxis_transform(),
            clip_on=False,
            label="reference labels",
        )
    lower.set_xlim(edges[0], edges[-1])
    lower.tick_params(axis="x", pad=8)
    legend(lower, loc="upper right")
    return figure


def _steps(
    axes: Axes, edges: np.ndarray, values: np.ndarray, weight: np.ndarray, colour: str, label: str
) -> None:
    height, _ = np.histogram(values, edges, weights=weight)
    height = height / np.diff(edges)
    axes.stairs(height, edges, color=colour, alpha=0.18, fill=True)
    axes.stairs(height, edges, color=colour, linewidth=1.4, label=label)
