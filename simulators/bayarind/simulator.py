"""Bayarind: `PaymentRegister`, `PaymentQuery`, `PostAuth` and `transfer-va`, and payment flags to the merchant."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from simulators.bayarind.books import JSON, Bill, Books
from simulators.bayarind.classic import Classic, code_of
from simulators.bayarind.flags import Flags
from simulators.bayarind.keys import MERCHANTS, OURS, private_pem, public_pem
from simulators.bayarind.pages import bank_page, pay_page
from simulators.bayarind.settings import BayarindSettings
from simulators.bayarind.snap import PREFIX, Snap
from simulators.bayarind.words import EXPIRED, MAGIC_AMOUNTS, OUTCOMES, PENDING
from simulators.ledger import Conflict, LedgerEntry
from simulators.memory import Memory
from simulators.outcomes import no_such
from simulators.qris import TROUBLES
from simulators.scanning import Issued
from simulators.server import Answer, Request, Router
from simulators.simulator import Simulator
from simulators.trouble import Trouble

INSERT, CREATE = "/PaymentRegister", f"{PREFIX}/create-va"

Act = Callable[[Request], Answer]


class Bayarind(Simulator):
    name, title = "bayarind", "Bayarind"
    magic_amounts = MAGIC_AMOUNTS
    own_troubles = TROUBLES | {
        "callback_bad_signature": "the flag is signed by somebody else",
        "callback_tampered": "it is changed after signing",
        "callback_under": "it tells less than was asked",
        "callback_over": "it tells more than was asked",
        "callback_wrong_insert": "it names another insert id, rightly signed",
    }
    settings: BayarindSettings

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, BayarindSettings())
        self.books = Books(memory)
        self.classic = Classic(self.books, self.settings)
        self.flags = Flags(self.books, self.settings, self.sender)
        self.snap = Snap(self.books, self.settings, self.classic, self.begun)
        self._once_troubled: set[str] = set()
        routes: dict[str, Act] = {
            f"POST {INSERT}": self._insert,
            "POST /PaymentQuery": lambda request: _told(self.classic.question(dict(request.form))),
            "POST /PostAuth": lambda request: _told(self.classic.void(dict(request.form))),
            f"POST {CREATE}": self.snap.create,
            f"POST {PREFIX}/status": self.snap.status,
            f"DELETE {PREFIX}/delete-va": self.snap.delete,
        }
        self.serve_routes(Router(routes))
        pages: dict[str, Act] = {
            "GET /_simulator/pay/{id}": self._page,
            "POST /_simulator/pay/{id}": self._pressed,
            "GET /_simulator/keys": lambda request: _told(_keys()),
        }
        self._pages = Router(pages)

    def _insert(self, request: Request) -> Answer:
        answer, bill = self.classic.insert(dict(request.form), request.callback_mode, request.origin)
        if bill:
            self.begun(bill)
        return _told(answer)

    def begun(self, bill: Bill) -> None:
        """A new bill: its end is waited for, or it is paid before its insert is answered."""
        self._expire_later(bill)
        if (bill.mode or self.settings.callback_mode) == "before_answer":
            self.flags.act(bill, "approve", "normal")

    def _expire_later(self, bill: Bill) -> None:
        self.sender.timer.later(max(bill.expires - time.time(), 0.0), lambda: self._expire(bill))

    def _expire(self, bill: Bill) -> None:
        with self.books.lock:
            if bill.state == PENDING:
                bill.state = EXPIRED
                self.books.keep(bill)

    def magic_trouble(self, request: Request) -> Trouble | None:
        """Once per number: the retry of a lost answer shall find out what happened."""
        number, amount = _asked(request)
        trouble = self.magic(int(amount)) if re.fullmatch("[0-9]{1,10}", amount) else None
        if trouble is None or trouble.callback_mode:
            return trouble
        if number in self._once_troubled:
            return None
        self._once_troubled.add(number)
        return trouble

    def not_found(self, request: Request, known_path: bool) -> Answer:
        return Answer(405 if known_path else 404, b"Not Found", "text/plain")

    def server_error(self) -> Answer:
        return Answer(500, b"Internal Server Error", "text/plain")

    def rate_limited(self) -> Answer:
        return Answer(429, b"Too Many Requests", "text/plain")

    def ledger(self) -> list[LedgerEntry]:
        return list(self.books.ledger())

    def simulate(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`outcome`: a word of OUTCOMES; `callback`: how the flag goes out. What the flag was answered is `answer`."""
        outcome = str(wanted.get("outcome", "approve"))
        if outcome not in OUTCOMES:
            raise no_such(outcome, OUTCOMES)
        bill = self.books.known(str(wanted.get("id") or ""), str(wanted.get("reference") or ""))
        self.flags.act(bill, outcome, str(wanted.get("callback", "")))
        return {"id": bill.id, "state": bill.state, "answer": bill.answer}

    def codes(self) -> Iterator[Issued]:
        with self.books.lock:
            rows = list(self.books.bills.newest_first())
        for row in rows:
            if row.service == self.settings.qris_service_code:
                yield Issued(row.id, code_of(row), row.state, row.state == PENDING)

    def phone_page(self) -> str:
        return bank_page(self.books)

    def own_page(self, request: Request) -> Answer | None:
        show = self._pages.find(request)
        try:
            return show(request) if show else None
        except KeyError:
            return None

    def _page(self, request: Request) -> Answer:
        return Answer.of_html(pay_page(self.books.known(request.parameters["id"], "")))

    def _pressed(self, request: Request) -> Answer:
        bill = self.books.known(request.parameters["id"], "")
        with contextlib.suppress(Conflict, ValueError):
            self.simulate({"id": bill.id, "outcome": dict(request.form).get("outcome", "")})
        return Answer.redirect(bill.back) if bill.back else Answer.of_html(pay_page(bill))

    def credentials(self) -> dict[str, str]:
        return {f"secret key of {channel}": secret for channel, secret in self.settings.channels.items()}

    def forget(self) -> None:
        self._once_troubled.clear()
        self.books.clear()
        self.snap.external_ids.clear()

    def resume(self) -> None:
        for bill in self.books.bills.rows():
            if bill.state == PENDING:
                self._expire_later(bill)


def _told(answer: JSON) -> Answer:
    return Answer.of_json(answer)


def _keys() -> JSON:
    """What an account for SNAP is made with: test keys."""
    return {"merchant_private_key": private_pem(MERCHANTS), "bayarind_public_key": public_pem(OURS)}


def _asked(request: Request) -> tuple[str, str]:
    """Number and whole rupiah of an insert, as far as they can be read."""
    if request.route == INSERT:
        form = dict(request.form)
        return form.get("transactionNo", ""), form.get("transactionAmount", "")
    body = (request.document or {}) if request.route == CREATE else {}
    total = body.get("totalAmount")
    value = str(total.get("value")) if isinstance(total, dict) else ""
    return str(body.get("trxId")), value.removesuffix(".00")
