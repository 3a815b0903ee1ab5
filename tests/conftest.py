"""The environment of every test: offline, one thread per process, no trace at home."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# Before anything imports numpy, numba, torch, matplotlib or Prefect: they read these once.
_SCRATCH = Path(tempfile.mkdtemp(prefix="widomill-tests-"))
os.environ.update(
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    NUMBA_NUM_THREADS="1",
    MPLBACKEND="Agg",
    RASPALIB_QUIET="1",
    WIDOMILL_CACHE=str(_SCRATCH / "cache"),
    WIDOMILL_MODELS=str(_SCRATCH / "models"),
    WIDOMILL_LABELS="off",  # a run here shows what it computes itself
    PREFECT_HOME=str(_SCRATCH / "prefect"),
    PREFECT_LOGGING_LEVEL="WARNING",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="120",
    DASK_LOGGING__DISTRIBUTED="error",
    DO_NOT_TRACK="1",
)
for _variable in ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_PROFILE", "PYTHONWARNINGS"):
    os.environ.pop(_variable, None)

settings.register_profile("widomill", derandomize=True, deadline=None, database=None)
settings.load_profile("widomill")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove this process's scratch folder."""
    shutil.rmtree(_SCRATCH, ignore_errors=True)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the source tree."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def command_path() -> str:
    """A PATH on which this environment's `widomill` comes first."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
