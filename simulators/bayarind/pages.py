"""The payer's bank: bills that wait, and the page that a link opens."""

from __future__ import annotations

import time
from html import escape
from itertools import islice

from simulators import pages
from simulators.bayarind.books import Bill, Books
from simulators.bayarind.words import PENDING

SHOWN = 15
CHOICES = {"approve": "Pay", "decline": "Decline", "expire": "Let it expire", "late_success": "Pay late"}


def bank_page(books: Books) -> str:
    with books.lock:
        rows = list(books.bills.newest_first())
    waiting = [_card(row, "/_simulator/phone") for row in rows if row.state == PENDING]
    past = islice((row for row in rows if row.state != PENDING), SHOWN)
    table = pages.history((row.account, _amount(row), f"{row.state} {row.answer}".strip()) for row in past)
    return pages.phone("Bayarind", "Bills to pay", waiting, table + pages.SCAN_LINK)


def pay_page(bill: Bill) -> str:
    """What a link opens; afterwards it leads back to the shop."""
    head = "<header><span>Simulated Bayarind</span></header>"
    if bill.state == PENDING:
        return pages.page("Bayarind", f"{head}<h1>Pay?</h1>{_card(bill, f'/_simulator/pay/{bill.id}')}")
    done = pages.card(_amount(bill), [f"This bill is {bill.state}."])
    link = f'<p><a href="{escape(bill.back)}">Back to the shop</a></p>' if bill.back else ""
    return pages.page("Bayarind", f"{head}<h1>Nothing to pay</h1>{done}{link}")


def _card(bill: Bill, action: str) -> str:
    left = max(int(bill.expires - time.time()), 0)
    lines = [f"to account {bill.account}, {bill.name}", f"{bill.number}, insert {bill.id}, {left} s left"]
    return pages.card(_amount(bill), lines, pages.buttons(action, bill.id, CHOICES))


def _amount(bill: Bill) -> str:
    return f"Rp {bill.amount:,}".replace(",", ".")
