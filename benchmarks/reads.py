"""The load of the cases that read: `GET` over keep-alive connections, the given paths in turn.

python -m benchmarks.reads --url … --key … --seconds 5 --paths /v1/events …
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from benchmarks.load import Load, Requests, closed
from benchmarks.plan import Plan
from benchmarks.processes import Broken, result_of
from benchmarks.stage import Stage

CONNECTIONS = 4


class Reads(Requests):
    def __init__(self, url: str, key: str, paths: Sequence[str]) -> None:
        super().__init__(url, key)
        head = f"HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAuthorization: Bearer {key}\r\n"
        self._all = cycle([f"GET {path} {head}Accept: application/json\r\n\r\n".encode() for path in paths])

    def next(self) -> bytes:
        return next(self._all)


def cpu_of(
    plan: Plan, stage: Stage, *, server: str, url: str, paths: Sequence[str], seconds: float
) -> tuple[float, int]:
    """CPU seconds of that web server and of PostgreSQL while it was asked, and how many answers there were."""
    application, postgres = stage.cpu()[server], plan.postgres_cpu()
    words = ["benchmarks.reads", "--url", url, "--key", stage.key, "--seconds", str(seconds), "--paths", *paths]
    told: dict[str, Any] = result_of(words, log=plan.logs / "reads.log")
    if set(told["statuses"]) != {"200"} or told["unanswered"]:
        raise Broken(f"not every read was answered 200: {told}; see {plan.logs}")
    used = stage.cpu()[server] - application + plan.postgres_cpu() - postgres
    return used, told["answered"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--paths", nargs="+", required=True)
    options = parser.parse_args()
    load = Load(Reads(options.url, options.key, options.paths))
    told = asyncio.run(closed(load, connections=CONNECTIONS, seconds=options.seconds))
    print(json.dumps({**told, "cpu": time.process_time()}))


if __name__ == "__main__":
    main()
