"""Bayarind's variant of SNAP BI: virtual accounts by JSON, every call signed by RSA, without an access token.

Sources stand with core.companies.bayarind and core.snap. Assumed, as they are silent: a question names the account and,
under `additionalInfo`, the number and date of the transaction; so does a deletion. Where an answered question gives no
amount, the one that was asked was paid, as the account takes no other.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from core import ids, snap
from core.companies import bayarind as wire
from core.http import Request, Response
from core.providers import Forged, Misconfigured, NothingCreated, OutcomeUnknown, json_object
from core.signatures import BadSignature
from payments.providers.base import (
    Admission,
    CallbackAnswer,
    FailureCode,
    MoneyMoved,
    Notice,
    Order,
    RawCallback,
    ReceiptKind,
    Report,
    Step,
    Topic,
    Word,
)
from payments.providers.bayarind_account import Protocol

_CREATE, _STATUS, _DELETE = "27", "26", "31"
_UNAUTHORIZED, _NOT_FOUND = "40100", "40401"

_MISCONFIGURED: Mapping[str, str] = {
    "4012700": "Bayarind refuses the signature or the secret key",
    "4042716": "Bayarind refuses the company code",
}
_REFUSALS: Mapping[str, str] = {
    "4002701": "Bayarind refuses the form of a field.",
    "4002702": "Bayarind misses a field.",
    "4043101": "Bayarind does not know this account.",
    "4043114": "The payment is paid already.",
}
"""After these nothing was created or changed. Missing, and so unknown until it is asked about: 4092701, as the
transaction is there already, ours; and every other code."""
_DELETED = ("2003100", "4043104")

_STATUS_WORDS: Mapping[str, Word] = {"00": Word.SUCCEEDED, "03": Word.REQUIRES_ACTION}
_SAYS_NOTHING: Mapping[str, str] = {"06": "a technical problem", "07": "it is not found"}
_FLAG_TYPES = ("11", "12", "13")

_ADMISSIONS: Mapping[Admission, tuple[str, str, str, str]] = {
    Admission.ACCEPTED: ("2002500", "00", "Sukses", "Success"),
    Admission.ALREADY_PAID: ("4042514", "02", "Transaksi telah dibayar", "Transaction has been paid"),
    Admission.EXPIRED: ("4042519", "04", "Transaksi telah kedaluwarsa", "Transaction has been expired"),
    Admission.CANCELLED: ("4042504", "05", "Transaksi telah dibatalkan", "Transaction has been cancelled"),
    Admission.NOT_OPEN: ("4042504", "05", "Transaksi telah dibatalkan", "Transaction has been cancelled"),
    Admission.UNKNOWN_REFERENCE: ("4042512", "01", "Tagihan tidak ditemukan", "Bill not found"),
    Admission.ELSEWHERE: ("4042512", "01", "Tagihan tidak ditemukan", "Bill not found"),
    Admission.UNCLEAR: ("4002501", "01", "Status tidak valid", "Invalid transaction status"),
    Admission.WRONG_AMOUNT: ("4042513", "01", "Jumlah tidak sesuai", "Invalid amount"),
}
_INVALID = ("4002501", "03", "Isian tidak sesuai", "Invalid field")
_ECHOED = ("partnerServiceId", "customerNo", "virtualAccountNo", "virtualAccountName", "paidAmount", "paymentRequestId")

_LONGEST_NAME, _LONGEST_LABEL, _LONGEST_DESCRIPTION, _LONGEST_PHONE = 30, 18, 60, 20
_EXTERNAL_ID_DIGITS = 32


class Snap(Protocol):
    def authorize(self, request: Request) -> Request:
        """Time, number, secret and signature of one sending, none of which is ever stored."""
        if not request.headers["CHANNEL-ID"]:
            raise Misconfigured("the account has no service code for this way to pay; by SNAP it has banks only")
        document = json_object(request.body)
        if not document["partnerServiceId"].strip():
            raise Misconfigured("the account has no company code for this bank")
        if not self.credentials.private_key:
            raise Misconfigured("the account has no private key")
        document["additionalInfo"]["passApp"] = wire.pass_app(self.credentials.secret_key)
        body, now = snap.minified(document), snap.timestamp(self.connection.now())
        text = snap.string_to_sign(method=request.method, path=urlsplit(request.url).path, body=body, timestamp=now)
        headers = {
            "X-TIMESTAMP": now,
            "X-SIGNATURE": snap.sign(text, private_key=self.credentials.private_key),
            "X-PARTNER-ID": self.credentials.channel_id,
            "X-EXTERNAL-ID": ids.random_reference(length=_EXTERNAL_ID_DIGITS, alphabet="0123456789"),
        }
        return replace(request, headers={**request.headers, **headers}, body=body)

    def check_credentials(self) -> None:
        """Ask about an account that there never was: whoever may not ask is told so first."""
        bank = next(iter(self.options.company_codes), "bca")
        body = self._account("0", self.options.company_codes.get(bank, "")) | {"additionalInfo": {"trxId": "CHECK"}}
        request = self._request("POST", "status", self.options.service_code(bank), body)
        code, _ = _answered(self.connection.send(self.authorize(request)), _STATUS)
        if _case(code) == _UNAUTHORIZED:
            raise Misconfigured("Bayarind refuses the signature or the secret key", provider_code=code)
        if _case(code) != _NOT_FOUND and not code.startswith("200"):
            raise OutcomeUnknown(f"answer {code} to a question")

    def create(self, order: Order) -> Step:
        """Create the account. `trxId` is unique there, so that the same sent again makes no second payment."""
        label = order.description.strip()[:_LONGEST_LABEL]
        more = (
            {"billDescription": order.description[:_LONGEST_DESCRIPTION]} if len(order.description) > len(label) else {}
        )
        optional = {
            "virtualAccountEmail": order.payer.email,
            "virtualAccountPhone": order.payer.phone[:_LONGEST_PHONE],
            "billDetails": [{"billDescription": {"indonesia": label, "english": label}}] if label else [],
        }
        body = {
            **self._named(order),
            "virtualAccountName": self.payer_name(order, _LONGEST_NAME),
            **{name: value for name, value in optional.items() if value},
            "trxId": order.reference,
            "totalAmount": {"value": f"{order.money.in_units(0)}.00", "currency": wire.CURRENCY},
            "expiredDate": snap.timestamp(self.ends(order)),
            "additionalInfo": more,
        }
        return Step(self._ask("POST", "create-va", order, body), partial(self._read_created, order))

    def fetch(self, order: Order) -> Step:
        return Step(self._ask("POST", "status", order, self._about(order)), partial(self._read_status, order))

    def cancel(self, order: Order) -> Step:
        return Step(self._ask("DELETE", "delete-va", order, self._about(order)), partial(_read_deleted, order))

    def _ask(self, method: str, path: str, order: Order, body: Mapping[str, Any]) -> Request:
        service = self.service_code(order) if order.method == "virtual_account" else ""
        return self._request(method, path, service, body)

    def _request(self, method: str, path: str, service: str, body: Mapping[str, Any]) -> Request:
        url = f"{self.connection.base_url}{self.options.snap_prefix}/{path}"
        headers = {"Content-Type": "application/json", "CHANNEL-ID": service}
        return Request(method, url, headers, snap.minified(body))

    def _about(self, order: Order) -> dict[str, Any]:
        date = snap.timestamp(self.begins(order))
        return {
            **self._named(order),
            "trxId": order.reference,
            "additionalInfo": {"trxId": order.reference, "trxDateTime": date},
        }

    def _named(self, order: Order) -> dict[str, str]:
        number = wire.customer_number(order.reference, service_code=self.service_code(order))
        return self._account(number, self.options.company_codes.get(order.channel, ""))

    def _account(self, number: str, company: str) -> dict[str, str]:
        """The company's code has spaces before it, in the whole number too."""
        partner = company.rjust(8)
        return {"partnerServiceId": partner, "customerNo": number, "virtualAccountNo": partner + number}

    def _instructions(self, order: Order) -> dict[str, str]:
        code = self._named(order)["virtualAccountNo"].strip()
        return {"type": "instructions", "channel": order.channel, "code": code}

    def _read_created(self, order: Order, response: Response) -> Report:
        code, told = _answered(response, _CREATE)
        if code != "2002700":
            raise _refusal(code)
        try:
            data = told["virtualAccountData"]
            insert_id = wire.identifier(data["additionalInfo"]["insertId"])
            is_ours = data.get("trxId", order.reference) == order.reference
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise OutcomeUnknown("an account without an insert id") from error
        if not is_ours:
            raise OutcomeUnknown("an answer about another payment")
        shown = self._instructions(order)
        return Report(Word.REQUIRES_ACTION, insert_id, "00", next_action=shown, expires_at=self.ends(order))

    def _read_status(self, order: Order, response: Response) -> Report:
        code, told = _answered(response, _STATUS)
        if code != "2002600":
            raise OutcomeUnknown(f"answer {code} to a question")
        try:
            return self._read_row(order, told)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise OutcomeUnknown("an answer of an unknown shape") from error

    def _read_row(self, order: Order, told: Mapping[str, Any]) -> Report:
        row = _row(order, told)
        status = wire.word(row["trxStatus"])
        known = Word(self.options.status_words.get(status) or _STATUS_WORDS.get(status, Word.UNKNOWN))
        if known is Word.UNKNOWN and status in _SAYS_NOTHING:
            raise OutcomeUnknown(f"answer {status}: {_SAYS_NOTHING[status]}")
        report = Report(known, order.provider_id, status)
        if known is Word.SUCCEEDED:
            paid = row.get("paidAmount") or (told.get("virtualAccountData") or {}).get("paidAmount")
            money = wire.rupiah(paid["value"], paid["currency"]) if paid else order.money
            return replace(report, moved=(MoneyMoved(ReceiptKind.CAPTURE, money, order.reference),))
        if known is Word.REQUIRES_ACTION:
            return replace(report, next_action=self._instructions(order), expires_at=self.ends(order))
        return report

    # The payment

    def verify(self, callback: RawCallback) -> None:
        """The signature covers the whole body, the path as Bayarind knows it, and the time, which proves nothing more:
        a payment that is told again is booked once."""
        headers = callback.headers
        if not self.options.bayarind_key or headers.get("x-partner-id") != self.credentials.channel_id:
            raise Forged("the account has no key of Bayarind's, or it is about another channel")
        try:
            text = snap.string_to_sign(
                method="POST", path=self.options.signed_path, body=callback.body, timestamp=headers["x-timestamp"]
            )
            snap.verify(text, signature=headers["x-signature"], public_key=self.options.bayarind_key)
            given = wire.text(json_object(callback.body)["additionalInfo"]["passApp"])
            wire.check_pass_app(given, secrets=self.credentials.secrets())
        except (KeyError, TypeError, ValueError) as error:
            raise Forged("it carries no signature") from error
        except BadSignature as error:
            raise Forged(str(error)) from error

    def read_callback(self, callback: RawCallback) -> Notice:
        told = json_object(callback.body)
        more, paid = told["additionalInfo"], told["paidAmount"]
        reference, insert_id = wire.identifier(told["trxId"]), wire.identifier(more["insertId"])
        money, kind = wire.rupiah(paid["value"], paid["currency"]), wire.word(more.get("flagType") or _FLAG_TYPES[0])
        report = Report(Word.SUCCEEDED, insert_id, "00", (MoneyMoved(ReceiptKind.CAPTURE, money, reference),))
        if kind not in _FLAG_TYPES:
            report = Report(Word.UNKNOWN, insert_id, f"flag type {kind}")
        return Notice(Topic.PAYMENT, report, payment_provider_id=insert_id, reference=reference, money=money)

    def admit(self, callback: RawCallback, admission: Admission) -> CallbackAnswer:
        """The answer decides: whatever is said of the payment, what is not understood is not accepted."""
        try:
            told = json_object(callback.body)
        except ValueError:
            told = {}
        code, status, indonesian, english = _ADMISSIONS[admission]
        if status == "00" and told and not self._says_paid(callback):
            code, status, indonesian, english = _INVALID
        data = {name: told[name] for name in _ECHOED if name in told}
        reason = {"Indonesia": indonesian, "English": english}
        data |= {"paymentFlagStatus": status, "paymentFlagReason": reason}
        answer = {"responseCode": code, "responseMessage": english, "virtualAccountData": data}
        body = json.dumps(answer, default=str).encode()
        return CallbackAnswer(body=body, headers={"X-TIMESTAMP": snap.timestamp(self.connection.now())})

    def _says_paid(self, callback: RawCallback) -> bool:
        try:
            report = self.read_callback(callback).report
        except (KeyError, TypeError, AttributeError, ValueError):
            return False
        return report is not None and report.word is Word.SUCCEEDED


