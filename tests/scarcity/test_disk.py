"""Disks that fill up while widomill writes, and folders that may not be written at all."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from surroundings import (
    DREIDING,
    GATED,
    THREADS,
    SmallDisk,
    answers_of,
    campaign_text,
    command,
    numbers,
    one_paragraph,
)

from data.errors import StorageError
from data.faults import problem_of
from data.store import write_json, write_table
from flows.campaign.folder import CampaignFolder
from flows.campaign.job import reopen, run_campaign
from flows.campaign.read import read_campaign
from flows.campaign.status import status
from flows.campaign.units import Unit, units_of
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.pools import open_pools
from flows.run import run

Result = TypeVar("Result")


def units_on(disk: Path, folder: Path) -> list[Unit]:
    """Return the units of the small campaign with their run folders on a disk."""
    file = folder / "campaign.yaml"
    file.write_text(campaign_text(THREADS, DREIDING))
    return units_of(read_campaign(file, out=str(disk / "out")))


def enlarged_until_done(
    disk: SmallDisk, step_kilobytes: int, work: Callable[[], Result]
) -> tuple[Result, int]:
    """Do work on a disk that is too small; each time it is full, make it a little larger.

    Returns:
        What the work gives in the end, and how often the disk was full.
    """
    for full in range(60):
        try:
            return work(), full
        except StorageError as error:
            words = str(error)
        assert words.startswith(f"Cannot write {disk.path}")
        assert "the file system is full" in words
        assert "Make space there" in words
        whole(disk.path)
        disk.enlarge(disk.kilobytes + step_kilobytes)
    raise AssertionError("the disk never was large enough")


def whole(folder: Path) -> None:
    """Assert that every file below a folder is complete and none is half-written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {str(path): problem for path in files if (problem := problem_of(path))} == {}


@pytest.mark.parametrize("reference", [False, True], ids=["classical", "reference"])
def test_a_run_meets_a_full_disk_again_and_again_and_gives_the_same_bits(
    reference: bool,
    small_disk: SmallDisk,
    tmp_path: Path,
    undisturbed: dict[str, list[dict[str, Any]]],
) -> None:
    unit = next(u for u in units_on(small_disk.path, tmp_path) if u.is_classical != reference)
    small_disk.enlarge(8)
    results, full = enlarged_until_done(
        small_disk,
        100 if reference else 24,
        lambda: run(unit.settings, PlainExecutor(), SilentReporter()),
    )
    assert full >= 5
    assert numbers(results) == undisturbed[unit.id]


@pytest.mark.slow
def test_a_full_disk_stops_a_campaign_as_a_whole_and_it_goes_on(
    small_disk: SmallDisk,
    tmp_path: Path,
    environment: dict[str, str],
    undisturbed: dict[str, list[dict[str, Any]]],
) -> None:
    file, out = tmp_path / "campaign.yaml", small_disk.path / "out"
    file.write_text(campaign_text("{kind: local, workers: 1}", DREIDING))
    small_disk.enlarge(250)
    ended = command(
        *("campaign", "run", file, "--out", out, "--no-orchestration"), environment=environment
    )
    assert ended.returncode == 1
    one_paragraph(
        ended.stderr,
        f"StorageError: Cannot write {out}",
        "the file system is full",
        "Make space there",
        f"`widomill campaign resume {out}`",
    )
    folder = CampaignFolder(out)
    whole(out)
    assert folder.failures() == []
    assert "waiting" in folder.states(folder.units()).values()
    assert not status(folder).alive
    with open_pools({"kind": "threads", "workers": 1}, 1) as pools:
        with pytest.raises(StorageError, match=r"campaign resume|repeat the command"):
            run_campaign(reopen(out), reporter=SilentReporter(), pools=pools)
        small_disk.enlarge(20_000)
        summary = run_campaign(reopen(out), reporter=SilentReporter(), pools=pools)
    assert (summary.complete, summary.failed) == (True, 0)
    assert answers_of(out) == {unit.id: undisturbed[unit.id] for unit in folder.units()}


