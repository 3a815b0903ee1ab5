"""Labels needed: how the error of K_H falls with reference calls, by five ways of spending them.

    python benchmarks/labels.py                       # CO2 in CALF-20 and Mg-MOF-74, mace-dac
    python benchmarks/labels.py --hosts CALF-20 --max-labels 200

One run of widomill a host is done (or taken up, where its folder is there) and its labels serve
all ways; no other reference call is made. In what follows W = exp(-U/RT), averages are uniform
over the cell, and U is the reference energy, for which the last surrogate stands where there is
no label: it is known there to tenths of a kJ/mol, far better than these figures need.

- uniform Widom: each label one uniform insertion, rse^2 = (<W^2>/<W>^2 - 1) / labels;
- force-field importance sampling: insertions drawn as the baseline's Boltzmann distribution,
  rse^2 = (<W^2/B><B>/<W>^2 - 1) / labels, B the baseline's Boltzmann factor;
- surrogate only: the surrogate's own answer, its distance from the final answer;
- threshold routing: the insertions of lowest baseline energy are labelled, the baseline answers
  for the rest; its distance from the final answer;
- widomill: the standard error it states, sampling and labelling together.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.machine import as_lines, describe

RESULTS = Path(__file__).parent / "results"
TARGET = 0.05


@dataclass(frozen=True)
class Needs:
    """What one host says.

    Attributes:
        host: its name.
        labels: (r,) labels paid by the end of each round.
        ours: (r,) relative standard error stated.
        surrogate_only: (r,) distance of the surrogate's answer from the final one.
        threshold: (r,) the same of threshold routing.
        uniform: relative variance of one uniform insertion's Boltzmann factor.
        importance: the same under force-field importance sampling.
    """

    host: str
    labels: np.ndarray
    ours: np.ndarray
    surrogate_only: np.ndarray
    threshold: np.ndarray
    uniform: float
    importance: float

    def ours_to(self, target: float) -> float:
        """Return the labels widomill took to a relative standard error, NaN if it did not."""
        reached = np.flatnonzero(self.ours <= target)
        return float(self.labels[reached[0]]) if len(reached) else float("nan")


def main() -> int:
    """Run the hosts, print and store table and picture."""
    arguments = _arguments()
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    needs = [examine(_run(host, arguments), arguments) for host in arguments.hosts]
    text = table(needs)
    print(text)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    heading = "\n".join(f"- {line}" for line in as_lines(machine))
    arguments.out.with_suffix(".md").write_text(f"{heading}\n\n{text}\n", encoding="utf-8")
    draw(needs, arguments.out.with_suffix(".png"))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", nargs="+", default=["CALF-20", "Mg-MOF-74"])
    parser.add_argument("--guest", default="CO2")
    parser.add_argument("--reference", default="mace-dac")
    parser.add_argument("--temperature-k", type=float, default=298.15)
    parser.add_argument("--max-labels", type=int, default=600)
    parser.add_argument("--target-error", type=float, default=0.01)
    parser.add_argument("--insertions", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs/labels"), help="run folders")
    parser.add_argument("--out", type=Path, default=RESULTS / "labels", help="stem of the output")
    return parser.parse_args()


def _run(host: str, arguments: argparse.Namespace) -> Path:
    """Do the run of a host, or what is missing of it."""
    from flows.launch import launch
    from flows.settings import make_settings

    folder = arguments.runs / f"{host}_{arguments.guest}_{arguments.seed}"
    settings = make_settings(
        host=host,
        guest=arguments.guest,
        reference=arguments.reference,
        temperatures_k=(arguments.temperature_k,),
        insertions=arguments.insertions,
        max_labels=arguments.max_labels,
        max_rounds=20,
        target_error=arguments.target_error,
        seed=arguments.seed,
        out=str(folder),
    )
    launch(settings, orchestration=False)
    return folder


def examine(folder: Path, arguments: argparse.Namespace) -> Needs:
    """Return what a finished run folder says."""
    from chem.estimator import beta_mol_per_kj
    from data.store import read_rows

    rounds = read_rows(folder / "rounds.parquet")
    final = rounds[-1]["henry"]
    labels = np.array([r["labels_total"] for r in rounds], dtype=float)
    surrogate = np.array([r["surrogate_henry"] for r in rounds])
    beta = beta_mol_per_kj(arguments.temperature_k)
    weight, baseline, energy = last_table(folder)
    factor = np.exp(-beta * (energy - energy.min()))
    base = np.exp(-beta * (baseline - baseline.min()))
    mean, size = _mean(weight, factor), len(weight)
    uniform = _mean(weight, factor**2) / mean**2
    importance = _mean(weight, factor**2 / base) * _mean(weight, base) / mean**2
    return Needs(
        Path(folder).name.split("_")[0],
        labels,
        np.array([r["relative_standard_error"] for r in rounds]),
        np.abs(surrogate / final - 1.0),
        _threshold(
            weight, base_first(baseline), labels, factor, base * _shift(baseline, energy, beta)
        ),
        # Overlapping insertions count as well: the means above are over the free ones alone.
        uniform * _placed(folder) / size - 1.0,
        importance - 1.0,
    )


def base_first(baseline: np.ndarray) -> np.ndarray:
    """Return the order of rising baseline energy."""
    return np.argsort(baseline, kind="stable")


def _shift(baseline: np.ndarray, energy: np.ndarray, beta: float) -> float:
    """Return what puts the baseline's factors on the scale of the others."""
    return float(np.exp(-beta * (baseline.min() - energy.min())))


