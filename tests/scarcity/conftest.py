"""A small campaign, what it gives when nothing runs short, and real small file systems."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from surroundings import DREIDING, GATED, ROOT, THREADS, SmallDisk, campaign_text, numbers

from flows.campaign.read import read_campaign
from flows.campaign.units import units_of
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.run import run


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """The numbers of each unit of the small campaign, run alone, in one process, in peace."""
    path = tmp_path_factory.mktemp("undisturbed") / "campaign.yaml"
    path.write_text(campaign_text(THREADS, DREIDING, GATED))
    return {
        unit.id: numbers(run(unit.settings, PlainExecutor(), SilentReporter()))
        for unit in units_of(read_campaign(path))
    }


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of its own that tests may fill, enlarge and make read-only."""
    point = tmp_path / "disk"
    point.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "widomill-test", str(point)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command here: a small file system cannot be made")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(point)
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of shim.c, to preload."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here: clocks and file systems cannot be slowed or shifted")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a command sees: this repository and the modules that a test writes to tmp_path."""
    paths = [str(ROOT), str(tmp_path), str(Path(__file__).parent)]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "HOME": str(tmp_path)}
