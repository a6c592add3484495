"""iPaymu as its whole API v2 speaks: two layers of statuses, amounts, times.

Sources: github.com/ipaymu/docs-ipaymu-api-v2 (content/docs, Postman collection). Assumed, as they are silent: a 429 has
begun no work; stamps are on the clock of Jakarta, as those of callbacks are.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from core.http import Response
from core.money import Money
from core.providers import Misconfigured, NothingCreated, OutcomeUnknown, json_object

HOSTS = {"sandbox": "https://sandbox.ipaymu.com", "production": "https://my.ipaymu.com"}
CURRENCY = "IDR"

_DONE, _INVALID, _UNAUTHORIZED, _TOO_MANY = 200, 400, 401, 429
_UNREGISTERED: Mapping[str, str] = {
    "invalid ip": "iPaymu does not know the address that we call from: register it there",
    "invalid domain": "iPaymu does not know the domain of our addresses: register it there",
}
"""Told in production alone, under a status that the documentation does not name."""

_FIELD = re.compile(r"[A-Za-z0-9_.]{1,40}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_NUMBER = re.compile(r"-?[0-9]{1,4}")
_WORD = re.compile(r"[A-Za-z_ -]{1,50}")
_CODE = re.compile(r"[A-Za-z0-9-]{4,40}")
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,2})?")
_JAKARTA = timezone(timedelta(hours=7))


# Going out


def stamp(moment: datetime) -> str:
    """`20260301090000`, which nothing signs."""
    return f"{moment.astimezone(_JAKARTA):%Y%m%d%H%M%S}"


def day(moment: datetime) -> str:
    return f"{moment.astimezone(_JAKARTA):%Y-%m-%d}"


# Answers


def answered(response: Response) -> Mapping[str, Any]:
    """The `Data` of an answer. Its own status is the real one: HTTP's may say 200 over a failure.

    Raises NothingCreated for what is listed, OutcomeUnknown for a fault of theirs and for all that does not agree.
    """
    try:
        told = json_object(response.body)
        status = int(number(told["Status"]))
    except (KeyError, ValueError) as error:
        raise OutcomeUnknown(f"answer {response.status} without a status") from error
    if response.status >= 500 or (response.status >= 400 and status < 400):
        raise OutcomeUnknown(f"answer {response.status} that says {status}")
    if status != _DONE:
        raise _refusal(status, told)
    data = told.get("Data")
    if told.get("Success") is False or not isinstance(data, dict):
        raise OutcomeUnknown(f"answer {status} that shows nothing")
    return data


def _refusal(status: int, told: Mapping[str, Any]) -> NothingCreated | OutcomeUnknown:
    if not 400 <= status < 500:
        return OutcomeUnknown(f"answer {status}")
    message = str(told.get("Message")).lower()
    for words, meaning in _UNREGISTERED.items():
        if words in message:
            return Misconfigured(meaning, provider_code=words)
    if status == _UNAUTHORIZED:
        return Misconfigured("iPaymu refuses the VA number or the API key", provider_code=str(status))
    if status == _INVALID:
        return NothingCreated(_complaint(told), code="invalid_request", provider_code=str(status))
    if status == _TOO_MANY:
        text = "iPaymu takes no more calls now."
        return NothingCreated(text, code="provider_unavailable", provider_code=str(status))
    return OutcomeUnknown(f"answer {status}")


def _complaint(told: Mapping[str, Any]) -> str:
    """The names of the fields alone: what iPaymu says of them is in Indonesian, and may repeat them."""
    named = told.get("Error")
    fields = [name for name in named if _FIELD.fullmatch(name)] if isinstance(named, dict) else []
    return f"iPaymu refuses {', '.join(fields)}." if fields else "iPaymu refuses a field of the request."


# Values. What is none raises ValueError.


def text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is missing")
    return value


def identifier(value: object) -> str:
    """An id of theirs, a number or a text, or a reference of ours."""
    told = str(value) if type(value) is int else text(value)
    if not _IDENTIFIER.fullmatch(told):
        raise ValueError("no id")
    return told


def number(value: object) -> str:
    """A status, as a text: forms have no numbers."""
    told = str(value) if type(value) is int else text(value)
    if not _NUMBER.fullmatch(told):
        raise ValueError("no number")
    return told


def word(value: object) -> str:
    """A status by its name, in lower case."""
    if not _WORD.fullmatch(text(value)):
        raise ValueError("no word")
    return text(value).lower()


def code(value: object) -> str:
    """What a payer types or shows: digits that may begin with zeros."""
    if not _CODE.fullmatch(text(value)):
        raise ValueError("no code to pay by")
    return text(value)


def rupiah(value: object) -> Money:
    """`25000`, `"25000"` or `"25000.00"`."""
    told = str(value) if type(value) in (int, Decimal) else text(value)
    if not _AMOUNT.fullmatch(told):
        raise ValueError("no amount in rupiah")
    return Money.from_major(Decimal(told), CURRENCY)


def moment(value: object) -> datetime | None:
    """`2026-03-01 09:05:00`; None where it is left out or is no time."""
    try:
        return datetime.strptime(text(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=_JAKARTA)
    except ValueError:
        return None
