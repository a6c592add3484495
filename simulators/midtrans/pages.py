"""The wallet: codes that wait to be scanned, and the page that a GoPay link opens."""

from __future__ import annotations

import time
from html import escape
from itertools import islice
from urllib.parse import urlencode

from simulators import pages
from simulators.midtrans.books import Books, Transaction
from simulators.midtrans.words import PENDING, SETTLEMENT

SHOWN = 15
CHOICES = {"approve": "Pay", "decline": "Decline", "timeout": "Let it expire"}
GOPAY_CHOICES = CHOICES | {"approve_by_qr": "Pay by scanning"}


def wallet_page(books: Books) -> str:
    with books.lock:
        rows = list(books.transactions.newest_first())
    waiting = [_card(row, "/_simulator/phone") for row in rows if row.status == PENDING]
    past = islice((row for row in rows if row.status != PENDING), SHOWN)
    table = pages.history((row.order_id, _amount(row), row.status) for row in past)
    return pages.phone("Midtrans", "Codes to scan", waiting, table + pages.SCAN_LINK)


def gopay_page(transaction: Transaction) -> str:
    """What the link opens; afterwards it leads back to the shop."""
    head = "<header><span>Simulated GoPay</span></header>"
    if transaction.status == PENDING:
        card = _card(transaction, f"/_simulator/gopay/{transaction.id}")
        return pages.page("GoPay", f"{head}<h1>Pay with GoPay?</h1>{card}")
    done = pages.card(_amount(transaction), [f"This payment is {transaction.status}."])
    back = way_back(transaction)
    link = f'<p><a href="{escape(back)}">Back to the shop</a></p>' if back else ""
    return pages.page("GoPay", f"{head}<h1>Nothing to pay</h1>{done}{link}")


def way_back(transaction: Transaction) -> str:
    """The caller's address with the result that GoPay appends; empty where it gave none."""
    if not transaction.back:
        return ""
    result = "success" if transaction.status == SETTLEMENT else "failure"
    joint = "&" if "?" in transaction.back else "?"
    return transaction.back + joint + urlencode({"order_id": transaction.order_id, "result": result})


def _card(transaction: Transaction, action: str) -> str:
    left = max(int(transaction.expires - time.time()), 0)
    lines = [f"{transaction.asked_as}, order {transaction.order_id}", f"{transaction.id}, {left} s left"]
    choices = GOPAY_CHOICES if transaction.asked_as == "gopay" else CHOICES
    return pages.card(_amount(transaction), lines, pages.buttons(action, transaction.id, choices))


def _amount(transaction: Transaction) -> str:
    return f"Rp {transaction.amount:,}".replace(",", ".")
