"""The registry of models: what is written is what is read, and nothing wrong is read."""

import json
from pathlib import Path

import pytest

from data.errors import InputError, ModelError
from ml import registry
from ml.registry import (
    CARD,
    LABELS,
    WEIGHTS,
    Card,
    ModelGuest,
    SourceHost,
    bundled_folder,
    checked_folder,
    is_bundled,
    list_models,
    models_folder,
    new_folder,
    publish,
    read_card,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(registry.VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


def card(name: str = "first") -> Card:
    hosts = (
        SourceHost("A", "CO2", "aa", ("C", "H"), 40, 8.0, 3.5),
        SourceHost("B", "N2", "bb", ("O",), 2, 1.0),
    )
    return Card(
        name=name,
        hash="",
        reference="mace-dac",
        reference_key="key",
        guests=(ModelGuest("CO2", "gg", ("C", "O", "O")), ModelGuest("N2", "nn", ("N", "N"))),
        force_field="UFF",
        temperature_k=298.15,
        hosts=hosts,
        settings={"seed": 3},
        versions={"torch": "2"},
        created="2026-01-02",
    )


def make(name: str = "first", weights: bytes = b"weights") -> Card:
    fresh = new_folder(name)
    (fresh / WEIGHTS).write_bytes(weights)
    (fresh / LABELS).write_bytes(b"labels")
    return publish(card(name), fresh)


def test_a_card_comes_back_as_it_was_written(folder: Path) -> None:
    written = make()
    assert read_card("first") == written
    assert checked_folder("first") == (written, folder / "first")
    assert written.labels == 42
    assert sorted(p.name for p in folder.iterdir()) == ["first"]


def test_the_hash_is_that_of_the_content_alone() -> None:
    first, second, other = make("a"), make("b"), make("c", b"other")
    assert first.hash == second.hash != other.hash
    own = [c.name for c in list_models() if not is_bundled(registry.model_path(c.name))]
    assert own == ["a", "b", "c"]


def test_models_that_come_with_the_package_are_whole_and_said_to_be_so() -> None:
    bundled = [path.name for path in sorted(bundled_folder().iterdir())]
    assert bundled == [c.name for c in list_models()]
    for name in bundled:
        card, path = checked_folder(name)
        assert is_bundled(path)
        assert card.name == name
        assert card.settings["charges"]
        assert sorted(p.name for p in path.iterdir()) == [CARD, WEIGHTS]


def test_a_name_that_comes_with_the_package_is_taken() -> None:
    with pytest.raises(ModelError, match="comes with widomill"):
        new_folder(list_models()[0].name)


def test_a_run_with_another_baseline_is_told() -> None:
    known = make()
    assert known.baseline_note("UFF", "cif") == ""  # it is not said which charges were used
    assert "force field UFF" in known.baseline_note("DREIDING", "cif")
    of_charges = Card(**{**known.__dict__, "settings": {"charges": "eeq"}})
    assert of_charges.baseline_note("UFF", "eeq") == ""
    assert "charges eeq" in of_charges.baseline_note("UFF", "cif")


def test_an_unknown_name_lists_what_is_known() -> None:
    make("known-one")
    with pytest.raises(ModelError, match=r"known are: .*known-one"):
        read_card("other")
    with pytest.raises(InputError):
        read_card("../known-one")


@pytest.mark.parametrize("name", ["", "a b", "../x", ".hidden", "x" * 81])
def test_names_that_cannot_be_folders_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="cannot name a model"):
        new_folder(name)


def test_a_name_is_given_once() -> None:
    make()
    with pytest.raises(ModelError, match="already"):
        make()


def test_a_damaged_file_is_noticed(folder: Path) -> None:
    make()
    (folder / "first" / WEIGHTS).write_bytes(b"weightz")
    with pytest.raises(ModelError, match="damaged"):
        checked_folder("first")
    (folder / "first" / WEIGHTS).unlink()
    with pytest.raises(ModelError, match="incomplete"):
        checked_folder("first")


@pytest.mark.parametrize("content", ["", "{", '{"format": "other"}', '{"name": "first"}', "[]"])
def test_a_damaged_card_is_noticed(folder: Path, content: str) -> None:
    make()
    (folder / "first" / CARD).write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"card\.json"):
        read_card("first")


def test_a_card_holds_plain_json_only(folder: Path) -> None:
    make()
    content = json.loads((folder / "first" / CARD).read_text(encoding="utf-8"))
    assert content["hosts"][1]["held_out_rms_kj_per_mol"] is None
    assert content["format"] == registry.FORMAT


def test_another_reference_or_guest_is_refused() -> None:
    known = make()
    known.check("mace-dac", "key", ("C", "O", "O"))
    known.check("mace-dac", "key", ("N", "N"))
    with pytest.raises(ModelError, match=r"knows the reference mace-dac.*asks for xtb"):
        known.check("xtb", "other", ("C", "O", "O"))
    for sites in (("H", "H", "O"), ("C", "O")):
        named = (
            f"CO2 with sites C O O, N2 with sites N N; this run's guest has sites {' '.join(sites)}"
        )
        with pytest.raises(ModelError, match=named):
            known.check("mace-dac", "key", sites)


def test_the_folder_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models_folder() == tmp_path / "models"
    monkeypatch.delenv(registry.VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "widomill" / "models"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert models_folder() == Path.home() / ".local" / "share" / "widomill" / "models"