def test_a_read_only_folder_is_told_in_a_line_and_can_be_read(
    small_disk: SmallDisk, tmp_path: Path, environment: dict[str, str]
) -> None:
    small_disk.enlarge(10_000)
    out = small_disk.path / "out"
    (tmp_path / "campaign.yaml").write_text(
        "name: one\nhosts: [SOD]\nguests: [Ar]\ncluster: {kind: threads, workers: 1}\n"
        "classical: {insertions: 2000, block_pockets: false, energies: direct}\n"
    )
    campaign = read_campaign(tmp_path / "campaign.yaml", out=str(out))
    assert run_campaign(campaign, reporter=SilentReporter()).finished == 1
    small_disk.read_only()
    henry = ("henry", "SOD", "--guest", "Ar", "--reference", "classical")
    for arguments in (
        (*henry, "--no-orchestration", "--out", small_disk.path / "run"),
        (*henry, "--out", small_disk.path / "run"),
        ("campaign", "resume", out),
    ):
        ended = command(*arguments, environment=environment)
        assert ended.returncode == 1
        one_paragraph(ended.stderr, str(small_disk.path), "read-only", "choose another folder")
    assert status(CampaignFolder(out)).counts["finished"] == 1
    copy = tmp_path / "results.csv"
    ended = command("campaign", "export", out, "--out", copy, environment=environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(copy.read_text().splitlines()) == 2


def test_a_prefect_server_without_room_says_so(
    small_disk: SmallDisk, environment: dict[str, str]
) -> None:
    small_disk.enlarge(400)
    henry = ("henry", "SOD", "--guest", "Ar", "--reference", "classical", "--keep-pockets")
    ended = command(*henry, "--out", small_disk.path / "run", environment=environment)
    assert ended.returncode == 1
    one_paragraph(ended.stderr, "no room for its database", str(small_disk.path), "Make space")


def test_files_that_may_not_be_so_large(tmp_path: Path, environment: dict[str, str]) -> None:
    """A limit of the shell, which needs no rights to provoke."""
    henry = ("henry", "SOD", "--guest", "Ar", "--reference", "classical", "--no-orchestration")
    ended = command(
        *(*henry, "--insertions", "2000", "--keep-pockets", "--energies", "direct"),
        *("--out", tmp_path / "run"),
        environment=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert ended.returncode == 1
    one_paragraph(ended.stderr, str(tmp_path / "run"), "larger than files may be", "ulimit -f")
    whole(tmp_path / "run")


def test_too_many_open_files(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [(tmp_path / "held").open("w")]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        with contextlib.suppress(OSError):
            while True:
                held.append((tmp_path / "held").open())
        with pytest.raises(StorageError, match=r"x\.json: too many files are open.*ulimit -n"):
            write_json(tmp_path / "x.json", {})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in held:
            handle.close()
    assert [path.name for path in tmp_path.iterdir()] == ["held"]


def test_weights_tell_of_a_full_disk_too(small_disk: SmallDisk) -> None:
    """Torch's own words for it are about positions in a stream."""
    import torch

    from ml.surrogate import save_atomically

    with pytest.raises(StorageError, match=r"w\.pt: the file system is full"):
        save_atomically({"w": torch.zeros(100_000)}, small_disk.path / "w.pt")
    assert list(small_disk.path.iterdir()) == []


def test_a_table_that_does_not_fit_leaves_the_older_one(small_disk: SmallDisk) -> None:
    import numpy as np

    from data.schemas import SCORES
    from data.store import read_columns

    def columns(count: int) -> dict[str, np.ndarray]:
        values = np.random.default_rng(0).normal(size=count)
        return dict.fromkeys(SCORES.names, values) | {"insertion": np.arange(count)}

    path = small_disk.path / "scores.parquet"
    write_table(path, columns(100), SCORES)
    with pytest.raises(StorageError, match="is full"):
        write_table(path, columns(50_000), SCORES)
    assert len(read_columns(path)["insertion"]) == 100
    assert [p.name for p in small_disk.path.iterdir()] == ["scores.parquet"]


SCRATCH = '''
from pathlib import Path

from ase.calculators.lj import LennardJones


class WithScratch(LennardJones):
    """Writes a file with each call, as DFT codes do."""

    def calculate(self, *arguments, **options):
        Path({folder!r}, "scratch").write_bytes(bytes(200_000))
        super().calculate(*arguments, **options)


def make():
    return WithScratch(epsilon=0.01, sigma=3.2, rc=8.0, smooth=True)
'''


def test_a_full_disk_under_a_reference_is_no_failed_label(
    small_disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "writes_scratch.py").write_text(SCRATCH.format(folder=str(small_disk.path)))
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "campaign.yaml"
    entry = GATED.replace("ase:gate:make", "ase:writes_scratch:make")
    file.write_text(campaign_text(THREADS, entry).replace("SOD, CAXVII, LTA_SI", "SOD"))
    with pytest.raises(StorageError, match=r"^Cannot write: the file system is full.*resume"):
        run_campaign(read_campaign(file), reporter=SilentReporter())
    folder = CampaignFolder(tmp_path / "out")
    assert folder.failures() == []
    small_disk.enlarge(1000)
    summary = run_campaign(reopen(folder.path), reporter=SilentReporter())
    assert (summary.finished, summary.failed) == (2, 0)
    (result,) = [r for r in folder.results() if r["level"] != "classical"]
    assert result["labels"] > 0
    assert result["label_failures"] == 0
