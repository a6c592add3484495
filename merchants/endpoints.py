"""The verbs on a webhook endpoint that a developer asks for: another secret, a ping, old events again."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction

from core import clock, ids
from core.crypto import Secret
from core.errors import Conflict, InvalidRequest
from events import audit, outbox, work
from events.models import Event
from merchants import webhook_health, webhook_secrets, webhooks
from merchants.models import WebhookEndpoint, WebhookReplay

OLDEST_REPLAY = timedelta(days=31)


@transaction.atomic
def rotate_secret(endpoint: WebhookEndpoint, *, overlap: timedelta, by: str) -> tuple[WebhookEndpoint, Secret]:
    """The endpoint as it is now, and its new secret, which is shown once. The old one signs too until `overlap` ends.

    Raises Conflict when too many earlier secrets are still valid.
    """
    held = webhook_health.lock(endpoint)
    secret = webhook_secrets.rotate(held, overlap=overlap)
    held.save(update_fields=["secret", "earlier_secrets", "earlier_secrets_until"])
    _record(held, "webhook_endpoint.secret_rotated", by, overlap_seconds=int(overlap.total_seconds()))
    return held, secret


@transaction.atomic
def ping(endpoint: WebhookEndpoint, *, by: str) -> Event:
    """A `webhook_endpoint.ping` for this endpoint alone, whatever it filters. Raises Conflict for a disabled one."""
    held = webhook_health.lock(endpoint)
    webhooks.demand_enabled(held)
    event = outbox.publish(held, "ping")
    _record(held, "webhook_endpoint.pinged", by, event=event.pk)
    return event


@transaction.atomic
def replay_event(endpoint: WebhookEndpoint, *, event: str, by: str) -> WebhookReplay:
    """Send one event again, whatever the endpoint filters now. Raises InvalidRequest for one that it cannot have."""
    held = webhook_health.lock(endpoint)
    webhooks.demand_enabled(held)
    found = Event.objects.filter(pk=event, merchant=held.merchant_id, livemode=held.livemode).first()
    if found is None or not webhooks.concerns(held, found.type, found.subject):
        raise InvalidRequest(f"There is no event {event} for this endpoint.", param="/event")
    webhooks.send_again(held, [found.pk])
    made = _replay(held, by, event=found.pk, staged=1, finished_at=clock.now())
    made.save(force_insert=True)
    _record(held, "webhook_endpoint.replayed", by, replay=made.pk, event=found.pk)
    return made


@transaction.atomic
def replay_span(
    endpoint: WebhookEndpoint, *, since: datetime, until: datetime, event_types: Iterable[str], by: str
) -> WebhookReplay:
    """Begin to send again what happened in a span of time; a worker stages it (`merchants/replays.py`).

    Raises InvalidRequest for a span that cannot be, Conflict for a disabled endpoint or while another replay runs.
    """
    until = min(until, clock.now())
    if since < clock.now() - OLDEST_REPLAY:
        raise InvalidRequest(f"A replay begins at most {OLDEST_REPLAY.days} days ago.", param="/since")
    if since >= until:
        raise InvalidRequest("A span ends after it begins, and begins in the past.", param="/until")
    held = webhook_health.lock(endpoint)
    webhooks.demand_enabled(held)
    running = WebhookReplay.objects.filter(endpoint=held, finished_at=None).first()
    if running is not None:
        raise Conflict(f"{running.pk} is still running. Wait until it has finished.")
    made = _replay(held, by, since=since, until=until, event_types=sorted(event_types), due_at=clock.now())
    made.after = ids.first_id("evt", since)
    made.save(force_insert=True)
    _record(held, "webhook_endpoint.replayed", by, replay=made.pk, event="")
    work.wake_on_commit("replays")
    return made


def _replay(endpoint: WebhookEndpoint, by: str, **facts: object) -> WebhookReplay:
    return WebhookReplay(endpoint=endpoint, livemode=endpoint.livemode, lane=endpoint.pk, created_by=by[:64], **facts)


def _record(endpoint: WebhookEndpoint, action: str, by: str, **detail: object) -> None:
    audit.record(
        actor=by,
        action=action,
        merchant=endpoint.merchant_id,
        livemode=endpoint.livemode,
        object_id=endpoint.pk,
        detail=detail,
    )
