"""What a label budget buys: CO2 in CALF-20 and Mg-MOF-74 at mace-dac, several seeds, no tuning.

    python benchmarks/accuracy.py                        # all twelve runs, one after another
    python benchmarks/accuracy.py --host CALF-20 --labels 150 --seeds 0

Each run has the same settings but for host, seed, and the pair of label budget and target error
that goes with it. A run whose folder is finished is read, not repeated, so that the table can be
filled in several sittings. Standard errors are those of the whole: sampling and labelling.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.machine import as_lines, describe

HOSTS = ("CALF-20", "Mg-MOF-74")
GOALS = {150: 0.05, 600: 0.01}
"""Relative standard error wanted for a budget of labels."""
SEEDS = (0, 1, 2)
INSERTIONS = 4_000_000
REFERENCE = "mace-dac"
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One run.

    Attributes:
        host: bundled host.
        budget: labels allowed, those that train the surrogate included.
        goal: relative standard error wanted.
        seed: random seed.
        henry_mol_per_kg_pa: Henry coefficient.
        low, high: 95 % interval.
        relative_error: total relative standard error.
        table_error, design_error: its two parts, relative.
        labels: labels paid.
        insertions: insertions averaged over.
        rounds: rounds done.
        wall_s, reference_s: seconds of the run, and of its reference calls.
    """

    host: str
    budget: int
    goal: float
    seed: int
    henry_mol_per_kg_pa: float
    low: float
    high: float
    relative_error: float
    table_error: float
    design_error: float
    labels: int
    insertions: int
    rounds: int
    wall_s: float
    reference_s: float

    @property
    def met(self) -> bool:
        """Whether error and labels are within the goal."""
        return self.relative_error <= self.goal and self.labels <= self.budget


def main() -> int:
    """Do the runs, print and store the table."""
    arguments = _arguments()
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n\n" + "\n".join(HEAD), flush=True)
    rows = []
    for host, budget, seed in itertools.product(
        arguments.host or HOSTS, arguments.labels or GOALS, arguments.seeds
    ):
        rows.append(one_run(host, budget, seed, arguments))
        print(as_row(rows[-1]), flush=True)
    said = [f"{host}: {agreement([r for r in rows if r.host == host])}" for host in HOSTS]
    print("\n" + "\n".join(said))
    if arguments.out:
        store(rows, said, machine, Path(arguments.out))
    return 0 if all(row.met for row in rows) else 1


def one_run(host: str, budget: int, seed: int, arguments: argparse.Namespace) -> Row:
    """Do one run, or read it where it is finished."""
    from flows.console import SilentReporter
    from flows.executors import PlainExecutor
    from flows.run import run
    from flows.settings import make_settings

    folder = Path(arguments.folder) / f"{host}-{budget}-{seed}"
    settings = make_settings(
        host=host,
        guest="CO2",
        reference=arguments.reference,
        insertions=arguments.insertions,
        max_labels=budget,
        target_error=GOALS.get(budget, 0.05),
        seed=seed,
        out=str(folder),
    )
    result: dict[str, Any] = run(settings, PlainExecutor(), SilentReporter())[0]
    low, high = result["henry_ci95"]
    return Row(
        host,
        budget,
        GOALS.get(budget, 0.05),
        seed,
        result["henry_mol_per_kg_pa"],
        low,
        high,
        result["henry_relative_standard_error"],
        result["table_relative_error"],
        result["design_relative_error"],
        result["labels"],
        result["insertions"],
        result["rounds"],
        result["wall_s"],
        result["reference_s"],
    )


HEAD = (
    "| host | seed | labels allowed | paid | goal % | error % | sampling % | labelling % "
    "| met | K_H, mol/(kg Pa) | 95 % interval | insertions | rounds | s | of which reference |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
)


def as_row(row: Row) -> str:
    """Return a run as a row of a Markdown table."""
    return (
        f"| {row.host} | {row.seed} | {row.budget} | {row.labels} | {100 * row.goal:g} | "
        f"{100 * row.relative_error:.2f} | {100 * row.table_error:.2f} | "
        f"{100 * row.design_error:.2f} | {'yes' if row.met else 'no'} | "
        f"{row.henry_mol_per_kg_pa:.5g} | {row.low:.5g} to {row.high:.5g} | {row.insertions:,} | "
        f"{row.rounds} | {row.wall_s:.0f} | {row.reference_s:.0f} |"
    )


def agreement(rows: Sequence[Row]) -> str:
    """Return whether the runs of a host agree with one another within their errors."""
    if len(rows) < 2:
        return "one run says nothing of agreement" if rows else "no run"
    value = np.log([r.henry_mol_per_kg_pa for r in rows])
    error = np.array([r.relative_error for r in rows])
    mean = float(np.sum(value / error**2) / np.sum(1.0 / error**2))
    chi2 = float(np.sum(((value - mean) / error) ** 2))
    inside = sum(r.low <= np.exp(mean) <= r.high for r in rows)
    return (
        f"{inside} of {len(rows)} intervals hold the common mean {np.exp(mean):.5g} mol/(kg Pa); "
        f"chi-square {chi2:.1f} for {len(rows) - 1} degrees of freedom"
    )


def store(rows: Sequence[Row], said: Sequence[str], machine: dict[str, str], out: Path) -> None:
    """Write the table and its figures."""
    out.parent.mkdir(parents=True, exist_ok=True)
    text = [*(f"- {line}" for line in as_lines(machine)), "", *HEAD, *map(as_row, rows), "", *said]
    out.with_suffix(".md").write_text("\n".join(text) + "\n", encoding="utf-8")
    content = {"machine": machine, "runs": [asdict(row) for row in rows]}
    out.with_suffix(".json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", action="append", choices=HOSTS)
    parser.add_argument("--labels", action="append", type=int, help="budget: 150, 600 or another")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--insertions", type=int, default=INSERTIONS)
    parser.add_argument("--reference", default=REFERENCE)
    parser.add_argument("--folder", default="runs/accuracy", help="where the run folders lie")
    parser.add_argument("--out", default=str(RESULTS / "accuracy"), help="empty: store nothing")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
