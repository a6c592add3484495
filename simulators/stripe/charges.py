"""What the bank does with a confirmed PaymentIntent: approve, refuse, challenge; and captures.

Source: docs.stripe.com/payments/paymentintents/lifecycle, docs.stripe.com/testing and
docs.stripe.com/payments/place-a-hold-on-a-payment-method.
"""

from __future__ import annotations

from typing import Any

from simulators.stripe import disputes as disputes
from simulators.stripe.account import Account, Cause
from simulators.stripe.cards import (
    AUTHENTICATION_REQUIRED,
    CARDS_BY_FINGERPRINT,
    DECLINING_AMOUNTS,
    PROCESSING_AMOUNT,
    Card,
    Decline,
)
from simulators.stripe.customers import put_with
from simulators.stripe.errors import StripeError, documentation, unexpected_state
from simulators.stripe.objects import charge, new_id, refuse

JSON = dict[str, Any]
FAILED_AUTHENTICATION = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
    "PaymentMethod to attempt to fulfill this PaymentIntent again."
)


def attempt(account: Account, cause: Cause, intent: JSON) -> JSON:
    """One try to be paid. StripeError 402 when the bank says no; the intent is then payable again."""
    parameters = cause.parameters
    off_session = bool(parameters.boolean("off_session"))
    notes = account.notes.get(intent["id"]) or {}
    intent["last_payment_error"] = intent["next_action"] = None
    if _wants_authentication(account, intent, off_session) and not notes.get("authenticated"):
        if off_session or parameters.boolean("error_on_requires_action"):
            raise _decline(account, cause, intent, AUTHENTICATION_REQUIRED)
        return _challenge(account, cause, intent)
    return settle(account, cause, intent)


def _note(account: Account, intent: JSON, **facts: Any) -> None:
    account.notes.put(intent["id"], (account.notes.get(intent["id"]) or {}) | facts)


def _card(account: Account, intent: JSON) -> Card:
    method = account.need("payment_method", intent["payment_method"])
    return CARDS_BY_FINGERPRINT[method["card"]["fingerprint"]]


def _wants_authentication(account: Account, intent: JSON, off_session: bool) -> bool:
    asked = _card(account, intent).authentication
    if asked == "unless_set_up":
        return not (account.notes.get(intent["payment_method"]) or {}).get("set_up")
    return asked == "always" or (asked == "on_session" and not off_session)


def _challenge(account: Account, cause: Cause, intent: JSON) -> JSON:
    page = f"{cause.origin}/_simulator/3d_secure/{intent['id']}"
    back = cause.parameters.text("return_url")
    intent["status"] = "requires_action"
    _note(account, intent, return_url=back)
    if back:
        intent["next_action"] = {
            "redirect_to_url": {"return_url": back, "url": page},
            "type": "redirect_to_url",
        }
    else:
        source = {"source": new_id("src"), "stripe_js": page, "type": "three_d_secure_redirect"}
        intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": source}
    account.keep(intent)
    account.tell(cause, "payment_intent.requires_action", intent)
    return intent


def authenticated(account: Account, cause: Cause, intent: JSON, decline: Decline | None = None) -> None:
    """The payer passed the challenge: the payment goes on, unless the server must confirm once more."""
    _note(account, intent, authenticated=True)
    intent["next_action"] = None
    if intent["confirmation_method"] == "manual":
        intent["status"] = "requires_confirmation"
        account.keep(intent)
        return
    try:
        settle(account, cause, intent, decline)
    except StripeError:
        # The intent and its events say so; there is no call to answer.
        return


def authentication_failed(account: Account, cause: Cause, intent: JSON) -> None:
    code = "payment_intent_authentication_failure"
    method = account.need("payment_method", intent["payment_method"])
    error = {
        "code": code,
        "doc_url": documentation(code),
        "message": FAILED_AUTHENTICATION,
        "payment_method": method,
        "type": "invalid_request_error",
    }
    _fail(account, cause, intent, error)


def settle(account: Account, cause: Cause, intent: JSON, decline: Decline | None = None) -> JSON:
    """Past authentication: charge the card, or raise its decline."""
    decline = decline or DECLINING_AMOUNTS.get(intent["amount"]) or _card(account, intent).decline
    if decline:
        raise _decline(account, cause, intent, decline)
    if intent["amount"] == PROCESSING_AMOUNT and intent["status"] != "processing":
        intent["status"], intent["next_action"] = "processing", None
        account.keep(intent)
        account.tell(cause, "payment_intent.processing", intent)
        return intent
    return _approve(account, cause, intent)


