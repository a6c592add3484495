"""Refunds of a captured charge. Source: docs.stripe.com/refunds and docs.stripe.com/api/refunds."""

from __future__ import annotations

from typing import Any

from simulators.stripe.account import Account, Cause
from simulators.stripe.amounts import check_divisible
from simulators.stripe.cards import CARDS_BY_FINGERPRINT
from simulators.stripe.errors import StripeError, missing
from simulators.stripe.form import Parameters
from simulators.stripe.objects import refund

JSON = dict[str, Any]
CREATE_PARAMETERS = ("payment_intent", "charge", "amount", "reason", "metadata")
REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(account: Account, cause: Cause) -> JSON:
    parameters = cause.parameters
    asked = parameters.integer("amount")
    reason, metadata = parameters.choice("reason", REASONS), parameters.metadata({})
    paid = _charge(account, parameters)
    amount = _amount(account, paid, asked)
    afterwards = CARDS_BY_FINGERPRINT[paid["payment_method_details"]["card"]["fingerprint"]].afterwards
    made = refund(paid, amount, reason, metadata)
    if afterwards == "refund_pending":
        made["status"] = "pending"
    made["balance_transaction"] = account.book(made, -amount, "refund")
    account.keep(made)
    account.notes.put(made["id"], {"idempotency_key": cause.idempotency_key})
    _give_back(account, paid, amount)
    account.tell(cause, "charge.refunded", paid)
    account.tell(cause, "refund.created", made)
    return made


def _charge(account: Account, parameters: Parameters) -> JSON:
    intent_id, charge_id = parameters.text("payment_intent"), parameters.text("charge")
    if not intent_id and not charge_id:
        raise StripeError("One of the following params should be provided for this request: payment_intent or charge.")
    if intent_id:
        intent = account.need("payment_intent", intent_id, param="payment_intent", status=400)
        if not intent["latest_charge"] or (charge_id and charge_id != intent["latest_charge"]):
            raise StripeError(f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.")
        charge_id = intent["latest_charge"]
    paid = account.get(charge_id or "")
    if paid is None or paid["object"] != "charge":
        raise missing("charge", charge_id or "", "charge", 400)
    return paid


def _amount(account: Account, paid: JSON, asked: int | None) -> int:
    if not paid["paid"] or not paid["captured"]:
        message = f"Charge {paid['id']} has not been captured. Cancel its PaymentIntent instead of refunding it."
        raise StripeError(message, executed=True)
    if paid["disputed"] and not account.need("dispute", paid["dispute"])["is_charge_refundable"]:
        raise StripeError(
            f"Charge {paid['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
            executed=True,
        )
    left = paid["amount_captured"] - paid["amount_refunded"]
    if left <= 0:
        raise StripeError(
            f"Charge {paid['id']} has already been refunded.", code="charge_already_refunded", executed=True
        )
    amount = left if asked is None else asked
    _check(amount, left, paid)
    return amount


def _check(amount: int, left: int, paid: JSON) -> None:
    if amount < 1:
        raise StripeError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    check_divisible(amount, paid["currency"])
    if amount > left:
        currency = paid["currency"].upper()
        message = f"Refund amount ({amount} {currency}) is greater than unrefunded amount on charge ({left} {currency})"
        raise StripeError(message, param="amount", executed=True)


def _give_back(account: Account, paid: JSON, amount: int) -> None:
    paid["amount_refunded"] += amount
    paid["refunded"] = paid["amount_refunded"] == paid["amount_captured"]
    account.keep(paid)


def succeed(account: Account, cause: Cause, made: JSON) -> None:
    _move(account, cause, made, "succeeded")


def require_action(account: Account, cause: Cause, made: JSON) -> None:
    _move(account, cause, made, "requires_action")


def fail(account: Account, cause: Cause, made: JSON) -> None:
    """Days after its success a refund can come back: the money is the merchant's again."""
    made["failure_reason"] = "expired_or_canceled_card"
    _return(account, cause, made, "failed")


def cancel(account: Account, cause: Cause, made: JSON) -> JSON:
    if made["status"] != "requires_action":
        message = f"You can only cancel a refund with status requires_action; this one is {made['status']}."
        raise StripeError(message, executed=True)
    _return(account, cause, made, "canceled")
    return made


def _return(account: Account, cause: Cause, made: JSON, status: str) -> None:
    made["failure_balance_transaction"] = account.book(made, made["amount"], "refund_failure")
    _give_back(account, account.need("charge", made["charge"]), -made["amount"])
    _move(account, cause, made, status)


def _move(account: Account, cause: Cause, made: JSON, status: str) -> None:
    before, made["status"] = made["status"], status
    account.keep(made)
    account.tell(cause, "refund.updated", made, {"status": before})
    if status == "failed":
        account.tell(cause, "refund.failed", made)
    account.tell(cause, "charge.refund.updated", made, {"status": before})
