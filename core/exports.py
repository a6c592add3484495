"""Rows as CSV, streamed from an iterator in flat memory. The same rows as XLSX are in `core/sheets.py`.

CSV is UTF-8 without a byte order mark: a program would read the mark as part of the first header's name, and
whoever wants Excel, which alone asks for it, takes the XLSX.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from io import StringIO
from itertools import chain

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from core import clock

Value = str | int | Decimal | datetime | None
"""What may stand in a row. Amounts are decimals in major units (`Money.major()`), moments are aware."""

CSV_TYPE = "text/csv; charset=utf-8"

_ROWS_AT_ONCE = 1000
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


class TooManyRows(ValueError):
    """More rows than one sheet can hold. The message is for people."""


def csv_response(name: str, *, headers: Sequence[str], rows: Iterable[Sequence[Value]]) -> StreamingHttpResponse:
    """A download called `name`. Rows are read while they are sent: a fault among them breaks the download off."""
    answer = StreamingHttpResponse(_lines(chain([headers], rows)), content_type=CSV_TYPE)
    answer["Content-Disposition"] = content_disposition_header(True, name) or ""
    answer["Cache-Control"] = "private, no-store"
    return answer


def _defused(text: str) -> str:
    """A spreadsheet would run text that begins like a formula."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def _lines(rows: Iterable[Sequence[Value]]) -> Iterator[bytes]:
    buffer = StringIO(newline="")
    writer = csv.writer(buffer)
    for count, row in enumerate(rows, start=1):
        writer.writerow([_written(value) for value in row])
        if count % _ROWS_AT_ONCE == 0:
            yield _taken_from(buffer)
    yield _taken_from(buffer)


def _taken_from(buffer: StringIO) -> bytes:
    written = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return written


def _written(value: Value) -> str:
    if isinstance(value, str):
        return _defused(value)
    if isinstance(value, datetime):
        return clock.rfc3339(value)
    return "" if value is None else format(Decimal(value), "f")
