"""Labels for a ranking: top-10 recall against labels, by ways of sharing them out among hosts.

    python benchmarks/screening.py --cache cache          # 240 hosts each of three sets, 20 seeds
    python benchmarks/screening.py --cache cache --sets CH4 --hosts 60 --seeds 4

Hosts are small cells of CoRE MOF 2019 (see benchmarks/core_mof.py for the archive), one of each
family of entries; the reference is another force field. A table of insertions with both energies
is made once for each host (common/screen_tables.py; 1 to 2 s of one core, kept under --cache) and
every way of spending labels is replayed on the same runs (common/screen_runs.py), whose lots are
randomised draws from the table. The truth is the plain sum over the table.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.machine import as_lines, describe
from common.screen_policies import (
    Campaign,
    Policy,
    Thompson,
    equal_split,
    greedy,
    greedy_top,
    halving,
)
from common.screen_runs import Course
from common.screen_tables import HostTable, Levels, tables
from core_mof import HOW_TO_INSTALL, packaged_archive

from chem.allocation import Schedule

RESULTS = Path(__file__).parent / "results" / "screening"
TOP = 10
MOST_LABELS, MOST_ROUNDS, FIRST_LABELS = 150, 12, 8
"""Of one host: schedule of its run, with the first lot of a screen."""
EQUAL = (4, 8, 16, 24, 36)
"""Labels of each host in an equal split."""
SPAN = np.unique(np.round(np.geomspace(40, 20_000, 120)))
GOALS = (0.8, 0.9, 0.95)
STOPS = (0.8, 0.9, 0.95)
EVERY = 3
OURS = "ours (top-two)"


@dataclass(frozen=True)
class HostSet:
    """A screen: which hosts, guest and levels.

    Attributes:
        name: shown to people.
        levels: guest, classical level and reference.
        skip: families of entries left out at the start, of every three: sets share no host.
        budget: labels that each way may spend.
    """

    name: str
    levels: Levels
    skip: int
    budget: float


SETS = (
    HostSet("CH4", Levels(guest="CH4", charges="none"), 1, 3000.0),
    HostSet("CO2 other charges", Levels(baseline_charges="eeq"), 2, 4000.0),
    HostSet("CO2", Levels(), 0, 3000.0),
)
WAYS: dict[str, Policy] = {
    "greedy": greedy,
    "greedy top 10": greedy_top,
    "halving": halving,
    "plain Thompson": Thompson("plain"),
    OURS: Thompson("top-two"),
    "ours, half-life 200": Thompson("top-two", half_life_lots=200.0),
}


@dataclass(frozen=True)
class Curve:
    """Recall of one way against labels, means over seeds.

    Attributes:
        way: its name.
        labels: (m,) labels paid.
        recall: (m,) mean top-10 recall.
        error: (m,) its standard error.
        goals: labels at which the mean recall reaches each of GOALS for good, or None.
    """

    way: str
    labels: list[float]
    recall: list[float]
    error: list[float]
    goals: list[float | None]


def main() -> int:
    """Make tables, replay, print and store."""
    arguments = _arguments()
    archive = arguments.archive or packaged_archive("2019-ASR")
    machine = describe()
    print("\n".join(as_lines(machine)), flush=True)
    results = []
    for one in SETS:
        if arguments.sets and one.name not in arguments.sets:
            continue
        cache = arguments.cache / one.name.replace(" ", "-")
        if archive is None and not cache.is_dir():
            print(HOW_TO_INSTALL, file=sys.stderr)
            return 1
        began = time.process_time()
        hosts = tables(
            archive, cache, one.levels, arguments.hosts, arguments.most_atoms, EVERY, one.skip
        )
        print(f"\n{one.name}: {len(hosts)} hosts, {time.process_time() - began:.0f} s of CPU")
        results.append(replay(one, hosts, arguments.seeds))
        print("\n".join(as_rows(results[-1])), flush=True)
        if arguments.out:
            store(results, machine, Path(arguments.out))
    return 0


def replay(one: HostSet, hosts: Sequence[HostTable], seeds: int) -> dict[str, Any]:
    """Spend labels in every way and return what came out, as plain content."""
    classical = np.array([t.ln_henry("baseline") for t in hosts])
    truth = np.array([t.ln_henry("reference") for t in hosts])
    schedule = Schedule(MOST_LABELS, MOST_ROUNDS, FIRST_LABELS)
    runs: dict[str, list[Campaign]] = {way: [] for way in WAYS}
    equal: list[list[tuple[float, float]]] = []
    for seed in range(seeds):
        courses = [Course(t, schedule, np.random.default_rng([seed, k])) for k, t in _each(hosts)]
        for number, (way, policy) in enumerate(WAYS.items()):
            campaign = Campaign(classical, truth, courses, TOP)
            policy(campaign, one.budget, np.random.default_rng([seed, number, 77]))
            runs[way].append(campaign)
        equal.append([_equal(hosts, classical, truth, seed, each) for each in EQUAL])
        print(f"seed {seed}", end=" ", flush=True)
    curves = [_equal_curve(np.array(equal))]
    curves += [_curve(way, [c.curve for c in found]) for way, found in runs.items()]
    shift = truth - classical
    return {
        "set": one.name,
        "levels": asdict(one.levels),
        "hosts": len(hosts),
        "seeds": seeds,
        "mean_atoms": float(np.mean([t.atoms for t in hosts])),
        "shift_mean": float(shift.mean()),
        "shift_spread": float(shift.std()),
        "gap_at_the_boundary": float(np.diff(np.sort(truth))[-TOP]),
        "curves": [asdict(curve) for curve in curves],
        "stops": _stops(runs[OURS]),
        "curse": _curse(runs[OURS]),
    }


def _each(hosts: Sequence[HostTable]) -> list[tuple[int, HostTable]]:
    return list(enumerate(hosts))


def _equal(
    hosts: Sequence[HostTable], classical: np.ndarray, truth: np.ndarray, seed: int, each: int
) -> tuple[float, float]:
    """Return labels and recall of an equal split, by runs whose schedule has that budget."""
    schedule = Schedule(each, MOST_ROUNDS)
    courses: list[Course] = [
        Course(t, schedule, np.random.default_rng([seed, k, each])) for k, t in _each(hosts)
    ]
    campaign = Campaign(classical, truth, courses, TOP)
    equal_split(campaign, 0.0, np.random.default_rng(0))
    return campaign.curve[-1][:2]


def _equal_curve(found: np.ndarray) -> Curve:
    labels, recall = found[:, :, 0].mean(axis=0), found[:, :, 1]
    mean = recall.mean(axis=0)
    return Curve(
        "equal split",
        labels.tolist(),
        mean.tolist(),
        (recall.std(axis=0, ddof=1) / np.sqrt(len(recall))).tolist(),
        [_reached(labels, mean, goal) for goal in GOALS],
    )


def _curve(way: str, curves: Sequence[list[tuple[float, float, float]]]) -> Curve:
    """Return the mean of step curves, as far as every seed went."""
    last = min(curve[-1][0] for curve in curves)
    labels = np.concatenate([[0.0], SPAN[last >= SPAN]])
    rows = []
    for curve in curves:
        spent, recall, _ = np.array(curve).T
        rows.append(recall[np.searchsorted(spent, labels, side="right") - 1])
    found = np.array(rows)
    mean = found.mean(axis=0)
    return Curve(
        way,
        labels.tolist(),
        mean.tolist(),
        (found.std(axis=0, ddof=1) / np.sqrt(len(found))).tolist(),
        [_reached(labels, mean, goal) for goal in GOALS],
    )


def _reached(labels: np.ndarray, recall: np.ndarray, goal: float) -> float | None:
    """Return the labels from which the mean recall stays at a goal, interpolated, or None."""
    below = np.flatnonzero(recall < goal - 1e-9)
    if not len(below):
        return float(labels[0])
    k = int(below[-1])
    if k + 1 == len(labels):
        return None
    step = (goal - recall[k]) / (recall[k + 1] - recall[k])
    return float(labels[k] + step * (labels[k + 1] - labels[k]))


def _stops(campaigns: Sequence[Campaign]) -> list[dict[str, float]]:
    """Return labels and recall where the screen's own stopping rule would have ended it."""
    found = []
    for wanted in STOPS:
        ends = []
        for campaign in campaigns:
            curve = np.array(campaign.curve)
            sure = np.flatnonzero(curve[:, 2] >= wanted)
            ends.append(curve[sure[0] if len(sure) else -1, :2])
        labels, recall = np.array(ends).T
        error = float(recall.std(ddof=1) / np.sqrt(len(recall)))
        found.append(
            {
                "wanted": wanted,
                "labels": float(labels.mean()),
                "recall": float(recall.mean()),
                "error": error,
            }
        )
    return found


