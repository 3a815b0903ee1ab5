"""How errors fall with labels in hosts held out, without and with a model: table and picture."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.machine import as_lines


@dataclass(frozen=True)
class Course:
    """How an error falls with labels, without and with the model.

    Attributes:
        host: the host held out.
        seed: random seed.
        labels: (n,) labels without and (m,) with the model.
        errors: the errors there: rms in kJ/mol, or relative standard errors.
    """

    host: str
    seed: int
    labels: tuple[tuple[float, ...], tuple[float, ...]]
    errors: tuple[tuple[float, ...], tuple[float, ...]]

    def needed(self, target: float, which: int) -> float:
        """Return the labels to a target without (0) or with (1) the model; infinite if missed."""
        return labels_to(target, self.labels[which], self.errors[which])

    def ratio(self, target: float) -> float:
        """Return the labels with the model over those without.

        Where only the model gets there, that is at most what it needs over all that were given
        without it; NaN where neither does, or none were needed.
        """
        without, with_model = (self.needed(target, which) for which in (0, 1))
        without = min(without, self.labels[0][-1]) if math.isfinite(with_model) else without
        if without == 0 or not (math.isfinite(without) or math.isfinite(with_model)):
            return math.nan
        return with_model / without


def labels_to(target: float, labels: Sequence[float], errors: Sequence[float]) -> float:
    """Return where an error first falls to a target, between labels on logarithmic error.

    Args:
        target: wanted error.
        labels: rising numbers of labels.
        errors: the error at each.
    """
    for k, error in enumerate(errors):
        if error <= target:
            if k == 0:
                return float(labels[0])
            drop = math.log(errors[k - 1] / target) / math.log(errors[k - 1] / error)
            return float(labels[k - 1] + drop * (labels[k] - labels[k - 1]))
    return math.inf


def labels_until_below(target: float, labels: Sequence[float], errors: Sequence[float]) -> float:
    """Return where an error falls to a target for the last time, interpolated alike.

    Args:
        target: wanted error.
        labels: rising numbers of labels.
        errors: the error at each.
    """
    above = [k for k, error in enumerate(errors) if error > target]
    start = above[-1] if above else 0
    return labels_to(target, labels[start:], errors[start:])


def table(courses: Sequence[Course], targets: Sequence[float], *, runs: bool) -> str:
    """Return the labels to the targets as a Markdown table, and the errors by labels.

    Args:
        courses: one per host and seed.
        targets: wanted errors.
        runs: whether errors are those of runs.
    """
    names = [_named(target, runs=runs) for target in targets]
    columns = [f"{name}: {word}" for name in names for word in ("without", "with", "ratio")]
    lines = [
        "Labels to a target in a host never seen, without a model and with it. Where only the "
        "model gets there the ratio is an upper bound: labels with it over all that were given "
        "without it.",
        "",
        f"| host | seed | {' | '.join(columns)} |",
        "| --- | --- |" + " --- |" * len(columns),
        *(row(course, targets) for course in courses),
    ]
    hosts = list(dict.fromkeys(course.host for course in courses))
    for host in [*hosts, "all"]:
        some = [course for course in courses if host in (course.host, "all")]
        cells = []
        for target in targets:
            needs = [[course.needed(target, which) for course in some] for which in (0, 1)]
            cells += [_count(float(np.median(need))) for need in needs]
            ratios = [r for r in (course.ratio(target) for course in some) if not math.isnan(r)]
            cells.append(_ratio(float(np.median(ratios)) if ratios else math.nan))
        lines.append(f"| {host} | median | {' | '.join(cells)} |")
    for name, labels in (("sum", labels_to), ("sum, to stay there", labels_until_below)):
        lines.append(_sums(courses, targets, name, labels))
    if not runs:
        lines += ["", _at_equal_labels(courses)]
    lines += ["", "| host | seed | model | labels: error |", "| --- | --- | --- | --- |"]
    for course in courses:
        for which, word in enumerate(("without", "with")):
            pairs = zip(course.labels[which], course.errors[which], strict=True)
            shown = [f"{n:.0f}: {100 * e:.2g} %" if runs else f"{n:.0f}: {e:.2f}" for n, e in pairs]
            lines.append(f"| {course.host} | {course.seed} | {word} | {', '.join(shown)} |")
    return "\n".join(lines)


def _sums(
    courses: Sequence[Course],
    targets: Sequence[float],
    name: str,
    needed: Callable[[float, Sequence[float], Sequence[float]], float],
) -> str:
    """Return the labels summed over the courses that get there both ways, as a row."""
    cells = []
    for target in targets:
        needs = [
            [needed(target, course.labels[which], course.errors[which]) for which in (0, 1)]
            for course in courses
        ]
        both = [need for need in needs if all(math.isfinite(n) for n in need)]
        without, with_model = (sum(need[which] for need in both) for which in (0, 1))
        ratio = with_model / without if without else math.nan
        cells += [f"{without:.0f}", f"{with_model:.0f}", _ratio(ratio)]
    return f"| all that get there both ways | {name} | {' | '.join(cells)} |"


def _at_equal_labels(courses: Sequence[Course]) -> str:
    """Return the error with the model over that without it, number of labels by number."""
    logs: dict[float, list[float]] = {}
    for course in courses:
        known = [dict(zip(course.labels[k], course.errors[k], strict=True)) for k in (0, 1)]
        for count in known[0].keys() & known[1].keys():
            logs.setdefault(count, []).append(math.log(known[1][count] / known[0][count]))
    shown = [f"{n:.0f}: {math.exp(float(np.mean(logs[n]))):.2f}" for n in sorted(logs)]
    return (
        "Error with the model over that without it at equal labels, geometric mean: "
        + ", ".join(shown)
    )


def _named(target: float, *, runs: bool) -> str:
    return f"{100 * target:g} %" if runs else f"{target:g} kJ/mol"


def row(course: Course, targets: Sequence[float]) -> str:
    """Return the labels to targets, and their ratio, as a row of a Markdown table."""
    cells = []
    for target in targets:
        cells += [_count(course.needed(target, which)) for which in (0, 1)]
        cells.append(_ratio(course.ratio(target)))
    return f"| {course.host} | {course.seed} | {' | '.join(cells)} |"


def _count(labels: float) -> str:
    return f"{labels:.0f}" if math.isfinite(labels) else "not reached"


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if math.isfinite(ratio) else "-"


def store(
    courses: Sequence[Course],
    targets: Sequence[float],
    text: str,
    machine: dict[str, str],
    stem: Path,
) -> None:
    """Write the table, the figures behind it and the picture."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    heading = "\n".join(f"- {line}" for line in as_lines(machine))
    stem.with_suffix(".md").write_text(f"{heading}\n\n{text}\n", encoding="utf-8")
    content = {"machine": machine, "courses": [asdict(course) for course in courses]}
    stem.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw(courses, targets, stem.with_suffix(".png"))


def draw(courses: Sequence[Course], targets: Sequence[float], path: Path) -> None:
    """Draw error against labels, one panel a host."""
    from matplotlib.figure import Figure

    hosts = list(dict.fromkeys(course.host for course in courses))
    across = min(len(hosts), 3)
    down = math.ceil(len(hosts) / across)
    figure = Figure(figsize=(4.0 * across, 3.2 * down), layout="constrained")
    panels: Any = figure.subplots(down, across, squeeze=False).flatten()
    for unused in panels[len(hosts) :]:
        unused.axis("off")
    for axis, host in zip(panels, hosts, strict=False):
        for course in (c for c in courses if c.host == host):
            for which, style in enumerate(("C1s--", "C0o-")):
                word = ("without a model", "with it")[which] if course.seed == 0 else None
                axis.semilogy(
                    course.labels[which], course.errors[which], style, ms=3, lw=1, label=word
                )
        for target in targets:
            axis.axhline(target, color="0.6", lw=0.8)
        axis.set(title=host, xlabel="labels in this host")
        axis.grid(alpha=0.3)
    panels[0].set_ylabel("error")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
