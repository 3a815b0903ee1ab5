"""Classical runs from settings to files: stop rule, pores, sites, temperatures, grids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from chem.van_t_hoff import henry_curve
from data.errors import RunFolderError, SettingsError
from data.store import read_columns, read_rows
from flows.cli import app
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.ratio import selectivities
from flows.run import run
from flows.settings import make_settings

MFI = {
    "host": "MFI_SI",
    "guest": "CH4:Dubbeldam",
    "force_field": "TraPPE-zeo",
    "charges": "none",
    "lj": "shifted",
    "temperatures_k": (300.0,),
    "reference": "classical",
}


def results(folder: Path, **values: Any) -> list[dict[str, Any]]:
    settings = make_settings(**(MFI | {"out": str(folder)} | values))
    return run(settings, PlainExecutor(), SilentReporter())


@pytest.fixture(scope="module")
def methane(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classical") / "run"
    results(folder, temperatures_k=(300.0, 350.0, 400.0), target_error=0.005)
    return folder


def test_the_target_holds_at_every_temperature(methane: Path):
    rows = read_rows(methane / "results.parquet")
    assert [row["temperature_k"] for row in rows] == [300.0, 350.0, 400.0]
    for row in rows:
        assert row["henry_relative_standard_error"] <= 0.005
        assert row["stopped_because"] == "target error reached"
        assert row["energies"] == "grid"
        assert 0 < row["insertions"] < row["insertions_evaluated"] <= 1_000_000
    assert rows[0]["henry_mol_per_kg_pa"] == pytest.approx(6.113e-6, rel=0.015)


def test_units_are_those_of_one_number(methane: Path):
    row = read_rows(methane / "results.parquet")[0]
    provenance = json.loads((methane / "provenance.json").read_text())
    density = provenance["host"]["density_kg_per_m3"]
    henry = row["henry_mol_per_kg_pa"]
    assert row["henry_mol_per_kg_bar"] == pytest.approx(1e5 * henry)
    gas = 8.31446261815324 * row["temperature_k"]
    assert row["henry_dimensionless"] == pytest.approx(henry * density * gas)
    stp_cm3 = 8.31446261815324 * 273.15 / 101325.0 * 1e6
    assert row["henry_cm3_stp_per_cm3_bar"] == pytest.approx(1e5 * henry * stp_cm3 * density / 1e6)


def test_the_answer_can_be_redone_from_the_insertions(methane: Path):
    row = read_rows(methane / "results.parquet")[0]
    parts = [read_columns(p) for p in sorted((methane / "insertions").glob("*.parquet"))]
    energy = np.concatenate([p["baseline_kj_per_mol"] for p in parts])
    weight = np.concatenate([p["proposal_weight"] for p in parts])
    assert len(energy) == row["insertions"]
    beta = 1.0 / (8.31446261815324e-3 * 300.0)
    mean = (weight * np.exp(-beta * energy)).sum() / len(energy)
    assert mean == pytest.approx(row["henry_dimensionless"], rel=1e-9)


def test_further_temperatures_come_from_the_insertions(methane: Path):
    rows = read_rows(methane / "results.parquet")
    density = json.loads((methane / "provenance.json").read_text())["host"]["density_kg_per_m3"]
    parts = [read_columns(p) for p in sorted((methane / "insertions").glob("*.parquet"))]
    energy = np.concatenate([p["baseline_kj_per_mol"] for p in parts])
    weight = np.concatenate([p["proposal_weight"] for p in parts])
    kelvin = np.array([300.0, 325.0, 350.0])
    curve = henry_curve(kelvin, weight, energy, len(energy), density)
    for k, row in ((0, rows[0]), (2, rows[1])):
        assert curve.henry_mol_per_kg_pa[k] == pytest.approx(row["henry_mol_per_kg_pa"], rel=1e-9)
        assert curve.qst_kj_per_mol[k] == pytest.approx(row["qst_kj_per_mol"], rel=1e-9)
        assert curve.effective_samples[k] == pytest.approx(row["effective_samples"], rel=1e-9)
        assert curve.relative_standard_error[k] > row["henry_relative_standard_error"]
    ends = np.interp(1.0 / 325.0, 1.0 / kelvin[::-2], np.log(curve.henry_mol_per_kg_pa[::-2]))
    assert np.log(curve.henry_mol_per_kg_pa[1]) == pytest.approx(ends, abs=0.01)


def test_binding_sites_and_grid_check_are_written(methane: Path):
    sites = json.loads((methane / "binding_sites.json").read_text())["sites"]
    assert sites
    energies = [site["energy_kj_per_mol"] for site in sites]
    assert energies == sorted(energies)
    assert (methane / "binding_site_1.cif").exists()
    first = json.loads((methane / "result.json").read_text())["results"][0]
    assert first["binding_energy_kj_per_mol"] == energies[0]
    assert abs(first["grid_check"]["bias"][0]["mean"]) < 1e-3
    assert first["channels"] == [3]


def test_grid_and_direct_energies_agree(tmp_path: Path, methane: Path):
    direct = results(tmp_path / "direct", energies="direct", target_error=0.01, seed=1)[0]
    grid = read_rows(methane / "results.parquet")[0]
    assert direct["energies"] == "direct"
    ratio = direct["henry_mol_per_kg_pa"] / grid["henry_mol_per_kg_pa"]
    assert abs(ratio - 1.0) < 3.0 * np.hypot(0.01, 0.005)


def test_the_insertions_are_the_most(tmp_path: Path):
    first = results(tmp_path / "short", insertions=2_000, target_error=1e-4)[0]
    assert first["stopped_because"] == "insertions spent"
    assert first["insertions_evaluated"] <= 2_000
    assert any("stopped at" in warning for warning in first["warnings"])


def test_dropped_insertions_still_make_a_report(tmp_path: Path):
    from flows.report import write_report

    results(tmp_path / "run", keep_insertions=False, target_error=0.05)
    assert not (tmp_path / "run" / "insertions").exists()
    text = write_report(tmp_path / "run").read_text(encoding="utf-8")
    assert "Where the guest sits" in text
    assert "Binding sites" in text


def test_blocked_kept_and_given_pockets(tmp_path: Path):
    """Methane in LTA: most of the unblocked answer sits in sodalite cages it cannot enter."""
    lta = {"host": "LTA_SI", "lj": "truncated", "target_error": 0.01}
    blocked = results(tmp_path / "blocked", **lta)[0]
    kept = results(tmp_path / "kept", block_pockets=False, **lta)[0]
    given = tmp_path / "pockets.block"
    given.write_text((tmp_path / "blocked" / "pockets.block").read_text())
    by_file = results(tmp_path / "by_file", block_file=str(given), seed=5, **lta)[0]
    share = 1.0 - blocked["henry_mol_per_kg_pa"] / kept["henry_mol_per_kg_pa"]
    assert 0.5 < share < 0.8
    assert blocked["excluded_share"] == pytest.approx(share, abs=0.03)
    assert blocked["pockets"] == 1
    assert any("closed pockets left out: 1" in warning for warning in blocked["warnings"])
    assert by_file["henry_mol_per_kg_pa"] == pytest.approx(blocked["henry_mol_per_kg_pa"], rel=0.05)
    with pytest.raises(SettingsError, match="contradict each other"):
        results(tmp_path / "both", block_file=str(given), block_pockets=False, **lta)


def test_a_host_nothing_gets_through_has_no_uptake(tmp_path: Path):
    first = results(tmp_path / "sod", host="SOD", guest="Ar", lj="truncated")[0]
    assert first["henry_mol_per_kg_pa"] == 0.0
    assert any("no pore of this host lets the guest through" in w for w in first["warnings"])
    kept = results(tmp_path / "kept", host="SOD", guest="Ar", lj="truncated", block_pockets=False)
    assert kept[0]["henry_mol_per_kg_pa"] > 0


def test_feynman_hibbs_needs_one_temperature(tmp_path: Path):
    hydrogen = {"guest": "H2", "lj": "truncated", "feynman_hibbs": True, "target_error": 0.02}
    with pytest.raises(SettingsError, match="one --temperature-k a run"):
        results(tmp_path / "two", temperatures_k=(77.0, 300.0), **hydrogen)
    quantum = results(tmp_path / "quantum", temperatures_k=(77.0,), **hydrogen)[0]
    plain = results(
        tmp_path / "plain", temperatures_k=(77.0,), **(hydrogen | {"feynman_hibbs": False})
    )[0]
    assert quantum["henry_mol_per_kg_pa"] < 0.9 * plain["henry_mol_per_kg_pa"]


def test_selectivity_of_two_runs(tmp_path: Path, methane: Path):
    results(tmp_path / "argon", guest="Ar", target_error=0.01, temperatures_k=(350.0,))
    (found,) = selectivities(methane, tmp_path / "argon")
    (inverse,) = selectivities(tmp_path / "argon", methane)
    assert found["temperature_k"] == 350.0
    assert found["selectivity"] == pytest.approx(1.0 / inverse["selectivity"])
    assert found["selectivity_ci95"][0] < found["selectivity"] < found["selectivity_ci95"][1]
    with pytest.raises(RunFolderError, match=r"no result\.json"):
        selectivities(methane, tmp_path)
    results(tmp_path / "other", guest="Ar", target_error=0.05)
    with pytest.raises(SettingsError, match="share no temperature"):
        selectivities(tmp_path / "argon", tmp_path / "other")


def test_pores_on_the_command_line(tmp_path: Path):
    block = tmp_path / "lta.block"
    done = CliRunner().invoke(
        app,
        ["pores", "LTA_SI", "--force-field", "TraPPE-zeo", "--block-file", str(block), "--json"],
    )
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)["pores"]
    assert facts["channels"] == [3]
    assert facts["pockets"] == 1
    assert 10.0 < facts["included_sphere_angstrom"] < 11.5
    assert 3.5 < facts["free_sphere_angstrom"] < 4.5
    assert 0.3 < facts["helium_void_fraction"] < 0.6
    assert block.read_text().split()[0] == "1"


def test_charges_by_method_and_file(tmp_path: Path):
    """A file that repeats the structure's own charges leaves the answer."""
    from chem.hosts import load_host

    host = load_host("CALF-20", primitive=False)
    table = tmp_path / "charges.txt"
    lines = [f"{n + 1} {q!r}" for n, q in enumerate(host.charges_e.tolist())]
    table.write_text("\n".join(lines) + "\n")
    calf = {
        "host": "CALF-20",
        "guest": "CO2",
        "force_field": "UFF",
        "lj": "truncated",
        "target_error": 0.02,
    }
    own = results(tmp_path / "own", charges="cif", **calf)[0]
    again = results(tmp_path / "file", charges=str(table), **calf)[0]
    estimated = results(tmp_path / "eqeq", charges="eqeq", **calf)[0]
    assert again["henry_mol_per_kg_pa"] == pytest.approx(own["henry_mol_per_kg_pa"], rel=0.06)
    assert estimated["henry_mol_per_kg_pa"] != own["henry_mol_per_kg_pa"]
    assert any("eqeq" in warning.lower() for warning in estimated["warnings"])
    with pytest.raises(SettingsError, match="eqeq"):
        results(tmp_path / "bad", charges="guess", **calf)
