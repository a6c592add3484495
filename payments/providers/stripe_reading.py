"""Stripe's values in our words: amounts, ids, statuses, and the lines of its balance that a dispute has.

Sources: docs.stripe.com/currencies and /api/refunds, /api/balance_transactions. A shape that is not Stripe's raises
KeyError, TypeError, AttributeError or ValueError.
"""

from collections.abc import Mapping
from typing import Any

from core.money import Money
from payments.providers.disputes import DisputeMoved, MovementKind
from payments.providers.reports import Word

EXPONENTS: Mapping[str, int] = {
    currency: exponent
    for exponent, currencies in (
        (0, "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"),
        (3, "BHD JOD KWD OMR TND"),
    )
    for currency in currencies.split()
}
"""How many decimals Stripe counts in; 2 where unlisted, which ISK and UGX are although they have no cents."""

REFUND_WORDS: Mapping[str, Word] = {
    "pending": Word.PENDING,
    "requires_action": Word.PENDING,
    "succeeded": Word.SUCCEEDED,
    "failed": Word.FAILED,
    "canceled": Word.CANCELLED,
}


def read_money(units: object, currency: str) -> Money:
    if type(units) is not int or units < 0:
        raise ValueError("an amount is a whole number, and not below zero")
    code = currency.upper()
    return Money.from_units(units, code, exponent=EXPONENTS.get(code, 2))


def identifier(reference: Any) -> str:
    """An object's id, whether it was expanded or not."""
    return text(reference["id"] if isinstance(reference, Mapping) else reference)


def text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is missing")
    return value


def check_kind(document: Mapping[str, Any], kind: str) -> None:
    if document["object"] != kind:
        raise ValueError(f"not a {kind}")


def dispute_moved(line: Mapping[str, Any]) -> DisputeMoved:
    """A line of Stripe's books: below zero what the bank has taken back. Its fee comes on top of it."""
    check_kind(line, "balance_transaction")
    amount, fee, currency = line["amount"], line["fee"], text(line["currency"])
    if type(amount) is not int or type(fee) is not int:
        raise ValueError("an amount is a whole number")
    kind = MovementKind.WITHDRAWN if amount < 0 else MovementKind.REINSTATED
    kept = read_money(abs(fee), currency).amount
    return DisputeMoved(kind, read_money(abs(amount), currency), text(line["id"]), kept if fee > 0 else -kept)
