"""Where a campaign stands, from its files alone."""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from rich.console import Console

from data.errors import RunFolderError
from flows.campaign.folder import SILENT_S, CampaignFolder
from flows.campaign.live import Live
from flows.campaign.lock import claimed
from flows.campaign.status import as_json, shares, show_status, status


@pytest.fixture
def folder(finished: CampaignFolder, tmp_path: Path) -> CampaignFolder:
    """A copy that may be changed, without the larger files."""
    large = shutil.ignore_patterns("insertions", "tables", "models", "scores", "report.html")
    return CampaignFolder(shutil.copytree(finished.path, tmp_path / "copy", ignore=large))


def words(folder: CampaignFolder, width: int = 140) -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False)
    show_status(folder.path, console=out)
    return out.file.getvalue()


def go(folder: CampaignFolder) -> Live:
    """A live engine that works on the unit that waits."""
    units = folder.units()
    live = Live({u.id: u for u in units}, folder.states(units), workers=2, labels=7, cpu_s=1e-9)
    unit = next(u for u in units if folder.state(u) == "waiting")
    live.begin(unit)
    live.stage(unit, "classical average", 3, 4)
    folder.write_live(live.as_dict())
    return live


def test_a_stopped_campaign(folder: CampaignFolder) -> None:
    now = status(folder)
    assert now.counts == {"finished": 9, "failed": 1, "running": 0, "waiting": 1, "total": 11}
    assert now.levels["forcefield:DREIDING"]["finished"] == 1
    assert not now.alive
    assert not now.done
    (failure,) = now.failures
    assert (failure["host_id"], failure["error"]) == ("MFI_SI", "StructureError")
    shown = words(folder)
    assert "82 % answered" in shown
    assert "campaign resume" in shown
    assert "MFI_SI" in shown


def test_a_running_campaign_and_one_whose_engine_died(folder: CampaignFolder) -> None:
    with claimed(folder.path):
        go(folder)
        now = status(folder)
        shown = words(folder)
        # A clock that is set forward or back changes nothing.
        for hours in (-30, 30):
            when = time.time() + 3600 * hours
            os.utime(folder.path / "live.json", (when, when))
            assert status(folder).alive
    assert now.alive
    assert now.counts["running"] == 1
    assert [(e["host"], e["done"], e["total"]) for e in now.running] == [("MFI_SI", 3, 4)]
    assert "classical average" in shown
    assert "3 of 4" in shown
    assert "7 labels paid" in shown
    then = status(folder)
    assert not then.alive
    assert (then.counts["running"], then.counts["waiting"], then.running) == (0, 1, [])


def test_an_engine_on_another_machine_is_known_by_its_last_word(folder: CampaignFolder) -> None:
    told = go(folder).as_dict()
    folder.write_live(told | {"process": "4711 on node17"})
    assert status(folder).alive
    long_ago = time.time() - 2 * SILENT_S
    os.utime(folder.path / "live.json", (long_ago, long_ago))
    then = status(folder)
    assert not then.alive
    assert (then.counts["running"], then.counts["waiting"], then.running) == (0, 1, [])


def test_watching_ends_with_the_campaign(folder: CampaignFolder) -> None:
    live = go(folder)
    live.ended = True
    folder.write_live(live.as_dict())
    out = Console(file=io.StringIO(), force_terminal=True, width=100)
    show_status(folder.path, watch=True, console=out)
    assert "stopped" in out.file.getvalue()


def test_what_somebody_wrote_is_no_markup(folder: CampaignFolder) -> None:
    (path,) = (folder.path / "failures").glob("*.json")
    told = json.loads(path.read_text()) | {"reason": "[bold]no[/bold] \x1b]0;title\x07 [/oops]"}
    path.write_text(json.dumps(told))
    shown = words(folder)
    assert "[bold]no[/bold]" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_as_json_is_plain(folder: CampaignFolder) -> None:
    content = json.loads(json.dumps(as_json(status(folder)), allow_nan=False))
    assert content["counts"]["total"] == 11
    assert content["done"] is False


def test_shares_of_several_sessions_weigh_by_time() -> None:
    """100 s of 2 workers fully busy and 100 s half busy: three quarters busy."""
    sessions = [
        {"cpu_s": 200.0, "busy_share": 1.0, "orchestration_share": 0.0},
        {"cpu_s": 100.0, "busy_share": 0.5, "orchestration_share": 0.5},
    ]
    found = shares({"wall_s": 200.0, "cpu_s": 300.0, "labels": 5, "sessions": sessions})
    assert found["busy_share"] == pytest.approx(0.75)
    assert found["orchestration_share"] == pytest.approx(100.0 / 400.0)
    assert found["labels"] == 5
    assert shares({}) == {}


def test_no_campaign_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="not the folder of a campaign"):
        show_status(tmp_path)
