"""A small run of the whole loop: its files, its budget, its resumption, its report of itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from data.errors import RunFolderError
from data.schemas import INSERTIONS, LABELS, RESULTS, ROUNDS, ROUTED
from data.store import read_columns, read_rows
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.run import run
from flows.settings import HenrySettings, make_settings

FORCE_FIELD = Path(__file__).parent / "inputs" / "attractive.yaml"


def small(out: Path, **changes: object) -> HenrySettings:
    values: dict[str, object] = {
        "host": "CALF-20",
        "guest": "CO2",
        "reference": f"forcefield:{FORCE_FIELD}",
        "temperatures_k": (298.15, 350.0),
        "insertions": 8_000,
        "max_labels": 60,
        "max_rounds": 4,
        "target_error": 1e-3,
        "seed": 5,
        "out": str(out),
    }
    return make_settings(**(values | changes))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[HenrySettings, list[dict]]:
    settings = small(tmp_path_factory.mktemp("loop") / "run")
    return settings, run(settings, PlainExecutor(), SilentReporter())


def insertions(run_dir: Path) -> dict[str, np.ndarray]:
    parts = [read_columns(p) for p in sorted((run_dir / "insertions").glob("*.parquet"))]
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


@pytest.mark.parametrize(
    ("pattern", "schema"),
    [
        ("results.parquet", RESULTS),
        ("rounds.parquet", ROUNDS),
        ("routed/*.parquet", ROUTED),
        ("labels/*.parquet", LABELS),
        ("insertions/*.parquet", INSERTIONS),
    ],
)
def test_files_carry_their_schemas(finished, pattern, schema):
    paths = sorted(finished[0].run_dir.glob(pattern))
    assert paths
    for path in paths:
        assert pq.read_schema(path).equals(schema, check_metadata=True)


def test_no_temporary_file_is_left(finished):
    assert list(finished[0].run_dir.rglob("*.tmp")) == []


def test_every_insertion_is_kept_with_weight_and_probability(finished):
    settings, results = finished
    columns = insertions(settings.run_dir)
    assert len(columns["insertion"]) == results[0]["insertions"] <= settings.insertions
    free = ~columns["overlap"]
    probability = columns["routing_probability"]
    assert np.isnan(probability[~free]).all()
    assert (probability[free] > 0).all()
    assert (probability[free] <= 1).all()
    assert np.isinf(columns["baseline_kj_per_mol"][~free]).all()
    assert columns["labelled"].sum() > 10
    assert not columns["labelled"][~free].any()


def test_the_label_budget_is_never_exceeded(finished):
    settings, results = finished
    labels = [r for p in settings.run_dir.glob("labels/*.parquet") for r in read_rows(p)]
    assert len(labels) == results[0]["labels"] <= settings.max_labels
    keys = [r["label_key"] for r in labels]
    assert len(set(keys)) == len(keys)
    assert all(np.isfinite(r["energy_kj_per_mol"]) for r in labels)


def test_the_answer_can_be_recomputed_from_the_files(finished):
    """The estimator by hand, from Parquet alone, for the last round."""
    settings, _ = finished
    last = max(r["round"] for r in read_rows(settings.run_dir / "rounds.parquet"))
    row = next(
        r
        for r in read_rows(settings.run_dir / "rounds.parquet")
        if r["round"] == last and r["temperature_k"] == 298.15
    )
    columns = insertions(settings.run_dir)
    used = columns["table"] == row["table"]
    free = used & ~columns["overlap"]
    beta = 1.0 / (8.31446261815324e-3 * 298.15)
    factor = columns["proposal_weight"] * np.exp(-beta * columns["prediction_kj_per_mol"])
    total = factor[free].sum()
    energies = {
        r["label_key"]: r["energy_kj_per_mol"]
        for p in settings.run_dir.glob("labels/*.parquet")
        for r in read_rows(p)
    }
    for routed in read_rows(settings.run_dir / "routed" / f"round-{last:02d}.parquet"):
        change = np.exp(-beta * energies[routed["label_key"]]) - np.exp(
            -beta * routed["prediction_kj_per_mol"]
        )
        total += routed["proposal_weight"] * change / routed["routing_probability"]
    provenance = json.loads((settings.run_dir / "provenance.json").read_text())
    density = provenance["host"]["density_kg_per_m3"]
    henry = total / used.sum() / (density * 8.31446261815324 * 298.15)
    assert henry == pytest.approx(row["round_henry"], rel=1e-10)


def test_rounds_learn(finished):
    rows = [
        r for r in read_rows(finished[0].run_dir / "rounds.parquet") if r["temperature_k"] == 298.15
    ]
    assert rows[-1]["surrogate_mae_kj_per_mol"] < 0.2 * rows[0]["surrogate_mae_kj_per_mol"]
    assert sum(r["combination_weight"] for r in rows) == pytest.approx(1.0)
    assert rows[0]["combination_weight"] < 0.05


def test_every_round_has_a_table_of_its_own_and_a_promise_made_before(finished):
    settings, _ = finished
    rows = read_rows(settings.run_dir / "rounds.parquet")
    assert all(r["table"] == r["round"] for r in rows)
    for number in {r["round"] for r in rows}:
        folder = settings.run_dir / "tables" / f"table-{number:02d}"
        promise = json.loads((folder / "outlook.json").read_text())
        assert all(0 < s < np.inf for s in promise["table_spread"] + promise["label_spread"])


def test_temperatures_are_ordered_as_physics_says(finished):
    cold, hot = finished[1]
    assert cold["henry_mol_per_kg_pa"] > 2 * hot["henry_mol_per_kg_pa"]
    assert cold["binding_energy_kj_per_mol"] == hot["binding_energy_kj_per_mol"]
    assert cold["binding_energy_kj_per_mol"] < -40.0
    assert 30.0 < hot["qst_kj_per_mol"] < 45.0


def test_an_interrupted_run_goes_on_to_the_same_answer(finished, tmp_path):
    settings, results = finished
    copied = tmp_path / "run"
    shutil.copytree(settings.run_dir, copied)
    for name in ("result.json", "results.parquet", "rounds.parquet", "binding.json"):
        (copied / name).unlink()
    shutil.rmtree(copied / "insertions")
    last = sorted((copied / "labels").glob("round-02-*.parquet"))[-1]
    last.unlink()
    again = run(small(copied), PlainExecutor(), SilentReporter())
    for one, other in zip(results, again, strict=True):
        for name in ("henry_mol_per_kg_pa", "henry_ci95", "qst_kj_per_mol", "labels"):
            assert one[name] == other[name]


def test_changed_input_files_are_noticed(tmp_path):
    host = tmp_path / "host.cif"
    source = Path(__file__).parents[2] / "data" / "hosts" / "SOD.cif"
    host.write_text(source.read_text())
    settings = small(tmp_path / "run", host=str(host), guest="Ar", reference="classical")
    run(settings, PlainExecutor(), SilentReporter())
    host.write_text(source.read_text().replace("8.965", "8.865"))
    with pytest.raises(RunFolderError, match="have changed since"):
        run(settings, PlainExecutor(), SilentReporter())


def test_one_round_and_few_labels_still_give_an_answer(tmp_path):
    settings = small(tmp_path / "run", max_rounds=1, max_labels=6, insertions=1000)
    result = run(settings, PlainExecutor(), SilentReporter())[0]
    assert result["rounds"] == 1
    assert result["labels"] <= 6
    assert result["stopped_because"] == "round limit reached"
    assert result["warnings"]


@pytest.mark.parametrize(
    ("fewest", "because"), [(20, "target error reached"), (None, "label budget spent")]
)
def test_a_run_stops_on_its_target_when_it_has_its_fewest_labels(tmp_path, fewest, because):
    options = {"target_error": 0.9, "max_rounds": 8, "min_labels": fewest, "insertions": 20_000}
    settings = small(tmp_path / "run", **options)
    result = run(settings, PlainExecutor(), SilentReporter())[0]
    assert result["stopped_because"] == because
    assert result["labels"] >= 20


def test_settings_that_came_later_leave_the_names_of_run_folders(tmp_path):
    assert not {"first_labels", "min_labels"} & set(small(tmp_path).numbers)
    assert small(tmp_path, min_labels=50).hash != small(tmp_path).hash
