"""What units have cost on this machine, remembered for plans of later campaigns."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.campaign.units import Unit
from tasks.check import cache_dir

MOST_LINES = 20_000


@dataclass(frozen=True)
class Cost:
    """What a unit of a level takes, medians of what was measured, with the 10 to 90 % range.

    Attributes:
        measured: units behind it.
        unit_s: seconds of a unit on one worker, reference calls not included.
        unit_low_s: tenth part of the units took less.
        unit_high_s: tenth part of the units took more.
        label_s: seconds of one reference call; 0 for the classical level.
        insertion_s: seconds of one insertion, training and scoring included.
    """

    measured: int
    unit_s: float
    unit_low_s: float
    unit_high_s: float
    label_s: float
    insertion_s: float


def _path() -> Path:
    return cache_dir() / "costs.jsonl"


def remember_cost(unit: Unit, result: Mapping[str, Any]) -> None:
    """Add what a finished unit took to the user's record; a record that cannot be kept is left."""
    line = {
        "level": unit.level,
        "wall_s": result["wall_s"],
        "reference_s": result["reference_s"],
        "labels": result["labels"],
        "insertions": result["insertions_evaluated"],
    }
    with contextlib.suppress(OSError):
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:  # one short write at the end of a file is not torn by others
            os.write(handle, (json.dumps(line) + "\n").encode())
        finally:
            os.close(handle)


def known_costs() -> dict[str, Cost]:
    """Return the costs by level, from the latest units that were measured."""
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        lines = _path().read_text(encoding="utf-8").splitlines()[-MOST_LINES:]
    except OSError:
        return {}
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            if entry["insertions"] > 0:
                found.setdefault(entry["level"], []).append(entry)
    return {level: _cost(entries) for level, entries in found.items()}


def _cost(entries: list[dict[str, Any]]) -> Cost:
    own = [max(0.0, e["wall_s"] - e["reference_s"]) for e in entries]
    each = [s / e["insertions"] for s, e in zip(own, entries, strict=True)]
    labels = [e["reference_s"] / e["labels"] for e in entries if e["labels"]]
    own.sort()
    return Cost(
        measured=len(own),
        unit_s=statistics.median(own),
        unit_low_s=own[len(own) // 10],
        unit_high_s=own[-1 - len(own) // 10],
        label_s=statistics.median(labels) if labels else 0.0,
        insertion_s=statistics.median(each),
    )
