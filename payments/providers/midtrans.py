"""Midtrans by its Core API: a QRIS code or GoPay, paid by whoever scans or opens it; cancel, expire, refund.

Sources: docs.midtrans.com/reference (api-headers, qris, gopay, item-details-object, custom-expiry-object,
get-transaction-status, cancel-transaction, expire-transaction, direct-refund-transaction, https-notification-webhooks,
code-2xx, code-4xx). Assumed, as they are silent: notifications of a refund go where its charge said; names and ids of
item lines hold 50 characters; a refund that the status lists was approved.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from core import addresses
from core.companies import midtrans as wire
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
    json_object,
)
from core.signatures import BadSignature
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
    Topic,
    Word,
)
from payments.providers.midtrans_reading import (
    REFUNDED,
    find_refund,
    latest_refund,
    next_action,
    read_listed,
    read_refunded,
    read_transaction,
)
from payments.providers.midtrans_status import STATEMENTS, read_status
from payments.providers.statements import PageStep

_REFUND_REFUSALS: Mapping[str, tuple[str, str]] = {
    **wire.REFUSALS,
    "412": (FailureCode.INVALID_REQUEST, "The payment is in a state that allows no refund."),
    "414": (FailureCode.DECLINED, "Midtrans refuses the amount, or the merchant's balance there is too low."),
}

_PAYMENT_TYPES: Mapping[str, str] = {"qris": "qris", "ewallet": "gopay"}
_ACQUIRERS = ("gopay", "airpay shopee")
_REFUND_PATHS = ("refund", "refund/online/direct")
_TEST_ORDERS = "payment_notif_test_"
_SHORTEST_LIFE, _LONGEST_LIFE = timedelta(seconds=20), timedelta(days=7)
_LONGEST_NAME = 50
_SEN = Decimal("0.01")


def _seconds(*moments: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=moment) for moment in moments)


_KEYED = OperationDeclaration(
    Replay.KEY,
    Lookup.BY_REFERENCE,
    ask_after=_seconds(5, 20, 60, 300, 900, 3600, 14_400, 86_400),
    key_length=46,
    key_lifetime=timedelta(minutes=5),
    margin=timedelta(minutes=1),
)
# A code lives for a quarter of an hour unless told otherwise, and for a week at most.
_CHARGE = replace(_KEYED, ask_after=_seconds(15, 45, 120, 300, 600, 1020, 3600, 14_400, 86_400, 259_200, 608_400))


@dataclass(frozen=True, slots=True)
class Credentials:
    """The server key, and keys before it whose notifications are still believed."""

    server_key: Secret
    former_server_keys: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """`acquirer` issues the QRIS codes, and each names `qris_merchant`, by number or name, where that is given.
    `status_words` reads statuses in other words of ours than those in code.

    `refund_path` is "refund", or "refund/online/direct" for merchants of an older kind. The documentation advises
    against a list of `source_addresses`: notifications are signed, and only make us ask.
    """

    acquirer: str = "gopay"
    qris_merchant: str = ""
    refund_path: str = "refund"
    status_words: Mapping[str, str] = field(default_factory=dict)
    source_addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        addresses.networks(self.source_addresses)
        for name, choices in (("acquirer", _ACQUIRERS), ("refund_path", _REFUND_PATHS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name!r} must be one of {', '.join(choices)}")
        for word in self.status_words.values():
            if word not in list(Word):
                raise ValueError(f"'status_words' maps to {word!r}, which is none of our words")


class Midtrans(PaymentProvider[Credentials, Options]):
    name = "midtrans"
    title = "Midtrans"
    credentials_type = Credentials
    options_type = Options
    hosts = wire.HOSTS
    live_hosts = frozenset({"production"})
    capabilities = Capabilities(
        methods={
            "qris": MethodCapability(
                currencies=frozenset({wire.CURRENCY}),
                limits={wire.CURRENCY: (100, 1_000_000_000)},
                code_life=timedelta(minutes=15),
                held_by_us=True,
                next_actions=("qr",),
            ),
            "ewallet": MethodCapability(
                currencies=frozenset({wire.CURRENCY}),
                channels=("gopay",),
                code_life=timedelta(minutes=15),
                next_actions=("redirect",),
            ),
        },
        operations={Kind.CREATE: _CHARGE, Kind.CANCEL: _KEYED, Kind.REFUND: _KEYED},
        doors={"notifications": Door(Proof.WEAK, per_operation=True, signed=True)},
        refunds="partial",
        statements=STATEMENTS,
    )

    @classmethod
    def check_mode(cls, credentials: Credentials, *, livemode: bool) -> None:
        """Keys of the sandbox begin with SB- by convention, and not all of them do."""
        if livemode and credentials.server_key.reveal().startswith("SB-"):
            raise ValueError("'server_key' begins with SB-, as keys of the sandbox do")

    def units(self, money: Money) -> int:
        """Whole rupiah."""
        if money.currency != wire.CURRENCY:
            raise NotRepresentable(f"Midtrans takes {wire.CURRENCY} only")
        units = money.in_units(0)
        if units <= 0:
            raise NotRepresentable("Midtrans takes one rupiah or more")
        return units

    def authorize(self, request: Request) -> Request:
        return wire.authorized(request, server_key=self.credentials.server_key)

    def check_credentials(self) -> None:
        """Ask about an order that there never was: whoever may not ask is told so first."""
        request = self.authorize(self._get("/v2/lango-credentials-check/status"))
        code, _ = wire.answered(self.connection.send(request))
        if code == "401":
            raise Misconfigured(wire.MISCONFIGURED[code], provider_code=code)
        if code not in ("404", *wire.SHOWS_A_TRANSACTION):
            raise OutcomeUnknown(f"answer {code} to a question")

    def create(self, order: Order) -> Step:
        """Charge. The whole order goes with it, so that one key covers everything."""
        kind = _PAYMENT_TYPES[order.method]
        units = self.units(order.money)
        body: dict[str, Any] = {
            "payment_type": kind,
            "transaction_details": {"order_id": order.reference, "gross_amount": units},
            "item_details": _item_details(order.lines, units),
            "customer_details": _customer_details(order.payer),
            "custom_expiry": self._custom_expiry(order),
            "qris": {"acquirer": self.options.acquirer} if kind == "qris" else {},
            "gopay": _way_back(order.return_url) if kind == "gopay" else {},
        }
        told = {name: value for name, value in body.items() if value}
        headers = {"X-Override-Notification": order.callback_url("notifications")}
        return Step(self._post("/v2/charge", order, told, headers), partial(self._read_charge, order))

    def _custom_expiry(self, order: Order) -> dict[str, object]:
        """Counted from when we made the order, so that every repetition says the same; within Midtrans' bounds."""
        if order.expires_at is None:
            return {}
        begins = (order.made_at or self.connection.now()).replace(microsecond=0)
        life = min(max(order.expires_at - begins, _SHORTEST_LIFE), _LONGEST_LIFE)
        return {
            "order_time": wire.order_time(begins),
            "expiry_duration": int(life.total_seconds()),
            "unit": "second",
        }

    def cancel(self, order: Order) -> Step:
        """End what is pending: past its time it is expired, before that cancelled."""
        is_over = order.expires_at is not None and order.expires_at <= self.connection.now()
        path = f"{_transaction_path(order)}/{'expire' if is_over else 'cancel'}"
        return Step(self._post(path, order, {}), partial(self._read_ended, order))

    def refund(self, order: Order) -> Step:
        """Our key is the refund's own too, by which it is found among the payment's refunds."""
        body = {"refund_key": order.operation_key, "amount": self.units(order.money)}
        path = f"{_transaction_path(order)}/{self.options.refund_path}"
        return Step(self._post(path, order, body), partial(self._read_refund, order))

    def _post(
        self, path: str, order: Order, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> Request:
        sent = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Idempotency-Key": order.operation_key,
            **(headers or {}),
        }
        return Request("POST", self.connection.base_url + path, sent, json.dumps(body).encode())

    def _get(self, path: str) -> Request:
        return Request("GET", self.connection.base_url + path, {"Accept": "application/json"})

    def fetch(self, order: Order) -> Step:
        """The payment's status, by its id or by our reference; a refund stands in it by its key.

        It shows neither the code nor the link again: those come with the charge, or with the same charge repeated.
        """
        if order.kind not in self.capabilities.operations:
            return super().fetch(order)
        return Step(self._get(f"{_transaction_path(order)}/status"), partial(self._read_status, order))

    def status(self, order: Order) -> PageStep:
        """By our reference, so that one whose charge was not answered is found as well."""
        request = self._get(f"/v2/{quote(order.reference, safe='')}/status")
        return PageStep(request, partial(read_status, order.reference, self.options.status_words))

    def source_addresses(self) -> tuple[str, ...]:
        return self.options.source_addresses

    def verify(self, callback: RawCallback) -> None:
        secrets = (self.credentials.server_key, *self.credentials.former_server_keys)
        try:
            wire.check_signature(json_object(callback.body), secrets=secrets)
        except (KeyError, ValueError) as error:
            raise Forged("it carries no signature") from error
        except BadSignature as error:
            raise Forged(str(error)) from error

    def read_callback(self, callback: RawCallback) -> Notice:
        try:
            return self._read_notification(json_object(callback.body))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unreadable("not what Midtrans documents for a notification") from error

    def _read_notification(self, told: Mapping[str, Any]) -> Notice:
        """That something is pending, and what the dashboard sends as a test, is nothing that we act on."""
        report, reference = read_transaction(told, self.options.status_words), wire.identifier(told["order_id"])
        if report.word is Word.REQUIRES_ACTION or reference.startswith(_TEST_ORDERS):
            return Notice(Topic.NOTHING, reference=reference)
        item = latest_refund(told) if wire.word(told["transaction_status"]) in REFUNDED else None
        if item is None:
            return Notice(Topic.PAYMENT, report, payment_provider_id=report.provider_id, reference=reference)
        refund = read_listed(item, report.provider_status)
        return Notice(
            Topic.REFUND,
            refund,
            payment_provider_id=report.provider_id,
            reference=wire.identifier(item["refund_key"]),
            money=refund.moved[0].money,
        )

    def _read_charge(self, order: Order, response: Response) -> Report:
        told = _transaction_shown(response)
        report = self._own(told, order)
        if report.word is not Word.REQUIRES_ACTION:
            return report
        action = next_action(told, order)
        if action is None:
            return replace(report, word=Word.UNKNOWN, provider_status=f"{report.provider_status}, not as asked")
        return replace(report, next_action=action)

    def _read_ended(self, order: Order, response: Response) -> Report:
        """One that is pending still is the answer to something else: keys are shared by all calls."""
        report = self._own(_transaction_shown(response), order)
        if report.word is Word.REQUIRES_ACTION:
            raise OutcomeUnknown("an end was asked for, and it is pending still")
        return report

    def _read_status(self, order: Order, response: Response) -> Report:
        """A question that is refused says nothing; nor does a 404, as what was sent may still be on its way."""
        try:
            told = _transaction_shown(response)
        except NothingCreated as refused:
            is_absent = refused.provider_code == "404" and order.kind is Kind.CREATE
            fault = NotShown if is_absent else OutcomeUnknown
            raise fault(f"answer {refused.provider_code} to a question") from refused
        report = self._own(told, order)
        return _understood(find_refund, told, order) if order.kind is Kind.REFUND else report

    def _read_refund(self, order: Order, response: Response) -> Report:
        told = _transaction_shown(response, _REFUND_REFUSALS)
        self._own(told, order)
        return _understood(read_refunded, told, order)

    def _own(self, told: Mapping[str, Any], order: Order) -> Report:
        """The transaction of an answer, which must be the one that we asked about."""
        report = _understood(read_transaction, told, self.options.status_words)
        known = (
            report.provider_id == order.provider_id if order.provider_id else told.get("order_id") == order.reference
        )
        if not known:
            raise OutcomeUnknown("an answer about another payment")
        return report


