"""PayPal: the payer approves an order on PayPal's page, and then we capture it, or authorize it and capture later.

Sources: PayPal's OpenAPI files checkout_orders_v2, payments_payment_v2 and notifications_webhooks_v1, and
developer.paypal.com/api/rest (requests, currency codes, idempotency, webhooks). Assumed, as they are silent: an answer
429 RATE_LIMIT_REACHED has begun no work; an order that nobody approves ends after three hours and is then not found;
PayPal lists a refund with its order.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from core.crypto import Secret
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import (
    AccessToken,
    Door,
    Forged,
    Lookup,
    NothingCreated,
    OperationDeclaration,
    OutcomeUnknown,
    Proof,
    ProviderFault,
    Replay,
    Unreadable,
    json_object,
)
from payments.providers import paypal_answers as answers
from payments.providers import paypal_reading as reading
from payments.providers import paypal_transactions as transactions
from payments.providers import paypal_vault as vault
from payments.providers import paypal_webhooks as webhooks
from payments.providers import paypal_words as words
from payments.providers.base import (
    Capabilities,
    Connection,
    FailureCode,
    Kind,
    Line,
    MethodCapability,
    Notice,
    Order,
    PaymentProvider,
    RawCallback,
    Report,
    Step,
    Word,
)
from payments.providers.paypal_account import Credentials, Options
from payments.providers.saving import Saving, SavingOrder
from payments.providers.statements import PageStep, Window

_LARGEST = 10**15
_TEXT = 127


def _after(*moments: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=moment) for moment in moments)


_WEEKS = (7_200, 14_400, 28_800, 86_400, 172_800, 345_600, 604_800, 1_209_600)
_CREATION = OperationDeclaration(
    Replay.KEY,
    Lookup.BY_ID,
    ask_after=_after(20, 60, 180, 600, 1_800, 3_600, *_WEEKS),
    key_length=108,
    key_lifetime=timedelta(hours=6),
)
_CONFIRMATION = replace(_CREATION, ask_after=_after(5, 20, 60, 300, 900, 3_600, *_WEEKS))
_CHANGE = replace(_CONFIRMATION, key_lifetime=timedelta(days=45))


class Paypal(PaymentProvider[Credentials, Options]):
    name = "paypal"
    title = "PayPal"
    credentials_type = Credentials
    options_type = Options
    hosts = {"sandbox": "https://api-m.sandbox.paypal.com", "production": "https://api-m.paypal.com"}
    live_hosts = frozenset({"production"})
    capabilities = Capabilities(
        methods={
            "paypal": MethodCapability(
                currencies=words.CURRENCIES,
                manual_capture=True,
                code_life=timedelta(hours=3),
                # Without the page's address nobody can approve, and without our CONFIRM nothing moves.
                held_by_us=True,
                next_actions=("redirect",),
            )
        },
        operations={
            Kind.CREATE: _CREATION,
            Kind.CONFIRM: _CONFIRMATION,
            Kind.CAPTURE: _CHANGE,
            # A void has no key, and none is needed: what is voided cannot be voided again.
            Kind.CANCEL: replace(_CHANGE, replay=Replay.UNIQUE_REFERENCE, key_lifetime=timedelta(0)),
            Kind.REFUND: replace(_CHANGE, lookup=Lookup.LISTING),
        },
        doors={"events": Door(Proof.WEAK, signed=True)},
        refunds="partial",
        reports_cost=True,
        saving=Saving(methods=frozenset({"paypal"}), declaration=_CREATION, introduces=False),
        statements=transactions.STATEMENTS,
    )

    def __init__(self, connection: Connection[Credentials, Options]) -> None:
        super().__init__(connection)
        told = self.options
        self._words = reading.Words(told.order_words, told.capture_words, told.authorization_words, told.refund_words)

    def units(self, money: Money) -> int:
        """Hundredths; whole HUF, JPY and TWD."""
        allowed = words.CURRENCIES - words.DOMESTIC | frozenset(self.options.domestic_currencies)
        if money.currency not in allowed:
            raise NotRepresentable(f"PayPal does not take {money.currency}")
        units = money.in_units(0 if money.currency in words.WHOLE else 2)
        if not 0 < units < _LARGEST:
            raise NotRepresentable("PayPal takes at most fifteen digits, and more than nothing")
        return units

    def instrument(self, given: str) -> str:
        if given:
            raise ValueError("PayPal asks the payer on a page of its own")
        return given

    def authorize(self, request: Request) -> Request:
        token = self.connection.tokens.get(self._fetch_token)
        return replace(request, headers={**request.headers, "Authorization": f"Bearer {token.reveal()}"})

    def _fetch_token(self) -> AccessToken:
        return answers.access_token(
            base_url=self.connection.base_url,
            client_id=self.credentials.client_id,
            client_secret=self.credentials.client_secret,
            send=self.connection.send,
        )

    def forget_token(self, refused: Request) -> None:
        self.connection.tokens.reject(Secret(refused.headers["Authorization"].removeprefix("Bearer ")))

    def check_credentials(self) -> None:
        """Fetch an access token, which leaves the others alive."""
        self._fetch_token()

    def create(self, order: Order) -> Step:
        """An order that waits for its payer's approval. `invoice_id` is another for each attempt."""
        unit = {
            "reference_id": "default",
            "custom_id": order.reference,
            "invoice_id": order.reference,
            "description": _one_line(order.description),
            "soft_descriptor": self.options.soft_descriptor,
            "amount": self._amount(order.money),
            **self._lines(order),
        }
        wallet: dict[str, Any] = {"experience_context": self._experience(order.return_url)}
        if order.customer_id and order.instrument:
            wallet = {"vault_id": order.instrument.reveal()}
        body = {
            "intent": "AUTHORIZE" if order.manual_capture else "CAPTURE",
            "purchase_units": [_without_empty(unit)],
            "payment_source": {"paypal": wallet},
        }
        return Step(self._write(order, "/v2/checkout/orders", body), self._read_created)

    def _experience(self, return_url: str) -> Mapping[str, Any]:
        wanted = {
            "return_url": return_url,
            "cancel_url": return_url,
            "user_action": "PAY_NOW",
            "shipping_preference": "NO_SHIPPING",
            "landing_page": self.options.landing_page,
            "payment_method_preference": self.options.payment_method_preference,
            "brand_name": self.options.brand_name,
            "locale": self.options.locale,
        }
        return _without_empty(wanted)

    def _amount(self, money: Money) -> dict[str, Any]:
        units = self.units(money)
        value = str(units) if money.currency in words.WHOLE else f"{units // 100}.{units % 100:02}"
        return {"currency_code": money.currency, "value": value}

    def _lines(self, order: Order) -> dict[str, Any]:
        """What the payer sees to be paid for; left out where it does not add up, which PayPal would refuse."""
        items = [line for line in order.lines if line.unit_price.amount > 0]
        total = sum(line.quantity * line.unit_price.amount for line in items)
        discount = -sum(line.quantity * line.unit_price.amount for line in order.lines if line.unit_price.amount < 0)
        currencies = {line.unit_price.currency for line in order.lines}
        if not items or currencies != {order.money.currency} or total - discount != order.money.amount:
            return {}
        breakdown = {"item_total": self._amount(Money(total, order.money.currency))}
        if discount:
            breakdown["discount"] = self._amount(Money(discount, order.money.currency))
        amount = {**self._amount(order.money), "breakdown": breakdown}
        return {"amount": amount, "items": [self._item(line) for line in items]}

    def _item(self, line: Line) -> Mapping[str, Any]:
        item = {"name": _one_line(line.name), "quantity": str(line.quantity), "sku": _one_line(line.reference)}
        return _without_empty({**item, "unit_amount": self._amount(line.unit_price)})

    def _write(self, order: Order, path: str, body: Mapping[str, Any]) -> Request:
        headers = {
            "Content-Type": "application/json",
            "PayPal-Request-Id": order.operation_key,
            "Prefer": "return=representation",
        }
        return Request("POST", self.connection.base_url + path, headers, json.dumps(body).encode())

    def _question(self, order: Order) -> Request:
        """How the order stands. The key goes along where it is the beginning of a write."""
        headers = {"PayPal-Request-Id": order.operation_key}
        return Request("GET", f"{self.connection.base_url}{_order_path(order)}", headers)

    def _asked(self, request: Request) -> Response:
        """The answer to a further call of a step; a refused access token is replaced once."""
        authorized = self.authorize(request)
        response = self.connection.send(authorized)
        if response.status != answers.UNAUTHORIZED:
            return response
        self.forget_token(authorized)
        return self.connection.send(self.authorize(request))

    def _read_created(self, response: Response) -> Report:
        return answers.read(response, lambda order: reading.read_order(order, self._words))

    def confirm(self, order: Order) -> Step:
        """Collect what the payer has approved, or hold it."""
        path = f"{_order_path(order)}/{'authorize' if order.manual_capture else 'capture'}"
        return Step(self._write(order, path, {}), partial(self._read_confirmed, order))

    def _read_confirmed(self, order: Order, response: Response) -> Report:
        refused = answers.refused_confirmation(response, order.provider_id)
        if refused is not None:
            return refused
        if answers.issue_of(response) in words.DONE_BEFORE:
            response = self._asked(self._question(order))
        return self._read_created(response)

    def capture(self, order: Order) -> Step:
        """Take up to what is held; PayPal lets go of the rest. First the order is asked what is held."""
        return Step(self._question(order), partial(self._capture_held, order))

    def _capture_held(self, order: Order, response: Response) -> Report:
        report = self._read_created(response)
        if report.word is not Word.AUTHORIZED:
            return report
        body = {"amount": self._amount(order.money), "final_capture": True}
        request = self._write(order, f"{self._held_path(response)}/capture", body)
        read = partial(reading.read_capture, ours=self._words, order_id=order.provider_id)
        captured = answers.read(self._asked(request), read)
        if captured.word is Word.FAILED and captured.failure:
            # What is held is still held.
            told = captured.failure
            raise NothingCreated(told.message, code=told.code, provider_code=told.provider_code)
        return captured

    def _held_path(self, response: Response) -> str:
        """Of the authorization that can be captured or voided."""
        listed = reading.payments_of(json_object(response.body), "authorizations")
        held = [one for one in listed if reading.read_authorization(one, self._words, "-").word is Word.AUTHORIZED]
        return f"/v2/payments/authorizations/{quote(reading.text(held[-1]['id']), safe='')}"

    def cancel(self, order: Order) -> Step:
        """Void what is held. An order that was only approved needs nothing: no money moves before our CONFIRM.

        First the order is asked how it stands.
        """
        return Step(self._question(order), partial(self._void_held, order))

    def _void_held(self, order: Order, response: Response) -> Report:
        if response.status == answers.NOT_FOUND and answers.issue_of(response) == words.GONE:
            return Report(Word.CANCELLED, order.provider_id, words.GONE)
        report = self._read_created(response)
        if report.word in (Word.REQUIRES_ACTION, Word.APPROVED):
            return Report(Word.CANCELLED, order.provider_id, report.provider_status)
        if report.word is not Word.AUTHORIZED:
            return report
        answer = self._asked(self._write(order, f"{self._held_path(response)}/void", {}))
        if answer.status == answers.NO_CONTENT or answers.issue_of(answer) == words.VOIDED:
            return Report(Word.CANCELLED, order.provider_id, "VOIDED")
        read = partial(reading.read_authorization, ours=self._words, order_id=order.provider_id)
        return answers.read(answer, read)

    def refund(self, order: Order) -> Step:
        if not order.target_id:
            raise NothingCreated("the capture is not known yet", code=FailureCode.INVALID_REQUEST)
        body = {
            "amount": self._amount(order.money),
            "custom_id": order.reference,
            # A capture can have several refunds: this tells them apart.
            "invoice_id": order.operation_key,
        }
        path = f"/v2/payments/captures/{quote(order.target_id, safe='')}/refund"
        read = partial(reading.read_refund, ours=self._words)
        return Step(self._write(order, path, body), partial(answers.read, read=read))

    def fetch(self, order: Order) -> Step:
        """The order tells everything: its captures, its authorizations and its refunds."""
        if order.kind not in self.capabilities.operations or not order.provider_id:
            return super().fetch(order)
        request = Request("GET", f"{self.connection.base_url}{_order_path(order)}")
        if order.kind is Kind.REFUND:
            return Step(request, partial(answers.read_fetched, read=partial(self._find_refund, order)))
        return Step(request, partial(answers.read_fetched, read=partial(reading.read_order, ours=self._words)))

    def _find_refund(self, order: Order, told: Mapping[str, Any]) -> Report:
        """By its id, or by our key. One that is not listed may still be on its way."""
        for refund in reading.payments_of(told, "refunds"):
            if refund["id"] == order.target_id or refund.get("invoice_id") == order.operation_key:
                return reading.read_refund(refund, self._words)
        raise OutcomeUnknown("no refund with our key is listed")

    def fetch_cost(self, order: Order) -> Step:
        return self.fetch(replace(order, kind=Kind.CREATE))

    def statement(self, window: Window, cursor: str = "") -> PageStep:
        """The app must be allowed Transaction Search."""
        search = transactions.Search.at(window, cursor)
        url = f"{self.connection.base_url}/v1/reporting/transactions?{search.query()}"
        read = partial(transactions.read_page, search, now=self.connection.now())
        return PageStep(Request("GET", url), read)

    def set_up(self, order: SavingOrder) -> Step:
        return vault.set_up(self.connection.base_url, order, self._experience(order.return_url))

    def fetch_setup(self, order: SavingOrder) -> Step:
        return vault.fetch_setup(self.connection.base_url, order, self._asked)

    def cancel_setup(self, order: SavingOrder) -> Step:
        return vault.cancel_setup(self.connection.base_url, order, self._asked)

    def detach(self, order: SavingOrder) -> Step:
        return vault.detach(self.connection.base_url, order)

    def fetch_method(self, order: SavingOrder) -> Step:
        return vault.fetch_method(self.connection.base_url, order)

    def source_addresses(self) -> tuple[str, ...]:
        return self.options.source_addresses

    def verify(self, callback: RawCallback) -> None:
        """Weak proof offline: of the body it covers no more than a CRC-32, which can be met on purpose."""
        if self.options.webhook_verification == "offline":
            webhooks.verify(callback, self.connection)
            return
        try:
            self.prove(callback)
        except (NothingCreated, OutcomeUnknown) as fault:
            raise Forged(f"PayPal could not be asked whether this is its own: {fault}") from fault

    def prove(self, callback: RawCallback) -> None:
        """Ask PayPal whether it sent this. The body goes along as it came: written anew it would not fit any more."""
        refused: ProviderFault = Forged("the account names no webhook")
        for webhook_id in self.options.webhook_ids:
            url = f"{self.connection.base_url}/v1/notifications/verify-webhook-signature"
            body = webhooks.question(callback, webhook_id)
            answer = self._asked(Request("POST", url, {"Content-Type": "application/json"}, body))
            if webhooks.is_genuine(answer):
                return
            refused = Forged("PayPal says that it did not send this")
        raise refused

    def read_callback(self, callback: RawCallback) -> Notice:
        try:
            return reading.read_event(json_object(callback.body), self._words)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise Unreadable("not what PayPal documents for an event") from error


def _order_path(order: Order) -> str:
    return f"/v2/checkout/orders/{quote(order.provider_id, safe='')}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_TEXT]


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != ""}
