"""Events on their way to merchants: fan-out, signed deliveries, retries (Standard Webhooks)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.conf import settings
from django.db import transaction
from standardwebhooks import Webhook

from core import clock, http
from core.errors import Conflict
from core.http import Request
from events import outbox, sealing, work
from events.models import Event
from merchants.models import Delivery, DeliveryAttempt, WebhookEndpoint

RETRY_AFTER = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""After the first try, which goes out at once."""
JITTER = 0.1
DISABLE_AFTER = timedelta(days=5)
DEADLINE_SECONDS = 15.0
KEPT_ANSWER = 2048
PARTY = "webhooks"
"""Under which deliveries are measured."""
_GONE = 410


@dataclass(frozen=True, slots=True)
class Try:
    """What became of one try. `status` is None where `fault` says why there was no answer."""

    at: datetime
    milliseconds: int
    status: int | None = None
    answer: str = ""
    fault: str = ""

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def body_of(event: Event) -> bytes:
    """The body as it is signed: the event with the snapshot of its object at that time."""
    return orjson.dumps(present_event(event))


def present_event(event: Event) -> dict[str, object]:
    """An event as `GET /v1/events` and webhooks show it."""
    return {
        "id": event.pk,
        "object": "event",
        "type": event.type,
        "created_at": clock.rfc3339(event.created_at),
        "livemode": event.livemode,
        "api_version": event.api_version,
        "subject": event.subject,
        "sequence": event.sequence,
        "request_id": event.request_id or None,
        "data": {"object": event.data},
    }


def fan_out(events: Sequence[Event]) -> None:
    """Stage a delivery for every endpoint that wants an event, in the transaction that moves the cursor."""
    merchants = {event.merchant for event in events}
    endpoints = WebhookEndpoint.objects.filter(merchant__in=merchants, is_enabled=True).only(
        "pk", "merchant", "livemode", "event_types"
    )
    now = clock.now()
    staged = [
        Delivery(endpoint=endpoint, event=event, livemode=event.livemode, lane=endpoint.pk, due_at=now)
        for event in events
        for endpoint in endpoints
        if _wants(endpoint, event)
    ]
    Delivery.objects.bulk_create(staged, ignore_conflicts=True)


def _wants(endpoint: WebhookEndpoint, event: Event) -> bool:
    same = endpoint.merchant_id == event.merchant and endpoint.livemode == event.livemode
    return same and (not endpoint.event_types or event.type in endpoint.event_types)


def deliver(delivery: Delivery) -> Try:
    """One signed POST. Whatever happens is a result."""
    event, endpoint = delivery.event, delivery.endpoint
    at, body = clock.now(), body_of(event)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Lango-Webhooks/1",
        "webhook-id": event.pk,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": _signer(bytes(endpoint.secret), endpoint).sign(event.pk, at, body.decode()),
    }
    try:
        answer = http.send(Request("POST", endpoint.url, headers, body), deadline=DEADLINE_SECONDS, party=PARTY)
    except http.HttpFault as fault:
        return Try(at, _milliseconds_since(at), fault=str(fault)[:200])
    text = answer.body[:KEPT_ANSWER].decode(errors="replace").replace("\x00", "")
    return Try(at, round(answer.seconds * 1000), status=answer.status, answer=text)


def _milliseconds_since(at: datetime) -> int:
    return round((clock.now() - at) / timedelta(milliseconds=1))


_signers: dict[tuple[str, bytes], Webhook] = {}


def _signer(sealed: bytes, endpoint: WebhookEndpoint) -> Webhook:
    """Kept while the endpoint's sealed secret is the same."""
    held = _signers.get((endpoint.pk, sealed))
    if held is None:
        held = _signers[endpoint.pk, sealed] = Webhook(sealing.unseal_secret(endpoint, "secret").reveal())
    return held


def _store(results: Sequence[tuple[Delivery, Try]]) -> None:
    """A batch of results: attempts, deliveries and the health of their endpoints, in one transaction."""
    with transaction.atomic():
        DeliveryAttempt.objects.bulk_create(
            DeliveryAttempt(
                delivery=delivery,
                at=tried.at,
                status=tried.status,
                milliseconds=tried.milliseconds,
                answer=tried.answer,
                fault=tried.fault,
            )
            for delivery, tried in results
        )
        delivered = [delivery for delivery, tried in results if tried.succeeded]
        _finish(delivered, Delivery.State.DELIVERED)
        for delivery, tried in results:
            if not tried.succeeded:
                _put_off(delivery)
        _note_health(results)


def _finish(deliveries: Sequence[Delivery], state: Delivery.State) -> None:
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries]).update(
        state=state, claim=None, due_at=None, finished_at=clock.now()
    )


def _put_off(delivery: Delivery) -> None:
    held = Delivery.objects.filter(pk=delivery.pk, claim=delivery.claim, state=Delivery.State.PENDING)
    if delivery.tries > len(RETRY_AFTER):
        held.update(state=Delivery.State.FAILED, claim=None, due_at=None, finished_at=clock.now())
        return
    wait = RETRY_AFTER[delivery.tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    held.update(claim=None, due_at=clock.now() + wait)


def _note_health(results: Sequence[tuple[Delivery, Try]]) -> None:
    """An endpoint that says 410, or that has failed for five days, is disabled."""
    healthy = {delivery.endpoint_id for delivery, tried in results if tried.succeeded}
    WebhookEndpoint.objects.filter(pk__in=healthy, failing_since__isnull=False).update(failing_since=None)
    for delivery, tried in results:
        if tried.status == _GONE:
            disable(delivery.endpoint, "it answered 410 Gone")
        elif not tried.succeeded and delivery.endpoint_id not in healthy:
            _note_failure(delivery.endpoint)


def _note_failure(endpoint: WebhookEndpoint) -> None:
    if endpoint.failing_since is None:
        WebhookEndpoint.objects.filter(pk=endpoint.pk, failing_since=None).update(failing_since=clock.now())
    elif clock.now() - endpoint.failing_since > DISABLE_AFTER:
        disable(endpoint, f"it has failed for {DISABLE_AFTER.days} days")


def disable(endpoint: WebhookEndpoint, reason: str) -> None:
    """Stop deliveries to an endpoint; what waits for it is discarded."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(is_enabled=False, disabled_because=reason)
    Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.PENDING).update(
        state=Delivery.State.DISCARDED, due_at=None, claim=None, finished_at=clock.now()
    )


def deliver_again(delivery: Delivery) -> None:
    """Send an event once more to its endpoint, with a fresh schedule. Raises Conflict for a disabled endpoint."""
    if not delivery.endpoint.is_enabled:
        raise Conflict(f"{delivery.endpoint_id} is disabled. Enable it first.")
    Delivery.objects.filter(pk=delivery.pk).update(
        state=Delivery.State.PENDING, tries=0, claim=None, due_at=clock.now(), finished_at=None
    )
    work.wake_on_commit("deliveries")


work.register(
    work.Queue(
        "deliveries",
        model=Delivery,
        do=deliver,
        finish=_store,
        lane_limit=settings.DELIVERY_LANE,
        threads=settings.DELIVERY_THREADS,
        related=("endpoint", "event"),
    )
)
outbox.register(outbox.Reader("webhooks", fan_out, wakes="deliveries"))
