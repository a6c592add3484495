"""Midtrans as every part of its Core API speaks: authorization, two layers of codes, signature, amounts, times.

Sources: docs.midtrans.com/reference (api-headers, https-notification-webhooks, code-2xx, code-4xx) and Midtrans' own
client (PyPI midtransclient), which lets the code 407 through as no error. Assumed, as they are silent: a 429 has begun
no work.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from core.crypto import Secret
from core.http import Request, Response
from core.money import Money
from core.providers import Misconfigured, NothingCreated, OutcomeUnknown, json_object
from core.signatures import concatenated_sha512

HOSTS = {"sandbox": "https://api.sandbox.midtrans.com", "production": "https://api.midtrans.com"}
CURRENCY = "IDR"

SHOWS_A_TRANSACTION = ("200", "201", "202", "407")
"""407 is an expiry: the one that was asked for, or one that has come about."""

MISCONFIGURED: Mapping[str, str] = {
    "401": "Midtrans refuses the server key",
    "402": "Midtrans has not enabled this way to pay for the merchant",
}
REFUSALS: Mapping[str, tuple[str, str]] = {
    "400": ("invalid_request", "Midtrans refuses a field of the request."),
    "403": ("invalid_request", "Midtrans refuses the form of the request."),
    "404": ("invalid_request", "Midtrans does not know this payment."),
    "405": ("invalid_request", "Midtrans does not offer this."),
    "408": ("invalid_request", "Midtrans refuses the type of a field."),
    "410": ("declined", "GoPay has blocked the payer."),
    "411": ("invalid_request", "Midtrans misses a token."),
    "413": ("invalid_request", "Midtrans cannot read the request."),
    "429": ("provider_unavailable", "Midtrans takes no more calls now."),
}
"""After these nothing was created or changed. Missing, and so unknown until it is asked about: 406, as an order of that
reference is there already, ours; 412, as the payment is no longer pending; 202 without a transaction, which is the
same key still at work; and everything from 500 on."""

_CODE = re.compile(r"[1-5][0-9]{2}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.~-]{1,100}")
_WORD = re.compile(r"[A-Za-z0-9_. -]{1,50}")
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{2})?")
_JAKARTA = timezone(timedelta(hours=7))


# Going out


def authorized(request: Request, *, server_key: Secret) -> Request:
    """The server key as user of HTTP Basic, with an empty password."""
    pair = base64.b64encode(f"{server_key.reveal()}:".encode()).decode()
    return replace(request, headers={**request.headers, "Authorization": f"Basic {pair}"})


def order_time(moment: datetime) -> str:
    """`2026-03-01 09:00:00 +0700`."""
    return f"{moment.astimezone(_JAKARTA):%Y-%m-%d %H:%M:%S %z}"


# Answers


def answered(response: Response) -> tuple[str, dict[str, Any]]:
    """The code of an answer and its document. The body's code is the real one; HTTP's may say 200 over a failure.

    Raises OutcomeUnknown for a fault of theirs, and where both codes do not agree that it failed.
    """
    try:
        told = json_object(response.body)
        code = text(told["status_code"])
    except (KeyError, ValueError) as error:
        raise OutcomeUnknown(f"answer {response.status} without a code") from error
    if not _CODE.fullmatch(code) or response.status >= 500:
        raise OutcomeUnknown(f"answer {response.status}")
    if response.status >= 400 and code < "400":
        raise OutcomeUnknown(f"answer {response.status} that says {code}")
    return code, told


def refusal(code: str, refusals: Mapping[str, tuple[str, str]] = REFUSALS) -> NothingCreated | OutcomeUnknown:
    """What an answer proves that shows no transaction. `refusals` are our word and a message by code."""
    if code in MISCONFIGURED:
        return Misconfigured(MISCONFIGURED[code], provider_code=code)
    if code in refusals:
        ours, message = refusals[code]
        return NothingCreated(message, code=ours, provider_code=code)
    return OutcomeUnknown(f"answer {code}")


def check_signature(told: Mapping[str, Any], *, secrets: Iterable[Secret]) -> None:
    """It covers order, code and amount as they stand there, and not the status.

    Raises BadSignature, or KeyError or ValueError where something is missing.
    """
    signed = "".join(text(told[name]) for name in ("order_id", "status_code", "gross_amount"))
    concatenated_sha512(given=text(told["signature_key"]), text=signed, secrets=secrets)


# Values. What is none raises ValueError.


def text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is missing")
    return value


def identifier(value: object) -> str:
    """An id of theirs, or an order's, in the alphabet that they allow for it."""
    if not _IDENTIFIER.fullmatch(text(value)):
        raise ValueError("no id")
    return text(value)


def word(value: object) -> str:
    """A status in lower case: some are documented in capitals."""
    if not _WORD.fullmatch(text(value)):
        raise ValueError("no word")
    return text(value).lower()


def rupiah(amount: object, currency: object = CURRENCY) -> Money:
    """`"45500.00"`. A currency that is left out is the only one that there is."""
    if currency not in (None, CURRENCY) or not _AMOUNT.fullmatch(text(amount)):
        raise ValueError("no amount in rupiah")
    return Money.from_major(Decimal(text(amount)), CURRENCY)


def moment(value: object) -> datetime | None:
    """`2026-03-01 09:15:02` on the clock of Jakarta; None where it is left out or is no time."""
    try:
        return datetime.strptime(text(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=_JAKARTA)
    except ValueError:
        return None
