"""All that has moved of one payment by Midtrans, from its status: Midtrans lists nothing.

Money that no payment of ours explains is therefore not found: there is nobody to ask about it.

Source: docs.midtrans.com/reference/get-transaction-status. Assumed, as with the adapter: a refund that the status lists
was approved, whether or not its bank has confirmed it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from core.companies import midtrans as wire
from core.http import Response
from payments.providers.midtrans_reading import read_listed, read_transaction
from payments.providers.reports import MoneyMoved, ReceiptKind, Report, Word
from payments.providers.statements import StatementLine, StatementPage, Statements

STATEMENTS = Statements(
    kinds=frozenset(ReceiptKind),
    reach=timedelta(days=30),
    nightly=timedelta(days=2),
    zone="Asia/Jakarta",
    by_status=True,
    pause=timedelta(milliseconds=50),
    lasts=timedelta(days=1),
)

_UNKNOWN_PAYMENT = "404"


def read_status(reference: str, words: Mapping[str, str], response: Response) -> StatementPage:
    """What was paid, and each refund of it. A status of another payment, or of no known shape, is unreadable."""
    code, told = wire.answered(response)
    if code == _UNKNOWN_PAYMENT:
        return StatementPage()
    if code not in wire.SHOWS_A_TRANSACTION or "transaction_status" not in told:
        raise wire.refusal(code)
    try:
        if told["order_id"] != reference:
            raise ValueError("an answer about another payment")
        return StatementPage(tuple(_lines(told, words)))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return StatementPage(unreadable={reference: f"{type(error).__name__}: not what Midtrans documents"})


def _lines(told: Mapping[str, Any], words: Mapping[str, str]) -> list[StatementLine]:
    """What waits, or has ended unpaid, has moved nothing; whatever else is said of it is for a person to see."""
    payment, refunds = read_transaction(told, words), told.get("refunds") or []
    if payment.word is Word.UNKNOWN:
        raise ValueError("a status that is not on our list")
    captured = [
        _line(payment, moved, told["order_id"], told.get("settlement_time"))._replace(payment_id=payment.provider_id)
        for moved in payment.moved
    ]
    given_back = [
        _line(refund, moved, item["refund_key"], item.get("created_at"))._replace(gives_back=payment.provider_id)
        for item in refunds
        for refund in [read_listed(item, payment.provider_status)]
        for moved in refund.moved
    ]
    return captured + given_back


def _line(report: Report, moved: MoneyMoved, reference: object, at: object) -> StatementLine:
    return StatementLine(
        kind=moved.kind,
        money=moved.money,
        provider_money_id=moved.provider_money_id,
        reference=wire.identifier(reference),
        provider_status=report.provider_status,
        at=wire.moment(at),
    )
