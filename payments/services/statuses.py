"""A statement of a provider that lists nothing: each of our own payments is asked about, one after the other."""

import time
from typing import Any

from django.db.models import QuerySet

from core import ids
from core.providers import NothingCreated, OutcomeUnknown
from merchants.models import ProviderAccount
from payments.models import Attempt, Operation, Receipt, Refund
from payments.providers.base import Kind, Order
from payments.providers.statements import StatementPage, Statements, Window
from payments.services import connections
from payments.services.preparing import order_for
from payments.states import AttemptState

_AT_ONCE = 20
_PAGE_SECONDS = 10.0


def page(account: ProviderAccount, declared: Statements, window: Window, cursor: str) -> StatementPage:
    """What the provider says of the next payments of the window, after the attempt `cursor`.

    The page ends before the first of which it says nothing, and after some seconds. Raises NothingCreated or
    OutcomeUnknown where that is the first of all. What is said and cannot be read is `unreadable` under its attempt.
    """
    provider = connections.connect(account)
    concerned = _concerned(account, window, cursor)
    ends_at = time.monotonic() + _PAGE_SECONDS
    told: dict[str, StatementPage] = {}
    for attempt in concerned:
        if told and time.monotonic() > ends_at:
            break
        try:
            told[attempt.pk] = connections.ask(provider, provider.status(_order(attempt)), purpose="statement")
        except (NothingCreated, OutcomeUnknown):
            if not told:
                raise
            break
        time.sleep(declared.pause.total_seconds())
    is_last = len(told) == len(concerned) < _AT_ONCE
    return StatementPage(
        lines=tuple(line for said in told.values() for line in said.lines),
        next_cursor="" if is_last else max(told),
        unreadable={key: "; ".join(said.unreadable.values()) for key, said in told.items() if said.unreadable},
    )


def _concerned(account: ProviderAccount, window: Window, after: str) -> list[Attempt]:
    """The next that were begun, paid or given back within the window, and may have come to the provider at all.

    In the order of their ids, which begin with their time: first those from before the window, of which there are few.
    """
    first = ids.first_id("att", window.since)
    earlier = {"attempt_id__lt": first, "attempt_id__gt": after}
    paid = Receipt.objects.filter(account=account, **_within("rcpt", window), **earlier)
    given_back = Refund.objects.filter(attempt__account=account, **_within("ref", window), **earlier)
    older = {attempt for rows in (paid, given_back) for attempt in _next_of(rows)}
    begun = Attempt.objects.filter(account=account, **_within("att", window), pk__gt=after)
    there = begun.exclude(state=AttemptState.FAILED, provider_id="").order_by("pk").values_list("pk", flat=True)
    chosen = sorted({*older, *there[:_AT_ONCE]})[:_AT_ONCE]
    return list(Attempt.objects.filter(pk__in=chosen).select_related("payment", "account").order_by("pk"))


def _next_of(rows: QuerySet[Any]) -> QuerySet[Any, str]:
    return rows.order_by("attempt_id").values_list("attempt_id", flat=True).distinct()[:_AT_ONCE]


def _within(prefix: str, window: Window) -> dict[str, str]:
    """Ids begin with their time, and have an index."""
    return {"pk__gte": ids.first_id(prefix, window.since), "pk__lt": ids.first_id(prefix, window.until)}


def _order(attempt: Attempt) -> Order:
    """The payment as its provider is asked about it; no operation of its own is written down for that."""
    payment = attempt.payment
    return order_for(Operation(attempt=attempt, kind=Kind.CREATE, amount=payment.amount, currency=payment.currency))
