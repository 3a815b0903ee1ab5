"""Models from the command line to a run: trained, shown, evaluated, used, and harmless if wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from data.errors import ModelError, SettingsError
from data.schemas import LABELS
from data.store import read_rows, write_rows
from flows.cli import app
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.models import label_hosts, train
from flows.run import run
from flows.settings import HenrySettings, make_settings
from ml.registry import VARIABLE, WEIGHTS, Card, checked_folder, read_card
from ml.source_model import SourceModels
from tasks.context import load_context
from tasks.models import level_key, source_of
from tasks.paths import encoder_path, prior_path, surrogate_path
from tasks.training import graph_inputs

FORCE_FIELD = Path(__file__).parent / "inputs" / "attractive.yaml"
REFERENCE = f"forcefield:{FORCE_FIELD}"


PLACE = ("frac_x", "frac_y", "frac_z")


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    options: dict[str, Any] = {"guest": "CO2", "reference": REFERENCE, "charges": "eeq", "seed": 1}
    folder = tmp_path_factory.mktemp("sources")
    return label_hosts(["CALF20-b"], folder, 30, quiet, **options)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(autouse=True)
def own_registry(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(registry))


@pytest.fixture(scope="module")
def model(sources: list[Path], registry: Path) -> Card:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(registry))
        return train("near", sources, seed=2, members=1, say=quiet)


@pytest.fixture(scope="module")
def wrong(sources: list[Path], registry: Path) -> Card:
    """A model of corrections of the opposite sign, three times as large."""
    kept = {path: read_rows(path) for path in sorted((sources[0] / "labels").glob("*.parquet"))}
    for path, rows in kept.items():
        turned = []
        for row in rows:
            base = row["baseline_kj_per_mol"]
            energy = base - 3.0 * (row["energy_kj_per_mol"] - base)
            no_force = {f"{name}_{axis}": None for name in ("force", "torque") for axis in "xyz"}
            turned.append(row | no_force | {"energy_kj_per_mol": energy})
        write_rows(path, turned, LABELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(registry))
        card = train("wrong", sources, seed=2, members=1, say=quiet)
    for path, rows in kept.items():
        write_rows(path, rows, LABELS)
    return card


def test_half_of_the_labels_lie_where_a_first_surrogate_says(tmp_path: Path) -> None:
    """The baseline misses the open metal site: labels that a surrogate asks for go deeper."""
    field = FORCE_FIELD.with_name("open-metal.yaml")
    options: dict[str, Any] = {"guest": "CO2", "charges": "eeq", "seed": 4}
    host, reference = ["Mg-MOF-74"], f"forcefield:{field}"
    (folder,) = label_hosts(host, tmp_path, 30, quiet, reference=reference, **options)
    by_round: dict[str, list[float]] = {}
    places = set()
    for path in sorted((folder / "labels").glob("*.parquet")):
        for row in read_rows(path):
            by_round.setdefault(path.name[:8], []).append(row["energy_kj_per_mol"])
            places.add(tuple(row[name] for name in PLACE))
    assert {name: len(energies) for name, energies in by_round.items()} == {
        "round-01": 15,
        "round-02": 15,
    }
    assert len(places) == 30
    deepest = {name: np.mean(sorted(energies)[:5]) for name, energies in by_round.items()}
    assert deepest["round-02"] < deepest["round-01"]


def test_a_label_that_cannot_be_true_teaches_nothing(tmp_path: Path) -> None:
    field = tmp_path / "mad.yaml"
    field.write_text(
        "name: mad\nsource: made up for tests\n"
        "types: {C: [60000, 3.0], H: [60000, 2.4], O: [60000, 2.7], N: [60000, 2.8], "
        "Zn: [60, 2.6]}\n"
    )
    options: dict[str, Any] = {"guest": "CO2", "charges": "eeq", "reference": f"forcefield:{field}"}
    (folder,) = label_hosts(["CALF20-b"], tmp_path, 12, quiet, **options)
    rows = [row for path in (folder / "labels").glob("*.parquet") for row in read_rows(path)]
    failed = [row for row in rows if row["status"] == "failed"]
    assert len(rows) == 12
    assert failed
    assert "kJ/mol" in failed[0]["reason"]
    assert all(row["energy_kj_per_mol"] >= -300.0 for row in rows if row not in failed)


def small(out: Path, **changes: object) -> HenrySettings:
    values: dict[str, object] = {
        "host": "CALF-20",
        "guest": "CO2",
        "reference": REFERENCE,
        "insertions": 10_000,
        "max_labels": 60,
        "max_rounds": 3,
        "target_error": 1e-3,
        "seed": 5,
        "out": str(out),
    }
    return make_settings(**(values | changes))


def done(settings: HenrySettings) -> dict[str, Any]:
    return run(settings, PlainExecutor(), SilentReporter())[0]


def test_the_card_says_where_a_model_comes_from(model: Card, sources: list[Path]) -> None:
    assert checked_folder("near")[0] == model
    (host,) = model.hosts
    assert (host.name, host.labels) == ("CALF20-b", 30)
    assert host.hash == json.loads((sources[0] / "provenance.json").read_text())["host"]["hash"]
    assert model.reference == REFERENCE
    assert model.settings["seed"] == 2
    assert model.versions["torch"].startswith("2")


def test_a_run_starts_from_the_model_and_says_so(model: Card, tmp_path: Path) -> None:
    settings = small(tmp_path / "run", model="near", max_rounds=2, insertions=4_000)
    result = done(settings)
    assert (result["model"], result["model_hash"]) == ("near", model.hash)
    stored = json.loads((settings.run_dir / "provenance.json").read_text())
    assert stored["model"] == {"name": "near", "hash": model.hash}
    assert prior_path(settings.run_dir).exists()
    first = read_rows(settings.run_dir / "rounds.parquet")[0]
    assert first["surrogate_henry"] > 1.5 * first["baseline_henry"]
    assert surrogate_path(settings.run_dir, 2).exists()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits(model: Card, tmp_path: Path) -> None:
    settings = [small(tmp_path / n, model=model.name, max_rounds=2) for n in ("a", "b")]
    one, other = (done(s)["henry_mol_per_kg_pa"] for s in settings)
    assert one == other


def test_a_run_refuses_what_does_not_fit(model: Card, tmp_path: Path) -> None:
    other = {"reference": "forcefield:GenericMOFs", "model": model.name}
    with pytest.raises(ModelError, match="this run asks for forcefield:GenericMOFs"):
        done(small(tmp_path / "reference", **other))
    with pytest.raises(ModelError, match="There is no model"):
        done(small(tmp_path / "name", model="nobody"))
    with pytest.raises(SettingsError, match="no use with --reference classical"):
        done(small(tmp_path / "classical", reference="classical", model=model.name))


def test_models_are_not_made_of_what_does_not_belong_together(
    sources: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="given twice"):
        train("twice", [sources[0], sources[0]], seed=0, members=1, say=quiet)
    with pytest.raises(SettingsError, match="Give run folders"):
        train("nothing", [], seed=0, members=1, say=quiet)
    options: dict[str, Any] = {"guest": "CO2", "reference": "forcefield:GenericMOFs", "seed": 1}
    another = label_hosts(["CALF-20"], tmp_path, 6, quiet, **options)
    with pytest.raises(ModelError, match="different references"):
        train("mixed", [*sources, *another], seed=0, members=1, say=quiet)


def test_one_model_serves_several_guests(
    sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "models"))
    runner = CliRunner()
    labelled = ["--hosts", "CALF20-b", "--guest", "N2", "--reference", REFERENCE]
    sizes = ["--charges", "eeq", "--labels", "30", "--members", "1", "--sources", str(tmp_path)]
    trained = runner.invoke(app, ["models", "train", "both", str(sources[0]), *labelled, *sizes])
    assert trained.exit_code == 0, trained.output
    assert "CO2 in CALF20-b" in trained.output
    assert "N2 in CALF20-b" in trained.output
    card = read_card("both")
    assert [guest.name for guest in card.guests] == ["CO2", "N2"]
    assert [(host.name, host.guest) for host in card.hosts] == [
        ("CALF20-b", "CO2"),
        ("CALF20-b", "N2"),
    ]
    assert "both  CO2, N2, " in runner.invoke(app, ["models", "list"]).output
    evaluated = ["models", "evaluate", "both", str(sources[0]), str(tmp_path / "N2" / "CALF20-b")]
    found = json.loads(runner.invoke(app, [*evaluated, "--json"]).output)["evaluations"]
    assert [one["guest"] for one in found] == ["CO2", "N2"]
    assert len(read_card("both").evaluations) == 2
    for guest in ("CO2", "N2"):
        settings = small(
            tmp_path / "run" / guest, guest=guest, model="both", max_rounds=2, insertions=4_000
        )
        done(settings)
        first = read_rows(settings.run_dir / "rounds.parquet")[0]
        assert first["surrogate_henry"] > 1.2 * first["baseline_henry"]
    with pytest.raises(ModelError, match=r"CO2 with sites .* N2 with sites .* this run's guest"):
        done(small(tmp_path / "run" / "CH4", guest="CH4", model="both"))


def test_the_command_line_lists_shows_and_evaluates(model: Card, sources: list[Path]) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["models", "list"]).output
    assert f"near  CO2, {REFERENCE}, 1 hosts, 30 labels" in listed
    evaluated = runner.invoke(app, ["models", "evaluate", "near", str(sources[0]), "--json"])
    (found,) = json.loads(evaluated.output)["evaluations"]
    assert found["seen_in_training"]
    assert found["model_rms_kj_per_mol"] < 0.3 * found["baseline_rms_kj_per_mol"]
    assert read_card("near").evaluations[0]["host"] == "CALF20-b"
    shown = runner.invoke(app, ["models", "show", "near"]).output
    assert "the model was trained on this host" in shown
    assert model.hash in shown


def test_the_model_that_comes_with_widomill_knows_a_metal_site_it_has_not_seen(
    tmp_path: Path,
) -> None:
    options: dict[str, Any] = {"guest": "CO2", "reference": "mace-dac", "charges": "eeq"}
    (folder,) = label_hosts(["Mg-MOF-74"], tmp_path, 8, quiet, **options)
    context, source = load_context(str(folder)), source_of(str(folder))
    card, path = checked_folder("core-mof-co2")
    assert context.system.host.hash not in [host.hash for host in card.hosts]
    card.check(context.reference, level_key(str(folder)), graph_inputs(context)[1].sites)
    model = SourceModels.load(path / WEIGHTS).of(graph_inputs(context)[1])
    known = model.for_host(source.lesson.host, graph_inputs(context)[1])
    labels = source.labels
    place = labels.fractional, labels.quaternions, labels.baseline_kj_per_mol
    deep = labels.energy_kj_per_mol < 0.0
    predicted = known.predict(*place, exact=True)[0]
    off = np.abs(predicted - labels.energy_kj_per_mol)[deep]
    baseline_off = np.abs(labels.baseline_kj_per_mol - labels.energy_kj_per_mol)[deep]
    assert off.mean() < baseline_off.mean() / 3.0
    assert np.median(off) < 5.0


def test_a_run_whose_baseline_is_another_than_the_models_says_so(
    model: Card, tmp_path: Path
) -> None:
    same = done(small(tmp_path / "same", model=model.name, charges="eeq", max_rounds=1))
    other = done(small(tmp_path / "other", model=model.name, charges="none", max_rounds=1))
    assert not any("corrects a baseline" in warning for warning in same["warnings"])
    assert any("charges eeq" in warning for warning in other["warnings"])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_wrong_model_leaves_answers_unbiased(wrong: Card, tmp_path: Path) -> None:
    seeds = 40
    options = {"reference": "classical", "force_field": str(FORCE_FIELD), "insertions": 1_000_000}
    truth = done(small(tmp_path / "truth", **options))["henry_mol_per_kg_pa"]
    results = []
    for seed in range(seeds):
        settings = small(tmp_path / f"{seed}", model=wrong.name, seed=seed)
        if seed:  # encoders know no label: those of the first run serve all
            target = encoder_path(settings.run_dir)
            target.parent.mkdir(parents=True)
            shutil.copy(encoder_path(tmp_path / "0"), target)
        results.append(done(settings))
    answers = np.array([r["henry_mol_per_kg_pa"] for r in results])
    error = answers.std(ddof=1) / np.sqrt(seeds)
    covered = sum(r["henry_ci95"][0] <= truth <= r["henry_ci95"][1] for r in results)
    assert abs(answers.mean() - truth) < 3.0 * error, (answers, truth)
    assert covered >= 32
