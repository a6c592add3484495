"""PayPal: the contract, then what only PayPal does. The golden vector is that of PayPal's own Python library."""

import json
from dataclasses import replace
from typing import Any, ClassVar

from core.money import Money
from payments.providers.base import (
    Kind,
    RawCallback,
)
from tests.contracts.payments import PaymentProviderContract, World
from tests.contracts.world import SimulatorControl, changed, document

USD = Money(1250, "USD")
WEBHOOK = "9AB12345CD678901E"
SIGNED = ("paypal-transmission-id", "paypal-transmission-time", "paypal-transmission-sig", "paypal-cert-url")


class TestPaypalContract(PaymentProviderContract):
    name = "paypal"
    method = "paypal"
    credentials: ClassVar = {"client_id": "lango-simulator-client", "client_secret": "lango-simulator-secret"}
    refused_credentials: ClassVar = {"client_secret": "not-of-this-app"}
    money = USD
    carried: ClassVar = {
        USD: 1250,
        Money(1, "EUR"): 1,
        Money(500, "JPY"): 500,
        Money(50_000, "HUF"): 500,
        Money(50_000, "TWD"): 500,
    }
    not_carried = (
        Money(50_050, "HUF"),
        Money(50_001, "TWD"),
        Money(25_000, "KES"),
        Money(15_000_000, "IDR"),
        Money(1230, "KWD"),
        Money(1250, "BRL"),
        Money(0, "USD"),
        Money(10**15, "USD"),
    )
    calls: ClassVar = {
        Kind.CREATE: "POST /v2/checkout/orders",
        Kind.CONFIRM: "POST /v2/checkout/orders/{order}/capture",
        Kind.CAPTURE: "POST /v2/payments/authorizations/{authorization}/capture",
        Kind.CANCEL: "POST /v2/payments/authorizations/{authorization}/void",
        Kind.REFUND: "POST /v2/payments/captures/{capture}/refund",
    }

    def options(self, control: SimulatorControl) -> dict[str, Any]:
        authority = control.get("certificate").data.decode()
        return {"webhook_ids": ["0XX00000XX000000N", WEBHOOK], "certificate_authorities": authority}

    def instrument(self) -> str:
        return ""

    def listen(self, world: World) -> None:
        world.control.post("settings", webhook_url=world.receiver.url("events"))

    def forgeries(self, world: World, callback: RawCallback) -> list[RawCallback]:
        headers, body = dict(callback.headers), callback.body
        own = headers["paypal-cert-url"]
        name = own.rpartition("/")[2]
        elsewhere = [
            f"https://certs.example/v1/notifications/certs/{name}",
            f"https://api.paypal.com.certs.example/v1/notifications/certs/{name}",
            f"https://api.paypal.com@certs.example/v1/notifications/certs/{name}",
            f"https://api.paypal.com:8443/v1/notifications/certs/{name}",
            f"http://api.paypal.com/v1/notifications/certs/{name}",
            f"{own}?x=https://api.paypal.com",
            f"{own}/../x",
            own.replace(name, "CERT-of-nobody"),
            own.replace("/certs/", "/../certs/"),
            "",
        ]
        return [
            replace(callback, headers={}),
            replace(callback, body=body.replace(b"12.50", b"12.51")),
            replace(callback, body=body + b" "),
            *(replace(callback, headers={**headers, "paypal-cert-url": url}) for url in elsewhere),
            *(replace(callback, headers={**headers, header: "x"}) for header in SIGNED),
            replace(callback, headers={**headers, "paypal-auth-algo": "SHA1withRSA"}),
            replace(callback, headers={**headers, "paypal-transmission-time": "2026-01-01T00:00:00Z"}),
            replace(callback, headers={**headers, "paypal-transmission-time": "2046-01-01T00:00:00Z"}),
            replace(callback, headers={**headers, "paypal-transmission-time": "2026-11-20T11:05:16"}),
        ]

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        event = document(callback)
        place = ("resource", "status")
        if event["resource_type"] == "checkout-order":
            place = ("resource", "purchase_units", 0, "payments", "captures", 0, "status")
        return replace(callback, body=json.dumps(changed(event, place, "EATEN")).encode())
