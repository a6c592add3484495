"""Statuses, what the payer can do, and the amounts that mean something. Amounts in whole rupiah."""

from __future__ import annotations

from simulators.magic import magic_amounts

EXPIRED, PENDING, SUCCESS, CANCELLED, REFUNDED, ERROR, FAILED, UNSETTLED, ESCROW = -2, 0, 1, 2, 3, 4, 5, 6, 7
PAID = (SUCCESS, UNSETTLED)
ENDED_UNPAID = (EXPIRED, CANCELLED, ERROR, FAILED)

DESCRIPTIONS = {
    EXPIRED: "Expired",
    PENDING: "Pending",
    SUCCESS: "Berhasil",
    CANCELLED: "Batal",
    REFUNDED: "Refund",
    ERROR: "Error",
    FAILED: "Gagal",
    UNSETTLED: "Berhasil Unsettled",
    ESCROW: "Escrow",
}
# Source: content/docs/callback: no other event has one.
TOLD = {SUCCESS: ("berhasil", 1), UNSETTLED: ("berhasil", 1), PENDING: ("pending", 0), EXPIRED: ("expired", -2)}

CHANNELS = {
    "va": ("bag", "bca", "bpd_bali", "bni", "cimb", "mandiri", "bmi", "bri", "bsi", "permata", "danamon", "btn"),
    "cstore": ("alfamart", "indomaret"),
    "qris": ("mpm",),
}
FIXED_HOURS = {"bca": 12, "alfamart": 24}
MOST_HOURS = {"bsi": 3, "bri": 2}

# What can become of a payment, by the words of `POST /_simulator/simulate`.
OUTCOMES = {
    "succeed": SUCCESS,
    "fail": FAILED,
    "insufficient_funds": FAILED,
    "approve": SUCCESS,
    "approve_unsettled": UNSETTLED,
    "late_success": SUCCESS,
    "escrow": ESCROW,
    "decline": FAILED,
    "error": ERROR,
    "cancel": CANCELLED,
    "timeout": EXPIRED,
    "expire": EXPIRED,
    "choose": PENDING,
    "nothing": PENDING,
}
# What may follow on each status.
FOLLOWING = {"settle": ((UNSETTLED, ESCROW), SUCCESS), "refund": ((SUCCESS, UNSETTLED, ESCROW), REFUNDED)}

DECLINED = "declined"
MAGIC_AMOUNTS = magic_amounts(
    {
        19: "callback_bad_signature",
        20: "callback_unsigned",
        21: "callback_untrue",
        22: DECLINED,
    }
)
