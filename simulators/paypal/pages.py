"""PayPal's approval page, and the list of orders that wait for their payer."""

from __future__ import annotations

from html import escape
from itertools import islice
from typing import Any

from simulators import pages
from simulators.paypal.amounts import shown
from simulators.paypal.books import Books
from simulators.paypal.buyer import OPEN

JSON = dict[str, Any]
SHOWN = 15
CHOICES = {"approve": "Pay now", "cancel": "Cancel and return"}
MORE_CHOICES = {
    "approve": "Approve",
    "decline": "Approve, then refused",
    "instrument_declined": "Approve, instrument declined",
    "cancel": "Cancel",
}


def approval_page(order: JSON) -> str:
    """What the payer sees; its buttons lead back to the caller's addresses."""
    head = "<header><span>Simulated PayPal</span><span>checkout</span></header>"
    unit = order["document"]["units"][0]
    status = order["document"]["status"]
    if status in (*OPEN, "APPROVED"):
        action = f"/_simulator/checkoutnow?token={order['id']}"
        asked = pages.card(shown(unit["amount"]), _lines(unit), pages.buttons(action, "", CHOICES))
        return pages.page("PayPal checkout", f"{head}<h1>Pay with PayPal?</h1>{asked}")
    done = pages.card(shown(unit["amount"]), [f"This order is {status}."])
    return pages.page("PayPal checkout", f"{head}<h1>Nothing to approve</h1>{done}")


def agreement_page(setup: JSON) -> str:
    """Where the payer lets an account be saved for later payments."""
    head = "<header><span>Simulated PayPal</span><span>agreement</span></header>"
    status = setup["document"]["status"]
    if status != "PAYER_ACTION_REQUIRED":
        return pages.page("PayPal agreement", f"{head}<h1>Nothing to approve</h1><p>{escape(status)}</p>")
    action = f"/_simulator/agreements/approve?token={setup['id']}"
    choices = {"approve": "Agree and continue", "cancel": "Cancel and return"}
    described = str(setup["document"]["payment_source"]["paypal"].get("description") or "Later payments")
    asked = pages.card("Save PayPal", [described], pages.buttons(action, "", choices))
    return pages.page("PayPal agreement", f"{head}<h1>Pay by PayPal from now on?</h1>{asked}")


def _lines(unit: JSON) -> list[str]:
    items = [f"{item.get('quantity')} x {item.get('name')}" for item in unit.get("items") or []]
    return [str(unit.get("description") or "Payment"), *items]


def orders_page(books: Books) -> str:
    with books.lock:
        rows = list(books.orders.newest_first())
    waiting = [_waiting(row) for row in rows if row["document"]["status"] in OPEN]
    past = [row for row in rows if row["document"]["status"] not in OPEN]
    return pages.phone("PayPal", "PayPal asks", waiting, pages.history(_past(row) for row in islice(past, SHOWN)))


def _waiting(order: JSON) -> str:
    page = f"/_simulator/checkoutnow?token={order['id']}"
    link = f'<p class="soft"><a href="{escape(page)}">Open the page as the payer sees it</a></p>'
    foot = link + pages.buttons("/_simulator/phone", order["id"], MORE_CHOICES)
    unit = order["document"]["units"][0]
    return pages.card(shown(unit["amount"]), [order["id"], *_lines(unit)], foot)


def _past(order: JSON) -> tuple[str, str, str]:
    return order["id"], shown(order["document"]["units"][0]["amount"]), order["document"]["status"]
