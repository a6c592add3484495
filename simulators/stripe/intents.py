"""The life of a PaymentIntent.

Source: docs.stripe.com/payments/paymentintents/lifecycle and docs.stripe.com/api/payment_intents.
"""

from __future__ import annotations

from typing import Any

from simulators.stripe.account import Account, Cause
from simulators.stripe.amounts import check_amount, check_currency
from simulators.stripe.charges import attempt
from simulators.stripe.customers import check_usable, named
from simulators.stripe.errors import StripeError, unexpected_state
from simulators.stripe.form import Parameters
from simulators.stripe.objects import now, payment_intent

JSON = dict[str, Any]
CREATE_PARAMETERS = (
    "amount", "currency", "customer", "payment_method", "payment_method_types", "automatic_payment_methods",
    "confirm", "confirmation_method", "capture_method", "off_session", "setup_future_usage", "return_url",
    "error_on_requires_action", "description", "metadata", "receipt_email", "statement_descriptor",
    "statement_descriptor_suffix", "mandate_data", "payment_method_options", "shipping", "use_stripe_sdk",
)  # fmt: skip
UPDATE_PARAMETERS = (
    "amount", "currency", "customer", "payment_method", "payment_method_types", "description", "metadata",
    "receipt_email", "statement_descriptor", "statement_descriptor_suffix", "setup_future_usage",
    "capture_method", "payment_method_options", "shipping",
)  # fmt: skip
CONFIRM_PARAMETERS = (
    "payment_method", "return_url", "off_session", "setup_future_usage", "error_on_requires_action",
    "capture_method", "mandate_data", "payment_method_types", "payment_method_options", "receipt_email",
    "shipping", "use_stripe_sdk",
)  # fmt: skip
CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
TEXTS = ("description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix")
UNCONFIRMED = ("requires_payment_method", "requires_confirmation", "requires_action")
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
# docs.stripe.com/upgrades: automatic payment methods by default, then automatic_async by default.
AUTOMATIC_METHODS_SINCE, ASYNC_CAPTURE_SINCE = "2023-08-16", "2024-04-10"
NO_RETURN_URL = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of "
    "these payment methods might redirect your customer off of your page, you must provide a `return_url`. "
    "If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to "
    "`true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and "
    "Payment Intents."
)
NO_METHOD = (
    "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
    "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
    "payment method or ConfirmationToken."
)


def create(account: Account, cause: Cause) -> JSON:
    """A new intent, confirmed at once when `confirm=true`. StripeError before anything is kept, or 402."""
    parameters = cause.parameters
    intent = _new_intent(account, cause)
    confirm = parameters.boolean("confirm")
    for name in ("off_session", "return_url", "error_on_requires_action"):
        if name in parameters and not confirm:
            raise StripeError(f"You can only set `{name}` if `confirm` is `true`.", param=name)
    if method := parameters.text("payment_method"):
        _attach(account, intent, method)
    if confirm:
        _check_confirmation(intent, parameters)
    account.keep(intent)
    account.notes.put(intent["id"], {"idempotency_key": cause.idempotency_key})
    account.tell(cause, "payment_intent.created", intent)
    return attempt(account, cause, intent) if confirm else intent


def _new_intent(account: Account, cause: Cause) -> JSON:
    parameters = cause.parameters
    amount = parameters.integer("amount")
    if amount is None:
        raise StripeError("Missing required param: amount.", code="parameter_missing", param="amount")
    currency = check_currency(parameters.required("currency"))
    check_amount(amount, currency)
    intent = payment_intent(amount, currency)
    _set_details(account, intent, parameters)
    default = "automatic_async" if cause.version[:10] >= ASYNC_CAPTURE_SINCE else "automatic"
    intent["capture_method"] = parameters.choice("capture_method", CAPTURE_METHODS) or default
    ways = ("automatic", "manual")
    intent["confirmation_method"] = parameters.choice("confirmation_method", ways) or "automatic"
    intent["automatic_payment_methods"] = _automatic_methods(cause)
    return intent


