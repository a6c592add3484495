"""How the demo talks to the person in front of it."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

WIDTH = 66


class CannotGoOn(Exception):
    """The demo stops here: one paragraph on what happened and what to do next."""


class Teller:
    """Writes steps with their durations, and lines, from any thread."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._lock = threading.Lock()

    def say(self, text: str = "") -> None:
        self._write(f"{text}\n")

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show what is being done while it is done, and then how long it took."""
        began = time.monotonic()
        self._write(f"  {text} {'.' * max(2, WIDTH - len(text))} ")
        try:
            yield
        except BaseException:
            self._write("not done\n")
            raise
        self._write(f"{time.monotonic() - began:5.1f} s\n")

    def _write(self, text: str) -> None:
        with self._lock:
            self._out.write(text)
            self._out.flush()
