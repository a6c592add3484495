"""One screen's stream: what waits to be sent to it, and when it is cut off."""

import asyncio
from collections import deque
from collections.abc import Sequence

from payments.streams import wire
from payments.streams.reading import Told

MOST_WAITING = 1000
"""Events that may wait for a slow reader. One that is cut off connects again, and resumes from the outbox."""


class Stream:
    """Told by the hub, written by the application. All of it runs in the event loop's thread.

    `position` is that of the last event which was handed to the writer. `why` says what ended it. While it
    `waits_for_us` it has nothing to take, and is not cut off for taking nothing.
    """

    __slots__ = (
        "_beat", "_cut", "_last", "_ready", "_waiting", "position", "slot", "store", "token", "waits_for_us", "why",
    )  # fmt: skip

    def __init__(self, *, store: str, token: str, slot: int) -> None:
        self.store, self.token, self.slot = store, token, slot
        self.position = 0
        self.why = ""
        self.waits_for_us = False
        self._waiting: deque[Told] = deque()
        self._beat = False
        self._last = b""
        self._ready = asyncio.Event()
        self._cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self, told: Sequence[Told]) -> None:
        """Events in their order, those that it may have had already included."""
        if len(self._waiting) + len(told) > MOST_WAITING:
            self.cut("slow")
        else:
            self._waiting.extend(told)
            self._ready.set()

    def beat(self) -> None:
        """A sign of life. Who has not taken the last one by now takes nothing."""
        if self.waits_for_us:
            return
        if self._beat:
            self.cut("slow")
        self._beat = True
        self._ready.set()

    def close(self, why: str, told: dict[str, str]) -> None:
        """End it with a last event, after what waits."""
        self.why = self.why or why
        self._last = wire.closed(told)
        self._ready.set()

    def cut(self, why: str) -> None:
        """End it without a word, as one that takes nothing hears nothing."""
        self.why = self.why or why
        if not self._cut.done():
            self._cut.set_result(None)

    @property
    def is_cut(self) -> "asyncio.Future[None]":
        """Done when it is to be cut off."""
        return self._cut

    async def next(self) -> tuple[bytes, bool]:
        """What is to be sent now, once there is something, and whether more will come."""
        await self._ready.wait()
        self._ready.clear()
        frames = [told.frame for told in self._waiting if told.position > self.position]
        if self._waiting:
            self.position = max(self.position, self._waiting[-1].position)
            self._waiting.clear()
        if self._beat:
            self._beat = False
            frames = frames or [wire.BEAT]
        return b"".join([*frames, self._last]), not self._last
