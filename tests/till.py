"""Somebody else's database, for tests: a till's or an ERP's tables on the test server, away and back when told.

tests/till_mariadb.py has the same on a MariaDB.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, connections
from psycopg import sql

from core.crypto import Secret
from orders import tables
from orders.configured import OrderDatabase

NAME = "till"

POS = """
CREATE TABLE pos_orders (
    id text PRIMARY KEY, currency char(3) NOT NULL, discount numeric(12, 3), tax numeric(12, 3),
    total numeric(12, 3) NOT NULL, payment_status text
);
CREATE TABLE pos_order_lines (
    id bigserial PRIMARY KEY, order_id text NOT NULL, name text NOT NULL,
    quantity numeric(12, 3) NOT NULL, unit_price numeric(14, 3) NOT NULL, discount numeric(12, 3), total numeric(14, 3),
    CONSTRAINT line_of_order FOREIGN KEY (order_id) REFERENCES pos_orders
);
"""
ERP = """
CREATE TABLE res_currency (id serial PRIMARY KEY, name varchar NOT NULL);
CREATE TABLE sale_order (
    id serial PRIMARY KEY, name varchar, state varchar, currency_id integer REFERENCES res_currency,
    amount_untaxed numeric, amount_tax numeric, amount_total numeric, x_payment_status varchar
);
CREATE TABLE sale_order_line (
    id serial PRIMARY KEY, order_id integer REFERENCES sale_order, name text, sequence integer,
    product_uom_qty numeric, price_unit numeric, discount numeric, price_tax double precision,
    price_subtotal numeric, price_total numeric
);
INSERT INTO res_currency (name) VALUES ('USD'), ('IDR'), ('KWD');
"""


class _Unlisted(dict):
    """Django's settings of its databases, with those of tills unlisted: its tests forbid those that they can list."""

    def __iter__(self) -> Iterator[str]:
        return (alias for alias in super().__iter__() if not alias.startswith("orders_"))


class Till:
    """A database with nothing in it, and our settings' name for it. What is particular to PostgreSQL comes first."""

    pos, erp = POS, ERP
    inexact, exact = "double precision", "numeric"
    """Its words for a float, and for a number with decimals."""
    encoding = ""
    """How its letters are written, where that is another way than the server's."""

    def __init__(self, name: str = NAME) -> None:
        own = connection.settings_dict
        self.name, self.database = name, f"{own['NAME']}_{name}"
        self.server = {"host": own["HOST"], "port": own["PORT"], "user": own["USER"], "password": own["PASSWORD"]}
        self._begin()

    def _begin(self) -> None:
        with self._as_owner() as owner:
            there = owner.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.database]).fetchone()
            if not there:
                made = sql.SQL(f"CREATE DATABASE {{}} {self.encoding}").format(sql.Identifier(self.database))
                owner.execute(made)
        self.come_back()
        self.run("DROP SCHEMA public CASCADE")
        self.run("CREATE SCHEMA public")
        self.run("GRANT USAGE ON SCHEMA public TO PUBLIC")

    def url(self, *, user: str = "", password: str = "", port: int = 0) -> str:
        own = self.server
        return (
            f"postgresql://{user or own['user']}:{password or own['password']}"
            f"@{own['host']}:{port or own['port']}/{self.database}"
        )

    def _as_owner(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(dbname=connection.settings_dict["NAME"], autocommit=True, **self.server)

    def run(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """As the till's own people do."""
        with psycopg.connect(dbname=self.database, autocommit=True, **self.server) as theirs:
            done = theirs.execute(text, values or None)  # type: ignore[arg-type]
            return done.fetchall() if done.description else []

    @contextmanager
    def held(self, text: str) -> Iterator[None]:
        """The till's own people are in the middle of something."""
        with psycopg.connect(dbname=self.database, **self.server) as theirs:
            theirs.execute(text)
            yield

    def retype(self, table: str, column: str, kind: str) -> None:
        self.run(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} USING {column}::{kind}")

    @contextmanager
    def user(self, name: str, password: str, *rights: str) -> Iterator[None]:
        """A user with just these rights, as GRANT has them."""
        self.run(f"DROP ROLE IF EXISTS {name}")
        self.run(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        try:
            for right in rights:
                self.run(f"GRANT {right} TO {name}")
            yield
        finally:
            self.run(f"DROP OWNED BY {name}")
            self.run(f"DROP ROLE {name}")

    def sleep(self, cursor: Any) -> None:
        """Ten seconds, of which the database allows a twentieth of one."""
        cursor.execute("SET LOCAL statement_timeout = 50")
        cursor.execute("SELECT pg_sleep(10)")

    def go_away(self) -> None:
        """Nobody gets in, and whoever is in is thrown out."""
        self._let_in(False)
        with self._as_owner() as owner:
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.database])

    def come_back(self) -> None:
        self._let_in(True)

    def _let_in(self, whether: bool) -> None:
        with self._as_owner() as owner:
            name, word = sql.Identifier(self.database), sql.SQL("true" if whether else "false")
            owner.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(name, word))

    def add_lines(self, number: str, count: int, name: str = "line") -> None:
        """Lines that cost 1 each: `line 1`, `line 2` …"""
        told = [f"('{number}', '{name} {place}', 1, 1, 1)" for place in range(1, count + 1)]
        columns = "order_id, name, quantity, unit_price, total"
        for first in range(0, count, 2000):
            self.run(f"INSERT INTO pos_order_lines ({columns}) VALUES {', '.join(told[first : first + 2000])}")

    def ring_up(self, number: str = "1042", total: str = "12.50", currency: str = "USD", **more: Any) -> str:
        facts = {"id": number, "total": total, "currency": currency, "payment_status": "open"} | more
        columns, marks = ", ".join(facts), ", ".join("%s" for _ in facts)
        self.run(f"INSERT INTO pos_orders ({columns}) VALUES ({marks})", *facts.values())
        return number

    def status(self, number: str = "1042") -> str | None:
        return self.run("SELECT payment_status FROM pos_orders WHERE id = %s", number)[0][0]

    def configure(self, *merchants: str, livemode: bool = False, **at: Any) -> OrderDatabase:
        """Give the database its name in our settings, for those merchants."""
        known = OrderDatabase(self.name, Secret(self.url(**at)), frozenset(merchants), livemode)
        settings.ORDER_DATABASES = {**settings.ORDER_DATABASES, self.name: known}
        told = {"default": dict(connections.settings["default"]), known.alias: known.connection()}
        made = connections.configure_settings(told)[known.alias]
        connections.settings = _Unlisted({**connections.settings, **_tills_known(), known.alias: made})
        self._forget_connection(known.alias)
        return known

    def remove(self) -> None:
        known = settings.ORDER_DATABASES.get(self.name)
        if known is not None:
            self._forget_connection(known.alias)
            connections.settings.pop(known.alias, None)
        tables._built.clear()

    def _forget_connection(self, alias: str) -> None:
        if hasattr(connections._connections, alias):
            connections[alias].close()
            delattr(connections._connections, alias)


def _tills_known() -> dict[str, Any]:
    held = connections.settings
    return {alias: held[alias] for alias in held.keys() if alias.startswith("orders_")}  # noqa: SIM118


@contextmanager
def tills(*names: str, make: Callable[[str], Till] = Till) -> Iterator[list[Till]]:
    """Databases that are there while the block lasts."""
    before, listed = settings.ORDER_DATABASES, connections.settings
    made = [make(name) for name in names]
    try:
        yield made
    finally:
        for till in made:
            till.remove()
        settings.ORDER_DATABASES, connections.settings = before, listed
