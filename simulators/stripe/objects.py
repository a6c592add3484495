"""Stripe's objects as they go over the wire.

Source: Stripe's published OpenAPI document and fixtures (github.com/stripe/openapi), mid-2026.
"""

from __future__ import annotations

import random
import string
import time
from typing import Any

from simulators.stripe.amounts import converted, fee
from simulators.stripe.cards import Card, Decline

JSON = dict[str, Any]
LETTERS = string.ascii_letters + string.digits
SETTLEMENT_SECONDS = 2 * 86_400
SEVEN_DAYS = 7 * 86_400
# Shared between objects and never changed in place: it keeps a long run's memory small.
NO_ADDRESS: JSON = {
    "city": None,
    "country": None,
    "line1": None,
    "line2": None,
    "postal_code": None,
    "state": None,
}
NO_BILLING: JSON = {"address": NO_ADDRESS, "email": None, "name": None, "phone": None, "tax_id": None}
EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip
CHECKS: JSON = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
PAID: JSON = {
    "advice_code": None,
    "network_advice_code": None,
    "network_decline_code": None,
    "network_status": "approved_by_network",
    "reason": None,
    "risk_level": "normal",
    "seller_message": "Payment complete.",
    "type": "authorized",
}


def new_id(prefix: str) -> str:
    """Such as `pi_3SampleA1b2C3d4…`: a prefix and 24 letters and digits."""
    return f"{prefix}_3" + "".join(random.choices(LETTERS, k=23))


def now() -> int:
    return int(time.time())


def payment_method(card: Card) -> JSON:
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": NO_BILLING,
        "card": {
            "brand": card.brand,
            "checks": CHECKS,
            "country": "US",
            "display_brand": card.brand,
            "exp_month": 8,
            "exp_year": 2030,
            "fingerprint": card.fingerprint,
            "funding": card.funding,
            "generated_from": None,
            "last4": card.number[-4:],
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def payment_intent(amount: int, currency: str) -> JSON:
    """A PaymentIntent that only knows its money; the caller sets the rest."""
    id = new_id("pi")
    return {
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": f"{id}_secret_" + "".join(random.choices(LETTERS, k=25)),
        "confirmation_method": "automatic",
        "created": now(),
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def charge(intent: JSON, method: JSON, *, captured: bool, authenticated: bool) -> JSON:
    """A charge that the bank approved, for the whole amount of its intent."""
    amount = intent["amount"]
    return {
        "id": new_id("ch"),
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if captured else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "LANGO SIMULATOR",
        "captured": captured,
        "created": now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "dispute": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": PAID,
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {
            "card": _card_details(method["card"], captured, authenticated),
            "type": "card",
        },
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }


def _card_details(card: JSON, captured: bool, authenticated: bool) -> JSON:
    details = {
        name: card[name]
        for name in ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    }
    details |= {"mandate": None, "network": card["brand"], "network_token": {"used": False}, "wallet": None}
    details["three_d_secure"] = (
        {
            "authentication_flow": "challenge",
            "result": "authenticated",
            "result_reason": None,
            "version": "2.2.0",
        }
        if authenticated
        else None
    )
    if not captured:
        details["capture_before"] = now() + SEVEN_DAYS
    return details


def refuse(charge: JSON, decline: Decline) -> None:
    """Turn a charge into one that the bank refused."""
    charge |= {
        "amount_captured": 0,
        "captured": False,
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": PAID
        | {
            "network_status": "declined_by_network",
            "reason": decline.decline_code or decline.code,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        },
        "paid": False,
        "status": "failed",
    }


def refund(charge: JSON, amount: int, reason: str | None, metadata: dict[str, str]) -> JSON:
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": now(),
        "currency": charge["currency"],
        "customer": None,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "failure_reason": None,
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def balance_transaction(
    source: JSON, amount: int, type: str, *, currency: str, rate: float | None, dispute_fee: int = 0
) -> JSON:
    """A line of the balance; only a charge and a dispute cost a fee. A refund's amount is negative.

    `amount` is in the source's currency, and `rate` leads to `currency` where that is another one.
    """
    amount = amount if rate is None else converted(amount, rate)
    cost = fee(amount) if type == "charge" else dispute_fee
    detail = {
        "amount": cost,
        "application": None,
        "currency": currency,
        "description": "Dispute fee" if dispute_fee else "Stripe processing fees",
        "type": "stripe_fee",
    }
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now() + SETTLEMENT_SECONDS,
        "balance_type": "payments",
        "created": now(),
        "currency": currency,
        "description": source.get("description"),
        "exchange_rate": rate,
        "fee": cost,
        "fee_details": [detail] if cost else [],
        "net": amount - cost,
        "reporting_category": _category(type, amount),
        "source": source["id"],
        "status": "pending",
        "type": type,
    }


def _category(type: str, amount: int) -> str:
    """An adjustment is a dispute's money here, taken or given back."""
    return type if type != "adjustment" else "dispute" if amount < 0 else "dispute_reversal"


def dispute(charge: JSON, *, inquiry: bool = False) -> JSON:
    return {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now(),
        "currency": charge["currency"],
        "evidence": dict.fromkeys(EVIDENCE),
        "evidence_details": {
            "due_by": now() + SEVEN_DAYS,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "general" if inquiry else "fraudulent",
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def listing(rows: list[JSON], url: str, has_more: bool) -> JSON:
    return {"object": "list", "data": rows, "has_more": has_more, "url": url}
