"""What an API operator may ask: transaction status and reversal, answered later at ResultURL.

Source: developer.safaricom.co.ke, TransactionStatus, Reversal and AccountBalance (codes, common fields).
"""

from __future__ import annotations

import json
import time
from typing import Any

from simulators.callbacks import Callback, Sender
from simulators.mpesa.books import Books, Conversation, Transaction, new_conversation_ids, stamp
from simulators.mpesa.certificate import opened
from simulators.mpesa.errors import invalid
from simulators.mpesa.fields import SHORT_CODE, WHOLE, Fields
from simulators.mpesa.settings import MpesaSettings
from simulators.mpesa.words import (
    ALREADY_REVERSED,
    BUSY,
    DESCRIPTIONS,
    INVALID_PARAMETERS,
    NO_OPERATOR,
    SUCCESS,
    UNKNOWN_ORIGINAL,
    WRONG_PIN,
    written,
)

JSON = dict[str, Any]
Items = list[tuple[str, Any]]
CUSTOMER_NAME, ORGANISATION_NAME = "ACHIENG OTIENO", "Lango Simulator Ltd"
QUEUE_URL = "https://internalsandbox.safaricom.co.ke/mpesa/results/v1/submit"
# What stands in for a transaction that was never made.
DUMMY_RECEIPT = "TKK0000000"
HEADERS = {"Content-Type": "application/json", "User-Agent": "M-PESA simulator"}


class Initiator:
    """Accepts requests at once and works on them later, one after another."""

    def __init__(self, books: Books, settings: MpesaSettings, sender: Sender) -> None:
        self._books, self._settings, self._sender = books, settings, sender

    def status(self, fields: Fields, trouble: str) -> JSON:
        fields.choice("CommandID", "TransactionStatusQuery")
        asked = {
            "receipt": fields.optional("TransactionID"),
            "conversation": fields.optional("OriginalConversationID"),
            "party": fields.text("PartyA", SHORT_CODE),
        }
        fields.choice("IdentifierType", "1", "2", "4")
        if not asked["receipt"] and not asked["conversation"]:
            raise invalid("TransactionID")
        return self._accept("status", fields, asked, trouble)

    def reversal(self, fields: Fields, trouble: str) -> JSON:
        fields.choice("CommandID", "TransactionReversal")
        fields.choice("RecieverIdentifierType", "11")
        asked = {
            "receipt": fields.text("TransactionID"),
            "amount": fields.text("Amount", WHOLE),
            "party": fields.text("ReceiverParty", SHORT_CODE),
        }
        return self._accept("reversal", fields, asked, trouble)

    def _accept(self, kind: str, fields: Fields, asked: dict[str, str], trouble: str) -> JSON:
        asked["initiator"] = fields.text("Initiator")
        asked["credential"] = fields.text("SecurityCredential")
        fields.short("Remarks", 100, 2)
        result_url, timeout_url = fields.url("ResultURL"), fields.url("QueueTimeOutURL")
        id, originator_id = new_conversation_ids()
        conversation = Conversation(
            id,
            originator_id,
            kind,
            asked,
            time.time(),
            trouble,
            result_url=result_url,
            timeout_url=timeout_url,
        )
        with self._books.lock:
            self._books.conversations.put(id, conversation)
        if self._mode(conversation) == "before_answer":
            self._work(conversation)
        else:
            self._sender.timer.later(self._settings.result_seconds, lambda: self._work(conversation))
        return {
            "OriginatorConversationID": originator_id,
            "ConversationID": id,
            "ResponseCode": "0",
            "ResponseDescription": "Accept the service request successfully.",
        }

    def resume(self) -> None:
        for conversation in self._books.conversations.rows():
            if not conversation.result:
                self._sender.timer.later(0, lambda waiting=conversation: self._work(waiting))  # type: ignore[misc]

    def _mode(self, conversation: Conversation) -> str:
        trouble = conversation.trouble
        return trouble.removeprefix("callback_") if trouble.startswith("callback_") else self._settings.callback_mode

    def _work(self, conversation: Conversation) -> None:
        with self._books.lock:
            if conversation.result or conversation.id not in self._books.conversations:
                return
            conversation.result, items = self._outcome(conversation)
            self._books.conversations.put(conversation.id, conversation)
        if conversation.trouble.startswith("queue_timeout"):
            self._send(conversation, conversation.timeout_url, envelope(conversation, BUSY, []))
        else:
            self._send(conversation, conversation.result_url, envelope(conversation, conversation.result, items))

    def _send(self, conversation: Conversation, url: str, body: bytes) -> None:
        label = f"{conversation.id} {conversation.kind} {conversation.result}"
        self._sender.send([Callback(url, label, lambda: (body, HEADERS), url)], self._mode(conversation))

    def _outcome(self, conversation: Conversation) -> tuple[str, Items]:
        """The result code, and the parameters that come with a success."""
        asked, trouble = conversation.fields, conversation.trouble
        if trouble == "queue_timeout_before":
            return BUSY, []
        if trouble.startswith("result_"):
            return trouble.removeprefix("result_"), []
        password = self._settings.initiators.get(asked["initiator"])
        if password is None or opened(asked["credential"]) != password:
            return WRONG_PIN, []
        if asked["party"] not in self._settings.passkeys and asked["party"] not in self._settings.tills:
            return NO_OPERATOR, []
        return self._found(conversation) if conversation.kind == "status" else self._reverse(conversation)

    def _found(self, conversation: Conversation) -> tuple[str, Items]:
        asked = conversation.fields
        transaction = self._books.transactions.get(asked["receipt"])
        if transaction is None and not asked["receipt"]:
            transaction = self._books.by_conversation(asked["conversation"])
        if transaction is None or not self._owns(asked["party"], transaction):
            return INVALID_PARAMETERS, []
        conversation.receipt = transaction.receipt
        return SUCCESS, _status_items(conversation, transaction)

    def _owns(self, party: str, transaction: Transaction) -> bool:
        return transaction.short_code in (party, self._settings.tills.get(party))

    def _reverse(self, conversation: Conversation) -> tuple[str, Items]:
        """Under the books' lock, so that one receipt is given back once."""
        asked = conversation.fields
        original = self._books.transactions.get(asked["receipt"])
        if original is None or original.kind != "payment" or not self._owns(asked["party"], original):
            return UNKNOWN_ORIGINAL, []
        if original.reversed_by:
            return ALREADY_REVERSED, []
        if int(asked["amount"]) != original.amount:
            return INVALID_PARAMETERS, []
        back = Transaction(
            self._books.new_receipt(), "reversal", original.short_code, original.phone, original.amount,
            original.reference, original.payment, time.time(), original.receipt,
        )  # fmt: skip
        original.reversed_by = conversation.receipt = back.receipt
        self._books.transactions.put(back.receipt, back)
        self._books.transactions.put(original.receipt, original)
        return SUCCESS, _reversal_items(back)


