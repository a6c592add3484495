"""The wallet: codes that wait to be scanned, and the page that an invoice opens."""

from __future__ import annotations

from html import escape
from itertools import islice

from simulators import pages
from simulators.xendit.books import Books, Invoice, is_open, is_payable, status_of
from simulators.xendit.words import PAID, SETTLED

SHOWN = 15
CHOICES = {"approve": "Pay", "decline": "Be refused", "expire": "Let it expire"}


def wallet_page(books: Books) -> str:
    with books.lock:
        codes, invoices = list(books.codes.newest_first()), list(books.invoices.newest_first())
    waiting = [_card(row.id, row.reference, row.amount, "code") for row in codes if is_payable(row)]
    waiting += [_card(row.id, row.reference, row.amount, "invoice") for row in invoices if is_open(row)]
    past = [(row.reference, _rupiah(row.amount), row.status) for row in codes if not is_payable(row)]
    past += [(row.reference, _rupiah(row.amount), status_of(row)) for row in invoices if not is_open(row)]
    return pages.phone("Xendit", "Codes and invoices", waiting, pages.history(islice(past, SHOWN)) + pages.SCAN_LINK)


def invoice_page(invoice: Invoice) -> str:
    """Afterwards it leads back to the shop."""
    head = "<header><span>Simulated invoice</span></header>"
    if is_open(invoice):
        card = _card(invoice.id, invoice.reference, invoice.amount, "invoice", f"/_simulator/invoice/{invoice.id}")
        return pages.page("Invoice", f"{head}<h1>Pay this invoice?</h1>{card}")
    done = pages.card(_rupiah(invoice.amount), [f"This invoice is {status_of(invoice)}."])
    back = way_back(invoice)
    link = f'<p><a href="{escape(back)}">Back to the shop</a></p>' if back else ""
    return pages.page("Invoice", f"{head}<h1>Nothing to pay</h1>{done}{link}")


def way_back(invoice: Invoice) -> str:
    name = "success_redirect_url" if invoice.status in (PAID, SETTLED) else "failure_redirect_url"
    return str(invoice.asked.get(name) or "")


def _card(id: str, reference: str, amount: int | None, what: str, action: str = "/_simulator/phone") -> str:
    foot = _typing(action, id) if amount is None else pages.buttons(action, id, CHOICES)
    return pages.card(_rupiah(amount), [f"{what}, reference {reference}", id], foot)


def _typing(action: str, id: str) -> str:
    """A static code is paid with what is typed, and by the next payer again."""
    return (
        f'<form method="post" action="{escape(action)}"><input type="hidden" name="id" value="{escape(id)}">'
        '<p><label>Amount in rupiah<br><input name="amount" inputmode="numeric" value="10000"></label></p>'
        '<button class="yes" name="outcome" value="approve">Pay</button></form>'
    )


def _rupiah(amount: int | None) -> str:
    return "any amount" if amount is None else f"Rp {amount:,}".replace(",", ".")
