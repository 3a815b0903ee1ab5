"""Units and answers of a campaign as columns of small numbers, as the page wants them."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from data.store import read_rows
from flows.report.words import known

if TYPE_CHECKING:
    from flows.campaign.folder import CampaignFolder
    from flows.campaign.units import Unit

DIGITS = 4
ROW = ("unit", "temp", "k", "lo", "hi", "rse", "q", "qe")
NUMBERS = re.compile(r"(?<![A-Za-z_])[-+]?\d[\d.,]*(?:e[-+]?\d+)?")


def short(value: float | None, digits: int = DIGITS) -> float | None:
    """Return a number with few significant digits; None where it is none."""
    return float(f"{value:.{digits - 1}e}") if value is not None and known(value) else None


class Index:
    """Names by number, in the order they are first asked for."""

    def __init__(self, names: Sequence[Any] = ()) -> None:
        self.names: list[Any] = list(names)
        self._numbers = {name: k for k, name in enumerate(self.names)}

    def __call__(self, name: Any) -> int:
        """Return the number of a name."""
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


class Columns:
    """What the page knows of every unit and answer.

    Args:
        folder: the campaign.
    """

    def __init__(self, folder: CampaignFolder) -> None:
        self.folder = folder
        self.planned: list[Unit] = folder.units()
        self.states = folder.states(self.planned)
        self.hosts, self.guests, self.stopped = Index(), Index(), Index()
        self.levels, self.seeds = Index(), set[int]()
        self.units: dict[str, list[Any]] = defaultdict(list)
        self.rows: dict[str, list[Any]] = {name: [] for name in ROW}
        self.results: list[dict[str, Any]] = []
        self._warnings: dict[str, dict[str, Any]] = {}
        kelvin = {t for unit in self.planned for t in unit.settings.temperatures_k}
        self.temperatures = Index(sorted(kelvin))
        for number, unit in enumerate(self.planned):
            self._add(number, unit)

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """Warnings that differ in numbers alone, together: an example and the units."""
        return sorted(self._warnings.values(), key=lambda w: -len(w["units"]))

    def _add(self, number: int, unit: Unit) -> None:
        state = self.states[unit.id]
        results = self.folder.unit_results(unit) if state == "finished" else []
        first = results[0] if results else {}
        run = self.folder.runs / unit.id
        values = {
            "id": unit.id,
            "host": self.hosts(unit.host_id),
            "guest": self.guests(unit.guest),
            "level": self.levels(unit.level),
            "state": state,
            "report": int(bool(results) and (run / "report.html").is_file()),
            "wall": short(first.get("wall_s")),
            "ref_s": short(first.get("reference_s")),
            "labels": first["labels"] if first else labels_so_far(self.folder, unit),
            "stopped": self.stopped(first.get("stopped_because", "")),
            "warned": int(any(r["warnings"] for r in results)),
            "mae": None if unit.is_classical else surrogate_error(self.folder, unit),
        }
        for name, value in values.items():
            self.units[name].append(value)
        for result in results:
            self._answer(number, result)

    def _answer(self, number: int, result: dict[str, Any]) -> None:
        low, high = result["henry_ci95"]
        values = {
            "unit": number,
            "temp": self.temperatures(result["temperature_k"]),
            "k": short(result["henry_mol_per_kg_pa"]),
            "lo": short(low),
            "hi": short(high),
            "rse": short(result["henry_relative_standard_error"], 2),
            "q": short(result["qst_kj_per_mol"]),
            "qe": short(result["qst_standard_error"], 2),
        }
        for name, value in values.items():
            self.rows[name].append(value)
        self.seeds.add(result["seed"])
        self.results.append(result)
        for warning in result["warnings"]:
            kind = NUMBERS.sub("#", warning)
            entry = self._warnings.setdefault(kind, {"example": warning, "units": []})
            if number not in entry["units"][-1:]:
                entry["units"].append(number)


def labels_so_far(folder: CampaignFolder, unit: Unit) -> int:
    """Return the labels of a unit that has no answer yet, as in the middle of a screen."""
    import pyarrow.parquet as pq

    if unit.is_classical:
        return 0
    files = (folder.runs / unit.id / "labels").glob("*.parquet")
    return sum(pq.read_metadata(path).num_rows for path in files)


def surrogate_error(folder: CampaignFolder, unit: Unit) -> float | None:
    """Return the last round's mean absolute error on labels it had not seen, kJ/mol."""
    path = folder.runs / unit.id / "rounds.parquet"
    rows = read_rows(path) if path.is_file() else []
    found = [r["surrogate_mae_kj_per_mol"] for r in rows if known(r["surrogate_mae_kj_per_mol"])]
    return short(found[-1], 3) if found else None


def selectivities(columns: Columns) -> list[dict[str, Any]]:
    """Return the Henry selectivities of all pairs of guests, by level and temperature.

    The interval is symmetric in the logarithm, so one factor says both of its ends.
    """
    from chem.selectivity import selectivity_of_results
    from data.errors import SettingsError

    by_place: dict[tuple[int, int, int], dict[int, dict[str, Any]]] = defaultdict(dict)
    for k, result in enumerate(columns.results):
        unit = columns.rows["unit"][k]
        level, host, guest = (columns.units[n][unit] for n in ("level", "host", "guest"))
        by_place[level, columns.rows["temp"][k], host][guest] = result
    parts: dict[tuple[int, int, int, int], dict[str, Any]] = {}
    for (level, temperature, host), found in by_place.items():
        guests = sorted(found)
        for one, two in ((a, b) for a in guests for b in guests if a < b):
            try:
                ratio = selectivity_of_results(found[one], found[two])
            except SettingsError:
                continue
            names = {"level": level, "temp": temperature, "one": one, "two": two}
            empty: dict[str, Any] = {**names, "host": [], "factor": [], "shaky": []}
            part = parts.setdefault((level, temperature, one, two), empty)
            if not ratio.trustworthy:
                part["shaky"].append(len(part["host"]))
            part["host"].append(host)
            high = ratio.interval[1]
            part["factor"].append(short(high / ratio.value if math.isfinite(high) else None))
    return list(parts.values())
