"""Labels shared by runs: found by content, never torn, never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.label_store import LabelStore, labels_folder
from data.schemas import LABELS


def label(key: str, energy: float = -10.0, status: str = "ok") -> dict:
    row = {field.name: 0.0 for field in LABELS}
    words = {"label_key": key, "reference_key": "r", "host_hash": "h", "guest_hash": "g"}
    return row | words | {"energy_kj_per_mol": energy, "status": status, "reason": "", "round": 1}


def test_labels_come_back_by_key_for_their_own_system_only(tmp_path: Path) -> None:
    LabelStore("r", "h", "g", tmp_path).add([label("a", -1.0), label("b", -2.0)])
    found = LabelStore("r", "h", "g", tmp_path).find(["b", "c"])
    assert {key: row["energy_kj_per_mol"] for key, row in found.items()} == {"b": -2.0}
    assert LabelStore("r", "other", "g", tmp_path).find(["b"]) == {}
    assert LabelStore("other", "h", "g", tmp_path).find(["b"]) == {}


def test_failed_labels_are_worth_another_attempt(tmp_path: Path) -> None:
    store = LabelStore("r", "h", "g", tmp_path)
    store.add([label("a", float("nan"), "failed"), label("b")])
    assert set(store.find(["a", "b"])) == {"b"}


def test_adding_twice_keeps_one_file(tmp_path: Path) -> None:
    store = LabelStore("r", "h", "g", tmp_path)
    for _ in range(2):
        store.add([label("a"), label("b")])
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_a_damaged_file_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = LabelStore("r", "h", "g", tmp_path)
    store.add([label("a")])
    store.add([label("b")])
    first = sorted(tmp_path.rglob("*.parquet"))[0]
    first.write_bytes(first.read_bytes()[:100])
    assert len(store.find(["a", "b"])) == 1
    assert "passed over" in caplog.text


def test_a_store_that_cannot_be_written_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "r").write_text("a file where a folder would have to be")
    LabelStore("r", "h", "g", tmp_path).add([label("a")])
    assert "not shared" in caplog.text


def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WIDOMILL_LABELS", "off")
    assert labels_folder() is None
    assert LabelStore("r", "h", "g").find(["a"]) == {}
    monkeypatch.setenv("WIDOMILL_LABELS", str(tmp_path))
    assert labels_folder() == tmp_path
    monkeypatch.delenv("WIDOMILL_LABELS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert labels_folder() == tmp_path / "widomill" / "labels"
