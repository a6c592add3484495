"""States, what the payer can do, and the amounts that mean something. Amounts in whole rupiah."""

from __future__ import annotations

from simulators.magic import magic_amounts

PENDING, PAID, VOIDED, EXPIRED = "pending", "paid", "voided", "expired"

PAYMENT, ADVICE, BY_HAND = "11", "12", "13"
SUCCESS, PAID_BEFORE = "00", "02"
DONE = (SUCCESS, PAID_BEFORE)
"""After these answers to a flag the money stays; after any other the bank gives it back."""

OUTCOMES = {
    "succeed": "pays",
    "fail": "is refused by the bank, of which nobody is told",
    "insufficient_funds": "is refused by the bank, of which nobody is told",
    "cancel": "goes away, of which nobody is told",
    "approve": "pays",
    "reconcile": "pays, and it is flagged by hand (type 13)",
    "late_success": "pays although the bill has ended",
    "decline": "tries and is refused by the bank, of which nobody is told",
    "failed_flag": "tries in vain, and a flag with another status than 00 says so",
    "timeout": "lets it expire",
    "expire": "lets it expire",
}

UNHEARD = ("fail", "insufficient_funds", "cancel", "decline")
"""After these nothing is other than it was."""

# On an insert; trouble with the connection comes once per number.
MAGIC_AMOUNTS = magic_amounts(
    {
        16: "callback_under",
        17: "callback_over",
        19: "callback_bad_signature",
        21: "callback_tampered",
        23: "callback_wrong_insert",
    }
)
