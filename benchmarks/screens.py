"""Screens that follow their stores: thousands of idle connections in one light process.

    python -m benchmarks.screens

Reads one command of JSON per line. `{"open": address, "screens": [[store, token], …]}` opens them all and is answered
when each has had its snapshot. `{"collect": n, "within": seconds}` is answered with as many orders as have come since,
at most when there are n: `[[screen, position, payment, moment], …]`, the moment by the clock that all processes share.
"""

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

_AT_ONCE = 50
_PATIENCE_SECONDS = 60.0


class Screen(asyncio.Protocol):
    """One stream. `told` is given whatever it was told, with its number."""

    def __init__(self, number: int, screens: "Screens") -> None:
        self._number, self._screens = number, screens
        self._unread = b""
        self.begun = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        *frames, self._unread = (self._unread + data).replace(b"\r\n", b"\n").split(b"\n\n")
        for frame in frames:
            if b"event: snapshot\n" in frame and not self.begun.done():
                self.begun.set_result(None)
            elif b"event: order\n" in frame:
                told = json.loads(frame.rpartition(b"data: ")[2])
                self._screens.hear([self._number, told["id"], told["payment"], at])

    def connection_lost(self, fault: Exception | None) -> None:
        self._screens.lost += 1
        if not self.begun.done():
            self.begun.set_exception(ConnectionError(self._unread[:300]))


class Screens:
    """All of them. `lost` counts those whose connection has ended."""

    def __init__(self) -> None:
        self._heard: list[list[Any]] = []
        self._news = asyncio.Event()
        self._door = asyncio.Semaphore(_AT_ONCE)
        self.lost = 0

    def hear(self, told: list[Any]) -> None:
        self._heard.append(told)
        self._news.set()

    async def open(self, address: str, screens: list[list[str]]) -> dict[str, Any]:
        began = time.monotonic()
        await asyncio.gather(*(self._open(address, number, *each) for number, each in enumerate(screens)))
        return {"opened": len(screens), "seconds": time.monotonic() - began}

    async def _open(self, address: str, number: int, store: str, token: str) -> None:
        at = urlsplit(address)
        async with self._door:
            transport, screen = await asyncio.get_running_loop().create_connection(
                lambda: Screen(number, self), at.hostname or "127.0.0.1", at.port or 80
            )
            # Of HTTP/1.0, whose answers come without the lengths of pieces between.
            words = f"GET /v1/stores/{store}/stream HTTP/1.0\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
            transport.write(words.encode())
            await asyncio.wait_for(screen.begun, _PATIENCE_SECONDS)

    async def collect(self, count: int, within: float) -> dict[str, Any]:
        ends = time.monotonic() + within
        while len(self._heard) < count and (left := ends - time.monotonic()) > 0:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), left)
            except TimeoutError:
                break
        heard, self._heard = self._heard, []
        return {"heard": heard, "lost": self.lost}


async def _run() -> None:
    loop, screens = asyncio.get_running_loop(), Screens()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if "open" in asked:
            answer = await screens.open(asked["open"], asked["screens"])
        else:
            answer = await screens.collect(asked["collect"], asked["within"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(_run())
