"""A real process that serves live events, and screens that follow it over HTTP."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
import urllib3
from django.conf import settings
from django.db import connection, transaction

from events import outbox
from events.models import Event
from events.transitions import lock, move
from tests import factories
from tests.payments.world import until

ROOT = Path(__file__).resolve().parents[3]
NAME = "streams-under-test"
"""By which PostgreSQL knows connections of the process from those of the tests."""
STARTING, WAITING = 60.0, 20.0
"""Seconds. Nothing here measures how fast it is: the machine may be at anything."""
QUICK = {
    "STREAM_POLL_SECONDS": "0.1",
    "STREAM_CHECK_SECONDS": "0.1",
    "SWEEP_SECONDS": "3600",
    "AUDIT_BATCH_SECONDS": "0",
}
"""What no wake-up tells of stays unseen, so that a test sees which one it was."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(redis_url: str = "", **more: str) -> Iterator[str]:
    """The address of a process of its own on the tests' database."""
    at, port = connection.settings_dict, free_port()
    database = f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
    given = {
        "DATABASE_URL": database,
        "REDIS_URL": redis_url or settings.REDIS_URL,
        "DATABASE_POOL": "4",
        "PGAPPNAME": NAME,
    }
    words = ["--port", str(port), "--no-proxy-headers", "--no-access-log", "--timeout-graceful-shutdown", "1"]
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "uvicorn", *words, "config.asgi:application"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **given, **QUICK, **more},
    )
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: process.poll() is not None or _answers(url), seconds=STARTING)
        assert process.poll() is None
        yield url
    finally:
        process.terminate()
        process.wait(STARTING)


def _answers(url: str) -> bool:
    with suppress(requests.ConnectionError):
        return requests.get(f"{url}/healthz", timeout=WAITING).status_code == 200
    return False


class Screen:
    """Follows a stream in a thread. `events` are `(kind, id, data)` in their order; `comments` are counted."""

    def __init__(self, url: str, token, *, after=None, store: str = "") -> None:
        headers = {"Authorization": f"Bearer {token.presented}"}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        self.answer = requests.get(
            f"{url}/v1/stores/{store or token.store_id}/stream", headers=headers, stream=True, timeout=(WAITING, 600)
        )
        self.events: list[tuple[str, str, dict]] = []
        self.comments: list[str] = []
        self.retry = ""
        self.has_ended = False
        assert self.answer.status_code == 200, self.answer.text
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        fields: dict[str, str] = {}
        with suppress(urllib3.exceptions.HTTPError, AttributeError, ValueError):
            for line in self._lines():
                name, _, value = line.partition(": ")
                if line.startswith(":"):
                    self.comments.append(line)
                elif name == "retry":
                    self.retry = value
                elif line:
                    fields[name] = value
                elif fields:
                    self.events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                    fields = {}
        self.has_ended = True

    def _lines(self) -> Iterator[str]:
        """As they come: `iter_lines` waits for more, or looks at each byte."""
        rest = b""
        for piece in self.answer.raw.stream():
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line.decode() for line in lines)

    def orders(self) -> list[dict]:
        return [data for kind, _, data in self.events if kind == "order"]

    def has(self, count: int) -> list[dict]:
        """That many orders, once they are there."""
        until(lambda: len(self.orders()) >= count, seconds=WAITING)
        return self.orders()

    def begun(self) -> dict:
        """The snapshot."""
        until(lambda: self.events, seconds=WAITING)
        kind, _, data = self.events[0]
        assert kind == "snapshot"
        return data

    def ended(self) -> list[tuple[str, str, dict]]:
        until(lambda: self.has_ended, seconds=WAITING)
        return self.events

    def leave(self) -> None:
        with suppress(Exception):
            self.answer.raw._fp.fp.raw._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAITING)
        self.answer.close()


def pay(store, *states: str, **more):
    """A payment in the store that goes through these states."""
    payment = factories.PaymentFactory(merchant=store.merchant, livemode=store.livemode, store=store, **more)
    step(payment, *states)
    return payment


def step(payment, *states: str) -> None:
    for state in states:
        with transaction.atomic():
            move(lock(payment), state, by="tests", because="so")


def tell() -> None:
    """What a worker does when it is woken."""
    while outbox.dispatch():
        pass


def positions() -> list[int]:
    return list(Event.objects.order_by("position").values_list("position", flat=True))
