"""Locks, always the payment first: whoever holds it may touch its attempts, operations and refunds."""

from django.db import connection

from events.transitions import lock
from payments.models import Attempt, Operation, Payment
from payments.providers.base import Kind


def lock_attempt(attempt: Attempt) -> Attempt:
    """The attempt with its payment and all of the payment's attempts, locked, parent first."""
    attempts = (
        Attempt.objects.select_for_update(of=("payment", "self"))
        .select_related("payment", "account")
        .filter(payment=attempt.payment_id)
        .order_by("pk")
    )
    payment = next(iter(attempts)).payment
    for locked in attempts:
        locked.payment = payment
    payment._prefetched_objects_cache = {"attempts": attempts}  # type: ignore[attr-defined]  # as prefetch_related does
    return next(locked for locked in attempts if locked.pk == attempt.pk)


def lock_untouched(operation: Operation) -> bool:
    """Lock the rows of a first write as this process inserted them, when nobody has touched them since.

    The common answer: one narrow statement instead of reading three wide rows again. False, with whatever was
    locked still locked parent first, when a callback or the resolver has been here.
    """
    attempt = operation.attempt
    payment = attempt.payment
    if operation.kind != Kind.CREATE or payment.sequence or attempt.sequence or operation.sequence:
        return False
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_UNTOUCHED, [operation.pk])
        found = cursor.fetchone()
    if found != (0, 0, 0, "", "", False):
        return False
    known = getattr(payment, "_prefetched_objects_cache", {}).get("attempts", ())
    shown = Attempt.objects.filter(payment=payment.pk)
    shown._result_cache = [*(earlier for earlier in known if earlier.pk != attempt.pk), attempt]
    payment._prefetched_objects_cache = {"attempts": shown}  # type: ignore[attr-defined]  # as prefetch_related does
    return True


_LOCK_UNTOUCHED = f"""
SELECT payment.sequence, attempt.sequence, operation.sequence, attempt.provider_id, attempt.closing_as,
    payment.unconfirmed
FROM {Operation._meta.db_table} AS operation
JOIN {Attempt._meta.db_table} AS attempt ON attempt.id = operation.attempt_id
JOIN {Payment._meta.db_table} AS payment ON payment.id = attempt.payment_id
WHERE operation.id = %s FOR UPDATE OF payment, attempt, operation
"""  # noqa: S608  (names from models)


def lock_operation(operation: Operation) -> Operation:
    """The operation with its attempt, payment, refund and dispute as they are now, locked parents first."""
    attempt = lock_attempt(operation.attempt)
    refund = lock(operation.refund) if operation.refund else None
    dispute = lock(operation.dispute) if operation.dispute else None
    locked = lock(operation)
    locked.attempt, locked.refund, locked.dispute = attempt, refund, dispute
    if refund is not None:
        refund.attempt, refund.payment = attempt, attempt.payment
    if dispute is not None:
        dispute.attempt, dispute.payment = attempt, attempt.payment
    return locked
