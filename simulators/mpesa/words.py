"""M-PESA's result codes, and the phones and amounts that bring them about. Data only.

Source: developer.safaricom.co.ke, MpesaExpressSimulate, TransactionStatus and Reversal (result codes).
"""

from __future__ import annotations

from simulators.magic import magic_amounts

SUCCESS = "0"
CANCELLED, UNREACHABLE, INSUFFICIENT, WRONG_PIN = "1032", "1037", "1", "2001"
ABOVE_MAXIMUM, NOT_ASSIGNED, NO_OPERATOR = "3", "2028", "SFC_IC0003"
STILL_PENDING = "4999"
INVALID_PARAMETERS, ALREADY_REVERSED, UNKNOWN_ORIGINAL = "25", "R000001", "R000002"
BUSY = "26"

DESCRIPTIONS = {
    "0": "The service request is processed successfully.",
    "1": "The balance is insufficient for the transaction.",
    "2": "Declined due to limit rule: less than the minimum transaction amount.",
    "3": "Declined due to limit rule: greater than the maximum transaction amount.",
    "4": "Declined due to limit rule: would exceed daily transfer limit.",
    "8": "Declined due to limit rule: would exceed the maximum balance.",
    "11": "The DebitParty is in an invalid state.",
    "15": "Duplicate Detected.",
    "17": "Rule limited.",
    "18": "Initiator Credential Check Failure.",
    "20": "Unresolved Initiator.",
    "21": "Initiator to Primary Party Permission Failure.",
    "22": "Initiator Status Not Active.",
    "24": "Missing mandatory fields.",
    "25": "Invalid request parameters.",
    "26": "System busy. Traffic blocking condition in place.",
    "1001": "Unable to lock subscriber, a transaction is already in process for the current subscriber",
    "1019": "Transaction has expired.",
    "1025": "An error occurred while sending a push request.",
    "1032": "Request cancelled by user.",
    "1036": "SMSC ACK timeout",
    "1037": "DS timeout user cannot be reached.",
    "2001": "The initiator information is invalid.",
    "2006": "The account status does not allow this transaction.",
    "2028": "The request is not permitted according to product assignment.",
    "8006": "The security credential is locked.",
    "9999": "An error occurred while sending the push request.",
    "4999": "The transaction is still under processing",
    "R000001": "The transaction has already been reversed.",
    "R000002": "The OriginalTransactionID is invalid.",
    "SFC_IC0003": "The operator does not exist.",
}

# What the payer can do, by the words of `POST /_simulator/simulate`; a bare result code works too.
OUTCOMES = {
    "succeed": SUCCESS,
    "fail": WRONG_PIN,
    "expire": UNREACHABLE,
    "approve": SUCCESS,
    "decline": CANCELLED,
    "cancel": CANCELLED,
    "insufficient_funds": INSUFFICIENT,
    "timeout": UNREACHABLE,
    "wrong_pin": WRONG_PIN,
    "late_success": UNREACHABLE,
}

# Safaricom's own sandbox number enters its PIN by itself. 25470000NNNN ends with the result code NNNN
# (0000: paid; 1037 once the prompt's life is over), 254700100003 with SFC_IC0003.
APPROVING_PHONE = "254708374149"
MAGIC_PHONES = {f"25470000{int(code):04}": code for code in DESCRIPTIONS if code.isdigit() and code != STILL_PENDING}
MAGIC_PHONES["254700100003"] = NO_OPERATOR

# Whole shillings on an STK push. "late_success" is the simulator's own: 1037 at once, money afterwards.
MAGIC_AMOUNTS = magic_amounts(
    {
        16: "callback_under",
        17: "callback_over",
        18: "late_success",
    }
)
LATE_SUCCESS_AMOUNT = 66_618


def written(code: str) -> int | str:
    """A result code as a callback writes it: a number, unless it has letters."""
    return int(code) if code.isdigit() else code
