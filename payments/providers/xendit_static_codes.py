"""Xendit's codes of `type: STATIC`, in our words. Sources and assumptions stand with the adapter.

A shape that is not Xendit's raises KeyError, TypeError, AttributeError or ValueError.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from core import qris
from core.companies import xendit as wire
from core.http import Response
from core.providers import NothingCreated, OutcomeUnknown, json_object
from payments.providers.base import MoneyMoved, ReceiptKind, Report, Word
from payments.providers.static_codes import CodeMoney, CodeQuestion
from payments.providers.xendit_answers import answer_to_a_question, listed, understood
from payments.providers.xendit_reading import CODE_WORDS, Words, is_money_in, ours, read_code_payment

_STRANGE = (KeyError, TypeError, AttributeError, ValueError)
_PAGE = "50"
_DUPLICATE = "DUPLICATE_ERROR"
_ONE_ONLY = (
    "Xendit has a static code of this merchant already, and its channel (the account's `channel_code`) allows one. "
    "Draw that one, or use an account with another channel."
)


def static_code(reference: str, channel: str) -> dict[str, Any]:
    """What is asked for: no amount, as the payer types it, and no end."""
    return {"reference_id": reference, "type": "STATIC", "currency": wire.CURRENCY, "channel_code": channel}


def read_created_code(reference: str, words: Words, response: Response, *, livemode: bool) -> Report:
    """Each is asked for once, under a reference of its own: that there is one already proves that this is none."""
    if response.status == 409 and _error_code(response) == _DUPLICATE:
        raise NothingCreated(_ONE_ONLY, code="declined", provider_code=_DUPLICATE)
    told = wire.shown(response)
    if told.get("reference_id") != reference:
        raise OutcomeUnknown("an answer about another code")
    return understood(partial(read_static_code, livemode=livemode), told, words)


def _error_code(response: Response) -> object:
    try:
        return json_object(response.body).get("error_code")
    except ValueError:
        return ""


def read_static_code(told: Mapping[str, Any], words: Words, *, livemode: bool) -> Report:
    """The code with its text, or UNKNOWN for one that is not as it was asked for and must be shown to nobody."""
    code_id, status = wire.identifier(told["id"]), wire.word(told["status"])
    ends = wire.moment(told.get("expires_at"))
    if ours(status, CODE_WORDS, words.codes) is not Word.REQUIRES_ACTION or not _stands(told, livemode=livemode):
        return Report(Word.UNKNOWN, code_id, f"{status}, not as asked")
    action = {"type": "qr", "qr_string": wire.text(told["qr_string"])}
    return Report(Word.REQUIRES_ACTION, code_id, status, next_action=action, expires_at=ends)


def _stands(told: Mapping[str, Any], *, livemode: bool) -> bool:
    """Whether it can be paid again and again with any amount. What test keys get need not be a code at all."""
    if told.get("type") != "STATIC" or told.get("amount") is not None or told.get("currency") != wire.CURRENCY:
        return False
    try:
        read = qris.parse(wire.text(told["qr_string"]))
    except qris.NotQris:
        return not livemode
    return not read.is_dynamic and read.amount is None and read.tip is None


def read_money(
    question: CodeQuestion,
    words: Words,
    transactions: Callable[[Mapping[str, str]], Mapping[str, Any]],
    answer: Response,
) -> CodeMoney:
    """How the payments of a code go on is not documented: beyond the first page the transactions are read."""
    told = answer_to_a_question(answer)
    paid = understood(paid_on_code, listed(told), question.provider_id, words)
    if not told.get("has_more") or question.money_id in [moved.provider_money_id for moved in paid.moved]:
        return paid
    by = {"product_id": question.money_id} if question.money_id else {"reference_id": question.reference}
    more = listed(transactions({**by, "limit": _PAGE}))
    beyond = understood(paid_by_transactions, more, question.reference)
    return CodeMoney(paid.moved + beyond.moved, paid.unreadable + beyond.unreadable)


def paid_on_code(payments: Iterable[Mapping[str, Any]], code_id: str, words: Words) -> CodeMoney:
    """Of the payments of a code those that have succeeded; a try that has not is no money."""
    moved: list[MoneyMoved] = []
    unreadable = 0
    for payment in payments:
        try:
            report = read_code_payment(payment, code_id, words)
        except _STRANGE:
            unreadable += 1
            continue
        moved += report.moved
        unreadable += report.word is Word.UNKNOWN
    return CodeMoney(tuple(moved), unreadable)


def paid_by_transactions(items: Iterable[Mapping[str, Any]], reference: str) -> CodeMoney:
    """The same from the list of transactions, where a payment of a code is called `product_id`."""
    moved: list[MoneyMoved] = []
    unreadable = 0
    for item in items:
        try:
            if is_money_in(item, reference):
                money = wire.rupiah(item["amount"], item.get("currency"))
                moved.append(MoneyMoved(ReceiptKind.CAPTURE, money, wire.identifier(item["product_id"])))
        except _STRANGE:
            unreadable += 1
    return CodeMoney(tuple(moved), unreadable)
