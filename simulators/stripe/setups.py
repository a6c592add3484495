"""The life of a SetupIntent: a card is saved for later, with 3-D Secure where its bank wants it.

Source: docs.stripe.com/payments/setupintents/lifecycle, docs.stripe.com/api/setup_intents and
docs.stripe.com/testing (which cards ask for authentication when they are set up).
"""

from __future__ import annotations

import random
from typing import Any

from simulators.stripe.account import Account, Cause
from simulators.stripe.cards import CARDS_BY_FINGERPRINT, Card, Decline
from simulators.stripe.customers import check_usable, named, put_with
from simulators.stripe.errors import StripeError, documentation
from simulators.stripe.objects import LETTERS, new_id, now

JSON = dict[str, Any]
CREATE_PARAMETERS = (
    "automatic_payment_methods", "confirm", "customer", "description", "mandate_data", "metadata", "payment_method",
    "payment_method_options", "payment_method_types", "return_url", "usage", "use_stripe_sdk",
)  # fmt: skip
CONFIRM_PARAMETERS = ("mandate_data", "payment_method", "payment_method_options", "return_url", "use_stripe_sdk")
USAGES = ("off_session", "on_session")
CANCELLATION_REASONS = ("abandoned", "requested_by_customer", "duplicate")
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
FAILED_AUTHENTICATION = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
    "PaymentMethod to attempt to fulfill this SetupIntent again."
)


def create(account: Account, cause: Cause) -> JSON:
    """A new intent, confirmed at once when `confirm=true`. StripeError before anything is kept, or 402."""
    parameters = cause.parameters
    confirm = parameters.boolean("confirm")
    if "return_url" in parameters and not confirm:
        raise StripeError("You can only set `return_url` if `confirm` is `true`.", param="return_url")
    intent = _new_intent(account, cause)
    if method := parameters.text("payment_method"):
        _give(account, intent, method)
    if confirm:
        _check_confirmation(intent, parameters.text("return_url"))
    account.keep(intent)
    account.notes.put(intent["id"], {"idempotency_key": cause.idempotency_key})
    account.tell(cause, "setup_intent.created", intent)
    return _attempt(account, cause, intent) if confirm else intent


def _new_intent(account: Account, cause: Cause) -> JSON:
    parameters = cause.parameters
    types = parameters.texts("payment_method_types")
    for kind in types or []:
        if kind != "card":
            message = f'The payment method type "{kind}" is invalid.'
            raise StripeError(message, param="payment_method_types")
    customer = parameters.text("customer")
    if customer:
        account.need("customer", customer, param="customer", status=400)
    id = new_id("seti")
    return {
        "id": id,
        "object": "setup_intent",
        "application": None,
        "automatic_payment_methods": None if types else {"allow_redirects": "always", "enabled": True},
        "cancellation_reason": None,
        "client_secret": f"{id}_secret_" + "".join(random.choices(LETTERS, k=25)),
        "created": now(),
        "customer": customer,
        "description": parameters.text("description"),
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": parameters.metadata({}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": parameters.choice("usage", USAGES) or "off_session",
    }


def _give(account: Account, intent: JSON, id: str) -> None:
    method = named(account, id)
    check_usable(account, method, intent["customer"])
    intent["payment_method"] = method["id"]
    if intent["status"] == "requires_payment_method":
        intent["status"] = "requires_confirmation"


def _check_confirmation(intent: JSON, return_url: str | None) -> None:
    if intent["automatic_payment_methods"] and not return_url:
        message = (
            "This SetupIntent is configured to accept payment methods enabled in your Dashboard, some of which may "
            "redirect: you must provide a `return_url`."
        )
        raise StripeError(message)
    if not intent["payment_method"]:
        message = "You cannot confirm this SetupIntent because it's missing a payment method."
        raise StripeError(message, code="setup_intent_unexpected_state", setup_intent=intent)


def confirm(account: Account, cause: Cause, intent: JSON) -> JSON:
    if intent["status"] not in OPEN:
        raise _unexpected_state(intent, "confirmed")
    confirmed = dict(intent)
    if method := cause.parameters.text("payment_method"):
        _give(account, confirmed, method)
    _check_confirmation(confirmed, cause.parameters.text("return_url"))
    intent |= confirmed
    return _attempt(account, cause, intent)


