"""QRIS, Indonesia's payment code: reads the text of one and checks it before anybody is asked to scan it.

Sources: EMVCo QRCPS merchant-presented mode (TLV, CRC, ids 00 to 64) and QRIS strings as acquirers publish them.
A text is `ID LENGTH VALUE` over and over, two digits each for id and length, and ends with its own checksum.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from core.money import Money

CURRENCY = "IDR"
_NUMERIC_CURRENCY, _COUNTRY, _NATIONAL = "360", "ID", "ID.CO.QRIS.WWW"
_ACCOUNTS, _NATIONAL_ACCOUNT, _ADDITIONAL = range(26, 52), "51", "62"
_CHECKSUM = re.compile(r"6304[0-9A-F]{4}")
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?")
_LONGEST_AMOUNT = 13
BEGINNING = "000201"
"""The payload format, with which every code begins."""


class NotQris(ValueError):
    """The text is no code that a payer could be shown. The message says why and repeats nothing of it."""


class Tip(StrEnum):
    """What is asked of the payer beyond the amount."""

    ENTERED_BY_PAYER = "01"
    FIXED = "02"
    PERCENTAGE = "03"


@dataclass(frozen=True, slots=True)
class Qris:
    """A code that has passed every check.

    A dynamic one is for one payment; a static one is paid again and again, and mostly names no amount. `amount`
    leaves out the tip. `national_id` is the merchant's number (NMID), empty in codes of an older kind. `elements`
    holds every value of the text by its id, known or not, in its order.
    """

    is_dynamic: bool
    amount: Money | None
    tip: Tip | None
    merchant: str
    city: str
    national_id: str
    elements: Mapping[str, str] = field(repr=False)


def parse(text: str) -> Qris:
    """Read a code whole. Raises NotQris."""
    _check_checksum(text)
    elements = _elements(text)
    _check_order(list(elements))
    _check_constants(elements)
    return Qris(
        is_dynamic=_is_dynamic(elements),
        amount=_amount(elements),
        tip=_tip(elements),
        merchant=_named(elements, "59", "a merchant's name"),
        city=_named(elements, "60", "a merchant's city"),
        national_id=_national_id(elements),
        elements=elements,
    )


def checksum(text: str) -> str:
    """CRC-16/CCITT-FALSE in four upper-case digits: of "123456789" it is "29B1"."""
    return f"{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def _check_checksum(text: str) -> None:
    """A value may hold "6304" too, so the end is cut off by its length and not looked for."""
    if not _CHECKSUM.fullmatch(text[-8:]):
        raise NotQris("it does not end with a checksum")
    try:
        fits = checksum(text[:-4]) == text[-4:]
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise NotQris("its checksum is not that of its text")


def _elements(text: str) -> dict[str, str]:
    """Values by id. Lengths count characters."""
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        head = text[place : place + 4]
        if not re.fullmatch(r"[0-9]{4}", head):
            raise NotQris("an element has no id or no length")
        start, length = place + 4, int(head[2:])
        place = start + length
        if place > len(text) or head[:2] in found:
            raise NotQris("an element ends beyond its text, or stands there twice")
        found[head[:2]] = text[start:place]
    return found


def _check_order(names: list[str]) -> None:
    if names[0] != "00":
        raise NotQris("it does not begin with its payload format")
    if "01" in names and names[1] != "01":
        raise NotQris("its point of initiation is not the second element")
    if names[-1] != "63":
        raise NotQris("its checksum is not its last element")


def _check_constants(elements: Mapping[str, str]) -> None:
    if elements["00"] != "01":
        raise NotQris("its payload format is not the one that there is")
    if elements.get("53") != _NUMERIC_CURRENCY or elements.get("58") != _COUNTRY:
        raise NotQris("it is not for rupiah in Indonesia")
    templates = [value for name, value in elements.items() if int(name) in _ACCOUNTS or name == _ADDITIONAL]
    for template in templates:
        _elements(template)
    if not any(int(name) in _ACCOUNTS for name in elements):
        raise NotQris("it names no account to be paid")


def _is_dynamic(elements: Mapping[str, str]) -> bool:
    initiation = elements.get("01", "11")
    if initiation not in ("11", "12"):
        raise NotQris("it is neither static nor dynamic")
    return initiation == "12"


def _amount(elements: Mapping[str, str]) -> Money | None:
    text = elements.get("54")
    return None if text is None else Money.from_major(_number(text), CURRENCY)


def _number(text: str) -> Decimal:
    """No separators of thousands; no more decimals than the currency has."""
    if len(text) > _LONGEST_AMOUNT or not _AMOUNT.fullmatch(text):
        raise NotQris("an amount is not written in digits")
    number = Decimal(text)
    if number != round(number, 2):
        raise NotQris("an amount is finer than the currency")
    return number


def _tip(elements: Mapping[str, str]) -> Tip | None:
    """The indicator and the sum that goes with it, neither without the other."""
    given = elements.get("55")
    if given is not None and given not in list(Tip):
        raise NotQris("it asks for an unknown kind of tip")
    tip = Tip(given) if given else None
    if ("56" in elements) != (tip is Tip.FIXED) or ("57" in elements) != (tip is Tip.PERCENTAGE):
        raise NotQris("its tip does not fit its indicator")
    if tip is Tip.FIXED:
        _number(elements["56"])
    if tip is Tip.PERCENTAGE and not 0 < _number(elements["57"]) < 100:
        raise NotQris("its tip is no percentage")
    return tip


def _named(elements: Mapping[str, str], name: str, what: str) -> str:
    """Longer names than the standard allows do occur, and do no harm."""
    if not elements.get(name, "").strip():
        raise NotQris(f"it lacks {what}")
    return elements[name]


def _national_id(elements: Mapping[str, str]) -> str:
    if _NATIONAL_ACCOUNT not in elements:
        return ""
    account = _elements(elements[_NATIONAL_ACCOUNT])
    if account.get("00") != _NATIONAL:
        raise NotQris("its national account is not that of QRIS")
    return account.get("02", "")
