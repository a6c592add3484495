"""The one door to the network.

A call has one deadline from the look-up of the name to the last byte, goes only to addresses that the guard
allows, follows no redirect, uses no proxy, never runs inside a database transaction and holds no database connection.
It says for certain whether a byte of the request was written. `requests-hardened` was weighed: it pins
addresses too, but knows neither a total deadline nor whether anything was sent.
"""

import io
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

import urllib3
from django.conf import settings
from django.db import connections
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from core import addresses, look_ups, measuring

MAX_BODY_BYTES = 1_048_576
_POOLS, _CONNECTIONS_PER_HOST = 256, 64
_SHARES = 3


class HttpFault(Exception):
    """The root of what `send` raises."""


class NotSent(HttpFault):
    """Certain: no byte of the request was written."""


class AddressRefused(NotSent):
    """The name resolves to an address that we do not call."""


class AnswerLost(HttpFault):
    """The request, or a part of it, was written, and no whole answer came back in time."""


class Busy(HttpFault):
    """Too many calls to this party are in flight in this process."""


@dataclass(frozen=True, slots=True)
class Request:
    """`fresh` asks for a new connection, for writes that must not meet one that the other side has closed."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    seconds: float


class _Call(threading.local):
    """What the connection that serves this thread needs to know and to tell."""

    ends_at: float = 0.0
    sent: bool = False

    def left(self) -> float:
        """Seconds until the deadline. Raises TimeoutError past it: bytes that never stop coming end there too."""
        seconds = self.ends_at - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline of this call has passed")
        return seconds


_call = _Call()


def send(request: Request, *, deadline: float, party: str = measuring.ANY) -> Response:
    """Make one call. Raises NotSent (nothing was written) or AnswerLost (anything may have happened).

    `deadline` is in seconds for the whole call; `party` is the name under which it is measured, never an id.
    A body above MAX_BODY_BYTES counts as lost.
    """
    _leave_database()
    started, outcome = time.monotonic(), "lost"
    _call.ends_at, _call.sent = started + deadline, False
    try:
        response = _exchange(request, deadline, started)
        outcome = f"{response.status // 100}xx"
        return response
    except NotSent:
        outcome = "not_sent"
        raise
    finally:
        measuring.call_done(party=party, outcome=outcome, seconds=time.monotonic() - started)


def _exchange(request: Request, deadline: float, started: float) -> Response:
    headers = {"User-Agent": "Lango/1", **request.headers}
    if request.fresh:
        headers["Connection"] = "close"
    try:
        answer = _pool(request.fresh).request(
            request.method,
            request.url,
            body=request.body,
            headers=headers,
            timeout=urllib3.Timeout(connect=deadline, read=deadline),
            preload_content=False,
            redirect=False,
            retries=False,
        )
        body = _read(answer)
    except (HTTPError, OSError, ValueError) as error:
        raise _fault(error) from error
    lowered = {name.lower(): value for name, value in answer.headers.items()}
    return Response(answer.status, lowered, body, time.monotonic() - started)


def _read(answer: urllib3.BaseHTTPResponse) -> bytes:
    body = answer.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        answer.close()
        raise AnswerLost(f"the answer is larger than {MAX_BODY_BYTES} bytes")
    answer.release_conn()
    return body


def _fault(error: Exception) -> HttpFault:
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, AddressRefused):
        return cause
    kind = type(error).__name__
    return AnswerLost(f"no whole answer: {kind}") if _call.sent else NotSent(f"not connected: {kind}")


def _leave_database() -> None:
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            raise RuntimeError("a call to the outside must not be made inside a database transaction")
        connection.close()


class _TimedReader(io.RawIOBase):
    """Reads a socket so that every single read ends by the call's deadline, however slowly bytes drip."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._raw = peer.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._peer.settimeout(_call.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(sock))


class _Guarded(HTTPConnection):
    response_class = _TimedResponse

    def _new_conn(self) -> socket.socket:
        return _connect(self._dns_host, self.port)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(_call.left())
        _call.sent = True
        super().send(data)

    def getresponse(self) -> Any:
        # urllib3 goes on to read after a write that was reset, also when that has closed the socket.
        if self.sock is None:
            raise ConnectionResetError("the connection was closed while the request was written")
        return super().getresponse()


class _GuardedTls(_Guarded, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Guarded


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _GuardedTls


def _connect(host: str, port: int) -> socket.socket:
    """Resolve, check and connect to the very address that was checked, so that no second look-up can differ.

    An address that does not answer leaves time for the next: many names have one of IPv6 first that leads nowhere.
    """
    found = look_ups.addresses_of(host, port, seconds=_call.left())
    for place, (family, kind, protocol, _, address) in enumerate(found, start=1):
        _refuse_private(host, str(address[0]))
        peer = socket.socket(family, kind, protocol)
        try:
            peer.settimeout(_call.left() / min(_SHARES, len(found) - place + 1))
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.connect(address)
        except OSError:
            peer.close()
            if place == len(found):
                raise
        else:
            peer.settimeout(_call.left())
            return peer
    raise OSError(f"{host} has no address")


def _refuse_private(host: str, text: str) -> None:
    address = addresses.parse(text.partition("%")[0])
    if address.is_loopback and settings.OUTGOING_LOOPBACK_ALLOWED:
        return
    if not addresses.is_public(address):
        raise AddressRefused(f"{host} resolves to {address}, which is not a public address")


def _new_pool() -> urllib3.PoolManager:
    manager = urllib3.PoolManager(num_pools=_POOLS, maxsize=_CONNECTIONS_PER_HOST)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


_pooled = _new_pool()


def _pool(fresh: bool) -> urllib3.PoolManager:
    return _new_pool() if fresh else _pooled


_in_flight: Counter[str] = Counter()
_in_flight_lock = threading.Lock()


@contextmanager
def slot(holder: str, *, limit: int, party: str = measuring.ANY) -> Iterator[None]:
    """One of `limit` calls for `holder` at a time in this process; raises Busy when all are taken.

    `party` is the name under which it is measured, never an id.
    """
    with _in_flight_lock:
        is_full = _in_flight[holder] >= limit
        _in_flight[holder] += not is_full
    if is_full:
        measuring.refused_by_cap(party=party)
        raise Busy(f"{limit} calls to {holder} are already in flight")
    measuring.in_flight_changed(party=party, by=1)
    try:
        yield
    finally:
        measuring.in_flight_changed(party=party, by=-1)
        with _in_flight_lock:
            _in_flight[holder] -= 1
