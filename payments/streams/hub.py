"""All streams of one process: woken together, told from one reading of the outbox, looked after together."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from itertools import cycle, groupby
from operator import attrgetter
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection

from core import clock, measuring
from core.errors import RateLimited
from core.middleware import is_database_away
from events import outbox
from merchants import display_access
from payments.streams import reading
from payments.streams.reading import BATCH, Told
from payments.streams.stream import Stream
from payments.streams.wakes import Wakes

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

_SLOTS = 60
"""Heartbeats are spread over their interval: thousands at once would hold up an event."""
_PER_TOKEN = 4
"""Open streams of one display token: a screen's own, and those of its that nobody has noticed to be gone."""
_OPENING_THREADS = 4
_AGAIN_AFTER_SECONDS = 1.0
_BLIND_AFTER_LOOKS = 3
"""For how many of its looks this process may have read nothing and still say that it lives."""


class Feed:
    """A store with at least one stream. `position` is how far its events have been read; None until that is known."""

    def __init__(self) -> None:
        self.streams: set[Stream] = set()
        self.position: int | None = None


class Hub:
    """Everything in it runs in the event loop's thread, and its questions to the database in threads of its own."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self._stale: set[str] = set()
        self._woken = asyncio.Event()
        self._slots: list[set[Stream]] = [set() for _ in range(_SLOTS)]
        self._next_slot = cycle(range(_SLOTS))
        # Screens that all come at once wait for each other, and the events of those that are here for none of them.
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="streams-reading")
        self._opening = ThreadPoolExecutor(_OPENING_THREADS, thread_name_prefix="streams-opening")
        self._wakes = Wakes(wake=self.wake, wake_all=self.wake_all)
        self._sweep_at = time.monotonic() + settings.SWEEP_SECONDS
        self._looked_at = time.monotonic()
        # In no request's context: what they log is about all streams.
        self._tasks = [
            asyncio.create_task(part, context=Context())
            for part in (
                self._wakes.listen(),
                self._again(self._read),
                self._again(self._look),
                self._again(self._check),
                self._again(self._beat),
            )
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pool in (self._reading, self._opening):
            pool.shutdown(wait=False, cancel_futures=True)

    # Streams

    async def join(self, *, store: str, token: str) -> Stream:
        """A stream that is told of everything from now on.

        Raises RateLimited where a store, or one token of it, has too many here.
        """
        feed = self._feeds.setdefault(store, Feed())
        if len(feed.streams) >= settings.STREAMS_PER_STORE:
            told = f"{store} has {settings.STREAMS_PER_STORE} open streams here, which is as many as there may be."
            raise RateLimited(told, retry_after=30)
        if sum(stream.token == token for stream in feed.streams) >= _PER_TOKEN:
            told = (
                f"{token} has {_PER_TOKEN} open streams here, as many as one may have. Give each screen its own token."
            )
            raise RateLimited(told, retry_after=30)
        stream = Stream(store=store, token=token, slot=next(self._next_slot))
        stream.waits_for_us = True
        feed.streams.add(stream)
        self._slots[stream.slot].add(stream)
        measuring.streams_changed(by=1)
        try:
            await self._make_ready(store, feed)
        except BaseException:
            self.leave(stream)
            raise
        return stream

    async def _make_ready(self, store: str, feed: Feed) -> None:
        if feed.position is None:
            position = await self.asked(reading.last_position)
            if feed.position is None:
                feed.position = position
                self.wake(store)

    def leave(self, stream: Stream) -> None:
        """Twice is the same as once."""
        feed = self._feeds.get(stream.store)
        if feed is None or stream not in feed.streams:
            return
        feed.streams.discard(stream)
        self._slots[stream.slot].discard(stream)
        if not feed.streams:
            del self._feeds[stream.store]
        measuring.streams_changed(by=-1)

    async def asked(self, ask: Callable[..., Answer], *arguments: object, **options: object) -> Answer:
        """Ask the database something for one stream."""
        return await self._asked(self._opening, ask, *arguments, **options)

    async def _asked(
        self, pool: ThreadPoolExecutor, ask: Callable[..., Answer], *arguments: object, **options: object
    ) -> Answer:
        context = copy_context()

        def run() -> Answer:
            try:
                return ask(*arguments, **options)
            finally:
                connection.close()

        return await asyncio.get_running_loop().run_in_executor(pool, context.run, run)

    # News

    def wake(self, store: str) -> None:
        """There may be something to read for the streams of a store."""
        if store in self._feeds:
            self._stale.add(store)
            self._woken.set()

    def wake_all(self) -> None:
        self._stale.update(self._feeds)
        self._woken.set()

    async def _read(self) -> None:
        await self._woken.wait()
        self._woken.clear()
        asked = {store: position for store in self._stale if (position := self._position_of(store)) is not None}
        self._stale.clear()
        if not asked:
            return
        try:
            told = await self._asked(self._reading, reading.events_after, asked)
        except BaseException:
            self._stale.update(asked)
            self._woken.set()
            raise
        for store, of_store in groupby(sorted(told, key=attrgetter("store", "position")), key=attrgetter("store")):
            self._tell(store, list(of_store))

    def _position_of(self, store: str) -> int | None:
        feed = self._feeds.get(store)
        return feed.position if feed else None

    def _tell(self, store: str, told: list[Told]) -> None:
        feed = self._feeds.get(store)
        if feed is None:
            return
        feed.position = told[-1].position
        for stream in feed.streams:
            stream.tell(told)
        late = (clock.now() - told[0].at).total_seconds()
        measuring.streamed(events=len(told), streams=len(feed.streams), seconds=max(0.0, late))
        if len(told) >= BATCH:
            self.wake(store)

    # Looking after them

    async def _look(self) -> None:
        """What no wake-up told of: all of it while Redis is away, and then nobody else gives events their position."""
        await asyncio.sleep(settings.STREAM_POLL_SECONDS)
        if not self._feeds:
            self._looked_at = time.monotonic()
        elif not self._wakes.is_up or time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + settings.SWEEP_SECONDS
            await self._asked(self._reading, outbox.sequence_committed)
            self._looked_at = time.monotonic()
            self.wake_all()

    async def _check(self) -> None:
        """End the streams whose token, store or merchant has ended."""
        await asyncio.sleep(settings.STREAM_CHECK_SECONDS)
        streams = [stream for feed in self._feeds.values() for stream in feed.streams]
        if not streams:
            return
        ended = await self._asked(self._reading, display_access.ended, {stream.token for stream in streams})
        for stream in streams:
            if why := ended.get(stream.token):
                stream.close(why, {"reason": why, "detail": display_access.DETAILS[why]})

    async def _beat(self) -> None:
        for streams in self._slots:
            await asyncio.sleep(settings.STREAM_HEARTBEAT_SECONDS / _SLOTS)
            if self._is_blind:
                continue
            for stream in list(streams):
                stream.beat()

    @property
    def _is_blind(self) -> bool:
        """Whether news may have come that nobody here could read, for too long to go on showing that all is well."""
        looks_every: float = max(settings.SWEEP_SECONDS, settings.STREAM_POLL_SECONDS, 1.0)
        return time.monotonic() - self._looked_at > _BLIND_AFTER_LOOKS * looks_every

    async def _again(self, part: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """For ever; a fault, such as a database that is away, is written down and waited out."""
        while True:
            try:
                await part()
            except Exception as fault:
                logger.warning(
                    "streams are held up", extra={"fault": type(fault).__name__}, exc_info=_unless_away(fault)
                )
                await asyncio.sleep(_AGAIN_AFTER_SECONDS)


def _unless_away(fault: Exception) -> Exception | None:
    return None if is_database_away(fault) else fault
