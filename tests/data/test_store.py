"""Files are whole or absent, and every field of every schema says what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data import schemas, store
from data.errors import RunFolderError
from data.records import content_hash
from data.schemas import SCORES
from data.store import plain, read_columns, read_rows, write_atomically, write_json, write_table
from data.streams import stream

ALL = [value for value in vars(schemas).values() if isinstance(value, pa.Schema)]


@pytest.mark.parametrize("schema", ALL, ids=lambda s: s.metadata[b"widomill.table"].decode())
def test_every_field_has_unit_and_description(schema: pa.Schema):
    for field in schema:
        assert b"unit" in field.metadata
        assert len(field.metadata[b"description"]) > 3


def test_round_trip_keeps_every_bit_and_the_metadata(tmp_path: Path):
    rng = np.random.default_rng(0)
    columns = {
        "insertion": np.arange(5),
        "surrogate_kj_per_mol": rng.normal(size=5),
        "surrogate_sd_kj_per_mol": np.array([0.1, np.inf, np.nan, 1e-300, 2.0]),
        "prediction_kj_per_mol": np.array([-3.0, np.inf, np.nan, 0.0, -2.5]),
    }
    path = tmp_path / "x.parquet"
    write_table(path, columns, SCORES)
    back = read_columns(path)
    for name, values in columns.items():
        assert np.array_equal(back[name], values, equal_nan=True)
    assert pq.read_schema(path).field("insertion").metadata[b"unit"] == b"1"
    assert read_rows(path)[4]["surrogate_sd_kj_per_mol"] == 2.0


def test_a_failed_write_leaves_nothing(tmp_path: Path):
    def fails(path: Path) -> None:
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "a.txt", fails)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_named(tmp_path: Path):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(RunFolderError, match=r"Cannot read .*x\.parquet"):
        read_columns(path)


def test_json_has_no_nan(tmp_path: Path):
    write_json(tmp_path / "a.json", {"x": np.float64("nan"), "y": np.arange(2), "z": Path("q")})
    assert (tmp_path / "a.json").read_text().split() == [
        "{", '"x":', "null,", '"y":', "[", "0,", "1", "],", '"z":', '"q"', "}",
    ]  # fmt: skip
    assert plain((np.int64(3), float("inf"))) == [3, None]


def test_streams_depend_on_every_word_of_their_key():
    first = stream(1, "a", "b", 2).random(4)
    assert (stream(1, "a", "b", 2).random(4) == first).all()
    for other in (stream(2, "a", "b", 2), stream(1, "ab", "", 2), stream(1, "a", "b", 3)):
        assert (other.random(4) != first).all()


def test_content_hash_tells_shapes_and_types_apart():
    values = np.arange(6.0)
    assert content_hash(values) != content_hash(values.reshape(2, 3))
    assert content_hash(values) != content_hash(values.astype(np.float32))
    assert content_hash("a", "bc") != content_hash("ab", "c")


def test_one_flipped_bit_is_found(tmp_path: Path):
    path = tmp_path / "x.parquet"
    values = np.random.default_rng(0).normal(size=5000)
    columns = dict.fromkeys(SCORES.names, values) | {"insertion": np.arange(5000)}
    write_table(path, columns, SCORES)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(RunFolderError, match="doctor"):
        read_columns(path)


def _with_version(path: Path, version: str) -> None:
    table = pa.table({"insertion": [1, 2]})
    pq.write_table(table.replace_schema_metadata({"widomill.schema_version": version}), path)


def test_a_newer_schema_is_refused_and_an_older_one_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "x.parquet"
    _with_version(path, str(schemas.SCHEMA_VERSION + 1))
    with pytest.raises(RunFolderError, match="schema version"):
        read_columns(path)
    _with_version(path, "1")
    monkeypatch.setattr(schemas, "SCHEMA_VERSION", 3)
    monkeypatch.setitem(store.MIGRATIONS, 1, lambda t: t.rename_columns(["number"]))
    monkeypatch.setitem(store.MIGRATIONS, 2, lambda t: t.append_column("twice", pa.array([2, 4])))
    assert {name: list(v) for name, v in read_columns(path).items()} == {
        "number": [1, 2],
        "twice": [2, 4],
    }
