"""Places in a list that is read by time."""

import base64
from datetime import UTC, datetime

import pytest

from core import ids
from core.errors import InvalidRequest
from core.pages import Place, listed, place_of


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_a_place_comes_back_from_its_cursor_to_the_microsecond():
    place = Place(datetime(2026, 11, 21, 4, 5, 6, 789012, tzinfo=UTC), ids.new_id("pay"))
    assert place_of(place.encoded()) == place
    assert place_of(None) is place_of("") is None


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense!",
        "é",
        encoded("pay_1.5"),
        encoded(ids.new_id("pay")),
        encoded(f"{ids.new_id('pay')}.x"),
        encoded(f"{ids.new_id('pay')}.{10**30}"),
        encoded(f"{ids.new_id('pay')}.-{10**18}"),
        encoded(f"\x00_{'0' * 26}.5"),
    ],
    ids=[
        "no base 64",
        "not ASCII",
        "no id",
        "no time",
        "a time of letters",
        "a time too late",
        "a time too early",
        "no kind",
    ],
)
def test_a_cursor_that_was_not_given_out_is_refused_by_name(cursor):
    with pytest.raises(InvalidRequest) as refused:
        place_of(cursor)
    assert refused.value.param == "cursor"


def test_one_row_too_many_says_that_there_are_more():
    rows = [Place(datetime(2026, 1, day, tzinfo=UTC), ids.new_id("pay")) for day in (3, 2, 1)]
    page = listed(rows, limit=2, place=lambda row: row, present=lambda row: {"id": row.id})
    assert page == {
        "object": "list",
        "data": [{"id": rows[0].id}, {"id": rows[1].id}],
        "next_cursor": rows[1].encoded(),
        "has_more": True,
    }
    last = listed(rows, limit=3, place=lambda row: row, present=lambda row: {"id": row.id})
    assert (last["next_cursor"], last["has_more"], len(last["data"])) == (None, False, 3)
