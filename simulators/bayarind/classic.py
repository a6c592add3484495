"""The classic calls: forms in, JSON out, HTTP 200 whatever it says.

Source: github.com/devops-bayarind/snap-converter, and public integrations with Bayarind's sample code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from simulators.bayarind.books import JSON, Bill, Books, hashed, seconds
from simulators.bayarind.settings import BayarindSettings
from simulators.bayarind.words import PAID, VOIDED
from simulators.qris import dynamic

Form = Mapping[str, str]

NUMBER, AMOUNT = re.compile(r"[A-Za-z0-9]{1,18}\Z"), re.compile(r"[0-9]{1,10}\Z")
ACCOUNT, WALLET, CARD = re.compile(r"[0-9]{1,23}\Z"), "1083", "2001"
LONGEST = {"description": 60, "customerName": 30, "customerPhone": 20, "additionalData": 100}


class Refused(Exception):
    """`insertStatus` 01 with this message."""


class Classic:
    def __init__(self, books: Books, settings: BayarindSettings) -> None:
        self._books, self._settings = books, settings

    def insert(self, form: Form, mode: str, origin: str) -> tuple[JSON, Bill | None]:
        """The answer, and the bill where there is a new one."""
        try:
            with self._books.lock:
                bill = self._checked(form, mode)
                self._books.add(bill)
        except Refused as refused:
            return self._answer(form, "01", str(refused)), None
        shown = self._shown(bill, origin)
        return self._answer(form, "00", "Success", insertId=bill.id, **shown), bill

    def _checked(self, form: Form, mode: str) -> Bill:
        """A safer order than the vendor's sample, which checks the authCode last."""
        channel, number, amount = (form.get(name, "") for name in ("channelId", "transactionNo", "transactionAmount"))
        secret = self._settings.channels.get(channel)
        if not channel:
            raise Refused("channelId cant be empty")
        if secret is None or form.get("authCode") != hashed(number, amount, channel, secret):
            raise Refused("Invalid auth code")
        date = form.get("transactionDate", "")
        begins, ends = _moment(date), _moment(form.get("transactionExpire", ""))
        service, account = form.get("serviceCode", ""), form.get("customerAccount", "")
        too_long = any(len(form.get(name, "")) > most for name, most in LONGEST.items())
        fits = NUMBER.match(number) and AMOUNT.match(amount) and int(amount) and ACCOUNT.match(account)
        if not (fits and service and form.get("customerName") and form.get("currency") == "IDR") or too_long:
            raise Refused("Failed")
        if not account.startswith(self._settings.company_codes.get(service, "")):
            raise Refused("Invalid Company Code")
        if self._books.find(channel, number):
            raise Refused("Transaction is Exist")
        return Bill(
            id=self._books.next_insert(),
            channel=channel,
            service=service,
            number=number,
            amount=int(amount),
            date=date,
            made=begins,
            expires=ends,
            account=account,
            name=form["customerName"],
            mode=mode,
            back=form.get("callbackURL", ""),
        )

    def _shown(self, bill: Bill, origin: str) -> dict[str, str]:
        if bill.service == self._settings.qris_service_code:
            is_link = self._settings.qris_field == "urlQris"
            return {self._settings.qris_field: f"{origin}/_simulator/pay/{bill.id}" if is_link else code_of(bill)}
        if bill.service in (WALLET, CARD):
            return {"redirectURL": f"{origin}/_simulator/pay/{bill.id}"}
        return {}

    def _answer(self, form: Form, status: str, message: str, **more: str) -> JSON:
        empty = ("redirectURL", "redirectData", "paymentCode", "urlQris", "appPaymentUrl", "deeplink")
        told = {
            "channelId": form.get("channelId", ""),
            "currency": "IDR",
            "insertStatus": status,
            "insertMessage": message,
            "insertId": "",
            **dict.fromkeys(empty, ""),
            "additionalData": form.get("additionalData", ""),
            **more,
        }
        return self.cased(told)

    def cased(self, told: JSON) -> JSON:
        is_lower = self._settings.key_case == "lower"
        return {name.lower(): value for name, value in told.items()} if is_lower else told

    def question(self, form: Form) -> JSON:
        """Of an error the answer is a text, where a list stands otherwise."""
        answer: JSON = {"channelId": form.get("channelId", ""), "queryResponse": "Invalid queryRequest Format"}
        try:
            asked = json.loads(form.get("queryRequest", ""))
            rows = [self._status(answer["channelId"], row["transactionNo"], row["transactionDate"]) for row in asked]
        except (ValueError, TypeError, KeyError):
            return self.cased(answer)
        if form.get("serviceCode"):
            answer["queryResponse"] = rows
        return self.cased(answer)

    def _status(self, channel: str, number: str, date: str) -> JSON:
        with self._books.lock:
            bill = self._books.find(channel, number)
        if bill is None or bill.date != date:
            status, message, amount = "02", "Transaction Not Found", ""
        elif bill.state == PAID:
            status, message, amount = "00", "Success", str(bill.amount)
        else:
            status, message, amount = "03", "No Payment", str(bill.amount)
        return {
            "transactionNo": number,
            "transactionAmount": amount,
            "transactionDate": date,
            "transactionStatus": status,
            "transactionMessage": message,
        }

    def void(self, form: Form) -> JSON:
        channel, number = form.get("channelId", ""), form.get("transactionNo", "")
        with self._books.lock:
            bill = self._books.find(channel, number)
            named = bill and form.get("transactionAmount") == str(bill.amount) and form.get("serviceCode")
            message = self.voided(bill if named and form.get("transactionType") == "VOID INSERT" else None)
        status = "01" if message else "00"
        answer = {"channelId": channel, "transactionNo": number, "transactionStatus": status}
        return self.cased(answer | {"transactionMessage": message or "Success"})

    def voided(self, bill: Bill | None) -> str:
        """Why it cannot be voided; empty when it is. The books are locked."""
        if bill is None:
            return "Transaction Not Found"
        if bill.state == PAID:
            return "Transaction Has Been Paid"
        if bill.state == VOIDED:
            return "Transaction Has Been Canceled"
        bill.state = VOIDED
        self._books.keep(bill)
        return ""


def _moment(stamped: str) -> float:
    if not stamped:
        raise Refused("Invalid transactionDate")
    try:
        return seconds(stamped)
    except ValueError:
        raise Refused("Invalid transaction date format") from None


def code_of(bill: Bill) -> str:
    """The text of the code with which a bill by QRIS is paid."""
    return dynamic(amount=bill.amount, merchant_id=bill.channel, reference=bill.id, acquirer="gopay")
