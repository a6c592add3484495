"""The Redis channel of a store: a reader of the outbox that publishes, for tills and for whatever wakes by it.

Pub/Sub keeps nothing for whoever does not listen. What must not be missed is read from the outbox: screens follow
`payments/streams/`.
"""

from collections.abc import Sequence
from functools import lru_cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from events import outbox
from events.models import Event
from payments.store_events import channel_of, encoded

_PATIENCE_SECONDS = 1.0
"""For a thousand messages at once. Redis carries the wake-ups too: while it is away nothing else waits for this."""


def publish(events: Sequence[Event]) -> None:
    """Publish those that are of a store, in their order. Raises outbox.Away while Redis is, so that the cursor stays.

    A batch of which Redis had taken a part is published again, whole.
    """
    told = [event for event in events if event.store]
    if not told:
        return
    try:
        with _redis(settings.REDIS_URL).pipeline(transaction=False) as pipeline:
            for event in told:
                pipeline.publish(channel_of(event.store), encoded(event))
            pipeline.execute()
    except redis.RedisError as fault:
        raise outbox.Away(f"Redis is away: {type(fault).__name__}") from fault


@lru_cache(maxsize=1)
def _redis(url: str) -> redis.Redis:
    """A connection that Redis has closed since is opened once more; more patience would hold up the other readers."""
    return redis.Redis.from_url(
        url,
        socket_timeout=_PATIENCE_SECONDS,
        socket_connect_timeout=settings.REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 1),
    )


# First: before a screen somebody waits, and what the others begin takes longer than their turn.
outbox.register(outbox.Reader("channel", publish, goes_first=True))
