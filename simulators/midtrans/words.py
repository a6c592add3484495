"""Statuses, their codes, and the amounts that mean something. Amounts in whole rupiah."""

from __future__ import annotations

from simulators.magic import magic_amounts

PENDING, SETTLEMENT, DENY, CANCEL, EXPIRE = "pending", "settlement", "deny", "cancel", "expire"
REFUND, PARTIAL_REFUND = "refund", "partial_refund"
ENDED_UNPAID = (DENY, CANCEL, EXPIRE)

# Source: docs.midtrans.com/reference/https-notification-webhooks.
CODES = {
    PENDING: "201",
    SETTLEMENT: "200",
    DENY: "202",
    CANCEL: "202",
    EXPIRE: "202",
    REFUND: "200",
    PARTIAL_REFUND: "200",
}

# What the payer can do, by the words of `POST /_simulator/simulate`.
OUTCOMES = {
    "succeed": SETTLEMENT,
    "fail": DENY,
    "insufficient_funds": DENY,
    "approve": SETTLEMENT,
    "approve_by_qr": SETTLEMENT,
    "late_success": SETTLEMENT,
    "decline": DENY,
    "cancel": CANCEL,
    "timeout": EXPIRE,
    "expire": EXPIRE,
}
DASHBOARD_REFUND = "refund"
"""What the merchant does at Midtrans' own dashboard: all that is left is given back."""

DECLINED, REFUND_DENIED = "declined", "refund_denied"
# On a charge or a refund; trouble with the connection comes once per Idempotency-Key.
MAGIC_AMOUNTS = magic_amounts(
    {
        19: "callback_bad_signature",
        21: "callback_tampered",
        22: DECLINED,
        24: REFUND_DENIED,
    }
)
