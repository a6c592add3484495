"""What Xendit says of codes, invoices, refunds and fees, in our words. Sources and assumptions stand with the adapter.

A shape that is not Xendit's raises KeyError, TypeError, AttributeError or ValueError.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.companies import xendit as wire
from core.money import Money
from payments.providers.base import (
    Cost,
    Failure,
    FailureCode,
    MoneyMoved,
    Notice,
    Order,
    ReceiptKind,
    Report,
    Topic,
    Word,
)

CODE_WORDS: Mapping[str, Word] = {
    "ACTIVE": Word.REQUIRES_ACTION,
    # Paid, past its end, or about to be either: its payments and its end say which.
    "INACTIVE": Word.PENDING,
}
PAYMENT_WORDS: Mapping[str, Word] = {
    "SUCCEEDED": Word.SUCCEEDED,
    "COMPLETED": Word.SUCCEEDED,
    "PENDING": Word.PENDING,
    # The code can still be paid: this try was not the last.
    "FAILED": Word.REQUIRES_ACTION,
}
INVOICE_WORDS: Mapping[str, Word] = {
    "PENDING": Word.REQUIRES_ACTION,
    "PAID": Word.SUCCEEDED,
    # Paid out to the merchant as well: the same money.
    "SETTLED": Word.SUCCEEDED,
    "EXPIRED": Word.EXPIRED,
}
REFUND_WORDS: Mapping[str, Word] = {
    "PENDING": Word.PENDING,
    "SUCCEEDED": Word.SUCCEEDED,
    "FAILED": Word.FAILED,
    "CANCELLED": Word.CANCELLED,
}
_REFUND_FAILURES: Mapping[str, tuple[FailureCode, str]] = {
    "INELIGIBLE_TRANSACTION": (FailureCode.DECLINED, "Xendit does not refund this payment, or not any more."),
    "INSUFFICIENT_BALANCE": (FailureCode.INSUFFICIENT_FUNDS, "The merchant's balance at Xendit is too low."),
    "REFUND_NOT_SUPPORTED": (FailureCode.DECLINED, "The payer's bank or wallet takes no refunds."),
    "CHANNEL_UNAVAILABLE": (FailureCode.PROVIDER_UNAVAILABLE, "The payer's bank or wallet cannot be reached."),
}
_REFUND_FAILED = (FailureCode.PROVIDER_ERROR, "The refund failed at Xendit.")
_TRIED_AND_LEFT = Failure(FailureCode.PROVIDER_ERROR, "The payment failed at Xendit.")


@dataclass(frozen=True, slots=True)
class Words:
    """Statuses that an account reads in other words of ours than those in code."""

    codes: Mapping[str, str] = field(default_factory=dict)
    payments: Mapping[str, str] = field(default_factory=dict)
    invoices: Mapping[str, str] = field(default_factory=dict)
    refunds: Mapping[str, str] = field(default_factory=dict)


def ours(status: str, known: Mapping[str, Word], instead: Mapping[str, str]) -> Word:
    """Our word for a status, the account's own map first."""
    return Word(instead.get(status) or known.get(status, Word.UNKNOWN))


def _because(report: Report) -> Report:
    """With a failure where an account's own words make one of it."""
    if report.word is not Word.FAILED:
        return report
    return replace(report, failure=replace(_TRIED_AND_LEFT, provider_code=report.provider_status))


# QR codes


def read_code(told: Mapping[str, Any], payments: Iterable[Mapping[str, Any]], words: Words, now: datetime) -> Report:
    """A code with its payments, which count before its own status. No end of a code is ever told: the clock says it."""
    code_id, status, ends = wire.identifier(told["id"]), wire.word(told["status"]), wire.moment(told.get("expires_at"))
    known = ours(status, CODE_WORDS, words.codes)
    tries = [read_code_payment(payment, code_id, words) for payment in payments]
    moved = tuple(money for one in tries for money in one.moved)
    strange = [one for one in tries if one.word is Word.UNKNOWN]
    if strange:
        return strange[0]
    if moved:
        return Report(Word.SUCCEEDED, code_id, "SUCCEEDED", moved)
    pending = [one for one in tries if one.word is Word.PENDING]
    if pending:
        return pending[0]
    if ends is not None and ends <= now and known in (Word.REQUIRES_ACTION, Word.PENDING):
        return Report(Word.EXPIRED, code_id, status)
    return _because(Report(known, code_id, status, expires_at=ends if known is Word.REQUIRES_ACTION else None))


