"""The load: `POST /v1/payments` over keep-alive connections, from one light process.

    python -m benchmarks.load closed --url … --key … --connections 32 --seconds 5
    python -m benchmarks.load open --url … --key … --rate 206 --seconds 60

Closed: each connection asks again as soon as it is answered. Open: requests arrive at random moments
(Poisson) whatever the answers do, each on a free connection or a new one, and latency counts from the
moment of arrival. What was answered is printed as one line of JSON.
"""

import argparse
import asyncio
import json
import random
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_STATE = re.compile(rb'"state":"([a-z_]+)"')
_REFERENCE = re.compile(rb'"provider_reference":"([A-Z0-9]+)"')
_LAST_CHUNK = b"0\r\n\r\n"
_WARM_SECONDS = 0.5
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Moments are seconds of the monotonic clock; status 0 is a connection that ended without an answer."""

    arrived: float
    answered: float
    status: int
    body: bytes = field(repr=False)


METHODS = {
    "card": (1, '"currency":"USD","method":"card","payment_method":"pm_card_visa"'),
    "qris": (100, '"currency":"IDR","method":"qris"'),
}
"""What amounts are multiples of, and what else a request says of the way to pay."""


class Requests:
    """The bytes of one request after the other, each with its own key and amount."""

    def __init__(self, url: str, key: str, *, method: str = "card") -> None:
        self._multiple, self._method = METHODS[method]
        self.host, self.port = urlsplit(url).hostname or "", urlsplit(url).port or 80
        self._run = secrets.token_hex(6)
        self._count = 0
        self._head = (
            f"POST /v1/payments HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nAccept: application/json\r\n"
        )

    def next(self) -> bytes:
        self._count += 1
        amount = self._multiple * (1000 + self._count % 9000)
        body = (
            f'{{"amount":{amount},{self._method},"reference":"order-{self._run}-{self._count}",'
            '"description":"A pair of shoes, size 42","return_url":"https://shop.example.com/paid",'
            '"metadata":{"cart":"8841","channel":"web"}}'
        )
        key = f"Idempotency-Key: {self._run}-{self._count}\r\n"
        return f"{self._head}{key}Content-Length: {len(body)}\r\n\r\n{body}".encode()


class Line(asyncio.Protocol):
    """One keep-alive connection, with one request at a time on it."""

    def __init__(self, done: Callable[["Line", int, bytes], None]) -> None:
        self._done = done
        self._unread = b""
        self._asking = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes) -> None:
        assert self.transport is not None
        self._asking = True
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        head, end, rest = self._unread.partition(b"\r\n\r\n")
        if not end:
            return
        if _is_whole(head.lower(), rest):
            self._unread, self._asking = b"", False
            self._done(self, int(head[9:12]), rest)

    def connection_lost(self, error: Exception | None) -> None:
        if self._asking:
            self._asking = False
            self._done(self, 0, b"")


def _is_whole(head: bytes, body: bytes) -> bool:
    """Whether all of a body is here. Of a chunked one only the end is looked at: nothing follows on its line."""
    _, told, length = head.partition(b"\r\ncontent-length:")
    if told:
        return len(body) >= int(length.split(b"\r\n", 1)[0])
    return body.endswith(_LAST_CHUNK)


class Load:
    """What both forms share: lines, answers, and the wait for the last of them."""

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self.answers: list[Answer] = []
        self.waiting = 0

    async def line(self, done: Callable[[Line, int, bytes], None]) -> Line:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(lambda: Line(done), self.requests.host, self.requests.port)
        return line

    def note(self, arrived: float, status: int, body: bytes) -> None:
        self.waiting -= 1
        self.answers.append(Answer(arrived, time.monotonic(), status, body))

    async def last_answers(self) -> None:
        ends = time.monotonic() + _PATIENCE_SECONDS
        while self.waiting and time.monotonic() < ends:
            await asyncio.sleep(0.02)


async def closed(load: Load, *, connections: int, seconds: float) -> dict[str, Any]:
    """As many requests as the connections carry; the rate leaves out the first half second."""
    begun = time.monotonic()
    ends = begun + _WARM_SECONDS + seconds
    asked_at: dict[Line, float] = {}

    def ask(line: Line) -> None:
        asked_at[line] = time.monotonic()
        load.waiting += 1
        line.ask(load.requests.next())

    def done(line: Line, status: int, body: bytes) -> None:
        load.note(asked_at[line], status, body)
        if time.monotonic() < ends and status:
            ask(line)

    for line in [await load.line(done) for _ in range(connections)]:
        ask(line)
    await asyncio.sleep(ends - time.monotonic())
    await load.last_answers()
    counted = [answer for answer in load.answers if begun + _WARM_SECONDS <= answer.answered < ends]
    latencies = sorted(answer.answered - answer.arrived for answer in counted)
    return {
        "answered": len(load.answers),
        "unanswered": load.waiting,
        "statuses": dict(Counter(answer.status for answer in load.answers)),
        "rate": len(counted) / seconds,
        "median": latencies[len(latencies) // 2] if latencies else None,
    }


async def opened(load: Load, *, rate: float, seconds: float, seed: int) -> dict[str, Any]:
    """Requests at Poisson moments for so many seconds, then the wait for their answers."""
    chance, free = random.Random(seed), list[Line]()
    arrived_at: dict[Line, float] = {}
    asking: set[asyncio.Task[None]] = set()

    def done(line: Line, status: int, body: bytes) -> None:
        load.note(arrived_at[line], status, body)
        if status:
            free.append(line)

    async def ask(arrived: float) -> None:
        try:
            line = free.pop() if free else await load.line(done)
        except OSError:
            load.note(arrived, 0, b"")
            return
        arrived_at[line] = arrived
        line.ask(load.requests.next())

    began_at, begun = time.time(), time.monotonic()
    arrival = begun
    while (arrival := arrival + chance.expovariate(rate)) < begun + seconds:
        await asyncio.sleep(max(0.0, arrival - time.monotonic()))
        load.waiting += 1
        task = asyncio.create_task(ask(arrival))
        asking.add(task)
        task.add_done_callback(asking.discard)
    await load.last_answers()
    return {
        "began_at": began_at,
        "unanswered": load.waiting,
        "answers": [_told(answer, begun) for answer in load.answers],
    }


def _told(answer: Answer, begun: float) -> dict[str, Any]:
    state, reference = _STATE.search(answer.body), _REFERENCE.search(answer.body)
    return {
        "arrived": answer.arrived - begun,
        "seconds": answer.answered - answer.arrived,
        "status": answer.status,
        "state": state.group(1).decode() if state else "",
        "reference": reference.group(1).decode() if reference else "",
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("form", choices=["closed", "open"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--method", choices=list(METHODS), default="card")
    options = parser.parse_args()
    load = Load(Requests(options.url, options.key, method=options.method))
    if options.form == "closed":
        told = asyncio.run(closed(load, connections=options.connections, seconds=options.seconds))
    else:
        told = asyncio.run(opened(load, rate=options.rate, seconds=options.seconds, seed=options.seed))
    print(json.dumps({**told, "cpu": time.process_time()}))


if __name__ == "__main__":
    main()
