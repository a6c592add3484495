"""Xendit, Indonesia: a QRIS code by its QR Codes API, a page by its invoices; refunds of both, and what they cost.

Sources: docs.xendit.co (qr-codes, qr-codes/test-scenarios, invoice, refunds, transactions, webhooks) and
github.com/xendit/xendit-python. Assumed, as they are silent: a refund of a code keeps the `reference_id` that it was
sent with; `qr.refund` is the name of its event; an invoice that has ended can be ended again; transactions carry the
reference of their code or invoice, and a code's payment as `product_id` (which xendit-python calls a payment's id);
texts that are no QRIS code come with test keys only. Rupiah only.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from core.companies import xendit as wire
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import (
    Forged,
    Misconfigured,
    NothingCreated,
    NotShown,
    OutcomeUnknown,
    Unreadable,
    Unsupported,
    json_object,
)
from core.signatures import BadSignature, shared_token
from payments.providers import xendit_transactions
from payments.providers.base import (
    Kind,
    Notice,
    Order,
    PaymentProvider,
    RawCallback,
    Report,
    Step,
    Word,
)
from payments.providers.statements import PageStep, Window
from payments.providers.static_codes import CodeQuestion, CodeStep, MakesStaticCodes
from payments.providers.xendit_abilities import CAPABILITIES, INVOICE_LIFE, QRIS
from payments.providers.xendit_account import Credentials, Options
from payments.providers.xendit_answers import answer_to_a_question, listed, objects, own, understood
from payments.providers.xendit_asking import customer, items, quoted
from payments.providers.xendit_reading import (
    code_shown,
    find_refund,
    invoice_shown,
    read_code,
    read_cost,
    read_invoice,
    read_notice,
    read_refund,
    refunded_money,
)
from payments.providers.xendit_static_codes import read_created_code, read_money, static_code

_CHECKED = "lango-credentials-check"


class Xendit(PaymentProvider[Credentials, Options], MakesStaticCodes):
    name = "xendit"
    title = "Xendit"
    credentials_type = Credentials
    options_type = Options
    hosts = wire.HOSTS
    live_hosts = frozenset(wire.HOSTS)
    capabilities = CAPABILITIES

    static_method = QRIS
    static_pace = timedelta(minutes=15)

    @classmethod
    def check_mode(cls, credentials: Credentials, *, livemode: bool) -> None:
        """Keys name their mode."""
        other = "xnd_development_" if livemode else "xnd_production_"
        if credentials.secret_key.reveal().startswith(other):
            raise ValueError(f"'secret_key' begins with {other}, as keys of the other mode do")

    def units(self, money: Money) -> int:
        """Whole rupiah."""
        if money.currency != wire.CURRENCY:
            raise NotRepresentable(f"Xendit takes {wire.CURRENCY} only")
        units = money.in_units(0)
        if units <= 0:
            raise NotRepresentable("Xendit takes one rupiah or more")
        return units

    def authorize(self, request: Request) -> Request:
        return wire.authorized(request, secret_key=self.credentials.secret_key)

    def check_credentials(self) -> None:
        """Ask about a code that there never was: whoever may not ask is told so first."""
        response = self.connection.send(self.authorize(self._get(f"/qr_codes/{_CHECKED}", of_codes=True)))
        try:
            wire.shown(response)
        except Misconfigured:
            raise
        except NothingCreated as refused:
            if response.status != 404:
                raise OutcomeUnknown(f"answer {refused.provider_code} to a question") from refused

    # Going out

    def create(self, order: Order) -> Step:
        return self._create_code(order) if order.method == QRIS else self._create_invoice(order)

    def _create_code(self, order: Order) -> Step:
        """Neither a key nor a unique reference is known there: what is sent twice is made twice."""
        body: dict[str, Any] = {
            "reference_id": order.reference,
            "type": "DYNAMIC",
            "currency": wire.CURRENCY,
            "amount": self.units(order.money),
            "channel_code": self.options.channel_code,
            "expires_at": wire.time_of(order.expires_at) if order.expires_at else "",
        }
        return Step(self._post("/qr_codes", body, of_codes=True), partial(self._read_created_code, order))

    def _create_invoice(self, order: Order) -> Step:
        body: dict[str, Any] = {
            "external_id": order.reference,
            "amount": self.units(order.money),
            "currency": wire.CURRENCY,
            "invoice_duration": self._duration(order),
            "description": order.description,
            "payer_email": order.payer.email,
            "customer": customer(order.payer),
            "items": items(order.lines, order.money),
            "payment_methods": list(self.options.invoice_methods),
            "success_redirect_url": order.return_url,
            "failure_redirect_url": order.return_url,
        }
        return Step(self._post("/v2/invoices", body), partial(self._read_created_invoice, order))

    def _duration(self, order: Order) -> int:
        """In seconds from now, as that is how Xendit counts; a day where nothing is asked for."""
        if order.expires_at is None:
            return int(INVOICE_LIFE.total_seconds())
        return max(int((order.expires_at - self.connection.now()).total_seconds()), 1)

    def cancel(self, order: Order) -> Step:
        """End an invoice. A code cannot be ended: it is left to its time."""
        request = self._post(f"/invoices/{quoted(order.provider_id)}/expire!", {})
        return Step(request, partial(self._read_ended_invoice, order))

    def refund(self, order: Order) -> Step:
        """Our key is the refund's reference too, by which it is found among the payment's refunds."""
        body = {
            "reference_id": order.operation_key,
            "amount": self.units(order.money),
            "reason": "REQUESTED_BY_CUSTOMER",
        }
        read = partial(self._read_refund, order)
        if order.method == QRIS:
            path = f"/qr_codes/payments/{quoted(order.target_id)}/refunds"
            return Step(self._post(path, body, of_codes=True), read)
        body |= {"invoice_id": order.target_id, "currency": wire.CURRENCY}
        return Step(self._post("/refunds", body, key=order.operation_key), read)

    def _post(self, path: str, body: Mapping[str, Any], *, of_codes: bool = False, key: str = "") -> Request:
        """Without what is empty, as a text that is not there is otherwise refused."""
        told = {name: value for name, value in body.items() if value not in ("", [], {})}
        headers = self._headers(of_codes=of_codes) | {"Content-Type": "application/json"}
        if key:
            headers["idempotency-key"] = key
        return Request("POST", self.connection.base_url + path, headers, json.dumps(told).encode())

    def _get(self, path: str, *, of_codes: bool = False, **query: str) -> Request:
        asked = f"?{urlencode(query)}" if query else ""
        return Request("GET", self.connection.base_url + path + asked, self._headers(of_codes=of_codes))

    def _headers(self, *, of_codes: bool) -> dict[str, str]:
        """The version chooses the shape of what codes call back with, too: it may never be left out."""
        headers = {"Accept": "application/json"}
        if of_codes:
            headers["api-version"] = wire.QR_VERSION
        if self.options.for_user_id:
            headers["for-user-id"] = self.options.for_user_id
        return headers

    # Asking

    def fetch(self, order: Order) -> Step:
        """A code by its id only: one whose answer was lost was seen by nobody. An invoice by our reference too."""
        if not self.capabilities.offers(order.kind, order.method):
            return super().fetch(order)
        if order.kind is Kind.REFUND:
            return self._fetch_refund(order)
        if order.method == QRIS:
            if not order.provider_id:
                raise Unsupported("Xendit finds a QR code by its id only")
            request = self._get(f"/qr_codes/{quoted(order.provider_id)}", of_codes=True)
            return Step(request, partial(self._read_code, order))
        if order.provider_id:
            request = self._get(f"/v2/invoices/{quoted(order.provider_id)}")
            return Step(request, partial(self._read_asked_invoice, order))
        return Step(self._get("/v2/invoices", external_id=order.reference), partial(self._read_found_invoice, order))

    def _fetch_refund(self, order: Order) -> Step:
        """By our key among the refunds of its payment, or by its own id where that is what we know."""
        target = quoted(order.target_id)
        if order.method == QRIS and order.target_id.startswith("qrrf_"):
            request = self._get(f"/qr_codes/{quoted(order.provider_id)}/payments", of_codes=True)
            return Step(request, partial(self._read_refunds_of_code, order))
        if order.method == QRIS:
            request = self._get(f"/qr_codes/payments/{target}/refunds", of_codes=True)
            return Step(request, partial(self._read_listed_refund, order, ""))
        if order.target_id in ("", order.provider_id):
            request = self._get("/refunds", invoice_id=order.provider_id)
            return Step(request, partial(self._read_listed_refund, order, ""))
        return Step(self._get(f"/refunds/{target}"), partial(self._read_asked_refund, order))

    def fetch_cost(self, order: Order) -> Step:
        request = self._get("/transactions", reference_id=order.reference, types="PAYMENT")
        return Step(request, partial(self._read_cost, order))

    def statement(self, window: Window, cursor: str = "") -> PageStep:
        """Payments and refunds of the whole account, whoever has begun them."""
        url = f"{self.connection.base_url}/transactions?{xendit_transactions.page_query(window, cursor)}"
        request = Request("GET", url, self._headers(of_codes=False))
        return PageStep(request, partial(xendit_transactions.read_page, cursor))

    # Codes on a counter

    def create_static_code(self, reference: str) -> Step:
        """As little known again as any other code: one whose answer is lost stands nowhere."""
        request = self._post("/qr_codes", static_code(reference, self.options.channel_code), of_codes=True)
        words, livemode = self.options.words, self.connection.livemode
        return Step(request, partial(read_created_code, reference, words, livemode=livemode))

    def static_money(self, question: CodeQuestion) -> CodeStep:
        request = self._get(f"/qr_codes/{quoted(question.provider_id)}/payments", of_codes=True)
        return CodeStep(request, partial(read_money, question, self.options.words, self._transactions))

    def _transactions(self, by: Mapping[str, str]) -> Mapping[str, Any]:
        asked = self._get(f"/transactions?{urlencode({**by, 'types': 'PAYMENT'})}")
        return answer_to_a_question(self.connection.send(self.authorize(asked)))

    # Callbacks

    def source_addresses(self) -> tuple[str, ...]:
        return self.options.source_addresses

    def verify(self, callback: RawCallback) -> None:
        """A token that is the same each time: whoever has seen one callback can write others."""
        tokens = (self.credentials.callback_token, *self.credentials.former_callback_tokens)
        try:
            shared_token(given=callback.headers.get("x-callback-token", ""), secrets=tokens)
        except BadSignature as error:
            raise Forged(str(error)) from error

    def read_callback(self, callback: RawCallback) -> Notice:
        try:
            webhook_id = callback.headers.get("webhook-id", "")[:255]
            return read_notice(json_object(callback.body), webhook_id, self.options.words)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unreadable("not what Xendit documents for a callback") from error

    # Answers

    def _read_created_code(self, order: Order, response: Response) -> Report:
        told = wire.shown(response)
        report = understood(read_code, told, (), self.options.words, self.connection.now())
        action = code_shown(told, order)
        return self._as_asked(report, action, is_ours=told.get("reference_id") == order.reference)

    def _read_created_invoice(self, order: Order, response: Response) -> Report:
        told = wire.shown(response)
        report = understood(read_invoice, told, self.options.words)
        return self._as_asked(report, invoice_shown(told, order), is_ours=told.get("external_id") == order.reference)

    def _as_asked(self, report: Report, action: Mapping[str, Any] | None, *, is_ours: bool) -> Report:
        if not is_ours:
            raise OutcomeUnknown("an answer about another payment")
        if report.word is not Word.REQUIRES_ACTION:
            return report
        if action is None:
            return replace(report, word=Word.UNKNOWN, provider_status=f"{report.provider_status}, not as asked")
        return replace(report, next_action=action)

    def _read_code(self, order: Order, response: Response) -> Report:
        """The code first and its payments after it, so that one that is paid meanwhile does not seem to have ended."""
        told = answer_to_a_question(response)
        payments = self._asked(f"/qr_codes/{quoted(order.provider_id)}/payments")
        report = understood(read_code, told, listed(payments), self.options.words, self.connection.now())
        return own(report, order)

    def _read_asked_invoice(self, order: Order, response: Response) -> Report:
        return self._invoice(order, answer_to_a_question(response))

    def _read_found_invoice(self, order: Order, response: Response) -> Report:
        """Xendit lets a reference stand on several invoices; ours stands on one."""
        ours = [item for item in objects(response) if item.get("external_id") == order.reference]
        if not ours:
            raise NotShown("no invoice has our reference")
        if len(ours) > 1:
            raise OutcomeUnknown(f"{len(ours)} invoices with our reference")
        return self._invoice(order, ours[0])

    def _read_ended_invoice(self, order: Order, response: Response) -> Report:
        return self._invoice(order, wire.shown(response))

    def _invoice(self, order: Order, told: Mapping[str, Any]) -> Report:
        """Xendit has one word for an end: before its time it is the end that we have asked for."""
        report = own(understood(read_invoice, told, self.options.words), order)
        is_over = order.expires_at is not None and order.expires_at <= self.connection.now()
        if report.word is Word.EXPIRED and order.kind is Kind.CANCEL and not is_over:
            return replace(report, word=Word.CANCELLED)
        return report

    def _read_refund(self, order: Order, response: Response) -> Report:
        return self._refund(order, wire.shown(response))

    def _read_asked_refund(self, order: Order, response: Response) -> Report:
        return self._refund(order, answer_to_a_question(response))

    def _read_listed_refund(self, order: Order, refund_id: str, response: Response) -> Report:
        told = answer_to_a_question(response)
        found = understood(partial(find_refund, key=order.operation_key, refund_id=refund_id), listed(told))
        if found is None:
            raise (OutcomeUnknown if told.get("has_more") else NotShown)("no such refund is listed")
        return self._refund(order, found)

    def _read_refunds_of_code(self, order: Order, response: Response) -> Report:
        """A refund is shown below its payment only, so the payments of the code are asked one by one."""
        for payment in listed(answer_to_a_question(response)):
            receipt = quoted(understood(wire.identifier, payment.get("id")))
            refunds = listed(self._asked(f"/qr_codes/payments/{receipt}/refunds"))
            found = understood(partial(find_refund, key="", refund_id=order.target_id), refunds)
            if found is not None:
                return self._refund(order, found)
        raise OutcomeUnknown("no such refund is listed")

    def _refund(self, order: Order, told: Mapping[str, Any]) -> Report:
        report, money = understood(read_refund, told, self.options.words), understood(refunded_money, told)
        if money != order.money or told.get("reference_id") not in (None, order.operation_key):
            raise OutcomeUnknown("an answer about another refund")
        return report

    def _read_cost(self, order: Order, response: Response) -> Report:
        found = listed(answer_to_a_question(response))
        return Report(Word.SUCCEEDED, order.provider_id, cost=understood(read_cost, found, order.reference))

    def _asked(self, path: str) -> Mapping[str, Any]:
        return answer_to_a_question(self.connection.send(self.authorize(self._get(path, of_codes=True))))
