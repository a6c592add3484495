"""The ASGI application of live events: from a request to a stream that ends when its screen goes, or must.

Not a view of Django's: its handler keeps a request, a response and, once anything has asked the database, a thread for
as long as an answer lasts, and these last for days.
"""

import asyncio
import logging
import random
import time

from core import measuring
from core.errors import ApiError, Unavailable
from core.logging import correlated
from core.middleware import is_database_away
from merchants import display_access
from merchants.models import DisplayToken
from payments.streams import reading, requests, wire
from payments.streams.hub import Hub
from payments.streams.reading import Beginning
from payments.streams.requests import Asked, Receive, Scope, Send
from payments.streams.stream import Stream

logger = logging.getLogger(__name__)

ROUTE = "v1/stores/<str:store_id>/stream"
_RETRY_MILLISECONDS = (1000, 3000)
"""At random between these, so that the screens of a process that has ended do not all come back at once."""


class Streams:
    """One for the process. Its hub is made with the first request, in the loop that serves."""

    def __init__(self) -> None:
        self._hub: Hub | None = None

    async def live(self, receive: Receive, send: Send) -> None:
        """The server's lifespan: ends what was begun."""
        while True:
            told = await receive()
            await send({"type": f"{told['type']}.complete"})
            if told["type"] == "lifespan.shutdown":
                break
        if self._hub is not None:
            await self._hub.stop()

    async def serve(self, scope: Scope, receive: Receive, send: Send, *, store: str) -> None:
        """Answer one request; returns when the stream has ended."""
        asked, began = requests.read(scope, store=store), time.monotonic()
        with correlated(asked.request_id):
            if asked.method == "OPTIONS":
                await requests.answer_preflight(asked, send)
                return
            try:
                stream, beginning = await self._opened(asked)
            except ApiError as refusal:
                _note(asked, refusal.status, began)
                await requests.refuse(asked, refusal, send)
                return
            _note(asked, 200, began)
            try:
                await self._carry(stream, beginning, asked, receive, send)
            finally:
                self._hub_of_this_loop().leave(stream)
                told = {"store": store, "why": stream.why or "gone", "seconds": round(time.monotonic() - began, 1)}
                logger.info("stream ended", extra=told)

    def _hub_of_this_loop(self) -> Hub:
        if self._hub is None:
            self._hub = Hub()
        return self._hub

    async def _opened(self, asked: Asked) -> tuple[Stream, Beginning]:
        """The stream is told of what happens from before it begins. Raises ApiError, for whatever goes wrong."""
        hub = self._hub_of_this_loop()
        try:
            asked.demand_a_stream()
            authorization = asked.headers.get("authorization", "")
            token: DisplayToken = await hub.asked(
                display_access.admit, authorization, store=asked.store, address=asked.address
            )
            after = asked.after
            stream = await hub.join(store=asked.store, token=token.pk)
            try:
                return stream, await hub.asked(_begun, token, asked, after=after)
            except BaseException:
                hub.leave(stream)
                raise
        except ApiError:
            raise
        except Exception as fault:
            raise _answerable(fault) from fault

    async def _carry(self, stream: Stream, beginning: Beginning, asked: Asked, receive: Receive, send: Send) -> None:
        """Write until the screen has gone, is too slow, or may see no more."""
        writing = asyncio.create_task(self._write(stream, beginning, asked, send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({writing, gone, stream.is_cut}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, gone):
                task.cancel()
            written, _ = await asyncio.gather(writing, gone, return_exceptions=True)
        if isinstance(written, Exception):  # the screen connects again, and resumes
            stream.why = "failed"
            logger.warning("stream failed", extra={"fault": type(written).__name__})

    async def _write(self, stream: Stream, beginning: Beginning, asked: Asked, send: Send) -> None:
        headers = [(b"Content-Type", b"text/event-stream"), (b"X-Accel-Buffering", b"no")]
        start = {"type": "http.response.start", "status": 200, "headers": headers + requests.shared_headers(asked)}
        stream.waits_for_us = False
        await send(start)
        opening = wire.retry(random.randint(*_RETRY_MILLISECONDS)) + beginning.frames
        stream.position = beginning.position
        await send({"type": "http.response.body", "body": opening, "more_body": True})
        while beginning.more:
            stream.waits_for_us = True
            beginning = await self._continued(stream.store, after=beginning.position)
            stream.waits_for_us = False
            stream.position = beginning.position
            await send({"type": "http.response.body", "body": beginning.frames, "more_body": True})
        more = True
        while more:
            body, more = await stream.next()
            await send({"type": "http.response.body", "body": body, "more_body": more})

    async def _continued(self, store: str, *, after: int) -> Beginning:
        hub = self._hub_of_this_loop()
        return reading.continued(await hub.asked(reading.events_after, {store: after}), after=after)


def _begun(token: DisplayToken, asked: Asked, *, after: int | None) -> Beginning:
    beginning = reading.begin(token.store, after=after)
    display_access.note_opened(token, address=asked.address)
    return beginning


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _answerable(fault: Exception) -> ApiError:
    if is_database_away(fault):
        return Unavailable("The database cannot be reached. Connect again.", retry_after=2)
    logger.exception("unhandled error", exc_info=fault)
    return ApiError("The fault is recorded under this request_id. Connect again later.")


def _note(asked: Asked, status: int, began: float) -> None:
    """A stream counts until it is open: how long it lasts says nothing of us."""
    seconds = time.monotonic() - began
    measuring.request_done(
        route=ROUTE, method="GET" if asked.method == "GET" else "OTHER", status=status, seconds=seconds
    )
    told = {"route": ROUTE, "method": asked.method, "status": status, "milliseconds": round(seconds * 1000)}
    logger.info("request", extra=told)
