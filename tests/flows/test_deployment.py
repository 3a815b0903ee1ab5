"""The deployments in prefect.yaml, on a real server with a real worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
POOL = "widomill-local"
RUN_SECONDS = 600.0


def environment(api: str) -> dict[str, str]:
    quick = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_LOGGING_COLORS": "false"}
    return {**os.environ, "PREFECT_API_URL": api, **quick}


def prefect_command(api: str, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *words],
        cwd=ROOT,
        env=environment(api),
        capture_output=True,
        text=True,
        timeout=600.0,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def deployed(prefect_api: str) -> str:
    prefect_command(prefect_api, "work-pool", "create", POOL, "--type", "process")
    prefect_command(prefect_api, "deploy", "--all")
    return prefect_api


@pytest.fixture(scope="module")
def worker(deployed: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real worker in a folder of its own; yields its log."""
    folder = tmp_path_factory.mktemp("worker")
    log = folder / "worker.log"
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", "test"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(deployed),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20.0)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def started(name: str, settings: dict[str, Any]) -> Any:
    """Trigger a deployment with these settings on top of its own; return the run."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(name)
        asked = {**deployment.parameters["settings"], **settings}
        return client.create_flow_run_from_deployment(
            deployment.id, parameters={**deployment.parameters, "settings": asked}
        )


def ended(run: Any) -> Any:
    """Return a run when it has ended, or when it has had its time."""
    from prefect.client.orchestration import get_client

    deadline = time.monotonic() + RUN_SECONDS
    with get_client(sync_client=True) as client:
        while time.monotonic() < deadline:
            run = client.read_flow_run(run.id)
            if run.state is not None and run.state.is_final():
                break
            time.sleep(0.5)
    return run


def triggered(settings: dict[str, Any]) -> Any:
    """Run the deployment of one host and guest; return the finished run."""
    return ended(started("henry/local", settings))


def artifacts(run: Any) -> dict[str, Any]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
    with get_client(sync_client=True) as client:
        return {str(found.key): found for found in client.read_artifacts(artifact_filter=wanted)}


def test_the_deployment_has_the_pool_and_no_schedule(deployed: str) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("henry/local")
    assert deployment.work_pool_name == POOL
    assert deployment.schedules == []
    assert deployment.entrypoint == "flows.henry.henry"
    (step,) = deployment.pull_steps
    assert step["prefect.deployments.steps.set_working_directory"]["directory"] == str(ROOT)
    assert deployment.parameter_openapi_schema["required"] == ["settings"]


def test_a_triggered_run_completes_and_shows_its_answer(worker: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = triggered({"insertions": 4000, "max_labels": 24, "max_rounds": 2, "out": str(out)})
    assert run.state_name == "Completed", worker.read_text()[-4000:]
    result = json.loads((out / "result.json").read_text())["results"][0]
    found = artifacts(run)
    (row,) = json.loads(found["henry-calf-20-co2"].data)
    assert row["henry_mol_per_kg_pa"] == result["henry_mol_per_kg_pa"] > 0.0
    assert row["labels"] == result["labels"] > 0
    assert "data:image/png;base64," in found["convergence-calf-20-co2"].data
    assert found["labels"].type == "progress"
    assert found["labels"].data == 100.0


def test_a_run_with_bad_settings_fails_with_the_reason(worker: Path, tmp_path: Path) -> None:
    run = triggered({"host": "no-such-host", "out": str(tmp_path / "run")})
    assert run.state_name == "Failed"
    assert "no-such-host" in run.state.message


def test_every_deployment_is_there_with_its_limits_and_a_schedule_that_sleeps(
    deployed: str,
) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = {d.name: d for d in client.read_deployments()}
    assert set(found) == {"smoke", "local", "slurm", "campaign", "sample", "nightly", "retrain"}
    (schedule,) = found["nightly"].schedules
    assert not schedule.active
    assert schedule.schedule.cron == "0 22 * * *"
    assert [name for name, d in found.items() if d.schedules] == ["nightly"]
    for name in ("slurm", "sample", "nightly", "retrain"):
        assert found[name].global_concurrency_limit.limit == 1
    form = found["campaign"].parameter_openapi_schema
    assert set(form["properties"]) == {"settings", "file", "retry_failed", "wait"}
    fields = form["definitions"]["CampaignSettings"]["properties"]
    assert fields["temperatures_k"]["description"].startswith("temperatures in K")


def test_nightly_triggered_twice_does_no_work_twice(worker: Path, tmp_path: Path) -> None:
    settings = {
        "hosts": ["CALF-20"],
        "out": str(tmp_path / "nightly"),
        "classical": {"insertions": 4000, "target_error": 0.2},
        "workers": 1,
    }
    runs = [started("campaign/nightly", settings) for _ in range(2)]
    states = [ended(run).state for run in runs]
    assert [state.name for state in states] == ["Completed"] * 2, worker.read_text()[-4000:]
    words = sorted(state.message for state in states)
    assert words[0].startswith("1 units done now; 1 units have their answer, 0 failed.")
    assert words[1].startswith("Nothing to do: 1 units have their answer, 0 failed.")
    usage = json.loads((tmp_path / "nightly" / "usage.json").read_text())
    assert [session["done_now"] for session in usage["sessions"]] == [1]