def _approve(account: Account, cause: Cause, intent: JSON) -> JSON:
    captured = intent["capture_method"] != "manual"
    paid = _new_charge(account, intent, captured)
    intent |= {"latest_charge": paid["id"], "next_action": None}
    if captured:
        intent |= {"amount_received": intent["amount"], "status": "succeeded"}
        if intent["capture_method"] == "automatic":
            _book_unless_delayed(account, paid)
    else:
        intent |= {"amount_capturable": intent["amount"], "status": "requires_capture"}
    account.keep(paid)
    account.keep(intent)
    _save(account, cause, intent)
    account.tell(cause, "charge.succeeded", paid)
    outcome = "succeeded" if captured else "amount_capturable_updated"
    account.tell(cause, f"payment_intent.{outcome}", intent)
    if _card(account, intent).afterwards == "dispute":
        disputes.open(account, cause, paid)
    return intent


def _save(account: Account, cause: Cause, intent: JSON) -> None:
    """With `setup_future_usage` and a customer, what was paid with is kept for later."""
    if intent["setup_future_usage"] and intent["customer"]:
        method = account.need("payment_method", intent["payment_method"])
        if intent["setup_future_usage"] == "off_session":
            account.notes.put(method["id"], (account.notes.get(method["id"]) or {}) | {"set_up": True})
        put_with(account, cause, method, intent["customer"])


def _new_charge(account: Account, intent: JSON, captured: bool) -> JSON:
    method = account.need("payment_method", intent["payment_method"])
    passed = bool((account.notes.get(intent["id"]) or {}).get("authenticated"))
    return charge(intent, method, captured=captured, authenticated=passed)


def _book_unless_delayed(account: Account, paid: JSON) -> None:
    if not account.settings.balance_delay_seconds:
        paid["balance_transaction"] = account.book(paid, paid["amount_captured"], "charge")


def unbooked(account: Account, intent: JSON) -> JSON | None:
    """The captured charge whose balance transaction is still to come."""
    paid = account.get(intent["latest_charge"] or "")
    return paid if paid and paid["captured"] and paid["balance_transaction"] is None else None


def book_later(account: Account, cause: Cause, intent: JSON) -> None:
    """With `automatic_async` the balance transaction comes after the answer, with `charge.updated`."""
    if paid := unbooked(account, intent):
        paid["balance_transaction"] = account.book(paid, paid["amount_captured"], "charge")
        account.keep(paid)
        account.tell(cause, "charge.updated", paid, {"balance_transaction": None})


def _decline(account: Account, cause: Cause, intent: JSON, decline: Decline) -> StripeError:
    method = account.need("payment_method", intent["payment_method"])
    refused = _new_charge(account, intent, captured=False)
    refuse(refused, decline)
    account.keep(refused)
    intent["latest_charge"] = refused["id"]
    error = StripeError(
        decline.message,
        status=402,
        type="card_error",
        code=decline.code,
        decline_code=decline.decline_code,
        charge=refused["id"],
        payment_method=method,
        executed=True,
    )
    account.tell(cause, "charge.failed", refused)
    _fail(account, cause, intent, dict(error.error))
    error.error["payment_intent"] = intent
    return error


def _fail(account: Account, cause: Cause, intent: JSON, error: JSON) -> None:
    intent |= {
        "last_payment_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    _note(account, intent, authenticated=False)
    account.keep(intent)
    account.tell(cause, "payment_intent.payment_failed", intent)


def capture(account: Account, cause: Cause, intent: JSON) -> JSON:
    """Take up to `amount_capturable`; the remainder is released."""
    wanted = cause.parameters.integer("amount_to_capture")
    if intent["status"] != "requires_capture":
        raise unexpected_state(intent, "captured", ("requires_capture",))
    amount = intent["amount_capturable"] if wanted is None else wanted
    if amount < 1:
        raise StripeError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount_to_capture",
        )
    if amount > intent["amount_capturable"]:
        message = (
            f"The provided amount_to_capture ({amount}) is greater than the amount that can be captured "
            f"({intent['amount_capturable']})."
        )
        raise StripeError(message, code="amount_too_large", param="amount_to_capture")
    return _capture(account, cause, intent, amount)


def _capture(account: Account, cause: Cause, intent: JSON, amount: int) -> JSON:
    held = account.need("charge", intent["latest_charge"])
    held |= {"amount_captured": amount, "captured": True}
    _book_unless_delayed(account, held)
    account.keep(held)
    intent |= {"amount_capturable": 0, "amount_received": amount, "status": "succeeded"}
    account.keep(intent)
    account.tell(cause, "charge.captured", held)
    account.tell(cause, "payment_intent.succeeded", intent)
    return intent
