"""What happens to every request, whoever it is for."""

import logging
import re
import time
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from psycopg_pool import PoolTimeout, TooManyRequests

from core import ids, measuring
from core.errors import ApiError, LengthRequired, Unavailable
from core.logging import correlated

logger = logging.getLogger(__name__)

Handler = Callable[[HttpRequest], HttpResponse]

_ACCEPTABLE = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"
QUIET = frozenset({"healthz", "readyz", "metrics"})
"""Asked by machines every few seconds: not worth a line each."""
_DATABASE_AWAY = (InterfaceError, PoolTimeout, TooManyRequests)
_AWAY_STATES = ("08", "57P", "53300")
"""Of SQLSTATE: the connection's faults, a server that stops or starts, and one without a connection left."""


class RequestId:
    """Names each request: the caller's own X-Request-Id when it is a sane one, otherwise a new one."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        identifier = given if _ACCEPTABLE.match(given) else ids.random_reference(length=20)
        request.request_id = identifier  # type: ignore[attr-defined]
        with correlated(identifier):
            response = self.get_response(request)
        response["X-Request-Id"] = identifier
        return response


class Measured:
    """Writes one line of each request and tells how long it took: by the pattern of its route, never by its path."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.monotonic()
        response = self.get_response(request)
        seconds = time.monotonic() - started
        route = request.resolver_match.route if request.resolver_match else NO_ROUTE
        method = request.method if request.method in _METHODS else "OTHER"
        measuring.request_done(route=route, method=method, status=response.status_code, seconds=seconds)
        told = {"route": route, "method": method, "status": response.status_code, "milliseconds": round(seconds * 1000)}
        logger.log(logging.DEBUG if route in QUIET else logging.INFO, "request", extra=told)
        return response


class WholeBody:
    """A body whose length is not said beforehand is refused: Django would read it as empty.

    An empty body asks for something too: to refund all that is left, for example. HTTP/1.1 says by `Transfer-Encoding`
    that a body follows; HTTP/2 says nothing, so there the first byte is looked for, where the server ends its stream.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _has_unmeasured_body(request):
            return _problem(request, LengthRequired("Send the body with a Content-Length, in one piece."))
        return self.get_response(request)


def _has_unmeasured_body(request: HttpRequest) -> bool:
    if "Transfer-Encoding" in request.headers:
        return True
    if request.META.get("CONTENT_LENGTH") or not request.META.get("wsgi.input_terminated"):
        return False
    return bool(request.META["wsgi.input"].read(1))


class DatabaseAway:
    """PostgreSQL being away is 503 with Retry-After, on every path, and heals by itself."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return unavailable(request) if is_database_away(exception) else None


def is_database_away(exception: Exception) -> bool:
    """Whether this is the connection's fault, not the statement's: a timeout, a deadlock or a full disk is none."""
    if not isinstance(exception, OperationalError):
        return isinstance(exception, _DATABASE_AWAY)
    # The server names its own faults; one that nobody names is that it was not reached.
    state = getattr(exception.__cause__, "sqlstate", None)
    return state is None or state.startswith(_AWAY_STATES)


def unavailable(request: HttpRequest) -> HttpResponse:
    error = Unavailable("The database cannot be reached. Send the same request again, with the same Idempotency-Key.")
    response = _problem(request, error)
    response["Retry-After"] = "2"
    return response


def _problem(request: HttpRequest, error: ApiError) -> HttpResponse:
    body = error.problem(
        request_id=getattr(request, "request_id", ""), documentation=f"{settings.PUBLIC_URL}/docs/errors/"
    )
    return JsonResponse(body, status=error.status, content_type="application/problem+json")
