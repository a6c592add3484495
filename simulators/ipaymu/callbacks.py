"""Callbacks: of a success, of what is pending and of an end in time; a form, or JSON, signed with the VA number.

Source: content/docs/callback, examples/php.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from simulators.callbacks import Callback, Sender
from simulators.ipaymu.books import JAKARTA, JSON, Payment, settlement, stamp
from simulators.ipaymu.settings import IpaymuSettings
from simulators.ipaymu.signing import of_callback
from simulators.ipaymu.words import SUCCESS, TOLD


class Callbacks:
    def __init__(self, settings: IpaymuSettings, sender: Sender) -> None:
        self._settings, self._sender = settings, sender

    def written(self, payment: Payment, mode: str) -> list[Callback]:
        """The news of this moment, where there is a callback for it; `mode` may spoil it."""
        told_of = replace(payment, status=SUCCESS, paid=payment.paid or payment.begun) if mode == "untrue" else payment
        if not payment.notify_url or told_of.status not in TOLD or not payment.transaction:
            return []
        fields = document(told_of)
        signature = of_callback(fields, "0000000000000000" if mode == "bad_signature" else payment.va)
        headers = _headers("" if mode == "unsigned" else signature)
        if self._settings.callback_format == "json":
            body, content_type = json.dumps(fields).encode(), "application/json"
        else:
            body, content_type = as_form(fields), "application/x-www-form-urlencoded"
        label = f"{payment.transaction} {fields['status']}"
        sent = headers | {"Content-Type": content_type}
        return [Callback(payment.notify_url, label, lambda: (body, sent), payment.session)]

    def send(self, callbacks: list[Callback], mode: str) -> None:
        if callbacks:
            self._sender.send(callbacks, mode)


def _headers(signature: str) -> dict[str, str]:
    """The id is of the callback, whichever attempt at it this is."""
    now = datetime.datetime.now(JAKARTA).isoformat(timespec="seconds")
    signed = {"X-Signature": signature} if signature else {}
    return {**signed, "X-Timestamp": now, "X-External-ID": str(uuid.uuid4())}


def document(payment: Payment) -> JSON:
    """With the types that are signed. `amount` is what the payer pays."""
    word, code = TOLD[payment.status]
    settled, settled_code = settlement(payment) if code == SUCCESS else ("unsettle", payment.status)
    told: JSON = {
        "trx_id": payment.transaction,
        "sid": payment.session,
        "reference_id": payment.reference,
        "status": word,
        "status_code": code,
        "sub_total": str(payment.amount),
        "total": str(payment.total),
        "amount": str(payment.total),
        "fee": str(payment.fee),
        "paid_off": payment.net,
        "created_at": stamp(payment.begun),
        "expired_at": stamp(payment.expires),
        "paid_at": stamp(payment.paid) or "",
        "settlement_status": settled,
        "transaction_status_code": settled_code,
        "is_escrow": False,
        "system_notes": "Sandbox notify",
        "via": payment.method,
        "channel": payment.channel,
        "payment_no": payment.number,
        "buyer_name": payment.name,
        "buyer_email": payment.email,
        "buyer_phone": payment.phone,
        "additional_info": [],
        "url": payment.notify_url,
    }
    return told | {"va": payment.number} if payment.method == "va" else told


def as_form(fields: Mapping[str, object]) -> bytes:
    """As PHP builds a query: truth is 1 or 0, and an empty list is not there at all."""
    pairs = {name: int(value) if isinstance(value, bool) else value for name, value in fields.items() if value != []}
    return urlencode(pairs).encode()
