"""What is measured, told to whoever listens: requests, and calls to the outside. Core knows no metrics library.

Nothing told here may carry an id, a path or a secret: routes are patterns, parties are providers' names.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

ANY = "other"
"""A party or purpose that nobody has named."""

_purpose: ContextVar[str] = ContextVar("purpose", default=ANY)


class Listener(Protocol):
    """Durations are in seconds; it is called on the hot path and must not raise."""

    def request_done(self, *, route: str, method: str, status: int, seconds: float) -> None: ...

    def call_done(self, *, party: str, purpose: str, outcome: str, seconds: float) -> None:
        """`outcome` is a class of status ("2xx"), "not_sent" or "lost"."""

    def in_flight_changed(self, *, party: str, by: int) -> None: ...

    def refused_by_cap(self, *, party: str) -> None: ...

    def streams_changed(self, *, by: int) -> None:
        """Screens have come or gone."""

    def streamed(self, *, events: int, streams: int, seconds: float) -> None:
        """So many events were handed to each of so many streams, the oldest so long after it had happened."""


_listeners: list[Listener] = []


def register(listener: Listener) -> None:
    _listeners.append(listener)


@contextmanager
def purpose(name: str) -> Iterator[None]:
    """Calls to the outside that are made inside the block are for this."""
    token = _purpose.set(name)
    try:
        yield
    finally:
        _purpose.reset(token)


def request_done(*, route: str, method: str, status: int, seconds: float) -> None:
    for listener in _listeners:
        listener.request_done(route=route, method=method, status=status, seconds=seconds)


def call_done(*, party: str, outcome: str, seconds: float) -> None:
    for listener in _listeners:
        listener.call_done(party=party, purpose=_purpose.get(), outcome=outcome, seconds=seconds)


def in_flight_changed(*, party: str, by: int) -> None:
    for listener in _listeners:
        listener.in_flight_changed(party=party, by=by)


def refused_by_cap(*, party: str) -> None:
    for listener in _listeners:
        listener.refused_by_cap(party=party)


def streams_changed(*, by: int) -> None:
    for listener in _listeners:
        listener.streams_changed(by=by)


def streamed(*, events: int, streams: int, seconds: float) -> None:
    for listener in _listeners:
        listener.streamed(events=events, streams=streams, seconds=seconds)
