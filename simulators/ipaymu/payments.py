"""Payments: what the payer is shown, and what becomes of it. Source: content/docs (direct and redirect payment)."""

from __future__ import annotations

import time

from simulators.callbacks import Callback, Sender
from simulators.ipaymu.books import DIRECT, JSON, Books, Payment, created
from simulators.ipaymu.callbacks import Callbacks
from simulators.ipaymu.settings import IpaymuSettings
from simulators.ipaymu.words import (
    DECLINED,
    ENDED_UNPAID,
    EXPIRED,
    FAILED,
    MAGIC_AMOUNTS,
    PAID,
    PENDING,
    SUCCESS,
)
from simulators.ledger import Conflict
from simulators.qris import crc, element

NNS = "93600503"


class Payments:
    """Makes payments and settles each once; a late success is the one way to settle it again."""

    def __init__(self, books: Books, settings: IpaymuSettings, sender: Sender, callbacks: Callbacks) -> None:
        self._books, self._settings, self._sender, self._callbacks = books, settings, sender, callbacks

    def create(self, payment: Payment, origin: str) -> JSON:
        """A reference may come twice: then there are two transactions of it."""
        mode = payment.mode or self._settings.callback_mode
        with self._books.lock:
            if payment.kind == DIRECT:
                self._begin(payment)
            self._books.payments.put(payment.session, payment)
            answer = created(payment, origin) if payment.kind == DIRECT else _page(payment, origin)
            news = self._callbacks.written(payment, "")
        self._expire_later(payment)
        if mode == "before_answer":
            self._callbacks.send(news, "normal")
            self._unless_settled(payment.session, SUCCESS)
            return answer
        self._callbacks.send(news, mode)
        if self._settings.auto_approve:
            seconds = self._settings.approve_seconds
            self._sender.timer.later(seconds, lambda: self._unless_settled(payment.session, SUCCESS))
        return answer

    def settle(self, session: str, status: int, mode: str = "", *, late: bool = False, chosen: bool = False) -> Payment:
        """End it as the payer or the clock does. KeyError, or Conflict when it has ended.

        With `chosen` it expires after the payer had chosen how to pay on its page.
        """
        with self._books.lock:
            payment = self._known(session)
            if payment.status != PENDING and not (late and payment.status in ENDED_UNPAID):
                raise Conflict(f"{session} has ended with {payment.status}")
            if status in PAID and MAGIC_AMOUNTS.get(payment.amount) == DECLINED:
                status = FAILED
            if status != EXPIRED or payment.kind == DIRECT or chosen:
                self._begin(payment)
            mode = mode or payment.mode or self._settings.callback_mode
            news = self._ended(payment, status, mode)
        self._callbacks.send(news, mode)
        return payment

    def follow(self, session: str, of: tuple[int, ...], status: int, mode: str) -> Payment:
        """What comes after a success: settlement, or a refund at the dashboard. Conflict where there was none."""
        with self._books.lock:
            payment = self._known(session)
            if payment.status not in of:
                raise Conflict(f"{session} is {payment.status}")
            news = self._ended(payment, status, mode)
        self._callbacks.send(news if status == SUCCESS else [], mode)
        return payment

    def say(self, session: str, mode: str, *, begins: bool) -> Payment:
        """A callback of how it stands, or as `mode` spoils it; `begins` chooses how to pay first."""
        with self._books.lock:
            payment = self._known(session)
            if begins:
                self._begin(payment)
                self._books.payments.put(session, payment)
            news = self._callbacks.written(payment, mode)
        self._callbacks.send(news, mode)
        return payment

    def resume(self) -> None:
        """After a restart what is pending still has the rest of its life."""
        for payment in self._books.payments.rows():
            if payment.status == PENDING:
                self._expire_later(payment)

    def _known(self, session: str) -> Payment:
        payment = self._books.payments.get(session)
        if payment is None:
            raise KeyError(session)
        return payment

    def _begin(self, payment: Payment) -> None:
        self._books.begin(payment, time.time())
        if payment.method == "qris":
            payment.code = payment.code or _code(payment)
        else:
            payment.number = f"0{payment.transaction:011}"

    def _ended(self, payment: Payment, status: int, mode: str) -> list[Callback]:
        now = time.time()
        payment.status = status
        if status in PAID:
            payment.paid = payment.paid or now
        if status == SUCCESS:
            payment.settled = now
        self._books.payments.put(payment.session, payment)
        return self._callbacks.written(payment, mode)

    def _expire_later(self, payment: Payment) -> None:
        left = payment.expires + self._settings.expiry_notice_seconds - time.time()
        self._sender.timer.later(max(left, 0.0), lambda: self._unless_settled(payment.session, EXPIRED))

    def _unless_settled(self, session: str, status: int) -> None:
        try:
            self.settle(session, status)
        except (Conflict, KeyError):
            # The payer or a reset was faster than the clock.
            return


def _page(payment: Payment, origin: str) -> JSON:
    return {"SessionID": payment.session, "Url": f"{origin}/_simulator/payment/{payment.session}"}


def _code(payment: Payment) -> str:
    """A QRIS code for what the payer pays, the fee with it where they bear it."""
    account = element("00", "COM.NOBUBANK.WWW") + element("01", NNS + payment.va[-11:]) + element("02", payment.va[:15])
    national = element("00", "ID.CO.QRIS.WWW") + element("02", f"ID{payment.va[-13:]}") + element("03", "UMI")
    text = "".join(
        (
            element("00", "01"),
            element("01", "12"),
            element("26", account + element("03", "UMI")),
            element("51", national),
            element("52", "5812"),
            element("53", "360"),
            element("54", str(payment.total)),
            element("58", "ID"),
            element("59", "TOKO CONTOH"),
            element("60", "DENPASAR"),
            element("61", "80115"),
            element("62", element("01", str(payment.transaction)) + element("07", "A01")),
            "6304",
        )
    )
    return text + crc(text)
