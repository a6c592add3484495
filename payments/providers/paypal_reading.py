"""PayPal's documents in our words. A shape that is not PayPal's raises KeyError, TypeError, AttributeError, ValueError.

Sources: PayPal's OpenAPI files checkout_orders_v2 and payments_payment_v2 (order, capture, authorization, refund,
seller_receivable_breakdown) and developer.paypal.com/api/rest/webhooks. Assumed, as they are silent: a refund is listed
with its order, and a webhook about a capture or an authorization names the order in its `supplementary_data`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from core.money import Money
from payments.providers import paypal_words as words
from payments.providers.failures import Failure, FailureCode
from payments.providers.reports import Cost, MoneyMoved, Notice, ReceiptKind, Report, Topic, Word

Document = Mapping[str, Any]

_VALUE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?", re.ASCII)
_ACTION_LINKS = ("payer-action", "approve", "redirect")
_FOREMOST = (Word.SUCCEEDED, Word.AUTHORIZED, Word.UNKNOWN, Word.PENDING, Word.CANCELLED, Word.FAILED)
"""Which of several captures or authorizations says how the order stands."""


@dataclass(frozen=True, slots=True)
class Words:
    """PayPal's statuses with our words, as the account has them."""

    order: Mapping[str, str]
    capture: Mapping[str, str]
    authorization: Mapping[str, str]
    refund: Mapping[str, str]


def read_order(order: Document, ours: Words) -> Report:
    """How an order stands, told by its captures, else by its authorizations, else by itself.

    That an order is COMPLETED says nothing of money, and an authorization outlives a capture that was declined.
    """
    order_id, status = text(order["id"]), text(order["status"])
    captured = _foremost(read_capture(capture, ours, order_id) for capture in payments_of(order, "captures"))
    held = _foremost(read_authorization(held, ours, order_id) for held in payments_of(order, "authorizations"))
    if captured is not None and not (held and captured.word is Word.FAILED and held.word is Word.AUTHORIZED):
        return _whole(captured, order, ours)
    if held is not None:
        return held
    report = Report(_word(ours.order, status), order_id, status)
    return replace(report, next_action=action(order)) if report.word is Word.REQUIRES_ACTION else report


def _whole(report: Report, order: Document, ours: Words) -> Report:
    """With the money of every capture; what each cost is told only where there is one."""
    every = [read_capture(capture, ours, report.provider_id) for capture in payments_of(order, "captures")]
    moved = tuple(moved for told in every for moved in told.moved)
    return replace(report, moved=moved, cost=report.cost if len(moved) == 1 else None)


def payments_of(order: Document, kind: str) -> list[Document]:
    """The order's captures, authorizations or refunds."""
    units = order.get("purchase_units") or []
    return [payment for unit in units for payment in (unit.get("payments") or {}).get(kind) or []]


def _foremost(reports: Iterable[Report]) -> Report | None:
    found = list(reports)
    places = {word: place for place, word in enumerate(_FOREMOST)}
    return min(found, key=lambda report: places.get(report.word, len(places)), default=None)


def read_capture(capture: Document, ours: Words, order_id: str) -> Report:
    capture_id, status = text(capture["id"]), text(capture["status"])
    report = Report(_word(ours.capture, status), order_id, status)
    if report.word is Word.SUCCEEDED:
        money = read_money(capture["amount"])
        return replace(report, moved=(MoneyMoved(ReceiptKind.CAPTURE, money, capture_id),), cost=_cost(capture, money))
    return replace(report, failure=_declined(capture)) if report.word is Word.FAILED else report


def read_authorization(held: Document, ours: Words, order_id: str) -> Report:
    status = text(held["status"])
    report = Report(_word(ours.authorization, status), order_id, status)
    if report.word is Word.AUTHORIZED:
        return replace(report, authorized=read_money(held["amount"]))
    return replace(report, failure=_declined(held)) if report.word is Word.FAILED else report


def read_refund(refund: Document, ours: Words) -> Report:
    refund_id, status = text(refund["id"]), text(refund["status"])
    report = Report(_word(ours.refund, status), refund_id, status)
    if report.word is Word.SUCCEEDED:
        return replace(report, moved=(MoneyMoved(ReceiptKind.REFUND, read_money(refund["amount"]), refund_id),))
    return replace(report, failure=_declined(refund)) if report.word is Word.FAILED else report


def _declined(document: Document) -> Failure:
    reason = _inside(document, "status_details", "reason") or _inside(document, "processor_response", "response_code")
    return failure(FailureCode.DECLINED, str(reason or document["status"]))


def failure(code: FailureCode, provider_code: str) -> Failure:
    return Failure(code, words.MESSAGES.get(code, "PayPal refused the request."), provider_code[:100])


