"""The demo merchant's own program: it knows our API by HTTP only."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from core.crypto import Secret
from core.http import HttpFault, Request, send

DEADLINE_SECONDS = 30.0


class Refused(Exception):
    """The API answered with a problem, whose detail is the message; or it gave no answer."""


class Shop:
    """Calls `base_url` with a key. Every answer is a JSON object."""

    def __init__(self, base_url: str, key: Secret) -> None:
        self._base_url, self._key = base_url, key

    def get(self, path: str) -> dict[str, Any]:
        return self._call("GET", path)

    def post(self, path: str, body: Mapping[str, Any], *, idempotency_key: str = "") -> dict[str, Any]:
        """A write, under a key of its own unless one is given. Raises Refused."""
        return self._call("POST", path, body, {"Idempotency-Key": idempotency_key or str(uuid.uuid4())})

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._call("PATCH", path, body)

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        request = Request(
            method,
            self._base_url + path,
            {
                "Authorization": f"Bearer {self._key.reveal()}",
                "Content-Type": "application/json",
                **(headers or {}),
            },
            b"" if body is None else json.dumps(body).encode(),
        )
        try:
            answer = send(request, deadline=DEADLINE_SECONDS)
        except HttpFault as fault:
            raise Refused(f"{method} {path} was not answered: {fault}") from fault
        return _read(f"{method} {path}", answer.status, answer.body)


def _read(what: str, status: int, body: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(body)
    except ValueError:
        raise Refused(f"{what} answered {status} without JSON") from None
    if status >= 400:
        raise Refused(_problem(document) or f"{what} answered {status}")
    return document


def _problem(document: Mapping[str, Any]) -> str:
    """The faults of single fields say more than the sentence above them."""
    faults = [
        f"{str(fault.get('param', '')).strip('/')}: {fault.get('detail') or fault.get('message', '')}"
        for fault in document.get("errors") or []
        if isinstance(fault, dict)
    ]
    return "; ".join(faults) or str(document.get("detail") or "")
