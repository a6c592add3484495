"""Bayarind (PT Sprint Asia Technology) as every part of it speaks: its hashes, amounts, times, answers.

Sources: Bayarind's own converter between its two protocols (github.com/devops-bayarind/snap-converter, MIT) and public
integrations that carry its sample code. It publishes no reference manual.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from core.crypto import Secret
from core.http import Response
from core.money import Money
from core.providers import OutcomeUnknown, json_object
from core.signatures import BadSignature

HOSTS = {
    "test": "https://paytest.bayarind.id",
    "older-test": "https://simpg.sprintasia.net",
    "staging": "https://pay.sprintasia.net:8899",
    "snap-test": "https://snaptest.bayarind.id",
    "production": "https://pay.sprintasia.net",
}
"""No live host of the SNAP variant is documented."""
CURRENCY = "IDR"

COMPANY_CODE_DIGITS: Mapping[str, int] = {"1011": 4, "1042": 4, "1043": 4, "1074": 4, "1021": 5, "1052": 5, "1062": 5}
"""By service code: the digits with which every account number of a company begins."""
_NUMBER_DIGITS: Mapping[str, int] = {"1074": 12}
_USUAL_NUMBER_DIGITS = 11

_DIGITS = re.compile(r"[0-9]{1,11}(\.00)?")
_IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,100}")
_WORD = re.compile(r"[A-Za-z0-9 ._-]{1,50}")
_JAKARTA = timezone(timedelta(hours=7))


# Going out


def insert_code(form: Mapping[str, str], *, secret: Secret) -> str:
    """The amount enters as it is posted."""
    return _hashed(form["transactionNo"], form["transactionAmount"], form["channelId"], secret=secret)


def stamp(moment: datetime) -> str:
    """`2026-03-01 09:00:00` on the clock of Jakarta."""
    return f"{moment.astimezone(_JAKARTA):%Y-%m-%d %H:%M:%S}"


def customer_number(reference: str, *, service_code: str) -> str:
    """What follows the company's code in an account number: digits that the reference gives, the same every time.

    Two references share a number by chance, once in a hundred thousand million.
    """
    digits = _NUMBER_DIGITS.get(service_code, _USUAL_NUMBER_DIGITS)
    number = int(hashlib.sha256(reference.encode()).hexdigest(), 16) % 10**digits
    return f"{number:0{digits}}"


# Coming in


def check_flag_code(form: Mapping[str, str], *, secrets: Iterable[Secret]) -> None:
    """It covers number, amount, channel, status and insert id of a payment flag. Raises BadSignature."""
    names = ("transactionNo", "transactionAmount", "channelId", "transactionStatus", "insertId")
    given = form["authCode"].encode()
    codes = [_hashed(*(form[name] for name in names), secret=secret).encode() for secret in secrets]
    if not sum(hmac.compare_digest(given, code) for code in codes):
        raise BadSignature("the authCode does not fit")


def pass_app(secret: Secret) -> str:
    """What stands for the secret in every body of the SNAP variant."""
    return _hashed(secret=secret)


def check_pass_app(given: str, *, secrets: Iterable[Secret]) -> None:
    """Raises BadSignature."""
    if not sum(hmac.compare_digest(given.encode(), pass_app(secret).encode()) for secret in secrets):
        raise BadSignature("the passApp does not fit")


def _hashed(*parts: str, secret: Secret) -> str:
    return hashlib.sha256("".join((*parts, secret.reveal())).encode()).hexdigest()


def form_of(body: bytes) -> dict[str, str]:
    """A form as it was posted. Raises ValueError for bytes that are none, and for a name that is there twice."""
    pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, max_num_fields=100)
    form = dict(pairs)
    if len(form) != len(pairs) or "\x00" in body.decode("utf-8"):
        raise ValueError("a name stands there twice")
    return form


def answered(response: Response) -> dict[str, Any]:
    """The JSON object of an answer, its names in lower case, as their case differs from source to source.

    Raises OutcomeUnknown for everything else: business failures come with HTTP 200 too.
    """
    try:
        told = json_object(response.body)
    except ValueError as error:
        raise OutcomeUnknown(f"answer {response.status} without a document") from error
    if response.status != 200:
        raise OutcomeUnknown(f"answer {response.status}")
    return in_lower_case(told)


def in_lower_case(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in told.items()}


# Values. What is none raises ValueError.


def text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is missing")
    return value


def identifier(value: object) -> str:
    """A number of theirs, or our own reference; some are seen as numbers."""
    found = str(value) if type(value) is int and value >= 0 else text(value)
    if not _IDENTIFIER.fullmatch(found):
        raise ValueError("no id")
    return found


def word(value: object) -> str:
    if not _WORD.fullmatch(text(value)):
        raise ValueError("no word")
    return text(value)


def rupiah(amount: object, currency: object = CURRENCY) -> Money:
    """`"125000"`, and `"125000.00"` where somebody writes it so."""
    if currency != CURRENCY or not _DIGITS.fullmatch(text(amount)):
        raise ValueError("no amount in rupiah")
    return Money.from_major(Decimal(text(amount)), CURRENCY)
