"""The bank's and the payer's side of Stripe: the challenge page, the phone, and what happens with time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from simulators.callbacks import Sender
from simulators.ledger import Conflict
from simulators.outcomes import no_such
from simulators.stripe import charges as charges
from simulators.stripe import customers as customers
from simulators.stripe import disputes as disputes
from simulators.stripe import intents as intents
from simulators.stripe import refunds as refunds
from simulators.stripe import setups as setups
from simulators.stripe.account import Account, Cause
from simulators.stripe.cards import CARDS_BY_FINGERPRINT, GENERIC, INSUFFICIENT
from simulators.stripe.settings import StripeSettings
from simulators.stripe.webhooks import deliver

JSON = dict[str, Any]
Step = Callable[[Account, Cause, JSON], object]


def _insufficient(account: Account, cause: Cause, intent: JSON) -> None:
    charges.authenticated(account, cause, intent, INSUFFICIENT)


def _abandon(account: Account, cause: Cause, intent: JSON) -> None:
    intents.give_up(account, cause, intent, "abandoned")


def _expire(account: Account, cause: Cause, intent: JSON) -> None:
    """Uncaptured for seven days: Stripe lets go of the money by itself."""
    held = account.need("charge", intent["latest_charge"])
    account.tell(cause, "charge.expired", held)
    intents.give_up(account, cause, intent, "automatic")


def _finish(account: Account, cause: Cause, intent: JSON) -> None:
    charges.settle(account, cause, intent)


def _refuse(account: Account, cause: Cause, intent: JSON) -> None:
    charges.authenticated(account, cause, intent, GENERIC)


def _of_charge(step: Step) -> Step:
    """A step that is taken with the charge of a paid intent."""
    return lambda account, cause, intent: step(account, cause, account.need("charge", intent["latest_charge"]))


def _closed_as(status: str) -> Step:
    return lambda account, cause, paid: disputes.close(account, cause, paid, status)


# What a person, the bank or time can do, by the kind and the status of the object.
OUTCOMES: dict[tuple[str, str], dict[str, Step]] = {
    ("payment_intent", "requires_action"): {
        "succeed": charges.authenticated,
        "fail": charges.authentication_failed,
        "expire": charges.authentication_failed,
        "approve": charges.authenticated,
        "decline": charges.authentication_failed,
        "timeout": charges.authentication_failed,
        "insufficient_funds": _insufficient,
        "cancel": _abandon,
    },
    ("payment_intent", "processing"): {"succeed": _finish, "fail": _refuse, "approve": _finish, "decline": _refuse},
    ("payment_intent", "requires_capture"): {"expire": _expire},
    ("payment_intent", "succeeded"): {
        "dispute": _of_charge(disputes.open),
        "inquiry": _of_charge(disputes.inquire),
        "inquiry_escalated": _of_charge(disputes.escalate),
        "inquiry_closed": _of_charge(_closed_as("warning_closed")),
        "dispute_won": _of_charge(_closed_as("won")),
        "dispute_lost": _of_charge(_closed_as("lost")),
        "dispute_reinstated": _of_charge(disputes.reinstate),
    },
    ("setup_intent", "requires_action"): {
        "succeed": setups.authenticated,
        "fail": setups.authentication_failed,
        "expire": setups.authentication_failed,
        "approve": setups.authenticated,
        "decline": setups.authentication_failed,
        "timeout": setups.authentication_failed,
        "cancel": setups.abandon,
    },
    ("payment_method", ""): {"renew": customers.renew},
    ("refund", "pending"): {
        "succeed": refunds.succeed,
        "fail": refunds.fail,
        "requires_action": refunds.require_action,
    },
    ("refund", "succeeded"): {"fail": refunds.fail},
    ("refund", "requires_action"): {"succeed": refunds.succeed, "fail": refunds.fail},
}
_INQUIRIES = ("warning_needs_response", "warning_under_review")
# What must be the status of the dispute before it can happen; "" is none.
DISPUTE_OUTCOMES: dict[str, tuple[str, ...]] = {
    "dispute": ("",),
    "inquiry": ("",),
    "inquiry_escalated": _INQUIRIES,
    "inquiry_closed": _INQUIRIES,
    "dispute_won": ("needs_response", "under_review"),
    "dispute_lost": ("needs_response", "under_review"),
    "dispute_reinstated": ("lost",),
}
EVERY_OUTCOME = sorted({outcome for outcomes in OUTCOMES.values() for outcome in outcomes})


class Bank:
    """Acts on accounts from outside a call: every step takes the account's lock and then sends its events."""

    def __init__(self, settings: StripeSettings, sender: Sender) -> None:
        self._settings, self._sender = settings, sender

    def act(self, account: Account, id: str, outcome: str, callback_mode: str = "") -> JSON:
        """Let `outcome` happen to a payment, refund, set-up or card. ValueError: no such outcome. Conflict: not now."""
        if outcome not in EVERY_OUTCOME:
            raise no_such(outcome, EVERY_OUTCOME)
        cause = Cause(version=self._settings.api_version, callback_mode=callback_mode)
        with account.lock:
            document = account.get(id)
            if document is None:
                raise KeyError(id)
            status = document.get("status", "")
            step = OUTCOMES.get((document["object"], status), {}).get(outcome)
            if step is None or not _fits_dispute(account, document, outcome):
                raise Conflict(f"{id} is {status}: {outcome} is not possible now")
            step(account, cause, document)
        self.publish(account, cause)
        return document

    def publish(self, account: Account, cause: Cause) -> None:
        """Send the events of a cause and start the clocks that they wind up."""
        self._wind(account, cause.events)
        deliver(account, cause, self._sender, self._settings)

    def resume(self, account: Account) -> None:
        """Wind up again what a restart stopped."""
        for intent in account.tables["pi"].rows():
            if intent["status"] in ("processing", "succeeded"):
                self._wind(account, [{"type": f"payment_intent.{intent['status']}", "data": {"object": intent}}])
        for refund in account.tables["re"].rows():
            self._wind(account, [{"type": "refund.created", "data": {"object": refund}}])

    def _wind(self, account: Account, events: Iterable[JSON]) -> None:
        for event in events:
            document = event["data"]["object"]
            match event["type"]:
                case "payment_intent.processing":
                    self._later(self._settings.processing_seconds, account, document["id"], "approve")
                case "payment_intent.succeeded" if charges.unbooked(account, document):
                    asynchronous = document["capture_method"] == "automatic_async"
                    settings = self._settings
                    self._sender.timer.later(
                        settings.balance_seconds if asynchronous else settings.balance_delay_seconds,
                        lambda id=document["id"]: self._book(account, id),  # type: ignore[misc]
                    )
                case "refund.created":
                    self._wind_refund(account, document)
                case "charge.dispute.updated" if document["status"] == "under_review":
                    self._wind_dispute(account, document)

    def _wind_refund(self, account: Account, refund: JSON) -> None:
        paid = account.need("charge", refund["charge"])
        card = CARDS_BY_FINGERPRINT[paid["payment_method_details"]["card"]["fingerprint"]]
        outcome = {"refund_pending": "succeed", "refund_fails": "fail"}.get(card.afterwards)
        if outcome and refund["status"] in ("pending", "succeeded"):
            self._later(self._settings.refund_seconds, account, refund["id"], outcome)

    def _wind_dispute(self, account: Account, asked: JSON) -> None:
        outcome = disputes.DECIDING_TEXTS.get(str(asked["evidence"]["uncategorized_text"]))
        if outcome:
            self._later(self._settings.dispute_seconds, account, asked["payment_intent"], outcome)

    def _later(self, seconds: float, account: Account, id: str, outcome: str) -> None:
        def strike() -> None:
            try:
                self.act(account, id, outcome)
            except (Conflict, KeyError):
                # A person or a reset was faster than the clock.
                return

        self._sender.timer.later(seconds, strike)

    def _book(self, account: Account, id: str) -> None:
        cause = Cause(version=self._settings.api_version)
        with account.lock:
            intent = account.get(id)
            if intent is None:
                return
            charges.book_later(account, cause, intent)
        self.publish(account, cause)


