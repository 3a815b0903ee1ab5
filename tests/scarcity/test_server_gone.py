"""A Prefect server that is killed in the middle: the numbers go on, the page follows or says so."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from gate import GATE
from surroundings import GATED, answers_of, campaign_text, numbers, running, wait_until

from data.store import read_rows
from flows.campaign.folder import CampaignFolder
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.run import run
from flows.server import PrefectServer
from flows.server_settings import quiet_environment
from flows.settings import HenrySettings

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]


@contextlib.contextmanager
def own_server(home: Path) -> Iterator[PrefectServer]:
    """Have a server that comes back on the same address and database after it was killed."""
    quiet_environment()
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.server import _free_port

    before = os.environ.pop("PREFECT_API_URL", None)
    try:
        with temporary_settings(restore_defaults={PREFECT_API_URL}):  # other tests have servers
            server = PrefectServer(home, port=_free_port("127.0.0.1"), start_timeout_s=300.0)
            try:
                server.start()
                server.wait()
                yield server
            finally:
                server.stop()
    finally:
        if before is not None:
            os.environ["PREFECT_API_URL"] = before


def kill(server: PrefectServer) -> None:
    """Take a server away with SIGKILL."""
    assert server._process is not None
    server._process.kill()
    server._process.wait()
    assert server._process.stdin is not None
    server._process.stdin.close()


def test_a_campaign_goes_on_without_its_server_which_catches_up(
    tmp_path: Path, environment: dict[str, str], undisturbed: dict[str, list[dict[str, Any]]]
) -> None:
    from prefect.client.orchestration import get_client

    file, out, gate = tmp_path / "campaign.yaml", tmp_path / "out", tmp_path / "gate"
    file.write_text(campaign_text("{kind: local, workers: 2}", GATED))
    errors = tmp_path / "errors"
    with own_server(tmp_path / "prefect") as server:
        surroundings = environment | {GATE: str(gate), "PREFECT_API_URL": str(server.url)}
        with running("campaign", "run", file, environment=surroundings, folder=tmp_path) as process:
            gone = Path(f"{gate}.reached")
            wait_until(gone.exists, "the gated unit")
            kill(server)
            wait_until(lambda: len(list(out.glob("runs/*/result.json"))) == 3, "the rest")
            wait_until(lambda: "does not answer" in errors.read_text(), "a word of it")
            server._launch()
            server._wait_for_health()
            wait_until(lambda: "answers again" in errors.read_text(), "a word of its return")
            gate.touch()
            assert process.wait(400) == 0, errors.read_text()
        with get_client(sync_client=True) as client:
            runs = {run.name: run for run in client.read_flow_runs()}
            artifacts = {artifact.key: artifact for artifact in client.read_artifacts()}
    folder = CampaignFolder(out)
    assert answers_of(out) == {unit.id: undisturbed[unit.id] for unit in folder.units()}
    assert len(read_rows(out / "results.parquet")) == 4
    assert runs["campaign small"].state_name == "Completed"
    assert runs["SOD Ar ase:gate:make"].state_name == "Completed"
    assert artifacts["small-units"].data == 100.0
    assert "Traceback" not in errors.read_text()


def test_a_run_ends_without_a_server_that_does_not_come_back(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    out, gate, errors = tmp_path / "run", tmp_path / "gate", tmp_path / "errors"
    # A few seconds of asking again; the default is half a minute.
    surroundings = environment | {GATE: str(gate), "PREFECT_CLIENT_MAX_RETRIES": "1"}
    system = ("henry", "SOD", "--guest", "Ar", "--reference", "ase:gate:make", "--accept-offset")
    numeric = ("--insertions", "4000", "--keep-pockets", "--energies", "direct", "--workers", "1")
    budget = ("--max-labels", "12", "--max-rounds", "1", "--out", out)
    with running(*system, *numeric, *budget, environment=surroundings, folder=tmp_path) as process:
        reached = Path(f"{gate}.reached")
        wait_until(lambda: reached.exists() or process.poll() is not None, "the gate")
        assert process.poll() is None, errors.read_text()
        children = psutil.Process(process.pid).children(recursive=True)
        (server,) = [p for p in children if "flows.server" in " ".join(p.cmdline())]
        server.kill()
        gate.touch()
        assert process.wait(400) == 0, errors.read_text()
    assert "Traceback" not in errors.read_text()
    assert "The run goes on from its files without it" in errors.read_text()
    assert (out / "report.html").stat().st_size > 1000
    told = json.loads((out / "settings.json").read_text())
    told.pop("hash")
    alone = HenrySettings.model_validate({**told, "out": str(tmp_path / "alone")})
    results = json.loads((out / "result.json").read_text())["results"]
    again = run(alone, PlainExecutor(), SilentReporter())
    assert numbers(results) == numbers(json.loads(json.dumps(again)))
