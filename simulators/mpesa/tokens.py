"""OAuth: one live token per consumer key. Source: developer.safaricom.co.ke, Authorization."""

from __future__ import annotations

import base64
import binascii
import random
import string
import threading
import time

from simulators.memory import Memory, Table
from simulators.mpesa.errors import MpesaError
from simulators.mpesa.settings import MpesaSettings
from simulators.server import Answer, Request

LETTERS = string.ascii_letters + string.digits
# Each API page spells a dead token in its own way.
INVALID_TOKEN = {
    "/mpesa/transactionstatus/v1/query": MpesaError("400.003.01", "Invalid Access Token"),
    "/pulltransactions/v1/register": MpesaError("401.001", "Invalid Access Token"),
    "/pulltransactions/v1/query": MpesaError("401.001", "Invalid Access Token"),
}
ELSEWHERE = MpesaError("404.001.03", "Invalid Access Token")


class Tokens:
    """Gives tokens out; a new one kills the one before it."""

    def __init__(self, memory: Memory, settings: MpesaSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        # By consumer key: [token, time of its end].
        self._live: Table[list[object]] = memory.table("tokens")
        self._ends: dict[str, float] = {}
        for token, ends in self._live.rows():
            self._ends[str(token)] = float(str(ends))

    def generate(self, request: Request) -> Answer:
        """`expires_in` is a string of seconds; a wrong key or secret gets 400 and nothing else."""
        scheme, _, value = request.header("Authorization").partition(" ")
        if scheme.lower() != "basic":
            raise MpesaError("400.008.01", "Invalid Authentication passed")
        if dict(request.query).get("grant_type") != "client_credentials":
            raise MpesaError("400.008.02", "Invalid grant type passed")
        key, secret = _pair(value)
        if self._settings.apps.get(key) != secret:
            return Answer(400, b"")
        return Answer.of_json({"access_token": self._renew(key), "expires_in": str(self._settings.token_seconds)})

    def check(self, request: Request) -> None:
        scheme, _, token = request.header("Authorization").partition(" ")
        if scheme.lower() != "bearer":
            raise MpesaError("404.001.04", "Invalid Authentication Header")
        if self._ends.get(token.strip(), 0.0) <= time.time():
            raise INVALID_TOKEN.get(request.path, ELSEWHERE)

    def clear(self) -> None:
        with self._lock:
            self._live.clear()
            self._ends.clear()

    def _renew(self, key: str) -> str:
        token, ends = "".join(random.choices(LETTERS, k=28)), time.time() + self._settings.token_seconds
        with self._lock:
            if before := self._live.get(key):
                self._ends.pop(str(before[0]), None)
            self._live.put(key, [token, ends])
            self._ends[token] = ends
        return token


def _pair(value: str) -> tuple[str, str | None]:
    try:
        key, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", None
    return key, secret if colon else None
