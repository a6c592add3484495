"""What stands at the counter: a screen that follows the store's stream, a till that listens to its channel."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio

_CHANNEL = "order:channel:"
_PATIENCE_SECONDS = 15.0


@dataclass
class Screens:
    """By payment the latest state that each was told of. `is_listening` is set once the till is at its channel."""

    by_stream: dict[str, str] = field(default_factory=dict)
    by_channel: dict[str, str] = field(default_factory=dict)
    is_listening: threading.Event = field(default_factory=threading.Event)

    def show(self, payment: str, state: str) -> bool:
        """Whether both do."""
        return self.by_stream.get(payment) == self.by_channel.get(payment) == state

    async def follow(self, streams: str, *, store: str, token: str) -> None:
        """The stream of server-sent events, for as long as it lasts."""
        address = urlsplit(streams)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        words = (
            f"GET /v1/stores/{store}/stream HTTP/1.1",
            f"Host: {address.netloc}",
            f"Authorization: Bearer {token}",
            "Accept: text/event-stream",
            "",
            "",
        )
        writer.write("\r\n".join(words).encode())
        while line := await reader.readline():
            if line.startswith(b"data: "):
                _note(json.loads(line.removeprefix(b"data: ")), self.by_stream)

    async def listen(self, server: str, *, store: str) -> None:
        async with redis.asyncio.Redis.from_url(server) as connection, connection.pubsub() as channel:
            await channel.subscribe(f"{_CHANNEL}{store}")
            async for message in channel.listen():
                # What is published before that, nobody hears.
                self.is_listening.set()
                if message["type"] == "message":
                    _note(json.loads(message["data"]), self.by_channel)


def _note(told: dict[str, Any], known: dict[str, str]) -> None:
    for payment in told.get("payments", [told]):
        if "payment" in payment:
            known[payment["payment"]] = payment["state"]


@contextmanager
def watching(streams: str, server: str, *, store: str, token: str) -> Iterator[Screens]:
    """Screens that are fed until the block ends."""
    screens, loop = Screens(), asyncio.new_event_loop()

    async def both() -> None:
        await asyncio.gather(screens.follow(streams, store=store, token=token), screens.listen(server, store=store))

    task = loop.create_task(both())

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run, name="screens", daemon=True)
    thread.start()
    try:
        screens.is_listening.wait(_PATIENCE_SECONDS)
        yield screens
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=5)