def _word(table: Mapping[str, str], status: str) -> Word:
    return Word(table.get(status, Word.UNKNOWN))


def _cost(capture: Document, money: Money) -> Cost | None:
    """What PayPal kept, in the currency that it credits. None while it does not say, or says what we cannot read."""
    told = capture.get("seller_receivable_breakdown")
    if not isinstance(told, Mapping):
        return None
    try:
        gross, net = read_money(told["gross_amount"]), read_money(told["net_amount"])
        if gross != money or not gross.amount or gross < net:
            return None
        settled, credited = gross, net
        if told.get("receivable_amount"):
            credited = read_money(told["receivable_amount"])
            settled = credited.times(Decimal(gross.amount) / net.amount)
        return Cost(settled, settled - credited, text(capture["id"]))
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError):
        return None


def action(document: Document) -> Mapping[str, Any] | None:
    """The page to which the payer goes, of an order or of a refusal."""
    links = {link["rel"]: link["href"] for link in document.get("links") or []}
    found = next((links[name] for name in _ACTION_LINKS if name in links), None)
    if found is None:
        return None
    if not text(found).startswith(("https://", "http://")):
        raise ValueError("not the address of a page")
    return {"type": "redirect", "url": found}


def read_money(amount: Document) -> Money:
    value = amount["value"]
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise ValueError("an amount is a text of digits, and not below zero")
    return Money.from_major(Decimal(value), text(amount["currency_code"]))


def text(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("a text is missing")
    return value


def _inside(document: Document, *names: str) -> Any:
    """What lies there, None where anything on the way is missing."""
    found: Any = document
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


# Webhooks


def read_event(event: Document, ours: Words) -> Notice:
    event_id = text(event["id"])
    topic, kind = words.EVENTS.get(text(event["event_type"]), (Topic.NOTHING, ""))
    if topic is Topic.NOTHING:
        return Notice(topic, event_id=event_id)
    return replace(_READERS[topic](event["resource"], kind, ours), event_id=event_id)


def _read_payment(told: Document, kind: str, ours: Words) -> Notice:
    order_id = _order_of(told, kind)
    reference = told.get("custom_id") or next((unit.get("custom_id") for unit in told.get("purchase_units") or []), "")
    match kind:
        case words.CAPTURE:
            report = read_capture(told, ours, order_id)
        case words.AUTHORIZATION:
            report = read_authorization(told, ours, order_id)
        case words.ORDER:
            report = read_order(told, ours)
        case _:
            # The payer is given back what was never captured.
            report = Report(Word.EXPIRED, text(order_id), "APPROVAL_REVERSED")
    return Notice(Topic.PAYMENT, report, payment_provider_id=order_id, reference=str(reference or ""))


def _order_of(told: Document, kind: str) -> str:
    """Empty where the order is not named: `custom_id` then says whose it is."""
    if kind in (words.ORDER, words.REVERSAL):
        return text(told.get("order_id") or told["id"])
    return str(_inside(told, "supplementary_data", "related_ids", "order_id") or _above(told, "orders"))


def _above(told: Document, kind: str) -> str:
    """The id of what this belongs to, from its link `up`."""
    hrefs = [str(link["href"]) for link in told.get("links") or [] if link["rel"] == "up"]
    found = [re.search(rf"/{kind}/([A-Za-z0-9-]+)$", href) for href in hrefs]
    return next((match[1] for match in found if match), "")


def _read_refunded(told: Document, kind: str, ours: Words) -> Notice:
    """A refund, found by our operation key, or money that PayPal itself took back, which a person looks at."""
    report = read_refund(told, ours) if kind == words.REFUND else Report(Word.UNKNOWN, text(told["id"]), "REVERSED")
    return Notice(
        Topic.REFUND,
        report,
        reference=str(told.get("invoice_id") or "") if kind == words.REFUND else "",
        money=read_money(told["amount"]),
        receipt=str(_inside(told, "supplementary_data", "related_ids", "capture_id") or _above(told, "captures")),
    )


def _read_dispute(told: Document, kind: str, ours: Words) -> Notice:
    """Whose money is disputed, and nothing that we would act on: the event cannot be checked by a question yet."""
    report = Report(Word.UNKNOWN, text(told["dispute_id"]), str(told.get("status") or "")[:100])
    return Notice(Topic.DISPUTE, report, receipt=text(told["disputed_transactions"][0]["seller_transaction_id"]))


def _read_gone(told: Document, kind: str, ours: Words) -> Notice:
    """A saved account that its owner has taken back."""
    return Notice(Topic.METHOD, Report(Word.CANCELLED, text(told["id"]), "deleted"))


_READERS = {
    Topic.PAYMENT: _read_payment,
    Topic.REFUND: _read_refunded,
    Topic.DISPUTE: _read_dispute,
    Topic.METHOD: _read_gone,
}
