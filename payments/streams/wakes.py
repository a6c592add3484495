"""One subscription of the process to all channels: a message says that there is something to read, and no more."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import redis.asyncio as redis
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from payments.store_events import CHANNEL, EVERY_CHANNEL

logger = logging.getLogger(__name__)

_CONNECTING_SECONDS = 1.0
_AGAIN_AFTER_SECONDS = 0.5
_LOOKS_EVERY_SECONDS = 5.0


class Wakes:
    """Calls `wake` with the id of a store that has news, and `wake_all` when it begins to listen: then `is_up`."""

    def __init__(self, *, wake: Callable[[str], None], wake_all: Callable[[], None]) -> None:
        self._wake, self._wake_all = wake, wake_all
        self.is_up = False

    async def listen(self) -> None:
        """Until it is cancelled; Redis may come and go."""
        while True:
            try:
                await self._follow()
            except Exception as fault:
                is_away = isinstance(fault, redis.RedisError | OSError)
                if self.is_up or not is_away:
                    told = {"fault": type(fault).__name__}
                    logger.warning("streams are not woken", extra=told, exc_info=None if is_away else fault)
            finally:
                self.is_up = False
            await asyncio.sleep(_AGAIN_AFTER_SECONDS)

    async def _follow(self) -> None:
        client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=_CONNECTING_SECONDS,
            health_check_interval=_LOOKS_EVERY_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            async with client.pubsub() as subscription:
                await subscription.psubscribe(EVERY_CHANNEL)
                while True:
                    told = await subscription.get_message(timeout=_LOOKS_EVERY_SECONDS)
                    if told is not None:
                        self._hear(told)
        finally:
            with suppress(redis.RedisError, OSError):
                await client.aclose()

    def _hear(self, told: dict[str, object]) -> None:
        channel = told["channel"]
        if told["type"] == "psubscribe":
            self.is_up = True
            self._wake_all()
        elif told["type"] == "pmessage" and isinstance(channel, bytes):
            self._wake(channel.decode(errors="replace").removeprefix(CHANNEL))
