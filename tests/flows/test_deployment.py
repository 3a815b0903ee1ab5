"""The deployment in prefect.yaml, on a real server with a real worker."""

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

pytestmark = [pytest.mark.server, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
POOL = "widomill-local"
RUN_SECONDS = 200.0


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
        timeout=120.0,
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


def triggered(settings: dict[str, Any]) -> Any:
    """Run the deployment with these settings on top of its own; return the finished run."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("henry/local")
        asked = {**deployment.parameters["settings"], **settings}
        run = client.create_flow_run_from_deployment(deployment.id, parameters={"settings": asked})
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            run = client.read_flow_run(run.id)
            if run.state is not None and run.state.is_final():
                break
            time.sleep(0.5)
    return run


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
