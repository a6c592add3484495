"""Checks the fields of a Daraja request, each refusal naming its field as Safaricom does.

Source: developer.safaricom.co.ke, MpesaExpressSimulate, MpesaExpressQuery (parameters, error table).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import urlsplit

from simulators.mpesa.errors import MpesaError, invalid, no_merchant, wrong_credentials
from simulators.mpesa.settings import MpesaSettings
from simulators.server import Request

SHORT_CODE = re.compile(r"\d{5,7}\Z")
TIMESTAMP = re.compile(r"\d{14}\Z")
MSISDN = re.compile(r"254[71]\d{8}\Z")
WHOLE = re.compile(r"\d{1,12}\Z")
FORBIDDEN = re.compile(r"mpesa|safaricom|exe|cmd|sql|query", re.IGNORECASE)
LONGEST_URL = 500


class Fields:
    """The JSON object of one request. Missing and wrong fields are the same refusal."""

    def __init__(self, request: Request) -> None:
        if "application/json" not in request.header("Content-Type"):
            raise invalid("BusinessShortCode")
        if request.document is None:
            raise MpesaError("400.002.05", "Invalid Request Payload")
        self._values: dict[str, Any] = request.document

    def text(self, name: str, pattern: re.Pattern[str] | None = None, *, refused_as: str = "") -> str:
        """Numbers pass as their digits, as Daraja lets them."""
        value = self._values.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise invalid(refused_as or name)
        text = str(value).strip()
        if not text or (pattern and not pattern.match(text)):
            raise invalid(refused_as or name)
        return text

    def optional(self, name: str) -> str:
        value = self._values.get(name)
        return "" if value is None else str(value).strip()

    def short(self, name: str, longest: int, shortest: int = 1, *, refused_as: str = "") -> str:
        text = self.text(name, refused_as=refused_as)
        if not shortest <= len(text) <= longest:
            raise invalid(refused_as or name)
        return text

    def choice(self, name: str, *choices: str) -> str:
        text = self.text(name)
        if text not in choices:
            raise invalid(name)
        return text

    def amount(self) -> int:
        """Whole shillings, at least 1; a fraction is refused."""
        amount = int(self.text("Amount", WHOLE))
        if amount < 1:
            raise invalid("Amount")
        return amount

    def url(self, name: str) -> str:
        """Refuses what is no web address and what holds one of Safaricom's forbidden words."""
        text = self.text(name)
        try:
            parts = urlsplit(text)
        except ValueError:
            raise invalid(name) from None
        fits = parts.scheme in ("http", "https") and parts.hostname and len(text) <= LONGEST_URL
        if not fits or FORBIDDEN.search(text):
            raise invalid(name)
        return text

    def business(self, settings: MpesaSettings) -> str:
        """The short code, once `Password` = base64(short code + passkey + timestamp) proves to be its own."""
        short_code = self.text("BusinessShortCode", SHORT_CODE)
        timestamp = self.text("Timestamp", TIMESTAMP)
        password = self.text("Password")
        passkey = settings.passkeys.get(short_code)
        if passkey is None:
            raise no_merchant()
        try:
            opened = base64.b64decode(password, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise wrong_credentials() from None
        if opened != f"{short_code}{passkey}{timestamp}":
            raise wrong_credentials()
        return short_code
