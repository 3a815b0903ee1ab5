r"""How often the 95 % interval holds the truth: hundreds of runs of the loop in each cell.

    python benchmarks/coverage.py                      # 500 replicates of each cell, two processes
    python benchmarks/coverage.py --replicates 50 --case Mg-MOF-74
    python benchmarks/coverage.py --known 40 --min-labels 40 --max-labels 300 --max-rounds 20 \
      --insertions 1000000 --target-error 0.05       # runs that start from a model of other hosts

Each replicate is a run on a finite population of insertions with energies at two force fields
(common/population.py), whose truth is a plain sum, with a surrogate that is good, poor or
adversarial (common/replicate.py). The other intervals of the table are from the same runs.
"""

from __future__ import annotations

if __name__ == "coverage":
    # Scripts in this folder have it on their path, and numba asks for the package of that name.
    raise ImportError("benchmarks/coverage.py is not the coverage package")

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from common.machine import as_lines, describe
from common.population import Case, Population, axes, populate
from common.replicate import KINDS, Kind, Options, Replicate, run
from scipy.special import stdtrit

from chem.combine import Combined, interval

CASES = (
    Case("CALF-20", "CO2", {"Zn": 4.0, "H": 1.6, "N": 0.3}, {"N": 0.97}),
    Case("Mg-MOF-74", "CO2", {"Mg": 16.0}, {"Mg": 0.85}),
    Case("CALF-20", "H2O", {"Zn": 3.0, "O": 1.3}, {}),
    Case("SOD", "CH4", {"O": 1.05, "Si": 1.2}, {}),
)
POPULATION = 120_000
CHUNK = 25
RESAMPLED = 400
RESULTS = Path(__file__).parent / "results"
Limits = tuple[float, float]


def _ours(combined: Combined, _: Replicate) -> Limits:
    return interval(combined.estimate, combined.degrees_of_freedom)


def _log_normal(combined: Combined, _: Replicate) -> Limits:
    return interval(combined.estimate, math.inf)


def _normal(combined: Combined, _: Replicate) -> Limits:
    error = 1.96 * combined.estimate.standard_error
    return combined.estimate.mean - error, combined.estimate.mean + error


def _student(combined: Combined, _: Replicate) -> Limits:
    quantile = float(stdtrit(combined.degrees_of_freedom, 0.975))
    error = quantile * combined.estimate.standard_error
    return combined.estimate.mean - error, combined.estimate.mean + error


def _bootstrap_t(combined: Combined, work: Replicate) -> Limits:
    """Quantiles of t from labels drawn anew, with replacement, from those that were drawn."""
    terms = np.concatenate([a * t for a, t in zip(combined.weights, work.terms, strict=True)])
    drawn = terms[work.rng.integers(0, len(terms), (RESAMPLED, len(terms)))]
    table = combined.table_standard_error**2
    t = (drawn.sum(axis=1) - terms.sum()) / np.sqrt((drawn**2).sum(axis=1) + table)
    low, high = np.quantile(t, [0.025, 0.975])
    error = np.sqrt((terms**2).sum() + table)
    return combined.estimate.mean - high * error, combined.estimate.mean - low * error


INTERVALS: dict[str, Callable[[Combined, Replicate], Limits]] = {
    "ours": _ours,
    "normal": _normal,
    "log-normal": _log_normal,
    "Student": _student,
    "bootstrap-t": _bootstrap_t,
}


@dataclass(frozen=True)
class Outcome:
    """One replicate: its answer over the truth, and the limits of every interval over it."""

    ratio: float
    relative_error: float
    labels: int
    rounds: int
    limits: dict[str, Limits]


@dataclass(frozen=True)
class Cell:
    """One system with one kind of surrogate.

    Attributes:
        case: guest and host.
        surrogate: its kind.
        replicates: runs.
        coverage: share of runs whose interval holds the truth, by interval.
        below, above: share of runs whose interval lies wholly below or above the truth.
        bias: mean relative error, and its standard error.
        bias_error: standard error of the bias.
        scatter: root mean square of the relative error.
        stated: median relative standard error stated.
        width: median of upper over lower limit.
        labels, rounds: means over runs.
    """

    case: str
    surrogate: str
    replicates: int
    coverage: dict[str, float]
    below: float
    above: float
    bias: float
    bias_error: float
    scatter: float
    stated: float
    width: float
    labels: float
    rounds: float


def main() -> int:
    """Run the replicates, print the table, store table and picture."""
    arguments = _arguments()
    options = Options(
        arguments.insertions,
        arguments.max_labels,
        arguments.max_rounds,
        arguments.target_error,
        known=arguments.known,
        min_labels=arguments.min_labels,
    )
    machine = describe()
    print("\n".join(as_lines(machine)) + f"\n{options}\n\n" + "\n".join(HEAD), flush=True)
    cells = []
    began = time.monotonic()
    with ProcessPoolExecutor(arguments.processes) as pool:
        for number in range(len(CASES)):
            if arguments.case not in CASES[number].name:
                continue
            for kind in arguments.surrogate:
                jobs = [
                    pool.submit(replicates, number, kind, arguments.seed, start, stop, options)
                    for start, stop in chunks(arguments.replicates)
                ]
                outcomes = [outcome for job in jobs for outcome in job.result()]
                cells.append(summary(CASES[number].name, kind, outcomes))
                print(as_row(cells[-1]), flush=True)
    print(f"\n{time.monotonic() - began:.0f} s")
    if arguments.out:
        store(cells, machine | {"options": str(options)}, Path(arguments.out))
    return 0


