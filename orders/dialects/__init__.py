"""The kinds of database that orders may live in, and all in which one differs from another.

Settings read this before Django is set up: no models here.
"""

from orders.dialects.base import TABLES_CHANGED, Column, Dialect, Kind, WrongUrl
from orders.dialects.mariadb import MariaDB
from orders.dialects.postgresql import PostgreSQL

__all__ = ["SCHEMES", "TABLES_CHANGED", "Column", "Dialect", "Kind", "WrongUrl", "of_scheme", "of_vendor"]

_ALL: tuple[Dialect, ...] = (PostgreSQL(), MariaDB())
_BY_SCHEME = {scheme: dialect for dialect in _ALL for scheme in dialect.schemes}
_BY_VENDOR = {dialect.vendor: dialect for dialect in _ALL}

SCHEMES = tuple(_BY_SCHEME)
"""What a database's URL may begin with."""


def of_scheme(scheme: str) -> Dialect | None:
    """The dialect of a URL that begins so."""
    return _BY_SCHEME.get(scheme)


def of_vendor(vendor: str) -> Dialect:
    """The dialect of a connection, by Django's word for its kind."""
    return _BY_VENDOR[vendor]
