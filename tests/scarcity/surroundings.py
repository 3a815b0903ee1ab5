"""What the tests of this folder share: the small campaign, commands, small disks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.campaign.folder import CampaignFolder

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from flows.cli import main; main()"]
TIMES = {"wall_s", "reference_s", "unit_id", "host_id", "level"}
"""What differs from run to run, and the names that a campaign adds."""
CAMPAIGN = """\
name: small
out: out
hosts: [SOD, CAXVII, LTA_SI]
guests: [Ar]
classical: {{insertions: 4000, target_error: 0.3, block_pockets: false, energies: direct}}
references:
{references}limits: {{label_seconds: 600, unit_hours: 1}}
cluster: {cluster}
"""


THREADS = "{kind: threads, workers: 1}"
DREIDING = (
    '{level: "forcefield:DREIDING", hosts: [SOD], insertions: 4000, max_labels: 20, max_rounds: 1}'
)
GATED = (
    '{level: "ase:gate:make", hosts: [SOD], insertions: 4000, max_labels: 12, max_rounds: 1, '
    "accept_offset: true}"
)
"""A unit that goes on when a test lets it; see gate.py."""


def campaign_text(cluster: str, *references: str) -> str:
    """Return the small campaign's file.

    Args:
        cluster: what stands in its place.
        references: entries of that list.
    """
    listed = "".join(f"  - {entry}\n" for entry in references)
    return CAMPAIGN.format(cluster=cluster, references=listed)


def numbers(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return results without what the clock decides."""
    return [{k: v for k, v in result.items() if k not in TIMES} for result in results]


def answers_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the numbers of each unit of a campaign's folder."""
    campaign = CampaignFolder(folder)
    return {
        unit.id: numbers(campaign.unit_results(unit))
        for unit in campaign.units()
        if campaign.state(unit) == "finished"
    }


def command(
    *arguments: str | Path, environment: Mapping[str, str], **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run widomill and return how it ended."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        **options,
    )


def wait_until(true: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    """Wait for something that has to happen."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"waited in vain: {what}"
        time.sleep(0.05)


def one_paragraph(text: str, *words: str) -> None:
    """Assert that an error is told in one line, without a trace, and with these words."""
    assert "Traceback" not in text
    told = [line for line in text.splitlines() if "Error: " in line]
    assert len(told) == 1, text
    for word in words:
        assert word in told[0]


@contextlib.contextmanager
def running(
    *arguments: str | Path, environment: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[str]]:
    """Run widomill in the background, its words in ``words`` and ``errors``; killed at the end."""
    with (folder / "words").open("w") as out, (folder / "errors").open("w") as err:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            env=dict(environment),
            stdout=out,
            stderr=err,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@dataclass
class SmallDisk:
    """A mounted file system of a few kilobytes.

    Attributes:
        path: where it is.
        kilobytes: its size.
    """

    path: Path
    kilobytes: int = 64

    def enlarge(self, kilobytes: int) -> None:
        """Give it another size."""
        self.kilobytes = kilobytes
        self._remount(f"size={kilobytes}k")

    def read_only(self, yes: bool = True) -> None:
        """Forbid writing, or allow it again."""
        self._remount("ro" if yes else "rw")

    def _remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.path)], check=True)
