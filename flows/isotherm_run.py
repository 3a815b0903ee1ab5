"""One isotherm from settings to files, on any executor."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from data.errors import RunFolderError, SettingsError
from data.records import Estimate
from data.schemas import ISOTHERM
from data.store import plain, write_json, write_rows
from flows.console import Reporter
from flows.executors import Executor
from flows.isotherm_picture import write_picture
from flows.pore_facts import is_closed, pore_facts, pore_warnings
from flows.prepare import prepare_isotherm
from flows.settings import IsothermSettings
from flows.stages import Stages
from tasks.classical import ClassicalItem, ClassicalRecord, average_classical
from tasks.context import RunContext
from tasks.isotherm import PointItem, load_point

RESULT_FILE = "isotherm.json"


def run_isotherm_job(
    settings: IsothermSettings, executor: Executor, reporter: Reporter
) -> dict[str, Any]:
    """Compute every point of an isotherm, or what is missing of it.

    The Henry coefficient comes first: the slope every isotherm must start with. Its map of the
    pores is that of the isotherm, so that both leave out the same room.

    Returns:
        The points, the Henry coefficients and the settings, as in isotherm.json.

    Raises:
        InputError: something given cannot be used.
    """
    began = time.monotonic()
    context = prepare_isotherm(settings)
    folder = settings.run_dir
    if (folder / RESULT_FILE).exists():
        reporter.say(f"{folder} is finished: its results are shown")
        return read_isotherm(folder)
    host, guest = context.system.host, context.system.guest
    stages = Stages(executor, reporter, str(folder), f"{host.name} {guest.name}")
    henry = stages.call(
        average_classical, ClassicalItem(stages.run_dir, False), "insertions", "Henry coefficient"
    )
    items = [
        PointItem(
            stages.run_dir,
            temperature,
            pressure,
            settings.initialisation_cycles,
            settings.production_cycles,
            settings.ideal_gas,
            settings.own_images,
        )
        for temperature in settings.temperatures_k
        for pressure in sorted(settings.pressures_pa)
    ]
    points = stages.map(load_point, items, "insertions", "points", "points")
    result = {
        **_names(context),
        "points": points,
        "henry": _henry(context, henry),
        "channels": list(henry.pores.channels),
        "pockets": henry.pores.pockets,
        "warnings": [*henry.notes, *_warnings(context, henry, points)],
        "wall_s": time.monotonic() - began,
    }
    names = _names(context)
    write_rows(folder / "isotherm.parquet", [names | point for point in points], ISOTHERM)
    write_picture(result, folder / "isotherm.png")
    write_json(folder / RESULT_FILE, result)
    return dict(plain(result))


def read_isotherm(folder: Path) -> dict[str, Any]:
    """Read a finished isotherm.

    Raises:
        RunFolderError: the folder holds none.
    """
    path = folder / RESULT_FILE
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"Cannot read {path}: {error}. Give the folder that `widomill isotherm` wrote."
        ) from error


def _names(context: RunContext) -> dict[str, Any]:
    system = context.system
    return {
        "host": system.host.name,
        "guest": system.guest.name,
        "force_field": system.pairs.force_field,
        "host_hash": system.host.hash,
        "guest_hash": system.guest.hash,
    }


def _henry(context: RunContext, record: ClassicalRecord) -> list[dict[str, Any]]:
    return [
        {
            "temperature_k": temperature,
            "henry_mol_per_kg_pa": record.henry_mol_per_kg_pa[k],
            "henry_ci95": record.henry_ci95[k],
            "henry_relative_standard_error": record.relative_standard_error[k],
            "qst_kj_per_mol": record.qst_kj_per_mol[k],
        }
        for k, temperature in enumerate(context.temperatures_k)
    ]


def _warnings(
    context: RunContext, henry: ClassicalRecord, points: list[dict[str, Any]]
) -> list[str]:
    """Return what is left out, and the notes of every point where a guest can be at all."""
    facts = pore_facts(henry.pores, henry.excluded_share[0])
    found = pore_warnings(facts, context.widom.block_pockets)
    if is_closed(facts):
        return found
    return found + [
        f"{point['temperature_k']:g} K, {point['pressure_pa']:g} Pa: {note}"
        for point in points
        for note in point["notes"]
    ]


def capacity(folder: Path, adsorption: str, desorption: str) -> dict[str, Any]:
    """Return the working capacity between two points of an isotherm.

    Args:
        folder: of a finished isotherm.
        adsorption: temperature and pressure of the loaded state, as in ``298.15:1e5``.
        desorption: of the other one.

    Raises:
        SettingsError: a state is badly written or was not computed.
    """
    from chem.gcmc.loading import released_loading

    points = read_isotherm(folder)["points"]
    rows = (_point(points, text, folder) for text in (adsorption, desorption))
    found = released_loading(
        *(Estimate(row["mol_per_kg"], row["mol_per_kg_standard_error"]) for row in rows)
    )
    return {
        "adsorption": adsorption,
        "desorption": desorption,
        "working_capacity_mol_per_kg": found.mean,
        "standard_error_mol_per_kg": found.standard_error,
    }


def _point(points: list[dict[str, Any]], text: str, folder: Path) -> dict[str, Any]:
    try:
        temperature, pressure = (float(part) for part in text.split(":"))
    except ValueError:
        raise SettingsError(
            f"{text!r} is no state. Write temperature and pressure as in 298.15:1e5."
        ) from None
    for point in points:
        if point["temperature_k"] == temperature and point["pressure_pa"] == pressure:
            return point
    states = ", ".join(f"{p['temperature_k']:g}:{p['pressure_pa']:g}" for p in points)
    raise SettingsError(f"{folder} has no point {text}. It has {states}.")
