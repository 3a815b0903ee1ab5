"""A campaign on the pages of a real Prefect server: what is shown, and what happens without it."""

from __future__ import annotations

import contextlib
import contextvars
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from data.errors import CampaignStopped, SettingsError
from data.store import write_json
from flows.campaign.folder import CampaignFolder, Failure
from flows.campaign.job import write_plan
from flows.campaign.page.prefect_view import PrefectView, wanted_by
from flows.campaign.read import Campaign, check_campaign
from flows.campaign.settings import CampaignSettings
from flows.campaign.units import Unit, units_of
from flows.executors import PlainExecutor

pytestmark = [pytest.mark.server, pytest.mark.slow]

HOSTILE = "<img src=x onerror=alert(1)> [click](javascript:alert(2)) | a `b`"
KELVIN = 298.15


@pytest.fixture(autouse=True)
def _logging_is_set_up() -> None:
    """Prefect replaces the handlers of the root logger once; not in the middle of a test."""
    from prefect.logging.configuration import setup_logging

    setup_logging()


def small(folder: Path) -> Campaign:
    settings = CampaignSettings(
        name="pages",
        out=str(folder),
        hosts=["SOD", "LTA_SI", "MFI_SI"],
        guests=["CH4"],
        references=[{"level": "forcefield:DREIDING", "hosts": ["SOD"], "max_labels": 40}],
    )
    return check_campaign(settings, folder)


def result(henry: float, labels: int = 0) -> dict[str, Any]:
    """Return what a page needs of a result."""
    return {
        "temperature_k": KELVIN,
        "henry_mol_per_kg_pa": henry,
        "henry_ci95": [0.9 * henry, 1.1 * henry],
        "qst_kj_per_mol": 20.0,
        "qst_standard_error": 0.1,
        "baseline_henry_mol_per_kg_pa": henry,
        "labels": labels,
        "stopped_because": "target error reached",
        "warnings": [],
    }


def finish(unit: Unit, henry: float) -> list[dict[str, Any]]:
    results = [result(henry)]
    Path(unit.settings.out).mkdir(parents=True, exist_ok=True)
    write_json(Path(unit.settings.out) / "result.json", {"results": results})
    return results


def new_run() -> UUID:
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Running

    with get_client(sync_client=True) as client:
        return client.create_flow_run(flow(lambda: None, name="campaign"), state=Running()).id


def read(what: str, *arguments: Any, **options: Any) -> Any:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return getattr(client, what)(*arguments, **options)


def artifacts(run_id: UUID) -> dict[str, Any]:
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
    found = read("read_artifacts", artifact_filter=wanted)
    assert len({a.key for a in found}) == len(found)  # changed in place, not written again
    return {str(a.key): a for a in found}


def steps(run_id: UUID) -> dict[str, Any]:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
    return {run.name: run for run in read("read_task_runs", flow_run_filter=wanted)}


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def in_threads(*functions: Callable[[], object]) -> None:
    """Run functions at once as the engine does: each in a thread with a copy of the context."""
    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(function,))
        for function in functions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def show(view: PrefectView, folder: CampaignFolder, units: list[Unit]) -> dict[str, Any]:
    """Let a view see a campaign of three classical units, one reference unit and one failure."""
    found: dict[str, Any] = {}
    classical = [u for u in units if u.is_classical]
    (reference,) = [u for u in units if not u.is_classical]
    view.opened(folder, units)

    def drive(unit: Unit, henry: float) -> None:
        tags = ["campaign:pages", f"host:{unit.host_id}", "insertions"]
        answer = view.task(lambda: finish(unit, henry), name=unit.title, tags=tags)
        view.unit_finished(unit, answer, PlainExecutor())
        found[unit.host_id] = answer

    def drive_reference() -> None:
        executor = view.page(PlainExecutor())

        def work() -> str:
            view.task(lambda: None, name="round 1 labels", tags=["labels"])
            executor.table("levels", [{"level": "DREIDING", "henry": 1e-5}], "levels")
            executor.progress("labels", 100.0, "round 1 labels")
            return "done"

        found["reference"] = view.subflow(
            work, name=reference.title, tags=["campaign:pages", "host:SOD"]
        )

    def fail() -> None:
        unit = classical[2]
        with pytest.raises(SettingsError, match="wrong"):
            view.task(raise_error, name=unit.title, tags=["insertions"])
        told = (unit.id, HOSTILE, unit.guest, unit.level, "SettingsError", HOSTILE)
        view.unit_failed(unit, Failure(*told, "2026-01-01T00:00:00+00:00", 1, False))

    in_threads(
        lambda: drive(classical[0], 1e-6),
        lambda: drive(classical[1], 3e-6),
        drive_reference,
        fail,
    )
    return found


