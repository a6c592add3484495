"""C2B: payments that a customer starts, by paybill or till, and the addresses that are told of them.

Source: developer.safaricom.co.ke, CustomerToBusiness and CustomerToBusinessRegisterURL.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import requests

from simulators.callbacks import Callback, Sender
from simulators.memory import Table
from simulators.mpesa.books import Books, Transaction, stamp
from simulators.mpesa.errors import MpesaError, invalid, new_request_id
from simulators.mpesa.fields import MSISDN, SHORT_CODE, Fields
from simulators.mpesa.settings import MpesaSettings

JSON = dict[str, Any]
PAYBILL, BUY_GOODS = "CustomerPayBillOnline", "CustomerBuyGoodsOnline"
LONGEST_REFERENCE = 20
HEADERS = {"Content-Type": "application/json", "User-Agent": "M-PESA simulator"}
COMPLETED, CANCELLED = "Completed", "Cancelled"


@dataclass
class Addresses:
    """What is registered for one short code. `response_type` is what happens while validation does not answer."""

    short_code: str
    response_type: str
    confirmation: str
    validation: str
    version: str


class Paybill:
    def __init__(self, books: Books, settings: MpesaSettings, sender: Sender) -> None:
        self._books, self._settings, self._sender = books, settings, sender
        self.addresses: Table[Addresses] = books.memory.table("addresses", lambda row: Addresses(**row), asdict)

    def register(self, fields: Fields, version: str) -> JSON:
        """Keep the two addresses of a short code: as often as one likes, or once where `register_once` is set."""
        short_code = fields.text("ShortCode", SHORT_CODE)
        if not self._knows(short_code):
            raise invalid("ShortCode")
        row = Addresses(
            short_code,
            fields.choice("ResponseType", COMPLETED, CANCELLED),
            fields.url("ConfirmationURL"),
            fields.url("ValidationURL"),
            version,
        )
        with self._books.lock:
            if self._settings.register_once and short_code in self.addresses:
                raise MpesaError("500.003.1001", "Urls are already registered.")
            self.addresses.put(short_code, row)
        # Safaricom's spelling.
        return {"OriginatorCoversationID": new_request_id(), "ResponseCode": "0", "ResponseDescription": "Success"}

    def _knows(self, short_code: str) -> bool:
        return short_code in self._settings.passkeys or short_code in self._settings.tills

    def request(self, fields: Fields) -> JSON:
        """`/mpesa/c2b/v2/simulate`: the payment of a customer, which goes on by itself."""
        kind = fields.choice("CommandID", PAYBILL, BUY_GOODS)
        short_code = fields.text("ShortCode", SHORT_CODE)
        wanted = {
            "short_code": short_code,
            "amount": fields.amount(),
            "phone": fields.text("Msisdn", MSISDN),
            "reference": fields.optional("BillRefNumber") if kind == PAYBILL else "",
        }
        if not self._knows(short_code):
            raise invalid("ShortCode")
        self._sender.timer.later(0, partial(self._pay_later, wanted))
        return {
            "OriginatorCoversationID": new_request_id(),
            "ResponseCode": "0",
            "ResponseDescription": "Accept the service request successfully.",
        }

    def _pay_later(self, wanted: Mapping[str, Any]) -> None:
        self.pay(wanted)

    def pay(self, wanted: Mapping[str, Any]) -> JSON:
        """A customer pays: validation, where somebody validates, then the money and its confirmation.

        `callback` is how the confirmation goes out; with `validation` "missing" nobody is asked.
        """
        short_code, amount = str(wanted.get("short_code", "")), str(wanted.get("amount", ""))
        if not self._knows(short_code):
            raise ValueError(f"no short code {short_code!r}")
        if not amount.isdigit() or not 0 < int(amount) <= self._settings.max_amount:
            raise ValueError("amount must be whole shillings that M-Pesa takes")
        reference = str(wanted.get("reference") or "")[:LONGEST_REFERENCE]
        phone = str(wanted.get("phone") or self._settings.approving_phones[0])
        if not MSISDN.match(phone):
            raise ValueError("phone must be 2547XXXXXXXX or 2541XXXXXXXX")
        with self._books.lock:
            receipt = self._books.new_receipt()
        paid = Transaction(receipt, "payment", short_code, phone, int(amount), reference, receipt, time.time())
        refusal = self._refusal(paid) if wanted.get("validation", "") != "missing" else ""
        if refusal:
            return {"id": receipt, "state": "rejected", "result": refusal}
        with self._books.lock:
            self._books.transactions.put(receipt, paid)
        self.confirm(paid, str(wanted.get("callback") or ""))
        return {"id": receipt, "state": "paid", "result": "0"}

    def _refusal(self, paid: Transaction) -> str:
        """The code with which the payment is refused, "" when it may go on."""
        row = self.addresses.get(paid.short_code)
        if row is None or not self._settings.external_validation:
            return ""
        body = self._body(paid, row, balance=False)
        seconds = self._settings.validation_seconds
        try:
            answer = requests.post(row.validation, data=body, headers=HEADERS, timeout=seconds, allow_redirects=False)
            code = str(answer.json()["ResultCode"]) if answer.status_code == 200 else None
        except (requests.RequestException, ValueError, KeyError, TypeError):
            code = None
        self._sender.log.append(
            {"at": time.time(), "url": row.validation, "about": f"{paid.receipt} validation", "result": code}
        )
        if code is None:
            return "" if row.response_type == COMPLETED else "unreachable"
        return "" if code == "0" else code

    def confirm(self, paid: Transaction, mode: str = "") -> None:
        """Tell of money that has moved, also of what an STK push has moved."""
        row = self.addresses.get(paid.short_code)
        if row is None:
            return
        body = self._body(paid, row, balance=True)
        told = Callback(row.confirmation, f"{paid.receipt} confirmation", lambda: (body, HEADERS), paid.receipt)
        self._sender.send([told], mode or self._settings.confirmation_mode)

    def _body(self, paid: Transaction, row: Addresses, *, balance: bool) -> bytes:
        """All values are texts; the number is masked. At validation there is no balance yet."""
        tills = self._settings.tills
        till = paid.short_code in tills or paid.short_code in tills.values()
        masked = f"{paid.phone[:4]} ***** {paid.phone[-3:]}"
        return json.dumps(
            {
                "TransactionType": "" if row.version == "v1" else "Buy Goods" if till else "Pay Bill",
                "TransID": paid.receipt,
                "TransTime": stamp(paid.at),
                "TransAmount": f"{paid.amount}.00",
                "BusinessShortCode": paid.short_code,
                "BillRefNumber": "" if till else paid.reference,
                "InvoiceNumber": "",
                "OrgAccountBalance": f"{self._balance(paid.short_code)}.00" if balance else "",
                "ThirdPartyTransID": "",
                "MSISDN": _hashed(paid.phone) if self._settings.hashed_numbers else masked,
                "FirstName": "ACHIENG",
                "MiddleName": "",
                "LastName": "",
            }
        ).encode()

    def _balance(self, short_code: str) -> int:
        with self._books.lock:
            rows = [row for row in self._books.transactions.rows() if row.short_code == short_code]
            return sum(row.amount if row.kind == "payment" else -row.amount for row in rows)

    def clear(self) -> None:
        self.addresses.clear()


def _hashed(phone: str) -> str:
    return hashlib.sha256(phone.encode()).hexdigest()
