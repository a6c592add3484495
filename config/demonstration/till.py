"""The demo merchant's own databases: a POS with our built-in tables, and an ERP with Odoo's.

They are a schema beside ours on the same server, reached as somebody else's. Import it only after `django.setup()`.
"""

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from django.db import connection, transaction

from config.demonstration.telling import CannotGoOn
from core.money import Money

NAME, SCHEMA = "lunch", "demo_till"
_TABLES = """
CREATE TABLE IF NOT EXISTS pos_orders (
    id text PRIMARY KEY, currency char(3) NOT NULL, discount numeric, tax numeric, total numeric NOT NULL,
    payment_status text
);
CREATE TABLE IF NOT EXISTS pos_order_lines (
    id bigserial PRIMARY KEY, order_id text NOT NULL REFERENCES pos_orders, name text NOT NULL,
    quantity numeric NOT NULL, unit_price numeric NOT NULL, discount numeric, total numeric
);
CREATE TABLE IF NOT EXISTS res_currency (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS sale_order (
    id serial PRIMARY KEY, name text, state text, currency_id integer REFERENCES res_currency,
    amount_untaxed numeric, amount_tax numeric, amount_total numeric, x_payment_status text
);
CREATE TABLE IF NOT EXISTS sale_order_line (
    id serial PRIMARY KEY, order_id integer REFERENCES sale_order, name text, sequence integer,
    product_uom_qty numeric, price_unit numeric, discount numeric, price_tax double precision,
    price_subtotal numeric, price_total numeric
);
INSERT INTO res_currency (name) VALUES ('IDR') ON CONFLICT DO NOTHING;
"""


def setting(database_url: str, *, merchant: str) -> str:
    """The ORDER_DATABASES that let this merchant's test payments name orders here."""
    address = urlsplit(database_url)
    path = f"options={quote(f'-c search_path={SCHEMA}')}"
    url = urlunsplit(address._replace(query="&".join(part for part in (address.query, path) if part)))
    return json.dumps([{"name": NAME, "url": url, "merchants": [merchant], "livemode": False}])


def open_till() -> None:
    """Its tables, unless an earlier demo has made them."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    _run(_TABLES)


def ring_up(money: Money) -> str:
    """A lunch at the POS, for that much. The order's number."""
    number = f"L-{random.randrange(10**8):08}"
    _run(
        "INSERT INTO pos_orders (id, currency, total, payment_status) VALUES (%s, %s, %s, 'open')",
        [number, money.currency, money.major()],
    )
    _run(
        "INSERT INTO pos_order_lines (order_id, name, quantity, unit_price) VALUES (%s, %s, 1, %s)",
        [number, "Nasi campur", money.major()],
    )
    return number


def sell(money: Money) -> str:
    """An order at the ERP, for that much. Its id."""
    [(number,)] = _run(
        "INSERT INTO sale_order (name, state, currency_id, amount_total) "
        "SELECT 'S-DEMO', 'sale', id, %s FROM res_currency WHERE name = %s RETURNING id",
        [money.major(), money.currency],
    )
    _run(
        "INSERT INTO sale_order_line (order_id, name, product_uom_qty, price_unit) VALUES (%s, %s, 1, %s)",
        [number, "Catering for twelve", money.major()],
    )
    return str(number)


def pos_status(number: str) -> str:
    [(status,)] = _run("SELECT payment_status FROM pos_orders WHERE id = %s", [number])
    return str(status or "")


def erp_status(number: str) -> str:
    [(status,)] = _run("SELECT x_payment_status FROM sale_order WHERE id = %s", [int(number)])
    return str(status or "")


def require_paid(status: Callable[[str], str], number: str, *, patiently: Callable[..., Any]) -> None:
    """Wait until the order is marked paid where it lives. Raises CannotGoOn."""
    told = patiently(lambda: status(number), until=lambda told: told == "paid")
    if told != "paid":
        raise CannotGoOn(f"Order {number} is paid, and its own database says {told!r}.")


def _run(text: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
    """As the till's own people do, who see their tables alone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL search_path TO {SCHEMA}")
        cursor.execute(text, values)
        return cursor.fetchall() if cursor.description else []
