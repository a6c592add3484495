"""What PayPal takes as an amount. Source: PayPal's OpenAPI files (money, amount_breakdown) and
developer.paypal.com/api/rest/reference/currency-codes.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from simulators.paypal.errors import PaypalError, invalid, missing, refused

JSON = dict[str, Any]
VALUE = re.compile(r"((-?[0-9]+)|(-?([0-9]+)?[.][0-9]+))\Z")
CURRENCY_LIST = "AUD BRL CAD CNY CZK DKK EUR HKD HUF ILS INR JPY MYR MXN NOK NZD PHP PLN GBP SGD SEK CHF THB TWD USD"
CURRENCIES = frozenset(CURRENCY_LIST.split())
WHOLE = frozenset({"HUF", "JPY", "TWD"})
LARGEST_DIGITS = 15
CONFIRMING = "DECIMAL_PRECISION"
PAYING = "DECIMALS_NOT_SUPPORTED"


def read(money: object, field: str, *, decimals_issue: str = CONFIRMING) -> tuple[int, str]:
    """The smallest units that PayPal counts in, and the currency. PaypalError 400 or 422."""
    if not isinstance(money, dict):
        raise missing(field)
    value, currency = money.get("value"), money.get("currency_code")
    for name, part in (("value", value), ("currency_code", currency)):
        if part is None:
            raise missing(f"{field}/{name}")
    if not isinstance(value, str) or len(value) > 32 or not VALUE.match(value):
        raise invalid(f"{field}/value", "INVALID_PARAMETER_SYNTAX")
    if currency not in CURRENCIES:
        raise refused("INVALID_CURRENCY_CODE", field=f"{field}/currency_code")
    return _units(value, str(currency), field, decimals_issue), str(currency)


def _units(value: str, currency: str, field: str, decimals_issue: str) -> int:
    whole, _, part = value.partition(".")
    places = 0 if currency in WHOLE else 2
    if len(part) > places or (places == 0 and part):
        raise refused(decimals_issue, field=f"{field}/value")
    if len(whole.lstrip("-")) > LARGEST_DIGITS:
        raise refused("MAX_VALUE_EXCEEDED", field=f"{field}/value")
    units: int = round(Fraction(value) * 10**places)
    if units <= 0:
        raise refused("CANNOT_BE_ZERO_OR_NEGATIVE", field=f"{field}/value")
    return units


def check_breakdown(unit: JSON, total: int, currency: str, field: str) -> None:
    """Parts and lines must sum exactly. Source: amount_breakdown."""
    breakdown, items = unit["amount"].get("breakdown") or {}, unit.get("items") or []
    parts = {name: read(part, f"{field}/amount/breakdown/{name}")[0] for name, part in breakdown.items()}
    if parts and sum(-part if "discount" in name else part for name, part in parts.items()) != total:
        raise refused("AMOUNT_MISMATCH", field=f"{field}/amount/value")
    if items and "item_total" not in parts:
        raise refused("ITEM_TOTAL_REQUIRED", field=f"{field}/amount/breakdown/item_total")
    lines = [read(item.get("unit_amount"), f"{field}/items/unit_amount") for item in items]
    if any(line_currency != currency for _, line_currency in lines):
        raise refused("MULTI_CURRENCY_ORDER", field=field)
    counted = sum(units * _quantity(item, field) for (units, _), item in zip(lines, items, strict=True))
    if items and counted != parts["item_total"]:
        raise refused("ITEM_TOTAL_MISMATCH", field=f"{field}/amount/breakdown/item_total")


def _quantity(item: JSON, field: str) -> int:
    quantity = item.get("quantity")
    if not isinstance(quantity, str) or not re.match(r"[1-9][0-9]{0,9}\Z", quantity):
        raise invalid(f"{field}/items/quantity")
    return int(quantity)


def money(units: int, currency: str) -> JSON:
    value = str(units) if currency in WHOLE else f"{units // 100}.{units % 100:02}"
    return {"currency_code": currency, "value": value}


def units_of(amount: JSON) -> int:
    """Of an amount that this side has written."""
    return int(amount["value"].replace(".", ""))


def hundredths(amount: object) -> int | None:
    """For magic amounts, which mean the same in every currency; None for what is no amount."""
    try:
        units, currency = read(amount, "")
    except PaypalError:
        return None
    return units * 100 if currency in WHOLE else units


def fee(units: int) -> int:
    """3.49 % rounded half to even, and 49 smallest units, but never all of it."""
    return max(min(round(Fraction(units * 349, 10_000)) + 49, units - 1), 0)


def shown(amount: JSON) -> str:
    """For people: `12.50 USD`."""
    return f"{amount['value']} {amount['currency_code']}"
