"""What is asked of a stream, read strictly from an ASGI scope; and how a refusal is answered."""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings

from core import addresses, ids
from core.errors import ApiError, InvalidRequest, MethodNotAllowed

Scope = dict[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_SANE = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
_POSITION = re.compile(r"^[0-9]{1,18}$")
_PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. `headers` are lower-case; of one that came twice both values, with a comma between."""

    method: str
    store: str
    headers: Mapping[str, str]
    address: str
    request_id: str
    has_query: bool

    @property
    def after(self) -> int | None:
        """The position in `Last-Event-ID`, if there is one. Raises InvalidRequest that names it."""
        given = self.headers.get("last-event-id")
        if not given:
            return None
        if not _POSITION.match(given):
            told = "Last-Event-ID is not an `id` of this stream. Leave it out to begin with a snapshot."
            raise InvalidRequest(told, param="Last-Event-ID")
        return int(given)

    def demand_a_stream(self) -> None:
        """Raises MethodNotAllowed and InvalidRequest."""
        if self.method != "GET":
            raise MethodNotAllowed(f"Method {self.method} is not allowed: a stream is read by GET.")
        if self.has_query:
            raise InvalidRequest("A stream has no parameters. A token in the address would stand in every log.")


def read(scope: Scope, *, store: str) -> Asked:
    """The request of a scope."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    given = headers.get("x-request-id", "")
    client = scope.get("client") or ("0.0.0.0", 0)
    peer = {"REMOTE_ADDR": client[0], "HTTP_X_FORWARDED_FOR": headers.get("x-forwarded-for", "")}
    return Asked(
        method=scope["method"],
        store=store,
        headers=headers,
        address=addresses.client_address(peer, trusted_proxies=settings.TRUSTED_PROXIES),
        request_id=given if _SANE.match(given) else ids.random_reference(length=20),
        has_query=bool(scope.get("query_string")),
    )


def shared_headers(asked: Asked) -> Headers:
    """Of every answer. The display pages of this installation may be on another port; nobody else's page may read."""
    named = {"X-Request-Id": asked.request_id, "Cache-Control": "no-store", "Vary": "Origin"}
    if is_own_page(asked):
        named["Access-Control-Allow-Origin"] = asked.headers["origin"]
    return [(name.encode(), value.encode()) for name, value in named.items()]


def is_own_page(asked: Asked) -> bool:
    own = urlsplit(settings.PUBLIC_URL)
    return asked.headers.get("origin") == f"{own.scheme}://{own.netloc}"


async def answer_preflight(asked: Asked, send: Send) -> None:
    """What a browser asks before it sends a page's Authorization to another port."""
    headers = shared_headers(asked)
    if is_own_page(asked):
        headers += [
            (b"Access-Control-Allow-Methods", b"GET"),
            (b"Access-Control-Allow-Headers", b"Authorization, Last-Event-ID"),
            (b"Access-Control-Max-Age", b"600"),
        ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def refuse(asked: Asked, error: ApiError, send: Send) -> None:
    """The error as RFC 9457 problem details."""
    problem = error.problem(request_id=asked.request_id, documentation=f"{settings.PUBLIC_URL}/docs/errors/")
    body = orjson.dumps(problem)
    named = {"Content-Type": _PROBLEM, "Content-Length": str(len(body)), **error.headers}
    if error.retry_after is not None:
        named["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        named["WWW-Authenticate"] = "Bearer"
    headers = shared_headers(asked) + [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
