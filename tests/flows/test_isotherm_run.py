"""Isotherms from settings to files and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data.errors import RunFolderError, SettingsError
from data.store import read_rows
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.isotherm_run import capacity, run_isotherm_job
from flows.settings import IsothermSettings, make


def job(folder: Path, **values: Any) -> dict[str, Any]:
    settings = {
        "host": "MFI_SI",
        "guest": "CH4",
        "force_field": "TraPPE-zeo",
        "charges": "none",
        "temperatures_k": (300.0, 350.0),
        "pressures_pa": (1e4, 1e6),
        "initialisation_cycles": 200,
        "production_cycles": 1_000,
        "out": str(folder),
    }
    made = make(IsothermSettings, "isotherm", settings | values)
    return run_isotherm_job(made, PlainExecutor(), SilentReporter())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("isotherm") / "run"
    job(path)
    return path


def test_points_rise_and_start_with_henrys_law(folder: Path):
    rows = read_rows(folder / "isotherm.parquet")
    loading = {(r["temperature_k"], r["pressure_pa"]): r for r in rows}
    assert len(loading) == 4
    henry = json.loads((folder / "isotherm.json").read_text())["henry"]
    for temperature, record in zip((300.0, 350.0), henry, strict=True):
        low, high = loading[temperature, 1e4], loading[temperature, 1e6]
        assert low["mol_per_kg"] < high["mol_per_kg"]
        slope = low["mol_per_kg"] / 1e4
        error = low["mol_per_kg_standard_error"] / 1e4
        bend = 0.03 * record["henry_mol_per_kg_pa"]  # 0.1 bar is not yet zero pressure
        assert abs(slope - record["henry_mol_per_kg_pa"]) < 3.0 * error + bend
    assert loading[300.0, 1e6]["mol_per_kg"] > loading[350.0, 1e6]["mol_per_kg"]
    assert (folder / "isotherm.png").stat().st_size > 10_000


def test_a_finished_isotherm_is_shown_and_a_broken_one_goes_on(folder: Path, tmp_path: Path):
    import shutil

    copied = tmp_path / "copy"
    shutil.copytree(folder, copied)
    first = json.loads((copied / "isotherm.json").read_text())
    assert job(copied)["points"] == first["points"]
    (copied / "isotherm.json").unlink()
    sorted((copied / "points").glob("*.json"))[0].unlink()
    assert job(copied)["points"] == first["points"]


def test_a_host_nothing_gets_through_takes_up_nothing(tmp_path: Path):
    """Argon fits into the cages of sodalite but not through their windows."""
    sodalite = {"host": "SOD", "guest": "Ar", "temperatures_k": (300.0,), "pressures_pa": (1e5,)}
    closed = job(tmp_path / "closed", **sodalite)
    assert closed["channels"] == []
    assert closed["pockets"] > 0
    assert closed["henry"][0]["henry_mol_per_kg_pa"] == 0.0
    assert closed["points"][0]["mol_per_kg"] == 0.0
    (warning,) = closed["warnings"]
    assert "no pore of this host lets the guest through" in warning
    kept = job(tmp_path / "kept", block_pockets=False, **sodalite)
    line = 1e5 * kept["henry"][0]["henry_mol_per_kg_pa"]
    point = kept["points"][0]
    bend = 0.15  # the cages begin to fill
    error = point["mol_per_kg_standard_error"] / line
    assert abs(point["mol_per_kg"] / line - 1.0) < 3.0 * error + bend


def test_working_capacity(folder: Path):
    found = capacity(folder, "300:1e6", "350:1e4")
    rows = {
        (r["temperature_k"], r["pressure_pa"]): r for r in read_rows(folder / "isotherm.parquet")
    }
    difference = rows[300.0, 1e6]["mol_per_kg"] - rows[350.0, 1e4]["mol_per_kg"]
    assert found["working_capacity_mol_per_kg"] == pytest.approx(difference)
    assert found["standard_error_mol_per_kg"] > rows[300.0, 1e6]["mol_per_kg_standard_error"]
    with pytest.raises(SettingsError, match="has no point 310:1"):
        capacity(folder, "310:1", "350:1e4")
    with pytest.raises(SettingsError, match="is no state"):
        capacity(folder, "high", "350:1e4")
    with pytest.raises(RunFolderError, match="widomill isotherm"):
        capacity(folder / "points", "300:1e6", "350:1e4")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pressures_pa": ()}, "--pressure-pa"),
        ({"pressures_pa": (0.0,)}, "--pressure-pa"),
        ({"pressures_pa": (1e5, 1e5)}, "given twice"),
        ({"production_cycles": 1}, "--production-cycles"),
    ],
)
def test_settings_that_cannot_work(tmp_path: Path, values: dict[str, Any], message: str):
    with pytest.raises(SettingsError, match=message):
        job(tmp_path / "run", **values)
