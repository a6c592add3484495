"""The merchant's receiver: verifies each delivery with the published library, and keeps what it saw."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError


class Receiver(ThreadingHTTPServer):
    """`verified` holds each event's body by its id, `times` how often it came, `refused` what did not verify.

    `before_answer` is called with the event's id before its 2xx goes out; what it gives back is called after.
    """

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        self.verified: dict[str, dict[str, Any]] = {}
        self.times: Counter[str] = Counter()
        self.refused: list[str] = []
        self.secret = ""
        self.before_answer: Callable[[str], Callable[[], None]] = lambda event_id: lambda: None
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/webhooks"

    def open(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, headers: dict[str, str], body: bytes) -> str:
        """The id of the verified event; empty when the signature does not fit."""
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError as error:
            self.refused.append(f"{headers.get('webhook-id')}: {error}")
            return ""
        event: dict[str, Any] = json.loads(body)
        self.verified[event["id"]] = event
        self.times[event["id"]] += 1
        return str(event["id"])

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that was killed goes away without a word."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            return  # its sender was killed half-way through; nothing has arrived
        event_id = self.server.take({name.lower(): value for name, value in self.headers.items()}, body)
        afterwards = self.server.before_answer(event_id) if event_id else lambda: None
        try:
            self.wfile.write(f"HTTP/1.1 {204 if event_id else 400} -\r\nContent-Length: 0\r\n\r\n".encode())
        finally:
            afterwards()

    def log_message(self, format: str, *args: object) -> None:
        """What was seen is kept in `verified` and `refused`."""