def raise_error() -> None:
    raise SettingsError("wrong input")


def test_steps_runs_and_artifacts_are_on_the_pages(prefect_api: str, tmp_path: Path) -> None:
    campaign = small(tmp_path / "campaign")
    folder, units = CampaignFolder(campaign.folder), units_of(campaign)
    folder.path.mkdir()
    write_plan(campaign, folder, units)
    run_id = new_run()
    with PrefectView("pages", run_id) as view:
        found = show(view, folder, units)
        view.closed(folder)
    assert found["reference"] == "done"
    assert found["SOD"][0]["henry_mol_per_kg_pa"] == 1e-6

    run = read("read_flow_run", run_id)
    assert {"campaign:pages", "guest:CH4"} <= set(run.tags)
    shown = steps(run_id)
    assert shown["SOD CH4 classical"].state_name == "Completed"
    assert {"campaign:pages", "host:SOD"} <= set(shown["SOD CH4 classical"].tags)
    assert shown["MFI_SI CH4 classical"].state_name == "Failed"
    assert "wrong input" in shown["MFI_SI CH4 classical"].state.message
    stands_for = shown["SOD CH4 forcefield:DREIDING"]
    (inner,) = [r for r in read("read_flow_runs") if r.parent_task_run_id == stands_for.id]
    assert (inner.name, inner.state_name) == (stands_for.name, "Completed")
    assert stands_for.state_name == "Completed"
    assert steps(inner.id)["round 1 labels"].state_name == "Completed"
    assert json.loads(artifacts(inner.id)["levels"].data) == [{"level": "DREIDING", "henry": 1e-5}]

    pages = artifacts(run_id)
    rows = json.loads(pages["pages-answers"].data)
    assert [(r["#"], r["host"]) for r in rows[:2]] == [(1, "LTA_SI"), (2, "SOD")]
    assert rows[0]["K_H / mol/(kg Pa), 95 %"] == "3e-06 (2.7e-06 to 3.3e-06)"
    assert {r["status"] for r in rows[2:]} == {"failed: SettingsError", "waiting"}
    assert pages["pages-units"].data == 75.0
    assert pages["pages-units"].description == "3 of 4 units, 1 failed"
    failures = pages["pages-failures"].data
    assert "&lt;img" in failures
    assert "<img" not in failures
    assert "](javascript" not in failures
    assert f"/runs/flow-run/{inner.id}" in pages["pages-references"].data


def test_what_an_earlier_session_found_is_shown(prefect_api: str, tmp_path: Path) -> None:
    campaign = small(tmp_path / "campaign")
    folder, units = CampaignFolder(campaign.folder), units_of(campaign)
    for unit in units[:3]:
        finish(unit, 2e-6)
    write_plan(campaign, folder, units)
    run_id = new_run()
    with PrefectView("pages", run_id) as view:
        view.opened(folder, units)
    assert artifacts(run_id)["pages-units"].description == "3 of 4 units"


