"""The world around an adapter under test: the simulator's controls, a receiver of callbacks, the wire."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import urllib3

from core import http
from core.clock import now
from core.crypto import Secret
from core.providers import AccessToken, OutcomeUnknown, TokenRejected, Unreachable
from payments.providers.base import CallbackAnswer, Connection, PaymentProvider, RawCallback
from payments.services.connections import Question

PATIENCE = 10.0
POLL = 0.01

Found = TypeVar("Found")


class SimulatorControl:
    """What lies under `/_simulator/`: trouble on purpose, the payer, and the company's own books."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._pool = urllib3.PoolManager()

    def post(self, path: str, **values: Any) -> dict[str, Any]:
        answer = self._pool.request("POST", f"{self.base_url}/_simulator/{path}", json=values)
        assert answer.status == 200, answer.json()
        return answer.json()

    def get(self, path: str) -> Any:
        return self._pool.request("GET", f"{self.base_url}/_simulator/{path}")

    def entries(self, reference: str = "") -> list[dict[str, Any]]:
        """All, or those that we may know by that reference."""
        return self.get(f"ledger?reference={reference}" if reference else "ledger").json()["entries"]

    def close(self) -> None:
        self._pool.clear()


class Receiver:
    """Stands where our own doors stand: keeps every callback under the last word of its path.

    `decide` gives the answer to each, for providers that act on it.
    """

    def __init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                callback = RawCallback(self.path.rpartition("/")[2], headers, body)
                receiver.arrived.append(callback)
                answer = receiver.decide(callback)
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.arrived: list[RawCallback] = []
        self.decide: Callable[[RawCallback], CallbackAnswer] = lambda callback: CallbackAnswer(body=b"")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, door: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{door}"

    def wait(self, fits: Callable[[RawCallback], bool]) -> RawCallback:
        """The first callback that fits, which may have arrived already."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            for callback in list(self.arrived):
                if fits(callback):
                    return callback
            time.sleep(POLL)
        raise AssertionError(f"no such callback among {[callback.door for callback in self.arrived]}")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class MemoryTokens:
    """One live token, as the token store of an account keeps it."""

    live: Secret | None = None
    fetched: int = 0

    def get(self, fetch: Callable[[], AccessToken]) -> Secret:
        if self.live is None:
            self.live = fetch().value
            self.fetched += 1
        return self.live

    def reject(self, token: Secret) -> None:
        if self.live == token:
            self.live = None


@dataclass
class Wire:
    """Sends what an adapter asks for, and sorts what goes wrong as the engine does.

    `sent` are the requests of steps, `sent_within` those that the adapter makes by itself while it reads or authorizes.
    """

    provider: PaymentProvider[Any, Any]
    tokens: MemoryTokens
    sent_within: list[http.Request]
    sent: list[http.Request] = field(default_factory=list)
    deadline: float = PATIENCE

    @classmethod
    def to(cls, kind: type[PaymentProvider[Any, Any]], base_url: str, credentials: Any, options: Any) -> "Wire":
        tokens = MemoryTokens()
        within: list[http.Request] = []

        def send(request: http.Request) -> http.Response:
            within.append(request)
            return _sent(PATIENCE, request)

        connection = Connection(base_url, False, credentials, options, now, send, tokens)
        return cls(kind(connection), tokens, within)

    def perform(self, step: Question[Found]) -> Found:
        try:
            return step.read(self.call(step.request))
        except TokenRejected:
            self.provider.forget_token(self.sent[-1])
            return step.read(self.call(step.request))

    def call(self, request: http.Request) -> http.Response:
        authorized = self.provider.authorize(request)
        self.sent.append(authorized)
        return _sent(self.deadline, authorized)


def _sent(deadline: float, request: http.Request) -> http.Response:
    try:
        return http.send(request, deadline=deadline)
    except http.NotSent as fault:
        raise Unreachable(str(fault)) from fault
    except http.HttpFault as fault:
        raise OutcomeUnknown(str(fault)) from fault


def until(found: Callable[[], Found | None]) -> Found:
    """What is found at last, asked again and again for as long as our patience lasts."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if (it := found()) is not None:
            return it
        time.sleep(POLL)
    raise AssertionError("it did not happen in time")


@contextmanager
def unused_port() -> Iterator[str]:
    """The address of a port that nothing listens on: bound, so that nobody else takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def document(callback: RawCallback) -> dict[str, Any]:
    return json.loads(callback.body)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a decoded JSON document, itself included."""
    yield path
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inside:
        yield from places(child, (*path, key))


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """A copy of the document with something else at one place."""
    if not path:
        return to
    copy = dict(value) if isinstance(value, Mapping) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], to)
    return copy


def with_strange_keys(value: Any) -> Any:
    """The same document with a key in every object that no documentation mentions."""
    if isinstance(value, Mapping):
        return {name: with_strange_keys(child) for name, child in value.items()} | {"x_new": {"a": [1]}}
    if isinstance(value, list):
        return [with_strange_keys(child) for child in value]
    return value
