"""The Prefect UI in a real browser, where there is one; ``browser.py`` keeps the pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))
from browser import missing  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.server,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(bool(missing()), reason=f"not here: {missing()}"),
]


def test_the_pages_of_the_sample_campaign(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "browser.py"), "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=2300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert (tmp_path / "ui-reference.png").stat().st_size > 20_000
