"""once(): a merchant's key binds a request to one object for ever; a repeat gets the first answer."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import IntegrityError, connection, models, transaction

from core import clock
from core.crypto import Purpose, matches
from core.database import delete_in_batches, insert_all
from core.errors import ApiError, IdempotencyInProgress, IdempotencyKeyReused
from events import keys, sealing
from events.models import AuditEntry, IdempotencyAnswer, IdempotencyKey

Row = TypeVar("Row")

SHOWN_ONCE = frozenset({"secret", "callback_urls"})
"""What an answer shows to the first request alone: it is not stored, and a replay has null in its place."""


class AlreadyClaimed(Exception):
    """Another request with this key came first."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any] = field(repr=False)
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that wants to be done once. `accepted` and `answered` give the rows that tell of it (money.md 24b).

    One without a key is done each time that it comes, and leaves only those.
    """

    merchant: str
    livemode: bool
    key: str
    fingerprints: tuple[str, ...]
    accepted: Callable[[str], AuditEntry] = field(repr=False)
    answered: Callable[[str, int], AuditEntry] = field(repr=False)

    def bind(self, object_id: str, *rows: models.Model) -> None:
        """Bind the key to the object and insert `rows`, all in one statement; raises AlreadyClaimed.

        Outside a transaction the statement commits by itself; inside one it belongs to it.
        """
        if not self.key:
            with _savepoint():
                insert_all(*rows, self.accepted(object_id))
            return
        bound = IdempotencyKey(
            merchant=self.merchant,
            livemode=self.livemode,
            key=self.key,
            fingerprint=self.fingerprints[0],
            object_id=object_id,
            lease_until=clock.now() + settings.IDEMPOTENCY_LEASE,
        )
        try:
            with _savepoint():
                insert_all(bound, *rows, self.accepted(object_id))
        except IntegrityError as error:
            if self.find() is not None:
                raise AlreadyClaimed(self.key) from error
            raise

    def find(self) -> IdempotencyKey | None:
        if not self.key:
            return None
        return IdempotencyKey.objects.filter(merchant=self.merchant, livemode=self.livemode, key=self.key).first()


def _savepoint() -> AbstractContextManager[None]:
    """Inside a transaction a violated constraint must not end it; outside, one statement needs no transaction."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()


def request_fingerprints(*parts: str, livemode: bool) -> tuple[str, ...]:
    """A keyed hash of what makes two requests the same, under every master key; the first is stored."""
    return tuple(keys.ring().keyed_hashes(Purpose.REQUEST, *parts, livemode=livemode))


def once(
    claim: Claim,
    *,
    act: Callable[[], Row],
    resume: Callable[[str], Row],
    present: Callable[[Row], dict[str, Any]],
    status: int,
) -> Answer:
    """Do `act` once. A repeat is answered as the first was; one whose first died continues its object.

    A refusal by `act` may be the echo of this key's own first request (its refund has used up the
    balance), so the key is looked up before the refusal is believed.
    """
    try:
        row = act()
    except (AlreadyClaimed, ApiError):
        held = claim.find()
        if held is None:
            raise
        stored = _earlier_answer(claim, held)
        if stored is not None:
            return stored
        row = resume(held.object_id)
        _let_go(held)
        return Answer(status, present(row), replayed=True)
    answer = Answer(status, present(row))
    _store(claim, answer, row)
    return answer


def _earlier_answer(claim: Claim, held: IdempotencyKey) -> Answer | None:
    """The stored answer; None when it is gone, or when the caller now holds the lease of a request that has none."""
    if not any(matches(held.fingerprint, fingerprint) for fingerprint in claim.fingerprints):
        raise IdempotencyKeyReused(
            f"The key was used for another request, which made {held.object_id}. Use a new key for a new request.",
            param="Idempotency-Key",
        )
    found = IdempotencyAnswer.objects.filter(merchant=claim.merchant, livemode=claim.livemode, key=claim.key).first()
    if found is not None:
        # What was answered about a subject goes with its key; its object says what has become of it.
        with suppress(sealing.KeyDestroyed):
            return Answer(found.status, json.loads(sealing.unseal(found, "body")), replayed=True)
        return None
    _take_over(held)
    return None


def _take_over(held: IdempotencyKey) -> None:
    now = clock.now()
    taken = IdempotencyKey.objects.filter(pk=held.pk, lease_until__lte=now).update(
        lease_until=now + settings.IDEMPOTENCY_LEASE
    )
    if not taken:
        left = max(1, round((held.lease_until - now) / timedelta(seconds=1)))
        raise IdempotencyInProgress(
            f"The first request with this key is still running on {held.object_id}. Ask again in a moment.",
            param="Idempotency-Key",
            retry_after=min(left, 5),
        )


def _let_go(held: IdempotencyKey) -> None:
    """Nothing runs under this key any more: the next repeat need not wait for the lease to end."""
    IdempotencyKey.objects.filter(pk=held.pk).update(lease_until=clock.now())


def _store(claim: Claim, answer: Answer, row: Any) -> None:
    kept = IdempotencyAnswer(
        merchant=claim.merchant,
        livemode=claim.livemode,
        key=claim.key,
        data_key_owner=getattr(row, "data_key_owner", ""),
        status=answer.status,
    )
    body = {name: None if name in SHOWN_ONCE else value for name, value in answer.body.items()}
    told = claim.answered(answer.body["id"], answer.status)
    if not claim.key:
        insert_all(told)
        return
    try:
        sealing.seal(kept, "body", json.dumps(body))
    except sealing.KeyDestroyed:  # erased since it was answered
        insert_all(told)
    else:
        insert_all(kept, told)


def purge_answers() -> int:
    """Forget answers older than 48 hours; their keys then answer with the object as it is."""
    old = IdempotencyAnswer.objects.filter(created_at__lt=clock.now() - settings.IDEMPOTENCY_ANSWERS_KEPT)
    return delete_in_batches(old)
