"""Xendit's API: QR codes, invoices, refunds, transactions, webhooks with a static token.

Source: docs.xendit.co (qr-codes, qr-codes/test-scenarios, invoice, refunds, transactions, webhooks, errors).
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from simulators.ledger import Conflict, LedgerEntry
from simulators.memory import Memory
from simulators.outcomes import no_such
from simulators.qris import TROUBLES
from simulators.scanning import Issued
from simulators.server import Answer, Request, Router
from simulators.simulator import Simulator
from simulators.trouble import Trouble
from simulators.xendit.books import Books, Code, Invoice, is_payable
from simulators.xendit.errors import XenditError, not_found, unauthorized
from simulators.xendit.fields import Call
from simulators.xendit.invoices import Invoices
from simulators.xendit.ledger import ledger_of
from simulators.xendit.listing import Listing
from simulators.xendit.pages import invoice_page, wallet_page, way_back
from simulators.xendit.qr_codes import QrCodes
from simulators.xendit.refunding import Refunding
from simulators.xendit.settings import XenditSettings
from simulators.xendit.transactions import Transactions
from simulators.xendit.webhooks import Webhooks
from simulators.xendit.words import MAGIC_AMOUNTS, OUTCOMES

SETTLE = "settle"

Act = Callable[[Call], object]


class Xendit(Simulator):
    name, title = "xendit", "Xendit"
    magic_amounts = MAGIC_AMOUNTS
    own_troubles = TROUBLES | {
        "callback_bad_signature": "another token",
        "callback_tampered": "its status is changed, which the token does not cover",
    }
    settings: XenditSettings

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, XenditSettings())
        self.books = Books(memory)
        webhooks = Webhooks(self.settings, self.sender)
        self.qr_codes = QrCodes(self.books, self.settings, self.sender, webhooks)
        self.invoices = Invoices(self.books, self.settings, self.sender, webhooks)
        self.refunding = Refunding(memory, self.books, self.settings, self.sender, webhooks)
        self.transactions = Transactions(self.books, self.settings)
        self.listing = Listing(self.transactions, self.settings, self.qr_codes.walk_in)
        self._once_troubled: set[tuple[str, str]] = set()
        self.serve_routes(Router(self._routes()))
        self._pages = Router(
            {"GET /_simulator/invoice/{id}": self._invoice, "POST /_simulator/invoice/{id}": self._answered}
        )

    def _routes(self) -> dict[str, Act]:
        return {
            "POST /qr_codes": self.qr_codes.create,
            "GET /qr_codes/{id}": self.qr_codes.show,
            "GET /qr_codes/{id}/payments": self.qr_codes.list_payments,
            "POST /qr_codes/{id}/payments/simulate": self.qr_codes.simulate,
            "POST /qr_codes/payments/{id}/refunds": self.refunding.of_code,
            "GET /qr_codes/payments/{id}/refunds": self.refunding.list_of_code,
            "GET /qr_codes/payments/{id}/refunds/{refund}": self.refunding.show,
            "POST /v2/invoices": self.invoices.create,
            "POST /v2/invoices/": self.invoices.create,
            "GET /v2/invoices": self.invoices.search,
            "GET /v2/invoices/{id}": self.invoices.show,
            "POST /invoices/{id}/expire!": self.invoices.end,
            "POST /refunds": self.refunding.of_invoice,
            "GET /refunds": self.refunding.search,
            "GET /refunds/{id}": self.refunding.show,
            "GET /transactions": self.listing.search,
            "GET /transactions/{id}": self.transactions.show,
            "GET /balance": self.transactions.balance,
        }

    def perform(self, request: Request, handle: Act) -> Answer:
        try:
            call = self._call(request)
            self.hold(request)
            made = request.method == "POST" and request.route == "/qr_codes"
            return Answer.of_json(handle(call), 201 if made else 200)
        except XenditError as error:
            return error.answer()

    def _call(self, request: Request) -> Call:
        secret_key = _secret_key(request.header("Authorization"))
        business = self.settings.merchants.get(secret_key)
        if business is None:
            raise unauthorized()
        return Call(request, secret_key, business)

    def magic_trouble(self, request: Request) -> Trouble | None:
        """Once per reference: who asks again shall find out what happened."""
        document = (request.document or {}) if request.method == "POST" else {}
        amount = document.get("amount")
        trouble = self.magic(amount) if type(amount) is int and not request.path.endswith("/simulate") else None
        if trouble is None or trouble.callback_mode:
            return trouble
        call = (request.path, str(document.get("reference_id") or document.get("external_id")))
        if call in self._once_troubled:
            return None
        self._once_troubled.add(call)
        return trouble

    def not_found(self, request: Request, known_path: bool) -> Answer:
        return not_found("The requested resource").answer()

    def server_error(self) -> Answer:
        return XenditError(500, "SERVER_ERROR", "An unexpected error occurred, our team has been notified").answer()

    def rate_limited(self) -> Answer:
        return XenditError(429, "RATE_LIMIT_EXCEEDED", "Too many requests").answer()

    def ledger(self) -> list[LedgerEntry]:
        return ledger_of(self.books)

    def simulate(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`outcome`: a word of OUTCOMES, or `settle` for a paid invoice; `callback`: how the webhook goes out;
        `amount`: what is typed, in rupiah, where a code names none."""
        found, outcome = self._known(wanted), str(wanted.get("outcome", "approve"))
        mode = str(wanted.get("callback", ""))
        if outcome == SETTLE and isinstance(found, Invoice):
            self.invoices.settle(found.id)
        elif outcome not in OUTCOMES:
            raise no_such(outcome, [*OUTCOMES, SETTLE])
        elif isinstance(found, Code):
            self.qr_codes.act(found, OUTCOMES[outcome], mode, _typed(wanted))
        else:
            self.invoices.act(found, OUTCOMES[outcome], mode)
        return {"id": found.id, "state": found.status}

    def codes(self) -> Iterator[Issued]:
        with self.books.lock:
            rows = list(self.books.codes.newest_first())
        for row in rows:
            yield Issued(row.id, row.qr_string, row.status, is_payable(row))

    def _known(self, wanted: Mapping[str, Any]) -> Code | Invoice:
        """By its id, else the newest with that reference."""
        id, reference = str(wanted.get("id") or ""), str(wanted.get("reference") or "")
        rows: list[Code | Invoice] = [*self.books.codes.newest_first(), *self.books.invoices.newest_first()]
        for row in rows:
            if row.id == id or (not id and reference in (row.id, row.reference)):
                return row
        raise KeyError(id or reference)

    def phone_page(self) -> str:
        return wallet_page(self.books)

    def own_page(self, request: Request) -> Answer | None:
        show = self._pages.find(request)
        return show(request) if show else None

    def _invoice(self, request: Request) -> Answer | None:
        invoice = self.books.invoices.get(request.parameters["id"])
        return Answer.of_html(invoice_page(invoice)) if invoice else None

    def _answered(self, request: Request) -> Answer | None:
        invoice = self.books.invoices.get(request.parameters["id"])
        if invoice is None:
            return None
        with contextlib.suppress(Conflict, ValueError):
            self.simulate({"id": invoice.id, "outcome": dict(request.form).get("outcome", "")})
        back = way_back(invoice)
        return Answer.redirect(back) if back else Answer.of_html(invoice_page(invoice))

    def credentials(self) -> dict[str, str]:
        keys = {f"secret key of {business}": key for key, business in self.settings.merchants.items()}
        return keys | {"callback token": self.settings.callback_token}

    def forget(self) -> None:
        self._once_troubled.clear()
        self.books.clear()
        self.refunding.clear()
        self.listing.clear()

    def resume(self) -> None:
        self.invoices.resume()
        self.refunding.resume()


def _typed(wanted: Mapping[str, Any]) -> int:
    """Ten thousand where nothing is typed. ValueError for what is no amount."""
    amount = int(wanted.get("amount") or 10_000)
    if amount < 1:
        raise ValueError(f"{amount} is no amount")
    return amount


def _secret_key(authorization: str) -> str:
    """The user of HTTP Basic, whose password is empty. XenditError 401."""
    scheme, _, value = authorization.partition(" ")
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise unauthorized() from None
    if scheme.lower() != "basic" or password:
        raise unauthorized()
    return user
