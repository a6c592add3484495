"""The stub provider: as much of Stripe's PaymentIntents as a one-step card payment needs, and a ledger.

    python -m benchmarks.provider --median 0.12 --p99 0.38 --faults 0.007

Without delays it answers at once. A fault is a 500 or a reset connection, before or after the payment
was made; the same key asked again finds the payment or makes it. GET /_ledger tells everything.
"""

import argparse
import json
import math
import random
from dataclasses import dataclass
from urllib.parse import parse_qs

from benchmarks.wire import Asked, Peer, serve

_P99_OF_A_STANDARD_NORMAL = 2.3263
_INTENTS = "/v1/payment_intents"
_FAULT = b'{"error":{"type":"api_error","message":"a fault on purpose"}}'


@dataclass(frozen=True, slots=True)
class Delays:
    """Log-normal answering times, in seconds; a median of zero is at once."""

    median: float
    p99: float

    def draw(self, chance: random.Random) -> float:
        if not self.median:
            return 0.0
        sigma = math.log(self.p99 / self.median) / _P99_OF_A_STANDARD_NORMAL
        return chance.lognormvariate(math.log(self.median), sigma)


class Provider:
    """Intents by idempotency key and by id; and how long the first call about each reference took."""

    def __init__(self, delays: Delays, *, faults: float) -> None:
        self._delays = delays
        self._faults = faults
        self._chance = random.Random(7)
        self._by_key: dict[str, bytes] = {}
        self._by_id: dict[str, bytes] = {}
        self._made: list[tuple[str, str, int]] = []
        self._seconds: dict[str, float] = {}
        self._calls = self._faulty = 0

    def handle(self, peer: Peer, asked: Asked) -> None:
        if asked.path == "/_ledger":
            peer.answer(200, self._ledger())
        elif asked.method == "POST" and asked.path == _INTENTS:
            self._create(peer, asked)
        elif asked.path.startswith(f"{_INTENTS}?"):
            newest = b",".join(list(self._by_id.values())[-100:])
            peer.answer(200, b'{"object":"list","data":[' + newest + b"]}", after=self._delays.draw(self._chance))
        else:
            found = self._by_id.get(asked.path.removeprefix(f"{_INTENTS}/").partition("?")[0])
            peer.answer(200 if found else 404, found or _FAULT, after=self._delays.draw(self._chance))

    def _create(self, peer: Peer, asked: Asked) -> None:
        self._calls += 1
        form = parse_qs(asked.body.decode())
        reference, key = form["metadata[reference]"][0], asked.header("idempotency-key")
        seconds = self._delays.draw(self._chance)
        self._seconds.setdefault(reference, seconds)
        fault = self._chance.choice(_FAULTS) if self._chance.random() < self._faults else ""
        self._faulty += bool(fault)
        if not fault.endswith("before"):
            self._make(key, reference, int(form["amount"][0]), form["currency"][0])
        if fault.startswith("500"):
            peer.answer(500, _FAULT, after=seconds)
        elif fault:
            peer.reset(after=seconds)
        else:
            peer.answer(200, self._by_key[key], after=seconds)

    def _make(self, key: str, reference: str, amount: int, currency: str) -> None:
        if key in self._by_key:
            return
        place = len(self._made)
        intent = {
            "id": f"pi_{place:024d}",
            "object": "payment_intent",
            "amount": amount,
            "amount_received": amount,
            "currency": currency,
            "status": "succeeded",
            "latest_charge": f"ch_{place:024d}",
            "metadata": {"reference": reference},
        }
        self._made.append((reference, f"pi_{place:024d}", amount))
        self._by_key[key] = self._by_id[f"pi_{place:024d}"] = json.dumps(intent).encode()

    def _ledger(self) -> bytes:
        told = {"made": self._made, "seconds": self._seconds, "calls": self._calls, "faults": self._faulty}
        return json.dumps(told).encode()


_FAULTS = ("500 before", "500 after", "reset before", "reset after")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--median", type=float, default=0.0)
    parser.add_argument("--p99", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    options = parser.parse_args()
    serve(Provider(Delays(options.median, options.p99), faults=options.faults).handle)


if __name__ == "__main__":
    main()
