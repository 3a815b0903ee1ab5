"""What Prefect and Dask read from the environment, so that they are offline, silent and frugal."""

from __future__ import annotations

import os
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[1]

_QUIET_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # In memory, the turn of a deployment's run that dies with the server is never given back.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage"
    ".filesystem",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_CLI_PROMPT": "false",
    # Half a minute of asking again, not one for each request: a run goes on without its server.
    "PREFECT_CLIENT_MAX_RETRIES": "4",
    # Its threads report each event that a server which is gone did not take.
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SETTINGS_PATH": str(Path(__file__).resolve().parent / "logging.yml"),
    "DASK_LOGGING__DISTRIBUTED": "warning",
    # A kernel that holds the interpreter for seconds is our normal case, not an alarm.
    "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "10 minutes",
    # Dask looks at itself fifty times a second by default, in every process.
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "5s",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}
WITHOUT_DEPLOYMENTS = {
    f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false"
    for name in (
        "SCHEDULER",
        "LATE_RUNS",
        "FOREMAN",
        "REPOSSESSOR",
        "TRIGGERS",
        "CANCELLATION_CLEANUP",
        "CLEANUP_RECONCILER",
    )
}
"""Loops of the server over schedules, workers and automations: a run of its own has none."""


def quiet_environment() -> None:
    """Set what Prefect and Dask read at import so that they are offline and silent.

    Call it before either is imported. Variables the user has set already are left alone; child
    processes (Dask workers, the server) inherit the rest.
    """
    for name, value in _QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def server_environment(home: Path, url: str) -> dict[str, str]:
    """Environment of our server: none of the user's Prefect settings, all of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    ours = {
        name: value
        for name, value in _QUIET_ENVIRONMENT.items()
        if name != "PREFECT_LOGGING_SETTINGS_PATH"
    }
    paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **kept,
        **ours,
        "PYTHONPATH": os.pathsep.join(paths),
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_UI_API_URL": url,
        "PREFECT_UI_URL": url.removesuffix("/api"),
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }
