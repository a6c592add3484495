"""iPaymu's API v2: direct and redirect payment, check transaction, history, balance, signed callbacks.

Source: github.com/ipaymu/docs-ipaymu-api-v2 (content/docs, examples, Postman collection).
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from simulators.ipaymu.books import JSON, Books, Payment, shown, stamp
from simulators.ipaymu.callbacks import Callbacks
from simulators.ipaymu.errors import IpaymuError, invalid, missing, unauthorized
from simulators.ipaymu.fields import Call, read_direct, read_page
from simulators.ipaymu.ledger import known_as, ledger_of
from simulators.ipaymu.pages import payment_page, wallet_page
from simulators.ipaymu.payments import Payments
from simulators.ipaymu.settings import IpaymuSettings
from simulators.ipaymu.signing import of_call
from simulators.ipaymu.words import DESCRIPTIONS, FOLLOWING, MAGIC_AMOUNTS, OUTCOMES, PAID, PENDING
from simulators.ledger import Conflict, LedgerEntry
from simulators.memory import Memory
from simulators.outcomes import no_such
from simulators.qris import TROUBLES
from simulators.scanning import Issued
from simulators.server import Answer, Request, Router
from simulators.simulator import Simulator
from simulators.trouble import Trouble

DIRECT, PAGE = "/api/v2/payment/direct", "/api/v2/payment"
MOST_ROWS = 20

Act = Callable[[Call], JSON]


class Ipaymu(Simulator):
    name, title = "ipaymu", "iPaymu"
    magic_amounts = MAGIC_AMOUNTS
    own_troubles = TROUBLES | {
        "callback_bad_signature": "signed with another key",
        "callback_unsigned": "no signature, as of older accounts",
        "callback_untrue": "says that it was paid, signed rightly, whatever is true",
    }
    settings: IpaymuSettings

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, IpaymuSettings())
        self.books = Books(memory)
        callbacks = Callbacks(self.settings, self.sender)
        self.payments = Payments(self.books, self.settings, self.sender, callbacks)
        routes: dict[str, Act] = {
            f"POST {DIRECT}": self._direct,
            f"POST {PAGE}": self._page,
            "POST /api/v2/transaction": self._transaction,
            "POST /api/v2/history": self._history,
            "POST /api/v2/balance": self._balance,
        }
        self.serve_routes(Router(routes))
        path = "/_simulator/payment/{session}"
        self._pages = Router({f"GET {path}": self._shown, f"POST {path}": self._answered})

    def perform(self, request: Request, handle: Act) -> Answer:
        try:
            call = self._call(request)
            self.hold(request)
            data = handle(call)
        except IpaymuError as error:
            return self._refusal(error)
        told: JSON = {"Status": 200, "Success": True, "Message": "Success", "Data": data}
        if request.route == PAGE:
            # The older form of an answer, as it is documented there.
            told = {"Status": 200, "Data": data, "Message": "success"}
        return Answer.of_json(told, headers={"x-ratelimit-limit": "60", "x-ratelimit-remaining": "59"})

    def _call(self, request: Request) -> Call:
        """Neither path nor time is signed; which of the three is wrong is not told."""
        if self.settings.refuse_address:
            raise IpaymuError(401, "Invalid IP")
        va = request.header("va")
        api_key = self.settings.merchants.get(va)
        given = request.header("signature").encode()
        if api_key is None or not request.header("timestamp"):
            raise unauthorized()
        if not hmac.compare_digest(of_call(request.method, va, request.body, api_key).encode(), given):
            raise unauthorized()
        return Call(request, va)

    def _direct(self, call: Call) -> JSON:
        return self.payments.create(read_direct(call, self.settings), call.request.origin)

    def _page(self, call: Call) -> JSON:
        return self.payments.create(read_page(call, self.settings), call.request.origin)

    def _transaction(self, call: Call) -> JSON:
        number = call.document.get("transactionId")
        if number in (None, ""):
            raise invalid(transactionId="transaction id wajib diisi.")
        with self.books.lock:
            return shown(self.books.find(call.va, str(number)))

    def _history(self, call: Call) -> JSON:
        """By the day on which a transaction began; `date` and `orderBy` are taken for that."""
        told = call.document
        page, limit = told.get("page", 1), told.get("limit", MOST_ROWS)
        if type(page) is not int or type(limit) is not int or page < 1 or not 1 <= limit <= MOST_ROWS:
            raise invalid(limit=f"page dan limit harus berupa angka, limit maksimal {MOST_ROWS}.")
        first, last = str(told.get("startdate") or ""), str(told.get("enddate") or "9999")
        with self.books.lock:
            rows = [
                row
                for row in self.books.transactions_of(call.va)
                if first <= str(stamp(row.begun))[: len(last)] <= last
            ]
            if told.get("order") == "ASC":
                rows.reverse()
            listed = [shown(row) for row in rows[(page - 1) * limit : page * limit]]
        pagination = {"total": len(rows), "count": len(listed), "per_page": limit, "current_page": page}
        return {self.settings.history_key: listed, "Pagination": pagination}

    def _balance(self, call: Call) -> JSON:
        if call.document.get("account") in (None, ""):
            raise missing("account")
        if call.document["account"] != call.va:
            raise unauthorized()
        with self.books.lock:
            sums = [row.net for row in self.books.transactions_of(call.va) if row.status in PAID]
        return {"Va": call.va, "MerchantBalance": str(sum(sums)), "MemberBalance": "0"}

    def _refusal(self, error: IpaymuError) -> Answer:
        return error.answer(200 if self.settings.error_layer == "body" else None)

    def magic_trouble(self, request: Request) -> Trouble | None:
        document = request.document or {}
        amount = document.get("amount") if request.route == DIRECT else None
        prices = document.get("price")
        if request.route == PAGE and isinstance(prices, list) and len(prices) == 1:
            amount = prices[0]
        return self.magic(amount) if type(amount) is int else None

    def not_found(self, request: Request, known_path: bool) -> Answer:
        return self._refusal(IpaymuError(405 if known_path else 404, "not found"))

    def server_error(self) -> Answer:
        return IpaymuError(500, "internal server error").answer()

    def rate_limited(self) -> Answer:
        return self._refusal(IpaymuError(429, "Too Many Attempts."))

    def ledger(self) -> list[LedgerEntry]:
        return ledger_of(self.books)

    def simulate(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`outcome`: a word of OUTCOMES or FOLLOWING; `callback`: how the callback goes out."""
        session, outcome = self._known(wanted).session, str(wanted.get("outcome", "approve"))
        mode = str(wanted.get("callback", ""))
        if outcome in FOLLOWING:
            before, status = FOLLOWING[outcome]
            payment = self.payments.follow(session, before, status, mode)
        elif outcome in ("choose", "nothing"):
            payment = self.payments.say(session, mode, begins=outcome == "choose")
        elif outcome in OUTCOMES:
            late, chosen = outcome == "late_success", outcome == "expire"
            payment = self.payments.settle(session, OUTCOMES[outcome], mode, late=late, chosen=chosen)
        else:
            raise no_such(outcome, (*OUTCOMES, *FOLLOWING))
        return {"id": str(payment.transaction or payment.session), "state": payment.status}

    def codes(self) -> Iterator[Issued]:
        with self.books.lock:
            rows = list(self.books.payments.newest_first())
        for row in rows:
            if row.code:
                yield Issued(row.session, row.code, DESCRIPTIONS[row.status].lower(), row.status == PENDING)

    def _known(self, wanted: Mapping[str, Any]) -> Payment:
        """By its session or transaction, else the newest with that reference."""
        name = str(wanted.get("id") or wanted.get("reference") or "")
        for payment in self.books.payments.newest_first():
            if name in known_as(payment):
                return payment
        raise KeyError(name)

    def phone_page(self) -> str:
        return wallet_page(self.books)

    def own_page(self, request: Request) -> Answer | None:
        show = self._pages.find(request)
        try:
            return show(request) if show else None
        except KeyError:
            return None

    def _shown(self, request: Request) -> Answer:
        return Answer.of_html(payment_page(self._known({"id": request.parameters["session"]})))

    def _answered(self, request: Request) -> Answer:
        session = request.parameters["session"]
        with contextlib.suppress(Conflict, ValueError):
            self.simulate({"id": session, "outcome": dict(request.form).get("outcome", "")})
        payment = self._known({"id": session})
        return Answer.redirect(payment.back) if payment.back else Answer.of_html(payment_page(payment))

    def credentials(self) -> dict[str, str]:
        return {f"API key of VA {va}": key for va, key in self.settings.merchants.items()}

    def forget(self) -> None:
        self.books.clear()

    def resume(self) -> None:
        self.payments.resume()
