"""Labels needed: how the error of K_H falls with reference calls, by five ways of spending them.

    python benchmarks/labels.py                         # three hosts, mace-dac, three seeds each
    python benchmarks/labels.py --hosts CALF-20 --seeds 0
    python benchmarks/labels.py --folders runs/a runs/b  # finished runs; no reference call

Runs of widomill are done (or taken up, where their folders are there) and their labels serve all
ways: no other reference call is made. `common/needs.py` says how each way's error is worked out;
where a way has a choice (what to leave out, a threshold, a tempering) it gets the best one.
About 15 s of one core for each run that is there. A run itself costs its labels (CPU seconds a
label with forces: CALF-20 and Mg-MOF-74 under 0.2, MFI 1.6) and some 5 minutes of training and
scoring.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.machine import as_lines, describe
from common.needs import (
    Measured,
    ScoredRound,
    Tradeoff,
    best_tempering,
    importance_sampling,
    scored_rounds,
    threshold_routing,
    uniform_variance,
)

RESULTS = Path(__file__).parent / "results" / "labels"
TARGETS = (0.05, 0.01)
HOSTS = ("CALF-20", "Mg-MOF-74", "MFI_SI")
SMALL_SHARE = 0.05
SPAN = np.geomspace(10, 1e7, 60)
MORE_THAN = 1e8


@dataclass(frozen=True)
class Course:
    """What one run did, round by round.

    Attributes:
        seed: of the run.
        labels: (r,) labels paid by the end of each round.
        stated: (r,) relative standard error stated.
        surrogate: (r,) the surrogate's own answer over the run's last one, less one.
    """

    seed: int
    labels: np.ndarray
    stated: np.ndarray
    surrogate: np.ndarray

    def to(self, target: float) -> float:
        """Return the labels paid when the stated error first was at most the target, or NaN.

        Not before a run may stop on its target.
        """
        from flows.loop import MIN_LABELS

        reached = np.flatnonzero((self.stated <= target) & (self.labels >= MIN_LABELS))
        return float(self.labels[reached[0]]) if len(reached) else float("nan")


@dataclass(frozen=True)
class Case:
    """One host: its runs and what they say of the other ways.

    Attributes:
        name: host and guest.
        temperature_k: temperature.
        courses: the runs.
        uniform: relative variance of one uniform insertion, every one labelled.
        free_share: share of the cell outside the hard core.
        rounds: scored rounds with a surrogate worth its name, of all runs.
    """

    name: str
    temperature_k: float
    courses: list[Course]
    uniform: Measured
    free_share: float
    rounds: list[ScoredRound]

    @property
    def beta(self) -> float:
        """1/(R T), mol/kJ."""
        from chem.estimator import beta_mol_per_kj

        return beta_mol_per_kj(self.temperature_k)

    def ours(self, target: float) -> float:
        """Return the median over runs of the labels to a target; NaN where most did not reach."""
        each = [course.to(target) for course in self.courses]
        return float(np.median(np.where(np.isnan(each), np.inf, each)))


def main() -> int:
    """Do the runs, print and store table and picture."""
    arguments = _arguments()
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    folders = arguments.folders or [
        _run(host, seed, arguments) for host in arguments.hosts for seed in arguments.seeds
    ]
    cases = examine(folders)
    text = table(cases)
    print(text)
    arguments.out.mkdir(parents=True, exist_ok=True)
    heading = "\n".join(f"- {line}" for line in as_lines(machine))
    (arguments.out / "labels.md").write_text(f"{heading}\n\n{text}\n", encoding="utf-8")
    stored = {"machine": machine, "cases": [numbers(case) for case in cases]}
    (arguments.out / "labels.json").write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    draw(cases, arguments.out / "labels.png")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folders", nargs="+", type=Path, help="finished runs to use as they are")
    parser.add_argument("--hosts", nargs="+", default=list(HOSTS))
    parser.add_argument("--guest", default="CO2")
    parser.add_argument("--reference", default="mace-dac")
    parser.add_argument("--temperature-k", type=float, default=298.15)
    parser.add_argument("--max-labels", type=int, default=600)
    parser.add_argument("--target-error", type=float, default=0.01)
    parser.add_argument("--insertions", type=int, default=2_000_000)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs/labels"), help="run folders")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of table and picture")
    return parser.parse_args()


def _run(host: str, seed: int, arguments: argparse.Namespace) -> Path:
    """Do a run, or what is missing of it."""
    from flows.launch import launch
    from flows.settings import make_settings

    folder: Path = arguments.runs / f"{host}_{arguments.guest}_{seed}"
    settings = make_settings(
        host=host,
        guest=arguments.guest,
        reference=arguments.reference,
        temperatures_k=(arguments.temperature_k,),
        insertions=arguments.insertions,
        max_labels=arguments.max_labels,
        max_rounds=20,
        target_error=arguments.target_error,
        seed=seed,
        out=str(folder),
    )
    launch(settings, orchestration=False)
    return folder


def examine(folders: list[Path]) -> list[Case]:
    """Return what finished runs say, one case for each host and guest."""
    from chem.estimator import beta_mol_per_kj

    results = {folder: _result(folder) for folder in folders}
    cases = []
    for name in dict.fromkeys(f"{r['guest']} in {r['host']}" for r in results.values()):
        own = [f for f, r in results.items() if f"{r['guest']} in {r['host']}" == name]
        temperature = float(results[own[0]]["temperature_k"])
        beta = beta_mol_per_kj(temperature)
        scored = [scored_rounds(folder, temperature) for folder in own]
        variances = [uniform_variance(rounds, beta) for rounds in scored]
        rounds = [r for rounds in scored for r in _trained(rounds)]
        cases.append(
            Case(
                name,
                temperature,
                [_course(folder, results[folder]) for folder in own],
                _average(variances),
                float(np.mean([r.free_share for r in rounds])),
                rounds,
            )
        )
    return cases


def _trained(rounds: list[ScoredRound]) -> list[ScoredRound]:
    """Return the rounds whose surrogate had seen labels and that count in the answer."""
    kept = [r for r in rounds if r.number > 1 and r.share >= SMALL_SHARE]
    return kept or rounds[-1:]


def _average(values: list[Measured]) -> Measured:
    """Return the plain mean of independent numbers; their scatter, where there is one, counts."""
    each = np.array([v.value for v in values])
    own = float(np.sqrt(sum(v.standard_error**2 for v in values))) / len(values)
    scatter = float(each.std(ddof=1)) / np.sqrt(len(each)) if len(each) > 1 else 0.0
    return Measured(float(each.mean()), max(own, scatter))


def _result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))["results"][0]


def _course(folder: Path, result: dict[str, Any]) -> Course:
    from data.store import read_rows

    every = read_rows(folder / "rounds.parquet")
    rows = [r for r in every if r["temperature_k"] == result["temperature_k"]]
    final = result["henry_mol_per_kg_pa"]
    return Course(
        int(result["seed"]),
        np.array([r["labels_total"] for r in rows], dtype=float),
        np.array([r["relative_standard_error"] for r in rows]),
        np.array([r["surrogate_henry"] / final - 1.0 for r in rows]),
    )


def _spread(needs: list[float]) -> tuple[float, float]:
    return min(needs), max(needs)


def numbers(case: Case) -> dict[str, Any]:
    """Return the needs of a case as plain numbers."""
    found: dict[str, Any] = {
        "case": case.name,
        "temperature_k": case.temperature_k,
        "relative_variance_of_one_uniform_insertion": case.uniform.value,
        "its_standard_error": case.uniform.standard_error,
        "share_outside_the_hard_core": case.free_share,
        "runs": [{k: np.asarray(v).tolist() for k, v in vars(c).items()} for c in case.courses],
    }
    for target in TARGETS:
        beta, rounds = case.beta, case.rounds
        tempered = [best_tempering(r, beta, target) for r in rounds]
        found[f"labels_to_{100 * target:g}_percent"] = {
            "uniform": (case.uniform.value - 1.0) / target**2,
            "uniform_standard_error": case.uniform.standard_error / target**2,
            "uniform_outside_the_core": (case.uniform.value * case.free_share - 1.0) / target**2,
            "threshold_routing": _spread([threshold_routing(r, beta).need(target) for r in rounds]),
            "force_field": _spread([importance_sampling(r, beta).need(target) for r in rounds]),
            "force_field_best_tempered": _spread([need for _, need in tempered]),
            "tempering": _spread([tempering for tempering, _ in tempered]),
            "widomill": case.ours(target),
            "widomill_each_run": [course.to(target) for course in case.courses],
        }
    return found


def table(cases: list[Case]) -> str:
    """Return the labels to the targets as Markdown, and the course of each run."""
    lines: list[str] = []
    for target in TARGETS:
        lines += [
            f"Labels to a relative error of {100 * target:g} %.",
            "",
            "| case | uniform Widom | the same, hard core not labelled | threshold routing | "
            "force-field importance | the same, best tempered | widomill | uniform over widomill | "
            "force-field importance over widomill | best tempered over widomill |",
            "|" + " --- |" * 10,
        ]
        lines += [_row(numbers(case), target) for case in cases] + [""]
    lines += [
        "Ranges: least and most over the surrogates of the last rounds that stand for the "
        "reference. Force-field importance sampling and threshold routing are lower bounds: the "
        "best region to leave out, threshold and tempering are granted to them, which in a real "
        "case nobody knows. The surrogate alone has no error of its own to state: below is how far "
        "it was from the run's final answer, which is itself uncertain by the last error stated.",
    ]
    for case in cases:
        for course in case.courses:
            lines += ["", f"{case.name}, seed {course.seed}, round by round", ""]
            lines += ["| labels | widomill, error stated | surrogate alone, error |"]
            lines += ["| --- | --- | --- |"]
            for n, own, off in zip(course.labels, course.stated, course.surrogate, strict=True):
                lines.append(f"| {n:.0f} | {100 * own:.2g} % | {100 * off:+.2g} % |")
    return "\n".join(lines)


def _row(found: dict[str, Any], target: float) -> str:
    needs = found[f"labels_to_{100 * target:g}_percent"]
    own = needs["widomill"]
    error = needs["uniform_standard_error"]
    cells = [
        found["case"],
        f"{needs['uniform']:,.0f} +- {error:,.0f}",
        f"{needs['uniform_outside_the_core']:,.0f}",
        _range(needs["threshold_routing"]),
        _range(needs["force_field"]),
        _range(needs["force_field_best_tempered"]),
        f"{own:.0f}" if np.isfinite(own) else "not reached",
        _ratio(needs["uniform"], own),
        _ratio(needs["force_field"][0], own),
        _ratio(needs["force_field_best_tempered"][0], own),
    ]
    return "| " + " | ".join(cells) + " |"


def _range(values: tuple[float, float]) -> str:
    low, high = (_short(value) for value in values)
    return low if low == high else f"{low} to {high}"


def _short(value: float) -> str:
    if value > MORE_THAN:
        return "over 1e8"
    return f"{value:.1e}" if value >= 1e6 else f"{float(f'{value:.2g}'):,.0f}"


def _ratio(need: float, own: float) -> str:
    if not np.isfinite(own):
        return "-"
    return f"over {1e6:,.0f}x" if need / own > 1e6 else f"{float(f'{need / own:.2g}'):,g}x"


def draw(cases: list[Case], path: Path) -> None:
    """Draw relative error against labels, one panel a case."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(cases) + 1.0, 4.4), layout="constrained")
    panels: Any = np.atleast_1d(figure.subplots(1, len(cases), sharey=True))
    for axis, case in zip(panels, cases, strict=True):
        _panel(axis, case)
    panels[0].set_ylabel("relative error of K_H")
    panels[0].legend(frameon=False, fontsize=7, loc="upper right")
    figure.savefig(path, dpi=140)


