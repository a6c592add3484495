"""STK push: the prompt on a handset, what becomes of it, and the callback that tells.

Source: developer.safaricom.co.ke, MpesaExpressSimulate and MpesaExpressQuery.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from simulators.callbacks import Callback, Sender
from simulators.ledger import Conflict
from simulators.mpesa.books import Books, Prompt, Transaction, new_merchant_id, stamp
from simulators.mpesa.errors import being_processed, invalid, locked_subscriber
from simulators.mpesa.fields import MSISDN, SHORT_CODE, Fields
from simulators.mpesa.settings import MpesaSettings
from simulators.mpesa.words import (
    ABOVE_MAXIMUM,
    DESCRIPTIONS,
    LATE_SUCCESS_AMOUNT,
    MAGIC_PHONES,
    NO_OPERATOR,
    NOT_ASSIGNED,
    STILL_PENDING,
    SUCCESS,
    UNREACHABLE,
    written,
)

JSON = dict[str, Any]
PAYBILL, BUY_GOODS = "CustomerPayBillOnline", "CustomerBuyGoodsOnline"
ACCEPTED = "Success. Request accepted for processing"
DIFFERENCE = 10
CALLBACK_HEADERS = {"Content-Type": "application/json", "User-Agent": "M-PESA simulator"}


class Prompts:
    """Opens prompts and settles each once; a late success is the one way to settle it again."""

    def __init__(
        self, books: Books, settings: MpesaSettings, sender: Sender, confirm: Callable[[Transaction], None]
    ) -> None:
        self._books, self._settings, self._sender = books, settings, sender
        self._confirm = confirm

    def push(self, fields: Fields, mode: str) -> JSON:
        """Queue a prompt. `mode` is how its callback will be sent."""
        prompt = self._new_prompt(fields, mode)
        misdirected = self._misdirected(fields.text("TransactionType"), prompt)
        with self._books.lock:
            if prompt.phone in self._books.open_prompts:
                raise locked_subscriber()
            self._books.open_prompts[prompt.phone] = prompt.id = self._books.new_checkout_id(prompt.phone)
            self._books.prompts.put(prompt.id, prompt)
        self._plan(prompt, misdirected)
        return {
            "MerchantRequestID": prompt.merchant_id,
            "CheckoutRequestID": prompt.id,
            "ResponseCode": "0",
            "ResponseDescription": ACCEPTED,
            "CustomerMessage": ACCEPTED,
        }

    def _new_prompt(self, fields: Fields, mode: str) -> Prompt:
        fields.choice("TransactionType", PAYBILL, BUY_GOODS)
        amount, phone = fields.amount(), fields.text("PhoneNumber", MSISDN)
        fields.text("PartyA", MSISDN)
        receiver, url = fields.text("PartyB", SHORT_CODE), fields.url("CallBackURL")
        reference = fields.short("AccountReference", 12)
        fields.short("TransactionDesc", 13, refused_as="Remarks")
        short_code = fields.business(self._settings)
        return Prompt("", new_merchant_id(), short_code, receiver, phone, amount, reference, url, time.time(), mode)

    def _misdirected(self, kind: str, prompt: Prompt) -> str:
        """The result that a wrong pair of short code and receiver ends with, or ""."""
        short_code, receiver, tills = prompt.short_code, prompt.receiver, self._settings.tills
        if kind == PAYBILL:
            fits, known = receiver == short_code and short_code not in tills.values(), True
        else:
            fits, known = tills.get(receiver) == short_code, receiver in tills
        return "" if fits else NOT_ASSIGNED if known else NO_OPERATOR

    def _plan(self, prompt: Prompt, misdirected: str) -> None:
        """Decide what happens when nobody touches the phone."""
        seconds, result = self._fate(prompt, misdirected)
        if (prompt.mode or self._settings.callback_mode) == "before_answer":
            self._settle_unless_settled(prompt.id, SUCCESS if result == UNREACHABLE else result)
            return
        if prompt.amount == LATE_SUCCESS_AMOUNT and not misdirected:
            self._sender.timer.later(self._settings.approve_seconds, lambda: self._be_late(prompt.id))
        self._settle_later(seconds, prompt.id, result)

    def _fate(self, prompt: Prompt, misdirected: str) -> tuple[float, str]:
        settings = self._settings
        if misdirected:
            return 0.0, misdirected
        if prompt.amount > settings.max_amount:
            return 0.0, ABOVE_MAXIMUM
        result = MAGIC_PHONES.get(prompt.phone)
        if result is None and (settings.auto_approve or prompt.phone in settings.approving_phones):
            result = SUCCESS
        if result is None or result == UNREACHABLE or prompt.amount == LATE_SUCCESS_AMOUNT:
            return settings.prompt_seconds, UNREACHABLE
        return settings.approve_seconds, result

    def resume(self) -> None:
        """After a restart an open prompt still has the rest of its life."""
        for prompt in self._books.prompts.rows():
            if not prompt.result:
                left = prompt.opened + self._settings.prompt_seconds - time.time()
                self._settle_later(max(left, 0.0), prompt.id, UNREACHABLE)

    def _settle_later(self, seconds: float, id: str, result: str) -> None:
        self._sender.timer.later(seconds, lambda: self._settle_unless_settled(id, result))

    def _settle_unless_settled(self, id: str, result: str) -> None:
        try:
            self.settle(id, result)
        except (Conflict, KeyError):
            # The payer or a reset was faster than the clock.
            return

    def _be_late(self, id: str, mode: str = "") -> None:
        try:
            self.settle(id, UNREACHABLE, mode)
        except (Conflict, KeyError):
            return
        self._sender.timer.later(self._settings.late_success_seconds, lambda: self._pay_late(id, mode))

    def _pay_late(self, id: str, mode: str) -> None:
        try:
            self.settle(id, SUCCESS, mode, late=True)
        except (Conflict, KeyError):
            return

    def late_success(self, id: str, mode: str = "") -> None:
        """1037 now and money later; or, for a prompt that already ended unpaid, money now."""
        with self._books.lock:
            prompt = self._books.prompts.get(id)
            if prompt is None:
                raise KeyError(id)
            ended = bool(prompt.result)
        if ended:
            self.settle(id, SUCCESS, mode, late=True)
        else:
            self._be_late(id, mode)

    def settle(self, id: str, result: str, mode: str = "", *, late: bool = False) -> Prompt:
        """End a prompt with a result code and send its callback. KeyError, or Conflict when it has ended."""
        with self._books.lock:
            prompt = self._books.prompts.get(id)
            if prompt is None:
                raise KeyError(id)
            if prompt.result and not (late and prompt.result != SUCCESS):
                raise Conflict(f"{id} has ended with {prompt.result}")
            mode = mode or prompt.mode or self._settings.callback_mode
            prompt.result, prompt.late = result, late
            if self._books.open_prompts.get(prompt.phone) == id:
                del self._books.open_prompts[prompt.phone]
            if result == SUCCESS:
                self._pay(prompt, mode)
            self._books.prompts.put(id, prompt)
            paid = self._books.transactions.get(prompt.receipt)
            body = callback_body(prompt, paid)
        if paid is not None:
            self._confirm(paid)
        self._sender.send([Callback(prompt.url, f"{id} {result}", lambda: (body, CALLBACK_HEADERS), id)], mode)
        return prompt

    def _pay(self, prompt: Prompt, mode: str) -> None:
        """Move the money. The callback's amount is always what moved, also when it is not what was asked."""
        amount = prompt.amount
        if mode == "under":
            amount = amount - DIFFERENCE if amount > DIFFERENCE else max(amount // 2, 1)
        if mode == "over":
            amount += DIFFERENCE
        prompt.receipt = self._books.new_receipt()
        paid = Transaction(
            prompt.receipt, "payment", prompt.short_code, prompt.phone, amount, prompt.reference, prompt.id,
            time.time(),
        )  # fmt: skip
        self._books.transactions.put(paid.receipt, paid)

    def query(self, fields: Fields) -> JSON:
        """What became of a prompt: strings only, and neither receipt nor amount nor phone."""
        short_code = fields.business(self._settings)
        id = fields.text("CheckoutRequestID")
        with self._books.lock:
            prompt = self._books.prompts.get(id)
            result = prompt.result if prompt else ""
        if prompt is None or prompt.short_code != short_code:
            raise invalid("CheckoutRequestID")
        if not result and self._settings.pending_shape == "legacy":
            raise being_processed()
        result = result or STILL_PENDING
        return {
            "ResponseCode": "0",
            "ResponseDescription": "The service request has been accepted successfully",
            "MerchantRequestID": prompt.merchant_id,
            "CheckoutRequestID": prompt.id,
            "ResultCode": result,
            "ResultDesc": DESCRIPTIONS.get(result, "Failed"),
        }


def callback_body(prompt: Prompt, paid: Transaction | None) -> bytes:
    """The JSON for CallBackURL; a failure has no `CallbackMetadata` at all."""
    callback: JSON = {
        "MerchantRequestID": prompt.merchant_id,
        "CheckoutRequestID": prompt.id,
        "ResultCode": written(prompt.result),
        "ResultDesc": DESCRIPTIONS.get(prompt.result, "Failed"),
    }
    if prompt.result == SUCCESS and paid:
        items: list[JSON] = [
            {"Name": "Amount", "Value": "AMOUNT"},
            {"Name": "MpesaReceiptNumber", "Value": paid.receipt},
            {"Name": "Balance"},
            {"Name": "TransactionDate", "Value": int(stamp(paid.at))},
            {"Name": "PhoneNumber", "Value": int(paid.phone)},
        ]
        callback["CallbackMetadata"] = {"Item": items}
    text = json.dumps({"Body": {"stkCallback": callback}})
    # A JSON number with two decimals, which no float can be made to print.
    return text.replace('"AMOUNT"', f"{paid.amount}.00" if paid else "").encode()
