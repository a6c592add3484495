"""Events on their way to merchants: fan-out, deliveries, retries."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from django.conf import settings
from django.db import transaction

from core import clock
from core.errors import Conflict
from events import outbox, work
from events.models import Event
from merchants import webhook_health, webhook_secrets
from merchants.models import Delivery, DeliveryAttempt, WebhookEndpoint
from merchants.webhook_sending import Try, post, wait_after

PING = "webhook_endpoint.ping"


def fan_out(events: Sequence[Event]) -> None:
    """Stage a delivery for every endpoint that wants an event, in the transaction that moves the cursor."""
    merchants = {event.merchant for event in events}
    endpoints = WebhookEndpoint.objects.filter(merchant__in=merchants, is_enabled=True).only(
        "pk", "merchant", "livemode", "event_types"
    )
    of: dict[tuple[str, bool], list[WebhookEndpoint]] = defaultdict(list)
    for endpoint in endpoints:
        of[endpoint.merchant_id, endpoint.livemode].append(endpoint)
    staged = [
        _staged(endpoint, event.pk)
        for event in events
        for endpoint in of.get((event.merchant, event.livemode), ())
        if _wants(endpoint, event)
    ]
    Delivery.objects.bulk_create(staged, ignore_conflicts=True)


def _staged(endpoint: WebhookEndpoint, event: str) -> Delivery:
    return Delivery(endpoint=endpoint, event_id=event, livemode=endpoint.livemode, lane=endpoint.pk, due_at=clock.now())


def _wants(endpoint: WebhookEndpoint, event: Event) -> bool:
    if not concerns(endpoint, event.type, event.subject):
        return False
    return event.type == PING or not endpoint.event_types or event.type in endpoint.event_types


def concerns(endpoint: WebhookEndpoint, event_type: str, subject: str) -> bool:
    """A ping is for its own endpoint only; what else is told of an endpoint is told to the others."""
    return (subject == endpoint.pk) is (event_type == PING)


def deliver(delivery: Delivery) -> Try | None:
    """One signed POST; None where the endpoint was disabled since the delivery was staged."""
    endpoint = delivery.endpoint
    if not endpoint.is_enabled:
        return None
    return post(delivery.event, url=endpoint.url, sign=partial(webhook_secrets.signature, endpoint))


def _store(results: Sequence[tuple[Delivery, Try | None]]) -> None:
    """A batch of results in one transaction. Endpoints before deliveries: parents are locked first."""
    tried = [(delivery, result) for delivery, result in results if result is not None]
    with transaction.atomic():
        webhook_health.note([(delivery.endpoint, result) for delivery, result in tried])
        DeliveryAttempt.objects.bulk_create(_attempt(delivery, result) for delivery, result in tried)
        _finish([delivery for delivery, result in tried if result.succeeded], Delivery.State.DELIVERED)
        _put_off([delivery for delivery, result in tried if not result.succeeded])
        unsent = [delivery for delivery, result in results if result is None]
        _finish(_held(unsent), Delivery.State.DISCARDED)


def _attempt(delivery: Delivery, result: Try) -> DeliveryAttempt:
    return DeliveryAttempt(
        delivery=delivery,
        at=result.at,
        status=result.status,
        milliseconds=result.milliseconds,
        answer=result.answer,
        fault=result.fault,
    )


def _finish(deliveries: Sequence[Delivery], state: Delivery.State) -> None:
    if deliveries:
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries]).update(
            state=state, claim=None, due_at=None, finished_at=clock.now()
        )


def _held(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Those that are still ours, locked, as they are now: not discarded, and not with another worker."""
    if not deliveries:
        return []
    claims = {delivery.pk: delivery.claim for delivery in deliveries}
    rows = Delivery.objects.select_for_update(no_key=True).filter(pk__in=claims, state=Delivery.State.PENDING)
    return [row for row in rows.order_by("pk") if row.claim == claims[row.pk]]


def _put_off(deliveries: Sequence[Delivery]) -> None:
    """Tries are counted as the row has them now: a replay may have begun the schedule anew."""
    given_up = []
    for row in _held(deliveries):
        wait = wait_after(row.tries)
        if wait is None:
            given_up.append(row)
        else:
            Delivery.objects.filter(pk=row.pk).update(claim=None, due_at=clock.now() + wait)
    _finish(given_up, Delivery.State.FAILED)


def send_again(endpoint: WebhookEndpoint, events: Sequence[str]) -> None:
    """Send events to an endpoint once more, each with a fresh schedule and under its own id.

    An event has one delivery to an endpoint, which is opened again. One that is on its way at this moment is not
    sent a second time: its schedule begins anew with the try that is under way.
    """
    Delivery.objects.bulk_create([_staged(endpoint, event) for event in events], ignore_conflicts=True)
    deliveries = Delivery.objects.filter(endpoint=endpoint, event__in=events)
    deliveries.filter(claim=None).update(state=Delivery.State.PENDING, tries=0, due_at=clock.now(), finished_at=None)
    under_way = deliveries.filter(claim__isnull=False).select_for_update(skip_locked=True, no_key=True)
    Delivery.objects.filter(pk__in=under_way.values("pk")).update(tries=1)
    work.wake_on_commit("deliveries")


def demand_enabled(endpoint: WebhookEndpoint) -> None:
    """Raises Conflict for a disabled endpoint."""
    if not endpoint.is_enabled:
        raise Conflict(f"{endpoint.pk} is disabled. Enable it first.")


@transaction.atomic
def deliver_again(delivery: Delivery) -> None:
    """Send an event once more to its endpoint, with a fresh schedule. Raises Conflict for a disabled endpoint."""
    demand_enabled(delivery.endpoint)
    send_again(delivery.endpoint, [delivery.event_id])


work.register(
    work.Queue(
        "deliveries",
        model=Delivery,
        do=deliver,
        finish=_store,
        lane_limit=settings.DELIVERY_LANE,
        threads=settings.DELIVERY_THREADS,
        related=("endpoint", "event"),
        paced=True,
        lanes=WebhookEndpoint,
    )
)
outbox.register(outbox.Reader("webhooks", fan_out, wakes="deliveries"))
