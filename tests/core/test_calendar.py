from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count as counting
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calendar import LONGEST, Rule, Unit, Weekday, is_zone

NINE = time(9)
ZONES = (
    "Africa/Nairobi",
    "America/New_York",
    "America/Santiago",
    "Asia/Jakarta",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
)


def rule(unit="month", *, interval=1, zone="UTC", starts_on=date(2027, 1, 31), at=NINE, **more):
    return Rule(Unit(unit), interval, zone, starts_on, at, **more)


def dates(asked, many):
    zone = ZoneInfo(asked.zone)
    return [asked.occurrence(number).astimezone(zone).date().isoformat() for number in range(1, many + 1)]


def test_a_short_month_gives_its_last_day_and_the_day_comes_back():
    assert dates(rule(), 5) == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]
    assert dates(rule(starts_on=date(2028, 1, 30)), 3) == ["2028-01-30", "2028-02-29", "2028-03-30"]


def test_the_29th_of_february_comes_back_in_the_next_leap_year():
    every_year = rule("year", starts_on=date(2028, 2, 29))
    assert dates(every_year, 5) == ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]


def test_the_first_is_the_first_day_that_fits():
    assert dates(rule(starts_on=date(2027, 1, 15), day=10), 2) == ["2027-02-10", "2027-03-10"]
    assert dates(rule(starts_on=date(2027, 1, 10), day=10), 1) == ["2027-01-10"]
    assert dates(rule(starts_on=date(2027, 2, 28), day=31), 2) == ["2027-02-28", "2027-03-31"]
    assert dates(rule("year", starts_on=date(2027, 3, 5), day=1), 2) == ["2028-03-01", "2029-03-01"]
    assert dates(rule("week", starts_on=date(2027, 1, 1), weekday=Weekday.MONDAY), 2) == ["2027-01-04", "2027-01-11"]
    assert dates(rule("week", starts_on=date(2027, 1, 1), interval=2), 2) == ["2027-01-01", "2027-01-15"]
    assert dates(rule("day", starts_on=date(2027, 2, 27), interval=3), 2) == ["2027-02-27", "2027-03-02"]


def test_it_is_the_same_time_on_the_customers_clock_through_the_year():
    berlin = rule(zone="Europe/Berlin", starts_on=date(2027, 3, 1))
    assert berlin.occurrence(1) == datetime(2027, 3, 1, 8, tzinfo=UTC)
    assert berlin.occurrence(2) == datetime(2027, 4, 1, 7, tzinfo=UTC)


def test_a_time_that_does_not_exist_is_later_by_what_the_clock_was_put_forward():
    skipped = rule("day", zone="Europe/Berlin", starts_on=date(2027, 3, 27), at=time(2, 30))
    assert [skipped.occurrence(number) for number in (1, 2, 3)] == [
        datetime(2027, 3, 27, 1, 30, tzinfo=UTC),
        datetime(2027, 3, 28, 1, 30, tzinfo=UTC),  # 03:30 there
        datetime(2027, 3, 29, 0, 30, tzinfo=UTC),
    ]


def test_of_a_time_that_exists_twice_it_is_the_first():
    twice = rule("day", zone="America/New_York", starts_on=date(2027, 11, 7), at=time(1, 30))
    assert twice.occurrence(1) == datetime(2027, 11, 7, 5, 30, tzinfo=UTC)
    assert twice.occurrence(2) == datetime(2027, 11, 8, 6, 30, tzinfo=UTC)


def test_midnight_that_does_not_exist_stays_on_its_day():
    # The clock goes from 24:00 to 01:00 there.
    chile = rule("day", zone="America/Santiago", starts_on=date(2027, 9, 5), at=time(0))
    assert chile.occurrence(1) == datetime(2027, 9, 5, 4, tzinfo=UTC)
    assert dates(chile, 2) == ["2027-09-05", "2027-09-06"]


def test_it_ends_by_count_or_by_the_last_day_whichever_comes_first():
    assert rule(count=2).occurrence(2) is not None
    assert rule(count=2).occurrence(3) is None
    until = rule(ends_on=date(2027, 2, 28))
    assert until.occurrence(2) == datetime(2027, 2, 28, 9, tzinfo=UTC)
    assert until.occurrence(3) is None
    assert rule(ends_on=date(2027, 2, 27), count=5).occurrence(2) is None
    assert rule().occurrence(0) is None


