"""How a file's columns are read: written down once for an account and purpose, and strict about what it finds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from core.money import EXPONENTS, Money, NotRepresentable
from payments.providers.base import ReceiptKind, Word
from payments.providers.statements import StatementLine

Cell = str | int | float | bool | datetime | time | timedelta | Decimal | None
"""What stands in a place of a row: text in a CSV, and whatever a sheet types it as in an XLSX."""

ISO = "ISO"
"""In place of a format of times: `2026-11-20 14:05:06`, with or without its zone."""
IGNORED = "ignored"
FEE, PAYOUT = "fee", "payout"
"""Lines of a settlement that are no money of a payer: what the provider keeps, and what it pays out."""
KINDS = (ReceiptKind.CAPTURE.value, ReceiptKind.REFUND.value, FEE, PAYOUT, IGNORED)
WORDS = (Word.SUCCEEDED.value, Word.PENDING.value, Word.FAILED.value)
DELIMITERS = {"": "found out", ",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SEPARATORS = {"": "none", ",": "comma", ".": "point", " ": "space", "'": "apostrophe"}

_EXAMPLE = datetime(2026, 11, 20, 14, 5, 6, tzinfo=UTC)
_LONGEST = {"number": 100, "settlement": 100, "reference": 300}
_SPACES = re.compile(r"\s+")
_EXACT_DIGITS = 15
"""Of a number in a sheet: a longer one is not what was typed there."""
_MOST_DIGITS = 15
_LONGEST_AMOUNT = 100
_YEARS = range(2000, 2101)
"""Of times that a line may have: one beyond is a typing mistake, and no window has room for it."""


class Unreadable(ValueError):
    """Why a line cannot be read, for people: a column of ours and what is wrong with it, never what stands there."""


@dataclass(frozen=True, slots=True)
class FileLine:
    """A line of a file. `settlement` is the number of the payout that it names, `place` its line in the file.

    `kind` is one of KINDS; the line's own, but for a fee or payout.
    """

    line: StatementLine
    kind: str
    settlement: str
    place: int


@dataclass(frozen=True, slots=True)
class Places:
    """Where the header has which column, and how many cells it has."""

    at: Mapping[str, int]
    width: int


@dataclass(frozen=True)
class Reading:
    """Names of columns, empty where the file has none, and how their words are written.

    `amount` may be below zero for money that went back, unless `amount_out` has that or `type` says so. `types` and
    `states` give our words for the file's own; where there is no such column every line is a payment that succeeded.
    """

    number: str = ""
    amount: str = ""
    amount_out: str = ""
    currency: str = ""
    fee: str = ""
    reference: str = ""
    settlement: str = ""
    type: str = ""
    state: str = ""
    time: str = ""
    only_currency: str = ""
    decimal: str = "."
    thousands: str = ","
    time_format: str = ISO
    zone: str = "UTC"
    delimiter: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> "Reading":
        """From what is kept of one. Raises ValueError that names the field in quotes."""
        reading = cls(**written)
        reading.check()
        return reading

    def written(self) -> dict[str, Any]:
        return {name.name: getattr(self, name.name) for name in fields(self)}

    def check(self) -> None:
        """Raises ValueError that names the field in quotes."""
        if not self.amount:
            raise ValueError("'amount' must name the column of the amounts")
        if not self.currency and self.only_currency not in EXPONENTS:
            raise ValueError("'only_currency' must be an ISO 4217 code, as there is no column of currencies")
        if self.decimal not in (".", ",") or self.thousands not in SEPARATORS or self.decimal == self.thousands:
            raise ValueError("'thousands' must be another sign than the one before decimals")
        if self.zone not in available_timezones():
            raise ValueError("'zone' must be a zone by its name, as Africa/Nairobi")
        self._check_words()
        if len({_plain(name) for name in self.named}) < len(self.named):
            raise ValueError("'number' and every other field must name a column of its own")

    def _check_words(self) -> None:
        for name, known in (("types", KINDS), ("states", WORDS)):
            if bad := sorted(set(getattr(self, name).values()) - set(known)):
                raise ValueError(f"'{name}' has {bad[0]}, which is none of {', '.join(known)}")
        for name, column in (("types", self.type), ("states", self.state)):
            if bool(column) != bool(getattr(self, name)):
                raise ValueError(f"'{name}' are for a column that is named, which needs them")
        if self.time and self.time_format != ISO:
            try:
                self._parsed(_EXAMPLE.strftime(self.time_format))
            except ValueError as fault:
                raise ValueError("'time_format' is not one, as %d/%m/%Y %H:%M:%S") from fault

    @property
    def named(self) -> list[str]:
        """The columns that the file must have."""
        return [getattr(self, name) for name in COLUMNS if getattr(self, name)]

    @property
    def kinds(self) -> frozenset[ReceiptKind]:
        """What the file lists, and nothing else is missed there."""
        refunds = self.amount_out or ReceiptKind.REFUND in self.types.values()
        return frozenset(ReceiptKind) if refunds else frozenset({ReceiptKind.CAPTURE})

    def places(self, header: Sequence[Cell]) -> Places:
        """Where the columns are. Raises ValueError that names those which are not there, or there twice."""
        told = [_plain(as_text(cell)) for cell in header]
        missing = [name for name in self.named if _plain(name) not in told]
        if missing:
            raise ValueError(f"there is no column {', '.join(missing)}")
        if twice := [name for name in self.named if told.count(_plain(name)) > 1]:
            raise ValueError(f"the column {', '.join(twice)} stands there twice")
        found = {name: told.index(_plain(getattr(self, name))) for name in COLUMNS if getattr(self, name)}
        return Places(found, len(header))

    # Reading a line

    def line(self, cells: Sequence[Cell], places: Places, place: int) -> FileLine | None:
        """None for a line of a kind that is ignored. Raises Unreadable."""
        if any(as_text(cell) for cell in cells[places.width :]):
            raise Unreadable("line: has more cells than the header; is there a sign between columns within one?")
        row = {name: cells[at] if at < len(cells) else None for name, at in places.at.items()}
        kind = self._kind(row)
        if kind == IGNORED:
            return None
        currency = self._currency(row)
        money = self._money(row, currency)
        signed = ReceiptKind.REFUND if money.amount < 0 else ReceiptKind.CAPTURE
        line = StatementLine(
            kind=signed if kind in ("", FEE, PAYOUT) else ReceiptKind(kind),
            money=Money(abs(money.amount), currency),
            provider_money_id=self._text(row, "number", needed="number" in places.at),
            reference=self._text(row, "reference"),
            word=self._word(row),
            provider_status=self._text(row, "state")[:100],
            at=self._time(row),
            fee=self._fee(row, currency),
        )
        return FileLine(line, kind or line.kind.value, self._text(row, "settlement"), place)

    def number_of(self, cells: Sequence[Cell], places: Places) -> str:
        """The number alone, of a line that cannot be read otherwise; empty where it has none."""
        at = places.at.get("number", len(cells))
        try:
            return self._text({"number": cells[at]}, "number") if at < len(cells) else ""
        except Unreadable:
            return ""

    def _kind(self, row: Mapping[str, Cell]) -> str:
        if not self.type:
            return ""
        told = self._types.get(_plain(as_text(row["type"])))
        if told is None:
            raise Unreadable("type: the mapping does not know its word")
        return told

    def _word(self, row: Mapping[str, Cell]) -> Word:
        if not self.state:
            return Word.SUCCEEDED
        return Word(self._states.get(_plain(as_text(row["state"])), Word.UNKNOWN.value))

    def _currency(self, row: Mapping[str, Cell]) -> str:
        currency = as_text(row["currency"]).upper() if self.currency else self.only_currency
        if currency not in EXPONENTS:
            raise Unreadable("currency: is not an ISO 4217 code")
        return currency

    def _money(self, row: Mapping[str, Cell], currency: str) -> Money:
        """Below zero for what went back."""
        money = self._amount(row, "amount", currency)
        back = self._amount(row, "amount_out", currency) if self.amount_out else None
        if money is not None and back is not None and money.amount and back.amount:
            raise Unreadable("amount: stands in both columns")
        if back is not None and back.amount:
            return Money(-abs(back.amount), currency)
        if money is None or not money.amount:
            raise Unreadable("amount: there is none")
        return money

    def _fee(self, row: Mapping[str, Cell], currency: str) -> Money | None:
        fee = self._amount(row, "fee", currency) if self.fee else None
        return Money(abs(fee.amount), currency) if fee else None

    def _amount(self, row: Mapping[str, Cell], name: str, currency: str) -> Money | None:
        """None where the place is empty."""
        cell = row[name]
        value = _number(cell, name) if not isinstance(cell, str) else self._decimal(cell, name, currency)
        if value is None:
            return None
        try:
            money = Money.from_major(value, currency)
        except NotRepresentable as fault:
            raise Unreadable(f"{name}: is finer than {currency} is") from fault
        if len(str(abs(money.amount))) > _MOST_DIGITS:
            raise Unreadable(f"{name}: is larger than money is")
        return money

    def _decimal(self, text: str, name: str, currency: str) -> Decimal | None:
        if len(text) > _LONGEST_AMOUNT:
            raise Unreadable(f"{name}: is longer than {_LONGEST_AMOUNT} characters")
        told = text.strip().removeprefix(currency).removesuffix(currency).strip()
        if told in ("", "-"):
            return None
        written = self._written.fullmatch(told)
        if written is None:
            raise Unreadable(f"{name}: is not written as the mapping says")
        digits = self._apart.sub("", written["whole"]) + "." + (written["parts"] or "0")
        below = written["before"] == "-" or bool(written["after"]) or bool(written["bracket"])
        return -Decimal(digits) if below else Decimal(digits)

    def _time(self, row: Mapping[str, Cell]) -> datetime | None:
        if not self.time:
            return None
        cell = row["time"]
        try:
            told = cell if isinstance(cell, datetime) else self._parsed(as_text(cell))
            at = (told if told.tzinfo else told.replace(tzinfo=self._zone)).astimezone(UTC)
        except (ValueError, OverflowError) as fault:
            raise Unreadable("time: is not written as the mapping says") from fault
        if at.year not in _YEARS:
            raise Unreadable("time: is not of this century")
        return at

    def _parsed(self, text: str) -> datetime:
        if self.time_format == ISO:
            return datetime.fromisoformat(text)
        return datetime.strptime(text, self.time_format)  # noqa: DTZ007  (the mapping's zone is put to it)

    def _text(self, row: Mapping[str, Cell], name: str, *, needed: bool = False) -> str:
        """Raises Unreadable for what would have to be cut, and for what a number in a sheet cannot be trusted with."""
        told = as_text(row.get(name))
        if needed and not told:
            raise Unreadable(f"{name}: there is none")
        longest = _LONGEST.get(name, 1000)
        if len(told) > longest:
            raise Unreadable(f"{name}: is longer than {longest} characters")
        if isinstance(row.get(name), int | float) and len(told) > _EXACT_DIGITS:
            raise Unreadable(f"{name}: is a number of more digits than a sheet keeps; type it as text")
        if "\x00" in told:
            raise Unreadable(f"{name}: has a character that no text has")
        return told

    @cached_property
    def _written(self) -> re.Pattern[str]:
        """An amount, with its thousands apart or together, its sign before or after it, or in brackets."""
        apart = r"[ \u00a0\u202f]" if self.thousands == " " else re.escape(self.thousands)
        apart = apart.replace("'", "['\\u2019]")
        groups = rf"\d{{1,3}}(?:{apart}\d{{2,3}})*{apart}\d{{3}}" if self.thousands else r"(?!)"
        return re.compile(
            rf"(?P<bracket>\()?(?P<before>[+-])?(?P<whole>{groups}|\d+)(?:{re.escape(self.decimal)}(?P<parts>\d*))?"
            r"(?P<after>-)?(?(bracket)\))",
            re.ASCII,
        )

    @cached_property
    def _apart(self) -> re.Pattern[str]:
        return re.compile(r"\D")

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @cached_property
    def _types(self) -> dict[str, str]:
        return {_plain(word): ours for word, ours in self.types.items()}

    @cached_property
    def _states(self) -> dict[str, str]:
        return {_plain(word): ours for word, ours in self.states.items()}


COLUMNS = (
    "number", "amount", "amount_out", "currency", "fee", "reference", "settlement", "type", "state", "time",
)  # fmt: skip


def as_text(cell: Cell) -> str:
    """As a person reads it: a number without what a sheet adds to it."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _number(cell: Cell, name: str) -> Decimal | None:
    """Of a number that a sheet holds: the shortest decimal that is it, which is what was typed there."""
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise Unreadable(f"{name}: is no number")
    value = Decimal(str(cell))
    if not value.is_finite() or len(value.as_tuple().digits) > _EXACT_DIGITS:
        raise Unreadable(f"{name}: has more digits than a sheet keeps")
    return value


def _plain(name: str) -> str:
    """Column names and words are compared by this: without case, and without spaces that are only there to look at."""
    return _SPACES.sub(" ", name.replace("\ufeff", "")).strip().casefold()
