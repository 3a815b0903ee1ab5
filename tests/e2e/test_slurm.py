"""Slurm end to end, where it is installed; ``tests/e2e/slurm.py`` shows what it sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))
from slurm_node import missing  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(missing()), reason=f"no Slurm here: {missing()}"),
]


@pytest.mark.parametrize("part", ["check", "campaign"])
def test_slurm(part: str) -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "slurm.py"), "--part", part],
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "All of it held." in done.stdout
