"""RASPA3 and widomill in turn on one core: same systems, CPU seconds to the same error.

    python benchmarks/raspa3.py                   # all cases, a minute of RASPA3 each
    python benchmarks/raspa3.py --case Mg-MOF-74 --raspa-seconds 600

Needs RASPA3's Python package: ``pip install raspalib==3.1.0``. Both sides run in fresh
processes; their CPU seconds are the operating system's, from start to exit. RASPA3's cost is
scaled from the scatter of independent runs; widomill's is spent in full.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import comparison
from common.cases import CASES, Case
from common.machine import as_lines, describe
from common.processes import run_worker, stay_on_one_core
from common.raspa import HOW_TO_INSTALL
from common.scaling import (
    cost_interval,
    cpu_seconds_to_error,
    scatter,
    without_most_extreme,
)

HERE = Path(__file__).resolve()
TRIAL_CYCLES = 10
CYCLES_PER_BLOCK = 5
"""RASPA averages over five blocks, which must be equally long."""


@dataclass(frozen=True)
class Options:
    """What the command line chose; see there."""

    target: float
    raspa_seconds: float
    raspa_runs: int
    seeds: int
    energies: str


def main() -> int:
    """Run the comparison, print its table and store it."""
    arguments = _arguments()
    if arguments.worker:
        return _work(*arguments.worker)
    if importlib.util.find_spec("raspalib") is None:
        print(HOW_TO_INSTALL, file=sys.stderr)
        return 1
    chosen = [case for case in CASES if not arguments.case or _matches(case, arguments.case)]
    options = Options(
        arguments.target_error,
        arguments.raspa_seconds,
        arguments.raspa_runs,
        arguments.seeds,
        arguments.energies,
    )
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    with tempfile.TemporaryDirectory() as caches:
        environment = _caches(Path(caches))
        compiling = _compile_seconds(chosen[0], options, environment)
        print(f"compiling once per installation: {compiling:.1f} CPU s\n", flush=True)
        rows = [_compare(case, options, environment, compiling) for case in chosen]
    print(comparison.markdown(rows, options.target))
    if arguments.out:
        comparison.store(rows, machine, options.target, Path(arguments.out))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--case", action="append", help="part of a case's name; repeatable")
    parser.add_argument("--raspa-seconds", type=float, default=60.0, help="CPU s a case")
    parser.add_argument("--raspa-runs", type=int, default=40, help="independent runs a case")
    parser.add_argument("--target-error", type=float, default=0.003, help="relative, one sigma")
    parser.add_argument("--seeds", type=int, default=5, help="runs of widomill a case")
    parser.add_argument("--energies", choices=["auto", "grid", "direct"], default="auto")
    parser.add_argument("--out", help="stem of the stored files, none by default")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def _matches(case: Case, parts: list[str]) -> bool:
    return any(part.lower() in case.name.lower() for part in parts)


def _caches(folder: Path) -> dict[str, str]:
    """Return where both sides keep compiled code: in folders of this benchmark, empty at first."""
    return {
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "PYTHONPYCACHEPREFIX": str(folder / "python"),
        "RASPALIB_QUIET": "1",
    }


def _task(kind: str, case: Case, **values: float | str) -> list[str]:
    return ["--worker", kind, json.dumps({"case": CASES.index(case), **values})]


def _compile_seconds(case: Case, options: Options, environment: dict[str, str]) -> float:
    """Return what the first run costs more than the second, when caches start empty."""
    task = _task("ours", case, target=options.target, energies=options.energies, seed=0)
    first = run_worker(HERE, task, environment)[1]
    return first - run_worker(HERE, task, environment)[1]


def _compare(
    case: Case, options: Options, environment: dict[str, str], compiling: float
) -> comparison.Row:
    """Run one case on both sides."""
    ours = [
        run_worker(
            HERE,
            _task("ours", case, target=options.target, energies=options.energies, seed=seed),
            environment,
        )
        for seed in range(options.seeds)
    ]
    theirs, whole = run_worker(
        HERE,
        _task("raspa", case, seconds=options.raspa_seconds, runs=options.raspa_runs),
        environment,
    )
    values = np.array(theirs["henry"])
    raspa, sampling = scatter(values), float(theirs["sampling_s"])
    setup = whole - sampling - theirs["trial_s"]
    steady = without_most_extreme(values)
    share = sampling * len(steady) / len(values)
    low, high = cost_interval(steady, setup, share, options.target)
    answers = [answer for answer, _ in ours]
    row = comparison.Row(
        case=case.name,
        temperature_k=case.temperature_k,
        force_field=case.force_field,
        goal=case.goal,
        raspa_henry=raspa.mean,
        raspa_relative_error=raspa.relative,
        raspa_cpu_s=cpu_seconds_to_error(setup, share, scatter(steady).relative, options.target),
        raspa_cpu_all_runs_s=cpu_seconds_to_error(setup, sampling, raspa.relative, options.target),
        raspa_cpu_low_s=low,
        raspa_cpu_high_s=high,
        raspa_measured_s=sampling,
        raspa_insertions=int(theirs["insertions"]),
        our_henry=float(np.mean([answer["henry"] for answer in answers])),
        our_relative_error=float(
            np.sqrt(np.mean([answer["relative_error"] ** 2 for answer in answers]) / len(answers))
        ),
        our_reached_error=float(np.mean([answer["relative_error"] for answer in answers])),
        our_scatter=_relative_scatter([answer["henry"] for answer in answers]),
        our_cpu_s=float(np.mean([seconds for _, seconds in ours])),
        our_import_s=float(np.mean([answer["import_s"] for answer in answers])),
        our_insertions=int(np.mean([answer["insertions"] for answer in answers])),
        compile_s=compiling,
    )
    print(comparison.sentence(row), flush=True)
    return row


def _relative_scatter(values: list[float]) -> float:
    return float(np.std(values, ddof=1) / np.mean(values)) if len(values) > 1 else float("nan")


def _work(kind: str, task: str, answer: str) -> int:
    """Do one task in this process and write its answer as JSON."""
    stay_on_one_core()
    given = json.loads(task)
    case = CASES[given.pop("case")]
    result = _ours(case, **given) if kind == "ours" else _raspa(case, **given)
    Path(answer).write_text(json.dumps(result), encoding="utf-8")
    return 0


def _ours(case: Case, target: float, energies: str, seed: int) -> dict[str, Any]:
    """Compute one Henry coefficient with widomill; RASPA3 blocks no pockets, so neither do we."""
    from common.answers import henry

    for module in ("numba", "scipy.fft", "chem.widom"):
        importlib.import_module(module)
    imported = time.process_time()
    answer = henry(
        case.system(),
        case.temperature_k,
        target,
        energies=energies,
        seed=seed,
        block_pockets=False,
    )
    return {
        "henry": answer.henry_mol_per_kg_pa,
        "relative_error": answer.relative_error,
        "insertions": answer.insertions,
        "import_s": imported,
    }


def _raspa(case: Case, seconds: float, runs: int) -> dict[str, Any]:
    """Run RASPA3 ``runs`` times, for about ``seconds`` of CPU in all."""
    from common.raspa import henry_run, import_raspalib

    raspalib = import_raspalib()
    system = case.system_for_raspa()
    trial = henry_run(raspalib, system, case.temperature_k, TRIAL_CYCLES, seed=runs)
    blocks = seconds / runs / trial.cpu_seconds * TRIAL_CYCLES / CYCLES_PER_BLOCK
    cycles = CYCLES_PER_BLOCK * max(1, round(blocks))
    done = [henry_run(raspalib, system, case.temperature_k, cycles, s) for s in range(runs)]
    return {
        "henry": [run.henry_mol_per_kg_pa for run in done],
        "insertions": sum(run.insertions for run in done),
        "sampling_s": sum(run.cpu_seconds for run in done),
        "trial_s": trial.cpu_seconds,
    }


if __name__ == "__main__":
    sys.exit(main())