def chunks(replicates: int) -> list[tuple[int, int]]:
    """Return first and last, exclusive, of the replicates that are done in one go."""
    return [(k, min(k + CHUNK, replicates)) for k in range(0, replicates, CHUNK)]


@cache
def _population(number: int) -> tuple[Population, np.ndarray]:
    population = populate(CASES[number], POPULATION)
    return population, axes(population.quaternions)


def replicates(
    number: int, kind: Kind, seed: int, start: int, stop: int, options: Options
) -> list[Outcome]:
    """Do some replicates of a cell; each has its own stream of random numbers."""
    population, axis = _population(number)
    truth, outcomes = population.truth, []
    for k in range(start, stop):
        combined, work = run(population, axis, kind, [seed, number, KINDS.index(kind), k], options)
        limits = {name: interval_of(combined, work) for name, interval_of in INTERVALS.items()}
        outcomes.append(
            Outcome(
                combined.estimate.mean / truth,
                combined.estimate.relative_standard_error,
                work.labels,
                len(work.rounds),
                {name: (low / truth, high / truth) for name, (low, high) in limits.items()},
            )
        )
    return outcomes


def summary(case: str, kind: str, outcomes: Sequence[Outcome]) -> Cell:
    """Return what a cell's replicates say."""
    error = np.array([o.ratio - 1.0 for o in outcomes])
    ours = [o.limits["ours"] for o in outcomes]
    return Cell(
        case,
        kind,
        len(outcomes),
        {
            name: float(np.mean([o.limits[name][0] <= 1 <= o.limits[name][1] for o in outcomes]))
            for name in INTERVALS
        },
        float(np.mean([high < 1 for _, high in ours])),
        float(np.mean([low > 1 for low, _ in ours])),
        float(error.mean()),
        float(error.std(ddof=1) / np.sqrt(len(error))),
        float(np.sqrt((error**2).mean())),
        float(np.median([o.relative_error for o in outcomes])),
        float(np.median([high / max(low, 1e-12) for low, high in ours])),
        float(np.mean([o.labels for o in outcomes])),
        float(np.mean([o.rounds for o in outcomes])),
    )


HEAD = (
    "| system | surrogate | coverage % | below | above | normal | log-normal | Student "
    "| bootstrap-t | bias % | scatter % | stated % | upper/lower | labels | rounds |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
)


def as_row(cell: Cell) -> str:
    """Return a cell as a row of a Markdown table."""
    percent = {name: f"{100 * value:.1f}" for name, value in cell.coverage.items()}
    return (
        f"| {cell.case} | {cell.surrogate} | {percent['ours']} | {100 * cell.below:.1f} | "
        f"{100 * cell.above:.1f} | {percent['normal']} | {percent['log-normal']} | "
        f"{percent['Student']} | {percent['bootstrap-t']} | "
        f"{100 * cell.bias:+.1f} +- {100 * cell.bias_error:.1f} | "
        f"{100 * cell.scatter:.1f} | {100 * cell.stated:.1f} | {cell.width:.2f} | "
        f"{cell.labels:.0f} | {cell.rounds:.1f} |"
    )


def store(cells: Sequence[Cell], machine: dict[str, str], out: Path) -> None:
    """Write table, figures and picture beside one another."""
    out.parent.mkdir(parents=True, exist_ok=True)
    text = [*(f"- {line}" for line in as_lines(machine)), "", *HEAD, *map(as_row, cells)]
    out.with_suffix(".md").write_text("\n".join(text) + "\n", encoding="utf-8")
    content = {"machine": machine, "cells": [asdict(cell) for cell in cells]}
    out.with_suffix(".json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    draw(cells, out.with_suffix(".png"))


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Draw the coverage of every cell with its own 95 % interval, beside the target."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 0.38 * len(cells) + 1.2), layout="constrained")
    places = np.arange(len(cells))[::-1]
    axis.axvspan(93, 97, color="0.9", label="wanted")
    for name, marker in (("normal", "x"), ("bootstrap-t", "+")):
        axis.scatter(
            [100 * c.coverage[name] for c in cells], places, marker=marker, color="0.5", label=name
        )
    share = np.array([c.coverage["ours"] for c in cells])
    error = 196.0 * np.sqrt(share * (1 - share) / [c.replicates for c in cells])
    axis.errorbar(100 * share, places, xerr=error, fmt="o", color="tab:blue", label="ours")
    axis.set_yticks(places, [f"{c.case}, {c.surrogate}" for c in cells])
    axis.set_xlabel("intervals that hold the truth, %")
    axis.legend(loc="lower left", fontsize="small")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = Options()
    parser.add_argument("--replicates", type=int, default=500)
    parser.add_argument("--case", default="", help="part of a system's name")
    parser.add_argument("--surrogate", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--insertions", type=int, default=default.insertions)
    parser.add_argument("--max-labels", type=int, default=default.max_labels)
    parser.add_argument("--max-rounds", type=int, default=default.max_rounds)
    parser.add_argument("--target-error", type=float, default=default.target_error)
    parser.add_argument(
        "--known", type=int, default=0, help="labels that a model of other hosts is worth"
    )
    parser.add_argument("--min-labels", type=int, default=default.min_labels)
    parser.add_argument("--out", default=str(RESULTS / "coverage"), help="empty: store nothing")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