def _curse(campaigns: Sequence[Campaign]) -> dict[str, float]:
    """Return mean relative errors of hosts' own estimates at the end, by how they were selected."""
    groups: dict[str, list[float]] = {"labelled": [], "reported top": [], "naive top": []}
    for campaign in campaigns:
        evidence = campaign.evidence()
        known = np.flatnonzero(evidence.labelled)
        error = np.exp(evidence.estimate - campaign.truth) - 1.0
        groups["labelled"].append(float(error[known].mean()))
        mean = np.where(evidence.labelled, evidence.estimate, -np.inf)
        groups["naive top"].append(float(error[np.argsort(-mean)[:TOP]].mean()))
        last = np.argsort(-campaign.labels)[:TOP]
        groups["reported top"].append(float(error[last].mean()))
    return {
        f"{name}{end}": value
        for name, values in groups.items()
        for end, value in (
            ("", float(np.mean(values))),
            (" error", float(np.std(values, ddof=1) / np.sqrt(len(values)))),
        )
    }


def as_rows(result: dict[str, Any]) -> list[str]:
    """Return a set's results as Markdown."""
    heads = [f"labels to {goal:g}" for goal in GOALS]
    lines = [
        "",
        f"### {result['set']}: {result['hosts']} hosts, {result['seeds']} seeds",
        "",
        f"Reference less classical, ln K_H: {result['shift_mean']:+.2f} on average, deviation "
        f"{result['shift_spread']:.2f}; hosts 10 and 11 are {result['gap_at_the_boundary']:.3f} "
        "apart.",
        "",
        f"| way | {' | '.join(heads)} | recall at 500 | at 1000 | at 2000 | at 4000 |",
        "|---|" + "---|" * (len(heads) + 4),
    ]
    for curve in result["curves"]:
        goals = ["not reached" if g is None else f"{g:.0f}" for g in curve["goals"]]
        recall = [_at(curve, labels) for labels in (500, 1000, 2000, 4000)]
        lines.append(f"| {curve['way']} | {' | '.join(goals)} | {' | '.join(recall)} |")
    lines += ["", "| stop at an expected share of | labels | recall |", "|---|---|---|"]
    for stop in result["stops"]:
        lines.append(
            f"| {stop['wanted']:g} | {stop['labels']:.0f} | "
            f"{stop['recall']:.3f} +- {stop['error']:.3f} |"
        )
    curse = result["curse"]
    told = [
        f"{name} {100 * curse[name]:+.1f} +- {100 * curse[name + ' error']:.1f} %"
        for name in ("labelled", "reported top", "naive top")
    ]
    return [*lines, "", f"Mean error of hosts' own estimates at the end: {', '.join(told)}"]


