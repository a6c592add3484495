"""Reading an order where it lives: its total, discount, tax and currency, and its lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, connections
from django.db.models import TextField
from django.db.models.functions import Cast, Left

from core.money import EXPONENTS, Money, NotRepresentable
from orders import databases, dialects, tables
from orders.mapping import PAID, Amounts, OrderMapping
from orders.models import OrderSource
from orders.tables import Tables

MOST_LINES = 20_000
_MOST_CHARACTERS = 100
_MOST_OF_NAME = 500


class Unreadable(Exception):
    """There is such an order, and what stands there is no amount of money that could be paid, or too much to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Figures as they stand there, in major units or minor ones as the source counts; None where it does not tell."""

    name: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal | None = None
    discount_percent: Decimal | None = None
    tax: Decimal | None = None
    total: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An order as it stands at this moment. `number` is its id in the source's own spelling.

    `discount` and `tax` are figures as they stand there. `lines` are read only when asked for.
    """

    number: str
    money: Money
    discount: Decimal | None
    tax: Decimal | None
    status: str
    is_paid: bool
    is_closed: bool
    lines: Sequence[Line] = ()


def read(source: OrderSource, number: str, *, with_lines: bool = False) -> Found | None:
    """The order of that id, or None. Raises databases.Away and Refused, and Unreadable. Not inside a transaction.

    With lines, it is Unreadable where there are more than MOST_LINES: paying it needs none of them.
    """
    mapping = source.read_by
    if not number or len(number) > _MOST_CHARACTERS or "\x00" in number:
        return None
    try:
        with source.reached() as alias:
            known = tables.tables_in(source.database, alias, mapping)
            row = one(known, alias, number)
            if row is None:
                return None
            lines = _lines(known, alias, row) if with_lines else []
            return _found(mapping, row, code_of(known, alias, row), lines)
    except databases.Refused:
        tables.forget(source.database, mapping)
        raise


def one(known: Tables, alias: str, number: str, *, locked: bool = False) -> Any:
    """The row of the order, or None. Raises Unreadable where an id is that of several."""
    rows = known.order.objects.using(alias)
    try:
        key = known.order._meta.pk.to_python(number)
    except ValidationError:
        return None
    if locked:
        rows = rows.select_for_update(no_key=connections[alias].features.has_select_for_no_key_update)
    try:
        found = list(rows.filter(pk=key)[:2])
    except DatabaseError as fault:
        if dialects.of_vendor(connections[alias].vendor).has_no_such_letters(fault):
            return None
        raise
    if len(found) > 1:
        raise Unreadable(f"{number} is the id of more than one order")
    return found[0] if found else None


def code_of(known: Tables, alias: str, row: Any) -> str:
    """The order's currency as its source writes it."""
    mapping = known.mapping
    if mapping.currency:
        return mapping.currency
    if known.currencies is None or row.currency is None:
        return str(row.currency or "").strip()
    codes = known.currencies.objects.using(alias).filter(pk=row.currency).values_list("code", flat=True)
    return str(codes.first() or "").strip()


def money_of(mapping: OrderMapping, row: Any, code: str) -> Money:
    """Raises Unreadable."""
    if code not in EXPONENTS:
        raise Unreadable(f"{row.pk} is in {code!r}, which is no ISO 4217 currency")
    total = row.total if row.total is None else Decimal(row.total)
    if total is None or not total.is_finite():
        raise Unreadable(f"{row.pk} has no total")
    try:
        in_major = total if mapping.amounts is Amounts.MAJOR else total.scaleb(-EXPONENTS[code])
        return Money.from_major(in_major, code)
    except NotRepresentable as fault:
        raise Unreadable(f"{row.pk}: {fault}") from fault


def _found(mapping: OrderMapping, row: Any, code: str, lines: list[Line]) -> Found:
    status = str(getattr(row, "status", None) or "").strip()
    return Found(
        number=str(row.pk),
        money=money_of(mapping, row, code),
        discount=getattr(row, "discount", None),
        tax=getattr(row, "tax", None),
        status=status,
        is_paid=status == mapping.statuses[PAID],
        is_closed=str(getattr(row, "state", None) or "").strip() in mapping.closed,
        lines=lines,
    )


def _lines(known: Tables, alias: str, row: Any) -> list[Line]:
    if known.line is None or known.mapping.line is None:
        return []
    told = [what for what, _ in known.mapping.line.columns() if what not in ("order", "position", "name")]
    key = getattr(row, "key", row.pk)
    rows = known.line.objects.using(alias).filter(order=key)
    if known.mapping.line.position:
        rows = rows.order_by("position")
    # Nobody promises that a name there is short, and there may be thousands.
    named = rows.values_list(Left(Cast("name", TextField()), _MOST_OF_NAME), *told)
    found = list(named[: MOST_LINES + 1])
    if len(found) > MOST_LINES:
        raise Unreadable(f"{row.pk} has more than {MOST_LINES:,} lines, which is more than we read")
    return [_line(name, dict(zip(told, figures, strict=True))) for name, *figures in found]


def _line(name: str | None, told: dict[str, Any]) -> Line:
    figures = {what: None if value is None else Decimal(value) for what, value in told.items()}
    nothing = {what: Decimal(0) for what in ("quantity", "unit_price") if figures.get(what) is None}
    return Line(name=name or "", **(figures | nothing))  # type: ignore[arg-type]  # the two are there
