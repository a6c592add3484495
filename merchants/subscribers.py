"""Subscribers within the company: they receive all merchants' events, signed as a merchant's webhooks are.

Each has a cursor over the outbox and a lane of its own, so that one that is down delays nobody and loses nothing.
"""

from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import models, transaction
from standardwebhooks import Webhook

from core import clock
from events import attention, outbox, work
from events.models import Attention, Event
from merchants.models import InternalDelivery
from merchants.webhook_sending import Try, post, wait_after

QUEUE = "subscribers"


def _reader(name: str) -> Callable[[list[Event]], None]:
    def stage(events: Sequence[Event]) -> None:
        now = clock.now()
        staged = [InternalDelivery(subscriber=name, lane=name, event=event, due_at=now) for event in events]
        InternalDelivery.objects.bulk_create(staged, ignore_conflicts=True)

    return stage


def deliver(delivery: InternalDelivery) -> Try | None:
    """One signed POST; None when the settings no longer name its subscriber."""
    found = settings.INTERNAL_SUBSCRIBERS.get(delivery.subscriber)
    if found is None:
        return None
    return post(delivery.event, url=found.url, sign=Webhook(found.secret.reveal()).sign)


@transaction.atomic
def _store(results: Sequence[tuple[InternalDelivery, Try | None]]) -> None:
    """What was taken leaves the table. What a removed subscriber did not take stays, and rests."""
    taken = [delivery.pk for delivery, result in results if result is not None and result.succeeded]
    InternalDelivery.objects.filter(pk__in=taken).delete()
    for delivery, result in sorted(results, key=lambda pair: pair[0].pk):
        if result is None:
            _rest(delivery, fault="no such subscriber")
        elif not result.succeeded:
            _put_off(delivery, result)


def _put_off(delivery: InternalDelivery, result: Try) -> None:
    wait = wait_after(delivery.tries)
    if wait is None:
        _rest(delivery, fault=result.fault, status=result.status)
        detail = f"it did not take {delivery.event_id}, and perhaps others: look at the internal deliveries"
        attention.raise_about(f"subscriber:{delivery.subscriber}", Attention.Reason.FAILING, detail)
    else:
        due_at = clock.now() + wait
        _held(delivery).update(claim=None, due_at=due_at, status=result.status, fault=result.fault)


def _rest(delivery: InternalDelivery, *, fault: str, status: int | None = None) -> None:
    _held(delivery).update(claim=None, due_at=None, status=status, fault=fault)


def _held(delivery: InternalDelivery) -> models.QuerySet[InternalDelivery]:
    return InternalDelivery.objects.filter(pk=delivery.pk, claim=delivery.claim)


def send_again(delivery: InternalDelivery) -> None:
    """Try once more to bring an event to its subscriber, with a fresh schedule."""
    InternalDelivery.objects.filter(pk=delivery.pk, claim=None).update(tries=0, due_at=clock.now())
    work.wake_on_commit(QUEUE)


work.register(
    work.Queue(
        QUEUE,
        model=InternalDelivery,
        do=deliver,
        finish=_store,
        lane_limit=settings.DELIVERY_LANE,
        threads=32,
        related=("event",),
    )
)


def follow_all() -> None:
    """A reader of the outbox for every subscriber that the settings name."""
    for name in settings.INTERNAL_SUBSCRIBERS:
        outbox.register(outbox.Reader(f"subscriber:{name}", _reader(name), wakes=QUEUE))
