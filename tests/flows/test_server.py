"""The Prefect server of a run: ours alone, silent, and gone with the run whatever ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.errors import RunFolderError, SettingsError, WidomillError
from flows.server import PrefectServer, prefect_server
from flows.server_settings import quiet_environment

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
KILLED = """
import sys, time
from pathlib import Path
from flows.server import prefect_server
from flows.server_settings import quiet_environment

quiet_environment()
with prefect_server(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    time.sleep(60)
"""
FAILED_AND_INTERRUPTED = """
import sys
from pathlib import Path
from flows.server import prefect_server
from flows.server_settings import quiet_environment

quiet_environment()


def main():
    with prefect_server(Path(sys.argv[1])) as server:
        from data.errors import SettingsError
        from executor_functions import Draw, draw, fail_at_three, in_flow
        from flows.runners import make_task_runner

        def items(pause_s):
            return [Draw(number, sys.argv[1], pause_s) for number in range(6)]

        def failing(executor):
            executor.progress("labels", 50.0, "half")
            executor.map(fail_at_three, items(0.1), kind="labels", run_names=list("abcdef"))

        def endless(executor):
            executor.call(draw, items(0.0)[0], kind="train", run_name="first")
            print(server.pid, flush=True)
            executor.map(draw, items(30.0), kind="labels", run_names=list("abcdef"))

        try:
            in_flow(failing, make_task_runner(2))
        except SettingsError as error:
            print("failed:", error, flush=True)
        in_flow(endless, make_task_runner(2))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)
"""


@pytest.fixture
def home(tmp_path: Path, empty_database: Path) -> Path:
    folder = tmp_path / "prefect"
    folder.mkdir()
    (folder / "prefect.db").write_bytes(empty_database.read_bytes())
    return folder


@contextlib.contextmanager
def no_api() -> Iterator[None]:
    """Hide the session's server from this process."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    before = os.environ.pop("PREFECT_API_URL", None)
    try:
        with temporary_settings(restore_defaults={PREFECT_API_URL}):
            yield
    finally:
        if before is not None:
            os.environ["PREFECT_API_URL"] = before


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5.0) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pid: int, seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not is_running(pid)


@contextlib.contextmanager
def running(text: str, home: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a script in a process group of its own, as a terminal does."""
    path = home.parent / "script.py"
    path.write_text(text)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    process = subprocess.Popen(
        [sys.executable, str(path), str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**kept, "PYTHONPATH": paths, "HOME": str(home.parent)},
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_two_servers_for_one_folder_do_not_meet_and_leave_nothing(home: Path) -> None:
    with no_api(), contextlib.ExitStack() as stack:
        before = dict(os.environ)
        began = time.monotonic()
        first = stack.enter_context(prefect_server(home, wait=False))
        second = PrefectServer(home)
        stack.callback(second.stop)
        second.start()
        assert time.monotonic() - began < 5.0  # neither start waits
        url = first.wait()
        assert first.wait() == url  # again is no harm
        pids = [server.pid for server in (first, second) if server.pid is not None]
        assert len(set(pids)) == 2
        assert second.home == home.with_name("prefect-2")
        assert second.url != url
        assert os.environ["PREFECT_API_URL"] == url
        assert answers(f"{url}/health")
        assert answers(f"{first.ui_url}/v2/")
        stack.close()
        assert all(wait_until_gone(pid) for pid in pids)
        assert not answers(f"{url}/health")
        assert dict(os.environ) == before


def test_the_server_of_the_user_is_used_and_left_alone(prefect_api: str, tmp_path: Path) -> None:
    with prefect_server(tmp_path / "unused") as server:
        assert server.url == prefect_api
        assert not server.owned
        assert server.pid is None
    assert not (tmp_path / "unused").exists()
    assert answers(f"{prefect_api}/health")


def test_an_address_where_nothing_answers_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    dead = "http://127.0.0.1:9/api"
    with temporary_settings({PREFECT_API_URL: dead}):
        monkeypatch.setenv("PREFECT_API_URL", dead)
        with pytest.raises(SettingsError, match=f"PREFECT_API_URL is {dead} and no Prefect"):
            PrefectServer(tmp_path).start()


def test_a_profile_where_nothing_answers_is_passed_over(home: Path) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with no_api(), temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        server = PrefectServer(home)
        server.start()
        server.stop()
    assert server.owned


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with no_api(), pytest.raises(RunFolderError, match=r"cannot be written to .*file/prefect"):
        PrefectServer(tmp_path / "file" / "prefect").start()


def test_an_address_of_another_machine_is_an_error(tmp_path: Path) -> None:
    with no_api(), pytest.raises(SettingsError, match=r"cannot listen on 203\.0\.113\.1"):
        PrefectServer(tmp_path, host="203.0.113.1").start()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "prefect.db").write_text("no database " * 100)
    with (
        no_api(),
        pytest.raises(WidomillError, match=r"ended at start.*file is not a database"),
        prefect_server(tmp_path),
    ):
        pass


def test_the_environment_keeps_what_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_LOGGING__DISTRIBUTED", "debug")
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    quiet_environment()
    assert os.environ["DASK_LOGGING__DISTRIBUTED"] == "debug"
    assert os.environ["DO_NOT_TRACK"] == "1"


def test_a_failure_and_ctrl_c_end_in_silence_and_leave_no_process(home: Path) -> None:
    with running(FAILED_AND_INTERRUPTED, home) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "failed: item 3 is wrong\n"
        server = int(process.stdout.readline())
        time.sleep(2.0)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (out, err) == ("interrupted\n", "")
        assert process.returncode == 130
        assert wait_until_gone(server)


def test_a_killed_run_takes_its_server_with_it(home: Path) -> None:
    with running(KILLED, home) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        assert is_running(server)
        process.kill()
        assert wait_until_gone(server)
