"""iPaymu by its API v2: a QRIS code, a virtual account, a shop's till, or its own page; asked by check transaction.

Sources: github.com/ipaymu/docs-ipaymu-api-v2 (content/docs: direct and redirect payment, check transaction, history,
balance, callback; Postman collection). Assumed, as they are silent: nobody but us shows the payer a QRIS code; the rows
of the history have the keys of check transaction; `PaymentCode` is what the payer pays to; a page that no transaction
came of an hour after its end has expired.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from core import addresses
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import (
    Door,
    Forged,
    Lookup,
    Misconfigured,
    NothingCreated,
    NotShown,
    OperationDeclaration,
    OutcomeUnknown,
    Proof,
    Replay,
    Unreadable,
)
from core.signatures import hashed_body_hmac_sha256
from payments.providers import ipaymu_callbacks as callbacks
from payments.providers import ipaymu_reading as reading
from payments.providers import ipaymu_wire as wire
from payments.providers.base import (
    Capabilities,
    FailureCode,
    Kind,
    Line,
    MethodCapability,
    Notice,
    Order,
    Payer,
    PaymentProvider,
    RawCallback,
    Report,
    Step,
    Word,
)

_DIRECT, _PAGE, _TRANSACTION, _HISTORY, _BALANCE = (
    f"/api/v2/{path}" for path in ("payment/direct", "payment", "transaction", "history", "balance")
)
_PAYMENT_METHODS: Mapping[str, str] = {"qris": "qris", "virtual_account": "va", "retail": "cstore"}
_BANKS = ("bag", "bca", "bmi", "bni", "bpd_bali", "bri", "bsi", "btn", "cimb", "danamon", "mandiri", "permata")
_SHOPS = ("alfamart", "indomaret")
_MOST_HOURS: Mapping[str, int] = {"bri": 2, "bsi": 3}
_FIXED_LIFE = ("bca", "alfamart", "mpm")
"""Channels whose codes live as long as iPaymu says, whatever is asked."""

_SIGNATURE = ("required", "optional", "unchecked")
_NEEDED = frozenset({"name", "email", "phone"})
_PER_LIST = 20
_CLOCKS_DIFFER, _SENT_WITHIN, _AFTER_THE_END = timedelta(minutes=10), timedelta(hours=1), timedelta(hours=1)
_SHAPE = (KeyError, TypeError, AttributeError, ValueError)


def _seconds(*moments: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=moment) for moment in moments)


# Codes live for minutes or a day, whatever is documented; the merchant may ask for days.
_PAYMENT = OperationDeclaration(
    Replay.NONE,
    Lookup.LISTING,
    ask_after=_seconds(15, 45, 120, 330, 600, 1200, 3600, 10_800, 43_500, 90_000, 259_200, 608_400),
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The VA number, which names the merchant and is no secret, and its API key."""

    va: str
    api_key: Secret

    def __post_init__(self) -> None:
        if not (self.va.isascii() and self.va.isdigit()):
            raise ValueError("'va' must be the digits of the VA number")


@dataclass(frozen=True, slots=True)
class Options:
    """`status_words` reads the statuses of check transaction, such as "7", in other words of ours than those in code.

    `callback_signature` is "required"; "optional" for accounts whose callbacks come without one, as all did once;
    "unchecked" where iPaymu signs otherwise than it documents. Callbacks only make us ask, so that little hangs on it.
    `history_lists` is how many lists of 20 transactions are read to find one whose answer was lost. Each code names
    `qris_merchant`, by number or name, where that is given.
    """

    status_words: Mapping[str, str] = field(default_factory=dict)
    source_addresses: tuple[str, ...] = ()
    callback_signature: str = "required"
    history_lists: int = 10
    qris_merchant: str = ""

    def __post_init__(self) -> None:
        addresses.networks(self.source_addresses)
        if self.callback_signature not in _SIGNATURE:
            raise ValueError(f"'callback_signature' must be one of {', '.join(_SIGNATURE)}")
        if not 1 <= self.history_lists <= 50:
            raise ValueError("'history_lists' must be 1 to 50")
        for word in self.status_words.values():
            if word not in list(Word):
                raise ValueError(f"'status_words' maps to {word!r}, which is none of our words")


def _method(**changes: Any) -> MethodCapability:
    return replace(MethodCapability(currencies=frozenset({wire.CURRENCY}), payer=_NEEDED), **changes)


