"""Workers with a real limit of memory, and work that needs more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hungry import devour, keep
from surroundings import THREADS, answers_of, campaign_text, command, one_paragraph, wait_until

from data.errors import DeadWorkerError
from flows.campaign.drive import failure_of
from flows.campaign.folder import CampaignFolder
from flows.campaign.job import run_campaign
from flows.campaign.read import read_campaign
from flows.console import SilentReporter
from flows.pools import Job, open_pools

HUNGRY = '{level: "ase:hungry:make", hosts: [SOD], max_labels: 12, max_rounds: 1}'


def test_an_item_that_exceeds_its_worker_s_memory_is_an_error_that_says_so() -> None:
    with open_pools({"kind": "local", "workers": 1, "memory_limit": "400MiB"}, 1) as pools:
        greedy = pools.submit(Job(devour, 2000, "train", "too large an item"))
        with pytest.raises(DeadWorkerError, match=r"too large an item: .* for want of memory"):
            greedy.result(timeout=120)
        assert pools.submit(Job(devour, 20, "train", "a small one")).result(timeout=60) == 1


@pytest.mark.slow
def test_a_unit_that_needs_too_much_memory_fails_and_the_rest_goes_on(
    tmp_path: Path,
    undisturbed: dict[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    file = tmp_path / "campaign.yaml"
    file.write_text(campaign_text("{kind: local, workers: 1, memory_limit: 700MiB}", HUNGRY))
    summary = run_campaign(read_campaign(file), reporter=SilentReporter())
    assert (summary.complete, summary.finished, summary.failed) == (True, 3, 1)
    folder = CampaignFolder(tmp_path / "out")
    (failure,) = folder.failures()
    assert failure.level == "ase:hungry:make"
    assert "MemoryError" in failure.reason
    finished = answers_of(folder.path)
    assert finished == {name: undisturbed[name] for name in finished}


def test_a_worker_that_is_full_does_not_hold_up_what_waits() -> None:
    """Dask gives a worker at 80 % of its limit nothing more to do; with one worker, for ever."""
    with open_pools({"kind": "local", "workers": 1, "memory_limit": "500MiB"}, 1) as pools:
        assert pools.submit(Job(keep, 440, "train", "leaks")).result(timeout=60) > 0
        wait_until(lambda: pools.status()[0].places == 0, "Dask's pause")
        assert pools.submit(Job(keep, 10, "train", "next")).result(timeout=120) == 0


LIMITED = """
import resource, sys
from flows.cli import main
import numba, numpy, pyarrow.parquet, chem.widom, flows.launch, flows.report, flows.run

with open("/proc/self/status") as status:
    (now,) = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize")]
resource.setrlimit(resource.RLIMIT_AS, (now + 200_000_000,) * 2)
main()
"""


def test_a_run_that_the_system_gives_no_more_memory_says_so_and_goes_on_with_more(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    arguments = [
        *("henry", "MFI_SI", "--guest", "Ar", "--reference", "classical", "--no-orchestration"),
        *("--insertions", "2000", "--cutoff-angstrom", "40", "--keep-pockets"),
        *("--energies", "direct", "--out", str(tmp_path / "run")),
    ]
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    one_paragraph(ended.stderr, "Not enough memory", "fewer --workers", "repeat the command")
    again = command(*arguments, environment=environment)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "run" / "result.json").is_file()


def test_what_asks_for_too_much_at_once_says_memory(tmp_path: Path) -> None:
    from flows.campaign.units import units_of

    (tmp_path / "campaign.yaml").write_text(campaign_text(THREADS, HUNGRY))
    unit = units_of(read_campaign(tmp_path / "campaign.yaml"))[0]
    with pytest.raises(MemoryError) as caught:
        np.ones(2**50)
    failure = failure_of(unit, caught.value, 1)
    assert "not enough memory" in failure.reason
    assert "fewer workers" in failure.reason
    assert failure.retry
