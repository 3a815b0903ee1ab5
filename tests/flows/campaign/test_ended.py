"""The end of a campaign: nothing done twice, and whoever is to hear of it hears of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from data.errors import CampaignBusyError, SettingsError
from data.store import write_json
from flows.automations import notify_webhook
from flows.campaign.job import run_campaign
from flows.campaign.launch import launch_campaign
from flows.campaign.lock import claimed
from flows.campaign.notify import COMMAND, URL, send
from flows.campaign.read import Campaign, check_campaign
from flows.campaign.settings import CampaignSettings
from flows.campaign.units import units_of

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def _logging_is_set_up() -> None:
    """Prefect replaces the handlers of the root logger once; not in the middle of a test."""
    from prefect.logging.configuration import setup_logging

    setup_logging()


def finished_campaign(folder: Path) -> Campaign:
    """Return a campaign of one unit that has its answer already."""
    settings = CampaignSettings(name="over", out=str(folder), hosts=["SOD"], guests=["CH4"])
    campaign = check_campaign(settings, folder)
    (unit,) = units_of(campaign)
    Path(unit.settings.out).mkdir(parents=True)
    answer = {
        "host": "SOD",
        "guest": "CH4",
        "reference": "classical",
        "temperature_k": 298.15,
        "henry_mol_per_kg_pa": 1e-6,
        "henry_ci95": [9e-7, 1.1e-6],
        "henry_relative_standard_error": 0.05,
        "qst_kj_per_mol": 20.0,
        "qst_standard_error": 0.1,
        "baseline_henry_mol_per_kg_pa": 1e-6,
        "labels": 0,
        "stopped_because": "target error reached",
        "warnings": [],
    }
    write_json(Path(unit.settings.out) / "result.json", {"results": [answer]})
    return campaign


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    monkeypatch.setattr("flows.campaign.job.close_campaign", lambda folder: None)
    return finished_campaign(tmp_path / "campaign")


@pytest.fixture
def heard() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web server that notes what it is told; its address and the notes."""
    notes: list[dict[str, Any]] = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            notes.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Ear)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", notes
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run_again(campaign: Campaign) -> Any:
    """Run the flow of a campaign and return its final state."""
    from flows.campaign.flow import campaign as flow

    return flow(campaign.settings, return_state=True)


def test_a_finished_campaign_has_nothing_to_do_and_says_so(
    prefect_api: str, campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "notes"
    monkeypatch.setenv(COMMAND, f"cat >> {notes}; echo >> {notes}")
    state = run_again(campaign)
    assert state.is_completed()
    assert state.message.startswith("Nothing to do: 1 units have their answer, 0 failed.")
    wrong = campaign.settings.model_copy(update={"hosts": ("no-such-host",)})
    failed = run_again(Campaign(wrong, campaign.folder, ()))
    assert failed.is_failed()
    told = [json.loads(line) for line in notes.read_text().splitlines()]
    assert [note["state"] for note in told] == ["Completed", "Failed"]
    assert told[0]["campaign"] == "campaign over"
    assert "no-such-host" in told[1]["message"]


def test_without_settings_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COMMAND, raising=False)
    monkeypatch.delenv(URL, raising=False)
    monkeypatch.setattr("subprocess.run", None)
    monkeypatch.setattr("urllib.request.urlopen", None)
    send({"campaign": "over"})


def test_a_webhook_gets_it_and_a_dead_one_is_a_warning(
    heard: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url, notes = heard
    monkeypatch.setenv(URL, url)
    send({"campaign": "over", "state": "Completed"})
    assert notes == [{"campaign": "over", "state": "Completed"}]
    monkeypatch.setenv(URL, "http://127.0.0.1:9/")
    send({"campaign": "over", "state": "Completed"})
    assert "was not announced" in caplog.text


@pytest.mark.slow
def test_the_automation_of_the_server_fires(
    prefect_api: str, campaign: Campaign, heard: tuple[str, list[dict[str, Any]]]
) -> None:
    url, notes = heard
    assert url in notify_webhook(url)
    notify_webhook(url)  # again changes nothing
    states = [run_again(campaign)]
    wrong = campaign.settings.model_copy(update={"hosts": ("no-such-host",)})
    states.append(run_again(Campaign(wrong, campaign.folder, ())))
    wanted = {str(state.state_details.flow_run_id): state.name for state in states}
    told: dict[str, str] = {}
    deadline = time.monotonic() + 120.0
    while told != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
        told = {n["flow_run"]: n["state"] for n in notes if n["flow_run"] in wanted}
    assert told == wanted
    assert sorted(wanted.values()) == ["Completed", "Failed"]
    assert {note["campaign"] for note in notes} == {"campaign over"}
    assert all(f"/runs/flow-run/{note['flow_run']}" in note["page"] for note in notes)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="no address"):
        notify_webhook("chat.example.org")


def test_a_flow_waits_for_its_turn_and_the_command_line_does_not(
    prefect_api: str, campaign: Campaign
) -> None:
    free = threading.Event()

    def hold() -> None:
        with claimed(campaign.folder):
            held.set()
            free.wait(60.0)

    held = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(30.0)
    with pytest.raises(CampaignBusyError, match="is being worked on by process"):
        run_campaign(campaign)
    with pytest.raises(CampaignBusyError):
        launch_campaign(campaign)
    threading.Timer(5.0, free.set).start()
    state = run_again(campaign)
    assert free.is_set()
    assert state.is_completed()
    assert "Nothing to do" in state.message
    holder.join()


def test_the_second_launch_does_no_work(prefect_api: str, campaign: Campaign) -> None:
    summary = launch_campaign(campaign)
    assert (summary.complete, summary.finished, summary.done_now) == (True, 1, 0)
