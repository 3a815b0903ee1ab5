"""How often the 95 % interval holds the truth while a tenth of the reference's calls fail.

    python benchmarks/failing.py                      # 200 replicates of each cell, one process
    python benchmarks/failing.py --replicates 50 --case Mg-MOF-74 --failures "one site"

The runs are those of coverage.py, on finite populations whose truth is a plain sum; the calls
that fail are chosen in several ways (common/failures.py). Each run gives three answers from the
same draws: the package's; the one that keeps the surrogate's energy where a label failed, which
was the rule before; and the one that it would have given had nothing failed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import util
from pathlib import Path
from types import ModuleType

import numpy as np
from common.failures import WAYS, Failures
from common.machine import as_lines, describe
from common.population import Population, axes, populate
from common.replicate import KINDS, Kind, Options, run

from chem.combine import RoundEstimate, combine, interval

CASES = (0, 1)
"""Numbers of coverage.py's systems: CO2 in CALF-20 and in Mg-MOF-74."""
WANTED = 0.9
RESULTS = Path(__file__).parent / "results"
RULES = ("now", "before", "none failed")


@cache
def coverage() -> ModuleType:
    """Return coverage.py, under a name that numba does not look for."""
    path = Path(__file__).with_name("coverage.py")
    spec = util.spec_from_file_location("widomill_coverage", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    import sys

    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Answer:
    """An answer over the truth, and the limits of its interval over it."""

    ratio: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= 1.0 <= self.high


@dataclass(frozen=True)
class Outcome:
    """One replicate: its answers by rule, the share of calls that failed and their weight."""

    answers: dict[str, Answer]
    failed_calls: float
    failed_share: float


@dataclass(frozen=True)
class Cell:
    """One system with one kind of surrogate and one way to fail.

    Attributes:
        case: guest and host.
        surrogate: its kind.
        failures: which calls fail.
        replicates: runs.
        coverage: share of runs whose interval holds the truth, by rule.
        bias: mean relative error, by rule.
        bias_error: standard errors of these.
        width: median, over runs, of the interval's log width over that without failures, by rule.
        failed_calls: mean share of calls that failed.
        failed_share: mean share of the answer that they stood for, as reported.
    """

    case: str
    surrogate: str
    failures: str
    replicates: int
    coverage: dict[str, float]
    bias: dict[str, float]
    bias_error: dict[str, float]
    width: dict[str, float]
    failed_calls: float
    failed_share: float


def main() -> int:
    """Run the replicates, print the table, store table and picture."""
    arguments = _arguments()
    options = Options()
    machine = describe()
    print("\n".join(as_lines(machine)) + f"\n{options}\n\n" + "\n".join(HEAD), flush=True)
    cells: list[Cell] = []
    began = time.monotonic()
    with ProcessPoolExecutor(arguments.processes) as pool:
        for number in CASES:
            name = coverage().CASES[number].name
            if arguments.case not in name:
                continue
            for kind in KINDS:
                for way in WAYS:
                    if arguments.failures not in way:
                        continue
                    failing = replace(options, failures=way)
                    jobs = [
                        pool.submit(replicates, number, kind, arguments.seed, start, stop, failing)
                        for start, stop in coverage().chunks(arguments.replicates)
                    ]
                    found = [outcome for job in jobs for outcome in job.result()]
                    cells.append(summary(name, kind, way, found))
                    print(as_row(cells[-1]), flush=True)
    print(f"\n{time.monotonic() - began:.0f} s")
    if arguments.out:
        store(cells, machine | {"options": str(options)}, Path(arguments.out))
    return 0


@cache
def _population(number: int) -> tuple[Population, np.ndarray]:
    population = populate(coverage().CASES[number], coverage().POPULATION)
    return population, axes(population.quaternions)


def replicates(
    number: int, kind: Kind, seed: int, start: int, stop: int, options: Options
) -> list[Outcome]:
    """Do some replicates of a cell, with the seeds of coverage.py."""
    population, axis = _population(number)
    outcomes = []
    for k in range(start, stop):
        seeds = [seed, number, KINDS.index(kind), k]
        combined, work = run(population, axis, kind, seeds, options)
        rounds = (work.rounds, work.surrogate_kept, work.none_failed)
        outcomes.append(
            Outcome(
                {
                    rule: answer(kept, population.truth)
                    for rule, kept in zip(RULES, rounds, strict=True)
                },
                work.failed / work.labels,
                float(combined.weights @ np.array(work.failed_shares)),
            )
        )
    return outcomes


def answer(rounds: Sequence[RoundEstimate], truth: float) -> Answer:
    """Return what rounds say together, over the truth."""
    combined = combine(rounds)
    low, high = interval(combined.estimate, combined.degrees_of_freedom)
    return Answer(combined.estimate.mean / truth, low / truth, high / truth)


def summary(case: str, kind: str, way: str, outcomes: Sequence[Outcome]) -> Cell:
    """Return what a cell's replicates say."""
    error = {r: np.array([o.answers[r].ratio - 1.0 for o in outcomes]) for r in RULES}
    width = {r: np.array([_width(o.answers[r]) for o in outcomes]) for r in RULES}
    return Cell(
        case,
        kind,
        way,
        len(outcomes),
        {r: float(np.mean([o.answers[r].holds for o in outcomes])) for r in RULES},
        {r: float(error[r].mean()) for r in RULES},
        {r: float(error[r].std(ddof=1) / np.sqrt(len(outcomes))) for r in RULES},
        {r: float(np.median(width[r] / width["none failed"])) for r in RULES},
        float(np.mean([o.failed_calls for o in outcomes])),
        float(np.mean([o.failed_share for o in outcomes])),
    )


def _width(found: Answer) -> float:
    return float(np.log(max(found.high, 1e-12) / max(found.low, 1e-12)))


HEAD = (
    "| system | surrogate | calls that fail | failed % | stood for % | coverage % | before "
    "| none failed | bias % | before | none failed | width | before |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
)


def as_row(cell: Cell) -> str:
    """Return a cell as a row of a Markdown table."""
    share = " | ".join(f"{100 * cell.coverage[r]:.1f}" for r in RULES)
    bias = " | ".join(f"{100 * cell.bias[r]:+.1f} +- {100 * cell.bias_error[r]:.1f}" for r in RULES)
    return (
        f"| {cell.case} | {cell.surrogate} | {cell.failures} | {100 * cell.failed_calls:.1f} | "
        f"{100 * cell.failed_share:.1f} | {share} | {bias} | {cell.width['now']:.2f} | "
        f"{cell.width['before']:.2f} |"
    )


def store(cells: Sequence[Cell], machine: dict[str, str], out: Path) -> None:
    """Write table, figures and picture beside one another."""
    out.parent.mkdir(parents=True, exist_ok=True)
    text = [*(f"- {line}" for line in as_lines(machine)), "", *HEAD, *map(as_row, cells)]
    out.with_suffix(".md").write_text("\n".join(text) + "\n", encoding="utf-8")
    content = {"machine": machine, "cells": [asdict(cell) for cell in cells]}
    out.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw(cells, out.with_suffix(".png"))


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Draw each system's coverage by way to fail, now and before, beside the least wanted."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    cases = list(dict.fromkeys(c.case for c in cells))
    rows = list(dict.fromkeys((c.failures, c.surrogate) for c in _ordered(cells)))
    places = {row: -k - 0.6 * (k // len(KINDS)) for k, row in enumerate(rows)}
    figure, panels = pyplot.subplots(
        1,
        len(cases),
        figsize=(1.6 + 4.2 * len(cases), 0.3 * len(rows) + 1.6),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    lowest = 100.0 * min(value for c in cells for value in c.coverage.values())
    for axis, case in zip(panels[0], cases, strict=True):
        own = [c for c in cells if c.case == case]
        where = np.array([places[c.failures, c.surrogate] for c in own])
        axis.axvline(100 * WANTED, color="0.6", linewidth=1, zorder=0)
        for rule, marker, colour in (
            ("none failed", "|", "0.4"),
            ("before", "x", "tab:red"),
        ):
            held = [100 * c.coverage[rule] for c in own]
            axis.scatter(held, where, marker=marker, color=colour, label=rule, zorder=2)
        share = np.array([c.coverage["now"] for c in own])
        error = 196.0 * np.sqrt(share * (1 - share) / [c.replicates for c in own])
        reach = [error, np.minimum(error, 100.0 * (1 - share))]
        axis.errorbar(100 * share, where, xerr=reach, fmt="o", color="tab:blue", label="now")
        axis.set_title(case, fontsize="medium")
        axis.set_xlabel("intervals that hold the truth, %")
        axis.set_xlim(lowest - 3.0, 101.5)
    panels[0][0].set_yticks(
        [places[row] for row in rows], [f"{way}, {kind}" for way, kind in rows], fontsize="small"
    )
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize="small")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _ordered(cells: Sequence[Cell]) -> list[Cell]:
    ways: tuple[Failures, ...] = WAYS
    return sorted(
        cells, key=lambda c: ([str(w) for w in ways].index(c.failures), KINDS.index(c.surrogate))
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--case", default="", help="part of a system's name")
    parser.add_argument("--failures", default="", help="part of a way to fail")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=str(RESULTS / "failing"), help="empty: store nothing")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
