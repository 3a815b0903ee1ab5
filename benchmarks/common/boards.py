"""What the leaderboard and the trial of novelty share: options, labels, the head of the output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from common.machine import as_lines, describe
from common.pool import Pool, Problem, pool, problem
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K


def options(
    description: str, sizes: Sequence[int], seeds_help: str, out: Path
) -> argparse.ArgumentParser:
    """Return a parser that knows the problem, the sizes, the seeds and the folders.

    Args:
        description: what the command does.
        sizes: numbers of labels by default.
        seeds_help: what a seed stands for.
        out: default folder of the output.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--hosts", nargs="+", default=["CALF-20", "Mg-MOF-74"])
    parser.add_argument("--guest", default="CO2")
    parser.add_argument("--force-field", default="UFF")
    parser.add_argument("--reference", default="mace-dac")
    parser.add_argument("--temperature-k", type=float, default=298.15)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(sizes))
    parser.add_argument("--seeds", type=int, default=3, help=seeds_help)
    parser.add_argument("--labels", type=Path, default=Path("runs/leaderboard"), help="archives")
    parser.add_argument("--out", type=Path, default=out, help="folder of the output")
    return parser


def begin(packages: Sequence[str]) -> dict[str, str]:
    """Compute on one thread; return and print what the figures were measured on.

    Args:
        packages: whose versions matter besides the usual ones.
    """
    import torch

    torch.set_num_threads(1)
    machine = describe() | {name: metadata.version(name) for name in packages}
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    return machine


def labelled(host: str, arguments: argparse.Namespace) -> tuple[Problem, Pool]:
    """Return a host's problem and its labels, made where the archive is missing."""
    given = problem(host, arguments.guest, arguments.force_field, seed=0)
    archive = arguments.labels / f"{host}_{arguments.guest}_{arguments.reference}.npz"
    return given, pool(given, archive, arguments.reference, arguments.temperature_k, seed=0)


def store_json(content: dict[str, Any], path: Path) -> None:
    """Write figures, and the folder they belong in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def store_text(text: str, machine: dict[str, str], path: Path) -> None:
    """Write a table under what it was measured on."""
    heading = "\n".join(f"- {line}" for line in as_lines(machine))
    path.write_text(f"{heading}\n\n{text}\n", encoding="utf-8")


def thermal(temperature_k: float) -> float:
    """Return RT in kJ/mol."""
    return GAS_CONSTANT_KJ_PER_MOL_K * temperature_k
