"""Statuses, and the amounts that mean something. Amounts in whole rupiah."""

from __future__ import annotations

from simulators.magic import magic_amounts

ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"
PENDING, PAID, SETTLED, EXPIRED = "PENDING", "PAID", "SETTLED", "EXPIRED"
SUCCEEDED, FAILED = "SUCCEEDED", "FAILED"

# What the payer can do, by the words of `POST /_simulator/simulate`. Who is refused, or goes away, changes nothing.
APPROVE, LATE_SUCCESS, EXPIRE, NOTHING = "approve", "late_success", "expire", "nothing"
OUTCOMES = {
    "succeed": APPROVE,
    "fail": NOTHING,
    "insufficient_funds": NOTHING,
    "approve": APPROVE,
    "late_success": LATE_SUCCESS,
    "decline": NOTHING,
    "cancel": NOTHING,
    "timeout": EXPIRE,
    "expire": EXPIRE,
}

# Source: docs.xendit.co/qr-codes/test-scenarios; refusals by the amount that a code, or a refund, is asked for.
REFUSED_CODES = {
    10_100: (403, "CHANNEL_NOT_ACTIVATED"),
    10_101: (503, "CHANNEL_UNAVAILABLE"),
    10_102: (500, "SERVER_ERROR"),
}
REFUSED_REFUNDS = {
    10_300: (400, "MAXIMUM_REFUND_AMOUNT_REACHED"),
    10_301: (400, "PARTIAL_REFUND_NOT_SUPPORTED"),
    10_303: (400, "REFUND_NOT_SUPPORTED"),
    10_304: (400, "REFUND_IN_PROGRESS"),
    10_305: (403, "INELIGIBLE_TRANSACTION"),
}
FAILING_REFUNDS = {20_300: "INELIGIBLE_TRANSACTION", 20_301: "INSUFFICIENT_BALANCE"}

# Trouble with the connection comes once per reference.
MAGIC_AMOUNTS = magic_amounts(
    {
        19: "callback_bad_signature",
        21: "callback_tampered",
    }
)