def _card(account: Account, intent: JSON) -> Card:
    method = account.need("payment_method", intent["payment_method"])
    return CARDS_BY_FINGERPRINT[method["card"]["fingerprint"]]


def _attempt(account: Account, cause: Cause, intent: JSON) -> JSON:
    intent |= {"last_setup_error": None, "next_action": None, "latest_attempt": new_id("setatt")}
    if _card(account, intent).authentication != "never":
        return _challenge(account, cause, intent)
    return _settle(account, cause, intent)


def _challenge(account: Account, cause: Cause, intent: JSON) -> JSON:
    page = f"{cause.origin}/_simulator/3d_secure/{intent['id']}"
    back = cause.parameters.text("return_url")
    intent["status"] = "requires_action"
    account.notes.put(intent["id"], (account.notes.get(intent["id"]) or {}) | {"return_url": back})
    if back:
        intent["next_action"] = {"redirect_to_url": {"return_url": back, "url": page}, "type": "redirect_to_url"}
    else:
        source = {"source": new_id("src"), "stripe_js": page, "type": "three_d_secure_redirect"}
        intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": source}
    account.keep(intent)
    account.tell(cause, "setup_intent.requires_action", intent)
    return intent


def authenticated(account: Account, cause: Cause, intent: JSON) -> None:
    """The payer passed the challenge; what the bank says then shows in the intent and its events."""
    try:
        _settle(account, cause, intent)
    except StripeError:
        # There is no call to answer.
        return


def authentication_failed(account: Account, cause: Cause, intent: JSON) -> None:
    code = "setup_intent_authentication_failure"
    error = {
        "code": code,
        "doc_url": documentation(code),
        "message": FAILED_AUTHENTICATION,
        "payment_method": account.need("payment_method", intent["payment_method"]),
        "type": "invalid_request_error",
    }
    _fail(account, cause, intent, error)


def _settle(account: Account, cause: Cause, intent: JSON) -> JSON:
    card = _card(account, intent)
    if card.setup_decline:
        raise _decline(account, cause, intent, card.setup_decline)
    method = account.need("payment_method", intent["payment_method"])
    if intent["usage"] == "off_session":
        account.notes.put(method["id"], (account.notes.get(method["id"]) or {}) | {"set_up": True})
    if intent["customer"]:
        put_with(account, cause, method, intent["customer"])
    intent |= {"next_action": None, "status": "succeeded"}
    account.keep(intent)
    account.tell(cause, "setup_intent.succeeded", intent)
    return intent


def _decline(account: Account, cause: Cause, intent: JSON, decline: Decline) -> StripeError:
    error = StripeError(
        decline.message,
        status=402,
        type="card_error",
        code=decline.code,
        decline_code=decline.decline_code,
        payment_method=account.need("payment_method", intent["payment_method"]),
        executed=True,
    )
    _fail(account, cause, intent, dict(error.error))
    error.error["setup_intent"] = intent
    return error


def _fail(account: Account, cause: Cause, intent: JSON, error: JSON) -> None:
    intent |= {
        "last_setup_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    account.keep(intent)
    account.tell(cause, "setup_intent.setup_failed", intent)


def cancel(account: Account, cause: Cause, intent: JSON) -> JSON:
    reason = cause.parameters.choice("cancellation_reason", CANCELLATION_REASONS)
    if intent["status"] not in OPEN:
        raise _unexpected_state(intent, "canceled")
    return give_up(account, cause, intent, reason)


def give_up(account: Account, cause: Cause, intent: JSON, reason: str | None) -> JSON:
    intent |= {"cancellation_reason": reason, "next_action": None, "status": "canceled"}
    account.keep(intent)
    account.tell(cause, "setup_intent.canceled", intent)
    return intent


def abandon(account: Account, cause: Cause, intent: JSON) -> None:
    give_up(account, cause, intent, "abandoned")


def _unexpected_state(intent: JSON, verb: str) -> StripeError:
    message = (
        f"You cannot perform this action: the SetupIntent could not be {verb} because it has a status of "
        f"{intent['status']}. Only one with one of the following statuses may be {verb}: {', '.join(OPEN)}."
    )
    return StripeError(message, code="setup_intent_unexpected_state", executed=True, setup_intent=intent)
