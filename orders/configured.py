"""The databases of merchants' tills, as the settings name them. Read before Django is set up: no models here."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from core.crypto import Secret
from orders import dialects
from orders.dialects import Dialect, WrongUrl

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FIELDS = {"name", "url", "merchants", "livemode"}
_SCHEMES = " or ".join(f"{scheme}://" for scheme in dialects.SCHEMES)


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

    @property
    def dialect(self) -> Dialect:
        """What is particular about its kind."""
        known = dialects.of_scheme(urlsplit(self.url.reveal()).scheme)
        if known is None:
            raise WrongUrl(f"has a url that does not begin with {_SCHEMES}")
        return known

    def connection(self) -> dict[str, Any]:
        """What Django is to be told of it: every wait has its end. Raises WrongUrl, and ValueError."""
        return self.dialect.connection(self.url.reveal())


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
    if not isinstance(url, str):
        raise ValueError(f"{where} has a url that is no text")
    if not isinstance(merchants, list) or not merchants or not all(isinstance(one, str) for one in merchants):
        raise ValueError(f"{where} does not list the ids of the merchants who may use it")
    if not isinstance(livemode, bool):
        raise ValueError(f"{where} does not say with true or false whether it is for live mode")
    made = OrderDatabase(name, Secret(url), frozenset(merchants), livemode)
    try:
        made.connection()
    except WrongUrl as fault:
        raise ValueError(f"{where} {fault}") from None
    except ValueError:
        raise ValueError(f"{where} has a url that cannot be read") from None
    return made
