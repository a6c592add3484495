"""One event as one signed POST, by the Standard Webhooks specification, and when to try again."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from core import clock, http
from core.http import Request
from events.models import Event

RETRY_AFTER = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""After the first try, which goes out at once."""
JITTER = 0.1
DEADLINE_SECONDS = 15.0
KEPT_ANSWER = 2048
PARTY = "webhooks"
"""Under which deliveries are measured."""

Sign = Callable[[str, datetime, str], str]
"""Event id, moment and body to the value of `webhook-signature`."""


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


def wait_after(tries: int) -> timedelta | None:
    """How long to wait after so many tries; None when there were enough."""
    if tries > len(RETRY_AFTER):
        return None
    return RETRY_AFTER[max(tries, 1) - 1] * random.uniform(1 - JITTER, 1 + JITTER)


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


def post(event: Event, *, url: str, sign: Sign) -> Try:
    """One signed POST. Whatever happens is a result."""
    at, body = clock.now(), body_of(event)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Lango-Webhooks/1",
        "webhook-id": event.pk,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": sign(event.pk, at, body.decode()),
    }
    try:
        answer = http.send(Request("POST", url, headers, body), deadline=DEADLINE_SECONDS, party=PARTY)
    except http.AddressRefused:
        # Merchants read this: what a name resolves to inside our network is not for them.
        return Try(at, _milliseconds_since(at), fault="the host has an address that is not a public address")
    except http.HttpFault as fault:
        return Try(at, _milliseconds_since(at), fault=str(fault)[:200])
    text = answer.body[:KEPT_ANSWER].decode(errors="replace").replace("\x00", "")
    return Try(at, round(answer.seconds * 1000), status=answer.status, answer=text)


def _milliseconds_since(at: datetime) -> int:
    """A clock that was set back meanwhile says 0, not less: the database keeps no try that ended before it began."""
    return max(0, round((clock.now() - at) / timedelta(milliseconds=1)))
