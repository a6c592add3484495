"""Subscribers within the company, as the settings name them. Read before Django is set up: no models here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from core.crypto import Secret

_NAME = re.compile(r"[a-z0-9-]{1,20}")


@dataclass(frozen=True, slots=True)
class Subscription:
    url: str
    secret: Secret


def parse(text: str, *, https_only: bool) -> dict[str, Subscription]:
    """By name, from a JSON list of `{"name", "url", "secret"}`. Raises ValueError that names the fault, no secret."""
    try:
        given = json.loads(text or "[]")
    except ValueError as error:
        raise ValueError("INTERNAL_SUBSCRIBERS is not valid JSON") from error
    if not isinstance(given, list):
        raise ValueError("INTERNAL_SUBSCRIBERS is not a JSON list")
    made = dict(_one(entry, place, https_only=https_only) for place, entry in enumerate(given))
    if len(made) != len(given):
        raise ValueError("INTERNAL_SUBSCRIBERS names a subscriber twice")
    return made


def _one(entry: object, place: int, *, https_only: bool) -> tuple[str, Subscription]:
    where = f"INTERNAL_SUBSCRIBERS[{place}]"
    if not isinstance(entry, Mapping) or set(entry) != {"name", "url", "secret"}:
        raise ValueError(f"{where} does not have exactly name, url and secret")
    name, url, secret = str(entry["name"]), str(entry["url"]), str(entry["secret"])
    if not _NAME.fullmatch(name):
        raise ValueError(f"{where} has a name that is not 1 to 20 of a-z, 0-9 and -")
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in ({"https"} if https_only else {"https", "http"}):
        raise ValueError(f"{where} has a url that does not begin with https://")
    if not _signs(secret):
        raise ValueError(f"{where} has a secret that is not whsec_ and base64")
    return name, Subscription(url, Secret(secret))


def _signs(secret: str) -> bool:
    try:
        Webhook(secret)
    except Exception:  # noqa: BLE001  (the library raises whatever its base64 does)
        return False
    return secret.startswith("whsec_")
