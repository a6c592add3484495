"""Midtrans: the contract, then what only Midtrans does. Values are samples; names and types are Midtrans'."""

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from core import qris
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import (
    Forged,
    Misconfigured,
    NothingCreated,
    OutcomeUnknown,
    Unreadable,
    Unsupported,
    from_json,
)
from payments.providers.base import (
    Connection,
    FailureCode,
    Kind,
    Line,
    MoneyMoved,
    Notice,
    Order,
    Payer,
    RawCallback,
    ReceiptKind,
    Report,
    Topic,
    Word,
)
from payments.providers.midtrans import Credentials, Midtrans, Options
from tests.contracts.payments import PaymentProviderContract, World
from tests.contracts.world import MemoryTokens, SimulatorControl, changed, document

IDR = Money(4_550_000, "IDR")
CHARGE = "POST /v2/charge"


class TestMidtransContract(PaymentProviderContract):
    name = "midtrans"
    method = "qris"
    credentials: ClassVar = {"server_key": "SB-Mid-server-lango-simulator"}
    refused_credentials: ClassVar = {"server_key": "SB-Mid-server-of-somebody-else"}
    money = IDR
    carried: ClassVar = {IDR: 45_500, Money(100, "IDR"): 1, Money(1_000_000_000, "IDR"): 10_000_000}
    not_carried = (Money(4_550_050, "IDR"), Money(0, "IDR"), Money(4_550_000, "USD"), Money(45_500, "JPY"))
    calls: ClassVar = {
        Kind.CREATE: CHARGE,
        Kind.CANCEL: "POST /v2/{id}/cancel",
        Kind.REFUND: "POST /v2/{id}/refund",
    }

    def instrument(self) -> str:
        # Whoever scans the code pays: nobody is named.
        return ""

    def forgeries(self, world: World, callback: RawCallback) -> list[RawCallback]:
        told = document(callback)
        stranger = told["order_id"] + told["status_code"] + told["gross_amount"] + "SB-Mid-server-guessed"
        forged = [
            changed(told, ("gross_amount",), "1.00"),
            changed(told, ("order_id",), "ANOTHER-ORDER"),
            changed(told, ("status_code",), "201"),
            changed(told, ("signature_key",), hashlib.sha512(stranger.encode()).hexdigest()),
            changed(told, ("signature_key",), ""),
            changed(told, ("signature_key",), None),
            {name: value for name, value in told.items() if name != "signature_key"},
        ]
        return [replace(callback, body=body) for body in (*(json.dumps(body).encode() for body in forged), b"", b"[]")]

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        event = changed(document(callback), ("transaction_status",), "teleported")
        return replace(callback, body=json.dumps(event).encode())

    def waiting(self, world: World, **changes: Any) -> tuple[Order, Report]:
        order = self.order(world, **changes)
        report = world.wire.perform(world.provider.step(order))
        assert report.word is Word.REQUIRES_ACTION
        return replace(order, provider_id=report.provider_id), report


class TestMidtrans(TestMidtransContract):
    """What only Midtrans does, over the wire."""

    __test__ = True
