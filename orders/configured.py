"""The databases of merchants' tills, as the settings name them. Read before Django is set up: no models here."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import environ

from core.crypto import Secret

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FIELDS = {"name", "url", "merchants", "livemode"}

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 5
LOCK_SECONDS = 2
_LIMITS = {
    "statement_timeout": STATEMENT_SECONDS,
    "lock_timeout": LOCK_SECONDS,
    "idle_in_transaction_session_timeout": 2 * STATEMENT_SECONDS,
}
"""What the database itself ends; in seconds."""


@dataclass(frozen=True, slots=True)
class OrderDatabase:
    """A database of somebody else's, which those merchants' sources may name, in that mode alone."""

    name: str
    url: Secret
    merchants: frozenset[str]
    livemode: bool

    @property
    def alias(self) -> str:
        """Its name among Django's databases."""
        return f"orders_{self.name}"

    def connection(self) -> dict[str, Any]:
        """What Django is to be told of it: every wait has its end."""
        told: dict[str, Any] = environ.Env.db_url_config(self.url.reveal())
        given: dict[str, Any] = told.get("OPTIONS", {})
        limits = " ".join(f"-c {name}={seconds * 1000}" for name, seconds in _LIMITS.items())
        options = {
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": STATEMENT_SECONDS * 1000,
            "keepalives_idle": STATEMENT_SECONDS,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "application_name": "lango",
            **given,
            "options": f"{given.get('options', '')} {limits}".strip(),
        }
        return {**told, "CONN_MAX_AGE": 0, "DISABLE_SERVER_SIDE_CURSORS": True, "OPTIONS": options}


def parse(text: str) -> dict[str, OrderDatabase]:
    """By name, from a JSON list of `{"name", "url", "merchants", "livemode"}`.

    Raises ValueError that names the fault, never a URL.
    """
    try:
        given = json.loads(text or "[]")
    except ValueError as error:
        raise ValueError("ORDER_DATABASES is not valid JSON") from error
    if not isinstance(given, list):
        raise ValueError("ORDER_DATABASES is not a JSON list")
    made = {database.name: database for database in map(_one, given, range(len(given)))}
    if len(made) != len(given):
        raise ValueError("ORDER_DATABASES names a database twice")
    return made


def connections_to(databases: Iterable[OrderDatabase]) -> dict[str, dict[str, Any]]:
    """By alias, for Django's DATABASES."""
    return {database.alias: database.connection() for database in databases}


def _one(entry: object, place: int) -> OrderDatabase:
    where = f"ORDER_DATABASES[{place}]"
    if not isinstance(entry, Mapping) or set(entry) != _FIELDS:
        raise ValueError(f"{where} does not have exactly {', '.join(sorted(_FIELDS))}")
    name, url, merchants, livemode = (entry[field] for field in ("name", "url", "merchants", "livemode"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{where} has a name that is not 1 to 32 of a-z, 0-9 and _, beginning with a letter")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise ValueError(f"{where} has a url that does not begin with postgresql://")
    if not isinstance(merchants, list) or not merchants or not all(isinstance(one, str) for one in merchants):
        raise ValueError(f"{where} does not list the ids of the merchants who may use it")
    if not isinstance(livemode, bool):
        raise ValueError(f"{where} does not say with true or false whether it is for live mode")
    return OrderDatabase(name, Secret(url), frozenset(merchants), livemode)
