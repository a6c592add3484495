"""The one door to time, so that tests and demonstrations can stand at another moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_shift = timedelta(0)
_stopped_at: datetime | None = None


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return (_stopped_at or datetime.now(UTC)) + _shift


@contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """Stand `by` away from the real time, in this whole process, until the block ends."""
    global _shift
    before = _shift
    _shift = before + by
    try:
        yield
    finally:
        _shift = before


@contextmanager
def stopped() -> Iterator[None]:
    """Let no time pass, in this whole process, until the block ends; `shifted` goes on from there."""
    global _stopped_at
    _stopped_at = _stopped_at or datetime.now(UTC)
    try:
        yield
    finally:
        _stopped_at = None


def rfc3339(moment: datetime) -> str:
    """`2026-11-20T14:05:06.123456Z`: how every timestamp leaves the house."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