def test_the_end_is_a_day_of_the_customers():
    auckland = rule("day", zone="Pacific/Auckland", starts_on=date(2027, 1, 1), ends_on=date(2027, 1, 1), at=time(6))
    assert auckland.occurrence(1) == datetime(2026, 12, 31, 17, tzinfo=UTC)
    assert auckland.occurrence(2) is None


def test_the_end_of_the_calendar_is_an_end():
    assert rule("year", starts_on=date(2027, 1, 1)).occurrence(9000) is None
    assert rule("day", interval=366).occurrence(10**9) is None


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"interval": 0}, "interval"),
        ({"interval": 37}, "interval"),
        ({"day": 32}, "day"),
        ({"weekday": Weekday.MONDAY}, "weekday"),
        ({"unit": "week", "day": 1}, "day"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"count": 0}, "count"),
    ],
)
def test_what_makes_no_rule_is_refused_by_name(more, named):
    with pytest.raises(ValueError, match=f"`{named}`"):
        rule(**more)


def test_a_zone_is_one_of_the_iana_database():
    assert is_zone("Africa/Nairobi")
    assert not is_zone("../etc/passwd")


@st.composite
def rules(draw):
    unit = draw(st.sampled_from(Unit))
    more = {}
    if unit is Unit.WEEK:
        more["weekday"] = draw(st.none() | st.sampled_from(Weekday))
    if unit in (Unit.MONTH, Unit.YEAR):
        more["day"] = draw(st.none() | st.integers(1, 31))
    return Rule(
        unit,
        draw(st.integers(1, LONGEST[unit])),
        draw(st.sampled_from(ZONES)),
        draw(st.dates(date(2026, 1, 1), date(2035, 12, 31))),
        draw(st.times().map(lambda at: at.replace(microsecond=0))),
        **more,
    )


@settings(deadline=None)
@given(rules(), st.integers(1, 200))
def test_each_occurrence_is_later_than_the_one_before(asked, number):
    assert asked.occurrence(number) < asked.occurrence(number + 1)


@settings(deadline=None)
@given(rules())
def test_no_occurrence_is_lost_or_doubled(asked):
    """Every local day of some years that fits the rule has one occurrence, and no other day has any."""
    zone = ZoneInfo(asked.zone)
    until = asked.starts_on + timedelta(days=1200)
    moments = takewhile(lambda moment: moment.astimezone(zone).date() <= until, map(asked.occurrence, counting(1)))
    found = [moment.astimezone(zone).date() for moment in moments]

    days = [asked.starts_on + timedelta(days=place) for place in range(1201)]
    fitting = [day for day in days if fits(asked, day)]
    if asked.unit in (Unit.MONTH, Unit.YEAR):
        months = asked.interval * (12 if asked.unit is Unit.YEAR else 1)
        fitting = [day for day in fitting if (month_of(day) - month_of(fitting[0])) % months == 0]
    else:
        step = asked.interval * (7 if asked.unit is Unit.WEEK else 1)
        fitting = fitting[:: step // (7 if asked.unit is Unit.WEEK else 1)]
    assert found == fitting


def month_of(day):
    return day.year * 12 + day.month


def fits(asked, day):
    """Whether it is a day of the rule, its interval aside."""
    if asked.unit is Unit.DAY:
        return True
    if asked.unit is Unit.WEEK:
        return day.weekday() == (asked.weekday.number if asked.weekday else asked.starts_on.weekday())
    wanted = asked.day or asked.starts_on.day
    is_last = (day + timedelta(days=1)).month != day.month
    of_month = asked.unit is Unit.MONTH or day.month == asked.starts_on.month
    return of_month and (day.day == wanted or (is_last and day.day < wanted))


@settings(deadline=None)
@given(rules(), st.integers(1, 40))
def test_it_is_at_its_local_time_unless_the_clock_skips_it(asked, number):
    zone = ZoneInfo(asked.zone)
    local = asked.occurrence(number).astimezone(zone)
    wall = datetime.combine(local.date(), asked.at)
    gap = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall
    assert local.timetz().replace(tzinfo=None) == asked.at or gap


@settings(deadline=None)
@given(rules(), st.integers(1, 12))
def test_a_count_gives_so_many(asked, many):
    counted = replace(asked, count=many)
    found = list(takewhile(lambda moment: moment is not None, map(counted.occurrence, counting(1))))
    assert len(found) == many
    assert all(before < after for before, after in pairwise(found))