class Ipaymu(PaymentProvider[Credentials, Options]):
    name = "ipaymu"
    title = "iPaymu"
    credentials_type = Credentials
    options_type = Options
    hosts = wire.HOSTS
    live_hosts = frozenset({"production"})
    capabilities = Capabilities(
        methods={
            "qris": _method(
                limits={wire.CURRENCY: (100, 1_000_000_000)},
                code_life=timedelta(minutes=5),
                held_by_us=True,
                next_actions=("qr",),
            ),
            "virtual_account": _method(channels=_BANKS, next_actions=("instructions",)),
            "retail": _method(channels=_SHOPS, next_actions=("instructions",)),
            reading.PAGE: _method(payer=frozenset(), next_actions=("redirect",)),
        },
        operations={Kind.CREATE: _PAYMENT},
        doors={
            "notifications": Door(Proof.WEAK, per_operation=True, signed=True),
            callbacks.PAGES: Door(Proof.WEAK, per_operation=True, signed=True),
        },
        refunds="none",
        reports_cost=True,
    )

    def units(self, money: Money) -> int:
        """Whole rupiah."""
        if money.currency != wire.CURRENCY:
            raise NotRepresentable(f"iPaymu takes {wire.CURRENCY} only")
        units = money.in_units(0)
        if units <= 0:
            raise NotRepresentable("iPaymu takes one rupiah or more")
        return units

    def authorize(self, request: Request) -> Request:
        """Signed over the very bytes of the body. Neither path nor time is covered."""
        va = self.credentials.va
        signature = hashed_body_hmac_sha256(
            method=request.method, party=va, body=request.body, secret=self.credentials.api_key
        )
        stamp = wire.stamp(self.connection.now())
        return replace(request, headers={**request.headers, "va": va, "signature": signature, "timestamp": stamp})

    def check_credentials(self) -> None:
        """Ask for the balance."""
        response = self._ask(self._post(_BALANCE, {"account": self.credentials.va}))
        try:
            wire.answered(response)
        except Misconfigured:
            raise
        except NothingCreated as refused:
            raise OutcomeUnknown(f"answer {refused.provider_code} to a question") from refused

    def create(self, order: Order) -> Step:
        """Ask for a code, or for a page. The merchant bears the fee: else the code would be about another sum."""
        if order.method == reading.PAGE:
            return Step(self._post(_PAGE, self._page(order)), partial(self._read_created, reading.read_page, order))
        return Step(self._post(_DIRECT, self._direct(order)), partial(self._read_created, reading.read_created, order))

    def _read_created(self, read: Callable[..., Report], order: Order, response: Response) -> Report:
        return _understood(read, wire.answered(response), order)

    def _direct(self, order: Order) -> dict[str, object]:
        channel = _channel(order)
        return {
            "name": order.payer.name,
            "phone": _phone(order.payer),
            "email": order.payer.email,
            "amount": self.units(order.money),
            "notifyUrl": order.callback_url("notifications"),
            "referenceId": order.reference,
            "paymentMethod": _PAYMENT_METHODS[order.method],
            "paymentChannel": channel,
            "feeDirection": "MERCHANT",
            **({"comments": order.description} if order.description else {}),
            **({} if channel in _FIXED_LIFE else self._life(order, _MOST_HOURS.get(channel))),
        }

    def _page(self, order: Order) -> dict[str, object]:
        buyer = {"buyerName": order.payer.name, "buyerEmail": order.payer.email, "buyerPhone": _phone(order.payer)}
        life = self._life(order)
        return {
            **_basket(order, self.units(order.money)),
            "returnUrl": order.return_url,
            "cancelUrl": order.return_url,
            "notifyUrl": order.callback_url(callbacks.PAGES),
            "referenceId": order.reference,
            "feeDirection": "MERCHANT",
            **{name: value for name, value in buyer.items() if value},
            **({"expired": life["expired"]} if life else {}),
        }

    def _life(self, order: Order, most: int | None = None) -> dict[str, object]:
        """In whole hours, one at least: rather too short than too long, as nothing can be cancelled there."""
        if order.expires_at is None:
            return {}
        hours = (order.expires_at - (order.made_at or self.connection.now())) // timedelta(hours=1)
        hours = max(hours if most is None else min(hours, most), 1)
        return {"expired": hours, "expiredType": "hours"}

    def fetch(self, order: Order) -> Step:
        """Check transaction where its number is known. Otherwise it is looked for in the history by our reference:
        where the answer was lost, and for a page, whose transaction begins when the payer chooses how to pay."""
        if order.kind is not Kind.CREATE:
            return super().fetch(order)
        if order.provider_id and order.method != reading.PAGE:
            return Step(self._check(order.provider_id), partial(self._read_transaction, order))
        return Step(self._history(order, 1), partial(self._read_history, order))

    def fetch_cost(self, order: Order) -> Step:
        """Check transaction tells the fee too, which is final once the money is settled."""
        return self.fetch(order)

    def source_addresses(self) -> tuple[str, ...]:
        return self.options.source_addresses

    def verify(self, callback: RawCallback) -> None:
        """The VA number is the key, and no secret: whatever fits only makes us ask."""
        is_signed = "x-signature" in callback.headers
        if self.options.callback_signature == "unchecked":
            return
        if is_signed:
            callbacks.check_signature(callback, va=self.credentials.va)
        elif self.options.callback_signature == "required":
            raise Forged("it carries no signature")

    def read_callback(self, callback: RawCallback) -> Notice:
        try:
            return callbacks.read(callback, self.options.status_words)
        except _SHAPE as error:
            raise Unreadable("not what iPaymu documents for a callback") from error

    def _post(self, path: str, body: Mapping[str, object]) -> Request:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        return Request("POST", self.connection.base_url + path, headers, json.dumps(body).encode())

    def _ask(self, request: Request) -> Response:
        return self.connection.send(self.authorize(request))

    def _check(self, transaction: str) -> Request:
        return self._post(_TRANSACTION, {"transactionId": transaction})

    def _history(self, order: Order, page: int) -> Request:
        """The newest first: whoever asks does so soon after. A page's transaction may begin long after the page."""
        now = self.connection.now()
        last = now if order.method == reading.PAGE or order.made_at is None else min(now, order.made_at + _SENT_WITHIN)
        body = {
            "date": "created_at",
            "startdate": wire.day((order.made_at or now) - _CLOCKS_DIFFER),
            "enddate": wire.day(last + _CLOCKS_DIFFER),
            "page": page,
            "limit": _PER_LIST,
            "orderBy": "created_at",
            "order": "DESC",
        }
        return self._post(_HISTORY, body)

    def _read_transaction(self, order: Order, response: Response) -> Report:
        return _understood(reading.read_transaction, _shown(response), order, self.options.status_words)

    def _read_history(self, order: Order, response: Response) -> Report:
        """Each of ours is asked about by its number: what the list itself says of it is not documented."""
        found, is_whole = self._find(order, response)
        if found:
            asked = replace(order, provider_id=order.provider_id if order.method == reading.PAGE else "")
            return reading.combined([self._read_transaction(asked, self._ask(self._check(id))) for id in found])
        is_over = order.expires_at is not None and order.expires_at + _AFTER_THE_END <= self.connection.now()
        if is_whole and is_over and order.provider_id:
            return Report(Word.EXPIRED, order.provider_id, "no transaction")
        raise (NotShown if is_whole else OutcomeUnknown)("the history shows no transaction of our reference")

    def _find(self, order: Order, response: Response) -> tuple[list[str], bool]:
        """The numbers of our transactions, and whether all lists were read that may hold one."""
        found: list[str] = []
        for page in range(1, self.options.history_lists + 1):
            if page > 1:
                response = self._ask(self._history(order, page))
            rows = _understood(reading.listed, _shown(response))
            found += _understood(_ours, rows, order)
            if found or len(rows) < _PER_LIST or _are_older(rows, order):
                return found, True
        return found, False