def read_code_payment(told: Mapping[str, Any], code_id: str, words: Words) -> Report:
    status, money = wire.word(told["status"]), wire.rupiah(told["amount"], told.get("currency"))
    receipt = wire.identifier(told["id"])
    if told.get("qr_id", code_id) != code_id:
        raise ValueError("a payment of another code")
    report = Report(ours(status, PAYMENT_WORDS, words.payments), code_id, status)
    if report.word is not Word.SUCCEEDED:
        return _because(report)
    return replace(report, moved=(MoneyMoved(ReceiptKind.CAPTURE, money, receipt),))


def code_shown(told: Mapping[str, Any], order: Order) -> dict[str, Any] | None:
    """The code to be scanned; None where it is about other money, and must be shown to nobody."""
    try:
        code = wire.text(told["qr_string"])
        fits = wire.rupiah(told["amount"], told.get("currency")) == order.money
        return {"type": "qr", "qr_string": code} if fits else None
    except (KeyError, TypeError, ValueError):
        return None


# Invoices


def read_invoice(told: Mapping[str, Any], words: Words) -> Report:
    """One number for the money of an invoice, its own: only the callback names the payment behind it."""
    invoice_id, status = wire.identifier(told["id"]), wire.word(told["status"])
    asked = wire.rupiah(told["amount"], told.get("currency"))
    report = Report(ours(status, INVOICE_WORDS, words.invoices), invoice_id, status)
    if report.word is Word.REQUIRES_ACTION:
        return replace(report, expires_at=wire.moment(told.get("expiry_date")))
    if report.word is not Word.SUCCEEDED:
        return _because(report)
    paid = told.get("paid_amount")
    money = asked if paid is None else wire.rupiah(paid, told.get("currency"))
    return replace(report, moved=(MoneyMoved(ReceiptKind.CAPTURE, money, invoice_id),))


def invoice_shown(told: Mapping[str, Any], order: Order) -> dict[str, Any] | None:
    """The page to be opened; None where it does not ask for what was asked for."""
    try:
        fits = wire.rupiah(told["amount"], told.get("currency")) == order.money
        return {"type": "redirect", "url": wire.text(told["invoice_url"])} if fits else None
    except (KeyError, TypeError, ValueError):
        return None


# Refunds


def read_refund(told: Mapping[str, Any], words: Words) -> Report:
    refund_id, status, money = wire.identifier(told["id"]), wire.word(told["status"]), refunded_money(told)
    report = Report(ours(status, REFUND_WORDS, words.refunds), refund_id, status)
    if report.word is Word.SUCCEEDED:
        return replace(report, moved=(MoneyMoved(ReceiptKind.REFUND, money, refund_id),))
    if report.word is Word.FAILED:
        code = wire.word(told.get("failure_code") or status)
        failure, message = _REFUND_FAILURES.get(code, _REFUND_FAILED)
        return replace(report, failure=Failure(failure, message, code))
    return report


def refunded_money(told: Mapping[str, Any]) -> Money:
    """Refunds of codes name their own amount beside that of the payment."""
    return wire.rupiah(told.get("refund_amount", told.get("amount")), told.get("currency"))


def find_refund(listed: Iterable[Mapping[str, Any]], *, key: str, refund_id: str = "") -> Mapping[str, Any] | None:
    """The refund of that id, or else the one that carries our key as its reference."""
    for refund in listed:
        if refund.get("id") == refund_id if refund_id else refund.get("reference_id") == key:
            return refund
    return None


# Fees


