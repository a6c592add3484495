"""The payer: codes and numbers that wait to be paid, and the page that a redirect payment opens."""

from __future__ import annotations

import time
from html import escape
from itertools import islice

from simulators import pages
from simulators.ipaymu.books import PAGE, Books, Payment
from simulators.ipaymu.words import DESCRIPTIONS, PENDING

SHOWN = 15
CHOICES = {"approve": "Pay", "decline": "Fail", "timeout": "Let it expire", "approve_unsettled": "Pay, unsettled"}


def wallet_page(books: Books) -> str:
    with books.lock:
        rows = list(books.payments.newest_first())
    waiting = [_card(row, "/_simulator/phone") for row in rows if row.status == PENDING]
    past = islice((row for row in rows if row.status != PENDING), SHOWN)
    table = pages.history((row.reference, _amount(row), DESCRIPTIONS[row.status]) for row in past)
    return pages.phone("iPaymu", "Codes to pay", waiting, table + pages.SCAN_LINK)


def payment_page(payment: Payment) -> str:
    """What the address of a redirect payment opens; afterwards it leads back to the shop."""
    head = "<header><span>Simulated iPaymu</span></header>"
    if payment.status == PENDING:
        card = _card(payment, f"/_simulator/payment/{payment.session}")
        return pages.page("iPaymu", f"{head}<h1>Pay by QRIS?</h1>{card}")
    done = pages.card(_amount(payment), [f"This payment: {DESCRIPTIONS[payment.status]}."])
    link = f'<p><a href="{escape(payment.back)}">Back to the shop</a></p>' if payment.back else ""
    return pages.page("iPaymu", f"{head}<h1>Nothing to pay</h1>{done}{link}")


def _card(payment: Payment, action: str) -> str:
    left = max(int(payment.expires - time.time()), 0)
    how = f"{payment.method} {payment.channel} {payment.number}" if payment.transaction else "a page, nothing chosen"
    lines = [f"{how}, reference {payment.reference}", f"{payment.transaction or payment.session}, {left} s left"]
    choices = CHOICES | {"choose": "Choose how"} if payment.kind == PAGE else CHOICES
    return pages.card(_amount(payment), lines, pages.buttons(action, payment.session, choices))


def _amount(payment: Payment) -> str:
    return f"Rp {payment.total:,}".replace(",", ".")