def _status_items(conversation: Conversation, transaction: Transaction) -> Items:
    """The second `DebitPartyName` is the party that was credited: Safaricom's key, not ours."""
    payer = f"{transaction.phone} - {CUSTOMER_NAME}"
    organisation = f"{transaction.short_code} - {ORGANISATION_NAME}"
    parties = (payer, organisation) if transaction.kind == "payment" else (organisation, payer)
    reason = "Pay Bill Online" if transaction.kind == "payment" else "Transaction Reversal"
    return [
        ("DebitPartyName", parties[0]),
        ("DebitPartyName", parties[1]),
        ("OriginatorConversationID", conversation.originator_id),
        ("ConversationID", conversation.id),
        ("InitiatedTime", int(stamp(transaction.at))),
        ("FinalisedTime", int(stamp(transaction.at))),
        ("DebitAccountType", "MMF Account For Customer"),
        ("DebitPartyCharges", None),
        ("TransactionReason", None),
        ("ReasonType", reason),
        ("TransactionStatus", "Completed"),
        ("Amount", transaction.amount),
        ("ReceiptNo", transaction.receipt),
    ]


def _reversal_items(back: Transaction) -> Items:
    return [
        ("DebitAccountBalance", "Utility Account|KES|51661.00|51661.00|0.00|0.00"),
        ("Amount", back.amount),
        ("TransCompletedTime", int(stamp(back.at))),
        ("OriginalTransactionID", back.original),
        ("Charge", 0),
        ("CreditPartyPublicName", f"{back.phone} - {CUSTOMER_NAME}"),
        ("DebitPartyPublicName", f"{back.short_code} - {ORGANISATION_NAME}"),
    ]


def envelope(conversation: Conversation, code: str, items: Items) -> bytes:
    """The result's JSON. A failure has no parameters and a dummy transaction id.

    `ReferenceItem` is an object for a reversal and a list for a status: both are seen in the wild.
    """
    item: JSON = {"Key": "QueueTimeoutURL", "Value": QUEUE_URL}
    result: JSON = {
        "ResultType": 0,
        "ResultCode": written(code),
        "ResultDesc": DESCRIPTIONS.get(code, "Failed"),
        "OriginatorConversationID": conversation.originator_id,
        "ConversationID": conversation.id,
        "TransactionID": conversation.receipt if code == SUCCESS else DUMMY_RECEIPT,
        "ReferenceData": {"ReferenceItem": item if conversation.kind == "reversal" else [item, {"Key": "Occasion"}]},
    }
    if items:
        parameters = [{"Key": name} if value is None else {"Key": name, "Value": value} for name, value in items]
        result["ResultParameters"] = {"ResultParameter": parameters}
    return json.dumps({"Result": result}).encode()
