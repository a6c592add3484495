"""Stripe's promise about `Idempotency-Key`. Source: docs.stripe.com/api/idempotent_requests."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from simulators.memory import Memory, Table
from simulators.stripe.errors import StripeError

LONGEST_KEY = 255
MISMATCH = (
    "Keys for idempotent requests can only be used with the same {what} they were first used with. "
    "Try using a key other than '{key}' if you meant to execute a different request."
)
IN_USE = (
    "There is currently another in-progress request using this Idempotent Key (that probably means you "
    "submitted twice, and the other request is still going through): {key}. Please try again later."
)


@dataclass
class Saved:
    """A key's first call: `status` is 0 for as long as it runs."""

    path: str
    fingerprint: str
    created: float
    status: int = 0
    body: str = ""


class IdempotencyKeys:
    """The keys of one account. `claim`, then either `save` the outcome or `release` the key."""

    def __init__(self, memory: Memory, name: str) -> None:
        self._lock = threading.Lock()
        self._saved: Table[Saved] = memory.table(name, load=lambda row: Saved(**row), dump=asdict)
        # A call that a restart cut short never answered: its key is free again.
        for key, saved in self._saved.items():
            if not saved.status:
                self._saved.remove(key)

    def claim(self, key: str, path: str, parameters: dict[str, Any], lifetime: float) -> Saved | None:
        """The first call's answer to replay, or None: the key is now ours. StripeError 400 or 409."""
        if len(key) > LONGEST_KEY:
            raise StripeError(f"Idempotency keys can be up to {LONGEST_KEY} characters long.")
        fingerprint = _fingerprint(parameters)
        with self._lock:
            self._prune(lifetime)
            saved = self._saved.get(key)
            if saved is None:
                self._saved.put(key, Saved(path, fingerprint, time.time()))
                return None
        _refuse_another_request(saved, key, path, fingerprint)
        if not saved.status:
            raise StripeError(
                IN_USE.format(key=key), status=409, type="idempotency_error", code="idempotency_key_in_use"
            )
        return saved

    def knows(self, key: str) -> bool:
        return key in self._saved

    def save(self, key: str, status: int, body: str) -> None:
        with self._lock:
            saved = self._saved.get(key)
            if saved:
                saved.body, saved.status = body, status
                self._saved.put(key, saved)

    def release(self, key: str) -> None:
        with self._lock:
            self._saved.remove(key)

    def clear(self) -> None:
        with self._lock:
            self._saved.clear()

    def _prune(self, lifetime: float) -> None:
        while (oldest := self._saved.oldest()) and time.time() - oldest[1].created >= lifetime:
            self._saved.remove(oldest[0])


def _refuse_another_request(saved: Saved, key: str, path: str, fingerprint: str) -> None:
    if saved.path != path:
        raise StripeError(MISMATCH.format(what="endpoint", key=key), type="idempotency_error")
    if saved.fingerprint != fingerprint:
        raise StripeError(MISMATCH.format(what="parameters", key=key), type="idempotency_error")


def _fingerprint(parameters: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
