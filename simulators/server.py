"""The HTTP half that every simulator shares: requests in, answers out, one port per company."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from simulators.trouble import Trouble

LARGEST_BODY = 1_000_000
BACKLOG = 1024
# With l_onoff=1 and l_linger=0 a close sends RST instead of FIN: what a dying gateway does to a client.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Answer:
    """What goes back on the wire; `cut` gives no answer at all and ends the connection instead."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: Literal["", "reset", "close"] = ""

    @classmethod
    def of_json(cls, payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
        return cls(status, json.dumps(payload).encode(), headers=headers or {})

    @classmethod
    def of_html(cls, page: str, status: int = 200) -> Answer:
        return cls(status, page.encode(), "text/html; charset=utf-8")

    @classmethod
    def redirect(cls, url: str) -> Answer:
        return cls(303, b"", "text/plain", {"Location": url})


@dataclass
class Request:
    """One request: `route` is the pattern that it matched, `parameters` the parts of its path."""

    method: str
    path: str
    query_text: str
    headers: Mapping[str, str]
    body: bytes
    route: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    trouble: Trouble | None = None
    hold_seconds: float = 0.0

    def header(self, name: str) -> str:
        """The value, or "" when it was not sent; names in any case."""
        return self.headers.get(name.lower(), "")

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query_text, keep_blank_values=True)

    @cached_property
    def form(self) -> list[tuple[str, str]]:
        """The pairs of a form body; bytes that are no UTF-8 become replacement characters."""
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """The JSON object in the body, or None when the body is anything else."""
        try:
            decoded = json.loads(self.body)
        except ValueError:
            return None
        return decoded if isinstance(decoded, dict) else None

    @property
    def origin(self) -> str:
        """The address under which the caller reached us, so that the links we hand out work for it too."""
        return f"http://{self.header('Host')}"

    @property
    def callback_mode(self) -> str:
        return self.trouble.callback_mode if self.trouble else ""


Handle = Callable[[Request], Answer]
Target = TypeVar("Target")


class Router(Generic[Target]):
    """Finds what serves a method and a path, such as `POST /v1/refunds/{refund}/cancel`."""

    def __init__(self, routes: Mapping[str, Target]) -> None:
        self._routes: list[tuple[str, list[str], str, Target]] = []
        for line, target in routes.items():
            method, pattern = line.split(" ", 1)
            self._routes.append((method, pattern.split("/"), pattern, target))

    def find(self, request: Request) -> Target | None:
        """What serves the request, route and path parameters noted on it; None when nothing does."""
        parts = request.path.split("/")
        for method, pattern_parts, pattern, target in self._routes:
            if method != request.method:
                continue
            parameters = _match(pattern_parts, parts)
            if parameters is not None:
                request.route, request.parameters = pattern, parameters
                return target
        return None

    def knows_path(self, path: str) -> bool:
        parts = path.split("/")
        return any(_match(pattern_parts, parts) is not None for _, pattern_parts, _, _ in self._routes)


def _match(pattern_parts: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern_parts) != len(parts):
        return None
    parameters = {}
    for wanted, part in zip(pattern_parts, parts, strict=True):
        if wanted.startswith("{"):
            parameters[wanted[1:-1]] = part
        elif wanted != part:
            return None
    return parameters


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self._write(Answer(413, b"the body is too large or has no length", "text/plain"))
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True  # half a request is none
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._write(self.server.answer(Request(self.command, path, query, headers, body)))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = serve

    def _write(self, answer: Answer) -> None:
        if answer.cut:
            self.close_connection = True
            if answer.cut == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            return
        # One write, so that head and body leave in one segment.
        payload = b"" if self.command == "HEAD" else answer.body
        with contextlib.suppress(ConnectionError):
            self.wfile.write(self._head(answer) + payload)

    def _head(self, answer: Answer) -> bytes:
        try:
            phrase = HTTPStatus(answer.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {answer.status} {phrase}", f"Date: {self.date_time_string()}"]
        lines += [f"Content-Type: {answer.content_type}", f"Content-Length: {len(answer.body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def log_message(self, format: str, *args: object) -> None:
        """Silence: the ledger and the callback log say more than an access log."""


class Server(ThreadingHTTPServer):
    """One listening port; a thread per connection, kept alive until the client or `stop` ends it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = BACKLOG

    def __init__(self, host: str, port: int, answer: Handle) -> None:
        self.answer = answer
        self._connections: set[socket.socket] = set()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without HTTPServer's reverse look-up of the host name, which can take seconds offline."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def run(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and end every open connection, so that nobody talks to a ghost."""
        self.shutdown()
        self.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == RESET_ON_CLOSE:
            # The usual shutdown would send FIN first and spoil the reset.
            self.close_request(request)
            return
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here; anything else is a bug and must be seen."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