def _transaction_shown(
    response: Response, refusals: Mapping[str, tuple[str, str]] = wire.REFUSALS
) -> Mapping[str, Any]:
    code, told = wire.answered(response)
    if code not in wire.SHOWS_A_TRANSACTION or "transaction_status" not in told:
        raise wire.refusal(code, refusals)
    return told


Understood = TypeVar("Understood")


def _understood(read: Callable[..., Understood], *given: object) -> Understood:
    try:
        return read(*given)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise OutcomeUnknown("an answer of an unknown shape") from error


# Going out


def _transaction_path(order: Order) -> str:
    return f"/v2/{quote(order.provider_id or order.reference, safe='')}"


def _item_details(lines: tuple[Line, ...], total: int) -> list[dict[str, object]]:
    """Lines in whole rupiah that sum exactly to the total, for Midtrans refuses all others: one more takes the rest."""
    if any(line.unit_price.currency != wire.CURRENCY for line in lines):
        return []
    items = [_item(f"LINE{number}", line) for number, line in enumerate(lines, start=1)]
    missing = total - sum(item["price"] * item["quantity"] for item in items)
    if items and missing:
        items.append({"id": "ROUNDING", "price": missing, "quantity": 1, "name": "Rounding"})
    return items


def _item(numbered: str, line: Line) -> dict[str, Any]:
    # A bar in a name divides fields on some receipts.
    name = line.name.replace("|", "/").strip()[:_LONGEST_NAME] or numbered
    rupiah = line.unit_price.times(_SEN).amount
    return {"id": line.reference[:_LONGEST_NAME] or numbered, "price": rupiah, "quantity": line.quantity, "name": name}


def _customer_details(payer: Payer) -> dict[str, str]:
    first, _, last = payer.name.strip().partition(" ")
    told = {"first_name": first, "last_name": last.strip(), "email": payer.email, "phone": payer.phone}
    return {name: value for name, value in told.items() if value}


def _way_back(return_url: str) -> dict[str, object]:
    return {"enable_callback": True, "callback_url": return_url} if return_url else {}
