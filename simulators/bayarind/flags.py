"""Payments, and the flags that ask the merchant about them: its answer decides whether the bank keeps the money.

The vendor publishes no schedule of repetitions; that an unanswered flag is sent again as advice (type 12) is known.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import requests

from simulators.bayarind import snap
from simulators.bayarind.books import Bill, Books, hashed, stamp
from simulators.bayarind.keys import MERCHANTS, OURS
from simulators.bayarind.settings import BayarindSettings
from simulators.bayarind.words import ADVICE, BY_HAND, DONE, EXPIRED, PAID, PAYMENT, PENDING, SUCCESS, UNHEARD
from simulators.callbacks import Sender
from simulators.ledger import Conflict

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STRANGER = "ffffffffffffffffffffffffffffffff"
NOT_PAID = "01"


@dataclass
class Message:
    """What goes out, and where the answer has the status in the words of the classic table."""

    url: str
    body: bytes
    headers: Mapping[str, str]


class Flags:
    def __init__(self, books: Books, settings: BayarindSettings, sender: Sender) -> None:
        self._books, self._settings, self._sender = books, settings, sender

    def act(self, bill: Bill, outcome: str, mode: str = "") -> Bill:
        """What the payer does. Conflict for a bill that has ended, unless money comes late."""
        mode = mode or bill.mode or self._settings.callback_mode
        ends = outcome in ("timeout", "expire")
        with self._books.lock:
            if bill.state == PAID or (bill.state != PENDING and outcome != "late_success"):
                raise Conflict(f"{bill.id} is {bill.state}")
            if ends:
                bill.state, bill.expires = EXPIRED, min(bill.expires, time.time())
                self._books.keep(bill)
        if outcome == "failed_flag":
            self._ask(bill, PAYMENT, mode, status=NOT_PAID)
        elif outcome not in UNHEARD and not ends:
            self._pay(bill, BY_HAND if outcome == "reconcile" else PAYMENT, mode)
        return bill

    def _pay(self, bill: Bill, kind: str, mode: str) -> None:
        bill.receipt = f"BCA-{bill.id[-4:]}{int(time.time()) % 10_000:04}"
        if mode == "missing":
            self._settle(bill, PAID, "missing on purpose")
        elif mode in ("late", "reordered"):
            self._sender.timer.later(self._settings.callback_late_seconds, lambda: self._ask(bill, kind, ""), bill.id)
        else:
            self._ask(bill, kind, mode)
        if mode == "duplicate":
            again = self._settings.callback_duplicate_seconds
            self._sender.timer.later(again, lambda: self._ask(bill, ADVICE, ""), bill.id)

    def _ask(self, bill: Bill, kind: str, mode: str, status: str = SUCCESS, tried: int = 0) -> None:
        """Without an answer the bank keeps the money, and asks again for as long as there are retries."""
        before = bill.state if bill.state != PAID else PENDING
        answer = self._posted(bill, self._written(bill, kind, mode, status))
        if status != SUCCESS:
            return
        if answer:
            self._settle(bill, PAID if answer in DONE else before, answer)
            return
        self._settle(bill, PAID, "no answer")
        if tried < len(self._settings.callback_retries):
            seconds = self._settings.callback_retries[tried]
            self._sender.timer.later(seconds, lambda: self._ask(bill, ADVICE, mode, tried=tried + 1), bill.id)

    def _settle(self, bill: Bill, state: str, answer: str) -> None:
        with self._books.lock:
            bill.state, bill.answer, bill.told = state, answer, answer in DONE
            self._books.keep(bill)

    def _posted(self, bill: Bill, message: Message) -> str:
        """The status of the answer; empty where there is none, as for any HTTP status but 200."""
        told, result = "", "no URL is registered"
        if message.url:
            try:
                answer = requests.post(
                    message.url,
                    data=message.body,
                    headers=dict(message.headers),
                    timeout=self._settings.callback_timeout_seconds,
                    allow_redirects=False,
                )
                result = str(answer.status_code)
                told = self._status(bill, answer.json()) if answer.status_code == 200 else ""
            except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
                result = type(error).__name__
        about = f"{bill.id} {bill.number}"
        self._sender.log.append({"at": time.time(), "url": message.url, "about": about, "result": told or result})
        return told

    def _status(self, bill: Bill, told: dict[str, Any]) -> str:
        """In the words of the classic flag. A fault of the merchant's own is no answer."""
        if bill.api == "classic":
            return str(told["paymentStatus"])
        code = str(told["responseCode"])
        return "" if code.startswith("5") else snap.ANSWERS.get(code, "01")

    def _written(self, bill: Bill, kind: str, mode: str, status: str) -> Message:
        if bill.api == "snap":
            return self._signed(bill, kind, mode)
        secret = STRANGER if mode == "bad_signature" else self._settings.channels.get(bill.channel, STRANGER)
        told = _form(_spoiled(bill, mode), kind, status)
        names = ("transactionNo", "transactionAmount", "channelId", "transactionStatus", "insertId")
        told["authCode"] = hashed(*(told[name] for name in names), secret)
        if mode == "tampered":
            told["transactionAmount"] = str(bill.amount + 1)
        return Message(self._settings.flag_url, urlencode(told).encode(), FORM)

    def _signed(self, bill: Bill, kind: str, mode: str) -> Message:
        told = snap.payment(_spoiled(bill, mode), kind, self._settings.channels.get(bill.channel, STRANGER))
        body, primes = json.dumps(told).encode(), MERCHANTS if mode == "bad_signature" else OURS
        path = self._settings.snap_signed_path
        sent = snap.headers(body, path=path, channel=bill.channel, service=bill.service, primes=primes)
        if mode == "tampered":
            body = body.replace(f'"{bill.amount}.00"'.encode(), f'"{bill.amount + 1}.00"'.encode())
        return Message(self._settings.snap_url, body, sent)


def _spoiled(bill: Bill, mode: str) -> Bill:
    """The bill as a flag of that mode shows it, rightly signed."""
    if mode in ("under", "over"):
        return replace(bill, amount=bill.amount + (1 if mode == "over" else -1))
    return replace(bill, id="1") if mode == "wrong_insert" else bill


def _form(bill: Bill, kind: str, status: str) -> dict[str, str]:
    return {
        "channelId": bill.channel,
        "currency": "IDR",
        "transactionNo": bill.number,
        "transactionAmount": str(bill.amount),
        "transactionDate": stamp(time.time()),
        "channelType": bill.service,
        "transactionStatus": status,
        "transactionMessage": "Approved" if status == SUCCESS else "Failed",
        "customerAccount": bill.account,
        "flagType": kind,
        "insertId": bill.id,
        "paymentReffId": bill.receipt,
        "additionalData": json.dumps({}) if bill.back else "",
    }
