"""PayPal-Request-Id: a repeat gets what the first one made, as it is now.

Source: developer.paypal.com/api/rest/reference/idempotency.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simulators.memory import Memory, Table
from simulators.paypal.errors import PaypalError

LONGEST = 108


class Requests:
    """What each key has made: [id of the object, time]. A refused request leaves its key free."""

    def __init__(self, memory: Memory) -> None:
        self._lock = threading.Lock()
        self._made: Table[list[Any]] = memory.table("requests")
        self._running: set[str] = set()

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """One request per key at a time. PaypalError 409."""
        with self._lock:
            if name in self._running:
                raise PaypalError(409, "PREVIOUS_REQUEST_IN_PROGRESS")
            self._running.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(name)

    def made(self, name: str, lifetime: float) -> str:
        """The id of what this key made; empty when it is new, or forgotten."""
        with self._lock:
            found = self._made.get(name)
            return str(found[0]) if found and time.time() - found[1] < lifetime else ""

    def keep(self, name: str, id: str) -> None:
        with self._lock:
            self._made.put(name, [id, time.time()])

    def clear(self) -> None:
        with self._lock:
            self._made.clear()
