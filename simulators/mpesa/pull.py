"""Pull Transactions: the customers' payments of the last two days, by row offset.

Source: developer.safaricom.co.ke, PullTransaction; the spaced keys and `RequestID` are the live sandbox's.
"""

from __future__ import annotations

import datetime
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from simulators.memory import Table
from simulators.mpesa.books import EAST_AFRICA, Books, Transaction
from simulators.mpesa.errors import MpesaError, new_request_id
from simulators.mpesa.fields import MSISDN, SHORT_CODE, Fields
from simulators.mpesa.settings import MpesaSettings
from simulators.server import Answer

JSON = dict[str, Any]
REGISTERED, REGISTERED_BEFORE, FOUND, NONE_FOUND = "1000", "1001", "1000", "1001"
NOTHING_THERE = "Failed to retrieve transactions. The short code does not have any available transactions"


@dataclass
class Registered:
    short_code: str
    number: str
    url: str


class Pull:
    """`pay` lets a customer pay: it is how a list changes while somebody reads it."""

    def __init__(self, books: Books, settings: MpesaSettings, pay: Callable[[JSON], JSON]) -> None:
        self._books, self._settings, self._pay = books, settings, pay
        self.registered: Table[Registered] = books.memory.table("pull", lambda row: Registered(**row), asdict)

    def register(self, fields: Fields) -> JSON:
        """Once or again: both are a success, told apart by the status."""
        short_code = self._short_code(fields)
        fields.choice("RequestType", "Pull")
        row = Registered(short_code, fields.text("NominatedNumber", MSISDN), fields.url("CallBackURL"))
        with self._books.lock:
            known = short_code in self.registered
            self.registered.put(short_code, row)
        status = REGISTERED_BEFORE if known else REGISTERED
        said = "Shortcode already Registered" if known else "Shortcode Registered Successfully"
        names = (
            ("Response Status", "Response Description") if self._sandbox else ("ResponseStatus", "ResponseDescription")
        )
        return {"ResponseRefID": new_request_id(), names[0]: status, "ShortCode": short_code, names[1]: said}

    @property
    def _sandbox(self) -> bool:
        return self._settings.pull_dialect == "sandbox"

    def _short_code(self, fields: Fields) -> str:
        short_code = fields.optional("ShortCode")
        known = short_code in self._settings.passkeys or short_code in self._settings.tills
        if not SHORT_CODE.match(short_code) or not known:
            raise MpesaError("400.001", "Bad Request - Invalid ShortCode")
        return short_code

    def query(self, fields: Fields) -> Answer:
        """One page of what came to the short code within the window, which no older row is in than 48 hours."""
        short_code, since, until = self._short_code(fields), _moment(fields, "StartDate"), _moment(fields, "EndDate")
        if self._settings.pull_needs_registration and short_code not in self.registered:
            raise MpesaError("400.001", "Bad Request - Invalid ShortCode")
        offset = fields.optional("OffSetValue") or "0"
        if not offset.isdigit():
            raise MpesaError("400.001", "Bad Request - Invalid OffSetValue")
        since = max(since, time.time() - self._settings.pull_hours * 3600)
        first = 0 if self._settings.pull_ignores_offset else int(offset)
        rows = self._listed(short_code, since, until)[first : first + self._settings.pull_page]
        for _ in range(self._settings.pull_intruders):
            self._pay({"short_code": short_code, "amount": "1", "callback": "missing", "validation": "missing"})
        return self._page(rows) if rows else self._empty()

    def _listed(self, short_code: str, since: float, until: float) -> list[Transaction]:
        """Payments of customers, prompted or not; what was paid out or given back is not listed."""
        ours = {short_code, *(till for till, store in self._settings.tills.items() if store == short_code)}
        with self._books.lock:
            rows = [row for row in self._books.transactions.rows() if row.kind == "payment" and row.short_code in ours]
        found = [row for row in rows if since <= self._told_at(row) <= until]
        return found[::-1] if self._settings.pull_order == "newest_first" else found

    def _told_at(self, row: Transaction) -> float:
        return row.at + self._settings.clock_ahead_seconds

    def _reference(self) -> JSON:
        name = "RequestID" if self._sandbox else "ResponseRefID"
        return {name: f"{random.randint(10_000, 99_999)}-{random.randint(1_000_000, 9_999_999)}-2"}

    def _page(self, rows: list[Transaction]) -> Answer:
        """A list of lists: one, or several of `pull_inner` rows each."""
        written = [self._written(row) for row in rows]
        size = self._settings.pull_inner or len(written)
        inner = [written[start : start + size] for start in range(0, len(written), size)]
        return Answer.of_json(
            {**self._reference(), "ResponseCode": FOUND, "ResponseMessage": "Success", "Response": inner}
        )

    def _empty(self) -> Answer:
        if self._settings.pull_empty == "error":
            return MpesaError("500", NOTHING_THERE, 500).answer()
        told = {**self._reference(), "ResponseCode": NONE_FOUND, "ResponseMessage": "No transactions"}
        if self._settings.pull_empty == "text":
            return Answer.of_json(told | {"Transaction": "[[]]"})
        return Answer.of_json({**told, "Response": [[]]})

    def _written(self, row: Transaction) -> JSON:
        tills = self._settings.tills
        till = row.short_code in tills or row.short_code in tills.values()
        at = datetime.datetime.fromtimestamp(self._told_at(row), datetime.UTC)
        if self._settings.pull_dates == "local":
            at = at.astimezone(EAST_AFRICA)
        return {
            "transactionId": row.receipt,
            "trxDate": f"{at:%Y-%m-%dT%H:%M:%S}Z",
            "msisdn": f"{row.phone[:4]} ***** {row.phone[-3:]}"
            if self._settings.hashed_numbers
            else int(row.phone[3:]),
            "sender": "ACHIENG",
            "transactiontype": "c2b-buy-goods-debit" if till else "c2b-pay-bill-debit",
            "billreference": "" if till else row.reference,
            "amount": f"{row.amount:,}.00" if self._settings.pull_thousands else f"{row.amount}.00",
            "organizationname": "Lango Shop",
        }

    def clear(self) -> None:
        self.registered.clear()


def _moment(fields: Fields, name: str) -> float:
    """`YYYY-MM-DD HH:mm:ss` or without its seconds, on the clock of Nairobi."""
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"):
        try:
            read = datetime.datetime.strptime(fields.optional(name), form)  # noqa: DTZ007  (its zone is known)
        except ValueError:
            continue
        return read.replace(tzinfo=EAST_AFRICA).timestamp()
    raise MpesaError("400.001", f"Bad Request - Invalid {name}")
