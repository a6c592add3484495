"""Checks what is asked for. Source: docs.xendit.co (qr-codes, invoice, refunds)."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any

from simulators.server import Request
from simulators.xendit.books import JSON
from simulators.xendit.errors import XenditError, invalid, malformed

VERSION = "2022-07-31"
REASONS = ("FRAUDULENT", "DUPLICATE", "REQUESTED_BY_CUSTOMER", "CANCELLATION", "OTHERS")
LONGEST_REFERENCE = 255


@dataclass
class Call:
    """A request whose secret key is known."""

    request: Request
    secret_key: str
    business: str

    @property
    def document(self) -> JSON:
        if self.request.document is None:
            raise malformed()
        return self.request.document

    @property
    def id(self) -> str:
        return self.request.parameters["id"]

    @property
    def is_test(self) -> bool:
        return self.secret_key.startswith("xnd_development_")


def reference(document: JSON, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_REFERENCE:
        raise invalid(name, "is required")
    return value


def whole(value: Any, name: str, *, most: int) -> int:
    """Rupiah have no cents; `45500.0` is a whole number too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(name, "must be a number")
    if value != int(value) or not 1 <= value <= most:
        raise invalid(name, f"must be a whole number from 1 to {most}")
    return int(value)


def choice(document: JSON, name: str, known: tuple[str, ...], missing: str = "") -> str:
    value = document.get(name, missing)
    if value not in known:
        raise invalid(name, f"must be one of {', '.join(known)}")
    return str(value)


def currency(document: JSON, *, required: bool) -> None:
    """Rupiah, the currency of the simulated merchants."""
    value = document.get("currency")
    if value is None and not required:
        return
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise invalid("currency", "is required")
    if value != "IDR":
        raise XenditError(400, "UNSUPPORTED_CURRENCY", "The currency is not supported for this merchant")


def moment(value: Any, name: str, now: float) -> float:
    try:
        at = datetime.datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        raise invalid(name, "must be a time of ISO 8601") from None
    if at <= now:
        raise invalid(name, "must be in the future")
    return at