def _fits_dispute(account: Account, document: JSON, outcome: str) -> bool:
    wanted = DISPUTE_OUTCOMES.get(outcome)
    return wanted is None or disputes.status_of(account, document) in wanted


def return_address(account: Account, intent: JSON) -> str | None:
    """Where the challenge page sends the browser: the caller's `return_url` with Stripe's three words.

    Source: docs.stripe.com/payments/3d-secure/authentication-flow. Never proof of payment.
    """
    back = (account.notes.get(intent["id"]) or {}).get("return_url")
    if not back:
        return None
    paid = intent["status"] in ("succeeded", "requires_capture", "requires_confirmation")
    status = "succeeded" if paid else "pending" if intent["status"] == "processing" else "failed"
    kind = intent["object"]
    words = {
        kind: intent["id"],
        f"{kind}_client_secret": intent["client_secret"],
        "redirect_status": status,
    }
    parts = urlsplit(back)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *words.items()])
    return urlunsplit(parts._replace(query=query))


def known_as(account: Account, document: Mapping[str, Any]) -> set[str]:
    """Everything the caller may know a payment or refund by: metadata values and idempotency key."""
    notes = account.notes.get(document["id"]) or {}
    key = notes.get("idempotency_key")
    return {*document["metadata"].values(), *([key] if key else [])}
