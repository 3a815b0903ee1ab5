"""One level up with few labels, beside a run of its own at the higher level.

    python benchmarks/two_step.py        # about 20 minutes of one core

CO2 in CALF-20. The run below is at `mace-dac`, MACE-DAC-1 with D3; the level above is MACE-DAC-1
without D3, because a run of its own there can be paid for: it is the check. Dispersion is
27 kJ/mol in this host, so the two levels lie a factor of some 60,000 apart: no gentle case.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common.machine import as_lines, describe
from common.second_draws import Draws, second_draws

if TYPE_CHECKING:
    from flows.upgrade import UpgradeSettings

RESULTS = Path(__file__).parent / "results" / "two_step"
HOST, GUEST = "CALF-20", "CO2"
SIZES = (20, 40, 80, 160)
SEEDS = (0, 1, 2, 3, 4)
DRAWS = 400
EVERY_LABEL = 5_000
LOW, HIGH = "MACE-DAC-1 + D3 (mace-dac)", "MACE-DAC-1 without D3"


def main() -> int:
    """Do the runs and upgrades, print and store table and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/two_step"), help="run folders")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of table and picture")
    arguments = parser.parse_args()
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    low = _run(arguments.runs / "low", "mace-dac", 1_000_000, 400, 20, 0.01)
    own = _run(arguments.runs / "own", _high(), 600_000, 250, 8, 0.03)
    upgrades = [_upgrade(arguments.runs / "low", n, seed) for n in SIZES for seed in SEEDS]
    every = _upgrade(arguments.runs / "low", EVERY_LABEL, 0)
    draws = second_draws(_settings(arguments.runs / "low", EVERY_LABEL, 0).item, SIZES, DRAWS)
    text = f"{table(low, own, upgrades)}\n\n{draws_table(every, draws)}"
    print(text)
    arguments.out.mkdir(parents=True, exist_ok=True)
    heading = "\n".join(f"- {line}" for line in as_lines(machine))
    (arguments.out / "two_step.md").write_text(f"{heading}\n\n{text}\n", encoding="utf-8")
    kept = {"machine": machine, "low": _few(low), "own": _few(own)}
    kept["upgrades"] = [_few(u) for u in upgrades]
    kept |= {"every_label": _few(every), "draws": [vars(d) for d in draws]}
    (arguments.out / "two_step.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    draw(own, upgrades, arguments.out / "two_step.png")
    return 0


def _high() -> str:
    from chem.references.mace_model import mace_dac_path

    return f"mace:{mace_dac_path()}"


def _run(
    folder: Path, reference: str, insertions: int, labels: int, rounds: int, target: float
) -> dict[str, Any]:
    """Do a run, or what is missing of it."""
    from flows.launch import launch
    from flows.settings import make_settings

    settings = make_settings(
        host=HOST,
        guest=GUEST,
        reference=reference,
        insertions=insertions,
        max_labels=labels,
        max_rounds=rounds,
        target_error=target,
        out=str(folder),
    )
    return launch(settings, orchestration=False)[0]


def _settings(folder: Path, labels: int, seed: int) -> UpgradeSettings:
    from flows.upgrade import UpgradeSettings

    return UpgradeSettings(run_dir=str(folder), reference=_high(), max_labels=labels, seed=seed)


def _upgrade(folder: Path, labels: int, seed: int) -> dict[str, Any]:
    from flows.upgrade_run import launch_upgrade

    settings = _settings(folder, labels, seed)
    return {"asked": labels} | launch_upgrade(settings, orchestration=False)[0]


def _few(result: dict[str, Any]) -> dict[str, Any]:
    names = ("henry_mol_per_kg_pa", "henry_ci95", "henry_relative_standard_error", "labels")
    more = ("seed", "asked", "table_relative_error", "low_labels_relative_error")
    last = ("high_labels_relative_error", "energy_shift_kj_per_mol", "qst_kj_per_mol")
    return {name: result[name] for name in (*names, *more, *last) if name in result}


def table(low: dict[str, Any], own: dict[str, Any], upgrades: list[dict[str, Any]]) -> str:
    """Return the answers as Markdown."""
    truth, error = own["henry_mol_per_kg_pa"], own["henry_relative_standard_error"]
    lines = [
        f"{GUEST} in {HOST}, 298.15 K. {LOW}: {low['henry_mol_per_kg_pa']:.4g} mol/(kg Pa) "
        f"+- {100 * low['henry_relative_standard_error']:.2g} %, {low['labels']} labels. {HIGH}, a "
        f"run of its own: {truth:.4g} +- {100 * error:.2g} %, {own['labels']} labels.",
        "",
        "| labels above, at most | labels drawn | error stated | scatter of five draws | mean over "
        "the run of its own, less one | intervals that hold its answer |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for size in SIZES:
        some = [u for u in upgrades if u["asked"] == size]
        answers = np.array([u["henry_mol_per_kg_pa"] for u in some])
        stated = np.median([_or_inf(u["henry_relative_standard_error"]) for u in some])
        held = sum(u["henry_ci95"][0] <= truth <= _or_inf(u["henry_ci95"][1]) for u in some)
        lines.append(
            f"| {size} | {np.mean([u['labels'] for u in some]):.0f} | {100 * stated:.2g} % | "
            f"{100 * answers.std(ddof=1) / answers.mean():.2g} % | "
            f"{100 * (answers.mean() / truth - 1):+.2g} % | {held} of {len(some)} |"
        )
    lines += [
        "",
        "The error stated holds that of the run below, which all five draws share; the scatter "
        "is that of the draws alone.",
    ]
    return "\n".join(lines)


def draws_table(every: dict[str, Any], draws: list[Draws]) -> str:
    """Return what hundreds of second draws gave as Markdown."""
    lines = [
        f"All {every['labels']} labels of the run below taken up: "
        f"{every['henry_mol_per_kg_pa']:.4g} +- "
        f"{100 * every['henry_relative_standard_error']:.2g} %. {DRAWS} second draws of each size "
        "from these, the second draw's part of the error alone:",
        "",
        "| labels above, at most | mean over the complete answer, less one | scatter | "
        "median error stated | 95 % intervals that hold the complete answer |",
        "| --- | --- | --- | --- | --- |",
    ]
    for d in draws:
        error = d.scatter / np.sqrt(DRAWS)
        lines.append(
            f"| {d.size} | {100 * d.bias:+.2f} +- {100 * error:.2f} % | {100 * d.scatter:.2g} % | "
            f"{100 * d.stated:.2g} % | {100 * d.held:.1f} % |"
        )
    return "\n".join(lines)


def _or_inf(value: float | None) -> float:
    return float("inf") if value is None else float(value)


def draw(own: dict[str, Any], upgrades: list[dict[str, Any]], path: Path) -> None:
    """Draw the answers over that of the run of its own against the labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    axis = figure.subplots()
    truth, error = own["henry_mol_per_kg_pa"], own["henry_relative_standard_error"]
    axis.axhspan(1 - 1.96 * error, 1 + 1.96 * error, color="0.85", label="run of its own, 95 %")
    shown = [u for u in upgrades if u["henry_ci95"][1] is not None]
    places = np.array([u["labels"] * 1.03 ** (u["seed"] - 2) for u in shown])
    values = np.array([u["henry_mol_per_kg_pa"] for u in shown]) / truth
    limits = np.array([u["henry_ci95"] for u in shown]) / truth
    spread = np.abs(limits.T - values)
    axis.errorbar(places, values, yerr=spread, fmt="o", ms=4, lw=1, capsize=2, label="two-step")
    axis.set(xscale="log", xlabel="labels at the higher level", ylim=(0.4, 2.0))
    axis.set_ylabel("K_H over the run of its own")
    axis.grid(alpha=0.25)
    axis.set_xticks([20, 40, 80, 160], ["20", "40", "80", "160"])
    axis.minorticks_off()
    axis.legend(frameon=False)
    figure.savefig(path, dpi=140)


if __name__ == "__main__":
    sys.exit(main())
