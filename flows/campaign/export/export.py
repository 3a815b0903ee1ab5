"""The results of a campaign for other programs: Parquet, CSV, AIF and extended XYZ."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from data.errors import SettingsError
from data.schemas import CAMPAIGN_RESULTS
from data.store import plain, write_atomically, write_rows

if TYPE_CHECKING:
    from flows.campaign.folder import CampaignFolder

FORMATS = ("parquet", "csv", "aif", "xyz")


@dataclass(frozen=True)
class ExportRecord:
    """What an export wrote.

    Attributes:
        path: the file, or the folder of the files.
        files: number of files.
        rows: result rows, or labels, in them.
        left_out: result rows that have no place in the format, with why.
    """

    path: Path
    files: int
    rows: int
    left_out: tuple[str, ...] = ()


def export(folder: CampaignFolder, format: str, out: Path | None = None) -> ExportRecord:
    """Write the finished results of a campaign in one of the formats.

    Args:
        folder: the campaign.
        format: parquet (one table, schema ``campaign_results``), csv (the same, units in the
            header), aif (one Adsorption Information File per unit and temperature) or xyz (one
            extended XYZ file of labels per reference unit).
        out: file (parquet, csv; in a folder that exists a name is chosen) or folder (aif, xyz);
            default: under the campaign's ``export/``.

    Returns:
        What was written; with no rows an empty table, or no files.

    Raises:
        SettingsError: there is no such format.
        RunFolderError: the folder is no campaign, or a file in it is damaged.
    """
    from flows.campaign.export.aif import write_aif
    from flows.campaign.export.xyz import write_xyz

    writers: dict[str, tuple[str, Callable[[CampaignFolder, Path], ExportRecord]]] = {
        "parquet": ("results.parquet", _write_parquet),
        "csv": ("results.csv", _write_csv),
        "aif": ("aif", write_aif),
        "xyz": ("xyz", write_xyz),
    }
    if format not in writers:
        raise SettingsError(f"There is no format {format!r}. Formats: {', '.join(FORMATS)}.")
    name, write = writers[format]
    path = Path(out).expanduser() if out else folder.path / "export" / name
    if format in ("parquet", "csv") and path.is_dir():
        path /= name
    return write(folder.require(), path)


def flat(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result of result.json as a row of the schema ``campaign_results``."""
    low, high = result["henry_ci95"]
    return plain(
        result
        | {
            "henry_ci95_low": low,
            "henry_ci95_high": high,
            "warnings": "\n".join(result.get("warnings", ())),
        }
    )


def _rows(folder: CampaignFolder) -> Iterator[dict[str, Any]]:
    return (flat(result) for result in folder.each_result())


def _write_parquet(folder: CampaignFolder, path: Path) -> ExportRecord:
    rows = list(_rows(folder))
    write_rows(path, rows, CAMPAIGN_RESULTS)
    return ExportRecord(path, 1, len(rows))


def csv_header() -> list[str]:
    """Return the names of the columns, each that has a unit with it: ``qst [kJ/mol]``."""
    units = [(f.name, f.metadata[b"unit"].decode()) for f in CAMPAIGN_RESULTS]
    return [f"{name} [{unit}]" if unit else name for name, unit in units]


def _write_csv(folder: CampaignFolder, path: Path) -> ExportRecord:
    count = 0

    def write(handle: TextIO) -> None:
        nonlocal count
        out = csv.writer(handle)
        out.writerow(csv_header())
        for row in _rows(folder):
            out.writerow([_shielded(row.get(name)) for name in CAMPAIGN_RESULTS.names])
            count += 1

    def fill(temporary: Path) -> None:
        with open(temporary, "w", encoding="utf-8", newline="") as handle:
            write(handle)

    write_atomically(path, fill)
    return ExportRecord(path, 1, count)


def _shielded(value: object) -> object:
    """Return a value as it is, a text that a spreadsheet would run as a formula with a quote."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
