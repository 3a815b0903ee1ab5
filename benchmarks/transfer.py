"""Labels needed in a host never seen, with a model of other hosts and without.

    python benchmarks/transfer.py                     # surrogates alone, on labelled insertions
    python benchmarks/transfer.py --runs              # whole runs to 5 %, which takes longer
    python benchmarks/transfer.py --held-out CALF-20 --sources CALF20-b MIL-120 --seeds 0 1 2

For each host held out a model is trained on reference labels in the sources, the host itself left
out, and put into a registry of the benchmark's own. Then

- surrogates: insertions of the held-out host are labelled, 40 % of them kept for the test.
  Surrogates are fitted to n of the others, with the model as prior mean and without it; the error
  is the rms weighted with the root of the Boltzmann factor. Labels to the target: where that
  error falls to kT/2, interpolated.
- runs: `widomill henry` with and without `--model`, same settings and seed; labels to the target:
  where the total relative standard error falls to 5 %, interpolated between rounds.

Labels, models and runs are kept in ``--folder`` and taken up where they are there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.machine import as_lines, describe

RESULTS = Path(__file__).parent / "results" / "transfer"
SOURCES = ("MIL-120", "SIFSIX-3-Cu", "CAXVII", "MIL-47", "Al-MIL53", "NbOFFIVE-1-Ni", "CALF20-b")
HELD_OUT = ("CALF-20", "NbOFFIVE-1-Ni", "MIL-47")
TARGET_ERROR = 0.05
TARGET_RMS_KJ_PER_MOL = 1.24
"""kT/2 at 298.15 K: where a surrogate starts to save labels in earnest."""


@dataclass(frozen=True)
class Course:
    """How an error falls with labels, without and with the model.

    Attributes:
        host: the host held out.
        seed: random seed.
        labels: (n,) labels without and (m,) with the model.
        errors: the errors there: rms in kJ/mol, or relative standard errors.
        target: what is wanted.
    """

    host: str
    seed: int
    labels: tuple[tuple[float, ...], tuple[float, ...]]
    errors: tuple[tuple[float, ...], tuple[float, ...]]
    target: float

    def needed(self, which: int) -> float:
        """Return the labels to the target without (0) or with (1) the model; NaN if missed."""
        return labels_to(self.target, self.labels[which], self.errors[which])


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
    return math.nan


def main() -> int:
    """Label, train, measure; print and store table and picture."""
    arguments = _arguments()
    os.environ["WIDOMILL_MODELS"] = str((arguments.folder / "models").absolute())
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    courses: list[Course] = []
    notes: list[str] = []
    for host in arguments.held_out:
        name = _model(host, arguments)
        notes.append(_provenance(host, name))
        print(notes[-1], flush=True)
        for seed in arguments.seeds:
            measure = _run_course if arguments.runs else _surrogate_course
            courses.append(measure(host, name, seed, arguments))
            print(_row(courses[-1]), flush=True)
    text = "\n".join([*notes, "", table(courses, runs=arguments.runs)])
    print("\n" + text)
    store(courses, text, machine, arguments.out / ("runs" if arguments.runs else "surrogates"))
    return 0


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "guest": arguments.guest,
        "reference": arguments.reference,
        "charges": arguments.charges,
        "temperatures_k": (arguments.temperature_k,),
    }


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def _model(host: str, arguments: argparse.Namespace) -> str:
    """Return the name of the model for a host held out, trained where it is not there yet."""
    from data.errors import ModelError
    from flows.models import label_hosts, train
    from ml.registry import checked_folder

    hosts = [name for name in arguments.sources if name != host]
    text = "-".join([*hosts, str(arguments.source_labels), arguments.charges])
    name = f"without-{host}-{_short(text)}"
    try:
        return checked_folder(name)[0].name
    except ModelError:
        folder = arguments.folder / f"sources-{arguments.source_labels}-{arguments.charges}"
        folders = label_hosts(
            hosts, folder, arguments.source_labels, _say, seed=0, **_options(arguments)
        )
        return train(name, folders, seed=0, members=2, say=_say).name


def _short(text: str) -> str:
    from data.records import content_hash

    return content_hash(text)[:8]


def _provenance(host: str, name: str) -> str:
    from ml.registry import read_card

    card = read_card(name)
    sources = ", ".join(
        f"{h.name} ({h.labels}; {h.raw_rms_kj_per_mol:.1f} -> "
        + ("-" if (left := h.held_out_rms_kj_per_mol) is None else f"{left:.1f}")
        + ")"
        for h in card.hosts
    )
    return (
        f"Model for {host}, hash {card.hash}: sources (labels; rms of the correction -> of what is "
        f"left when the others predict it, kJ/mol) {sources}"
    )


def _surrogate_course(host: str, name: str, seed: int, arguments: argparse.Namespace) -> Course:
    """Return the errors of surrogates on labels held out."""
    from flows.models import evaluate, label_hosts

    folder = arguments.folder / f"held-out-{arguments.labels}-{arguments.charges}"
    out = label_hosts([host], folder, arguments.labels, _say, seed=1, **_options(arguments))[0]
    found = evaluate(name, out, seed=seed)
    rows = found["own_labels"]
    labels = (0.0, *(float(row["own_labels"]) for row in rows))
    without = (found["baseline_rms_kj_per_mol"], *(row["without"] for row in rows))
    with_model = (found["model_rms_kj_per_mol"], *(row["with"] for row in rows))
    return Course(host, seed, (labels, labels), (without, with_model), TARGET_RMS_KJ_PER_MOL)


def _run_course(host: str, name: str, seed: int, arguments: argparse.Namespace) -> Course:
    """Return the standard errors that runs state, round by round."""
    labels, errors = [], []
    for model in (None, name):
        rounds = _rounds(host, model, seed, arguments)
        labels.append(tuple(float(row["labels_total"]) for row in rounds))
        errors.append(tuple(float(row["relative_standard_error"]) for row in rounds))
    return Course(host, seed, (labels[0], labels[1]), (errors[0], errors[1]), TARGET_ERROR)


def _rounds(
    host: str, model: str | None, seed: int, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    from data.store import read_rows
    from flows.launch import launch
    from flows.settings import make_settings

    out = arguments.folder / f"run-{host}-{seed}-{model or 'none'}-{arguments.max_labels}"
    settings = make_settings(
        host=host,
        model=model,
        insertions=arguments.insertions,
        max_labels=arguments.max_labels,
        max_rounds=20,
        target_error=TARGET_ERROR,
        seed=seed,
        out=str(out),
        **_options(arguments),
    )
    launch(settings, orchestration=False)
    return read_rows(out / "rounds.parquet")


def table(courses: Sequence[Course], *, runs: bool) -> str:
    """Return the labels to the target as a Markdown table, and the errors by labels.

    Args:
        courses: one per host and seed.
        runs: whether errors are those of runs.
    """
    what = f"{100 * TARGET_ERROR:g} % total relative standard error"
    if not runs:
        what = f"an rms of {TARGET_RMS_KJ_PER_MOL:g} kJ/mol"
    lines = [f"Labels to {what} in a host never seen.", ""]
    lines += [
        "| host | seed | without a model | with it | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [_row(course) for course in courses]
    for host in dict.fromkeys(course.host for course in courses):
        ratios = [c.needed(1) / c.needed(0) for c in courses if c.host == host and c.needed(0) > 0]
        known = [r for r in ratios if not math.isnan(r)]
        middle = f"{np.median(known):.2f}" if known else "-"
        lines.append(f"| {host} | median | | | {middle} |")
    lines += ["", "| host | seed | model | labels: error |", "| --- | --- | --- | --- |"]
    for course in courses:
        for which, word in enumerate(("without", "with")):
            pairs = zip(course.labels[which], course.errors[which], strict=True)
            shown = [f"{n:.0f}: {100 * e:.2g} %" if runs else f"{n:.0f}: {e:.2f}" for n, e in pairs]
            lines.append(f"| {course.host} | {course.seed} | {word} | {', '.join(shown)} |")
    return "\n".join(lines)


def _row(course: Course) -> str:
    without, with_model = course.needed(0), course.needed(1)
    ratio = with_model / without if without > 0 else math.nan
    shown = ["not reached" if math.isnan(n) else f"{n:.0f}" for n in (without, with_model)]
    last = "-" if math.isnan(ratio) else f"{ratio:.2f}"
    return f"| {course.host} | {course.seed} | {shown[0]} | {shown[1]} | {last} |"


def store(courses: Sequence[Course], text: str, machine: dict[str, str], stem: Path) -> None:
    """Write the table, the figures behind it and the picture."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    heading = "\n".join(f"- {line}" for line in as_lines(machine))
    stem.with_suffix(".md").write_text(f"{heading}\n\n{text}\n", encoding="utf-8")
    content = {"machine": machine, "courses": [asdict(course) for course in courses]}
    stem.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw(courses, stem.with_suffix(".png"))


