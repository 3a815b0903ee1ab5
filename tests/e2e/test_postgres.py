"""The Prefect server on PostgreSQL, where it is installed; ``postgres.py`` shows what it sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))
from postgres import missing  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.server,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(missing()), reason=f"not here: {missing()}"),
]


def test_a_campaign_on_a_server_with_postgresql() -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "postgres.py")],
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "All of it held." in done.stdout
