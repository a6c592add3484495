"""The stub of two acquirers that issue QRIS codes, as much of Midtrans as that needs, and a ledger of both.

    python -m benchmarks.acquirers

Its first line tells the ports, `{"port": of the second, "first": of the first}`. The second answers at once, always.
The first refuses connections until POST /_first at the second's port has it `{"do": "answer"}` or `{"do": "hang"}`:
then it takes whatever it is asked, and never answers. POST /_scan has payers pay the codes of `orders`, of which
whoever listens `at` that address is notified. GET /_ledger tells every code.
"""

import asyncio
import binascii
import hashlib
import json
import socket
import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

import urllib3

from benchmarks.wire import Asked, Peer, serve

FIRST, SECOND = "first", "second"
PENDING, SETTLED, CANCELLED = "pending", "settlement", "cancel"
_CODES = {PENDING: "201", SETTLED: "200", CANCELLED: "200"}
_NOTICES = 8
_TRIES = 20
_PAUSE_SECONDS = 0.5
# All of a code but its sum and its checksum; parts before and after the sum.
_BEFORE = "00020101021226610014COM.GO-JEK.WWW01189360091400000000010210G0000000010303UMI"
_BEFORE += "51440014ID.CO.QRIS.WWW0215ID00000000000010303UMI5204581253033605"
_AFTER = "5802ID5913WARUNG CONTOH6007BANDUNG610540115"


@dataclass(kw_only=True)
class Code:
    """One code: `amount` in rupiah, `house` who issued it, `confirmed` when whoever asked was first told it is paid."""

    house: str
    order: str
    amount: int
    state: str = PENDING
    confirmed: float = 0.0
    server_key: str = field(repr=False)
    notify: str = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        status, gross = _CODES[self.state], f"{self.amount}.00"
        signed = f"{self.order}{status}{gross}{self.server_key}"
        return {
            "status_code": status,
            "status_message": "Success",
            "transaction_id": f"{self.house}-{self.order}",
            "order_id": self.order,
            "gross_amount": gross,
            "currency": "IDR",
            "payment_type": "qris",
            "transaction_status": self.state,
            "fraud_status": "accept",
            "signature_key": hashlib.sha512(signed.encode()).hexdigest(),
        }


class Acquirers:
    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}
        self._hangs = False
        self._listens = False
        self._running: set[asyncio.Task[None]] = set()
        self._http = urllib3.PoolManager(maxsize=_NOTICES)
        self._door = asyncio.Semaphore(_NOTICES)
        # Bound, so that the port is nobody else's, and not listening: the kernel refuses who comes.
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))

    @property
    def first_port(self) -> int:
        return int(self._socket.getsockname()[1])

    def second(self, peer: Peer, asked: Asked) -> None:
        controls: dict[str, Callable[[Peer, Asked], None]] = {
            "/_first": self._change_first,
            "/_scan": self._scan,
            "/_ledger": self._ledger,
        }
        control = controls.get(asked.path)
        if control:
            control(peer, asked)
        else:
            peer.answer(200, self._work(SECOND, asked))

    def first(self, peer: Peer, asked: Asked) -> None:
        answer = self._work(FIRST, asked)
        if not self._hangs:
            peer.answer(200, answer)

    # Midtrans.

    def _work(self, house: str, asked: Asked) -> bytes:
        _, _, name, *rest = [*asked.path.split("/"), ""]
        if asked.path == "/v2/charge":
            return self._charge(house, asked)
        code = self._codes.get(name.removeprefix(f"{house}-"))
        if code is None or code.house != house:
            return b'{"status_code":"404","status_message":"Transaction doesn\'t exist."}'
        if rest[0] in ("cancel", "expire"):
            if code.state != PENDING:
                return b'{"status_code":"412","status_message":"The transaction can no longer be changed."}'
            code.state = CANCELLED
        if code.state == SETTLED and not code.confirmed:
            code.confirmed = time.monotonic()
        return json.dumps(code.document).encode()

    def _charge(self, house: str, asked: Asked) -> bytes:
        """The same order once more is the same code."""
        details = json.loads(asked.body)["transaction_details"]
        made = Code(
            house=house,
            order=details["order_id"],
            amount=details["gross_amount"],
            server_key=b64decode(asked.header("authorization").removeprefix("Basic ")).decode().removesuffix(":"),
            notify=asked.header("x-override-notification"),
        )
        code = self._codes.setdefault(made.order, made)
        return json.dumps({**code.document, "qr_string": _qr_string(code.amount)}).encode()

    # Controls.

    def _change_first(self, peer: Peer, asked: Asked) -> None:
        self._hangs = json.loads(asked.body)["do"] == "hang"
        self._keep(self._listen(peer))

    async def _listen(self, peer: Peer) -> None:
        if not self._listens:
            self._listens = True
            loop = asyncio.get_running_loop()
            await loop.create_server(lambda: Peer(self.first), sock=self._socket, backlog=4096)
        peer.answer(200, b"{}")

    def _scan(self, peer: Peer, asked: Asked) -> None:
        told = json.loads(asked.body)
        for order in told["orders"]:
            self._codes[order].state = SETTLED
            self._keep(self._notify(self._codes[order], at=told["at"]))
        peer.answer(200, b"{}")

    async def _notify(self, code: Code, *, at: str) -> None:
        url = at + urlsplit(code.notify).path
        body = json.dumps(code.document).encode()
        async with self._door:
            for _ in range(_TRIES):
                if await asyncio.to_thread(self._is_taken, url, body):
                    return
                await asyncio.sleep(_PAUSE_SECONDS)

    def _is_taken(self, url: str, body: bytes) -> bool:
        headers = {"Content-Type": "application/json"}
        try:
            return self._http.request("POST", url, body=body, headers=headers, timeout=10.0, retries=False).status < 300
        except urllib3.exceptions.HTTPError:
            return False

    def _ledger(self, peer: Peer, asked: Asked) -> None:
        shown = [each.name for each in fields(Code) if each.repr]
        rows = [{name: value for name, value in asdict(code).items() if name in shown} for code in self._codes.values()]
        peer.answer(200, json.dumps({"codes": rows}).encode())

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _qr_string(amount: int) -> str:
    text = f"{_BEFORE}4{len(str(amount)):02}{amount}{_AFTER}6304"
    return f"{text}{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def main() -> None:
    acquirers = Acquirers()
    serve(acquirers.second, first=acquirers.first_port)


if __name__ == "__main__":
    main()
