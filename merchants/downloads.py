"""Answers that are streamed for as long as their reader takes: a few at a time, because each holds a thread."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from django.conf import settings
from django.http import StreamingHttpResponse

from core.database import give_back
from core.errors import RateLimited
from core.exports import Value, csv_response

_RETRY_AFTER = 10

# A collection of garbage may end a download on the very thread that has just taken the lock.
_lock = threading.RLock()
_under_way: Counter[str] = Counter()


def download(
    name: str, *, merchant: str, headers: Sequence[str], rows: Iterable[Sequence[Value]]
) -> StreamingHttpResponse:
    """A CSV called `name`. Raises RateLimited while the merchant has as many under way in this process as it may.

    The rows may be read by another thread than the one that calls this, whose connection is given back.
    """
    _take_place(merchant)
    answer = csv_response(name, headers=headers, rows=_Held(iter(rows), merchant))
    give_back()
    return answer


def _take_place(merchant: str) -> None:
    with _lock:
        if _under_way[merchant] >= settings.DOWNLOADS_AT_ONCE:
            told = f"{settings.DOWNLOADS_AT_ONCE} downloads are under way. Wait until one has ended."
            raise RateLimited(told, retry_after=_RETRY_AFTER)
        _under_way[merchant] += 1


def _leave_place(merchant: str) -> None:
    with _lock:
        _under_way[merchant] -= 1
        if not _under_way[merchant]:
            del _under_way[merchant]


class _Held:
    """Rows with a place that is left when they end, and also when nobody wants them any more.

    A generator would not do: one that is thrown away before its first row runs no line of its own.
    """

    def __init__(self, rows: Iterator[Sequence[Value]], merchant: str) -> None:
        self._rows = rows
        self._merchant: str | None = merchant

    def __iter__(self) -> "_Held":
        return self

    def __next__(self) -> Sequence[Value]:
        try:
            return next(self._rows)
        except BaseException:
            self._leave()
            raise

    def __del__(self) -> None:
        self._leave()

    def _leave(self) -> None:
        held, self._merchant = self._merchant, None
        if held is not None:
            _leave_place(held)
