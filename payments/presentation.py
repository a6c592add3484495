"""How payments, refunds and disputes look from outside: in answers, and masked in events."""

from typing import Any

from core import clock
from payments import codes
from payments.models import Attempt, Dispute, Operation, Payment, Refund, UnallocatedReceipt
from payments.states import OperationState


def present_payment(payment: Payment) -> dict[str, Any]:
    """The payment as the API shows it to the merchant whose it is."""
    return {
        "id": payment.pk,
        "object": "payment",
        "state": payment.state,
        "amount": payment.amount,
        "currency": payment.currency,
        "captured_amount": payment.captured_amount,
        "refunded_amount": payment.refunded_amount,
        "fee": _fee(payment),
        "settlement": _settlement(payment),
        "method": payment.method,
        "channel": payment.channel or None,
        "capture": payment.capture,
        "customer": payment.customer_id,
        "saved_method": payment.saved_method_id,
        "store": payment.store_id,
        "order": _order(payment),
        "off_session": payment.off_session,
        "payer": payment.instrument_hint or None,
        "reference": payment.reference or None,
        "description": payment.description or None,
        "next_action": codes.next_action_of(payment),
        "failure": _payment_failure(payment),
        "late": payment.late,
        "underpaid": payment.underpaid,
        "unconfirmed": payment.unconfirmed,
        "attempts": [_attempt(attempt) for attempt in payment.attempts.all()],
        "return_url": payment.return_url or None,
        "expires_at": clock.rfc3339(payment.expires_at) if payment.expires_at else None,
        "lines": payment.lines,
        "metadata": payment.metadata,
        "livemode": payment.livemode,
        "created_at": clock.rfc3339(payment.created_at),
    }


def payment_snapshot(payment: Payment) -> dict[str, Any]:
    """The payment as events carry it: no address where anybody could act on it (security.md 5)."""
    action = payment.next_action
    return {**present_payment(payment), "next_action": {"type": action["type"]} if action else None}


def present_refund(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.pk,
        "object": "refund",
        "state": refund.state,
        "payment": refund.payment_id,
        "amount": refund.amount,
        "currency": refund.currency,
        "reason": refund.reason or None,
        "origin": refund.origin,
        "failure": _failure(refund),
        "metadata": refund.metadata,
        "livemode": refund.livemode,
        "created_at": clock.rfc3339(refund.created_at),
    }


def present_dispute(dispute: Dispute) -> dict[str, Any]:
    """The dispute without the evidence that was given, which nobody is shown again."""
    answer = max(dispute.operations.all(), key=lambda row: row.pk, default=None)
    return {
        "id": dispute.pk,
        "object": "dispute",
        "state": dispute.state,
        "payment": dispute.payment_id,
        "amount": dispute.amount,
        "currency": dispute.currency,
        "reason": dispute.reason,
        "provider_id": dispute.provider_id,
        "provider_status": dispute.provider_status or None,
        "provider_reason": dispute.provider_reason or None,
        "evidence_due_at": clock.rfc3339(dispute.evidence_due_at) if dispute.evidence_due_at else None,
        "has_evidence": dispute.has_evidence,
        "submitted_at": clock.rfc3339(dispute.submitted_at) if dispute.submitted_at else None,
        "pending_response": answer.kind if answer and answer.state in _UNSETTLED else None,
        "failure": _failure(answer) if answer and answer.state == OperationState.FAILED else None,
        "late": dispute.late,
        "livemode": dispute.livemode,
        "created_at": clock.rfc3339(dispute.created_at),
    }


_UNSETTLED = (OperationState.CREATED, OperationState.SENDING, OperationState.UNKNOWN)


def present_unallocated(unallocated: UnallocatedReceipt) -> dict[str, Any]:
    return {
        "id": unallocated.pk,
        "object": "unallocated_receipt",
        "state": unallocated.state,
        "amount": unallocated.money.amount,
        "currency": unallocated.money.currency,
        "provider": unallocated.account.provider,
        "account": unallocated.account_id,
        "provider_money_id": unallocated.receipt.provider_money_id,
        "reference": unallocated.reference or None,
        "store": unallocated.store_id,
        "static_code": unallocated.static_code_id,
        "payer": unallocated.payer_hint or None,
        "payment": unallocated.payment_id,
        "livemode": unallocated.livemode,
        "created_at": clock.rfc3339(unallocated.created_at),
    }


def unallocated_snapshot(unallocated: UnallocatedReceipt) -> dict[str, Any]:
    """As events carry it: what a payer typed may be a name or a number, so it is read with a key only."""
    return {**present_unallocated(unallocated), "reference": None}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.pk,
        "provider": attempt.account.provider,
        "account": attempt.account_id,
        "state": attempt.state,
        "provider_reference": attempt.provider_reference,
        "provider_id": attempt.provider_id or None,
        "provider_status": attempt.provider_status or None,
        "failure": _failure(attempt),
        "created_at": clock.rfc3339(attempt.created_at),
    }


def _order(payment: Payment) -> dict[str, Any] | None:
    order = payment.order
    return {"source": order.source_id, "id": order.number, "written": order.written or None} if order else None


def _fee(payment: Payment) -> dict[str, Any] | None:
    """What the captures cost; None while nobody can say."""
    if payment.fee_amount is None:
        return None
    return {
        "amount": payment.fee_amount,
        "net_amount": payment.net_amount,
        "currency": payment.settlement_currency,
        "is_final": payment.fee_is_final,
    }


def _settlement(payment: Payment) -> dict[str, Any] | None:
    """The line by which the provider settles it; `date` is expected until it `is_settled`."""
    if not payment.settlement_reference:
        return None
    return {
        "reference": payment.settlement_reference,
        "date": payment.settles_on.isoformat() if payment.settles_on else None,
        "is_settled": payment.is_settled,
    }


def _payment_failure(payment: Payment) -> dict[str, Any] | None:
    shown = _failure(payment)
    return {**shown, "retryable": payment.failure_is_retryable} if shown else None


def _failure(row: Payment | Refund | Attempt | Operation) -> dict[str, str] | None:
    return {"code": row.failure_code, "message": row.failure_message} if row.failure_code else None
