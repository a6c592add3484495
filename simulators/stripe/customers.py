"""Customers and the payment methods that are attached to them.

Source: docs.stripe.com/api/customers, /api/payment_methods/attach and /detach, and Stripe's OpenAPI document.
"""

from __future__ import annotations

from typing import Any

from simulators.stripe.account import Account, Cause
from simulators.stripe.cards import CARDS_BY_FINGERPRINT, CARDS_BY_ID
from simulators.stripe.errors import StripeError
from simulators.stripe.form import Parameters
from simulators.stripe.objects import NO_ADDRESS, new_id, now, payment_method

JSON = dict[str, Any]
CUSTOMER_PARAMETERS = ("address", "description", "email", "metadata", "name", "phone", "invoice_settings")
METHOD_PARAMETERS = ("billing_details", "card", "metadata")
TEXTS = ("description", "email", "name", "phone")
USED_UP = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a "
    "connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use "
    "a PaymentMethod multiple times, you must attach it to a Customer first."
)


def create(account: Account, cause: Cause) -> JSON:
    customer: JSON = {
        "id": new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "email": None,
        "invoice_settings": {"custom_fields": None, "default_payment_method": None, "footer": None},
        "livemode": False,
        "metadata": {},
        "name": None,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    _set_details(customer, cause.parameters)
    account.keep(customer)
    account.notes.put(customer["id"], {"idempotency_key": cause.idempotency_key})
    account.tell(cause, "customer.created", customer)
    return customer


def update(account: Account, cause: Cause, customer: JSON) -> JSON:
    before = dict(customer)
    _set_details(customer, cause.parameters)
    changed = {name: before[name] for name in customer if customer[name] != before[name]}
    account.keep(customer)
    account.tell(cause, "customer.updated", customer, changed)
    return customer


def delete(account: Account, cause: Cause, customer: JSON) -> JSON:
    """For good, and with it the customer's payment methods."""
    for method in methods_of(account, customer["id"]):
        detach(account, cause, method)
    account.tables["cus"].remove(customer["id"])
    account.tell(cause, "customer.deleted", customer)
    return {"id": customer["id"], "object": "customer", "deleted": True}


def _set_details(customer: JSON, parameters: Parameters) -> None:
    for name in TEXTS:
        if name in parameters:
            customer[name] = parameters.text(name)
    if "address" in parameters:
        customer["address"] = NO_ADDRESS | parameters.group("address")
    if default := parameters.group("invoice_settings").get("default_payment_method"):
        customer["invoice_settings"] = customer["invoice_settings"] | {"default_payment_method": default}
    customer["metadata"] = parameters.metadata(customer["metadata"])


def methods_of(account: Account, customer_id: str) -> list[JSON]:
    """Newest first."""
    return [row for row in account.tables["pm"].newest_first() if row["customer"] == customer_id]


def named(account: Account, id: str) -> JSON:
    """A payment method that a parameter names; test ids such as pm_card_visa become a fresh one each time."""
    card = CARDS_BY_ID.get(id)
    if card:
        return account.keep(payment_method(card))
    return account.need("payment_method", id, param="payment_method", status=400)


def check_usable(account: Account, method: JSON, customer_id: str | None) -> None:
    """StripeError for a method that was given up, or that belongs to somebody else than the call names."""
    if (account.notes.get(method["id"]) or {}).get("detached"):
        raise StripeError(USED_UP, code="payment_method_unexpected_state", param="payment_method")
    if method["customer"] and method["customer"] != customer_id:
        raise StripeError(
            f"The provided PaymentMethod ({method['id']}) belongs to another Customer, or to one that you must "
            "include in the `customer` parameter.",
            param="payment_method",
        )


def attach(account: Account, cause: Cause, id: str) -> JSON:
    customer = account.need("customer", cause.parameters.required("customer"), param="customer", status=400)
    method = named(account, id)
    check_usable(account, method, customer["id"])
    decline = CARDS_BY_FINGERPRINT[method["card"]["fingerprint"]].setup_decline
    if decline:
        raise StripeError(
            decline.message,
            status=402,
            type="card_error",
            code=decline.code,
            decline_code=decline.decline_code,
            executed=True,
        )
    return put_with(account, cause, method, customer["id"])


def put_with(account: Account, cause: Cause, method: JSON, customer_id: str) -> JSON:
    """The method is the customer's from now on."""
    if method["customer"] != customer_id:
        method["customer"] = customer_id
        account.keep(method)
        account.tell(cause, "payment_method.attached", method)
    return method


def detach(account: Account, cause: Cause, method: JSON) -> JSON:
    """Permanent: it can never be used or attached again."""
    customer_id = method["customer"]
    if customer_id is None:
        message = "The payment method you provided is not attached to a customer so detachment is impossible."
        raise StripeError(message, code="payment_method_unexpected_state", executed=True)
    method["customer"] = None
    account.keep(method)
    account.notes.put(method["id"], (account.notes.get(method["id"]) or {}) | {"detached": True})
    account.tell(cause, "payment_method.detached", method, {"customer": customer_id})
    return method


def update_method(account: Account, cause: Cause, method: JSON) -> JSON:
    """The month in which a card ends, and what goes with it. Only of one that is attached."""
    if method["customer"] is None:
        raise StripeError("You must save this PaymentMethod to a customer before you can update it.", executed=True)
    card = cause.parameters.group("card")
    if unknown := set(card) - {"exp_month", "exp_year"}:
        name = f"card[{min(unknown)}]"
        raise StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    given = {name: _number(name, value) for name, value in card.items()}
    before = {name: method["card"][name] for name in given}
    method["card"] = method["card"] | given
    method["metadata"] = cause.parameters.metadata(method["metadata"])
    account.keep(method)
    account.tell(cause, "payment_method.updated", method, {"card": before} if before else {})
    return method


def _number(name: str, value: object) -> int:
    if not isinstance(value, str) or not value.isdigit():
        raise StripeError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=f"card[{name}]")
    return int(value)


def renew(account: Account, cause: Cause, method: JSON) -> None:
    """The bank has sent its customer a new card, and the card network tells Stripe of it."""
    before = {name: method["card"][name] for name in ("exp_month", "exp_year", "last4")}
    method["card"] = method["card"] | {"exp_year": method["card"]["exp_year"] + 4}
    account.keep(method)
    account.tell(cause, "payment_method.automatically_updated", method, {"card": before})
