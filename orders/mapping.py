"""Which tables and columns a merchant's orders stand in: two schemas that we know, or a mapping of the merchant's own.

Names are identifiers and nothing else, wherever they come from; they are quoted all the same when they are used.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
PAID, REFUNDED, EXPIRED = STATUSES = ("paid", "refunded", "expired")
"""What is written back. A part that is refunded leaves an order paid."""


class Schema(StrEnum):
    POS = "pos"
    ERP = "erp"
    MAPPING = "mapping"


class Amounts(StrEnum):
    """How amounts of money are written there: 250.00, or 25000."""

    MAJOR = "major"
    MINOR = "minor"


class Names:
    """A table and its columns. An empty name is a column that there is not."""

    __slots__ = ()
    table: str

    def __post_init__(self) -> None:
        for part in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            name = getattr(self, part.name)
            if name and not IDENTIFIER.fullmatch(name):
                raise ValueError(f"{part.name!r} is not the name of a table or column")

    def columns(self) -> Iterator[tuple[str, str]]:
        """What each column is here, and its name there."""
        for part in fields(self):  # type: ignore[arg-type]
            if part.name != "table" and getattr(self, part.name):
                yield part.name, getattr(self, part.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNames(Names):
    """One row is an order. `id` is what payments name it by, and `key` what its lines do, where that is another.

    `status` is written back. An order whose `state` is one of the mapping's `closed` words is not paid.
    """

    table: str
    id: str
    total: str
    status: str
    key: str = ""
    currency: str = ""
    discount: str = ""
    tax: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineNames(Names):
    """One row is a line of the order whose id, or key, is in `order`; lines are shown in the order of `position`."""

    table: str
    order: str
    name: str
    quantity: str
    unit_price: str
    total: str = ""
    discount: str = ""
    discount_percent: str = ""
    tax: str = ""
    position: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyNames(Names):
    """A table of currencies, to whose `id` an order's currency points."""

    table: str
    id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMapping:
    """`currency` is the ISO 4217 code of every order, where no column tells it."""

    order: OrderNames
    line: LineNames | None = None
    currencies: CurrencyNames | None = None
    currency: str = ""
    amounts: Amounts = Amounts.MAJOR
    statuses: Mapping[str, str] = field(default_factory=lambda: {word: word for word in STATUSES}, hash=False)
    closed: tuple[str, ...] = ()

    def tables(self) -> Iterator[tuple[str, Names]]:
        """Each of its tables, by what it is called in the mapping."""
        for name, names in (("order", self.order), ("line", self.line), ("currencies", self.currencies)):
            if names is not None:
                yield name, names


def from_json(given: Mapping[str, Any]) -> OrderMapping:
    """What was stored of a mapping. Raises ValueError for a name that is none."""
    line, currencies = given.get("line"), given.get("currencies")
    return OrderMapping(
        order=OrderNames(**given["order"]),
        line=LineNames(**line) if line else None,
        currencies=CurrencyNames(**currencies) if currencies else None,
        currency=given.get("currency", ""),
        amounts=Amounts(given.get("amounts", Amounts.MAJOR)),
        statuses={word: given.get("statuses", {}).get(word, word) for word in STATUSES},
        closed=tuple(given.get("closed", ())),
    )


POS = OrderMapping(
    order=OrderNames(
        table="pos_orders",
        id="id",
        total="total",
        discount="discount",
        tax="tax",
        currency="currency",
        status="payment_status",
    ),
    line=LineNames(
        table="pos_order_lines",
        order="order_id",
        name="name",
        quantity="quantity",
        unit_price="unit_price",
        discount="discount",
        total="total",
        position="id",
    ),
)
"""The schema for a till that has none yet: docs/point-of-sale.md has its tables."""

ERP = OrderMapping(
    order=OrderNames(
        table="sale_order",
        id="id",
        total="amount_total",
        tax="amount_tax",
        currency="currency_id",
        status="x_payment_status",
        state="state",
    ),
    line=LineNames(
        table="sale_order_line",
        order="order_id",
        name="name",
        quantity="product_uom_qty",
        unit_price="price_unit",
        discount_percent="discount",
        total="price_total",
        position="id",
    ),
    currencies=CurrencyNames(table="res_currency", id="id", code="name"),
    closed=("cancel",),
)
"""Odoo's own tables. `x_payment_status` is a field that is added there: Odoo computes its own states itself."""


def of(schema: str, given: Mapping[str, Any]) -> OrderMapping:
    """The mapping that a source reads by."""
    match Schema(schema):
        case Schema.POS:
            return POS
        case Schema.ERP:
            return ERP
        case Schema.MAPPING:
            return from_json(given)