def read_cost(listed: Iterable[Mapping[str, Any]], reference: str) -> Cost | None:
    """What Xendit keeps of the one payment with our reference; None while that is not final, or not this simple."""
    ours = [item for item in listed if is_money_in(item, reference)]
    fee = kept_of(ours[0]["fee"]) if len(ours) == 1 else None
    if fee is None:
        return None
    item = ours[0]
    settles = wire.moment(item.get("estimated_settlement_time"))
    return Cost(
        settled=wire.rupiah(item["amount"], item.get("currency")),
        fee=fee,
        reference=wire.identifier(item["id"]),
        settles_on=settles.date() if settles else None,
    )


def kept_of(fee: Mapping[str, Any]) -> Money | None:
    """Xendit's fee and the tax on it; None while they are not final, or where tax was withheld beside them."""
    withheld = [fee.get(name) for name in ("xendit_withholding_tax", "third_party_withholding_tax")]
    if fee.get("status") != "COMPLETED" or any(wire.number(tax) for tax in withheld if tax is not None):
        return None
    kept = wire.number(fee["xendit_fee"]) + wire.number(fee["value_added_tax"])
    return Money(1, wire.CURRENCY).times(kept * Decimal(100))


def is_money_in(item: Mapping[str, Any], reference: str) -> bool:
    """Whether a transaction is money that has come under our reference."""
    told = [item.get(name) for name in ("reference_id", "type", "status", "cashflow")]
    return told == [reference, "PAYMENT", "SUCCESS", "MONEY_IN"]


# Callbacks


def read_notice(told: Mapping[str, Any], webhook_id: str, words: Words) -> Notice:
    """By its shape: an envelope with its `event`, the flat callback of an invoice, or a code of the first version."""
    event = told.get("event")
    if event is None:
        return _of_invoice(told, webhook_id, words)
    if not isinstance(event, str):
        raise ValueError("an event without a name")
    if event == "qr.payment":
        return _of_code(_as_second_version(told), webhook_id, words)
    if event.partition(".")[0] == "refund" or event.startswith("qr.refund"):
        return _of_refund(told["data"], webhook_id, words)
    return Notice(Topic.NOTHING, event_id=webhook_id)


def _as_second_version(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the header `api-version` Xendit speaks its first version: everything at the top, the code inside."""
    data = told.get("data")
    if data is not None:
        return dict(data)
    code = told["qr_code"]
    return {**told, "qr_id": code["id"], "reference_id": code["external_id"]}


def _of_code(data: Mapping[str, Any], webhook_id: str, words: Words) -> Notice:
    report = read_code_payment(data, wire.identifier(data["qr_id"]), words)
    event_id = webhook_id or f"{wire.identifier(data['id'])} {report.provider_status}"
    return _of_payment(report, event_id, wire.identifier(data["reference_id"]))


def _of_invoice(told: Mapping[str, Any], webhook_id: str, words: Words) -> Notice:
    report = read_invoice(told, words)
    event_id = webhook_id or f"{report.provider_id} {report.provider_status}"
    return _of_payment(report, event_id, wire.identifier(told["external_id"]))


def _of_payment(report: Report, event_id: str, reference: str) -> Notice:
    """That it can still be paid, as after a try that failed, is nothing that we act on."""
    if report.word is Word.REQUIRES_ACTION:
        return Notice(Topic.NOTHING, event_id=event_id, reference=reference)
    return Notice(Topic.PAYMENT, report, event_id=event_id, payment_provider_id=report.provider_id, reference=reference)


def _of_refund(data: Mapping[str, Any], webhook_id: str, words: Words) -> Notice:
    """Of an invoice, or of the payment of a code, whichever it names."""
    report = read_refund(data, words)
    payment, receipt = data.get("invoice_id") or data.get("qr_id"), data.get("qrpy_id") or data.get("payment_id")
    reference, invoice = data.get("reference_id"), data.get("invoice_id")
    return Notice(
        Topic.REFUND,
        report,
        event_id=webhook_id or f"{report.provider_id} {report.provider_status}",
        payment_provider_id=wire.identifier(payment) if payment else "",
        reference=wire.identifier(reference) if reference else "",
        money=refunded_money(data),
        receipt=wire.identifier(invoice or receipt) if invoice or receipt else "",
    )
