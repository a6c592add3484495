"""Midtrans' promise about `Idempotency-Key`: five minutes, successes only, whatever the new body says.

Source: docs.midtrans.com/reference/api-headers. One space of keys for all endpoints of a merchant.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass

from simulators.memory import Memory, Table
from simulators.midtrans.errors import still_running
from simulators.server import Answer

LONGEST_KEY = 46


@dataclass
class Saved:
    """`status` is HTTP's, 0 for as long as the first call runs."""

    at: float
    status: int = 0
    body: str = ""


class IdempotencyKeys:
    """`claim`, then either `save` the answer or `release` the key."""

    def __init__(self, memory: Memory) -> None:
        self._lock = threading.Lock()
        self._saved: Table[Saved] = memory.table("keys", lambda row: Saved(**row), asdict)
        for key, saved in self._saved.items():
            if not saved.status:
                self._saved.remove(key)

    def claim(self, merchant: str, key: str, lifetime: float) -> Answer | None:
        """The stored answer, or None: the key is now ours. MidtransError 202 while the first call runs."""
        with self._lock:
            saved = self._saved.get(f"{merchant} {key}")
            if saved is None or time.time() - saved.at >= lifetime:
                self._saved.put(f"{merchant} {key}", Saved(time.time()))
                return None
        if not saved.status:
            raise still_running()
        return Answer(saved.status, saved.body.encode())

    def save(self, merchant: str, key: str, answer: Answer) -> None:
        with self._lock:
            self._saved.put(f"{merchant} {key}", Saved(time.time(), answer.status, answer.body.decode()))

    def release(self, merchant: str, key: str) -> None:
        with self._lock:
            self._saved.remove(f"{merchant} {key}")

    def clear(self) -> None:
        with self._lock:
            self._saved.clear()
