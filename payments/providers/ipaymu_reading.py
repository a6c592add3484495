"""What iPaymu says of a payment, in our words. Sources and assumptions stand with the adapter.

A shape that is not iPaymu's raises KeyError, TypeError, AttributeError or ValueError.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core import qris
from core.money import Money
from payments.providers import ipaymu_wire as wire
from payments.providers.base import Cost, Failure, FailureCode, MoneyMoved, Order, ReceiptKind, Report, Word

_WORDS: Mapping[str, Word] = {
    "-2": Word.EXPIRED,
    "0": Word.REQUIRES_ACTION,
    "1": Word.SUCCEEDED,
    "2": Word.CANCELLED,
    "3": Word.UNKNOWN,  # given back at the dashboard: money came and went, and only a person knows how much
    "4": Word.FAILED,
    "5": Word.FAILED,
    "6": Word.SUCCEEDED,
    "7": Word.PENDING,  # held in escrow, which nothing here asks for: it may yet go back to the payer
}
_SETTLED = "1"
_FAILURES: Mapping[str, Failure] = {
    "4": Failure(FailureCode.PROVIDER_ERROR, "iPaymu could not process the payment.", "4"),
    "5": Failure(FailureCode.DECLINED, "The payment was declined.", "5"),
}
_MERCHANT = "MERCHANT"
PAGE = "hosted_page"


def reported(status: str, provider_id: str, words: Mapping[str, str]) -> Report:
    """Without money. `words` reads statuses in other words of ours than those in code."""
    word = Word(words.get(status) or _WORDS.get(status, Word.UNKNOWN))
    failure = _FAILURES.get(status, replace(_FAILURES["5"], provider_code=status)) if word is Word.FAILED else None
    return Report(word, provider_id, status, failure=failure)


def captured(money: Money, transaction_id: str) -> tuple[MoneyMoved, ...]:
    return (MoneyMoved(ReceiptKind.CAPTURE, money, transaction_id),)


def read_created(told: Mapping[str, Any], order: Order) -> Report:
    """The answer to a direct payment, with the code that its payer is shown."""
    _check_reference(told, order)
    report = Report(Word.REQUIRES_ACTION, wire.identifier(told["TransactionId"]), "0")
    report = replace(report, expires_at=wire.moment(told.get("Expired")))
    action = _action(told, order, code=told.get("QrString") or told.get("PaymentNo"))
    if action is None or not _costs_the_payer_nothing(told, order):
        return replace(report, word=Word.UNKNOWN, provider_status="0, not as asked")
    return replace(report, next_action=action)


def read_page(told: Mapping[str, Any], order: Order) -> Report:
    """The answer to a hosted page: there is no transaction before the payer has chosen how to pay."""
    session, url = wire.identifier(told["SessionID"]), wire.text(told["Url"])
    return Report(Word.REQUIRES_ACTION, session, "0", next_action={"type": "redirect", "url": url})


def _costs_the_payer_nothing(told: Mapping[str, Any], order: Order) -> bool:
    """With `BUYER` the code is about the fee too, whatever was asked."""
    direction = str(told.get("FeeDirection") or _MERCHANT).upper()
    return direction == _MERCHANT and wire.rupiah(told["Total"]) == order.money


def _action(told: Mapping[str, Any], order: Order, code: object) -> dict[str, str] | None:
    """What the payer is shown; None where it is not what was asked for, and must be shown to nobody."""
    try:
        if order.method == "qris":
            return {"type": "qr", "qr_string": wire.text(code)}
        channel = wire.text(told.get("Channel") or told.get("PaymentChannel")).lower()
        if channel != order.channel:
            return None
        return {"type": "instructions", "channel": channel, "code": wire.code(code)}
    except ValueError:
        return None


def read_transaction(told: Mapping[str, Any], order: Order, words: Mapping[str, str]) -> Report:
    """What check transaction shows. A page keeps the name of its session; its transaction is its money's."""
    _check_reference(told, order)
    transaction = wire.identifier(told["TransactionId"])
    report = reported(wire.number(told["Status"]), _known_as(told, order, transaction), words)
    if _contradicts(told, report):
        return replace(report, word=Word.UNKNOWN, provider_status=f"{report.provider_status}, {told['PaidStatus']}")
    if report.word is Word.REQUIRES_ACTION:
        report = replace(report, expires_at=wire.moment(told.get("ExpiredDate")))
        code = told.get("PaymentCode")
        if not code or order.method == PAGE or (order.method == "qris" and not str(code).startswith(qris.BEGINNING)):
            return report
        return replace(report, next_action=_action(told, order, code))
    if report.word is not Word.SUCCEEDED:
        return report
    money = wire.rupiah(told["Amount"])
    return replace(report, moved=captured(money, transaction), cost=_cost(told, report.provider_status, money))


def _known_as(told: Mapping[str, Any], order: Order, transaction: str) -> str:
    if order.method == PAGE:
        return order.provider_id or wire.identifier(told["SessionId"])
    if order.provider_id and order.provider_id != transaction:
        raise ValueError("another transaction than that which was asked about")
    return transaction


def _contradicts(told: Mapping[str, Any], report: Report) -> bool:
    """Whether it is called paid and is not, or the other way round. It may be left out."""
    paid = str(told.get("PaidStatus") or "").lower()
    return (paid == "unpaid" and report.word is Word.SUCCEEDED) or (
        paid == "paid" and report.word in (Word.REQUIRES_ACTION, Word.EXPIRED, Word.CANCELLED, Word.FAILED)
    )


def _cost(told: Mapping[str, Any], status: str, money: Money) -> Cost | None:
    """Final with the settlement. A fee that cannot be read keeps no money from being booked: it is asked for again."""
    try:
        fee = wire.rupiah(told.get("Fee"))
    except ValueError:
        return None
    if status != _SETTLED or fee > money:
        return None
    settled = wire.moment(told.get("SettlementDate"))
    return Cost(money, fee, wire.identifier(told["TransactionId"]), settled.date() if settled else None)


def combined(reports: Sequence[Report]) -> Report:
    """Several transactions of one reference, the newest first: what is paid counts, and all of it; then what may be."""
    paid = [report for report in reports if report.moved]
    if len(paid) > 1:
        return replace(paid[0], moved=tuple(moved for report in paid for moved in report.moved), cost=None)
    if paid:
        return paid[0]
    ended = (Word.FAILED, Word.CANCELLED, Word.EXPIRED)
    return next((report for report in reports if report.word not in ended), reports[0])


def _check_reference(told: Mapping[str, Any], order: Order) -> None:
    if told["ReferenceId"] != order.reference:
        raise ValueError("an answer about another payment")


def listed(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The transactions of one page of the history. Two names are documented for them."""
    rows = told["Transaction"] if "Transaction" in told else told["Results"]
    if not isinstance(rows, list):
        raise ValueError("no list")
    return rows
