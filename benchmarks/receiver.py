"""The stub of merchants' webhook receivers.

Answers 200 after `--delay` seconds, and after `--hang` where the path begins with /hang.
GET /_received tells when each event came, by its webhook-id, in seconds since 1970.
"""

import argparse
import json
import time

from benchmarks.wire import Asked, Peer, serve


class Receiver:
    def __init__(self, *, delay: float, hang: float) -> None:
        self._delay = delay
        self._hang = hang
        self._received: dict[str, list[float]] = {}
        self._unsigned = 0

    def handle(self, peer: Peer, asked: Asked) -> None:
        if asked.path == "/_received":
            told = {"received": self._received, "unsigned": self._unsigned}
            peer.answer(200, json.dumps(told).encode())
            return
        event, signature = asked.header("webhook-id"), asked.header("webhook-signature")
        self._unsigned += not signature.startswith("v1,")
        self._received.setdefault(event, []).append(time.time())
        peer.answer(200, b"{}", after=self._hang if asked.path.startswith("/hang") else self._delay)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--hang", type=float, default=10.0)
    options = parser.parse_args()
    serve(Receiver(delay=options.delay, hang=options.hang).handle)


if __name__ == "__main__":
    main()
