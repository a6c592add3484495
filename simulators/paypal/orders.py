"""Orders: created, approved by their payer, captured or authorized.

Source: PayPal's OpenAPI file checkout_orders_v2.
"""

from __future__ import annotations

import time
from typing import Any

from simulators.paypal import amounts
from simulators.paypal.books import Books, Cause, approval_page, new_id, now
from simulators.paypal.errors import PaypalError, invalid, missing, not_found, refused
from simulators.paypal.magic import MAGIC_AMOUNTS
from simulators.paypal.settings import PaypalSettings

JSON = dict[str, Any]
LENGTHS = {"reference_id": 256, "custom_id": 127, "invoice_id": 127, "description": 127, "soft_descriptor": 22}
CHOICES = {
    "shipping_preference": ("GET_FROM_FILE", "NO_SHIPPING", "SET_PROVIDED_ADDRESS"),
    "user_action": ("CONTINUE", "PAY_NOW"),
    "landing_page": ("LOGIN", "GUEST_CHECKOUT", "NO_PREFERENCE"),
    "payment_method_preference": ("UNRESTRICTED", "IMMEDIATE_PAYMENT_REQUIRED"),
}
MOST_UNITS = 10
HELD_SECONDS = 29 * 86_400
REFUSES = {"decline": "TRANSACTION_REFUSED", "instrument_declined": "INSTRUMENT_DECLINED"}
PENDING = ("pending", "denied")


class Orders:
    def __init__(self, books: Books, settings: PaypalSettings) -> None:
        self._books, self._settings = books, settings

    def create(self, cause: Cause, body: JSON) -> JSON:
        if body.get("intent") not in ("CAPTURE", "AUTHORIZE"):
            raise invalid("/intent") if body.get("intent") else missing("/intent")
        units = [_unit(unit, place) for place, unit in enumerate(_listed(body))]
        _check_together(units, body["intent"])
        wallet = _wallet(body.get("payment_source"), cause)
        context = _context((wallet or {}).get("experience_context") or body.get("application_context") or {})
        status = "CREATED" if wallet is None else "PAYER_ACTION_REQUIRED"
        made = new_id()
        document: JSON = {"id": made, "intent": body["intent"], "status": status, "units": units, "create_time": now()}
        if wallet is not None:
            document["payment_source"] = {"paypal": {}}
        word = MAGIC_AMOUNTS.get(amounts.hundredths(units[0]["amount"]) or 0, "")
        row: JSON = {
            "id": made,
            "app": cause.app,
            "key": cause.key,
            "document": document,
            "return_url": context.get("return_url", ""),
            "cancel_url": context.get("cancel_url", ""),
            "refuses": REFUSES.get(word, ""),
            "created": time.time(),
        }
        vault_id = str((wallet or {}).get("vault_id") or "")
        return self._charge(cause, row, vault_id) if vault_id else self._books.keep(row)

    def _charge(self, cause: Cause, order: JSON, vault_id: str) -> JSON:
        """A saved account needs no approval: the order is captured or authorized at once, or is not made at all."""
        saved = self._books.vault.get(vault_id)
        if saved is None or saved["kind"] != "token" or saved["app"] != cause.app:
            raise refused("TOKEN_ID_NOT_FOUND", field="/payment_source/paypal/vault_id")
        order["document"] |= {"status": "APPROVED", "payment_source": saved["document"]["payment_source"]}
        return (self.capture if order["document"]["intent"] == "CAPTURE" else self.authorize)(cause, order)

    def get(self, app: str, id: str) -> JSON:
        """An order that nobody has approved or captured in time is there no more. PaypalError 404."""
        order = self._books.order(app, id)
        too_old = time.time() - order["created"] >= self._settings.approval_seconds
        if too_old and order["document"]["status"] not in ("COMPLETED", "VOIDED"):
            raise not_found()
        return order

    def capture(self, cause: Cause, order: JSON) -> JSON:
        self._check(cause, order, "CAPTURE", "ORDER_ALREADY_CAPTURED")
        for place, unit in enumerate(order["document"]["units"]):
            self.take(cause, order, order["id"], amounts.units_of(unit["amount"]), place=place)
        order["document"]["status"] = "COMPLETED"
        self._books.keep(order)
        cause.events.insert(0, ("CHECKOUT.ORDER.COMPLETED", "checkout-order", order))
        return order

    def authorize(self, cause: Cause, order: JSON) -> JSON:
        self._check(cause, order, "AUTHORIZE", "ORDER_ALREADY_AUTHORIZED")
        unit = order["document"]["units"][0]
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + HELD_SECONDS))
        document = {"status": "CREATED", "amount": plain(unit["amount"]), **named(unit), "expiration_time": expires}
        held = self._books.add("authorization", cause, order, order["id"], document)
        order["document"]["status"] = "COMPLETED"
        self._books.keep(order)
        cause.events.append(("PAYMENT.AUTHORIZATION.CREATED", "authorization", held))
        return order

    def take(self, cause: Cause, order: JSON, parent: str, units: int, *, place: int = 0, final: bool = True) -> JSON:
        """One capture: completed, or what a magic amount makes of it."""
        unit = order["document"]["units"][place]
        currency = unit["amount"]["currency_code"]
        word = MAGIC_AMOUNTS.get(amounts.hundredths(unit["amount"]) or 0, "")
        status = "PENDING" if word in PENDING else "DECLINED" if word == "capture_declined" else "COMPLETED"
        document = {
            "status": status,
            "amount": amounts.money(units, currency),
            "final_capture": final,
            "unit": str(place),
            **named(unit),
        }
        if status == "PENDING":
            document["status_details"] = {"reason": "PENDING_REVIEW"}
        if status == "COMPLETED":
            document["seller_receivable_breakdown"] = self.breakdown(units, currency)
        if status == "DECLINED":
            document["processor_response"] = {"response_code": "0500"}
        taken = self._books.add("capture", cause, order, parent, document)
        cause.events.append((f"PAYMENT.CAPTURE.{status}", "capture", taken))
        return taken

    def breakdown(self, units: int, currency: str) -> JSON:
        kept = amounts.fee(units)
        parts: JSON = {
            "gross_amount": amounts.money(units, currency),
            "paypal_fee": amounts.money(kept, currency),
            "net_amount": amounts.money(units - kept, currency),
        }
        other, rate = self._settings.receivable_currency, self._settings.receivable_rate
        if other and other != currency:
            credited = round((units - kept) * rate)
            told = {"source_currency": currency, "target_currency": other, "value": str(rate)}
            parts |= {"receivable_amount": amounts.money(credited, other), "exchange_rate": told}
        return parts

    def _check(self, cause: Cause, order: JSON, intent: str, done: str) -> None:
        """PaypalError 422 for everything that keeps an order from being paid now."""
        document = order["document"]
        if document["intent"] != intent:
            raise refused("ACTION_DOES_NOT_MATCH_INTENT")
        if document["status"] == "COMPLETED":
            raise refused(done)
        if document["status"] != "APPROVED":
            raise refused("ORDER_NOT_APPROVED")
        issue = cause.mock_issue or order["refuses"]
        if issue:
            raise refused(issue, page=approval_page(order, cause.origin))
        if self._settings.refuse_duplicate_invoices and self._is_duplicate(order):
            raise refused("DUPLICATE_INVOICE_ID")

    def _is_duplicate(self, order: JSON) -> bool:
        """Whether one of its invoices was paid by another order of the same app."""
        invoices = [unit["invoice_id"] for unit in order["document"]["units"] if unit.get("invoice_id")]
        paying = [self._books.order_paying(order["app"], invoice) for invoice in invoices]
        return any(found not in ("", order["id"]) for found in paying)


