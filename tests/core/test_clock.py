"""The one door to time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from core import clock


def test_now_is_aware_and_in_utc():
    before = datetime.now(UTC)
    now = clock.now()
    assert now.tzinfo is UTC
    assert before <= now <= datetime.now(UTC)


def test_a_shift_adds_up_and_ends_with_its_block_also_when_that_fails():
    week = timedelta(days=7)

    def away():
        return round((clock.now() - datetime.now(UTC)) / timedelta(seconds=1))

    with clock.shifted(week):
        assert away() == 7 * 86400
        with clock.shifted(-2 * week):
            assert away() == -7 * 86400
        with pytest.raises(ZeroDivisionError), clock.shifted(week):
            1 / 0  # noqa: B018
        assert away() == 7 * 86400
    assert away() == 0


def test_a_timestamp_leaves_in_utc_with_microseconds_and_a_z():
    moment = datetime(2026, 11, 20, 17, 5, 6, tzinfo=timezone(timedelta(hours=3)))
    assert clock.rfc3339(moment) == "2026-11-20T14:05:06.000000Z"
