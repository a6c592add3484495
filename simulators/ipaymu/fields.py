"""Checks what a payment asks for. Source: content/docs (direct payment, redirect payment), Postman collection."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from simulators.ipaymu.books import DIRECT, JSON, PAGE, Payment
from simulators.ipaymu.errors import IpaymuError, invalid, missing
from simulators.ipaymu.settings import IpaymuSettings
from simulators.ipaymu.words import CHANNELS, FIXED_HOURS, MOST_HOURS
from simulators.server import Request

NEEDED = ("name", "phone", "email", "amount", "notifyUrl", "referenceId", "paymentMethod", "paymentChannel")
PAGE_NEEDED = ("product", "qty", "price", "returnUrl", "notifyUrl", "cancelUrl")
HOUR = 3600.0


@dataclass
class Call:
    """A request whose signature fits."""

    request: Request
    va: str

    @property
    def document(self) -> JSON:
        if self.request.document is None:
            raise IpaymuError(400, "invalid request")
        return self.request.document


def read_direct(call: Call, settings: IpaymuSettings) -> Payment:
    """The payment that is asked for, without its transaction. IpaymuError names the field that does not fit."""
    told = call.document
    _require(told, NEEDED)
    method, channel = told["paymentMethod"], told["paymentChannel"]
    if method not in CHANNELS:
        raise invalid(paymentMethod="payment method tidak valid.")
    if channel not in CHANNELS[method]:
        raise invalid(paymentChannel="payment channel tidak valid.")
    amount = _amount(told["amount"])
    if method == "qris" and amount > settings.max_qris_amount:
        raise invalid(amount=f"maksimal {settings.max_qris_amount}.")
    life = settings.qris_expiry_seconds if method == "qris" else _life(told, channel, settings)
    made = _payment(call, settings, DIRECT, amount=amount, method=method, life=life)
    made.channel = channel
    made.name, made.email, made.phone = (str(told[name]) for name in ("name", "email", "phone"))
    return made


def read_page(call: Call, settings: IpaymuSettings) -> Payment:
    """A session: the payer chooses how to pay, which is by QRIS here."""
    told = call.document
    _require(told, PAGE_NEEDED)
    columns = [told[name] for name in ("product", "qty", "price")]
    if not all(isinstance(column, list) for column in columns) or len({len(column) for column in columns}) != 1:
        raise invalid(product="product, qty dan price harus array yang sama panjang.")
    total = sum(_amount(quantity) * _amount(price) for quantity, price in zip(columns[1], columns[2], strict=True))
    made = _payment(call, settings, PAGE, amount=total, method="qris", life=_life(told, "", settings))
    made.channel, made.back = "mpm", str(told["returnUrl"])
    made.name, made.email, made.phone = (str(told.get(f"buyer{name}") or "") for name in ("Name", "Email", "Phone"))
    return made


def _payment(call: Call, settings: IpaymuSettings, kind: str, *, amount: int, method: str, life: float) -> Payment:
    told, now = call.document, time.time()
    _check_domain(str(told["notifyUrl"]), settings)
    direction = told.get("feeDirection", "BUYER")
    if direction not in ("MERCHANT", "BUYER"):
        raise invalid(feeDirection="fee direction tidak valid.")
    fee = math.floor(amount * settings.qris_fee_percent / 100) if method == "qris" else settings.fee
    return Payment(
        session=str(uuid.uuid4()),
        kind=kind,
        va=call.va,
        reference=str(told.get("referenceId") or ""),
        amount=amount,
        fee=fee,
        direction=direction,
        method=method,
        channel="",
        notify_url=str(told["notifyUrl"]),
        back="",
        name="",
        email="",
        phone="",
        made=now,
        expires=now + life,
        mode=call.request.callback_mode,
    )


def _require(told: JSON, names: Iterable[str]) -> None:
    lacking = [name for name in names if told.get(name) in (None, "", [])]
    if lacking:
        raise missing(*lacking)


def _amount(value: Any) -> int:
    """A number, or its digits as a form gives them."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is not int or value <= 0:
        raise invalid(amount="amount harus berupa angka.")
    return value


def _life(told: JSON, channel: str, settings: IpaymuSettings) -> float:
    """Seconds. Some channels have a life of their own, others a longest one."""
    if channel in FIXED_HOURS:
        return FIXED_HOURS[channel] * HOUR
    if told.get("expired") is None:
        return min(settings.expiry_seconds, MOST_HOURS.get(channel, 10_000) * HOUR)
    hours = _amount(told["expired"])
    if hours > MOST_HOURS.get(channel, hours):
        raise invalid(expired=f"maksimal {MOST_HOURS[channel]} jam.")
    return hours * HOUR


def _check_domain(url: str, settings: IpaymuSettings) -> None:
    if settings.registered_domains and urlsplit(url).hostname not in settings.registered_domains:
        raise IpaymuError(400, "Invalid Domain")
