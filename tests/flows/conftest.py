"""One Prefect server for the whole session; tests of flows share it through ``prefect_api``."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.server import prefect_server
from flows.server_settings import quiet_environment

# Before Prefect is imported: neither the profile nor the server of whoever runs the tests counts.
for _name in [name for name in os.environ if name.startswith("PREFECT_")]:
    del os.environ[_name]
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="widomill-prefect-")
quiet_environment()
# Workers start with this path and import the functions they are sent by module name.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the session's Prefect server."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def prefect_api(prefect_home: Path) -> Iterator[str]:
    """The address of a real Prefect server that lives as long as the test session."""
    with prefect_server(prefect_home, start_timeout_s=600.0, deployments=True) as server:
        assert server.owned
        assert server.url is not None
        yield server.url


@pytest.fixture(scope="session")
def empty_database(
    prefect_api: str, prefect_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy of a database that is up to date, which spares each server its migrations."""
    source = prefect_home / "prefect.db"
    target = tmp_path_factory.mktemp("database") / "prefect.db"
    with (
        contextlib.closing(sqlite3.connect(source)) as live,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)
    return target
