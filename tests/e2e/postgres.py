"""A Prefect server on PostgreSQL, really started: a campaign's page is written to it and read back.

    python tests/e2e/postgres.py [--keep DIR]

Needs PostgreSQL's programs (Debian: postgresql) and nothing of it running: the script makes a
database of its own in a temporary folder, on a free port, as a user other than root.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
DATABASE = "prefect"
URL_VARIABLE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"


def programs() -> Path | None:
    """Return the folder of initdb and pg_ctl, or None."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return places[-1] if places else None


def missing() -> str:
    """Return what is not here of what this needs; empty where it is all there."""
    if programs() is None:
        return "PostgreSQL"
    if os.getuid() == 0 and _user() is None:
        return "a user other than root for PostgreSQL"
    return ""


def _user() -> str | None:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Have a PostgreSQL server for the length of a ``with`` block.

    Args:
        folder: where its files go.

    Yields:
        Its address as Prefect takes it.
    """
    place, port = programs(), _free_port()
    if place is None:
        raise RuntimeError("PostgreSQL is not installed")
    data, prefix = folder / "data", []
    if os.getuid() == 0:
        user = str(_user())
        prefix = ["runuser", "-u", user, "--"]
        shutil.chown(folder, user)
        folder.chmod(0o755)

    def run(*words: str) -> None:
        subprocess.run([*prefix, *words], check=True, cwd=folder, stdout=subprocess.DEVNULL)

    run(str(place / "initdb"), "-D", str(data), "-U", "prefect", "-A", "trust", "-E", "UTF8")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    log = str(folder / "postgres.log")
    run(str(place / "pg_ctl"), "-D", str(data), "-l", log, "-w", "-o", options, "start")
    try:
        run(str(place / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "prefect", DATABASE)
        yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/{DATABASE}"
    finally:
        run(str(place / "pg_ctl"), "-D", str(data), "-m", "fast", "-w", "stop")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server_on(database: str, folder: Path) -> Iterator[str]:
    """Have a Prefect server on a database, started as docs/ui.md says; yields its API address."""
    from flows.server import answers

    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PREFECT_API")},
        URL_VARIABLE: database,
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    log = folder / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 600.0
        while not answers(f"{url}/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(30.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


CAMPAIGN = """
import sys
from pathlib import Path
from flows.server_settings import quiet_environment

quiet_environment()


def main():
    from flows.campaign.launch import launch_campaign
    from flows.campaign.read import check_campaign
    from flows.campaign.settings import CampaignSettings

    out = Path(sys.argv[1])
    settings = CampaignSettings(
        name="postgres",
        out=str(out),
        hosts=["SOD", "LTA_SI"],
        guests=["CH4"],
        classical={"insertions": 4000, "target_error": 0.2, "energies": "direct",
                   "block_pockets": False},
        workers=1,
    )
    print(launch_campaign(check_campaign(settings, out.parent)))


if __name__ == "__main__":
    main()
"""


def campaign(url: str, folder: Path) -> None:
    """Run a small campaign that is shown on a server, in a process of its own."""
    script = folder / "campaign.py"
    script.write_text(CAMPAIGN, encoding="utf-8")
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run(
        [sys.executable, str(script), str(folder / "campaign")],
        check=True,
        env={**os.environ, "PREFECT_API_URL": url, "PYTHONPATH": paths},
    )


def read_back(url: str, database: str) -> dict[str, Any]:
    """Return what the server, and what its database by itself, say of the campaign."""
    import asyncio

    import asyncpg
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    async def tables() -> tuple[int, int]:
        connection = await asyncpg.connect(database.replace("+asyncpg", ""))
        try:
            runs = await connection.fetchval("select count(*) from flow_run")
            steps = await connection.fetchval("select count(*) from task_run")
        finally:
            await connection.close()
        return int(runs), int(steps)

    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs()
        keys = sorted(str(a.key) for a in client.read_artifacts())
    runs, steps = asyncio.run(tables())
    return {"state": run.state_name, "artifacts": keys, "flow_runs": runs, "task_runs": steps}


def main() -> None:
    """Start both servers, run the campaign, say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for logs and databases, kept")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if given.keep:
            folder = given.keep.absolute()
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            folder.chmod(0o755)
        own = folder / "postgres"
        own.mkdir(exist_ok=True)
        database = stack.enter_context(postgres(own))
        print(f"PostgreSQL: {database}")
        url = stack.enter_context(server_on(database, folder))
        print(f"Prefect server: {url}")
        campaign(url, folder)
        found = read_back(url, database)
        print(found)
    expected = {f"postgres-{what}" for what in ("answers", "failures", "hosts", "now", "units")}
    assert found["state"] == "Completed"
    assert expected <= set(found["artifacts"])
    assert found["flow_runs"] == 1
    assert found["task_runs"] == 2
    print("All of it held.")


if __name__ == "__main__":
    main()
