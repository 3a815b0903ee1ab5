"""The catalogue of an import: one row a file, as Parquet and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chem.host_import.examine import Examined
from chem.hosts import host_density_kg_per_m3
from data.schemas import CATALOGUE
from data.store import write_rows, write_text

CATALOGUE_NAME = "catalogue.parquet"


def row_of(examined: Examined, name: str, path: str | None) -> dict[str, Any]:
    """Return the catalogue's row of one file.

    Args:
        examined: what became of it.
        name: its id.
        path: of the copy, relative to the catalogue; None when refused.
    """
    host = examined.host
    findings = sorted(
        examined.findings, key=lambda f: ("refused", "warning", "note").index(f.weight)
    )
    row: dict[str, Any] = {
        "id": name,
        "path": path,
        "verdict": examined.verdict,
        "reasons": "\n".join(f"{f.check}: {f.text}" for f in findings if f.weight != "note"),
        "notes": "\n".join(f"{f.check}: {f.text}" for f in findings if f.weight == "note"),
        "checks": ",".join(dict.fromkeys(f.check for f in findings if f.weight != "note")),
        "source": str(examined.source),
        "atoms": examined.atoms or None,
    }
    if host is not None:
        from chem.host_import.components import hill_formula

        row |= {
            "formula": hill_formula(list(host.elements)),
            "atoms_primitive": len(host.elements),
            "volume_angstrom3": host.volume_angstrom3,
            "density_kg_per_m3": host_density_kg_per_m3(host),
            "has_charges": host.charges_e is not None,
            "host_hash": host.hash,
        }
    return row


def write_catalogue(rows: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    """Write the catalogue in both forms and return the path of the Parquet file."""
    write_rows(folder / CATALOGUE_NAME, rows, CATALOGUE)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in CATALOGUE], lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: _cell(v) for k, v in row.items()} for row in rows)
    write_text(folder / "catalogue.csv", text.getvalue())
    return folder / CATALOGUE_NAME


def _cell(value: Any) -> Any:
    """Return what a spreadsheet shows: one line, and nothing it takes for a formula."""
    if not isinstance(value, str):
        return value
    line = " | ".join(value.splitlines())
    return f"'{line}" if line[:1] in {"=", "+", "-", "@"} else line
