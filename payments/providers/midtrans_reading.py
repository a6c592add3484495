"""What Midtrans says of a payment and its refunds, in our words. Sources and assumptions stand with the adapter.

A shape that is not Midtrans' raises KeyError, TypeError, AttributeError or ValueError.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.companies import midtrans as wire
from core.money import Money
from core.providers import OutcomeUnknown
from payments.providers.base import Failure, FailureCode, MoneyMoved, Order, ReceiptKind, Report, Word

_WORDS: Mapping[str, Word] = {
    "pending": Word.REQUIRES_ACTION,
    "authorize": Word.UNKNOWN,  # a card that is held, which nothing here asks for: a person looks
    "capture": Word.SUCCEEDED,
    "settlement": Word.SUCCEEDED,
    "deny": Word.FAILED,
    "failure": Word.FAILED,
    "cancel": Word.CANCELLED,
    "expire": Word.EXPIRED,
    # What was paid stays paid: its refunds speak for themselves.
    "refund": Word.SUCCEEDED,
    "partial_refund": Word.SUCCEEDED,
}
_FAILURES: Mapping[str, Failure] = {
    "deny": Failure(FailureCode.DECLINED, "The payment was declined.", "deny"),
    "failure": Failure(FailureCode.PROVIDER_ERROR, "Midtrans could not process the payment.", "failure"),
}
_REFUND_DENIED = Failure(FailureCode.DECLINED, "The payer's bank or wallet denied the refund.", "202")
REFUNDED = ("refund", "partial_refund")

_LINKS: Mapping[str, tuple[str, ...]] = {
    "qris": ("generate-qr-code-v2", "generate-qr-code"),
    "ewallet": ("deeplink-redirect", "generate-qr-code-v2", "generate-qr-code"),
}
"""Where a payer can be sent, by the names of `actions`, the best first; their order and number differ."""


def read_transaction(told: Mapping[str, Any], words: Mapping[str, str]) -> Report:
    """Paid is what is settled by its status, its code and the absence of a suspicion of fraud.

    `words` reads statuses in other words of ours than those in code.
    """
    status, money = wire.word(told["transaction_status"]), wire.rupiah(told["gross_amount"], told.get("currency"))
    known = Word(words.get(status) or _WORDS.get(status, Word.UNKNOWN))
    report = Report(known, wire.identifier(told["transaction_id"]), status)
    if known is Word.REQUIRES_ACTION:
        return replace(report, expires_at=wire.moment(told.get("expiry_time")))
    if known is Word.FAILED:
        return replace(report, failure=_FAILURES.get(status, replace(_FAILURES["deny"], provider_code=status)))
    if known is not Word.SUCCEEDED:
        return report
    code, fraud = wire.word(told["status_code"]), wire.word(told.get("fraud_status") or "accept")
    if (code, fraud) != ("200", "accept"):
        return replace(report, word=Word.UNKNOWN, provider_status=f"{status} {code} {fraud}")
    return replace(report, moved=(MoneyMoved(ReceiptKind.CAPTURE, money, report.provider_id),))


def next_action(told: Mapping[str, Any], order: Order) -> dict[str, str] | None:
    """What the payer is shown; None where it is not what was asked for, and must be shown to nobody."""
    try:
        return _shown(told, order)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _shown(told: Mapping[str, Any], order: Order) -> dict[str, str] | None:
    if wire.rupiah(told["gross_amount"]) != order.money:
        return None
    code = told.get("qr_string")
    if code and order.method == "qris":
        return {"type": "qr", "qr_string": wire.text(code)}
    links = {item["name"]: item["url"] for item in told.get("actions") or [] if item.get("method") == "GET"}
    link = next((links[name] for name in _LINKS[order.method] if name in links), None)
    return {"type": "redirect", "url": wire.text(link)} if link else None


def read_refunded(told: Mapping[str, Any], order: Order) -> Report:
    """The answer to a refund: its `refund_amount` is the sum of all refunds of the payment so far."""
    status, sum_so_far = wire.word(told["transaction_status"]), wire.rupiah(told["refund_amount"])
    if told["status_code"] == "202":
        return Report(Word.FAILED, provider_status=f"{status} 202", failure=_REFUND_DENIED)
    if status not in REFUNDED or sum_so_far < order.money or told.get("refund_key") != order.operation_key:
        raise ValueError("not the refund that was asked for")
    return _refunded(told["refund_chargeback_id"], order.money, status)


def find_refund(told: Mapping[str, Any], order: Order) -> Report:
    """The refund with our key. One that is not listed may still be on its way."""
    for item in told.get("refunds") or []:
        if item.get("refund_key") == order.operation_key:
            return read_listed(item, wire.word(told["transaction_status"]))
    raise OutcomeUnknown("no refund with our key is listed")


def latest_refund(told: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The one that a notification is about: by its key where it names one, else the last of all that it lists."""
    listed = list(told.get("refunds") or [])
    named = [item for item in listed if item.get("refund_key") == told.get("refund_key")]
    told_of: list[Mapping[str, Any]] = named or listed
    return told_of[-1] if told_of else None


def read_listed(item: Mapping[str, Any], status: str) -> Report:
    """One of `refunds`, with its own amount; whether its bank has confirmed it changes nothing for us."""
    return _refunded(item["refund_chargeback_id"], wire.rupiah(item["refund_amount"]), status)


def _refunded(number: object, money: Money, status: str) -> Report:
    """Numbers are documented for a refund's id, and seen as texts."""
    refund_id = wire.identifier(str(number) if type(number) is int else number)
    return Report(Word.SUCCEEDED, refund_id, status, (MoneyMoved(ReceiptKind.REFUND, money, refund_id),))
