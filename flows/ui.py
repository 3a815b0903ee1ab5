"""A Prefect server with the deployments of prefect.yaml, a worker, and a sample campaign."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from data.errors import SettingsError, WidomillError
from flows.server import prefect_server

POOL = "widomill-local"
SAMPLE = "campaign/sample"
DEPLOYMENTS = "prefect.yaml"
DEPLOY_S = 300.0
START_S = 300.0
LOOK_S = 1.0
Say = Callable[[str], None]


def run_ui(
    folder: Path, *, port: int | None, sample: bool, until_done: bool, say: Say, host: str
) -> bool:
    """Serve the UI until Ctrl-C, or until the sample campaign has ended.

    Args:
        folder: home of the server's database, logs and sample.
        port: of the server; default: any that is free.
        sample: start the sample campaign.
        until_done: end with it.
        say: told where to look.
        host: address the server listens on.

    Returns:
        Whether the sample, if there was one to wait for, has completed.

    Raises:
        SettingsError: there are no deployments here, or the port is taken.
    """
    if not Path(DEPLOYMENTS).is_file():
        raise SettingsError(
            f"There is no {DEPLOYMENTS} in {Path.cwd()}. Start this in the folder of the "
            "repository, or in one with a copy of its prefect.yaml."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with prefect_server(
        folder / "prefect", host=host, port=port, start_timeout_s=START_S, deployments=True
    ) as server:
        say(f"Prefect UI: {server.ui_url}")
        if server.owned:
            bury()
        deploy(folder / "deploy.log")
        with _worker(folder / "worker.log"):
            run_id = start_sample(folder / "sample") if sample else None
            if run_id is not None:
                say(f"Sample campaign: {server.ui_url}/v2/runs/flow-run/{run_id}?tab=Artifacts")
            say("Deployments are ready to run. Ctrl-C ends the server, its worker and its runs.")
            return _attend(run_id if until_done else None, say)


def deploy(log: Path) -> None:
    """Create the work pool and every deployment of prefect.yaml.

    Raises:
        WidomillError: Prefect refused; the message quotes it.
    """
    prefect = [sys.executable, "-m", "prefect", "--no-prompt"]
    for words in (
        ["work-pool", "create", POOL, "--type", "process", "--overwrite"],
        ["deploy", "--all"],
    ):
        done = subprocess.run(
            [*prefect, *words], capture_output=True, text=True, timeout=DEPLOY_S, check=False
        )
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode:
            raise WidomillError(f"`prefect {' '.join(words)}` failed: see {log}.")


def bury() -> None:
    """Mark what was running when the server ended as crashed: its processes ended with it.

    Else a run that nobody works on would hold its deployment's turn for ever.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.states import Crashed

    dead = {"state": {"type": {"any_": ["RUNNING", "CANCELLING", "PENDING"]}}}
    with get_client(sync_client=True) as client:
        while runs := client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(dead)):
            for run in runs:
                state: Any = Crashed(message="Its process ended with the server.")
                client.set_flow_run_state(run.id, state, force=True)


def start_sample(out: Path) -> UUID:
    """Start the deployment of the sample campaign and return the id of its run.

    Args:
        out: folder of the campaign; an earlier one there is continued.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(SAMPLE)
        settings = {**deployment.parameters["settings"], "out": str(out.absolute())}
        asked = {**deployment.parameters, "settings": settings}
        return client.create_flow_run_from_deployment(deployment.id, parameters=asked).id


@contextlib.contextmanager
def _worker(log: Path) -> Iterator[None]:
    """Have a worker of the pool for the length of a ``with`` block; it ends with this process."""
    command = ["worker", "start", "--pool", POOL, "--name", "widomill ui"]
    quick = {"PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_LOGGING_COLORS": "false"}
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.server", *command],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **quick},
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _attend(run_id: UUID | None, say: Say) -> bool:
    """Wait for a run to end, or for Ctrl-C."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        while True:
            time.sleep(LOOK_S)
            state: Any = client.read_flow_run(run_id).state if run_id is not None else None
            if state is not None and state.is_final():
                say(f"The sample campaign has ended: {state.name}. {state.message or ''}")
                return bool(state.is_completed())
