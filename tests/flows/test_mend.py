"""Every planted fault is found and mended, and the numbers come out as if nothing had been."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data.errors import CampaignBusyError, RunFolderError
from data.store import read_rows
from flows.campaign.folder import CampaignFolder, Failure
from flows.campaign.job import run_campaign
from flows.campaign.lock import claimed
from flows.campaign.read import read_campaign
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.mend import Fault, mend
from flows.run import run
from flows.settings import HenrySettings, make_settings


def settings(folder: Path) -> HenrySettings:
    return make_settings(
        host="SOD",
        guest="Ar",
        reference="forcefield:DREIDING",
        insertions=4000,
        max_labels=20,
        max_rounds=2,
        out=str(folder),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(settings(folder), PlainExecutor(), SilentReporter())
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def names(faults: list[Fault], folder: Path) -> set[str]:
    assert all(fault.repaired for fault in faults)
    return {str(fault.path.relative_to(folder)) for fault in faults}


def test_a_sound_folder_has_no_faults(folder: Path) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert mend(folder) == []
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("labels/round-02-chunk-0000.parquet", truncate),
        ("insertions/table-01-batch-00000.parquet", flip),
        ("models/round-02.pt", truncate),
        ("context.json", truncate),
    ],
)
def test_what_was_damaged_is_redone_to_the_same_numbers(
    whole: Path, folder: Path, name: str, harm: Callable[[Path], None]
) -> None:
    harm(folder / name)
    assert names(mend(folder), folder) == {name, "result.json"}
    assert (folder / "set-aside" / name).is_file()
    run(settings(folder), PlainExecutor(), SilentReporter())
    again, before = (pq.read_table(f / "results.parquet") for f in (folder, whole))
    assert again.equals(before)
    assert mend(folder) == []


@pytest.mark.parametrize(
    "name",
    [
        "rounds.parquet",
        "routed/round-02.parquet",
        "routed/round-01.json",
        "tables/table-01/proposal.npz",
        "models/encoders.pt",
        "binding.json",
        "settings.json",
        "provenance.json",
    ],
)
def test_every_kind_of_file_is_looked_at(folder: Path, name: str) -> None:
    truncate(folder / name)
    assert names(mend(folder), folder) == {name, "result.json"}


def test_left_over_files_are_removed(folder: Path) -> None:
    left = folder / "labels" / ".round-01-chunk-0000.parquet.0123abcd.tmp"
    left.write_bytes(b"half")
    assert names(mend(folder), folder) == {str(left.relative_to(folder))}
    assert not left.exists()


def test_a_label_under_the_wrong_key_is_found(folder: Path) -> None:
    path = sorted((folder / "labels").glob("round-02*"))[0]
    table = pq.read_table(path)
    moved = table.column("frac_x").to_numpy() + 0.25
    changed = table.set_column(
        table.schema.get_field_index("frac_x"), table.schema.field("frac_x"), [moved]
    )
    pq.write_table(changed, path)
    (fault, result) = mend(folder)
    assert "placements" in fault.problem
    assert result.path.name == "result.json"


def test_a_table_that_differs_from_the_result_is_written_anew(folder: Path) -> None:
    path = folder / "results.parquet"
    table = pq.read_table(path)
    wrong = table.set_column(
        table.schema.get_field_index("henry_mol_per_kg_pa"),
        table.schema.field("henry_mol_per_kg_pa"),
        [[1.0] * table.num_rows],
    )
    pq.write_table(wrong, path)
    assert names(mend(folder), folder) == {"results.parquet"}
    stored = json.loads((folder / "result.json").read_text())["results"]
    assert [r["henry_mol_per_kg_pa"] for r in read_rows(path)] == [
        r["henry_mol_per_kg_pa"] for r in stored
    ]


def test_settings_changed_by_hand_are_found(folder: Path) -> None:
    path = folder / "settings.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 5'))
    assert "by hand" in mend(folder)[0].problem


def test_looking_only_changes_nothing(folder: Path) -> None:
    truncate(folder / "rounds.parquet")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert not any(fault.repaired for fault in mend(folder, repair=False))
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="neither a run nor a campaign"):
        mend(tmp_path)


CAMPAIGN = """\
name: mended
out: out
hosts: [SOD, CAXVII]
guests: [Ar]
classical: {insertions: 5000, target_error: 0.2, block_pockets: false, energies: direct}
cluster: {kind: threads, workers: 2}
"""


def test_the_folder_of_a_campaign(tmp_path: Path) -> None:
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    campaign = read_campaign(tmp_path / "campaign.yaml")
    run_campaign(campaign, reporter=SilentReporter())
    opened = CampaignFolder(tmp_path / "out")
    assert mend(opened.path) == []
    before = {r["host_id"]: r["henry_mol_per_kg_pa"] for r in opened.results()}
    first, second = opened.units()
    truncate(opened.path / "units.parquet")
    truncate(opened.runs / first.id / "classical.json")
    words = ("Some", "reason", "2026-01-01T00:00:00+00:00")
    opened.record_failure(
        Failure(second.id, second.host_id, second.guest, second.level, *words, 1, True)
    )
    opened.write_live({**opened.live(), "ended": False})
    with claimed(opened.path), pytest.raises(CampaignBusyError):
        mend(opened.path)
    assert names(mend(opened.path), opened.path) == {
        "units.parquet",
        f"runs/{first.id}/classical.json",
        f"runs/{first.id}/result.json",
        f"failures/{second.id}.json",
        "live.json",
    }
    assert run_campaign(campaign, reporter=SilentReporter()).done_now == 1
    assert {r["host_id"]: r["henry_mol_per_kg_pa"] for r in opened.results()} == before
    assert mend(opened.path) == []
