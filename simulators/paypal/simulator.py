"""PayPal: OAuth, Orders v2, Payments v2, Transaction Search v1, webhooks v1 with their signatures and certificates.

Source: PayPal's OpenAPI files checkout_orders_v2, payments_payment_v2, notifications_webhooks_v1 and
reporting_transactions_v1.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from simulators.ledger import Conflict, LedgerEntry
from simulators.memory import Memory
from simulators.paypal import certificates
from simulators.paypal.amounts import hundredths
from simulators.paypal.books import SAVED, Books, Cause
from simulators.paypal.buyer import Buyer, Clock, known_as, way_back
from simulators.paypal.errors import PaypalError, invalid, new_debug_id
from simulators.paypal.ledger import ledger_of
from simulators.paypal.magic import MAGIC_AMOUNTS
from simulators.paypal.orders import Orders
from simulators.paypal.pages import agreement_page, approval_page, orders_page
from simulators.paypal.payments import Payments
from simulators.paypal.reports import Reports
from simulators.paypal.request_ids import LONGEST, Requests
from simulators.paypal.settings import PaypalSettings
from simulators.paypal.tokens import Tokens
from simulators.paypal.vault import Vault
from simulators.paypal.webhooks import Webhooks
from simulators.server import Answer, Handle, Request, Router
from simulators.simulator import Simulator
from simulators.trouble import Trouble

JSON = dict[str, Any]
ORDERS = "/v2/checkout/orders"
AUTHORIZATION = "/v2/payments/authorizations/{authorization}"
CAPTURE = "/v2/payments/captures/{capture}"
Work = Callable[[Cause, Request], JSON]


class Paypal(Simulator):
    name, title = "paypal", "PayPal"
    magic_amounts = MAGIC_AMOUNTS
    own_troubles = {
        "callback_bad_signature": "a signature that does not fit",
        "callback_old_timestamp": "signed rightly, a month ago",
        "callback_wrong_webhook": "signed for another subscription",
        "callback_bad_checksum": "signed over the checksum of another body",
        "callback_foreign_certificate": "names a certificate on somebody else's host",
    }
    settings: PaypalSettings

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, PaypalSettings())
        self.books = Books(memory)
        self.tokens = Tokens(memory, self.settings)
        self.requests = Requests(memory)
        self.orders = Orders(self.books, self.settings)
        self.payments = Payments(self.books, self.orders)
        self.vault = Vault(self.books)
        self.reports = Reports(self.books, self.settings)
        self.webhooks = Webhooks(self.books, self.settings, self.sender)
        self.buyer = Buyer(self.books, self.orders, self.payments, self.webhooks)
        self.clock = Clock(self.buyer, self.settings, self.sender)
        self._once_troubled: set[tuple[str, str]] = set()
        self.serve_routes(Router(self._routes()))

    def _routes(self) -> dict[str, Handle]:
        order, books = f"{ORDERS}/{{order}}", self.books
        return {
            "POST /v1/oauth2/token": self.tokens.generate,
            f"POST {ORDERS}": self._make(lambda cause, request: self.orders.create(cause, _body(request))),
            f"GET {order}": self._show(lambda cause, request: self._order(cause, request)),
            f"POST {order}/capture": self._make(lambda c, r: self.orders.capture(c, self._order(c, r))),
            f"POST {order}/authorize": self._make(lambda c, r: self.orders.authorize(c, self._order(c, r))),
            f"GET {AUTHORIZATION}": self._show(lambda c, r: books.payment(c.app, "authorization", _id(r))),
            f"POST {AUTHORIZATION}/capture": self._make(
                lambda c, r: self.payments.capture(c, books.payment(c.app, "authorization", _id(r)), _body(r))
            ),
            f"POST {AUTHORIZATION}/void": self._void,
            f"GET {CAPTURE}": self._show(lambda c, r: books.payment(c.app, "capture", _id(r))),
            f"POST {CAPTURE}/refund": self._make(
                lambda c, r: self.payments.refund(c, books.payment(c.app, "capture", _id(r)), _body(r))
            ),
            "GET /v2/payments/refunds/{refund}": self._show(lambda c, r: books.payment(c.app, "refund", _id(r))),
            "GET /v1/notifications/certs/{certificate}": self.webhooks.certificate,
            "GET /v1/reporting/transactions": self._plain(
                lambda c, r: self.reports.search(c.app, dict(r.query), r.origin)
            ),
            **self._webhook_routes(),
            **self._vault_routes(),
        }

    def _vault_routes(self) -> dict[str, Handle]:
        path, vault, books = "/v3/vault", self.vault, self.books
        return {
            f"POST {path}/setup-tokens": self._make(lambda c, r: vault.set_up(c, _body(r))),
            f"GET {path}/setup-tokens/{{token}}": self._show(lambda c, r: books.saved(c.app, "setup", _id(r))),
            f"POST {path}/payment-tokens": self._make(lambda c, r: vault.save(c, _body(r))),
            f"GET {path}/payment-tokens": self._plain(
                lambda c, r: vault.listed(c.app, dict(r.query).get("customer_id", ""), r.origin)
            ),
            f"GET {path}/payment-tokens/{{token}}": self._show(lambda c, r: books.saved(c.app, "token", _id(r))),
            f"DELETE {path}/payment-tokens/{{token}}": self._forget_token,
        }

    def _webhook_routes(self) -> dict[str, Handle]:
        path, hooks = "/v1/notifications", self.webhooks
        return {
            f"POST {path}/verify-webhook-signature": self._plain(lambda c, r: hooks.verify(c.app, r)),
            f"POST {path}/webhooks": self._plain(lambda c, r: hooks.subscribe(c.app, _body(r)), 201),
            f"GET {path}/webhooks": self._plain(lambda c, r: hooks.subscriptions(c.app)),
            f"GET {path}/webhooks/{{webhook}}": self._plain(
                lambda c, r: hooks.shown(hooks.subscription(c.app, _id(r)))
            ),
            f"DELETE {path}/webhooks/{{webhook}}": self._unsubscribe,
            f"GET {path}/webhooks-events": self._plain(lambda c, r: hooks.events(c.app)),
            f"GET {path}/webhooks-events/{{event}}": self._plain(lambda c, r: hooks.event(c.app, _id(r))),
            f"POST {path}/webhooks-events/{{event}}/resend": self._plain(
                lambda c, r: hooks.resend(c.app, _id(r), c.callback_mode), 202
            ),
        }

    def perform(self, request: Request, handle: Handle) -> Answer:
        self.webhooks.base_url = self.base_url
        try:
            return super().perform(request, handle)
        except PaypalError as error:
            return error.answer()

    def _cause(self, request: Request) -> Cause:
        app = self.tokens.app(request)
        key = request.header("PayPal-Request-Id")
        if len(key) > LONGEST:
            raise invalid("PayPal-Request-Id", "INVALID_STRING_LENGTH")
        return Cause(app, request.origin, key, request.callback_mode, _mock_issue(request))

    def _make(self, work: Work) -> Handle:
        """A write: 201, or 200 with what the same PayPal-Request-Id made before, as it is now."""

        def handle(request: Request) -> Answer:
            cause = self._cause(request)
            if "json" not in request.header("Content-Type"):
                raise PaypalError(415)
            if not cause.key:
                return self._made(cause, request, self._worked(cause, request, work))
            name = f"{cause.app} {request.path} {cause.key}"
            with self.requests.running(name):
                lifetime = (
                    self.settings.order_request_seconds
                    if request.path.startswith(ORDERS)
                    else self.settings.payment_request_seconds
                )
                earlier = self.requests.made(name, lifetime)
                if earlier:
                    return self._made(cause, request, self.books.find(earlier) or {}, 200)
                row = self._worked(cause, request, work)
                self.requests.keep(name, row["id"])
            return self._made(cause, request, row)

        return handle

    def _worked(self, cause: Cause, request: Request, work: Work) -> JSON:
        with self.books.lock:
            row = work(cause, request)
            for _, kind, told in cause.events:
                if kind in ("capture", "refund"):
                    self.clock.wind(told)
        return row

    def _made(self, cause: Cause, request: Request, row: JSON, status: int = 201) -> Answer:
        self.webhooks.publish(cause)
        return self._answer(request, row, status, whole="representation" in request.header("Prefer"))

    def _answer(self, request: Request, row: JSON, status: int, *, whole: bool) -> Answer:
        kind = row.get("kind")
        with self.books.lock:
            if kind in SAVED:
                return _json(self.vault.view(row, request.origin), status)
            view = (self.books.payment_view if kind else self.books.order_view)(row, request.origin)
        if not whole:
            view = {name: view[name] for name in ("id", "status", "links")}
        return _json(view, status)

    def _show(self, find: Work) -> Handle:
        return lambda request: self._answer(request, find(self._cause(request), request), 200, whole=True)

    def _plain(self, work: Work, status: int = 200) -> Handle:
        return lambda request: _json(work(self._cause(request), request), status)

    def _order(self, cause: Cause, request: Request) -> JSON:
        return self.orders.get(cause.app, request.parameters["order"])

    def _void(self, request: Request) -> Answer:
        """204, or 200 where a representation is preferred. It has no PayPal-Request-Id."""
        cause = self._cause(request)
        with self.books.lock:
            held = self.payments.void(cause, self.books.payment(cause.app, "authorization", _id(request)))
        self.webhooks.publish(cause)
        if "representation" in request.header("Prefer"):
            return self._answer(request, held, 200, whole=True)
        return Answer(204, b"", headers={"Paypal-Debug-Id": new_debug_id()})

    def _forget_token(self, request: Request) -> Answer:
        self.vault.delete(self._cause(request).app, _id(request))
        return Answer(204, b"")

    def _unsubscribe(self, request: Request) -> Answer:
        self.webhooks.unsubscribe(self._cause(request).app, _id(request))
        return Answer(204, b"")

    def magic_trouble(self, request: Request) -> Trouble | None:
        """Once per PayPal-Request-Id: the retry of a lost answer shall find out what happened."""
        if request.route != ORDERS or request.document is None:
            return None
        units = request.document.get("purchase_units")
        first = units[0] if isinstance(units, list) and units and isinstance(units[0], dict) else {}
        trouble = self.magic(hundredths(first.get("amount")))
        if trouble is None or trouble.callback_mode:
            return None
        call = (request.path, request.header("PayPal-Request-Id"))
        if call[1] and call in self._once_troubled:
            return None
        self._once_troubled.add(call)
        return trouble

    def not_found(self, request: Request, known_path: bool) -> Answer:
        return PaypalError(405 if known_path else 404).answer()

    def server_error(self) -> Answer:
        return PaypalError(500).answer()

    def rate_limited(self) -> Answer:
        return PaypalError(429).answer()

    def ledger(self) -> list[LedgerEntry]:
        return ledger_of(self.books)

    def simulate(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        id, outcome = self._find(wanted), str(wanted.get("outcome", "approve"))
        self.webhooks.base_url = self.base_url
        row = self.buyer.act(id, outcome, str(wanted.get("callback", "")))
        return {"id": row["id"], "state": row["document"]["status"]}

    def _find(self, wanted: Mapping[str, Any]) -> str:
        """By its id, else the newest order or refund with that custom or invoice id, or request id."""
        id, reference = wanted.get("id"), str(wanted.get("reference", ""))
        if id:
            return str(id)
        for table in (self.books.orders, self.books.payments):
            for row in table.newest_first():
                if reference in known_as(row) and row.get("kind", "refund") == "refund":
                    return str(row["id"])
        raise KeyError(reference)

    def phone_page(self) -> str:
        return orders_page(self.books)

    def own_page(self, request: Request) -> Answer | None:
        match request.method, request.path:
            case "GET", "/_simulator/certificate":
                return Answer(200, certificates.authority().encode(), "application/x-pem-file")
            case "GET" | "POST", "/_simulator/checkoutnow" | "/_simulator/agreements/approve":
                return self._approval(request)
        return None

    def _approval(self, request: Request) -> Answer | None:
        order = self.books.find(dict(request.query).get("token", ""))
        if order is None or order.get("kind", "setup") != "setup":
            return None
        show = agreement_page if "kind" in order else approval_page
        if request.method == "GET":
            return Answer.of_html(show(order))
        outcome = dict(request.form).get("outcome", "")
        with contextlib.suppress(Conflict, ValueError):
            self.simulate({"id": order["id"], "outcome": outcome})
        back = way_back(order, outcome)
        return Answer.redirect(back) if back else Answer.of_html(show(order))

    def credentials(self) -> dict[str, str]:
        shown = {f"app {client}": secret for client, secret in self.settings.apps.items()}
        shown["webhook id"] = f"given by POST /v1/notifications/webhooks; default {self.settings.webhook_id}"
        return shown | {"certificate": f"{self.base_url}/_simulator/certificate"}

    def forget(self) -> None:
        self._once_troubled.clear()
        self.books.clear()
        self.tokens.clear()
        self.requests.clear()

    def resume(self) -> None:
        self.webhooks.base_url = self.base_url
        for row in self.books.payments.rows():
            if row["kind"] != "authorization":
                self.clock.wind(row)


def _body(request: Request) -> JSON:
    """A body may be missing: that is `{}`."""
    if not request.body.strip():
        return {}
    if request.document is None:
        raise invalid("/", "MALFORMED_REQUEST_JSON")
    return request.document


def _id(request: Request) -> str:
    return next(iter(request.parameters.values()))


def _json(body: JSON, status: int) -> Answer:
    return Answer.of_json(body, status, {"Paypal-Debug-Id": new_debug_id()})


def _mock_issue(request: Request) -> str:
    """PayPal's negative testing: `PayPal-Mock-Response: {"mock_application_codes": "INSTRUMENT_DECLINED"}`."""
    try:
        asked = json.loads(request.header("PayPal-Mock-Response") or "{}")
    except ValueError:
        return ""
    return str(asked.get("mock_application_codes", "")) if isinstance(asked, dict) else ""
