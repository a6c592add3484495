"""The merchant's own server: takes webhooks and verifies each with the published `standardwebhooks` library."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from config.demonstration.places import HOST
from core.crypto import Secret

Listener = Callable[[dict[str, Any]], None]


@dataclass
class Inbox:
    """What arrived: by event id the moment (time.monotonic) it was first verified, and how many were refused.

    `told` is called with each event when it is verified for the first time.
    """

    url: str = ""
    verified: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    told: Listener | None = None
    _verifier: Webhook | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def trust(self, secret: Secret) -> None:
        """From now on verify against this endpoint's secret."""
        self._verifier = Webhook(secret.reveal())

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        """The status to answer with: 204 when the signature holds, 400 when not, 503 while there is no secret."""
        if self._verifier is None:
            return 503
        try:
            self._verifier.verify(body, headers)
        except WebhookVerificationError:
            self.refused += 1
            return 400
        self._note(json.loads(body))
        return 204

    def _note(self, event: dict[str, Any]) -> None:
        with self._lock:
            is_new = event["id"] not in self.verified
            self.verified.setdefault(event["id"], time.monotonic())
        if is_new and self.told:
            self.told(event)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def receiving() -> Iterator[Inbox]:
    """Listen on a free port while the block lasts."""
    inbox = Inbox()
    server = _Server((HOST, 0), _handler(inbox))
    inbox.url = f"http://{HOST}:{server.server_port}/webhooks"
    threading.Thread(target=server.serve_forever, args=(0.05,), name="receiver", daemon=True).start()
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()


def _handler(inbox: Inbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = inbox.take(body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """What matters is told by the demo."""

    return Handler
