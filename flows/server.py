"""A Prefect server of our own for the length of one run, or the one the user already has.

The server is a view of the run, never its memory: files are the truth. Ours listens on this
machine only, keeps its SQLite database in the given folder, sends nothing anywhere, ends with the
process that started it (even when that one is killed) and is silent about it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from data.errors import RunFolderError, SettingsError, WidomillError
from data.shortage import shortage_of
from flows.server_process import STOP_SECONDS, drain, little_space, terminate
from flows.server_settings import WITHOUT_DEPLOYMENTS, server_environment

LOG_NAME = "server.log"
_LOCK_NAME = "server.lock"
_START_ATTEMPTS = 3


class PrefectServer:
    """The Prefect API of one run: the user's if there is one, else a process of our own.

    Attributes:
        home: folder of our own server (database and log); another run's folder is never shared.
        url: the API address, ``None`` before it is known.
        owned: whether the server is our own process.
    """

    def __init__(
        self,
        home: Path,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        start_timeout_s: float = 120.0,
        deployments: bool = False,
    ) -> None:
        self.home = home.resolve()
        self.url: str | None = None
        self.owned = False
        self._host, self._port = host, port
        self._start_timeout_s = start_timeout_s
        self._services = {} if deployments else WITHOUT_DEPLOYMENTS
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = contextlib.ExitStack()
        self._ready = False

    @property
    def ui_url(self) -> str | None:
        """Address of the web page, ``None`` before it is known."""
        return None if self.url is None else self.url.removesuffix("/api")

    @property
    def pid(self) -> int | None:
        """Process id of our own server, ``None`` when it is not ours or not running."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Find the user's server or launch our own; returns without waiting for it.

        Raises:
            SettingsError: ``PREFECT_API_URL`` is set and nothing answers there.
            RunFolderError: the folder for the database cannot be written.
        """
        self.url = _existing_api()
        if self.url is None:
            self.owned = True
            self.home = self._stack.enter_context(_claimed(self.home))
            self._launch()

    def wait(self) -> str:
        """Wait until the server answers, then make it the API of this process and its children.

        Returns:
            The API address.

        Raises:
            WidomillError: our server did not start; the message quotes the end of its log.
        """
        if self._ready:
            return str(self.url)
        if self.owned:
            self._wait_for_health()
            self._stack.enter_context(_as_current_api(str(self.url)))
        self._ready = True
        return str(self.url)

    def stop(self) -> None:
        """Send what is still queued for the server, then end it if it is ours."""
        if self._ready and self.owned and self._process and self._process.poll() is None:
            drain()
        if self._process is not None:
            terminate(self._process)
            self._process = None
        self._stack.close()
        self._ready = False

    def _launch(self) -> None:
        port = _free_port(self._host, self._port or 0)
        self.url = f"http://{self._host}:{port}/api"
        command = ["server", "start", "--host", self._host, "--port", str(port)]
        with (self.home / LOG_NAME).open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows.server", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env=server_environment(self.home, self.url) | self._services,
                start_new_session=True,
            )

    def _wait_for_health(self) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        attempts = 1
        while not answers(f"{self.url}/health"):
            ended = self._process is None or self._process.poll() is not None
            if ended and attempts < _START_ATTEMPTS and self._may_start_yet():
                attempts += 1
                self._launch()
            elif ended or time.monotonic() > deadline:
                raise WidomillError(self._failure(ended))
            time.sleep(0.1)

    def _may_start_yet(self) -> bool:
        """Return whether it was killed, or another process took the port before it did."""
        killed = self._process is not None and (self._process.returncode or 0) < 0
        return killed or "already in use" in self._log_end()

    def _log_end(self) -> str:
        lines = (self.home / LOG_NAME).read_text(errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip()]
        reasons = [line for line in said if re.match(r"[\w.()]+(Error|Exception)\b", line)]
        return " / ".join(reasons[-1:] or said[-3:])

    def _failure(self, ended: bool) -> str:
        short = little_space(self.home)
        if short is not None:
            return short
        what = "ended at start" if ended else f"did not answer in {self._start_timeout_s:.0f} s"
        return (
            f"The Prefect server {what}; the end of {self.home / LOG_NAME} reads: "
            f"{self._log_end() or '(nothing)'}. Run again with --no-orchestration, or start a "
            "server yourself and set PREFECT_API_URL."
        )


@contextlib.contextmanager
def prefect_server(
    home: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    wait: bool = True,
    start_timeout_s: float = 120.0,
    deployments: bool = False,
) -> Iterator[PrefectServer]:
    """Have a Prefect API for the length of a ``with`` block.

    Args:
        home: folder for the database and the log of our own server.
        host: address our own server listens on; another than the loopback one lets workers on
            other machines, and anyone else who can reach it, talk to it.
        port: of our own server; default: any that is free.
        wait: block until it answers. With ``False`` it starts in the background and the caller
            has to call ``wait()`` before the first flow.
        start_timeout_s: how long to wait for it, s.
        deployments: our own server serves deployments too: schedules, workers, automations.

    Yields:
        The server; ``url`` is the API address.
    """
    server = PrefectServer(
        home, host=host, port=port, start_timeout_s=start_timeout_s, deployments=deployments
    )
    try:
        server.start()
        if wait:
            server.wait()
        yield server
    finally:
        server.stop()


def answers(url: str, timeout_s: float = 5.0) -> bool:
    """Return whether a page of a Prefect server, ``.../api/health`` say, can be read."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=timeout_s) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _existing_api() -> str | None:
    """Return the API address of the environment or of the active profile, if it answers."""
    from prefect.client.orchestration import get_client
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if url is None:
        return None
    with get_client(sync_client=True) as client:
        problem = client.api_healthcheck()
    if problem is None:
        return url
    if os.environ.get("PREFECT_API_URL"):
        raise SettingsError(
            f"PREFECT_API_URL is {url} and no Prefect server answers there ({problem}). Start it "
            "with `prefect server start`, or unset the variable and a server is started for you."
        )
    return None


