"""Midtrans' Core API: charge by QRIS and GoPay, status, cancel, expire, refund, signed notifications.

Source: docs.midtrans.com/reference (api-headers, qris, gopay, get-transaction-status, cancel-transaction,
expire-transaction, direct-refund-transaction, https-notification-webhooks, code-2xx, code-4xx).
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from simulators.ledger import Conflict, LedgerEntry
from simulators.memory import Memory
from simulators.midtrans.books import JSON, Books, Transaction, document
from simulators.midtrans.charges import Charges, code_of
from simulators.midtrans.errors import MidtransError, unauthorized
from simulators.midtrans.fields import Call, read_charge
from simulators.midtrans.idempotency import LONGEST_KEY, IdempotencyKeys
from simulators.midtrans.ledger import known_as, ledger_of
from simulators.midtrans.notifications import Notifications
from simulators.midtrans.pages import gopay_page, wallet_page, way_back
from simulators.midtrans.refunding import Refunding
from simulators.midtrans.settings import MidtransSettings
from simulators.midtrans.words import CANCEL, DASHBOARD_REFUND, EXPIRE, MAGIC_AMOUNTS, OUTCOMES, PENDING
from simulators.outcomes import no_such
from simulators.qris import TROUBLES
from simulators.scanning import Issued
from simulators.server import Answer, Request, Router
from simulators.simulator import Simulator
from simulators.trouble import Trouble

CHARGE = "/v2/charge"
REFUNDS = ("/v2/{id}/refund", "/v2/{id}/refund/online/direct")
STORED = ("200", "201", "407")

Act = Callable[[Call], JSON]


class Midtrans(Simulator):
    name, title = "midtrans", "Midtrans"
    magic_amounts = MAGIC_AMOUNTS
    own_troubles = TROUBLES | {
        "callback_bad_signature": "signed with another server key",
        "callback_tampered": "its status is changed after signing, which the signature does not cover",
        "result_202": "refunds: denied by the bank",
        "result_414": "refunds: refused, as the merchant's balance does not suffice",
    }
    settings: MidtransSettings

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, MidtransSettings())
        self.books = Books(memory)
        self.keys = IdempotencyKeys(memory)
        notifications = Notifications(self.books, self.sender)
        self.charges = Charges(self.books, self.settings, self.sender, notifications)
        self.refunding = Refunding(self.books, self.settings, self.sender, notifications)
        self._once_troubled: set[tuple[str, str]] = set()
        routes: dict[str, Act] = {
            f"POST {CHARGE}": self._charge,
            "GET /v2/{id}/status": self._status,
            "POST /v2/{id}/cancel": lambda call: self.charges.end(self._found(call), CANCEL),
            "POST /v2/{id}/expire": lambda call: self.charges.end(self._found(call), EXPIRE),
        }
        refunds: dict[str, Act] = {f"POST {path}": self._refund for path in REFUNDS}
        self.serve_routes(Router(routes | refunds))
        self._pages = Router({"GET /_simulator/gopay/{id}": self._gopay, "POST /_simulator/gopay/{id}": self._answered})

    def perform(self, request: Request, handle: Act) -> Answer:
        try:
            call = self._call(request)
            return self._perform_once(call, handle) if call.key else self._perform(call, handle)
        except MidtransError as error:
            return self._refusal(error)

    def _call(self, request: Request) -> Call:
        server_key = _server_key(request.header("Authorization"))
        merchant = self.settings.merchants.get(server_key)
        if merchant is None:
            raise unauthorized()
        key = request.header("Idempotency-Key") if request.method == "POST" else ""
        return Call(request, server_key, merchant, key if len(key) <= LONGEST_KEY else "")

    def _perform_once(self, call: Call, handle: Act) -> Answer:
        """The key is in use while the call is held; only a success that could be sent is kept under it."""
        stored = self.keys.claim(call.merchant, call.key, self.settings.idempotency_seconds)
        if stored:
            return stored
        kept = False
        try:
            answer = self._perform(call, handle)
            fell = call.request.trouble is not None and call.request.trouble.do == "500_after"
            kept = _code(answer) in STORED and not fell
            if kept:
                self.keys.save(call.merchant, call.key, answer)
            return answer
        finally:
            if not kept:
                self.keys.release(call.merchant, call.key)

    def _perform(self, call: Call, handle: Act) -> Answer:
        self.hold(call.request)
        return Answer.of_json(handle(call))

    def _charge(self, call: Call) -> JSON:
        return self.charges.charge(read_charge(call, self.settings), call.request.origin)

    def _found(self, call: Call) -> Transaction:
        return self.books.find(call.merchant, call.request.parameters["id"])

    def _status(self, call: Call) -> JSON:
        with self.books.lock:
            found, code = self._found(call), self.settings.expired_code
            return document(self.books, found, message="Success, transaction is found", expired_code=code)

    def _refund(self, call: Call) -> JSON:
        return self.refunding.refund(call, self._found(call))

    def _refusal(self, error: MidtransError) -> Answer:
        is_refusal = int(error.code) >= 400
        return error.answer(200 if is_refusal and self.settings.error_layer == "body" else None)

    def magic_trouble(self, request: Request) -> Trouble | None:
        """Once per key: the retry of a lost answer shall find out what happened."""
        document = request.document or {}
        details = document.get("transaction_details") if request.route == CHARGE else None
        amount = details.get("gross_amount") if isinstance(details, dict) else None
        if request.route in REFUNDS:
            amount = document.get("amount")
        trouble = self.magic(amount) if type(amount) is int else None
        if trouble is None or trouble.callback_mode:
            return trouble
        call = (request.path, request.header("Idempotency-Key"))
        if call[1] and call in self._once_troubled:
            return None
        self._once_troubled.add(call)
        return trouble

    def not_found(self, request: Request, known_path: bool) -> Answer:
        if known_path:
            return self._refusal(MidtransError("405", "HTTP method is not allowed"))
        return self._refusal(MidtransError("404", "The requested resource is not found"))

    def server_error(self) -> Answer:
        message = "Sorry, we encountered internal server error. We will fix this soon."
        return MidtransError("500", message).answer()

    def rate_limited(self) -> Answer:
        return self._refusal(MidtransError("429", "API rate limit exceeded"))

    def ledger(self) -> list[LedgerEntry]:
        return ledger_of(self.books)

    def simulate(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`outcome`: a word of OUTCOMES; `callback`: how the notification goes out."""
        transaction, outcome = self._known(wanted), str(wanted.get("outcome", "approve"))
        if outcome == DASHBOARD_REFUND:
            self.refunding.from_dashboard(transaction, str(wanted.get("callback", "")))
            return {"id": transaction.id, "state": transaction.status}
        if outcome not in OUTCOMES:
            raise no_such(outcome, [*OUTCOMES, DASHBOARD_REFUND])
        settled = self.charges.settle(
            transaction.id,
            OUTCOMES[outcome],
            str(wanted.get("callback", "")),
            paid_as="qris" if outcome == "approve_by_qr" else "",
            late=outcome == "late_success",
        )
        return {"id": settled.id, "state": settled.status}

    def codes(self) -> Iterator[Issued]:
        with self.books.lock:
            rows = list(self.books.transactions.newest_first())
        for row in rows:
            if row.asked_as == "qris":
                yield Issued(row.id, code_of(row), row.status, row.status == PENDING)

    def _known(self, wanted: Mapping[str, Any]) -> Transaction:
        """By its id, else the newest with that order or key."""
        id, reference = str(wanted.get("id") or ""), str(wanted.get("reference") or "")
        for transaction in self.books.transactions.newest_first():
            if transaction.id == id or (not id and reference in known_as(transaction)):
                return transaction
        raise KeyError(id or reference)

    def phone_page(self) -> str:
        return wallet_page(self.books)

    def own_page(self, request: Request) -> Answer | None:
        show = self._pages.find(request)
        try:
            return show(request) if show else None
        except KeyError:
            return None

    def _gopay(self, request: Request) -> Answer:
        return Answer.of_html(gopay_page(self._known(request.parameters)))

    def _answered(self, request: Request) -> Answer:
        id = request.parameters["id"]
        with contextlib.suppress(Conflict, ValueError):
            self.simulate({"id": id, "outcome": dict(request.form).get("outcome", "")})
        transaction = self._known({"id": id})
        back = way_back(transaction)
        return Answer.redirect(back) if back else Answer.of_html(gopay_page(transaction))

    def credentials(self) -> dict[str, str]:
        return {f"server key of {merchant}": key for key, merchant in self.settings.merchants.items()}

    def forget(self) -> None:
        self._once_troubled.clear()
        self.books.clear()
        self.keys.clear()

    def resume(self) -> None:
        self.charges.resume()
        self.refunding.resume()


def _server_key(authorization: str) -> str:
    """The user of HTTP Basic, whose password is empty. MidtransError 401."""
    scheme, _, value = authorization.partition(" ")
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise unauthorized() from None
    if scheme.lower() != "basic" or password:
        raise unauthorized()
    return user


def _code(answer: Answer) -> str:
    request = Request("", "", "", {}, answer.body)
    return str((request.document or {}).get("status_code"))
