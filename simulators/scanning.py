"""The customer's phone: it scans the QRIS code that is on a screen, whichever company has issued it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from simulators import pages, qris
from simulators.ledger import Conflict
from simulators.server import Answer, Request

if TYPE_CHECKING:
    from simulators.simulator import Simulator

PATH = "/_simulator/scan"
SHOWN = 15
CHOICES = {"succeed": "Pay", "fail": "Decline", "expire": "Let it expire"}
LONGEST = 1000
LARGEST = 10_000_000


@dataclass(frozen=True)
class Issued:
    """A code that a company has issued. `state` is the company's word for what it is about."""

    id: str
    text: str
    state: str
    is_open: bool


class Scanning:
    """The page under PATH, the same at every company that stands in one process."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def page(self, request: Request) -> Answer:
        text = dict(request.query).get("code", "").strip()
        return Answer.of_html(self._scanned(text) if text else self._camera())

    def press(self, request: Request) -> Answer:
        """A button. Whatever could not be done is said; afterwards the page shows how the code stands."""
        form = dict(request.form)
        text, outcome = form.get("code", "").strip(), form.get("outcome", "")
        found = self._find(text)
        if found is None or outcome not in CHOICES:
            return Answer.of_html(self._scanned(text))
        company, issued = found
        try:
            company.simulate({"id": issued.id, "outcome": outcome, **_amount(text, form)})
        except (KeyError, ValueError, Conflict) as refused:
            return Answer.of_html(self._scanned(text, told=f"That was not possible: {refused}."))
        after = self._find(text)
        if after and after[1].is_open:
            return Answer.of_html(
                self._scanned(text, told=f"{company.title} tells nobody of that: it can still be paid.")
            )
        return Answer.redirect(f"{PATH}?{urlencode({'code': text})}")

    def _camera(self) -> str:
        """What a camera would see: what is held before it, and every code that waits on a screen now."""
        waiting = [
            _poster(company, issued, read)
            for company in self._companies()
            for issued, read in islice(_readable(company), SHOWN)
        ]
        near = "".join(waiting) or '<p class="empty">No code is shown anywhere.</p>'
        return _page("Scan a code", f"{_FORM}<h2>On screens now</h2>{near}")

    def _scanned(self, text: str, told: str = "") -> str:
        try:
            read = qris.read(text[:LONGEST])
        except ValueError as fault:
            return _page("This cannot be paid", _said(f"It is no QRIS code: {fault}.") + _AGAIN)
        found = self._find(text)
        lines = [f"{read.merchant}, {read.city}"]
        if found is None:
            foot = _said("Nobody here has issued this code.")
            return _page("This cannot be paid", pages.card(_rupiah(read), lines, foot) + _AGAIN)
        company, issued = found
        lines += [f"by {company.title}, {issued.id}"]
        if not issued.is_open:
            foot = _said(told or f"{company.title} says that it is over: {issued.state}.")
            return _page("Nothing to pay", pages.card(_rupiah(read), lines, foot) + _AGAIN)
        foot = (_said(told) if told else "") + _buttons(text, asks_amount=read.amount is None)
        return _page(f"Pay {read.merchant}?", pages.card(_rupiah(read), lines, foot) + _AGAIN)

    def _find(self, text: str) -> tuple[Simulator, Issued] | None:
        for company in self._companies():
            for issued in company.codes():
                if issued.text == text:
                    return company, issued
        return None

    def _companies(self) -> list[Simulator]:
        return list(self._simulator.neighbours.values()) or [self._simulator]


def _readable(company: Simulator) -> Iterator[tuple[Issued, qris.Read]]:
    for issued in company.codes():
        if issued.is_open:
            yield issued, qris.read(issued.text)


def _amount(text: str, form: Mapping[str, str]) -> dict[str, int]:
    """What the payer types, for a code that names no amount."""
    if qris.read(text).amount is not None or form.get("outcome") != "succeed":
        return {}
    typed = form.get("amount", "").strip()
    if not (typed.isascii() and typed.isdigit() and 0 < int(typed[:12]) <= LARGEST):
        raise ValueError("type an amount in whole rupiah")
    return {"amount": int(typed)}


_FORM = (
    f'<form method="get" action="{PATH}"><p><label>What the code says<br>'
    '<textarea name="code" rows="5" required autofocus spellcheck="false"></textarea></label></p>'
    '<button class="yes">Scan</button></form>'
)
_AGAIN = f'<p class="soft"><a href="{PATH}">Scan another code</a></p>'


def _page(heading: str, body: str) -> str:
    head = "<header><span>QRIS</span><span>simulated phone</span></header>"
    return pages.page("Scan", f"{head}<h1>{escape(heading)}</h1>{body}")


def _said(words: str) -> str:
    return f'<p role="status">{escape(words)}</p>'


def _poster(company: Simulator, issued: Issued, read: qris.Read) -> str:
    link = f"{PATH}?{urlencode({'code': issued.text})}"
    foot = f'<p><a href="{escape(link)}">Scan this code</a></p>'
    return pages.card(_rupiah(read), [f"{read.merchant}, {read.city}", f"by {company.title}, {issued.id}"], foot)


def _buttons(text: str, *, asks_amount: bool) -> str:
    """One form: what is typed goes with whichever button is pressed."""
    field = '<p><label>Amount in rupiah<br><input name="amount" inputmode="numeric"></label></p>' if asks_amount else ""
    styles = ("yes", "no", "")
    choices = "".join(
        f'<button class="{style}" name="outcome" value="{outcome}">{label}</button>'
        for style, (outcome, label) in zip(styles, CHOICES.items(), strict=True)
    )
    return (
        f'<form method="post" action="{PATH}"><input type="hidden" name="code" value="{escape(text)}">'
        f'{field}<div class="buttons">{choices}</div></form>'
    )


def _rupiah(read: qris.Read) -> str:
    if read.amount is None:
        return "Any amount"
    whole, _, cents = f"{Decimal(read.amount):,}".partition(".")
    return f"Rp {whole.replace(',', '.')}{f',{cents}' if cents.strip('0') else ''}"
