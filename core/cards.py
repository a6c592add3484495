"""Card data is refused wherever it appears: by the name of a field, or by a number that can only be a card."""

import re
from typing import Any

from rest_framework.exceptions import ErrorDetail

CODE = "card_data_not_allowed"

_FIELDS = frozenset(
    [
        "card",
        "card_number",
        "cardnumber",
        "number",
        "pan",
        "cvc",
        "cvv",
        "cvv2",
        "cvc2",
        "security_code",
        "exp",
        "exp_month",
        "exp_year",
        "expiry",
    ]
)
_DIGITS = re.compile(r"(?<!\d)\d(?:[ -]?\d){11,18}(?!\d)")
_BRANDS = re.compile(
    r"^(?:4\d{12}(?:\d{3}){0,2}"
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|9792\d{12}"
    r"|(?:5[06-8]|6\d)\d{10,17})$"
)
"""Prefix and length of the brands in use: Visa, Mastercard, Amex, Diners, Discover, JCB, UnionPay, Troy, Maestro."""


def refusal() -> ErrorDetail:
    return ErrorDetail("card data must not be sent here; use the token that the browser made", code=CODE)


def find(data: Any, path: str = "") -> str:
    """The path of the first field that carries card data, or an empty text. Never the value."""
    if isinstance(data, dict):
        for name, value in data.items():
            here = f"{path}/{name}" if path else str(name)
            if str(name).lower().replace("-", "_") in _FIELDS or find(value, here) or looks_like_card(str(name)):
                return find(value, here) or here
    elif isinstance(data, list):
        return next((found for place, item in enumerate(data) if (found := find(item, f"{path}/{place}"))), "")
    elif isinstance(data, str | int) and not isinstance(data, bool) and looks_like_card(str(data)):
        return path
    return ""


def looks_like_card(text: str) -> bool:
    """Whether a digit run in the text has a brand's prefix and length and a right Luhn digit."""
    for match in _DIGITS.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if _BRANDS.match(digits) and _luhn(digits):
            return True
    return False


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0
