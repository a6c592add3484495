"""Places in a list that is read by time, newest first: cursors that stay right while rows are inserted."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Q

from core import ids
from core.errors import InvalidRequest

Row = TypeVar("Row")

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Behind the row with this moment and id."""

    at: datetime
    id: str

    def encoded(self) -> str:
        written = f"{self.id}.{(self.at - _BEGINNING) // _MICROSECOND}"
        return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")

    def rest(self, moment: str) -> Q:
        """What lies behind this place. The first bound is the index's; the others part rows of the same moment."""
        return Q(**{f"{moment}__lte": self.at}) & (Q(**{f"{moment}__lt": self.at}) | Q(pk__lt=self.id))


def place_of(cursor: str | None) -> Place | None:
    """The inverse of `encoded`. Raises InvalidRequest for a cursor that this API did not give out."""
    if not cursor:
        return None
    try:
        written = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        public_id, _, microseconds = written.partition(".")
        at = _BEGINNING + timedelta(microseconds=int(microseconds))
    except (ValueError, OverflowError):
        public_id, at = "", _BEGINNING
    if not ids.is_id(public_id, public_id.partition("_")[0]):
        raise InvalidRequest("The cursor is not one that this API gave out.", param="cursor")
    return Place(at, public_id)


def listed(
    found: Sequence[Row], *, limit: int, place: Callable[[Row], Place], present: Callable[[Row], dict[str, Any]]
) -> dict[str, Any]:
    """A page of the API's lists, of up to `limit + 1` rows that were found: one more says that there are more."""
    shown, more = found[:limit], len(found) > limit
    return {
        "object": "list",
        "data": [present(row) for row in shown],
        "next_cursor": place(shown[-1]).encoded() if more else None,
        "has_more": more,
    }
