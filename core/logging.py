"""Structured logs: one JSON object a line, with the request's id and without secrets."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str] = ContextVar("request_id", default="")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NEVER = frozenset({"request"})
"""Added by Django: shows itself with path and query, which carry tokens and what was searched for."""

_REDACTIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(sk|rk)_(test|live)_\w+"), r"\1_\2_•••"),
    (re.compile(r"\bwhsec_[\w+/=]+"), "whsec_•••"),
    (re.compile(r"\bdisplay_(test|live)_\w+"), r"display_\1_•••"),
    (re.compile(r"\bpm_\w+"), "pm_•••"),
    (re.compile(r"\bMid-(server|client)-[\w-]+"), r"Mid-\1-•••"),
    (re.compile(r"\bxnd_(development|production|public)_[\w+/=-]+"), r"xnd_\1_•••"),
    (re.compile(r"\b(pi|seti)_(\w+)_secret_\w+"), r"\1_\2_secret_•••"),
    (re.compile(r"(?i)\b(bearer|basic) [\w.~+/=-]+"), r"\1 •••"),
    (re.compile(r"/(callbacks|return)/[0-9A-Za-z/_-]+"), r"/\1/•••"),
    (re.compile(r"(?<![\w.])\+?254\d{9}\b"), "254•••"),
    (re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"), "•••"),
)
"""Second line of defence: what must not be logged is not handed to a logger in the first place."""


def redact(text: str) -> str:
    """`text` with whatever looks like a key, token, code path, phone or card number taken out."""
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text


def _shown(value: object) -> object:
    """Numbers stay numbers, unless redaction would leave a hole where JSON wants a value."""
    return value if isinstance(value, int | float) and redact(str(value)) == str(value) else str(value)


class JsonFormatter(logging.Formatter):
    """Writes `time, level, logger, message, request_id` and every `extra`, redacted."""

    def format(self, record: logging.LogRecord) -> str:
        extras = {name: value for name, value in vars(record).items() if name not in _STANDARD | _NEVER}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get() or None,
            **{name: _shown(value) for name, value in extras.items()},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps({key: value for key, value in line.items() if value is not None}))


class WithoutPaths(logging.Filter):
    """Keeps of what Django says of failed requests the faults that nobody caught, and not the path in its message.

    An answer of 5xx that was made on purpose is told by `core.middleware.Measured`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.exc_info:
            return False
        record.msg, record.args = "unhandled error", ()
        return True


class WithoutEndedStreams(logging.Filter):
    """Leaves out what uvicorn calls errors and is how streams end: a slow one is cut off, and all of them by a restart.

    `payments.streams` tells of each that ended, and why.
    """

    _MEANT = ("ASGI callable returned without completing response", "Cancel %s running task")

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(self._MEANT)


@contextmanager
def correlated(identifier: str) -> Iterator[None]:
    """Every log line written inside the block carries this request id."""
    token = request_id.set(identifier)
    try:
        yield
    finally:
        request_id.reset(token)
