"""Statuses, their codes, and the amounts that mean something. Amounts in whole rupiah."""

from __future__ import annotations

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
MAGIC_AMOUNTS = {
    66_601: "reset_before",
    66_602: "reset_after",
    66_603: "timeout_before",
    66_604: "timeout_after",
    66_605: "500_before",
    66_606: "500_after",
    66_607: "hang",
    66_608: "html_after",
    66_609: "empty_after",
    66_610: "429",
    66_611: "callback_duplicate",
    66_612: "callback_late",
    66_613: "callback_reordered",
    66_614: "callback_missing",
    66_615: "callback_before_answer",
    66_619: "callback_bad_signature",
    66_621: "callback_tampered",
    66_622: DECLINED,
    66_624: REFUND_DENIED,
}
