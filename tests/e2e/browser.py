"""The sample campaign in the Prefect UI, seen with a real browser.

    python tests/e2e/browser.py [--out DIR] [--keep DIR]

Starts `widomill ui --sample`, waits for the sample campaign, opens its pages in headless Chromium
(see ``chromium.py``), checks that what must be there is there, and keeps pictures.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
from chromium import Browser, browser, executable  # noqa: E402

GIVE_UP_S = 1500.0
GRAPH_S = 5.0
"""The graph of a run is a canvas without text; it is drawn after the rest."""
WIDOMILL = [sys.executable, "-c", "from flows.cli import main; main()"]


def missing() -> str:
    """Return what is not here of what this needs; empty where it is all there."""
    return "" if executable() else "a Chromium"


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[str, str]]:
    """Have the UI with its sample for the length of a ``with`` block.

    Args:
        folder: home of the server.

    Yields:
        Address of the UI, and id of the sample's flow run.
    """
    log = folder / "ui.log"
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_API")}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*WIDOMILL, "ui", "--sample", "--folder", str(folder)],
            cwd=ROOT,
            env={**kept, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 600.0
        while not (found := re.search(r"(http\S+?)/v2/runs/flow-run/([0-9a-f-]+)", _text(log))):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the UI did not start:\n{_text(log)}")
            time.sleep(0.5)
        yield found[1], found[2]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60.0)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def api(url: str, method: str, *arguments: Any, **options: Any) -> Any:
    """Ask the server of the UI."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    settings = temporary_settings({PREFECT_API_URL: f"{url}/api"})
    with settings, get_client(sync_client=True) as client:
        return getattr(client, method)(*arguments, **options)


def wait_for_end(url: str, run_id: str) -> Any:
    """Wait until the sample has ended and return its run."""
    deadline = time.monotonic() + GIVE_UP_S
    while True:
        run = api(url, "read_flow_run", run_id)
        if run.state is not None and run.state.is_final():
            return run
        if time.monotonic() > deadline:
            raise RuntimeError(f"the sample did not end: {run.state}")
        time.sleep(1.0)


def look(page: Browser, url: str, run_id: str, out: Path) -> None:
    """Open the pages of the sample, check them, and keep pictures."""
    run_page = f"{url}/v2/runs/flow-run/{run_id}"
    page.open(run_page)
    page.wait_for("campaign sample", "Completed", "campaign:sample", "Artifacts")
    time.sleep(GRAPH_S)
    page.picture(out / "ui-run.png", height=820)
    page.open(f"{run_page}?tab=Artifacts")
    page.wait_for("sample-answers", "9 of 9 units", "4 of 4 hosts", "sample-failures")
    page.picture(out / "ui-artifacts.png", height=1100)
    made = sorted(api(url, "read_artifacts"), key=lambda a: a.created)  # the newest of a key stays
    found = {str(a.key): a for a in made if a.type in ("table", "markdown")}
    page.open(f"{url}/v2/artifacts/artifact/{found['sample-answers'].id}")
    page.wait_for("K_H / mol/(kg Pa), 95 %", "CALF-20", "273.15", "Qst / kJ/mol")
    page.picture(out / "ui-answers.png", height=900)
    answer = next(a for key, a in found.items() if key.startswith("answer-calf-20"))
    page.open(f"{url}/v2/artifacts/artifact/{answer.id}")
    page.wait_for("CALF-20 CO2 forcefield:DREIDING", "Predicted against reference energy")
    _pictures_show(page)
    page.picture(out / "ui-reference.png", height=1180)
    convergence = next(a for key, a in found.items() if key.startswith("convergence-calf-20"))
    page.open(f"{url}/v2/artifacts/artifact/{convergence.id}")
    page.wait_for("CALF-20 CO2 forcefield:DREIDING")
    _pictures_show(page)
    page.picture(out / "ui-convergence.png", height=900)
    page.open(f"{url}/v2/deployments")
    page.wait_for("nightly", "retrain", "smoke", "slurm")
    page.picture(out / "ui-deployments.png", height=900)
    (nightly,) = [d for d in api(url, "read_deployments") if d.name == "nightly"]
    page.open(f"{url}/v2/deployments/deployment/{nightly.id}/run")
    page.wait_for("settings", "retry_failed")
    page.picture(out / "ui-form.png", height=1100)


def _pictures_show(page: Browser) -> None:
    """Check that every picture of the page has been drawn."""
    ours = "img[src^='data:image/png']"
    widths = f'[...document.querySelectorAll("{ours}")].map(i => i.naturalWidth)'
    deadline = time.monotonic() + 120.0
    while not (found := page.evaluate(widths)) or not all(width > 300 for width in found):
        if time.monotonic() > deadline:
            raise AssertionError(f"pictures of the page are {found} pixels wide")
        time.sleep(0.5)


def main() -> None:
    """Serve the sample, look at it, say what was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/browser"), help="for the pictures")
    parser.add_argument("--keep", type=Path, help="home of the server, kept")
    parser.add_argument("--ui", nargs=2, metavar=("URL", "RUN"), help="look at this one instead")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    from flows.server_settings import quiet_environment

    quiet_environment()
    with contextlib.ExitStack() as stack:
        folder = given.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        )
        folder.mkdir(parents=True, exist_ok=True)
        url, run_id = given.ui or stack.enter_context(served(folder.absolute()))
        print(f"UI: {url}, run {run_id}")
        run = wait_for_end(url, run_id)
        print(f"{run.name}: {run.state_name}. {run.state.message}")
        assert run.state_name == "Completed"
        look(stack.enter_context(browser()), url, run_id, given.out)
    for path in sorted(given.out.glob("*.png")):
        print(f"{path}  {path.stat().st_size // 1024} kB")
    print("All of it held.")


if __name__ == "__main__":
    main()
