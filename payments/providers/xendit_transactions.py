"""Xendit's transactions: what was paid and given back, page by page, by the id of the transaction before.

Source: docs.xendit.co (list-transactions) and the models of github.com/xendit/xendit-python. A transaction names its
product, for a code the very payment that its callback named; an invoice's goes by the payment behind it, of which the
invoice itself does not tell. Assumed, as they are silent: pages of fifty; a refund's product is the refund, and its
reference ours; amounts may come as texts, as in a sample there.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from core.companies import xendit as wire
from core.http import Response
from core.money import Money
from core.providers import OutcomeUnknown
from payments.providers.reports import ReceiptKind, Word
from payments.providers.statements import StatementLine, StatementPage, Statements, Window
from payments.providers.xendit_reading import kept_of

STATEMENTS = Statements(
    kinds=frozenset(ReceiptKind),
    reach=timedelta(days=30),
    nightly=timedelta(days=3),
    zone="Asia/Jakarta",
    lasts=timedelta(days=1),
    renumbers=True,
)

TRANSACTION_WORDS: Mapping[str, Word] = {
    "SUCCESS": Word.SUCCEEDED,
    "PENDING": Word.PENDING,
    "FAILED": Word.FAILED,
    "VOIDED": Word.CANCELLED,
    "REVERSED": Word.CANCELLED,
}
_KINDS: Mapping[str, tuple[ReceiptKind, str]] = {
    "PAYMENT": (ReceiptKind.CAPTURE, "MONEY_IN"),
    "REFUND": (ReceiptKind.REFUND, "MONEY_OUT"),
}
_OTHER_CLOCK = timedelta(minutes=10)
"""How far Xendit's clock may be from ours: the window is asked for with that much on either side."""
_LIMIT = 50
_LONGEST = 100
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_PLAIN = re.compile(r"\d{1,13}(\.\d+)?", re.ASCII)


def page_query(window: Window, cursor: str) -> str:
    """What is asked for: payments and refunds in rupiah, of whatever status, after the transaction `cursor`."""
    asked = [
        *(("types", kind) for kind in _KINDS),
        ("currency", wire.CURRENCY),
        ("created[gte]", wire.time_of(window.since - _OTHER_CLOCK)),
        ("created[lte]", wire.time_of(window.until + _OTHER_CLOCK)),
        ("limit", str(_LIMIT)),
    ]
    return urlencode([*asked, ("after_id", cursor)] if cursor else asked)


def read_page(cursor: str, response: Response) -> StatementPage:
    """A line that cannot be read hides no other; a page that has more after it must say where."""
    told = wire.shown(response)
    rows, has_more = told.get("data"), told.get("has_more")
    if not isinstance(rows, list) or not isinstance(has_more, bool):
        raise OutcomeUnknown("a page of an unknown shape")
    lines, unreadable = [], {}
    for place, row in enumerate(rows, 1):
        try:
            line = _line(row)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            unreadable[f"{cursor or 'from the first'} +{place}"] = f"{type(error).__name__}: not what Xendit documents"
        else:
            lines += [line] if line else []
    return StatementPage(tuple(lines), _following(rows) if has_more else "", unreadable)


def _following(rows: list[Any]) -> str:
    try:
        return wire.identifier(rows[-1]["id"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise OutcomeUnknown("there is more, and it is not said after which transaction") from error


def _line(row: Mapping[str, Any]) -> StatementLine | None:
    """None for other kinds of money than were asked for."""
    if (kind := wire.word(row["type"])) not in _KINDS:
        return None
    ours, cashflow = _KINDS[kind]
    number, status = wire.identifier(row["product_id"]), wire.word(row["status"])
    if row.get("cashflow") != cashflow or len(number) > _LONGEST:
        raise ValueError("another direction, or no number")
    return StatementLine(
        kind=ours,
        money=wire.rupiah(_number(row["amount"]), row.get("currency")),
        provider_money_id=number,
        reference=_reference(row.get("reference_id")),
        word=TRANSACTION_WORDS.get(status, Word.UNKNOWN),
        provider_status=f"{status} {row.get('settlement_status') or ''}".strip()[:_LONGEST],
        at=wire.moment(row.get("created")),
        fee=_fee(row),
    )


def _reference(value: object) -> str:
    """Whatever the merchant's own systems have written there, where it is one of ours at all."""
    return value[:_LONGEST].replace("\0", "") if isinstance(value, str) else ""


def _number(value: object) -> object:
    """A number, or a text of one with or without thousands separators."""
    text = value.strip() if isinstance(value, str) else ""
    if _GROUPED.fullmatch(text) or _PLAIN.fullmatch(text):
        return Decimal(text.replace(",", ""))
    return value


def _fee(row: Mapping[str, Any]) -> Money | None:
    """What Xendit kept; None where it does not say, or not in a way that we can add up."""
    try:
        return kept_of(row["fee"])
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
