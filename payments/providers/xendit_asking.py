"""Parts of what is sent to Xendit."""

from decimal import Decimal
from typing import Any
from urllib.parse import quote

from core.companies import xendit as wire
from core.money import Money
from payments.providers.base import Line, Payer

_SEN = Decimal("0.01")


def quoted(part: str) -> str:
    return quote(part, safe="")


def customer(payer: Payer) -> dict[str, str]:
    told = {"given_names": payer.name, "email": payer.email, "mobile_number": payer.phone}
    return {name: value for name, value in told.items() if value}


def items(lines: tuple[Line, ...], total: Money) -> list[dict[str, Any]]:
    """Lines in whole rupiah, only where they make up the amount: whether they must is not said."""
    if sum((line.unit_price.amount * line.quantity for line in lines), 0) != total.amount:
        return []
    if any(line.unit_price.currency != wire.CURRENCY or line.unit_price.amount % 100 for line in lines):
        return []
    return [
        {
            "name": line.name,
            "quantity": line.quantity,
            "price": line.unit_price.times(_SEN).amount,
            **({"reference_id": line.reference} if line.reference else {}),
        }
        for line in lines
    ]
