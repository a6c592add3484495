"""Writing an order's payment status back to where it lives. Twice is the same as once."""

from enum import StrEnum
from typing import Any

from core.money import Money
from orders import databases, tables
from orders.mapping import EXPIRED, PAID
from orders.models import Order
from orders.reading import Unreadable, code_of, money_of, one
from orders.tables import Tables


class Outcome(StrEnum):
    """WRITTEN: it stands there. ELSEWHERE: the order was marked paid by somebody else before us."""

    WRITTEN = "written"
    ELSEWHERE = "elsewhere"


class Edited(Exception):
    """The order is not the one that was paid: its total is another, or it is there no more."""


def write(order: Order, status: str, *, paid: Money | None = None) -> Outcome:
    """Have the source say of the order what `status`, one of STATUSES, is called there.

    `paid` is what was paid of it, which must still be its total. Raises Edited, and databases.Away and Refused.
    Not inside a transaction.
    """
    source, mapping = order.source, order.source.read_by
    try:
        with source.reached() as alias:
            known = tables.tables_in(source.database, alias, mapping)
            row = _locked(known, alias, order)
            present = str(row.status or "").strip()
            if status == PAID:
                _demand_unedited(known, alias, row, order, paid)
            if present == mapping.statuses[status]:
                ours = status != PAID or order.writing == PAID or order.written == PAID
                return Outcome.WRITTEN if ours else Outcome.ELSEWHERE
            if not _may_replace(present == mapping.statuses[PAID], status, order):
                return Outcome.WRITTEN
            # From here on what stands there may be ours: whoever comes after a crash must know that.
            Order.objects.filter(pk=order.pk).update(writing=status)
            order.writing = status
            known.order.objects.using(alias).filter(pk=row.pk).update(status=mapping.statuses[status])
    except databases.Refused:
        tables.forget(source.database, mapping)
        raise
    return Outcome.WRITTEN


def _may_replace(is_paid: bool, status: str, order: Order) -> bool:
    """That somebody else was paid is not undone by what became of our payment."""
    if not is_paid:
        return True
    return status != EXPIRED and not order.paid_elsewhere


def _locked(known: Tables, alias: str, order: Order) -> Any:
    try:
        row = one(known, alias, order.number, locked=True)
    except Unreadable as fault:
        raise Edited(str(fault)) from fault
    if row is None:
        raise Edited(f"order {order.number} is there no more")
    return row


def _demand_unedited(known: Tables, alias: str, row: Any, order: Order, paid: Money | None) -> None:
    if order.accepted or paid is None:
        return
    try:
        now = money_of(known.mapping, row, code_of(known, alias, row))
    except Unreadable as fault:
        raise Edited(str(fault)) from fault
    if now != paid:
        raise Edited(f"order {order.number} is {now} now, and {paid} was paid")
