"""A wall clock that jumps forwards and back while a campaign runs; the machine's is left alone."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any

import pytest
from gate import GATE
from surroundings import GATED, answers_of, campaign_text, running, wait_until

from flows.campaign.folder import CampaignFolder
from flows.campaign.status import status

HOUR_S = 3600


@pytest.mark.slow
def test_jumps_of_the_clock_change_nothing(
    shim: Path,
    tmp_path: Path,
    environment: dict[str, str],
    undisturbed: dict[str, list[dict[str, Any]]],
) -> None:
    file, out, gate, shift = (tmp_path / n for n in ("campaign.yaml", "out", "gate", "shift"))
    file.write_text(campaign_text("{kind: local, workers: 2}", GATED))

    def jump(hours: int) -> None:
        with shift.open("r+b" if shift.exists() else "wb") as handle:
            handle.write(struct.pack("q", hours * HOUR_S))

    jump(0)
    # Dask looks for workers that have not been heard of every five minutes; here it may not take
    # that long.
    preloaded = {
        "LD_PRELOAD": str(shim),
        "SHIM_SHIFT": str(shift),
        GATE: str(gate),
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "1s",
    }
    folder = CampaignFolder(out)
    arguments = ("campaign", "run", file, "--no-orchestration")
    with running(*arguments, environment=environment | preloaded, folder=tmp_path) as process:
        wait_until(lambda: bool(list(out.glob("runs/*ase*/context.json"))), "the unit", 60)
        for hours in [30, -30] * 4 + [0]:
            jump(hours)
            time.sleep(0.6)
            assert process.poll() is None
            assert status(folder).alive
        gate.touch()
        assert process.wait(120) == 0, (tmp_path / "errors").read_text()
    assert folder.failures() == []
    assert answers_of(out) == {unit.id: undisturbed[unit.id] for unit in folder.units()}
    assert not status(folder).alive
