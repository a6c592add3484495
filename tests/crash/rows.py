"""Our rows as seen from outside: which operation a call belongs to, and rows held so that others wait."""

import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from django.db import connection
from django.db.models import Q, QuerySet
from psycopg import sql

from events import sealing
from payments.models import Operation
from tests.crash.gates import Call


@contextmanager
def quiet_connection() -> Iterator[None]:
    """For threads of the harness, each of which gives its connection back."""
    try:
        yield
    finally:
        connection.close()


_KEYS = ("idempotency-key", "paypal-request-id")
"""Headers by which providers are told our operation's key."""
_WORD = re.compile(r"[A-Za-z0-9_.-]{8,}")


def operation_of(call: Call) -> Operation | None:
    """By its key, by the token in the callback URL that M-Pesa is given, or by what else names its attempt."""
    keys = [value for name, value in call.headers.items() if name.lower() in _KEYS]
    with quiet_connection():
        token_hash = _token_hash(call)
        if keys:
            return Operation.objects.filter(key__in=keys).first()
        if token_hash:
            return Operation.objects.filter(token_hash=token_hash).first()
        named = set(_WORD.findall(f"{call.path} {call.body.decode(errors='replace')}"))
        return _about(named).filter(state="sending").first()


def _about(named: Collection[str]) -> QuerySet[Operation]:
    """Operations that have one of these names, or whose attempts have."""
    of_attempts = Q(attempt__provider_reference__in=named) | Q(attempt__provider_id__in=named)
    return Operation.objects.filter(Q(key__in=named) | of_attempts)


def questions_about(call: Call) -> list[str]:
    """The operations whose outcome this asks about: by its path, or M-Pesa's prompt, or as the lookup's subject."""
    if call.to != "mpesa":
        return list(_about(set(_WORD.findall(call.path))).filter(kind="create").values_list("pk", flat=True))
    prompt = _document(call).get("CheckoutRequestID")
    if prompt:
        return list(Operation.objects.filter(attempt__provider_id=prompt, kind="create").values_list("pk", flat=True))
    lookup = Operation.objects.filter(token_hash=_token_hash(call)).first()
    return [lookup.about_id] if lookup and lookup.about_id else []


def _token_hash(call: Call) -> str:
    document = _document(call)
    url = str(document.get("CallBackURL") or document.get("ResultURL") or "")
    return hash_of_token(url)


def hash_of_token(url: str) -> str:
    """What is stored of the operation's token at the end of a callback URL; empty without one."""
    found = re.search(r"/callbacks/[^/]+/[^/]+/([0-9a-f]+)$", url)
    return sealing.token_hash(found.group(1), livemode=False) if found else ""


def _document(call: Call) -> dict[str, Any]:
    try:
        decoded = json.loads(call.body or b"{}")
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


class Lock:
    """One row, locked by a connection of our own for as long as the block lasts."""

    def __init__(self, held: psycopg.Connection[Any]) -> None:
        self._held = held

    @classmethod
    def take(cls, table: str, key: str) -> Self | None:
        """None when somebody else holds the row right now."""
        held = psycopg.connect(os.environ["DATABASE_URL"])
        try:
            query = sql.SQL("SELECT 1 FROM {} WHERE id = %s FOR NO KEY UPDATE NOWAIT").format(sql.Identifier(table))
            if held.execute(query, [key]).fetchone():
                return cls(held)
        except psycopg.errors.LockNotAvailable:
            pass
        held.close()
        return None

    def ports_held_up(self) -> list[int]:
        """The clients' own ports of the connections that wait for this lock, directly or behind others."""
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as looking:
            rows = looking.execute(
                "SELECT client_port FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))",
                [self._held.info.backend_pid],
            ).fetchall()
        return [int(port) for (port,) in rows if port]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._held.close()
