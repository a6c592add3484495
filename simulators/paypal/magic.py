"""Amounts that make trouble, in hundredths: 66601.00 USD makes the first, as 66601 JPY does. Data only."""

from simulators.magic import magic_amounts

MAGIC_AMOUNTS = magic_amounts(
    {
        19: "callback_bad_signature",
        20: "callback_old_timestamp",
        21: "pending",
        22: "decline",
        23: "instrument_declined",
        24: "denied",
        25: "capture_declined",
        26: "refund_pending",
        27: "refund_fails",
        28: "callback_wrong_webhook",
        29: "callback_foreign_certificate",
        30: "callback_bad_checksum",
    },
    units=100,
)
"""`pending` ends in COMPLETED, `denied` in DECLINED; a capture that is declined is answered 201."""
