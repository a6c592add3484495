"""Whether an endpoint takes what it is sent: warnings while it fails, and the end of trying."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction

from core import clock
from events import attention, audit, outbox
from events.models import Attention
from merchants.models import Delivery, WebhookEndpoint
from merchants.webhook_sending import Try

WARN_AFTER = (timedelta(days=1), timedelta(days=3))
DISABLE_AFTER = timedelta(days=5)
SYSTEM = "webhooks"
_GONE = 410
FACTS = frozenset({"ping", "failing", "disabled"})


def snapshot(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """What events tell of an endpoint. Its URL may carry a secret of the merchant's: it is read with GET."""
    return {
        "id": endpoint.pk,
        "object": "webhook_endpoint",
        "event_types": endpoint.event_types,
        "description": endpoint.description,
        "metadata": endpoint.metadata,
        "is_enabled": endpoint.is_enabled,
        "disabled_because": endpoint.disabled_because or None,
        "failing_since": clock.rfc3339(endpoint.failing_since) if endpoint.failing_since else None,
        "livemode": endpoint.livemode,
        "created_at": clock.rfc3339(endpoint.created_at),
    }


def lock(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """The row as it is now. Deliveries may still be staged for it: their foreign key does not wait for this lock."""
    return WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)


def note(tried: Sequence[tuple[WebhookEndpoint, Try]]) -> None:
    """Write down how endpoints took a batch, inside its transaction and before its deliveries are locked.

    One that says 410, or that has failed for five days, is disabled; after one day and after three it is warned of.
    Endpoints are locked in the order of their ids, so that two workers never wait for each other.
    """
    endpoints = {endpoint.pk: endpoint for endpoint, _ in tried}
    gone = {endpoint.pk for endpoint, result in tried if result.status == _GONE}
    took = {endpoint.pk for endpoint, result in tried if result.succeeded}
    failing = WebhookEndpoint.objects.filter(pk__in=took, failing_since__isnull=False)
    recovered = set(failing.values_list("pk", flat=True)) if took else set()
    for pk in sorted(endpoints):
        if pk in gone:
            disable(endpoints[pk], reason="it answered 410 Gone", by=SYSTEM)
        elif pk in recovered:
            _recovered(endpoints[pk])
        elif pk not in took:
            _failed(endpoints[pk])


def _recovered(endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=None, warnings=0)
    attention.settle(endpoint, Attention.Reason.FAILING, by=SYSTEM)


def _failed(endpoint: WebhookEndpoint) -> None:
    if endpoint.failing_since is None:
        WebhookEndpoint.objects.filter(pk=endpoint.pk, failing_since=None).update(failing_since=clock.now())
    elif _steps(endpoint) > endpoint.warnings:
        _tell(lock(endpoint))


def _steps(endpoint: WebhookEndpoint) -> int:
    """How many of the waits its failing has outlasted, the last one being the end of trying."""
    if endpoint.failing_since is None:
        return 0
    return sum(clock.now() - endpoint.failing_since > wait for wait in (*WARN_AFTER, DISABLE_AFTER))


def _tell(endpoint: WebhookEndpoint) -> None:
    """Another worker may have told it already, or have seen the endpoint recover."""
    steps = _steps(endpoint)
    if steps > len(WARN_AFTER):
        disable(endpoint, reason=f"it has failed for {DISABLE_AFTER.days} days", by=SYSTEM)
    elif steps > endpoint.warnings and endpoint.is_enabled:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(warnings=steps)
        outbox.publish(endpoint, "failing")
        detail = f"has failed since {endpoint.failing_since:%Y-%m-%d %H:%M} UTC, and is disabled after five days"
        attention.raise_for(endpoint, Attention.Reason.FAILING, detail)


@transaction.atomic
def disable(endpoint: WebhookEndpoint, *, reason: str, by: str) -> None:
    """Stop deliveries to an endpoint, discard what waits for it and tell the merchant's others, once."""
    held = lock(endpoint)
    if not held.is_enabled:
        return
    held.is_enabled, held.disabled_because = False, reason
    WebhookEndpoint.objects.filter(pk=held.pk).update(is_enabled=False, disabled_because=reason)
    _discard_waiting(held)
    outbox.publish(held, "disabled")
    audit.record(
        actor=by,
        action="webhook_endpoint.disabled",
        merchant=held.merchant_id,
        livemode=held.livemode,
        object_id=held.pk,
        detail={"because": reason},
    )


def _discard_waiting(endpoint: WebhookEndpoint) -> None:
    """Rows that a worker has locked at this moment are passed over: it discards them when their turn comes."""
    waiting = Delivery.objects.filter(lane=endpoint.pk, due_at__isnull=False, state=Delivery.State.PENDING)
    Delivery.objects.filter(pk__in=waiting.select_for_update(skip_locked=True, no_key=True).values("pk")).update(
        state=Delivery.State.DISCARDED, due_at=None, claim=None, finished_at=clock.now()
    )
