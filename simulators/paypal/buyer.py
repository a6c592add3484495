"""The payer's side of PayPal: the approval page, and what happens with time or at the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from simulators.callbacks import Sender
from simulators.ledger import Conflict
from simulators.outcomes import no_such
from simulators.paypal.amounts import units_of
from simulators.paypal.books import PAYER, Books, Cause, now, reversal_id
from simulators.paypal.magic import MAGIC_AMOUNTS
from simulators.paypal.orders import Orders
from simulators.paypal.payments import Payments
from simulators.paypal.settings import PaypalSettings
from simulators.paypal.webhooks import Webhooks, dispute

JSON = dict[str, Any]
EMAIL = "buyer@example.com"
OPEN = ("CREATED", "PAYER_ACTION_REQUIRED")
Step = Callable[["Buyer", Cause, JSON], None]


class Buyer:
    """Acts from outside a call: every step takes the lock and then sends its events."""

    def __init__(self, books: Books, orders: Orders, payments: Payments, webhooks: Webhooks) -> None:
        self.books, self.orders, self.payments, self._webhooks = books, orders, payments, webhooks

    def act(self, id: str, outcome: str, callback_mode: str = "") -> JSON:
        """Let `outcome` happen to an order or a payment. ValueError: no such outcome. Conflict: not now."""
        if outcome not in EVERY_OUTCOME:
            raise no_such(outcome, EVERY_OUTCOME)
        with self.books.lock:
            row = self.books.find(id)
            if row is None:
                raise KeyError(id)
            row = self._meant(row, outcome)
            step = OUTCOMES.get((row.get("kind", "order"), row["document"]["status"]), {}).get(outcome)
            if step is None:
                raise Conflict(f"{id} is {row['document']['status']}: {outcome} is not possible now")
            cause = Cause(row["app"], callback_mode=callback_mode)
            step(self, cause, row)
        self._webhooks.publish(cause)
        return row

    def _meant(self, row: JSON, outcome: str) -> JSON:
        """An order that is paid stands for its capture, where that is what the outcome is about."""
        if "kind" in row or outcome in OUTCOMES.get(("order", row["document"]["status"]), {}):
            return row
        captures = self.books.of(row["id"], "capture")
        return captures[-1] if captures else row

    def approve(self, cause: Cause, order: JSON, refuses: str | None = None) -> None:
        """The payer agrees. `refuses` is the issue with which the capture is then refused; None keeps a magic one."""
        document = order["document"]
        was_refused = document["status"] == "APPROVED"
        order["refuses"] = ("" if was_refused else order["refuses"]) if refuses is None else refuses
        payer = {"payer_id": PAYER, "email_address": EMAIL}
        document |= {"status": "APPROVED", "payer": payer, "payment_source": {"paypal": {"account_id": PAYER}}}
        self.books.keep(order)
        cause.events.append(("CHECKOUT.ORDER.APPROVED", "checkout-order", order))

    def reverse_approval(self, cause: Cause, order: JSON) -> None:
        order["document"]["status"] = "VOIDED"
        self.books.keep(order)
        resource = {"order_id": order["id"], "purchase_units": order["document"]["units"]}
        told = {"app": order["app"], "resource": resource}
        cause.events.append(("CHECKOUT.PAYMENT-APPROVAL.REVERSED", "payment-approval", told))

    def expire(self, cause: Cause, order: JSON) -> None:
        """Nobody came in time: the order is there no more, and nobody is told."""
        order["created"] = 0
        self.books.keep(order)

    def settle(self, cause: Cause, row: JSON, status: str) -> None:
        """What was pending comes to its end."""
        document = row["document"]
        row["came_back"] = document["status"] == "COMPLETED"
        document["status"] = status
        document.pop("status_details", None)
        if row["kind"] == "capture" and status == "COMPLETED":
            amount = document["amount"]
            told = self.orders.breakdown(units_of(amount), amount["currency_code"])
            document["seller_receivable_breakdown"] = told
        self.books.keep(row)
        if row["kind"] == "refund":
            self.payments.count(self.books.payments.get(row["parent"]) or row)
            type = "PAYMENT.CAPTURE.REFUNDED" if status == "COMPLETED" else f"PAYMENT.REFUND.{status}"
        else:
            type = "PAYMENT.CAPTURE.COMPLETED" if status == "COMPLETED" else "PAYMENT.CAPTURE.DENIED"
        cause.events.append((type, row["kind"], row))

    def give_back(self, cause: Cause, paid: JSON) -> None:
        """The merchant refunds at PayPal's own dashboard."""
        self.payments.refund(cause, paid, {})

    def reverse(self, cause: Cause, paid: JSON) -> None:
        """PayPal takes the money back by itself."""
        paid["document"]["status"] = "REFUNDED"
        paid["reversed_at"] = now()
        self.books.keep(paid)
        taken = paid | {
            "kind": "refund",
            "parent": paid["id"],
            "document": {**paid["document"], "id": reversal_id(paid)},
        }
        cause.events.append(("PAYMENT.CAPTURE.REVERSED", "refund", taken))

    def dispute(self, cause: Cause, paid: JSON, status: str = "WAITING_FOR_SELLER_RESPONSE", outcome: str = "") -> None:
        paid["disputed"] = not outcome
        self.books.keep(paid)
        told = {"app": paid["app"], "resource": dispute(paid, status, outcome)}
        cause.events.append((f"CUSTOMER.DISPUTE.{'RESOLVED' if outcome else 'CREATED'}", "dispute", told))

    def expire_authorization(self, cause: Cause, held: JSON) -> None:
        held["document"]["status"] = "VOIDED"
        self.books.keep(held)
        cause.events.append(("PAYMENT.AUTHORIZATION.VOIDED", "authorization", held))