def _at(curve: dict[str, Any], labels: float) -> str:
    """Return the recall of a curve at some labels, with its error, where it went that far."""
    where = np.array(curve["labels"])
    if labels < where[0] or labels > where[-1] * 1.02:
        return ""
    if curve["way"] == "equal split":
        return f"{np.interp(labels, where, curve['recall']):.2f}"
    k = int(np.searchsorted(where, labels * 1.02, side="right")) - 1
    return f"{curve['recall'][k]:.2f} +- {curve['error'][k]:.2f}"


def store(results: Sequence[dict[str, Any]], machine: dict[str, str], out: Path) -> None:
    """Write table, figures and picture beside one another."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [f"- {line}" for line in as_lines(machine)]
    for result in results:
        lines += as_rows(result)
    (out / "screening.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    content = {"machine": machine, "results": list(results)}
    (out / "screening.json").write_text(json.dumps(content), encoding="utf-8")
    draw(results, out / "screening.png")


def draw(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw recall against labels, one panel a set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(results), figsize=(4.6 * len(results), 4.2), sharey=True, layout="constrained"
    )
    for axis, result in zip(np.atleast_1d(axes), results, strict=True):
        for curve in result["curves"]:
            labels, recall = np.array(curve["labels"]), np.array(curve["recall"])
            error, kept = np.array(curve["error"]), labels > 0
            ours = curve["way"] == OURS
            (line,) = axis.plot(
                labels[kept],
                recall[kept],
                lw=2.4 if ours else 1.2,
                zorder=3 if ours else 2,
                marker="o" if curve["way"] == "equal split" else None,
                ms=4,
                label=curve["way"],
            )
            axis.fill_between(
                labels[kept],
                (recall - error)[kept],
                (recall + error)[kept],
                color=line.get_color(),
                alpha=0.15,
                lw=0,
            )
        axis.set_xscale("log")
        axis.set_xlim(40, 6000)
        axis.set_title(f"{result['set']}, {result['hosts']} hosts", fontsize=10)
        axis.set_xlabel("labels paid")
        axis.grid(alpha=0.3)
    first = np.atleast_1d(axes)[0]
    first.set_ylabel("share of the true top 10 found")
    first.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--archive", type=Path, help="tar archive of CIF files")
    parser.add_argument("--cache", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--sets", nargs="*", help="names of sets; default: all")
    parser.add_argument("--hosts", type=int, default=240, help="of each set")
    parser.add_argument("--most-atoms", type=int, default=70)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", default=str(RESULTS), help="folder; empty: store nothing")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
