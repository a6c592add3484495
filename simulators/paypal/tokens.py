"""OAuth: an app's access tokens, of which any number live at a time.

Source: developer.paypal.com/api/rest/authentication.
"""

from __future__ import annotations

import base64
import binascii
import random
import string
import time

from simulators.memory import Memory, Table
from simulators.paypal.errors import PaypalError, new_debug_id
from simulators.paypal.settings import PaypalSettings
from simulators.server import Answer, Request

LETTERS = string.ascii_letters + string.digits
SCOPE = "https://uri.paypal.com/services/payments/payment https://uri.paypal.com/services/applications/webhooks"


class Tokens:
    def __init__(self, memory: Memory, settings: PaypalSettings) -> None:
        self._settings = settings
        # By token: [app, time of its end].
        self._live: Table[list[object]] = memory.table("tokens")

    def generate(self, request: Request) -> Answer:
        """`expires_in` is a number of seconds; a wrong client is refused in OAuth's shape, not in PayPal's."""
        client, secret = _pair(request.header("Authorization"))
        if secret is None or self._settings.apps.get(client) != secret:
            return _refused("invalid_client", "Client Authentication failed")
        if dict(request.form).get("grant_type") != "client_credentials":
            return _refused("unsupported_grant_type", "Grant type is not supported", 400)
        token = "A21AA" + "".join(random.choices(LETTERS, k=80))
        self._live.put(token, [client, time.time() + self._settings.token_seconds])
        body = {
            "scope": SCOPE,
            "access_token": token,
            "token_type": "Bearer",
            "app_id": "APP-SAMPLE0000000001T",
            "expires_in": self._settings.token_seconds,
            "nonce": f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}{new_debug_id()}",
        }
        return Answer.of_json(body)

    def app(self, request: Request) -> str:
        """Whose token it is. PaypalError 401."""
        scheme, _, token = request.header("Authorization").partition(" ")
        held = self._live.get(token.strip()) if scheme.lower() == "bearer" else None
        if held is None or float(str(held[1])) <= time.time():
            raise PaypalError(401)
        return str(held[0])

    def clear(self) -> None:
        self._live.clear()


def _refused(error: str, description: str, status: int = 401) -> Answer:
    return Answer.of_json({"error": error, "error_description": description}, status)


def _pair(authorization: str) -> tuple[str, str | None]:
    scheme, _, value = authorization.partition(" ")
    try:
        client, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", None
    return client, secret if colon and scheme.lower() == "basic" else None
