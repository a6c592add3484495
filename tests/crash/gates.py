"""Gates: thin HTTP proxies that stand before the simulators and before our callback doors.

A gate changes nothing of what passes. It asks a guard three times about each call: before the provider
sees it, when the provider's answer is in hand, and once that answer was given to the caller.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
ANSWER_SECONDS = 60


@dataclass
class Call:
    """One call on its way. `peer` is the caller's own port; `doomed` means that its caller is dead or dying."""

    to: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: int
    status: int = 0
    doomed: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


class Guard(Protocol):
    def arrived(self, call: Call) -> bool:
        """Whether the provider may see it."""

    def answered(self, call: Call) -> bool:
        """Whether the caller may have the answer."""

    def given(self, call: Call) -> None:
        """The answer is with the caller's kernel."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Gate"

    def setup(self) -> None:
        super().setup()
        self._beyond = HTTPConnection("127.0.0.1", self.server.beyond, timeout=ANSWER_SECONDS)

    def finish(self) -> None:
        self._beyond.close()
        with suppress(OSError):
            super().finish()

    def pass_on(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # its sender was killed half-way through
            return
        call = Call(self.server.to, self.command, self.path, dict(self.headers.items()), body, self.client_address[1])
        self.close_connection = True
        if not self.server.guard.arrived(call):
            return
        try:
            answer, payload = self._forward(call)
        except (OSError, HTTPException):
            return
        if self.server.guard.answered(call):
            with suppress(OSError):
                self._give_back(answer, payload)
            self.server.guard.given(call)

    do_GET = do_POST = do_DELETE = do_HEAD = pass_on

    def _forward(self, call: Call) -> tuple[HTTPResponse, bytes]:
        self._beyond.close()
        headers = {name: value for name, value in call.headers.items() if name.lower() not in _HOP_BY_HOP}
        self._beyond.request(call.method, call.path, call.body, headers)
        answer = self._beyond.getresponse()
        payload = answer.read()
        call.status = answer.status
        return answer, payload

    def _give_back(self, answer: HTTPResponse, payload: bytes) -> None:
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", f"Content-Length: {len(payload)}"]
        lines += [f"{name}: {value}" for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
        # As it came: a caller that wants its connection kept, keeps it.
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + payload)

    def log_message(self, format: str, *args: object) -> None:
        """The guard keeps what matters."""


class Gate(ThreadingHTTPServer):
    """Listens on `port` and passes on to port `beyond`; `to` names what lies there."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, *, to: str, port: int, beyond: int, guard: Guard) -> None:
        self.to, self.beyond, self.guard = to, beyond, guard
        super().__init__(("127.0.0.1", port), _Handler)

    def open(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that was killed goes away without a word."""