def _refusing(issue: str) -> Step:
    return lambda buyer, cause, order: buyer.approve(cause, order, issue)


def _settled(status: str) -> Step:
    return lambda buyer, cause, row: buyer.settle(cause, row, status)


def _allow(buyer: Buyer, cause: Cause, setup: JSON) -> None:
    """The payer lets the account be saved."""
    setup["document"]["status"] = "APPROVED"
    buyer.books.keep(setup)


def _revoke(buyer: Buyer, cause: Cause, token: JSON) -> None:
    """The payer takes a saved account back, at PayPal's own page."""
    buyer.books.vault.remove(token["id"])
    told = {"app": token["app"], "resource": {"id": token["id"]}}
    cause.events.append(("VAULT.PAYMENT-TOKEN.DELETED", "payment_token", told))


def _nothing(buyer: Buyer, cause: Cause, order: JSON) -> None:
    """A payer who goes back to the shop changes nothing, and nobody is told."""


_APPROVALS: dict[str, Step] = {
    "succeed": Buyer.approve,
    "fail": _refusing("TRANSACTION_REFUSED"),
    "expire": Buyer.expire,
    "approve": Buyer.approve,
    "decline": _refusing("TRANSACTION_REFUSED"),
    "instrument_declined": _refusing("INSTRUMENT_DECLINED"),
    "insufficient_funds": _refusing("PAYER_CANNOT_PAY"),
    "cancel": _nothing,
    "timeout": Buyer.expire,
}
_PAID: dict[str, Step] = {
    "refund": Buyer.give_back,
    "reverse": Buyer.reverse,
    "dispute": Buyer.dispute,
    "dispute_won": lambda buyer, cause, paid: buyer.dispute(cause, paid, "RESOLVED", "RESOLVED_SELLER_FAVOUR"),
    "dispute_lost": lambda buyer, cause, paid: buyer.dispute(cause, paid, "RESOLVED", "RESOLVED_BUYER_FAVOUR"),
}
# What a person, PayPal or time can do, by the kind and the status of the object.
OUTCOMES: dict[tuple[str, str], dict[str, Step]] = {
    ("order", "CREATED"): _APPROVALS,
    ("order", "PAYER_ACTION_REQUIRED"): _APPROVALS,
    ("order", "APPROVED"): {**_APPROVALS, "reverse_approval": Buyer.reverse_approval},
    ("capture", "PENDING"): {
        "succeed": _settled("COMPLETED"),
        "fail": _settled("DECLINED"),
        "complete": _settled("COMPLETED"),
        "deny": _settled("DECLINED"),
    },
    ("capture", "COMPLETED"): _PAID,
    ("capture", "PARTIALLY_REFUNDED"): _PAID,
    ("setup", "PAYER_ACTION_REQUIRED"): {"approve": _allow, "cancel": _nothing},
    ("token", "CREATED"): {"revoke": _revoke},
    ("authorization", "CREATED"): {"expire": Buyer.expire_authorization},
    ("refund", "PENDING"): {"complete": _settled("COMPLETED"), "fail": _settled("FAILED")},
    ("refund", "COMPLETED"): {"fail": _settled("FAILED")},
}
EVERY_OUTCOME = sorted({outcome for outcomes in OUTCOMES.values() for outcome in outcomes})


class Clock:
    """Ends what is pending after its time."""

    def __init__(self, buyer: Buyer, settings: PaypalSettings, sender: Sender) -> None:
        self._buyer, self._settings, self._sender = buyer, settings, sender

    def wind(self, row: JSON) -> None:
        """Start the clock of a capture or refund that waits; without a magic amount a person ends it."""
        outcome = self._outcome(row) if row["document"]["status"] == "PENDING" else ""
        if outcome:
            self._sender.timer.later(self._settings.pending_seconds, lambda: self._strike(row["id"], outcome))

    def _outcome(self, row: JSON) -> str:
        paid = row if row["kind"] == "capture" else self._buyer.books.payments.get(row["parent"]) or row
        order = self._buyer.books.orders.get(row["order"]) or {}
        amount = (order.get("document") or {}).get("units", [{}])[0].get("amount") or paid["document"]["amount"]
        hundredths = units_of(amount) * (1 if "." in amount["value"] else 100)
        word = MAGIC_AMOUNTS.get(hundredths, "")
        ends = {"pending": "complete", "denied": "deny", "refund_pending": "complete", "refund_fails": "fail"}
        return ends.get(word, "")

    def _strike(self, id: str, outcome: str) -> None:
        try:
            self._buyer.act(id, outcome)
        except (Conflict, KeyError):
            # A person or a reset was faster than the clock.
            return


def way_back(order: JSON, outcome: str) -> str:
    """Where the page sends the browser, with PayPal's words; empty where no address was given. Never proof."""
    cancelled = outcome == "cancel"
    is_setup = "kind" in order
    back = str(order["cancel_url"] if cancelled else order["return_url"])
    if not back:
        return ""
    words = {"approval_token_id" if is_setup else "token": order["id"]} | (
        {} if cancelled or is_setup else {"PayerID": PAYER}
    )
    parts = urlsplit(back)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *words.items()])
    return urlunsplit(parts._replace(query=query))


def known_as(row: Mapping[str, Any]) -> set[str]:
    """Everything the caller may know an order or a refund by."""
    document = row["document"]
    units = [document, *document.get("units", [])]
    names = {unit.get(name) for unit in units for name in ("custom_id", "invoice_id")}
    return {str(name) for name in (*names, row["key"]) if name}