def _automatic_methods(cause: Cause) -> JSON | None:
    group = cause.parameters.group("automatic_payment_methods")
    given = cause.parameters.texts("payment_method_types")
    if given and group.get("enabled") == "true":
        raise StripeError(
            "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
            param="payment_method_types",
        )
    if group and group.get("enabled") not in ("true", "false"):
        raise StripeError(
            "Missing required param: automatic_payment_methods[enabled].",
            code="parameter_missing",
            param="automatic_payment_methods[enabled]",
        )
    on = group.get("enabled") == "true" or (not (group or given) and cause.version[:10] >= AUTOMATIC_METHODS_SINCE)
    return {"allow_redirects": group.get("allow_redirects", "always"), "enabled": True} if on else None


def _set_details(account: Account, intent: JSON, parameters: Parameters) -> None:
    for name in TEXTS:
        if name in parameters:
            intent[name] = parameters.text(name)
    if customer := parameters.text("customer"):
        intent["customer"] = account.need("customer", customer, param="customer", status=400)["id"]
    for kind in parameters.texts("payment_method_types") or []:
        if kind != "card":
            message = f'The payment method type "{kind}" is invalid.'
            raise StripeError(message, param="payment_method_types")
    if "setup_future_usage" in parameters:
        intent["setup_future_usage"] = parameters.choice("setup_future_usage", ("on_session", "off_session"))
    if "shipping" in parameters:
        intent["shipping"] = parameters.group("shipping") or None
    intent["metadata"] = parameters.metadata(intent["metadata"])


def _attach(account: Account, intent: JSON, id: str) -> None:
    method = named(account, id)
    check_usable(account, method, intent["customer"])
    intent["payment_method"] = method["id"]
    if intent["status"] == "requires_payment_method":
        intent["status"] = "requires_confirmation"


def _check_confirmation(intent: JSON, parameters: Parameters) -> None:
    automatic = intent["automatic_payment_methods"]
    if automatic and automatic["allow_redirects"] == "always" and not parameters.text("return_url"):
        raise StripeError(NO_RETURN_URL)
    if not intent["payment_method"]:
        raise StripeError(NO_METHOD, code="payment_intent_unexpected_state", payment_intent=intent)
    for name in ("off_session", "error_on_requires_action"):
        parameters.boolean(name)


def update(account: Account, cause: Cause, intent: JSON) -> JSON:
    parameters = cause.parameters
    changed = dict(intent)
    if any(name in parameters for name in ("amount", "currency", "payment_method", "capture_method")):
        if intent["status"] not in UNCONFIRMED:
            raise unexpected_state(intent, "updated", UNCONFIRMED)
        _set_money(changed, parameters)
    _set_details(account, changed, parameters)
    if method := parameters.text("payment_method"):
        _attach(account, changed, method)
    intent |= changed
    return account.keep(intent)


def _set_money(intent: JSON, parameters: Parameters) -> None:
    intent["currency"] = check_currency(parameters.text("currency") or intent["currency"])
    amount = parameters.integer("amount")
    intent["amount"] = intent["amount"] if amount is None else amount
    check_amount(intent["amount"], intent["currency"])
    intent["capture_method"] = parameters.choice("capture_method", CAPTURE_METHODS) or intent["capture_method"]


def confirm(account: Account, cause: Cause, intent: JSON) -> JSON:
    parameters = cause.parameters
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "confirmed", CONFIRMABLE)
    confirmed = dict(intent)
    if method := parameters.text("payment_method"):
        _attach(account, confirmed, method)
    _check_confirmation(confirmed, parameters)
    if parameters.choice("capture_method", CAPTURE_METHODS):
        confirmed["capture_method"] = parameters.text("capture_method")
    intent |= confirmed
    return attempt(account, cause, account.keep(intent))


def cancel(account: Account, cause: Cause, intent: JSON) -> JSON:
    reason = cause.parameters.choice("cancellation_reason", CANCELLATION_REASONS)
    if intent["status"] not in CANCELABLE:
        raise unexpected_state(intent, "canceled", CANCELABLE)
    return give_up(account, cause, intent, reason)


def give_up(account: Account, cause: Cause, intent: JSON, reason: str | None) -> JSON:
    """Canceled, and what was authorised is released; Stripe itself does so with reason `automatic`."""
    intent |= {
        "amount_capturable": 0,
        "canceled_at": now(),
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    account.keep(intent)
    account.tell(cause, "payment_intent.canceled", intent)
    return intent
