"""Replays of a span of time: staged step by step, each step and how far it came in one transaction."""

from datetime import timedelta

from django.db import transaction

from core import clock, ids
from events import attention, work
from events.models import Attention, Event
from merchants import webhooks
from merchants.models import Delivery, WebhookReplay

STEP = 1000
"""Events that a step looks at."""
ROOM = 2000
"""While as many deliveries wait at the endpoint, no more are staged: what happens now is not behind all that was."""
PAUSE = timedelta(seconds=1)


@transaction.atomic
def advance(replay: WebhookReplay) -> None:
    """One step of a replay that was claimed, unless another worker holds it by now."""
    held = WebhookReplay.objects.select_for_update(no_key=True, of=("self",)).select_related("endpoint")
    row = held.filter(pk=replay.pk, claim=replay.claim, finished_at=None).first()
    if row is None:
        return
    row.tries, row.claim, row.due_at = 0, None, clock.now()
    if not row.endpoint.is_enabled:
        _finish(row, "the endpoint was disabled")
    elif _is_full(row):
        row.due_at += PAUSE
    else:
        _stage(row)
    row.save(update_fields=["tries", "claim", "due_at", "after", "staged", "finished_at", "stopped_because"])


def _is_full(replay: WebhookReplay) -> bool:
    waiting = Delivery.objects.filter(lane=replay.lane, due_at__lte=clock.now())
    return waiting[:ROOM].count() == ROOM


def _stage(replay: WebhookReplay) -> None:
    endpoint = replay.endpoint
    wanted = set(replay.event_types or endpoint.event_types)
    span = Event.objects.filter(pk__gt=replay.after, pk__lt=ids.first_id("evt", replay.until or clock.now()))
    rows = span.filter(merchant=endpoint.merchant_id, livemode=endpoint.livemode).order_by("pk")
    found = list(rows.values_list("pk", "type", "subject")[:STEP])
    again = [
        pk
        for pk, kind, subject in found
        if (not wanted or kind in wanted) and webhooks.concerns(endpoint, kind, subject)
    ]
    if again:
        webhooks.send_again(endpoint, again)
    replay.staged += len(again)
    if len(found) < STEP:
        _finish(replay)
    else:
        replay.after = found[-1][0]


def _finish(replay: WebhookReplay, because: str = "") -> None:
    replay.due_at, replay.finished_at, replay.stopped_because = None, clock.now(), because


def _failing(replay: WebhookReplay) -> None:
    attention.raise_for(replay.endpoint, Attention.Reason.FAILING, f"{replay.pk} cannot go on")


work.register(work.Queue("replays", model=WebhookReplay, do=advance, lane_limit=1, threads=4, failing=_failing))