def plain(amount: JSON) -> JSON:
    return {name: amount[name] for name in ("currency_code", "value")}


def named(unit: JSON) -> JSON:
    return {name: unit[name] for name in ("custom_id", "invoice_id") if name in unit}


def _listed(body: JSON) -> list[Any]:
    units = body.get("purchase_units")
    if not isinstance(units, list) or not units:
        raise missing("/purchase_units")
    if len(units) > MOST_UNITS:
        raise invalid("/purchase_units", "INVALID_ARRAY_MAX_ITEMS")
    return units


def _unit(unit: object, place: int) -> JSON:
    field = f"/purchase_units/{place}"
    if not isinstance(unit, dict):
        raise invalid(field)
    for name, longest in LENGTHS.items():
        value = unit.get(name)
        if value is not None and (not isinstance(value, str) or not 1 <= len(value) <= longest):
            raise invalid(f"{field}/{name}", "INVALID_STRING_LENGTH")
    total, currency = amounts.read(unit.get("amount"), f"{field}/amount")
    amounts.check_breakdown(unit, total, currency, field)
    amount = dict(unit["amount"]) | amounts.money(total, currency)
    return {"reference_id": "default", **unit, "amount": amount}


def _check_together(units: list[JSON], intent: str) -> None:
    if len(units) > 1 and intent == "AUTHORIZE":
        raise refused("UNSUPPORTED_INTENT")
    if len({unit["reference_id"] for unit in units}) < len(units):
        raise refused("DUPLICATE_REFERENCE_ID")
    if len({unit["amount"]["currency_code"] for unit in units}) > 1:
        raise refused("MULTI_CURRENCY_ORDER")


def _wallet(source: object, cause: Cause) -> JSON | None:
    """`payment_source.paypal`, the only source that is simulated; None without one."""
    if source is None:
        return None
    if not isinstance(source, dict) or list(source) != ["paypal"] or not isinstance(source["paypal"], dict):
        raise refused("PAYMENT_SOURCE_CANNOT_BE_USED", field="/payment_source")
    if source["paypal"].get("vault_id") and not cause.key:
        raise PaypalError(400, "PAYPAL_REQUEST_ID_REQUIRED")
    return dict(source["paypal"])


def _context(context: JSON) -> JSON:
    field = "/payment_source/paypal/experience_context"
    for name, choices in CHOICES.items():
        if context.get(name, choices[0]) not in choices:
            raise invalid(f"{field}/{name}")
    for name in ("return_url", "cancel_url"):
        if not str(context.get(name, "https://")).startswith(("https://", "http://")):
            raise invalid(f"{field}/{name}", "INVALID_PARAMETER_SYNTAX")
    return context
