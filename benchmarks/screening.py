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
from common.screen_picture import draw
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
from chem.screening.posterior import believe

RESULTS = Path(__file__).parent / "results" / "screening"
TOP = 10
MOST_LABELS, MOST_ROUNDS, FIRST_LABELS = 150, 12, 8
"""Of one host: schedule of its run, with the first lot of a screen."""
SPAN = np.unique(np.round(np.geomspace(40, 20_000, 120)))
GOALS = (0.8, 0.9, 0.95)
STOPS = (0.8, 0.9, 0.95)
EVERY = 3
EQUAL_BUDGET = 7000.0
THINNED = 2
"""A replay takes every other insertion of a table."""
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
    HostSet("CH4", Levels(guest="CH4", charges="none"), 1, 2500.0),
    HostSet("CO2 other charges", Levels(baseline_charges="eeq"), 2, 3500.0),
    HostSet("CO2", Levels(), 0, 2500.0),
)
WAYS: dict[str, Policy] = {
    "equal split": equal_split,
    "greedy": greedy,
    "greedy top 10": greedy_top,
    "halving": halving,
    "plain Thompson": Thompson("plain"),
    OURS: Thompson("top-two"),
    "ours, half-life 100": Thompson("top-two", half_life_lots=100.0),
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
    sets = [one for one in SETS if not arguments.sets or one.name in arguments.sets]
    hosts: dict[str, list[HostTable]] = {}
    for one in sets:
        cache = arguments.cache / one.name.replace(" ", "-")
        if archive is None:
            print(HOW_TO_INSTALL, file=sys.stderr)
            return 1
        began = time.process_time()
        made = tables(
            archive, cache, one.levels, arguments.hosts, arguments.most_atoms, EVERY, one.skip
        )
        hosts[one.name] = [table.thinned(THINNED) for table in made]
        print(f"{one.name}: {len(made)} hosts, {time.process_time() - began:.0f} s of CPU")
    seeds: dict[str, list[Seed]] = {one.name: [] for one in sets}
    for seed in range(arguments.seeds):
        for one in sets:
            path = arguments.cache / f"{one.name.replace(' ', '-')}-{arguments.hosts}-{seed}.json"
            if path.exists() or not arguments.kept:
                seeds[one.name].append(_replayed(path, one, hosts[one.name], seed))
    results = [summary(one, hosts[one.name], seeds[one.name]) for one in sets]
    for result in results:
        print("\n".join(as_rows(result)), flush=True)
    if arguments.out:
        store(results, machine, Path(arguments.out))
    return 0


@dataclass(frozen=True)
class Seed:
    """One replay of a set in every way.

    Attributes:
        curves: of each way, (labels, recall, expected share) at each step.
        curse: mean relative errors of own estimates at the end, by how hosts were selected.
    """

    curves: dict[str, list[tuple[float, float, float]]]
    curse: dict[str, float]


def _replayed(path: Path, one: HostSet, hosts: Sequence[HostTable], seed: int) -> Seed:
    """Return a replay, from its file where there is one."""
    if path.exists():
        return Seed(**json.loads(path.read_text(encoding="utf-8")))
    found = replay(one, hosts, seed)
    path.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def replay(one: HostSet, hosts: Sequence[HostTable], seed: int) -> Seed:
    """Spend labels in every way, on the same run of each host."""
    classical = np.array([t.ln_henry("baseline") for t in hosts])
    truth = np.array([t.ln_henry("reference") for t in hosts])
    schedule = Schedule(MOST_LABELS, MOST_ROUNDS, FIRST_LABELS)
    courses = [Course(t, schedule, np.random.default_rng([seed, k])) for k, t in _each(hosts)]
    curves, curse = {}, {}
    for number, (way, policy) in enumerate(WAYS.items()):
        campaign = Campaign(classical, truth, courses, TOP)
        # An equal split begins to tell hosts apart when the others have long done so.
        budget = EQUAL_BUDGET if way == "equal split" else one.budget
        policy(campaign, budget, np.random.default_rng([seed, number, 77]))
        curves[way] = campaign.curve
        if way == OURS:
            curse = _curse(campaign)
    return Seed(curves, curse)


def summary(one: HostSet, hosts: Sequence[HostTable], seeds: Sequence[Seed]) -> dict[str, Any]:
    """Return what the replays of a set say, as plain content."""
    classical = np.array([t.ln_henry("baseline") for t in hosts])
    truth = np.array([t.ln_henry("reference") for t in hosts])
    curves = [_curve(way, [found.curves[way] for found in seeds]) for way in seeds[0].curves]
    shift = truth - classical
    return {
        "set": one.name,
        "levels": asdict(one.levels),
        "hosts": len(hosts),
        "seeds": len(seeds),
        "mean_atoms": float(np.mean([t.atoms for t in hosts])),
        "shift_mean": float(shift.mean()),
        "shift_spread": float(shift.std()),
        "gap_at_the_boundary": float(np.diff(np.sort(truth))[-TOP]),
        "curves": [asdict(curve) for curve in curves],
        "stops": _stops([found.curves[OURS] for found in seeds]),
        "curse": {
            name: [
                float(np.mean([found.curse[name] for found in seeds])),
                float(np.std([found.curse[name] for found in seeds]) / np.sqrt(len(seeds))),
            ]
            for name in seeds[0].curse
        },
    }


def _each(hosts: Sequence[HostTable]) -> list[tuple[int, HostTable]]:
    return list(enumerate(hosts))


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
        (found.std(axis=0) / np.sqrt(len(found))).tolist(),
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


def _stops(curves: Sequence[list[tuple[float, float, float]]]) -> list[dict[str, float]]:
    """Return labels and recall where the screen's own stopping rule would have ended it."""
    found = []
    for wanted in STOPS:
        ends = []
        for steps in curves:
            curve = np.array(steps)
            sure = np.flatnonzero(curve[:, 2] >= wanted)
            ends.append(curve[sure[0] if len(sure) else -1, :2])
        labels, recall = np.array(ends).T
        error = float(recall.std() / np.sqrt(len(recall)))
        numbers = (wanted, float(labels.mean()), float(recall.mean()), error)
        found.append(dict(zip(("wanted", "labels", "recall", "error"), numbers, strict=True)))
    return found


def _curse(campaign: Campaign) -> dict[str, float]:
    """Return mean relative errors of hosts' own estimates at the end.

    Of all hosts with labels; of the ten that were believed the best; of the ten whose own
    estimates were the largest after their first lot, by that lot.
    """
    evidence = campaign.evidence()
    known = np.flatnonzero(evidence.labelled)
    error = np.exp(evidence.estimate - campaign.truth) - 1.0
    first = np.array([campaign.courses[k].after(1).ln_henry for k in known])
    lucky = np.argsort(-np.nan_to_num(first, nan=-np.inf))[:TOP]
    believed = np.argsort(-believe(evidence).mean)[:TOP]
    return {
        "all with labels": float(error[known].mean()),
        "the ten believed best": float(np.nanmean(error[believed])),
        "the ten best by their first lot": float(
            (np.exp(first[lucky] - campaign.truth[known[lucky]]) - 1.0).mean()
        ),
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
        f"| way | {' | '.join(heads)} | recall at 250 | at 500 | at 1000 | at 2000 |",
        "|---|" + "---|" * (len(heads) + 4),
    ]
    for curve in result["curves"]:
        goals = ["not reached" if g is None else f"{g:.0f}" for g in curve["goals"]]
        recall = [_at(curve, labels) for labels in (250, 500, 1000, 2000)]
        lines.append(f"| {curve['way']} | {' | '.join(goals)} | {' | '.join(recall)} |")
    lines += ["", "| stop at an expected share of | labels | recall |", "|---|---|---|"]
    for stop in result["stops"]:
        lines.append(
            f"| {stop['wanted']:g} | {stop['labels']:.0f} | "
            f"{stop['recall']:.3f} +- {stop['error']:.3f} |"
        )
    told = [
        f"{name} {100 * mean:+.1f} +- {100 * error:.1f} %"
        for name, (mean, error) in result["curse"].items()
    ]
    return [*lines, "", f"Mean error of hosts' own estimates: {'; '.join(told)}"]


def _at(curve: dict[str, Any], labels: float) -> str:
    """Return the recall of a curve at some labels, with its error, where it went that far."""
    where = np.array(curve["labels"])
    if labels < where[0] or labels > where[-1] * 1.02:
        return ""
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
    draw(results, OURS, out / "screening.png")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--archive", type=Path, help="tar archive of CIF files")
    parser.add_argument("--cache", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--sets", nargs="*", help="names of sets; default: all")
    parser.add_argument("--hosts", type=int, default=240, help="of each set")
    parser.add_argument("--most-atoms", type=int, default=70)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--kept", action="store_true", help="of replays that are kept alone")
    parser.add_argument("--out", default=str(RESULTS), help="folder; empty: store nothing")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
