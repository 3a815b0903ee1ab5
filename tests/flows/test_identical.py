"""The same seed gives the same numbers however the tasks are run."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.store import read_rows
from flows import stages
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.henry import henry
from flows.run import run
from flows.settings import HenrySettings, make_settings

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server")]

FORCE_FIELD = Path(__file__).parent / "inputs" / "attractive.yaml"


def small(reference: str, out: Path, labels: int = 60) -> HenrySettings:
    return make_settings(
        host="CALF-20",
        guest="CO2",
        charges="none",
        reference=reference,
        insertions=15_000,
        max_labels=labels,
        max_rounds=3,
        temperatures_k=(300.0, 350.0),
        target_error=1e-4,
        seed=11,
        out=str(out),
    )


def orchestrated(settings: HenrySettings, cluster: Path | None = None) -> None:
    henry(settings.model_copy(update={"cluster": cluster and str(cluster)}))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches per table in a small run."""
    monkeypatch.setattr(stages, "BATCH_SIZE", 3_000)


def test_plain_threads_and_processes_are_bit_identical(tmp_path: Path, prefect_api: str) -> None:
    threads = tmp_path / "threads.yaml"
    threads.write_text("kind: threads\nworkers: 2\n")
    reference = f"forcefield:{FORCE_FIELD}"
    run(small(reference, tmp_path / "plain"), PlainExecutor(), SilentReporter())
    orchestrated(small(reference, tmp_path / "threads"), threads)
    orchestrated(small(reference, tmp_path / "processes"))
    results = {
        name: (tmp_path / name / "results.parquet").read_bytes()
        for name in ("plain", "threads", "processes")
    }
    assert results["threads"] == results["plain"]
    assert results["processes"] == results["plain"]


def test_mace_agrees_between_plain_and_processes(tmp_path: Path, prefect_api: str) -> None:
    run(small("mace-dac", tmp_path / "plain", 30), PlainExecutor(), SilentReporter())
    orchestrated(small("mace-dac", tmp_path / "processes", 30))
    plain = read_rows(tmp_path / "plain" / "results.parquet")
    processes = read_rows(tmp_path / "processes" / "results.parquet")
    for one, other in zip(plain, processes, strict=True):
        for name in ("henry_mol_per_kg_pa", "henry_ci95_low", "qst_kj_per_mol"):
            assert one[name] == pytest.approx(other[name], rel=1e-5)
        assert one["labels"] == other["labels"]
