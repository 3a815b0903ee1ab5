import io
import json
import sys
import tarfile
from dataclasses import replace

import core_mof
import numpy as np
import pyarrow.parquet as pq
import pytest
from common import survey
from common.answers import Answer
from common.survey import Record

from chem.hosts import load_host, write_cif

OPTIONS = core_mof.Options("CH4", "UFF", "none", 298.15, 0.01, 100_000, "direct", 1)


@pytest.fixture
def archive(tmp_path):
    """Four members of which two are structures, one of them with overlapping atoms."""
    write_cif(load_host("SOD"), tmp_path / "SOD.cif")
    good = (tmp_path / "SOD.cif").read_bytes()
    bad = good.replace(b"_cell_length_a", b"_cell_length_x")
    path = tmp_path / "some.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        for name, content in (
            ("set/readme.txt", b"no structure"),
            ("set/good.cif", good),
            ("set/._good.cif", b"\x00"),
            ("set/bad.cif", bad),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_structures_come_in_the_order_of_the_archive(archive):
    found = list(core_mof.make_iter(archive))
    assert [name for name, _ in found] == ["good", "bad"]
    assert "data_SOD" in found[0][1]


def test_failures_are_recorded_and_the_run_goes_on(archive, monkeypatch, tmp_path):
    monkeypatch.setattr(core_mof, "henry", lambda *_, **__: Answer(1e-5, 0.008, 1000, True))
    records = [core_mof.one_host(name, text, OPTIONS) for name, text in core_mof.make_iter(archive)]
    good, bad = records
    assert (good.status, good.henry_mol_per_kg_pa, good.atoms) == ("ok", 1e-5, 18)
    assert bad.status == "StructureError"
    assert bad.reason.startswith("bad.cif has no complete unit cell")
    monkeypatch.setattr(core_mof, "henry", lambda *_, **__: 1 / 0)
    name, text = next(core_mof.make_iter(archive))
    bug = core_mof.one_host(name, text, OPTIONS)
    assert bug.status == "BUG ZeroDivisionError"
    assert "division by zero" in bug.reason
    survey.store([*records, bug], {"date": "today"}, tmp_path / "out" / "core")
    table = pq.read_table(tmp_path / "out" / "core.parquet")
    assert table.column("status").to_pylist() == [r.status for r in (good, bad, bug)]
    assert table.schema.field("wall_s").metadata[b"unit"] == b"s"
    failures = json.loads((tmp_path / "out" / "core-failures.json").read_text())
    assert [failure["name"] for failure in failures] == ["bad", "good"]
    assert "| ok | 1 |" in (tmp_path / "out" / "core.md").read_text()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "core-failures.json",
        "core.md",
        "core.parquet",
    ]


def test_figures_are_of_computed_hosts_and_memory_of_all():
    records = [
        Record(f"h{k}", status="ok" if k % 2 else "X", wall_s=float(k), memory_mb=100.0 + k)
        for k in range(250)
    ]
    assert survey.memory_steps(records) == [(100, 199.0), (200, 299.0), (250, 349.0)]
    wall = next(line for line in survey.summary(records).splitlines() if "wall" in line)
    assert float(wall.split("|")[2]) == pytest.approx(np.median(np.arange(1, 250, 2)))
    assert "250 hosts, 125 computed" in survey.progress(records)


def test_without_structures_the_script_says_how_to_get_them(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["core_mof.py"])
    monkeypatch.setattr(core_mof, "packaged_archive", lambda dataset: None)
    assert core_mof.main() == 1
    assert "CoRE-MOF==2019.1" in capsys.readouterr().err


def test_options_reach_the_engine(archive, monkeypatch):
    seen = {}

    def henry(system, temperature_k, target_error, **options):
        seen.update(options, guest=system.guest.name, charged=system.pairs.has_charges)
        return Answer(1e-5, 0.5, 1000, False)

    monkeypatch.setattr(core_mof, "henry", henry)
    name, text = next(core_mof.make_iter(archive))
    record = core_mof.one_host(name, text, replace(OPTIONS, threads=2))
    assert record.status == "target not reached"
    monkeypatch.setattr(core_mof, "henry", lambda *_, **__: Answer(0.0, np.inf, 1000, False))
    assert core_mof.one_host(name, text, OPTIONS).status == "no room"
    assert seen == {
        "guest": "CH4",
        "charged": False,
        "energies": "direct",
        "insertions": 100_000,
        "threads": 2,
    }
