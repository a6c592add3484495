"""Checks what a charge asks for. Source: docs.midtrans.com/reference (qris, item-details, custom-expiry, code-4xx)."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulators.midtrans.books import JSON, Transaction
from simulators.midtrans.errors import invalid, malformed, not_enabled, wrong_type
from simulators.midtrans.settings import MidtransSettings
from simulators.qris import ACQUIRERS
from simulators.server import Request

ORDER_ID = re.compile(r"[A-Za-z0-9_~.-]{1,50}\Z")
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
SHORTEST_LIFE, LONGEST_LIFE = 20, 7 * 86_400
LONGEST_NAME, MOST_URLS = 50, 3


@dataclass
class Call:
    """A request whose server key is known. `key` is "" where none was sent, or one too long to be heeded."""

    request: Request
    server_key: str
    merchant: str
    key: str = ""

    @property
    def document(self) -> JSON:
        if self.request.document is None:
            raise malformed()
        return self.request.document


def read_charge(call: Call, settings: MidtransSettings) -> Transaction:
    """The transaction that is asked for, without its id. MidtransError names the field that does not fit."""
    document, now = call.document, time.time()
    kind = document.get("payment_type")
    if kind not in settings.payment_types:
        raise not_enabled()
    order_id, amount = _details(_object(document, "transaction_details"))
    if kind == "qris" and amount > settings.max_qris_amount:
        raise invalid(f"transaction_details.gross_amount must not be above {settings.max_qris_amount}")
    _check_items(document.get("item_details"), amount)
    acquirer = _object(document, "qris", {}).get("acquirer", "gopay")
    if acquirer not in ACQUIRERS:
        raise invalid("qris.acquirer is not supported")
    begins, life = _expiry(_object(document, "custom_expiry", {}), now, settings)
    return Transaction(
        id="",
        server_key=call.server_key,
        merchant=call.merchant,
        order_id=order_id,
        asked_as=kind,
        amount=amount,
        made=now,
        expires=begins + life,
        acquirer=acquirer,
        urls=_urls(call.request, settings),
        back=str(_object(document, "gopay", {}).get("callback_url") or ""),
        mode=call.request.callback_mode,
        key=call.key,
        fields={name: str(document[name]) for name in document if re.match(r"custom_field[123]\Z", name)},
    )


def _object(document: Mapping[str, Any], name: str, missing: JSON | None = None) -> JSON:
    value = document.get(name, missing)
    if value is None:
        raise invalid(f"{name} is required")
    if not isinstance(value, dict):
        raise wrong_type(name)
    return value


def _details(details: JSON) -> tuple[str, int]:
    order_id, amount = details.get("order_id"), details.get("gross_amount")
    if not isinstance(order_id, str) or not ORDER_ID.match(order_id):
        raise invalid("transaction_details.order_id is required, of A-Z a-z 0-9 - _ ~ . and 50 at most")
    return order_id, _whole(amount, "transaction_details.gross_amount", at_least=1)


def _whole(value: object, name: str, at_least: int | None = None) -> int:
    """Decimals are refused even where they are zero."""
    if isinstance(value, float):
        raise invalid(f"{name} must not contain decimals")
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name)
    if at_least is not None and value < at_least:
        raise invalid(f"{name} must be at least {at_least}")
    return value


def _check_items(items: object, amount: int) -> None:
    if items is None:
        return
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise wrong_type("item_details")
    total = 0
    for item in items:
        name = item.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
            raise invalid("item_details.name is required, and too long above 50")
        total += _whole(item.get("price"), "item_details.price") * _whole(
            item.get("quantity"), "item_details.quantity", at_least=1
        )
    if total != amount:
        raise invalid("transaction_details.gross_amount is not equal to the sum of item_details")


def _expiry(asked: JSON, now: float, settings: MidtransSettings) -> tuple[float, float]:
    """When its life begins, and how many seconds it has."""
    if not asked:
        return now, settings.expiry_seconds
    unit = asked.get("unit", "minute")
    if unit not in UNITS:
        raise invalid("custom_expiry.unit is not supported")
    life = _whole(asked.get("expiry_duration"), "custom_expiry.expiry_duration") * UNITS[unit]
    if not SHORTEST_LIFE <= life <= LONGEST_LIFE:
        raise invalid("custom_expiry.expiry_duration is out of range")
    try:
        begins = asked.get("order_time")
        return datetime.datetime.strptime(begins, "%Y-%m-%d %H:%M:%S %z").timestamp() if begins else now, life
    except (TypeError, ValueError):
        raise invalid("custom_expiry.order_time format is invalid") from None


def _urls(request: Request, settings: MidtransSettings) -> list[str]:
    """Overriding addresses replace the dashboard's, appended ones add to it."""
    override, append = (request.header(f"X-{how}-Notification") for how in ("Override", "Append"))
    dashboard = [settings.notification_url] if settings.notification_url else []
    named = [url.strip() for url in (override or append).split(",") if url.strip()][:MOST_URLS]
    return named if override else dashboard + named
