"""The list of transactions: filters, and pages by the id of the item before.

Source: docs.xendit.co (list-transactions). Not said there: the order of "by created date", the most that a page holds.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from simulators.xendit.books import JSON
from simulators.xendit.errors import invalid
from simulators.xendit.fields import Call
from simulators.xendit.settings import XenditSettings
from simulators.xendit.transactions import Transactions

SAME = ("reference_id", "product_id", "account_identifier", "currency")
ONE_OF = {"types": "type", "statuses": "status", "channel_categories": "channel_category"}
DEFAULT_LIMIT = 10


class Listing:
    """`pay` lets somebody pay: it is how a list changes while it is read."""

    def __init__(self, transactions: Transactions, settings: XenditSettings, pay: Callable[[str], object]) -> None:
        self._transactions, self._settings, self._pay = transactions, settings, pay
        self._said: tuple[str, JSON] | None = None

    def search(self, call: Call) -> JSON:
        query = call.request.query
        found = self._filtered(call.business, query)
        limit, after = self._limit(query), dict(query).get("after_id", "")
        rest = found[_place(found, after, "after_id") + 1 :] if after else found
        before = dict(query).get("before_id", "")
        if before:
            rest = rest[: _place(rest, before, "before_id")][-limit:]
        page = self._page(call, rest[:limit], is_last=len(rest) <= limit)
        for _ in range(self._settings.transactions_intruders):
            self._pay(call.business)
        return self._once_more(after, page) if self._settings.transactions_doubled else page

    def _filtered(self, business: str, query: list[tuple[str, str]]) -> list[JSON]:
        wanted = dict(query)
        chosen = {name: {value for told, value in query if told == name} for name in ONE_OF}
        found = [
            item
            for item in self._transactions.all(business)
            if all(item[name] == wanted[name] for name in SAME if name in wanted)
            and all(item[ONE_OF[name]] in values for name, values in chosen.items() if values)
            and all(_within(item, wanted, name) for name in ("created", "updated"))
        ]
        return found[::-1] if self._settings.transactions_order == "newest_first" else found

    def _limit(self, query: list[tuple[str, str]]) -> int:
        asked = dict(query).get("limit", str(DEFAULT_LIMIT))
        if not re.fullmatch(r"[1-9]\d{0,5}(\.0)?", asked):
            raise invalid("limit", "must be a number above zero")
        return min(int(float(asked)), self._settings.transactions_page)

    def _page(self, call: Call, items: list[JSON], *, is_last: bool) -> JSON:
        written = [item | {"amount": self._amount(item["amount"])} for item in items]
        if is_last or not items:
            return {"has_more": False, "data": written, "links": []}
        others = [(name, value) for name, value in call.request.query if name not in ("after_id", "before_id")]
        href = f"/transactions?{urlencode([*others, ('after_id', items[-1]['id'])])}"
        return {"has_more": True, "data": written, "links": [{"href": href, "rel": "next", "method": "GET"}]}

    def _amount(self, amount: int) -> Any:
        """A number; some samples of the documentation have it as a text."""
        return {"text": str(amount), "thousands": f"{amount:,}.00"}.get(self._settings.transactions_amounts, amount)

    def _once_more(self, after: str, page: JSON) -> JSON:
        """What was said last, once again, where it is the page that this one follows."""
        said = self._said
        self._said = None if said and said[0] == after else (page["data"][-1]["id"] if page["data"] else "", page)
        return said[1] if said and said[0] == after and after else page

    def clear(self) -> None:
        self._said = None


def _place(items: list[JSON], id: str, name: str) -> int:
    for place, item in enumerate(items):
        if item["id"] == id:
            return place
    raise invalid(name, "names no transaction of the list")


def _within(item: JSON, wanted: dict[str, str], name: str) -> bool:
    at = datetime.datetime.fromisoformat(item[name])
    since, until = (_moment(wanted, f"{name}[{edge}]") for edge in ("gte", "lte"))
    return (since is None or at >= since) and (until is None or at <= until)


def _moment(wanted: dict[str, str], name: str) -> datetime.datetime | None:
    if name not in wanted:
        return None
    try:
        read = datetime.datetime.fromisoformat(wanted[name])
    except ValueError:
        raise invalid(name, "must be a time of ISO 8601") from None
    return read if read.tzinfo else read.replace(tzinfo=datetime.UTC)
