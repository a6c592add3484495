"""A real browser: Debian's chromium without a window, told what to do by the DevTools protocol over a pipe."""

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60.0
"""Seconds: a loaded machine starts a browser slowly, and a test that waits is not one that fails."""
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--no-proxy-server",
    "--hide-scrollbars",
)


class Page:
    """One tab. `complaints` are what the page threw, and what its policies refused it."""

    def __init__(self, ask: Callable[..., Any], session: str) -> None:
        self._ask, self._session = ask, session
        self.complaints: list[str] = []

    def told(self, method: str, values: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(values["exceptionDetails"].get("exception", values["exceptionDetails"])))
        elif method == "Log.entryAdded" and values["entry"]["source"] in ("security", "javascript"):
            self.complaints.append(values["entry"]["text"])

    def command(self, method: str, **values: Any) -> Any:
        return self._ask(method, values, self._session)

    def open(self, url: str) -> None:
        told = self.command("Page.navigate", url=url)
        assert "errorText" not in told, told

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])

    def run(self, script: str) -> Any:
        """The value of an expression."""
        told = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def text(self, selector: str = "body") -> str:
        """What can be seen of the first that fits, on one line."""
        shown = "((one) => one && one.checkVisibility() ? one.innerText : '')"
        return " ".join(self.run(f"{shown}(document.querySelector({json.dumps(selector)}))").split())

    def texts(self, selector: str) -> list[str]:
        found = self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.innerText)")
        return [" ".join(each.split()) for each in found]

    def until(self, fits: Callable[["Page"], Any], *, seconds: float = PATIENCE) -> Any:
        """The first true value, while the page goes on."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if value := fits(self):
                return value
            time.sleep(0.05)
        raise AssertionError(f"the page did not come to it; it shows: {self.text()!r}; {self.complaints}")

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"]))


class Browser:
    def __init__(self, folder: str) -> None:
        assert CHROMIUM
        (asked, self._asking), (self._hearing, told) = os.pipe(), os.pipe()
        command = ["bash", "-c", f'exec "$@" 3<&{asked} 4>&{told}', "browser", CHROMIUM, *_OPTIONS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={folder}", "about:blank"],
            pass_fds=(asked, told),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(asked)
        os.close(told)
        self._numbers = count(1)
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def page(self) -> Page:
        """A tab of its own, with storage of its own."""
        context = self._ask("Target.createBrowserContext", {})["browserContextId"]
        target = self._ask("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self._pages[session] = Page(self._ask, session)
        for part in ("Page", "Runtime", "Log"):
            page.command(f"{part}.enable")
        return page

    def _ask(self, method: str, values: dict[str, Any], session: str = "") -> Any:
        number = next(self._numbers)
        waiting = self._answers[number] = queue.Queue()
        message = {"id": number, "method": method, "params": values} | ({"sessionId": session} if session else {})
        os.write(self._asking, json.dumps(message).encode() + b"\0")
        answer = waiting.get(timeout=PATIENCE)
        del self._answers[number]
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def _listen(self) -> None:
        rest = b""
        while piece := os.read(self._hearing, 1 << 16):
            *whole, rest = (rest + piece).split(b"\0")
            for told in map(json.loads, whole):
                if waiting := self._answers.get(told.get("id", 0)):
                    waiting.put(told)
                elif page := self._pages.get(told.get("sessionId", "")):
                    page.told(told["method"], told.get("params", {}))

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._asking)


@contextmanager
def browser() -> Iterator[Browser]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        running = Browser(folder)
        try:
            yield running
        finally:
            running.close()
