"""Is the surrogate honest, and is it over-fitted: what it claimed against what came out.

Labels are drawn after a round's surrogate is fixed, so its predictions for them are honest. Beside
them stands what each fit said of itself: the residual on its own labels, and the error on labels
held out by clusters of position and orientation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from chem.estimator import beta_mol_per_kj
from flows.report import style
from flows.report.levels import WINDOW_RT, relevance
from flows.report.load import Run, Unseen
from flows.report.style import ANSWER, INK, MUTED, SURROGATE, dress, legend, new_figure
from tasks.validation import read_validation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ml.validation import Validation

FEWEST_LABELS = 16
LABELS_PER_BIN = 12
MOST_BINS = 8
RESAMPLES = 400


@dataclass(frozen=True)
class Watched:
    """A round's surrogate: what its fit said, and its error on the labels drawn with it.

    Attributes:
        round: the round it scored.
        validation: what the fit said; None with too few labels.
        unseen: labels the round drew.
        unseen_kj_per_mol: root mean square error on them, weighted by relevance.
        unseen_sd_kj_per_mol: what it claimed for them, weighted alike.
    """

    round: int
    validation: Validation | None
    unseen: int
    unseen_kj_per_mol: float
    unseen_sd_kj_per_mol: float


def section(run: Run, unseen: Unseen) -> dict[str, Any]:
    """Return pictures and table of the report's section; all empty without learned rounds."""
    first = run.results[0]["temperature_k"]
    rounds = watched(run, unseen, first)
    drawings = {
        "reliability": (reliability(unseen, first), "Realised error against predicted error"),
        "watch": (watch(rounds), "Errors of fit and of held out labels by round"),
    }
    pictures = {
        name: figure and Markup(style.to_svg(figure, name, words))
        for name, (figure, words) in drawings.items()
    }
    return {**pictures, "rounds": [r for r in rounds if r.validation is not None]}


def watched(run: Run, unseen: Unseen, temperature_k: float) -> list[Watched]:
    """Return what is known of the surrogate of every round but the first."""
    weight = relevance(unseen, temperature_k) if len(unseen.round) else np.zeros(0)
    error = unseen.surrogate_kj_per_mol - unseen.reference_kj_per_mol
    found = []
    for number in run.round_numbers:
        rows = unseen.learned & (unseen.round == number)
        if number > 1:
            rms = (_rms(values[rows], weight[rows]) for values in (error, unseen.sd_kj_per_mol))
            validation = read_validation(str(run.folder), number)
            found.append(Watched(number, validation, int(rows.sum()), *rms))
    return found


def _rms(values: np.ndarray, weights: np.ndarray) -> float:
    total = float(weights.sum())
    return float(np.sqrt((weights * values**2).sum() / total)) if total > 0 else float("nan")


def reliability(unseen: Unseen, temperature_k: float) -> Figure | None:
    """Draw realised against predicted error, and the share inside against the share expected.

    Insertions predicted more than 11 RT above the deepest are left out: their errors are those of
    a wall, and matter to nobody. None with too few labels.
    """
    mean, sd = unseen.surrogate_kj_per_mol, unseen.sd_kj_per_mol
    chosen = unseen.learned & (sd > 0)
    highest = mean[chosen].min(initial=np.inf) + WINDOW_RT / beta_mol_per_kj(temperature_k)
    chosen &= mean <= highest
    if chosen.sum() < FEWEST_LABELS:
        return None
    error = (unseen.reference_kj_per_mol - mean)[chosen]
    figure = new_figure(7.4, 3.7)
    left, right = figure.subplots(1, 2)
    _draw_bins(left, sd[chosen], error)
    _draw_shares(right, np.abs(error / sd[chosen]))
    return figure


