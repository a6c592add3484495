"""Bayarind's classic protocol: forms out, JSON back with HTTP 200 whatever it says, and a payment flag in.

Sources stand with core.companies.bayarind. Assumed, as they are silent: the authCode is checked before the form of
dates (a check of credentials posts a date that is none); questions and voids carry no authCode; where the code of a
QRIS payment stands in the answer, so every field that may hold it is tried.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from core import qris
from core.companies import bayarind as wire
from core.http import Request, Response
from core.money import Money
from core.providers import Forged, Misconfigured, NothingCreated, NotShown, OutcomeUnknown
from core.signatures import BadSignature
from payments.providers.base import (
    Admission,
    CallbackAnswer,
    FailureCode,
    Line,
    MoneyMoved,
    Notice,
    Order,
    RawCallback,
    ReceiptKind,
    Report,
    Step,
    Topic,
    Word,
)
from payments.providers.bayarind_account import Protocol

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

_EXISTS = "transaction is exist"
_MISCONFIGURED: Mapping[str, str] = {
    "invalid auth code": "Bayarind refuses the secret key of the channel",
    "invalid company code": "Bayarind refuses the company code",
    "channelid cant be empty": "Bayarind misses the channel",
}
_REFUSALS: Mapping[str, tuple[str, str]] = {
    "invalid transactiondate": (FailureCode.INVALID_REQUEST, "Bayarind refuses the date of the payment."),
    "invalid transaction date format": (FailureCode.INVALID_REQUEST, "Bayarind refuses the form of the date."),
    "failed": (FailureCode.PROVIDER_ERROR, "Bayarind could not take the payment."),
}
"""After these of an insert, in lower case, nothing was created. Missing, and so unknown until it is asked about: that
the transaction exists, ours as nobody else draws its number, and every other message."""

_VOIDED = "transaction has been canceled"
_VOID_REFUSALS: Mapping[str, str] = {
    "transaction not found": "Bayarind does not know this payment.",
    "transaction has been paid": "The payment is paid already.",
}

_FLAG_WORDS: Mapping[str, Word] = {"00": Word.SUCCEEDED}
"""Any other status is not paid, and none is documented: what it means is for a person."""
_FLAG_TYPES = ("11", "12", "13")
"""A payment, the same again, and one that was flagged by hand: each tells of the payment."""
_STATUS_WORDS: Mapping[str, Word] = {"00": Word.SUCCEEDED, "03": Word.REQUIRES_ACTION}
_SAYS_NOTHING: Mapping[str, str] = {"02": "it is not found", "04": "a technical problem"}

_ADMISSIONS: Mapping[Admission, tuple[str, str]] = {
    Admission.ACCEPTED: ("00", "Success"),
    Admission.ALREADY_PAID: ("02", "Transaction has been paid"),
    Admission.EXPIRED: ("04", "Transaction has been expired"),
    Admission.CANCELLED: ("05", "Transaction has been cancelled"),
    Admission.UNKNOWN_REFERENCE: ("01", "Invalid Transaction"),
    Admission.WRONG_AMOUNT: ("01", "Invalid Transaction Amount"),
    Admission.NOT_OPEN: ("05", "Transaction has been cancelled"),
    Admission.ELSEWHERE: ("01", "Invalid Channel ID"),
    Admission.UNCLEAR: ("01", "Invalid Transaction Status"),
}
"""Bayarind takes 00 and 02 as done, and has the bank give back the money after every other answer. So 02 is for money
that is booked: to a payment that other money has paid, the answer is 05."""

_NO_DATE = "none"
_LONGEST_DESCRIPTION, _LONGEST_NAME, _LONGEST_PHONE, _LONGEST_ITEM = 60, 30, 20, 60


class Classic(Protocol):
    def authorize(self, request: Request) -> Request:
        """The authCode of an insert, which is never stored. Nothing is sent that lacks what the account must say."""
        form = wire.form_of(request.body)
        if not form.get("serviceCode"):
            raise Misconfigured("the account has no service code for this way to pay")
        if "transactionDate" not in form:
            return request
        if not form.get("customerAccount"):
            raise Misconfigured("the account has no company code for this bank")
        code = wire.insert_code(form, secret=self.credentials.secret_key)
        return replace(request, body=urlencode({**form, "authCode": code}).encode())

    def check_credentials(self) -> None:
        """An insert that cannot be taken, as its date is none: whoever may not insert is told so first."""
        form = {
            "channelId": self.credentials.channel_id,
            "serviceCode": next(iter(self.options.service_codes.values()), self.options.service_code("bca")),
            "currency": wire.CURRENCY,
            "transactionNo": "CHECK",
            "transactionAmount": "10000",
            "transactionDate": _NO_DATE,
            "transactionExpire": _NO_DATE,
            "customerAccount": "0",
            "customerName": self.options.customer_name,
        }
        response = self.connection.send(self.authorize(self._post(self.options.register_path, form)))
        try:
            _read_insert(wire.answered(response))
        except Misconfigured as fault:
            if fault.provider_code != "invalid company code":
                raise
        except NothingCreated:
            return

    def create(self, order: Order) -> Step:
        """Insert. The number is unique there, so that the same sent again makes no second payment."""
        money = self._units(order.money)
        form = {
            "channelId": self.credentials.channel_id,
            "serviceCode": self.service_code(order),
            "currency": wire.CURRENCY,
            "transactionNo": order.reference,
            "transactionAmount": str(money),
            "transactionFee": "0",
            "transactionDate": wire.stamp(self.begins(order)),
            "transactionExpire": wire.stamp(self.ends(order)),
            "description": order.description[:_LONGEST_DESCRIPTION],
            "customerAccount": self._account_number(order),
            "customerName": self.payer_name(order, _LONGEST_NAME),
            "itemDetails": _item_details(order.lines, order.money),
        }
        if order.method == "ewallet":
            form["callbackURL"] = order.return_url
        if order.method != "qris":
            # Nobody but us may show a QRIS code, so Bayarind is not told where it could send it.
            form |= {"customerEmail": order.payer.email, "customerPhone": order.payer.phone[:_LONGEST_PHONE]}
        kept = {name: value for name, value in form.items() if value or name in ("serviceCode", "customerAccount")}
        return Step(self._post(self.options.register_path, kept), partial(self._read_created, order))

    def _units(self, money: Money) -> int:
        return money.in_units(0)

    def _account_number(self, order: Order) -> str:
        """The company's code before a number of the payment's own; empty where a bank's code is not known."""
        number = wire.customer_number(order.reference, service_code=self.service_code(order))
        if order.method != "virtual_account":
            return number
        company = self.options.company_codes.get(order.channel, "")
        return company and company + number

    def fetch(self, order: Order) -> Step:
        asked = {"transactionNo": order.reference, "transactionDate": wire.stamp(self.begins(order))}
        form = self._named(order) | {"queryRequest": json.dumps([asked])}
        return Step(self._post(self.options.status_path, form), partial(self._read_status, order))

    def cancel(self, order: Order) -> Step:
        form = self._named(order) | {
            "transactionNo": order.reference,
            "transactionAmount": str(self._units(order.money)),
            "transactionType": "VOID INSERT",
        }
        return Step(self._post(self.options.void_path, form), partial(self._read_voided, order))

    def _named(self, order: Order) -> dict[str, str]:
        return {"channelId": self.credentials.channel_id, "serviceCode": self.service_code(order)}

    def _post(self, path: str, form: Mapping[str, str]) -> Request:
        return Request("POST", self.connection.base_url + path, _FORM, urlencode(form).encode())

    def _read_created(self, order: Order, response: Response) -> Report:
        told = wire.answered(response)
        insert_id = _read_insert(told)
        if told.get("channelid") not in (None, self.credentials.channel_id):
            raise OutcomeUnknown("an answer about another channel")
        report = Report(Word.REQUIRES_ACTION, insert_id, "00", expires_at=self.ends(order))
        action = self._next_action(told, order)
        if action is None:
            return replace(report, word=Word.UNKNOWN, provider_status="00, not as asked")
        return replace(report, next_action=action)

    def _next_action(self, told: Mapping[str, Any], order: Order) -> dict[str, str] | None:
        """What the payer is shown; None where it is not what was asked for, and must be shown to nobody."""
        if order.method == "virtual_account":
            return self._instructions(order)
        values = {name: str(told.get(name) or "") for name in _SHOWN}
        if order.method == "qris":
            code = next((value for value in values.values() if value.startswith(qris.BEGINNING)), "")
            if code:
                return {"type": "qr", "qr_string": code}
        link = next((value for value in values.values() if re.match(r"https?://[^\s]+\Z", value)), "")
        return {"type": "redirect", "url": link} if link else None

    def _instructions(self, order: Order) -> dict[str, str]:
        return {"type": "instructions", "channel": order.channel, "code": self._account_number(order)}

    def _read_status(self, order: Order, response: Response) -> Report:
        """A question that is refused says nothing; nor does "not found", as what was sent may be on its way."""
        try:
            return self._read_listed(order, wire.answered(response)["queryresponse"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise OutcomeUnknown("an answer of an unknown shape") from error

    def _read_listed(self, order: Order, rows: Any) -> Report:
        listed = [wire.in_lower_case(row) for row in rows] if isinstance(rows, list) else []
        told = next((row for row in listed if row.get("transactionno") == order.reference), None)
        if told is None:
            raise NotShown("an answer that does not show the payment")
        status = wire.word(told["transactionstatus"])
        known = Word(self.options.status_words.get(status) or _STATUS_WORDS.get(status, Word.UNKNOWN))
        if known is Word.UNKNOWN and status in _SAYS_NOTHING:
            raise OutcomeUnknown(f"answer {status}: {_SAYS_NOTHING[status]}")
        report = Report(known, order.provider_id, status)
        if known is Word.SUCCEEDED:
            return replace(report, moved=(_paid(wire.rupiah(told["transactionamount"]), order.reference),))
        if known is Word.REQUIRES_ACTION:
            shown = self._instructions(order) if order.method == "virtual_account" else None
            return replace(report, next_action=shown, expires_at=self.ends(order))
        return report

    def _read_voided(self, order: Order, response: Response) -> Report:
        told = wire.answered(response)
        status, message = _status_of(told, "transactionstatus", "transactionmessage")
        if status == "00" or message == _VOIDED:
            return Report(Word.CANCELLED, order.provider_id, "void")
        if status == "01" and message in _VOID_REFUSALS:
            raise NothingCreated(_VOID_REFUSALS[message], code=FailureCode.INVALID_REQUEST, provider_code=message)
        raise OutcomeUnknown(f"answer {status} to a void")

    # The payment flag

    def verify(self, callback: RawCallback) -> None:
        try:
            form = wire.form_of(callback.body)
            wire.check_flag_code(form, secrets=self.credentials.secrets())
        except (KeyError, ValueError) as error:
            raise Forged("it carries no authCode") from error
        except BadSignature as error:
            raise Forged(str(error)) from error
        if form["channelId"] != self.credentials.channel_id:
            raise Forged("it is about another channel")

    def read_callback(self, callback: RawCallback) -> Notice:
        """The insert id is the payment's, our own number that of its money: the bank's is covered by no hash."""
        form = wire.form_of(callback.body)
        if not re.fullmatch(r"[0-9a-fA-F]{64}", form["authCode"]):
            raise ValueError("no authCode")
        reference, insert_id = wire.identifier(form["transactionNo"]), wire.identifier(form["insertId"])
        money = wire.rupiah(form["transactionAmount"], form["currency"])
        status, kind = wire.word(form["transactionStatus"]), form.get("flagType") or _FLAG_TYPES[0]
        word = Word(self.options.flag_words.get(status) or _FLAG_WORDS.get(status, Word.UNKNOWN))
        if kind not in _FLAG_TYPES:
            word, status = Word.UNKNOWN, f"{status}, flag type {kind[:10]}"
        moved = (_paid(money, reference),) if word is Word.SUCCEEDED else ()
        report = Report(word, insert_id, status, moved)
        return Notice(Topic.PAYMENT, report, payment_provider_id=insert_id, reference=reference, money=money)

    def admit(self, callback: RawCallback, admission: Admission) -> CallbackAnswer:
        """The answer decides: whatever is said of the payment, a flag that does not say paid is not accepted."""
        try:
            form = wire.form_of(callback.body)
        except ValueError:
            form = {}
        status, message = _ADMISSIONS[admission]
        if status == "00" and form and not self._says_paid(callback):
            status, message = "01", "Invalid Transaction Status"
        answer = {
            "channelId": self.credentials.channel_id,
            "currency": wire.CURRENCY,
            "paymentStatus": status,
            "paymentMessage": message,
            "flagType": form.get("flagType", ""),
            "paymentReffId": form.get("paymentReffId", ""),
        }
        return CallbackAnswer(body=json.dumps(answer).encode())

    def _says_paid(self, callback: RawCallback) -> bool:
        try:
            report = self.read_callback(callback).report
        except (KeyError, ValueError):
            return False
        return report is not None and report.word is Word.SUCCEEDED


_SHOWN = ("urlqris", "redirectdata", "paymentcode", "redirecturl", "apppaymenturl", "deeplink")
"""Where an answer may tell what to show, the best first."""


def _read_insert(told: Mapping[str, Any]) -> str:
    """The insert id of an answer. Raises NothingCreated for the refusals of the table."""
    status, message = _status_of(told, "insertstatus", "insertmessage")
    try:
        if status == "00":
            return wire.identifier(told.get("insertid"))
    except ValueError as error:
        raise OutcomeUnknown("an insert without an id") from error
    if status == "01" and message in _MISCONFIGURED:
        raise Misconfigured(_MISCONFIGURED[message], provider_code=message)
    if status == "01" and message in _REFUSALS:
        ours, text = _REFUSALS[message]
        raise NothingCreated(text, code=ours, provider_code=message)
    raise OutcomeUnknown("the number is taken, by the same insert" if message == _EXISTS else f"answer {status}")


def _status_of(told: Mapping[str, Any], status: str, message: str) -> tuple[str, str]:
    try:
        return wire.word(told.get(status)), str(told.get(message) or "").strip().lower()[:100]
    except ValueError as error:
        raise OutcomeUnknown("an answer without a status") from error


def _item_details(lines: tuple[Line, ...], total: Money) -> str:
    """Lines in whole rupiah that add up, as JSON; empty where they do not: then the payer sees the description."""
    items = [
        {"itemName": line.name[:_LONGEST_ITEM], "price": line.unit_price.amount // 100, "quantity": line.quantity}
        for line in lines
    ]
    adds_up = sum(line.unit_price.amount * line.quantity for line in lines) == total.amount
    return json.dumps(items) if items and adds_up and all(_is_carried(line) for line in lines) else ""


def _is_carried(line: Line) -> bool:
    return line.unit_price.currency == wire.CURRENCY and line.unit_price.amount > 0 == line.unit_price.amount % 100


def _paid(money: Money, reference: str) -> MoneyMoved:
    return MoneyMoved(ReceiptKind.CAPTURE, money, reference)