def _panel(axis: Any, case: Case) -> None:
    axis.loglog(SPAN, np.sqrt(case.uniform.value / SPAN), "k:", label="uniform Widom")
    for ways, colour, name in (
        ([threshold_routing(r, case.beta) for r in case.rounds], "C1", "threshold routing"),
        ([importance_sampling(r, case.beta) for r in case.rounds], "C3", "force-field importance"),
        (
            [
                importance_sampling(r, case.beta, best_tempering(r, case.beta, TARGETS[0])[0])
                for r in case.rounds
            ],
            "C4",
            "the same, best tempered",
        ),
    ):
        _band(axis, ways, colour, name)
    for k, course in enumerate(case.courses):
        first = "" if k == 0 else "_"
        axis.loglog(
            course.labels, np.abs(course.surrogate), "C2^-", ms=3, lw=0.7, alpha=0.7,
            label=f"{first}surrogate alone (its distance)",
        )  # fmt: skip
        axis.loglog(course.labels, course.stated, "C0o-", ms=3.5, lw=1.2, label=f"{first}widomill")
    for target in TARGETS:
        axis.axhline(target, color="0.75", lw=0.8, zorder=0)
    axis.set(title=case.name, xlabel="reference calls", ylim=(1e-3, 10), xlim=(10, 1e7))
    axis.grid(alpha=0.25)


def _band(axis: Any, ways: list[Tradeoff], colour: str, name: str) -> None:
    errors = np.array([way.error(SPAN) for way in ways])
    axis.fill_between(SPAN, errors.min(axis=0), errors.max(axis=0), color=colour, alpha=0.25, lw=0)
    axis.loglog(SPAN, errors.mean(axis=0), color=colour, lw=1.0, label=name)


if __name__ == "__main__":
    sys.exit(main())
