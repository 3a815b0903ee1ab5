"""The table, the stored files and the picture of the comparison with RASPA3."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

AGREE_WITHIN = 2.5
"""Combined standard errors."""


@dataclass(frozen=True)
class Row:
    """One case on both sides; Henry coefficients in mol/(kg Pa), CPU seconds of one core.

    Attributes:
        case: guest and host.
        temperature_k: temperature, K.
        force_field: of the host.
        goal: wanted ratio.
        raspa_henry: RASPA3's answer.
        raspa_relative_error: its relative standard error, from the scatter of its runs.
        raspa_cpu_s: CPU seconds scaled to the target error, set-up included, from the scatter
            without the most extreme run.
        raspa_cpu_low_s, raspa_cpu_high_s: 95 % interval of that.
        raspa_cpu_all_runs_s: the same from the scatter of all runs.
        raspa_measured_s: CPU seconds of sampling actually run.
        raspa_insertions: its insertions, each of ten positions and ten orientations.
        our_henry: mean of our runs.
        our_relative_error: relative standard error of that mean.
        our_reached_error: mean relative standard error that one run reports.
        our_scatter: relative standard deviation of our runs; should equal the one before.
        our_cpu_s: mean CPU seconds of one run from start to exit: import, set-up, compiled code
            from the cache, grids, sampling.
        our_import_s: of these, until everything is imported.
        our_insertions: mean insertions of one run.
        compile_s: CPU seconds of compiling, once per installation, not in ``our_cpu_s``.
    """

    case: str
    temperature_k: float
    force_field: str
    goal: float
    raspa_henry: float
    raspa_relative_error: float
    raspa_cpu_s: float
    raspa_cpu_low_s: float
    raspa_cpu_high_s: float
    raspa_cpu_all_runs_s: float
    raspa_measured_s: float
    raspa_insertions: int
    our_henry: float
    our_relative_error: float
    our_reached_error: float
    our_scatter: float
    our_cpu_s: float
    our_import_s: float
    our_insertions: int
    compile_s: float

    @property
    def difference(self) -> float:
        """Our answer minus RASPA3's, in combined standard errors."""
        combined = math.hypot(
            self.raspa_henry * self.raspa_relative_error, self.our_henry * self.our_relative_error
        )
        return (self.our_henry - self.raspa_henry) / combined

    @property
    def ratio(self) -> float:
        """RASPA3's CPU seconds over ours."""
        return self.raspa_cpu_s / self.our_cpu_s

    @property
    def ratio_compiling(self) -> float:
        """The same for the very first run of an installation, which compiles."""
        return self.raspa_cpu_s / (self.our_cpu_s + self.compile_s)

    @property
    def ratio_interval(self) -> tuple[float, float]:
        """95 % interval of the ratio, from RASPA3's uncertain cost."""
        return self.raspa_cpu_low_s / self.our_cpu_s, self.raspa_cpu_high_s / self.our_cpu_s


def sentence(row: Row) -> str:
    """Return one line about one case."""
    low, high = row.ratio_interval
    return (
        f"{row.case}: RASPA3 {row.raspa_henry:.4e} ({100 * row.raspa_relative_error:.2f} %), "
        f"widomill {row.our_henry:.4e} ({100 * row.our_relative_error:.2f} %), "
        f"{row.difference:+.1f} sigma; {row.raspa_cpu_s:.3g} s to {row.our_cpu_s:.3g} s, "
        f"{row.ratio:.3g}x ({low:.3g} to {high:.3g}), goal {row.goal:g}x"
    )


