"""The labels benchmark on a real, small run whose reference is a second force field."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import labels
import numpy as np
import pytest
from common.needs import scored_rounds

from chem.estimator import beta_mol_per_kj, henry_prefactor
from chem.hosts import host_density_kg_per_m3
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.run import run
from flows.settings import make_settings
from tasks.context import load_context

INPUTS = Path(__file__).parents[1] / "flows" / "inputs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("labels") / "run"
    settings = make_settings(
        host="CALF-20",
        guest="CO2",
        reference=f"forcefield:{INPUTS / 'attractive.yaml'}",
        insertions=6_000,
        max_labels=60,
        max_rounds=3,
        target_error=1e-3,
        seed=3,
        out=str(out),
    )
    run(settings, PlainExecutor(), SilentReporter())
    return out


def test_scored_rounds_give_back_the_answer_of_the_run(folder):
    """Sums over the tables and labels that were read make up the run's own answers."""
    from data.store import read_rows

    rows = read_rows(folder / "rounds.parquet")
    found = scored_rounds(folder, 298.15)
    assert sum(r.share for r in found) == pytest.approx(1.0)
    beta = beta_mol_per_kj(298.15)
    host = load_context(str(folder)).system.host
    prefactor = henry_prefactor(host_density_kg_per_m3(host), 298.15)
    for r in found:
        row = rows[r.number - 1]
        sums = (r.weight * np.exp(-beta * r.energy)).sum() / r.insertions
        over, surrogate, reference = r.drawn.T
        change = (over * (np.exp(-beta * reference) - np.exp(-beta * surrogate))).sum()
        answer = sums + change / r.insertions
        assert prefactor * answer == pytest.approx(row["round_henry"])
        assert 1.0 - r.free_share == pytest.approx(row["overlap_fraction"], abs=0.05)


def test_the_benchmark_runs_from_a_folder_to_table_and_picture(folder, tmp_path, monkeypatch):
    arguments = ["labels.py", "--folders", str(folder), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert labels.main() == 0
    stored = json.loads((tmp_path / "labels.json").read_text())
    assert (tmp_path / "labels.png").stat().st_size > 10_000
    text = (tmp_path / "labels.md").read_text()
    assert "| CO2 in CALF-20 |" in text
    assert str(folder) not in text  # nothing of the machine in what is stored
    needs = stored["cases"][0]["labels_to_5_percent"]
    assert needs["uniform"] > needs["uniform_outside_the_core"] > needs["threshold_routing"][0] > 0
    assert needs["force_field"][0] >= needs["force_field_best_tempered"][0] > 0


def test_a_run_that_never_reached_the_target_has_no_ratio(folder):
    case = labels.examine([folder])[0]
    assert np.isinf(case.ours(1e-6))
    assert labels._ratio(100.0, case.ours(1e-6)) == "-"
    assert labels._short(2e9) == "over 1e8"
