"""Xendit's wire, for whoever talks to it: hosts, errors, and values as Xendit spells them.

Sources: docs.xendit.co (authentication, errors, invoice, refunds, qr-codes, webhooks) and the models of
github.com/xendit/xendit-python.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.crypto import Secret
from core.http import Request, Response
from core.money import Money
from core.providers import Misconfigured, NothingCreated, OutcomeUnknown, json_object

HOSTS = {"api": "https://api.xendit.co"}
"""One for test and live: the key decides."""

CURRENCY = "IDR"
QR_VERSION = "2022-07-31"

MISCONFIGURED: Mapping[str, str] = {
    "INVALID_API_KEY": "Xendit refuses the secret key",
    "REQUEST_FORBIDDEN_ERROR": "the secret key lacks a permission at Xendit",
    "UNAUTHORIZED": "the secret key lacks a permission at Xendit",
    "INVALID_MERCHANT_SETTINGS": "the settings of the merchant at Xendit do not allow it",
    "ACCESS_SUSPENDED": "Xendit has suspended the merchant",
    "CHANNEL_NOT_ACTIVATED": "Xendit has not activated this way to pay for the merchant",
    "NO_COLLECTION_METHODS_ERROR": "Xendit has activated no way to pay for the merchant",
    "UNAVAILABLE_PAYMENT_METHOD_ERROR": "Xendit has not activated a way to pay that the account names",
}
REFUSALS: Mapping[str, tuple[str, str]] = {
    "API_VALIDATION_ERROR": ("invalid_request", "Xendit refuses a field of the request."),
    "INVALID_JSON_FORMAT": ("invalid_request", "Xendit cannot read the request."),
    "UNSUPPORTED_CURRENCY": ("invalid_request", "Xendit does not take this currency."),
    "MISMATCH_CURRENCY_ERROR": ("invalid_request", "Xendit does not take this currency for this way to pay."),
    "EMAIL_FORMAT_ERROR": ("invalid_request", "Xendit refuses the payer's email address."),
    "INVALID_REMINDER_TIME": ("invalid_request", "Xendit refuses the time of the reminder."),
    "MAXIMUM_TRANSFER_AMOUNT_ERROR": ("limit_exceeded", "The amount is more than Xendit takes."),
    "DATA_NOT_FOUND": ("invalid_request", "Xendit does not know what is asked about."),
    "INVOICE_NOT_FOUND_ERROR": ("invalid_request", "Xendit does not know this invoice."),
    "CALLBACK_VIRTUAL_ACCOUNT_NOT_FOUND_ERROR": ("invalid_request", "Xendit does not know this virtual account."),
    "UNIQUE_ACCOUNT_NUMBER_UNAVAILABLE_ERROR": ("invalid_request", "Xendit has no account number left."),
    "PAYMENT_CODE_NOT_AVAILABLE_ERROR": ("invalid_request", "Xendit has no payment code left."),
    "TRANSACTION_NOT_FOUND": ("invalid_request", "Xendit does not know the payment that is to be refunded."),
    "INELIGIBLE_TRANSACTION": ("declined", "Xendit does not refund this payment, or not any more."),
    "INSUFFICIENT_BALANCE": ("insufficient_funds", "The merchant's balance at Xendit is too low."),
    "MAXIMUM_REFUND_AMOUNT_REACHED": ("limit_exceeded", "The refund is more than is left of the payment."),
    "PARTIAL_REFUND_NOT_SUPPORTED": ("declined", "The payer's bank or wallet gives back the whole payment only."),
    "REFUND_NOT_SUPPORTED": ("declined", "The payer's bank or wallet takes no refunds."),
    "REFUND_IN_PROGRESS": ("declined", "Another refund of this payment is under way."),
    "RATE_LIMIT_EXCEEDED": ("provider_unavailable", "Xendit takes no more calls now."),
}
"""After these nothing was created. Missing, and so unknown until it is asked about: DUPLICATE_ERROR and
IDEMPOTENCY_ERROR, as what was sent before may be ours, and everything from 500 on: SERVER_ERROR,
CHANNEL_UNAVAILABLE, ISSUER_UNAVAILABLE, OTP_DELIVERY_ERROR."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.~:@+-]{1,255}")
_WORD = re.compile(r"[A-Za-z0-9_. -]{1,60}")
_LARGEST = 10**13
_FRACTION = re.compile(r"(\.\d{6})\d+|(\.\d{1,6})")


def authorized(request: Request, *, secret_key: Secret) -> Request:
    """The secret key as user of HTTP Basic, with an empty password."""
    pair = base64.b64encode(f"{secret_key.reveal()}:".encode()).decode()
    return replace(request, headers={**request.headers, "Authorization": f"Basic {pair}"})


def time_of(moment: datetime) -> str:
    """`2026-03-01T02:15:00Z`, in whole seconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


# Answers


def shown(response: Response) -> dict[str, Any]:
    """The object that a good answer shows. Raises NothingCreated for what the table lists, else OutcomeUnknown."""
    try:
        told = json_object(response.body)
    except ValueError as error:
        raise OutcomeUnknown(f"answer {response.status} without a document") from error
    if 200 <= response.status < 300 and "error_code" not in told:
        return told
    raise refusal(response.status, told.get("error_code"))


def refusal(status: int, code: object) -> NothingCreated | OutcomeUnknown:
    """What an answer proves that is no success: its code counts, and only under a status from 400 to 499."""
    known = code if isinstance(code, str) and 400 <= status < 500 else ""
    if known in MISCONFIGURED:
        return Misconfigured(MISCONFIGURED[known], provider_code=known)
    if known in REFUSALS:
        ours, message = REFUSALS[known]
        return NothingCreated(message, code=ours, provider_code=known)
    return OutcomeUnknown(f"answer {status}")


# Values. What is none raises ValueError.


def text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is missing")
    return value


def identifier(value: object) -> str:
    """An id of theirs, or a reference of ours."""
    if not _IDENTIFIER.fullmatch(text(value)):
        raise ValueError("no id")
    return text(value)


def word(value: object) -> str:
    """A status or a code, in capitals."""
    if not _WORD.fullmatch(text(value)):
        raise ValueError("no word")
    return text(value).upper()


def number(value: object) -> Decimal:
    """A JSON number of zero or more."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("no number")
    if not 0 <= value < _LARGEST:
        raise ValueError("a number out of all proportion")
    return Decimal(value)


def rupiah(amount: object, currency: object = CURRENCY) -> Money:
    """A JSON number of whole rupiah, `45500`. A currency that is left out is rupiah."""
    value = number(amount)
    if currency not in (None, CURRENCY) or value != value.to_integral_value() or not value:
        raise ValueError("no amount in rupiah")
    return Money.from_major(value, CURRENCY)


def moment(value: object) -> datetime | None:
    """`2026-03-01T02:01:10.52345Z`, however many digits its fraction has; None where it is left out or is no time."""
    try:
        read = datetime.fromisoformat(_FRACTION.sub(_six_digits, text(value)))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _six_digits(fraction: re.Match[str]) -> str:
    return f"{fraction[1] or fraction[2]:0<7}"
