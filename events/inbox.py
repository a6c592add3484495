"""Callbacks in: stored before they are read, recognised when repeated, processed until they are settled."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.db import IntegrityError, transaction

from core import clock
from core.database import delete_in_batches, insert_all, violated
from core.logging import request_id
from core.providers import Door, Proof
from events import attention, sealing, work
from events.models import Attention, Callback, CallbackKey

_RETRY_SECONDS = (5, 30, 120, 600, 3600)
_GRACE = timedelta(seconds=10)
"""After this, a stored callback that nobody processed is taken up by the sweep."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came through a door. `account` is the provider account's row; header names are in lower case.

    `at` is set when a stored callback is verified once more: it is as old as it was when it arrived. `outcome` is
    what processing came to, as the handler noted it, at a door that wants an answer.
    """

    account: Any
    door: str
    headers: Mapping[str, str]
    body: bytes
    address: str
    operation: str = ""
    at: datetime | None = None
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class DoorAnswer:
    """What the provider reads back."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Handler(Protocol):
    """What a domain registers for a provider, so that its callbacks find their way."""

    doors: Mapping[str, Door]

    def find_operation(self, account: Any, token: str) -> str:
        """The id of the operation that the token in the path names, within this account; empty if none."""

    def verify(self, arrival: Arrival) -> None:
        """Raises core.providers.Forged."""

    def event_key(self, arrival: Arrival) -> str:
        """What the provider repeats on a redelivery; empty where it has nothing of the kind."""

    def process(self, callback: Callback) -> None:
        """Do what the callback asks for and `finish` it in the same transaction."""

    def answer(self, arrival: Arrival) -> DoorAnswer: ...


_handlers: dict[str, Handler] = {}


def register(provider: str, handler: Handler) -> None:
    _handlers[provider] = handler


def handler_of(provider: str) -> Handler | None:
    return _handlers.get(provider)


def wants_answer(door: str) -> bool:
    """Whether a door of this name is one that wants an answer, at any provider."""
    return any(door in handler.doors and handler.doors[door].wants_answer for handler in _handlers.values())


def receive(arrival: Arrival, *, key: str) -> Callback:
    """Store a verified callback, or find the one that it repeats. Commits before anything is done about it.

    Without an event key the digest stands for it, and the callback is always processed again.
    """
    callback = _row(arrival, Callback.State.RECEIVED)
    door = _door(callback)
    callback.due_at = clock.now() + (_GRACE if door.proof is Proof.FULL else timedelta(0))
    if door.wants_answer:
        callback.save(force_insert=True)
        return callback
    name = CallbackKey(account=callback.account, door=callback.door, key=key or callback.digest, callback=callback.pk)
    try:
        with transaction.atomic():
            insert_all(callback, name)
    except IntegrityError as error:
        if violated(error) != "one_callback_per_event":
            raise
        return _repeated(name, with_key=bool(key))
    return callback


def _repeated(name: CallbackKey, *, with_key: bool) -> Callback:
    first = CallbackKey.objects.get(account=name.account, door=name.door, key=name.key)
    callback = Callback.objects.get(pk=first.callback)
    if not (with_key and callback.state in (Callback.State.PROCESSED, Callback.State.IGNORED)):
        Callback.objects.filter(pk=callback.pk).update(due_at=clock.now())
    return callback


def quarantine(arrival: Arrival, note: str) -> Callback | None:
    """Keep a callback that a right token brought from a wrong address or with a wrong signature; capped."""
    since = clock.now() - timedelta(minutes=1)
    held = Callback.objects.filter(
        account=arrival.account.pk, state=Callback.State.QUARANTINED, received_at__gte=since
    ).count()
    if held >= settings.QUARANTINE_PER_MINUTE:
        return None
    callback = _row(arrival, Callback.State.QUARANTINED)
    callback.note = note[:500]
    callback.save(force_insert=True)
    attention.raise_for(arrival.account, Attention.Reason.QUARANTINED, note)
    return callback


def release(callback: Callback) -> None:
    """A settled or quarantined callback that has passed verification now: let it be processed like a new one."""
    Callback.objects.filter(pk=callback.pk).exclude(state=Callback.State.RECEIVED).update(
        state=Callback.State.RECEIVED, due_at=clock.now(), tries=0, note="verified again"
    )
    work.wake_on_commit("callbacks")


def _row(arrival: Arrival, state: Callback.State) -> Callback:
    callback = Callback(
        merchant=arrival.account.merchant_id,
        livemode=arrival.account.livemode,
        account=arrival.account.pk,
        provider=arrival.account.provider,
        lane=arrival.account.pk,
        door=arrival.door,
        operation=arrival.operation,
        digest=hashlib.sha256(arrival.operation.encode() + b"." + arrival.body).hexdigest(),
        address=arrival.address,
        request_id=request_id.get(),
        state=state,
    )
    sealing.seal(callback, "headers", json.dumps(dict(arrival.headers)))
    sealing.seal(callback, "body", arrival.body)
    return callback


def contents(callback: Callback) -> tuple[dict[str, str], bytes]:
    """The headers and bytes as they arrived."""
    headers: dict[str, str] = json.loads(sealing.unseal(callback, "headers"))
    return headers, sealing.unseal(callback, "body")


def _door(callback: Callback) -> Door:
    return _handlers[callback.provider].doors[callback.door]


def process(callback: Callback) -> None:
    """Let the handler do its work. What it raises leaves the callback stored and due again."""
    _handlers[callback.provider].process(callback)


def finish(callback: Callback, state: Callback.State, *, subject: str = "", note: str = "") -> None:
    """Settle a callback inside the transaction of its effect. An unmatched one is tried again for a while."""
    callback.state, callback.subject, callback.note = state, subject or callback.subject, note[:500]
    callback.processed_at, callback.claim, callback.due_at = clock.now(), None, None
    if state == Callback.State.UNMATCHED:
        _try_again(callback)
    elif state == Callback.State.PARKED:
        attention.raise_for(callback, Attention.Reason.PARKED, note)
    callback.save(
        update_fields=["state", "subject", "note", "processed_at", "claim", "due_at"],
    )


def postpone(callback: Callback, *, seconds: float, note: str) -> None:
    """Nothing can be said yet; look again later."""
    Callback.objects.filter(pk=callback.pk).update(
        claim=None, due_at=clock.now() + timedelta(seconds=seconds), note=note[:500]
    )


def _try_again(callback: Callback) -> None:
    if callback.tries < len(_RETRY_SECONDS):
        callback.due_at = clock.now() + timedelta(seconds=_RETRY_SECONDS[callback.tries])
    else:
        attention.raise_for(callback, Attention.Reason.UNMATCHED, callback.note)


def purge_quarantine() -> int:
    """Forget quarantined callbacks after their time (money.md 11)."""
    old = Callback.objects.filter(
        state=Callback.State.QUARANTINED, received_at__lt=clock.now() - settings.QUARANTINE_KEPT
    )
    return delete_in_batches(old, also=lambda keys: CallbackKey.objects.filter(callback__in=keys).delete())


def _failing(callback: Callback) -> None:
    attention.raise_for(callback, Attention.Reason.FAILING, "processing this callback fails again and again")


work.register(work.Queue("callbacks", model=Callback, do=process, lane_limit=8, threads=16, failing=_failing))
