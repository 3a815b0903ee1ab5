"""Records of many hosts in a row: figures, memory, the stored table."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

UNITS = {
    "volume_angstrom3": "angstrom3",
    "henry_mol_per_kg_pa": "mol/(kg Pa)",
    "load_s": "s",
    "charges_s": "s",
    "wall_s": "s",
    "cpu_s": "s",
    "memory_mb": "MB",
}


@dataclass
class Record:
    """One host.

    Attributes:
        name: of the structure.
        status: "ok", "target not reached", "no room" (no insertion without overlap found), or the
            kind of error.
        reason: the error's message.
        atoms: of the primitive cell.
        volume_angstrom3: of the primitive cell.
        henry_mol_per_kg_pa: Henry coefficient.
        relative_error: its relative standard error.
        insertions: insertions.
        load_s, charges_s: wall-clock seconds of reading and of charges.
        wall_s, cpu_s: wall-clock and CPU seconds of everything.
        memory_mb: resident memory of the process afterwards.
    """

    name: str
    status: str = ""
    reason: str = ""
    atoms: int = 0
    volume_angstrom3: float = math.nan
    henry_mol_per_kg_pa: float = math.nan
    relative_error: float = math.nan
    insertions: int = 0
    load_s: float = math.nan
    charges_s: float = math.nan
    wall_s: float = math.nan
    cpu_s: float = math.nan
    memory_mb: float = math.nan


def resident_mb() -> float:
    """Return the resident memory of this process in MB; NaN where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        return math.nan
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def progress(records: Sequence[Record]) -> str:
    """Return one line about the hosts so far."""
    done = [record for record in records if _computed(record)]
    middle = float(np.median([record.wall_s for record in done])) if done else math.nan
    return (
        f"{len(records):5d} hosts, {len(done)} computed, median {middle:.2f} s, "
        f"memory {records[-1].memory_mb:.0f} MB"
    )


def summary(records: Sequence[Record]) -> str:
    """Return the figures of the run as Markdown."""
    done = [record for record in records if _computed(record)]
    lines = [
        "| seconds a host | median | 90 % | 95 % | 99 % | most |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for title, name in (
        ("wall clock", "wall_s"),
        ("CPU", "cpu_s"),
        ("reading", "load_s"),
        ("charges", "charges_s"),
    ):
        values = [getattr(record, name) for record in done] or [math.nan]
        figures = np.percentile(values, [50, 90, 95, 99, 100])
        lines.append(f"| {title} | " + " | ".join(f"{x:.3g}" for x in figures) + " |")
    lines += ["", "| memory after | MB |", "| --- | --- |"]
    lines += [f"| {n} | {mb:.0f} |" for n, mb in memory_steps(records)]
    lines += ["", "| outcome | hosts |", "| --- | --- |"]
    lines += [f"| {what} | {n} |" for what, n in Counter(r.status for r in records).most_common()]
    return "\n".join(lines)


def memory_steps(records: Sequence[Record], every: int = 100) -> list[tuple[int, float]]:
    """Return (hosts done, resident MB) every so many hosts and at the end."""
    places = sorted({*range(every, len(records) + 1, every), len(records)} - {0})
    return [(place, records[place - 1].memory_mb) for place in places]


def store(records: Sequence[Record], machine: dict[str, str], stem: Path | None) -> None:
    """Write the table as Parquet, and machine, figures and failures as Markdown and JSON.

    Each file is written under another name first, so that a stopped run leaves whole files.
    """
    if stem is None or not records:
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    stem.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({f.name: [getattr(r, f.name) for r in records] for f in fields(Record)})
    described = [
        field.with_metadata({"unit": UNITS.get(field.name, "-")}) for field in table.schema
    ]
    schema = pa.schema(described, metadata={"machine": json.dumps(machine)})
    with _replacing(stem, ".parquet") as path:
        pq.write_table(table.cast(schema), path)
    with _replacing(stem, ".md") as path:
        text = [*(f"- {k}: {v}" for k, v in machine.items()), "", summary(records)]
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
    failed = [
        {"name": r.name, "status": r.status, "reason": r.reason}
        for r in records
        if r.status != "ok"
    ]
    with _replacing(stem, "-failures.json") as path:
        path.write_text(json.dumps(failed, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _replacing(stem: Path, ending: str) -> Iterator[Path]:
    """Give a temporary path and put it in place at the end."""
    final = stem.with_name(stem.name + ending)
    temporary = stem.with_name(f".{stem.name}{ending}.part")
    yield temporary
    temporary.replace(final)


def _computed(record: Record) -> bool:
    return record.status in {"ok", "target not reached", "no room"}