def markdown(rows: Sequence[Row], target: float) -> str:
    """Return the table for people."""
    lines = [
        f"K_H in mol/(kg Pa) with one standard error; CPU seconds to {100 * target:g} %; "
        "intervals of 95 %.",
        "",
        "| case | K_H RASPA3 | K_H widomill | difference | RASPA3, s | all runs "
        "| widomill, s | ratio | goal | first run |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        low, high = row.ratio_interval
        lines.append(
            f"| {row.case}, {row.temperature_k:g} K "
            f"| {_with_error(row.raspa_henry, row.raspa_relative_error)} "
            f"| {_with_error(row.our_henry, row.our_relative_error)} "
            f"| {row.difference:+.1f} SE "
            f"| {row.raspa_cpu_s:.3g} ({row.raspa_cpu_low_s:.3g} to {row.raspa_cpu_high_s:.3g}) "
            f"| {row.raspa_cpu_all_runs_s:.3g} "
            f"| {row.our_cpu_s:.2f} | {row.ratio:.3g} ({low:.3g} to {high:.3g}) "
            f"| {row.goal:g} | {row.ratio_compiling:.3g} |"
        )
    agreeing = sum(abs(row.difference) <= AGREE_WITHIN for row in rows)
    reached = sum(row.ratio >= row.goal for row in rows)
    lines += [
        "",
        f"Agreement within {AGREE_WITHIN} combined standard errors: {agreeing} of {len(rows)}; "
        f"goal reached: {reached} of {len(rows)}.",
        'Column "all runs": RASPA3\'s cost with its most extreme run counted in.',
        'Column "first run": the ratio when our code is compiled anew, '
        f"{rows[0].compile_s:.0f} CPU s once per installation.",
    ]
    return "\n".join(lines)


def _with_error(value: float, relative_error: float) -> str:
    exponent = math.floor(math.log10(value))
    scaled = value / 10.0**exponent
    return f"{scaled:.3f}({1e3 * scaled * relative_error:.0f})e{exponent}"


def store(rows: Sequence[Row], machine: dict[str, str], target: float, stem: Path) -> None:
    """Write the table as JSON and CSV, and the picture, next to each other."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "target_relative_error": target, "cases": _records(rows)}
    stem.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    with stem.with_suffix(".csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(content["cases"][0]))
        writer.writeheader()
        writer.writerows(content["cases"])
    text = "\n".join([*(f"- {k}: {v}" for k, v in machine.items()), "", markdown(rows, target)])
    stem.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    draw(rows, target, stem.with_suffix(".png"))


def _records(rows: Sequence[Row]) -> list[dict[str, object]]:
    extra = ("difference", "ratio", "ratio_compiling")
    return [{**asdict(row), **{name: getattr(row, name) for name in extra}} for row in rows]


def load(path: Path) -> list[Row]:
    """Return the rows of a stored JSON file."""
    names = {field.name for field in fields(Row)}
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return [Row(**{key: value for key, value in case.items() if key in names}) for case in cases]


def draw(rows: Sequence[Row], target: float, path: Path) -> None:
    """Draw CPU seconds of both sides and the ratio of the answers."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    places = list(range(len(rows)))[::-1]
    figure, (cost, answer) = pyplot.subplots(
        1, 2, figsize=(9.5, 0.55 * len(rows) + 1.6), sharey=True, width_ratios=(2, 1)
    )
    theirs = [row.raspa_cpu_s for row in rows]
    spread = [
        [row.raspa_cpu_s - row.raspa_cpu_low_s for row in rows],
        [row.raspa_cpu_high_s - row.raspa_cpu_s for row in rows],
    ]
    above, below = [p + 0.18 for p in places], [p - 0.18 for p in places]
    cost.barh(above, theirs, 0.34, xerr=spread, color="#b7bcc4", label="RASPA3", ecolor="#555")
    cost.barh(below, [row.our_cpu_s for row in rows], 0.34, color="#1f6fb2", label="widomill")
    for place, row in zip(below, rows, strict=True):
        cost.text(row.our_cpu_s * 1.15, place, f"{row.ratio:.0f}x", va="center", fontsize=9)
    cost.set(xscale="log", yticks=places, xlabel=f"CPU seconds to {100 * target:g} %")
    cost.set_yticklabels([row.case for row in rows])
    cost.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2, frameon=False)
    values = [row.our_henry / row.raspa_henry for row in rows]
    errors = [
        1.96 * v * math.hypot(row.raspa_relative_error, row.our_relative_error)
        for v, row in zip(values, rows, strict=True)
    ]
    answer.errorbar(values, places, xerr=errors, fmt="o", color="#1f6fb2", capsize=3)
    answer.axvline(1.0, color="#555", linewidth=0.8)
    answer.set(xlabel="$K_H$ widomill / RASPA3, 95 %")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