def test_pause_resume_and_cancel_reach_the_engine(prefect_api: str) -> None:
    from prefect.states import Cancelling, Suspended

    run_id = new_run()
    with PrefectView("pages", run_id) as view:
        assert view.gate() == "go"
        # What the button of the UI does with a run that was started by hand.
        read("set_flow_run_state", run_id, Suspended(timeout_seconds=300), force=True)
        wait_until(lambda: view.gate() == "pause")
        wait_until(lambda: read("read_flow_run", run_id).state_name == "Paused")
        read("resume_flow_run", run_id)
        wait_until(lambda: view.gate() == "go")
        wait_until(lambda: read("read_flow_run", run_id).state_name == "Running")
        read("set_flow_run_state", run_id, Cancelling(), force=True)
        wait_until(lambda: view.gate() == "stop")
        assert view.stopped
        with pytest.raises(CampaignStopped):
            view.task(stop, name="stopped", tags=["labels"])
    assert steps(run_id)["stopped"].state_name == "Cancelled"


def stop() -> None:
    raise CampaignStopped("asked to")


def test_a_suspended_run_of_a_deployment_ends_and_is_begun_anew() -> None:
    from prefect.states import Cancelled, Paused, Running, Scheduled, Suspended

    assert wanted_by(Suspended(), deployed=True) == "stop"
    assert wanted_by(Suspended(), deployed=False) == "pause"
    assert wanted_by(Paused(), deployed=True) == "pause"
    assert wanted_by(Scheduled(), deployed=True) == "stop"
    assert wanted_by(Scheduled(), deployed=False) == "go"
    assert wanted_by(Running(), deployed=True) == "go"
    assert wanted_by(Cancelled(), deployed=False) == "stop"


@contextlib.contextmanager
def own_server(home: Path, empty_database: Path) -> Iterator[Any]:
    import os

    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.server import PrefectServer, _free_port

    home.mkdir()
    (home / "prefect.db").write_bytes(empty_database.read_bytes())
    before = os.environ.pop("PREFECT_API_URL", None)
    try:
        with temporary_settings(restore_defaults={PREFECT_API_URL}):
            server = PrefectServer(home, port=_free_port("127.0.0.1"), start_timeout_s=600.0)
            try:
                server.start()
                server.wait()
                yield server
            finally:
                server.stop()
    finally:
        if before is not None:
            os.environ["PREFECT_API_URL"] = before


def kill(server: Any) -> None:
    server._process.kill()
    server._process.wait()
    server._process.stdin.close()


def test_a_server_that_leaves_stops_nothing_and_is_told_when_it_is_back(
    tmp_path: Path, empty_database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = small(tmp_path / "campaign")
    folder, units = CampaignFolder(campaign.folder), units_of(campaign)
    folder.path.mkdir()
    write_plan(campaign, folder, units)
    with own_server(tmp_path / "prefect", empty_database) as server:
        run_id = new_run()
        with PrefectView("pages", run_id) as view:
            view.task(lambda: None, name="before", tags=["labels"])
            wait_until(lambda: "before" in steps(run_id))
            kill(server)
            found = show(view, folder, units)
            assert found["LTA_SI"][0]["henry_mol_per_kg_pa"] == 3e-6
            assert view.gate() == "go"
            wait_until(lambda: "does not answer" in caplog.text)
            server._launch()
            server._wait_for_health()
            wait_until(lambda: "answers again" in caplog.text)
        assert caplog.text.count("does not answer") == 1
        assert steps(run_id)["MFI_SI CH4 classical"].state_name == "Failed"
        assert artifacts(run_id)["pages-units"].data == 75.0
        assert read("read_flow_run", run_id).state_name == "Running"


def test_a_server_that_stays_away_is_given_up(
    tmp_path: Path, empty_database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with own_server(tmp_path / "prefect", empty_database) as server:
        with PrefectView("pages", new_run()) as view:
            kill(server)
            assert view.task(lambda: 42, name="answer", tags=["labels"]) == 42
            wait_until(lambda: "does not answer" in caplog.text)
        assert "did not reach the Prefect server" in caplog.text