def _answered(response: Response, service: str) -> tuple[str, Mapping[str, Any]]:
    """The code of an answer, whatever HTTP says, and its document. Raises OutcomeUnknown for a fault of theirs."""
    try:
        told = json_object(response.body)
        code = wire.text(told["responseCode"])
    except (KeyError, ValueError) as error:
        raise OutcomeUnknown(f"answer {response.status} without a code") from error
    if not re.fullmatch(r"[2-4][0-9]{6}", code) or code[3:5] != service or response.status >= 500:
        raise OutcomeUnknown(f"answer {response.status} {code[:7]}")
    return code, told


def _case(code: str) -> str:
    """Without the service: `4012600` is the case 401 00."""
    return code[:3] + code[5:]


def _refusal(code: str) -> NothingCreated | OutcomeUnknown:
    if code in _MISCONFIGURED:
        return Misconfigured(_MISCONFIGURED[code], provider_code=code)
    if code in _REFUSALS:
        return NothingCreated(_REFUSALS[code], code=FailureCode.INVALID_REQUEST, provider_code=code)
    return OutcomeUnknown(f"answer {code}")


def _read_deleted(order: Order, response: Response) -> Report:
    code, _ = _answered(response, _DELETE)
    if code in _DELETED:
        return Report(Word.CANCELLED, order.provider_id, "deleted")
    raise _refusal(code)


def _row(order: Order, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an answer says of this payment: alone, or in a list of all that the account has had."""
    more: Mapping[str, Any] = told["additionalInfo"]
    if "list" not in more:
        return more
    rows = [row for row in more["list"] if row.get("trxId") == order.reference]
    if not rows:
        raise OutcomeUnknown("an answer that does not show the payment")
    return dict(rows[0])
