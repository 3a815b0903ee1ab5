"""A finished run taken one level up: a second force field stands for the dear level."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from chem.estimator import henry_prefactor
from chem.hosts import host_density_kg_per_m3
from chem.system import System
from chem.widom import WidomSettings, run_widom
from data.errors import RunFolderError, SettingsError
from data.schemas import LABELS, UPGRADED
from data.store import read_columns, read_rows
from flows.cli import app
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.run import run
from flows.settings import make_settings
from flows.upgrade import UpgradeSettings, print_upgrade, upgrade_run
from tasks.context import load_context
from tasks.upgrade import chunk_path, deciding_rounds, draw_path, high_rounds, low_rounds

INPUTS = Path(__file__).parent / "inputs"
HIGH = "forcefield:DREIDING"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upgrade") / "run"
    settings = make_settings(
        host="CALF-20",
        guest="CO2",
        reference=f"forcefield:{INPUTS / 'attractive.yaml'}",
        temperatures_k=(298.15, 350.0),
        insertions=8_000,
        max_labels=120,
        max_rounds=3,
        target_error=1e-3,
        seed=3,
        out=str(folder),
    )
    run(settings, PlainExecutor(), SilentReporter())
    return folder


def upgraded(folder: Path, **changes: object) -> tuple[UpgradeSettings, list[dict]]:
    values = {"run_dir": str(folder), "reference": HIGH, "max_labels": 60} | changes
    settings = UpgradeSettings(**values)
    return settings, upgrade_run(settings, PlainExecutor(), SilentReporter())


def truth(folder: Path) -> list[float]:
    """The high level's own answer, by brute force."""
    from chem.force_fields import load_force_field
    from chem.mixing import mix_pairs

    context = load_context(str(folder))
    host, guest = context.system.host, context.system.guest
    pairs = mix_pairs(host, guest, load_force_field("DREIDING"))
    system = System(host, guest, pairs, context.system.classical)
    settings = WidomSettings(insertions=400_000, target_error=0.003, block_pockets=False)
    return list(run_widom(system, context.temperatures_k, settings).henry_mol_per_kg_pa)


def test_the_answer_is_that_of_the_high_level_within_its_error(finished):
    _, results = upgraded(finished)
    below = json.loads((finished / "result.json").read_text())["results"]
    for result, low, true in zip(results, below, truth(finished), strict=True):
        error = result["henry_relative_standard_error"] * result["henry_mol_per_kg_pa"]
        assert abs(result["henry_mol_per_kg_pa"] - true) < 3.5 * error
        assert result["henry_relative_standard_error"] < 0.5
        assert abs(low["henry_mol_per_kg_pa"] - true) > 3.5 * error  # the two levels do differ
        assert result["labels"] <= 60
        parts = [result[f"{name}_relative_error"] for name in ("table", "low_labels")]
        parts.append(result["high_labels_relative_error"])
        assert np.hypot.reduce(parts) == pytest.approx(result["henry_relative_standard_error"])


def test_with_every_label_taken_up_the_second_draw_costs_nothing(finished):
    """The answer then is that of one draw with the high level's labels."""
    _, results = upgraded(finished, max_labels=1000)
    result = results[0]
    assert result["high_labels_relative_error"] == 0.0
    context = load_context(str(finished))
    prefactor = henry_prefactor(host_density_kg_per_m3(context.system.host), 298.15)
    item = UpgradeSettings(run_dir=str(finished), reference=HIGH, max_labels=1000).item
    rounds = high_rounds(item, 0)
    beta = 1.0 / (8.31446261815324e-3 * 298.15)
    shift = result["energy_shift_kj_per_mol"]
    answer = share = 0.0
    for r in rounds[deciding_rounds(rounds) :]:
        scale = np.exp(-beta * shift)
        change = np.exp(-beta * r.high_kj_per_mol) - scale * np.exp(-beta * r.known_kj_per_mol)
        own = scale * r.mean + (r.weight * change / r.probability).sum() / r.insertions
        answer += r.share * own
        share += r.share
    assert result["henry_mol_per_kg_pa"] == pytest.approx(prefactor * answer / share, rel=1e-12)


def test_the_low_level_read_from_the_files_is_the_answer_of_the_run(finished):
    below = json.loads((finished / "result.json").read_text())["results"]
    density = host_density_kg_per_m3(load_context(str(finished)).system.host)
    for k, low in enumerate(below):
        rounds = low_rounds(str(finished), k)
        assert sum(r.share for r in rounds) == pytest.approx(1.0)
        mean = sum(r.share * r.mean for r in rounds)
        henry = henry_prefactor(density, low["temperature_k"]) * mean
        assert henry == pytest.approx(low["henry_mol_per_kg_pa"], rel=1e-12)


def test_files_carry_schemas_and_a_killed_upgrade_goes_on_to_the_same_answer(finished, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    settings, first = upgraded(copy, max_labels=20)
    folder = str(settings.folder)
    assert pq.read_schema(draw_path(folder)).equals(UPGRADED, check_metadata=True)
    assert pq.read_schema(chunk_path(folder, 0)).equals(LABELS, check_metadata=True)
    rows = read_rows(chunk_path(folder, 0))
    assert {r["reference_key"] for r in rows} == {first[0]["reference_key"]}
    drawn = read_columns(draw_path(folder))
    assert 0 < len(drawn["round"]) <= 20
    assert ((drawn["second_probability"] > 0) & (drawn["second_probability"] <= 1)).all()
    chunk_path(folder, 1).unlink()
    (settings.folder / "result.json").unlink()
    again = upgrade_run(settings, PlainExecutor(), SilentReporter())
    assert again[0]["henry_mol_per_kg_pa"] == first[0]["henry_mol_per_kg_pa"]
    shown = upgrade_run(settings, PlainExecutor(), SilentReporter())  # finished: shown as it is
    assert shown == again


def test_what_cannot_be_upgraded_is_refused(finished, tmp_path):
    with pytest.raises(RunFolderError, match=r"no result\.json"):
        upgraded(tmp_path)
    own = json.loads((finished / "result.json").read_text())["results"][0]["reference"]
    with pytest.raises(SettingsError, match="the level of the run itself"):
        upgraded(finished, reference=own)


def test_the_command_prints_both_levels(finished):
    arguments = ["upgrade", str(finished), "--reference", HIGH, "--max-labels", "60"]
    done = CliRunner().invoke(app, [*arguments, "--no-orchestration", "--json"])
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)["results"]
    assert results == upgraded(finished)[1]
    shown = io.StringIO()
    print_upgrade(results, finished, Console(file=shown, width=200))
    assert f"{results[0]['labels']} labels at {HIGH}" in shown.getvalue()
    assert "attractive.yaml gave" in shown.getvalue()


def test_on_workers_the_numbers_are_the_same(finished, tmp_path, prefect_api):
    from flows.upgrade_flow import upgrade

    copy, threads = tmp_path / "run", tmp_path / "threads.yaml"
    shutil.copytree(finished, copy)
    shutil.rmtree(copy / "upgrades", ignore_errors=True)
    threads.write_text("kind: threads\nworkers: 2\n")
    values = {"run_dir": str(copy), "reference": HIGH, "max_labels": 12, "cluster": str(threads)}
    on_workers = upgrade(UpgradeSettings(**values))
    _, plain = upgraded(finished, max_labels=12)
    assert on_workers[0]["henry_mol_per_kg_pa"] == plain[0]["henry_mol_per_kg_pa"]