def _threshold(
    weight: np.ndarray, order: np.ndarray, labels: np.ndarray, factor: np.ndarray, base: np.ndarray
) -> np.ndarray:
    """Return the relative error of threshold routing at each number of labels."""
    total = float((weight * factor).sum())
    gained = np.cumsum((weight * (factor - base))[order])
    start = float((weight * base).sum())
    answers = start + gained[np.minimum(labels.astype(int), len(order)) - 1]
    return np.abs(answers / total - 1.0)


def _mean(weight: np.ndarray, values: np.ndarray) -> float:
    return float((weight * values).sum() / len(weight))


def last_table(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weights, baseline and best energies of the free insertions of the last table."""
    from data.store import read_columns

    names = ["proposal_weight", "baseline_kj_per_mol", "surrogate_kj_per_mol", "overlap"]
    parts = [read_columns(path, names) for path in _files(folder)]
    columns = {name: np.concatenate([p[name] for p in parts]) for name in names}
    free = ~columns["overlap"].astype(bool)
    kept = [columns[name][free] for name in names[:3]]
    return kept[0], kept[1], kept[2]


def _files(folder: Path) -> list[Path]:
    every = sorted((folder / "insertions").glob("table-*-batch-*.parquet"))
    last = every[-1].name.partition("-batch-")[0]
    return [path for path in every if path.name.startswith(last)]


def _placed(folder: Path) -> int:
    from data.store import read_columns

    return sum(len(read_columns(path, ["overlap"])["overlap"]) for path in _files(folder))


def table(needs: list[Needs]) -> str:
    """Return the labels to the target as Markdown, and the course of each host."""
    lines = [
        f"Labels to {100 * TARGET:g} % relative standard error.",
        "",
        "| host | uniform Widom | force-field importance | widomill | saved | saved |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for need in needs:
        plain, guided = (v / TARGET**2 for v in (need.uniform, need.importance))
        own = need.ours_to(TARGET)
        lines.append(
            f"| {need.host} | {plain:,.0f} | {guided:,.0f} | {own:,.0f} | {plain / own:,.0f}x | "
            f"{guided / own:,.1f}x |"
        )
    for need in needs:
        lines += ["", f"{need.host}: relative errors, round by round", ""]
        lines += ["| labels | widomill | surrogate only | threshold routing |"]
        lines += ["| --- | --- | --- | --- |"]
        columns = (need.labels, need.ours, need.surrogate_only, need.threshold)
        for labels, *errors in zip(*columns, strict=True):
            shown = " | ".join(f"{100 * error:.2g} %" for error in errors)
            lines.append(f"| {labels:.0f} | {shown} |")
    return "\n".join(lines)


def draw(needs: list[Needs], path: Path) -> None:
    """Draw relative error against labels, one panel a host."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0 * len(needs), 4.0), layout="constrained")
    panels: Any = np.atleast_1d(figure.subplots(1, len(needs), sharey=True))
    for axis, need in zip(panels, needs, strict=True):
        span = np.geomspace(10, 2e5, 50)
        axis.loglog(span, np.sqrt(need.uniform / span), "k:", label="uniform Widom")
        axis.loglog(span, np.sqrt(need.importance / span), "k--", label="force-field importance")
        axis.loglog(need.labels, need.threshold, "C1s-", ms=3, lw=1, label="threshold (bias)")
        axis.loglog(need.labels, need.surrogate_only, "C2^-", ms=3, lw=1, label="surrogate (bias)")
        axis.loglog(need.labels, need.ours, "C0o-", ms=4, label="widomill")
        axis.axhline(TARGET, color="0.7", lw=0.8)
        axis.set(title=need.host, xlabel="reference calls", ylim=(1e-3, 20))
        axis.grid(alpha=0.3)
    panels[0].set_ylabel("relative error of K_H")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    sys.exit(main())
