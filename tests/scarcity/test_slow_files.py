"""A file system on which everything takes its time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from surroundings import GATED, answers_of, campaign_text, command

from data.store import read_rows
from flows.campaign.folder import CampaignFolder


@pytest.mark.slow
def test_a_slow_file_system_costs_time_and_nothing_else(
    shim: Path,
    tmp_path: Path,
    environment: dict[str, str],
    undisturbed: dict[str, list[dict[str, Any]]],
) -> None:
    file, out = tmp_path / "campaign.yaml", tmp_path / "out"
    file.write_text(campaign_text("{kind: local, workers: 1}", GATED))
    slow = {"LD_PRELOAD": str(shim), "SHIM_SLOW": str(out), "SHIM_DELAY": "4000"}
    began = time.monotonic()
    ended = command(
        *("campaign", "run", file, "--no-orchestration"), environment=environment | slow
    )
    assert ended.returncode == 0, ended.stderr
    folder = CampaignFolder(out)
    assert folder.failures() == []
    assert answers_of(out) == {unit.id: undisturbed[unit.id] for unit in folder.units()}
    assert len(read_rows(out / "results.parquet")) == 4
    # It was slow indeed: each of the files took at least its opening, its flush and its name.
    files = [path for path in folder.runs.rglob("*") if path.is_file()]
    assert time.monotonic() - began > 3 * 0.004 * len(files)
