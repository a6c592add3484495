"""Card data is refused wherever it appears: by the name of a field, or by a number that can only be a card."""

import re
from itertools import accumulate
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
_RUN = re.compile(r"\d+(?:[ -]\d+)*")
_SHORTEST, _LONGEST = 12, 19
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
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


def find(data: Any) -> str:
    """The path of the first field that carries card data, or an empty text. Never the value."""
    waiting: list[tuple[str, Any]] = [("", data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            named = [(_join(path, str(name)), str(name), inner) for name, inner in value.items()]
            refused = next((here for here, name, _ in named if _is_refused(name)), "")
            if refused:
                return refused
            waiting += [(here, inner) for here, _, inner in reversed(named)]
        elif isinstance(value, list):
            waiting += reversed([(_join(path, str(place)), item) for place, item in enumerate(value)])
        elif isinstance(value, str | int) and not isinstance(value, bool) and looks_like_card(str(value)):
            return path
    return ""


def _join(path: str, name: str) -> str:
    shown = "•••" if looks_like_card(name) else name
    return f"{path}/{shown}" if path else shown


def _is_refused(name: str) -> bool:
    return name.lower().replace("-", "_") in _FIELDS or looks_like_card(name)


def looks_like_card(text: str) -> bool:
    """Whether digits in the text have a brand's prefix and length and a right Luhn digit.

    Every run of neighbouring groups is tried, so that an expiry or a table number beside a card does not hide it. The
    sums are made once for a text, so that a body full of single digits costs no more than another.
    """
    return any(_holds_card(re.split("[ -]", run.group())) for run in _RUN.finditer(text))


def _holds_card(groups: list[str]) -> bool:
    digits = "".join(groups)
    if len(digits) < _SHORTEST:
        return False
    bounds = list(accumulate(map(len, groups), initial=0))
    sums = _luhn_sums(digits)
    for place, start in enumerate(bounds):
        for end in bounds[place + 1 : place + 1 + _LONGEST]:
            if end - start > _LONGEST:
                break
            is_right = (sums[end % 2][end] - sums[end % 2][start]) % 10 == 0
            if is_right and end - start >= _SHORTEST and _BRANDS.match(digits[start:end]):
                return True
    return False


def _luhn_sums(digits: str) -> tuple[list[int], list[int]]:
    """Sums up to each place, every other digit doubled: for numbers that end at an even place, and at an odd one."""
    even, odd = list(map(int, digits)), list(map(int, digits))
    even[::2] = [_DOUBLED[digit] for digit in even[::2]]
    odd[1::2] = [_DOUBLED[digit] for digit in odd[1::2]]
    return list(accumulate(even, initial=0)), list(accumulate(odd, initial=0))
