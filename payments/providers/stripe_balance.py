"""Stripe's balance transactions: what charges, refunds and disputes have moved, newest first, by the last line's id.

Sources: docs.stripe.com/api/balance_transactions, /reports/balance-transaction-types, /expand and Stripe's OpenAPI file
(balance_transaction.source). Each line comes with its source, whose id is the number of our receipt and which carries
our reference. Payouts, Stripe's own fees, reserves and transfers are none of our payments', and are passed over.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from core.http import Response
from core.money import Money
from core.providers import Misconfigured, OutcomeUnknown, json_object
from payments.providers.disputes import MovementKind
from payments.providers.reports import ReceiptKind, Word
from payments.providers.statements import StatementLine, StatementPage, Statements, Window
from payments.providers.stripe_reading import REFUND_WORDS, check_kind, dispute_moved, identifier, read_money, text

Row = Mapping[str, Any]

STATEMENTS = Statements(
    kinds=frozenset((*ReceiptKind, *MovementKind)), reach=timedelta(days=1825), nightly=timedelta(days=7)
)
"""Stripe lists everything, for ever: nobody asks for more than five years. A line of an asynchronous capture may come
within the hour."""

_PAGE = 100
_OTHER_CLOCK = timedelta(minutes=10)
"""How far Stripe's clock may be from ours: the window is asked for with that much on either side."""
_LONGEST = 100
_CHARGE_WORDS: Mapping[str, Word] = {
    "succeeded": Word.SUCCEEDED,
    "pending": Word.PENDING,
    "failed": Word.FAILED,
}


def query(window: Window, cursor: str) -> str:
    wanted = {
        "created[gte]": int((window.since - _OTHER_CLOCK).timestamp()),
        "created[lte]": int((window.until + _OTHER_CLOCK).timestamp()),
        "expand[]": "data.source",
        "limit": _PAGE,
    }
    return urlencode(wanted | ({"starting_after": cursor} if cursor else {}))


def read_page(response: Response) -> StatementPage:
    """One page. A line that cannot be read hides no other."""
    rows, has_more = _listed(response)
    lines, unreadable = [], {}
    for place, row in enumerate(rows, 1):
        try:
            line = _line(row)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            known = row.get("id") if isinstance(row, Mapping) else None
            unreadable[str(known or place)[:_LONGEST]] = f"{type(error).__name__}: not what Stripe documents"
        else:
            lines += [line] if line else []
    return StatementPage(tuple(lines), _id_of_last(rows) if has_more else "", unreadable)


def _listed(response: Response) -> tuple[list[Any], bool]:
    """The rows of a page, and whether there are more."""
    try:
        page = json_object(response.body)
    except ValueError as error:
        raise OutcomeUnknown(f"answer {response.status} without JSON") from error
    if response.status in (401, 403):
        raise Misconfigured("Stripe refuses the secret key, or that it reads the balance, charges and disputes")
    rows, has_more = page.get("data"), page.get("has_more")
    if response.status != 200 or page.get("object") != "list" or not isinstance(rows, list):
        raise OutcomeUnknown(f"answer {response.status} to a listing")
    if not isinstance(has_more, bool) or (has_more and not rows):
        raise OutcomeUnknown("a page does not say where it ends")
    return rows, has_more


def _id_of_last(rows: list[Any]) -> str:
    try:
        return identifier(rows[-1])
    except (KeyError, TypeError, ValueError) as error:
        raise OutcomeUnknown("a page does not say where to go on") from error


def _line(row: Row) -> StatementLine | None:
    check_kind(row, "balance_transaction")
    read = _READERS.get(text(row["type"]))
    return read(row) if read else None


def _captured(row: Row) -> StatementLine:
    """A charge. What its payer has paid is told in the payment's currency, its fee in the balance's."""
    charge = _source(row, "charge")
    status = text(charge["status"])
    return StatementLine(
        kind=ReceiptKind.CAPTURE,
        money=_money(row, charge, "amount_captured"),
        provider_money_id=_number(charge["id"]),
        reference=_reference(charge),
        word=_CHARGE_WORDS.get(status, Word.UNKNOWN),
        provider_status=status[:_LONGEST],
        at=_moment(row["created"]),
        payer_hint=_card(charge),
        fee=read_money(row["fee"], text(row["currency"])),
        payment_id=_named(charge.get("payment_intent")),
    )


def _given_back(row: Row) -> StatementLine:
    """A refund, told by how it stands now: its line stays when it fails, and another brings the money back."""
    refund = _source(row, "refund")
    status = text(refund["status"])
    return StatementLine(
        kind=ReceiptKind.REFUND,
        money=_money(row, refund, "amount"),
        provider_money_id=_number(refund["id"]),
        reference=_reference(refund),
        word=REFUND_WORDS.get(status, Word.UNKNOWN),
        provider_status=status[:_LONGEST],
        at=_moment(row["created"]),
        gives_back=_named(refund.get("charge")),
        payment_id=_named(refund.get("payment_intent")),
    )


def _adjusted(row: Row) -> StatementLine | None:
    """A dispute's money. Any other adjustment is between Stripe and the merchant."""
    dispute = row["source"]
    if not isinstance(dispute, Mapping) or dispute["object"] != "dispute" or not row["amount"]:
        return None
    moved = dispute_moved(row)
    return StatementLine(
        kind=moved.kind,
        money=moved.money,
        provider_money_id=_number(moved.provider_money_id),
        reference=_number(dispute["id"]),
        provider_status=text(dispute["status"])[:_LONGEST],
        at=_moment(row["created"]),
        fee=Money(moved.fee, moved.money.currency) if moved.fee else None,
        gives_back=_named(dispute.get("charge")),
        payment_id=_named(dispute.get("payment_intent")),
    )


_READERS: Mapping[str, Callable[[Row], StatementLine | None]] = {
    "charge": _captured,
    "payment": _captured,
    "refund": _given_back,
    "payment_refund": _given_back,
    "refund_failure": _given_back,
    "adjustment": _adjusted,
}


def _source(row: Row, kind: str) -> Row:
    source: Row = row["source"]
    check_kind(source, kind)
    return source


def _money(row: Row, source: Row, name: str) -> Money:
    """As the balance has it; where that is in another currency, as the source has it."""
    currency = text(source["currency"])
    same = text(row["currency"]) == currency
    money = read_money(abs(row["amount"]) if same else source[name], currency)
    if not money.amount:
        raise ValueError("no amount")
    return money


def _number(value: object) -> str:
    number = text(value)
    if len(number) > _LONGEST:
        raise ValueError("no number of Stripe's")
    return number


def _named(reference: object) -> str:
    """The id of what a source names; empty where it names nothing."""
    return identifier(reference)[:_LONGEST] if reference else ""


def _reference(source: Row) -> str:
    return str((source.get("metadata") or {}).get("reference") or "")[:_LONGEST]


def _card(charge: Row) -> str:
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    return f"{card.get('brand') or 'card'} •••{card['last4']}"[:32] if card.get("last4") else ""


def _moment(seconds: object) -> datetime | None:
    """A time in Unix seconds, to be shown: one that there is not does not matter."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if type(seconds) is int else None
    except (OverflowError, OSError, ValueError):
        return None
