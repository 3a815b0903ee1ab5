"""Workers of an existing scheduler that come and go while a campaign runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gate import GATE
from surroundings import GATED, answers_of, campaign_text, running, wait_until

from flows.campaign.folder import CampaignFolder


class Farm:
    """A Dask scheduler and workers, each a process of its own without a nanny."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self._processes: list[subprocess.Popen[bytes]] = []
        self._file = folder / "scheduler.json"
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_until(lambda: self._file.is_file() and self._file.stat().st_size > 0, "scheduler")
        self.address = str(json.loads(self._file.read_text())["address"])

    def join(self) -> subprocess.Popen[bytes]:
        """Start a worker."""
        return self._start("worker", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")

    def close(self) -> None:
        """End all that still runs."""
        for process in self._processes:
            leave(process)

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", what, *arguments, "--no-dashboard"]
        with (self._folder / "farm.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--scheduler-file", str(self._file)],
                env=self._environment,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
        self._processes.append(process)
        return process


def leave(process: subprocess.Popen[bytes]) -> None:
    """Take a process away without a word."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def farm(folder: Path, environment: dict[str, str]) -> Iterator[Farm]:
    """Have a scheduler for the length of a ``with`` block."""
    opened = Farm(folder, environment)
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.slow
def test_workers_that_join_and_leave(
    tmp_path: Path, environment: dict[str, str], undisturbed: dict[str, list[dict[str, Any]]]
) -> None:
    out, gate = tmp_path / "out", tmp_path / "gate"
    surroundings = environment | {GATE: str(gate)}
    with farm(tmp_path, surroundings) as workers:
        file = tmp_path / "campaign.yaml"
        file.write_text(campaign_text(f'{{kind: scheduler, address: "{workers.address}"}}', GATED))
        first = workers.join()
        arguments = ("campaign", "run", file, "--no-orchestration")
        with running(*arguments, environment=surroundings, folder=tmp_path) as process:

            def finished() -> int:
                assert process.poll() is None, (tmp_path / "errors").read_text()
                return len(list(out.glob("runs/*/result.json")))

            wait_until(lambda: finished() >= 0 and out.joinpath("live.json").is_file(), "start")
            second = workers.join()
            wait_until(lambda: finished() == 3, "what does not stand before the gate")
            leave(first)
            leave(second)
            workers.join()
            gate.touch()
            assert process.wait(120) == 0, (tmp_path / "errors").read_text()
    folder = CampaignFolder(out)
    assert folder.failures() == []
    assert answers_of(out) == {unit.id: undisturbed[unit.id] for unit in folder.units()}
