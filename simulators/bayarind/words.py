"""States, what the payer can do, and the amounts that mean something. Amounts in whole rupiah."""

from __future__ import annotations

PENDING, PAID, VOIDED, EXPIRED = "pending", "paid", "voided", "expired"

PAYMENT, ADVICE, BY_HAND = "11", "12", "13"
SUCCESS, PAID_BEFORE = "00", "02"
DONE = (SUCCESS, PAID_BEFORE)
"""After these answers to a flag the money stays; after any other the bank gives it back."""

OUTCOMES = {
    "approve": "pays",
    "reconcile": "pays, and it is flagged by hand (type 13)",
    "late_success": "pays although the bill has ended",
    "decline": "tries and is refused by the bank, of which nobody is told",
    "failed_flag": "tries in vain, and a flag with another status than 00 says so",
    "timeout": "lets it expire",
    "expire": "lets it expire",
}

# On an insert; trouble with the connection comes once per number.
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
    66_614: "callback_missing",
    66_615: "callback_before_answer",
    66_616: "callback_under",
    66_617: "callback_over",
    66_619: "callback_bad_signature",
    66_621: "callback_tampered",
    66_623: "callback_wrong_insert",
}
