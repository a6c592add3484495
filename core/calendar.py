"""Rules of the calendar: every so many days, weeks, months or years, at a local time.

`dateutil.rrule` leaves out a month that lacks the day, knows no zone's changes of the clock, and counts from the
first to find the n-th; here the n-th is computed, a short month gives its last day, and the day comes back after it.
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo, available_timezones


class Unit(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @property
    def number(self) -> int:
        """0 for Monday, as `date.weekday()` counts."""
        return list(Weekday).index(self)


LONGEST: Mapping[Unit, int] = {Unit.DAY: 366, Unit.WEEK: 52, Unit.MONTH: 36, Unit.YEAR: 3}
"""The largest interval of each unit."""

_FURTHEST = date(9990, 1, 1)


@dataclass(frozen=True)
class Rule:
    """Every `interval` units from the first fitting day on or after `starts_on`, at `at` o'clock in `zone`.

    `weekday` is for weeks and `day` for months and years; without them it is that of `starts_on`. A month that has no
    such day gives its last. `ends_on` is the last local day that can have an occurrence, `count` how many there are.
    A local time that is skipped when the clock goes forward is as much later as the clock was put forward; of one that
    exists twice it is the first. Raises ValueError for what makes no rule.
    """

    unit: Unit
    interval: int
    zone: str
    starts_on: date
    at: time
    weekday: Weekday | None = None
    day: int | None = None
    ends_on: date | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.interval <= LONGEST[self.unit]:
            raise ValueError(f"`interval` of a {self.unit} must be from 1 to {LONGEST[self.unit]}")
        if self.weekday is not None and self.unit is not Unit.WEEK:
            raise ValueError("`weekday` is for weeks only")
        if self.day is not None and self.unit not in (Unit.MONTH, Unit.YEAR):
            raise ValueError("`day` is for months and years only")
        if self.day is not None and not 1 <= self.day <= 31:
            raise ValueError("`day` must be from 1 to 31")
        if self.count is not None and self.count < 1:
            raise ValueError("`count` must be 1 or more")
        if not is_zone(self.zone):
            raise ValueError(f"`zone` {self.zone!r} is no zone of the IANA database, such as Africa/Nairobi")

    def occurrence(self, number: int) -> datetime | None:
        """The moment, in UTC, of the occurrence with this number, the first being 1; None after the last."""
        if number < 1 or (self.count is not None and number > self.count):
            return None
        on = self._date(number - 1)
        if on is None or (self.ends_on is not None and on > self.ends_on):
            return None
        # fold=0, as it is here, means the earlier of two, and in a gap the offset from before it (PEP 495).
        return datetime.combine(on, self.at, ZoneInfo(self.zone)).astimezone(UTC)

    def _date(self, index: int) -> date | None:
        try:
            on = self._days_on(index) if self.unit in (Unit.DAY, Unit.WEEK) else self._months_on(index)
        except (OverflowError, ValueError):
            return None
        return on if on < _FURTHEST else None

    def _days_on(self, index: int) -> date:
        wait = 0 if self.weekday is None else (self.weekday.number - self.starts_on.weekday()) % 7
        days = self.interval if self.unit is Unit.DAY else 7 * self.interval
        return self.starts_on + timedelta(days=wait + days * index)

    def _months_on(self, index: int) -> date:
        months = self.interval if self.unit is Unit.MONTH else 12 * self.interval
        return self._in_month(self._first_month + months * index)

    @cached_property
    def _first_month(self) -> int:
        """Months since year 0 of the first occurrence: of the first month, or year, whose day has not passed."""
        month = self.starts_on.year * 12 + self.starts_on.month - 1
        if self._in_month(month) >= self.starts_on:
            return month
        return month + (1 if self.unit is Unit.MONTH else 12)

    def _in_month(self, month: int) -> date:
        year, before = divmod(month, 12)
        last = calendar.monthrange(year, before + 1)[1]
        return date(year, before + 1, min(self.day or self.starts_on.day, last))


def is_zone(name: str) -> bool:
    """Whether the IANA database has a zone of that name."""
    return name in _zones()


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """Read from many files, so only once."""
    return frozenset(available_timezones())
