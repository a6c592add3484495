"""Just enough of an HTTP/1.1 server for stubs: keep-alive, whole bodies, answers that can be late or torn."""

import asyncio
import json
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error"}
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `head` holds its lines as they came, the first one included."""

    method: str
    path: str
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """A header's value, or an empty text. `name` is in lower case."""
        start = self.head.lower().find(f"\r\n{name}:".encode())
        if start < 0:
            return ""
        return self.head[start + 2 :].split(b"\r\n", 1)[0].partition(b":")[2].strip().decode()


class Peer(asyncio.Protocol):
    """One connection. `handle` is given each request with the connection that it came by."""

    def __init__(self, handle: Callable[["Peer", Asked], None]) -> None:
        self._handle = handle
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (asked := self._next()) is not None:
            self._handle(self, asked)

    def _next(self) -> Asked | None:
        head, end, rest = self._unread.partition(b"\r\n\r\n")
        if not end:
            return None
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        length = int(Asked(method, path, head, b"").header("content-length") or 0)
        if len(rest) < length:
            return None
        self._unread = rest[length:]
        return Asked(method, path, head, rest[:length])

    def answer(self, status: int, body: bytes, *, after: float = 0.0) -> None:
        """Answer now, or after so many seconds."""
        if after:
            asyncio.get_running_loop().call_later(after, self.answer, status, body)
        elif self._transport is not None and not self._transport.is_closing():
            head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
            self._transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def reset(self, *, after: float = 0.0) -> None:
        """Tear the connection down without an answer."""
        if after:
            asyncio.get_running_loop().call_later(after, self.reset)
        elif self._transport is not None and not self._transport.is_closing():
            peer: socket.socket = self._transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()


def serve(handle: Callable[[Peer, Asked], None], **more: object) -> None:
    """Serve on a free port of this machine until SIGTERM; the first line printed is `{"port": n}`, and `more`."""
    asyncio.run(_serve(handle, more))


async def _serve(handle: Callable[[Peer, Asked], None], more: Mapping[str, object]) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(lambda: Peer(handle), "127.0.0.1", 0, backlog=4096)
    print(json.dumps({"port": server.sockets[0].getsockname()[1], **more}), flush=True)
    await ended.wait()
    server.close()