def draw(courses: Sequence[Course], path: Path) -> None:
    """Draw error against labels, one panel a host."""
    from matplotlib.figure import Figure

    hosts = list(dict.fromkeys(course.host for course in courses))
    figure = Figure(figsize=(4.5 * len(hosts), 3.8), layout="constrained")
    panels: Any = np.atleast_1d(figure.subplots(1, len(hosts)))
    for axis, host in zip(panels, hosts, strict=True):
        for course in (c for c in courses if c.host == host):
            for which, style in enumerate(("C1s--", "C0o-")):
                word = ("without a model", "with it")[which] if course.seed == 0 else None
                axis.semilogy(
                    course.labels[which], course.errors[which], style, ms=3, lw=1, label=word
                )
            axis.axhline(course.target, color="0.6", lw=0.8)
        axis.set(title=f"CO2 in {host}", xlabel="labels in this host")
        axis.grid(alpha=0.3)
    panels[0].set_ylabel("error")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--held-out", nargs="+", default=list(HELD_OUT))
    parser.add_argument("--sources", nargs="+", default=list(SOURCES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--source-labels", type=int, default=150, help="labels of each source")
    parser.add_argument("--labels", type=int, default=200, help="labels of a host held out")
    parser.add_argument("--runs", action="store_true", help="whole runs, not surrogates alone")
    parser.add_argument("--guest", default="CO2")
    parser.add_argument("--reference", default="mace-dac")
    parser.add_argument("--charges", default="eeq", help="the same for all hosts")
    parser.add_argument("--temperature-k", type=float, default=298.15)
    parser.add_argument("--max-labels", type=int, default=150, help="with --runs")
    parser.add_argument("--insertions", type=int, default=1_000_000, help="with --runs")
    parser.add_argument("--folder", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the stored output")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
