"""The bytes of an event stream, as the HTML standard has them."""

from collections.abc import Mapping

import orjson

BEAT = b": heartbeat\n\n"


def retry(milliseconds: int) -> bytes:
    """How long a browser waits before it connects again."""
    return b"retry: %d\n\n" % milliseconds


def frame(kind: str, data: bytes, *, position: int | None = None) -> bytes:
    """One event; `data` has no line ends. With a position, the stream is resumed after it."""
    identified = b"" if position is None else b"id: %d\n" % position
    return b"event: %s\n%sdata: %s\n\n" % (kind.encode(), identified, data)


def closed(why: Mapping[str, str]) -> bytes:
    """The last event of a stream that will not be opened again with the same token."""
    return frame("closed", orjson.dumps(why))
