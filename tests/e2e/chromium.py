"""A headless Chromium over its debugging protocol: open a page, read its text, take its picture."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
START_S = 240.0
WIDTH, HEIGHT = 1360, 900


def executable() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a browser.

    Args:
        socket: connection to the page's debugging socket.
    """

    def __init__(self, socket: Any) -> None:
        self._socket, self._count = socket, 0

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=240.0))
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, url: str) -> None:
        """Go to an address."""
        self._call("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        """Return the value of a piece of JavaScript."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"].get("value")

    def text(self) -> str:
        """Return what a reader sees of the page."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def wait_for(self, *wanted: str, seconds: float = 240.0) -> str:
        """Wait until every text is on the page, and return all of it."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.text()
            missing = [piece for piece in wanted if piece not in text]
            if not missing:
                return text
            if time.monotonic() > deadline:
                raise AssertionError(f"not on the page: {missing}; it reads:\n{text[:3000]}")
            time.sleep(0.5)

    def click(self, words: str) -> None:
        """Click the first link, button or tab that reads exactly so."""
        script = (
            "(() => { const found = [...document.querySelectorAll('a, button, [role=tab]')]"
            f".find(e => e.innerText.trim() === {json.dumps(words)});"
            " if (!found) return false;"
            " for (const kind of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click'])"
            " found.dispatchEvent(new MouseEvent(kind, {bubbles: true, button: 0}));"
            " return true; })()"
        )
        if not self.evaluate(script):
            raise AssertionError(f"nothing on the page reads {words!r}:\n{self.text()[:2000]}")

    def picture(self, path: Path, *, height: int = HEIGHT) -> Path:
        """Write a PNG of the page's upper part."""
        self._size(height)
        time.sleep(1.0)  # charts and pictures settle
        found = self._call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))
        self._size(HEIGHT)
        return path

    def _size(self, height: int) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Have a browser for the length of a ``with`` block."""
    from websockets.sync.client import connect

    program = executable()
    if program is None:
        raise RuntimeError(f"no Chromium: none of {', '.join(NAMES)} is on the PATH")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                "--no-proxy-server",
                f"--window-size={WIDTH},{HEIGHT}",
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_page_socket(Path(profile)), max_size=2**28, proxy=None) as socket:
                yield Browser(socket)
        finally:
            process.terminate()
            try:
                process.wait(20.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _page_socket(profile: Path) -> str:
    """Return the debugging address of the first page."""
    import urllib.request

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, IndexError, ValueError):
            port = (profile / "DevToolsActivePort").read_text().splitlines()[0]
            with direct.open(f"http://127.0.0.1:{port}/json/list", timeout=10.0) as reply:
                pages = [p for p in json.load(reply) if p["type"] == "page"]
            return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.2)
    raise RuntimeError(f"Chromium did not start within {START_S:.0f} s")