def binned(sd: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return per bin of equally many labels: predicted and realised rms and its 95 % range.

    Args:
        sd: (n,) predicted standard deviations, kJ/mol.
        error: (n,) errors, kJ/mol.

    Returns:
        (bins, 4) rms of the predictions, of the errors, and the latter's low and high end by
        resampling, kJ/mol.
    """
    order = np.argsort(sd, kind="stable")
    rng = np.random.default_rng(0)
    rows = []
    for part in np.array_split(order, int(np.clip(len(sd) // LABELS_PER_BIN, 1, MOST_BINS))):
        squares = error[part] ** 2
        draws = squares[rng.integers(len(part), size=(RESAMPLES, len(part)))].mean(axis=1)
        low, high = np.sqrt(np.quantile(draws, (0.025, 0.975)))
        rows.append([np.sqrt((sd[part] ** 2).mean()), np.sqrt(squares.mean()), low, high])
    return np.array(rows)


def _draw_bins(axes: Axes, sd: np.ndarray, error: np.ndarray) -> None:
    bins = np.maximum(binned(sd, error), 1e-6)
    size = np.maximum(np.abs(error), 0.2 * bins.min())
    axes.plot(sd, size, ".", color=MUTED, alpha=0.35, markersize=4, label="labels")
    axes.errorbar(
        bins[:, 0],
        bins[:, 1],
        yerr=[bins[:, 1] - bins[:, 2], bins[:, 3] - bins[:, 1]],
        fmt="o",
        color=SURROGATE,
        markersize=6,
        capsize=3,
        label="root mean square, 95 %",
    )
    ends = [0.6 * min(bins[:, 0].min(), sd.min()), 1.6 * max(bins[:, 0].max(), sd.max())]
    axes.plot(ends, ends, color=INK, linewidth=1.2, label="honest")
    dress(axes, x="predicted sd / kJ/mol", y="error / kJ/mol")
    axes.set(xscale="log", yscale="log", xlim=ends)
    _plain_ticks(axes)
    axes.set_ylim(top=axes.get_ylim()[1] * 4.0)
    legend(axes, loc="upper left", handletextpad=0.3)


def _draw_shares(axes: Axes, sizes: np.ndarray) -> None:
    """Draw the share of labels within each multiple of the sd against a normal's."""
    from scipy.special import erf

    expected = np.linspace(0.0, 1.0, 201)
    limit = erf(sizes / np.sqrt(2.0))
    share = np.searchsorted(np.sort(limit), expected, side="right") / len(sizes)
    margin = 1.96 * np.sqrt(expected * (1.0 - expected) / len(sizes))
    low, high = np.clip(expected - margin, 0.0, 1.0), np.clip(expected + margin, 0.0, 1.0)
    axes.fill_between(
        expected, low, high, color=MUTED, alpha=0.2, linewidth=0, label="by chance, 95 %"
    )
    axes.plot(expected, expected, color=INK, linewidth=1.2, label="honest")
    axes.plot(expected, share, color=SURROGATE, linewidth=1.8, label="surrogate")
    dress(axes, x="expected share within", y="labels within")
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))
    legend(axes, loc="upper left")


def watch(rounds: Sequence[Watched]) -> Figure | None:
    """Draw the errors of every fit against the labels it had; None with fewer than two fits."""
    known = [(r, r.validation) for r in rounds if r.validation is not None]
    if len(known) < 2:
        return None
    figure = new_figure(7.4, 3.2)
    axes = figure.subplots()
    labels = [v.labels for _, v in known]
    lines: tuple[tuple[str, str, list[float], str], ...] = (
        ("residual on its own labels", MUTED, [v.training_kj_per_mol for _, v in known], "s:"),
        ("claimed for held-out clusters", INK, [v.predicted_kj_per_mol for _, v in known], "--"),
        ("error on held-out clusters", SURROGATE, [v.held_out_kj_per_mol for _, v in known], "o-"),
        ("error on labels drawn next", ANSWER, [r.unseen_kj_per_mol for r, _ in known], "D-"),
    )
    for name, colour, values, marks in lines:
        axes.plot(labels, values, marks, color=colour, markersize=4.5, linewidth=1.5, label=name)
    dress(axes, x="labels fitted", y="rms error / kJ/mol")
    axes.set_yscale("log")
    _plain_ticks(axes)
    legend(axes, ncol=2, loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)
    return figure


def _plain_ticks(axes: Axes) -> None:
    """Label logarithmic axes with plain numbers, few of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis, scale in ((axes.xaxis, axes.get_xscale()), (axes.yaxis, axes.get_yscale())):
        if scale == "log":
            low, high = axis.get_view_interval()
            subs = (1.0, 2.0, 5.0) if high < 200.0 * low else (1.0,)
            axis.set_major_locator(LogLocator(subs=subs))
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axis.set_minor_formatter(NullFormatter())