@contextlib.contextmanager
def _as_current_api(url: str) -> Iterator[None]:
    """Make ``url`` the API of the imported Prefect and, by the environment, of children."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    host = urllib.parse.urlsplit(url).hostname or ""
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY"), host]))
    changed = {"PREFECT_API_URL": url, "NO_PROXY": direct, "no_proxy": direct}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        with temporary_settings({PREFECT_API_URL: url}):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _claimed(home: Path) -> Iterator[Path]:
    """Lock ``home``, or the first of ``home-2``, ``home-3`` ... that no other run holds."""
    for number in range(1, 1000):
        folder = home if number == 1 else home.with_name(f"{home.name}-{number}")
        with contextlib.ExitStack() as stack:
            lock = stack.enter_context(_opened_lock(folder))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder
            return
    raise RunFolderError(f"{home} and 999 folders beside it are in use by other Prefect servers.")


def _opened_lock(folder: Path) -> IO[bytes]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / _LOCK_NAME).open("ab")
    except OSError as error:
        short = shortage_of(error)
        if short is not None:
            raise short from error
        raise RunFolderError(
            f"The Prefect database cannot be written to {folder}: {error.strerror}. Choose "
            "another output folder, or run with --no-orchestration."
        ) from error


def _free_port(host: str, wanted: int = 0) -> int:
    try:
        with socket.create_server((host, wanted)) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"Port {wanted} of {host} is in use, by another Prefect server perhaps. Give "
                "another --port, or set PREFECT_API_URL to use that server."
            ) from error
        raise SettingsError(
            f"This machine cannot listen on {host} ({os.strerror(error.errno or 0)}); the Prefect "
            "server needs an address of this machine, 127.0.0.1 if its workers run here."
        ) from error


def _end_with_parent() -> None:
    """Terminate this process when its standard input closes, that is when the parent is gone."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os._exit(1)


def _run_prefect_command() -> None:
    """Run Prefect's own command line in this process, tied to the life of the parent."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv[0] = "prefect"
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _run_prefect_command()
