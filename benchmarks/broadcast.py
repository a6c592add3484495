"""The case `broadcast`: from the provider's confirming answer to the store's Redis channel, and to its screen."""

import json
import queue
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import redis
import urllib3

from benchmarks.acquirers import FIRST, SECOND
from benchmarks.displays import Screens, screens_of
from benchmarks.plan import Plan
from benchmarks.processes import Broken, running, told
from benchmarks.results import LOWER, Row
from benchmarks.stage import Candidate, Stage, Wants

AIM_MILLISECONDS = 20.0
EVERY_SECONDS = 0.25
WARM_UP = 10
BARE = 500
_PATIENCE_SECONDS = 30.0
_SHARED_CLOCK = time.monotonic


@dataclass
class Measured:
    """Milliseconds of one candidate, from the confirming answer."""

    channel: list[float] = field(default_factory=list)
    screen: list[float] = field(default_factory=list)


class Listener:
    """A subscriber of one channel in a thread: what it is told, and when, by the clock that all processes share."""

    def __init__(self, url: str, channel: str) -> None:
        self.heard: queue.Queue[tuple[dict[str, Any], float]] = queue.Queue()
        self._subscription: Any = redis.Redis.from_url(url).pubsub()  # type: ignore[no-untyped-call]  # theirs
        self._is_closed = False
        self._subscription.subscribe(channel)
        self._subscription.get_message(timeout=_PATIENCE_SECONDS)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._is_closed:
            message = self._subscription.get_message(timeout=1.0)
            if message:
                self.heard.put((json.loads(message["data"]), _SHARED_CLOCK()))
        self._subscription.close()

    def close(self) -> None:
        self._is_closed = True
        self._thread.join()

    def next(self) -> tuple[dict[str, Any], float]:
        try:
            return self.heard.get(timeout=_PATIENCE_SECONDS)
        except queue.Empty:
            raise Broken(f"broadcast: nothing was heard on the channel for {_PATIENCE_SECONDS:.0f} s") from None


def run(plan: Plan) -> list[Row]:
    able = [each for each in plan.candidates if (each.folder / "benchmarks" / "inside_stores.py").exists()]
    bare = _bare(plan.yardstick_redis_url)
    plan.say(f"a bare PUBLISH to its SUBSCRIBE: {bare:.2f} ms (median)")
    found = [_measure(plan, candidate) for candidate in able]
    base = found[1] if len(found) > 1 else None
    return [
        _row("broadcast", found[0].channel, base.channel if base else None),
        _row("broadcast_stream", found[0].screen, base.screen if base else None),
    ]


def _row(name: str, reached: list[float], base: list[float] | None) -> Row:
    return Row(
        name=name,
        value=statistics.median(reached),
        unit="ms",
        better=LOWER,
        aim=AIM_MILLISECONDS,
        base=statistics.median(base) if base else None,
    )


def _bare(url: str) -> float:
    """Milliseconds, at the median, that Redis and a Python subscriber take by themselves."""
    channel = f"bare:{uuid4()}"
    took = []
    with closing(Listener(url, channel)) as listener, redis.Redis.from_url(url) as publisher:
        for _ in range(BARE):
            began = _SHARED_CLOCK()
            publisher.publish(channel, b"{}")
            took.append(listener.next()[1] - began)
    return 1000 * statistics.median(took)


@contextmanager
def _ground(plan: Plan, candidate: Candidate) -> Iterator[tuple[Stage, str]]:
    """A running candidate, and the acquirer's address, who answers at once."""
    log = plan.logs / f"{candidate.name}-acquirers.log"
    with running(("benchmarks.acquirers",), log=log, environment={}, talks=True) as acquirers:
        ports = told(acquirers)
        hosts = {FIRST: f"http://127.0.0.1:{ports['first']}", SECOND: f"http://127.0.0.1:{ports['port']}"}
        named = (("DJANGO_SETTINGS_MODULE", "benchmarks.addresses"), ("MIDTRANS_HOSTS", json.dumps(hosts)))
        with plan.stage(candidate, "broadcast", Wants(web=True, worker=True, settings=named)) as stage:
            yield stage, hosts[SECOND]


def _measure(plan: Plan, candidate: Candidate) -> Measured:
    measured = Measured()
    with _ground(plan, candidate) as (stage, acquirer):
        shop = stage.ask("counter", host=SECOND)
        with (
            closing(Listener(candidate.redis_url, shop["channel"])) as listener,
            screens_of(plan, stage, [[shop["store"], shop["token"]]]) as screens,
        ):
            paid: list[str] = []
            ends = time.monotonic() + plan.seconds
            while time.monotonic() < ends or len(paid) <= WARM_UP:
                paid.append(_pay_once(stage, acquirer, shop, listener, screens, measured))
                time.sleep(EVERY_SECONDS)
        _check(stage, paid)
    del measured.channel[:WARM_UP], measured.screen[:WARM_UP]
    for way, took in (("channel", measured.channel), ("screen", measured.screen)):
        worst = sorted(took)[int(len(took) * 0.99)]
        plan.say(
            f"{candidate.name}: {statistics.median(took):.1f} ms to the {way} (median of {len(took)}), "
            f"{worst:.1f} ms at the 99th percentile"
        )
    return measured


def _pay_once(
    stage: Stage, acquirer: str, shop: dict[str, Any], listener: Listener, screens: Screens, measured: Measured
) -> str:
    """A code is shown, and paid: its payment, and how long both took to hear of that."""
    headers = {"Authorization": f"Bearer {shop['key']}", "Idempotency-Key": str(uuid4())}
    body = {"amount": 4_550_000, "currency": "IDR", "method": "qris", "store": shop["store"]}
    answer = urllib3.request("POST", f"{stage.url}/v1/payments", json=body, headers=headers, timeout=30.0)
    if answer.status != 201:
        raise Broken(f"broadcast: {answer.status} {answer.data[:300]!r}")
    payment = answer.json()
    _hear(payment["id"], "requires_action", listener, screens)
    order = payment["attempts"][0]["provider_reference"]
    scanned = json.dumps({"orders": [order], "at": stage.url}).encode()
    urllib3.request("POST", f"{acquirer}/_scan", body=scanned, timeout=30.0)
    channel, screen = _hear(payment["id"], "succeeded", listener, screens)
    codes = urllib3.request("GET", f"{acquirer}/_ledger", timeout=30.0).json()["codes"]
    confirmed = next(code["confirmed"] for code in codes if code["order"] == order)
    measured.channel.append(1000 * (channel - confirmed))
    measured.screen.append(1000 * (screen - confirmed))
    return str(payment["id"])


def _hear(payment: str, state: str, listener: Listener, screens: Screens) -> tuple[float, float]:
    """When the channel and the screen told of the next thing, which must be this."""
    message, at = listener.next()
    ((_, position, shown, moment),) = screens.collect(1)
    if (message["payment"], message["state"], shown, position) != (payment, state, payment, message["id"]):
        raise Broken(f"broadcast: {payment} is {state}, and {message} was published, {position} of {shown} streamed")
    return at, moment


def _check(stage: Stage, paid: list[str]) -> None:
    """All of them are paid, and the channel has been told of everything."""
    succeeded = {row["state"] for row in stage.ask("codes")["payments"]}
    behind = stage.ask("behind")["behind"]["channel"]
    if succeeded != {"succeeded"} or behind or len(set(paid)) != len(paid):
        raise Broken(f"broadcast: payments are {succeeded}, and the channel is {behind} events behind")