# Going out


def _channel(order: Order) -> str:
    if order.method == "qris":
        return "mpm"
    if order.channel not in Ipaymu.capabilities.methods[order.method].channels:
        raise NothingCreated(f"A payment by {order.method} needs its channel.", code=FailureCode.INVALID_REQUEST)
    return order.channel


def _phone(payer: Payer) -> str:
    """As numbers are written in Indonesia: `081200001111`."""
    digits = payer.phone.removeprefix("+")
    return f"0{digits[2:]}" if digits.startswith("62") else digits


def _basket(order: Order, total: int) -> dict[str, object]:
    """What is paid for. Lines that are not whole rupiah above zero, or do not add up to the total, are told as one."""
    lines = order.lines
    prices = [line.unit_price.amount // 100 for line in lines]
    exact = all(line.unit_price == Money(price * 100, wire.CURRENCY) for line, price in zip(lines, prices, strict=True))
    if not exact or min(prices, default=0) <= 0 or _sum(lines, prices) != total:
        return {"product": [order.description or order.reference], "qty": [1], "price": [total]}
    return {
        "product": [line.name or order.reference for line in lines],
        "qty": [line.quantity for line in lines],
        "price": prices,
    }


def _sum(lines: tuple[Line, ...], prices: list[int]) -> int:
    return sum(line.quantity * price for line, price in zip(lines, prices, strict=True))


# Answers


def _ours(rows: list[Mapping[str, Any]], order: Order) -> list[str]:
    return [wire.identifier(row["TransactionId"]) for row in rows if row.get("ReferenceId") == order.reference]


def _are_older(rows: list[Mapping[str, Any]], order: Order) -> bool:
    """Whether the list has come to what was there before the payment."""
    made = wire.moment(rows[-1].get("CreatedDate"))
    return made is not None and order.made_at is not None and made < order.made_at - _CLOCKS_DIFFER


def _shown(response: Response) -> Mapping[str, Any]:
    """A question that is refused says nothing of what it asked about."""
    try:
        return wire.answered(response)
    except NothingCreated as refused:
        raise OutcomeUnknown(f"answer {refused.provider_code} to a question") from refused


Understood = TypeVar("Understood")


def _understood(read: Callable[..., Understood], *given: object) -> Understood:
    try:
        return read(*given)
    except _SHAPE as error:
        raise OutcomeUnknown("an answer of an unknown shape") from error
