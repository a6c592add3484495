"""The SNAP variant: JSON, every call signed by RSA, a code of its own for each service, HTTP 200 throughout.

Source: github.com/devops-bayarind/snap-converter, which translates between the two protocols.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime
import hashlib
import json
import re
import time
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from simulators.bayarind.books import JAKARTA, JSON, Bill, Books, hashed, stamp
from simulators.bayarind.classic import Classic
from simulators.bayarind.keys import MERCHANTS, OURS, private_key, public_pem
from simulators.bayarind.settings import BayarindSettings
from simulators.bayarind.words import PAID
from simulators.memory import Table
from simulators.server import Answer, Request

PREFIX = "/api/v1.0/transfer-va"
CREATE, STATUS, DELETE = "27", "26", "31"
AMOUNT = re.compile(r"(0|[1-9]\d{1,10})\.00\Z")
NUMBER, CUSTOMER, EXTERNAL = re.compile(r"[A-Za-z0-9]{1,18}\Z"), re.compile(r"\d{1,20}\Z"), re.compile(r"\d{1,36}\Z")
ACCOUNT = ("partnerServiceId", "customerNo", "virtualAccountNo")
LONGEST_LABEL = 18

# What the answer to a payment means in the words of the classic flag; "" is no answer at all.
ANSWERS = {"2002500": "00", "4042514": "02", "4042519": "04", "4042504": "05", "4002501": "03", "4002502": "03"}


class SnapError(Exception):
    """`responseCode` is HTTP's status, the service and the case, in this order."""

    def __init__(self, status: int, case: str, message: str) -> None:
        super().__init__(message)
        self.status, self.case, self.message = status, case, message


class Snap:
    def __init__(
        self, books: Books, settings: BayarindSettings, classic: Classic, begun: Callable[[Bill], None]
    ) -> None:
        self._books, self._settings, self._classic, self._begun = books, settings, classic, begun
        self.external_ids: Table[str] = books.memory.table("external_ids")

    def create(self, request: Request) -> Answer:
        return self._answered(request, CREATE, self._create)

    def status(self, request: Request) -> Answer:
        return self._answered(request, STATUS, self._status)

    def delete(self, request: Request) -> Answer:
        return self._answered(request, DELETE, self._delete)

    def _answered(self, request: Request, service: str, act: Callable[[Request, JSON], JSON]) -> Answer:
        try:
            told = act(request, self._checked(request))
            code = f"200{service}00"
        except SnapError as error:
            told, code = {"responseMessage": error.message}, f"{error.status}{service}{error.case}"
        return Answer.of_json({"responseCode": code, "responseMessage": "Successful", **told})

    def _checked(self, request: Request) -> JSON:
        """The body, once signature, passApp and number are in order."""
        channel, body = request.header("X-PARTNER-ID"), request.document
        secret = self._settings.channels.get(channel)
        pem = self._settings.merchant_key or public_pem(MERCHANTS)
        text = string_to_sign(request.method, request.path, request.body, request.header("X-TIMESTAMP"))
        if secret is None or not fits(text, request.header("X-SIGNATURE"), pem):
            raise SnapError(401, "00", "Unauthorized. Signature")
        if body is None:
            raise SnapError(400, "00", "Bad Request")
        more = body.get("additionalInfo")
        if not isinstance(more, dict) or more.get("passApp") != hashed(secret):
            raise SnapError(401, "00", "Unauthorized. passApp")
        self._check_number(channel, request.header("X-EXTERNAL-ID"))
        if any(not isinstance(body.get(name), str) for name in ACCOUNT):
            raise SnapError(400, "02", "Missing Mandatory Field")
        if body["virtualAccountNo"] != body["partnerServiceId"] + body["customerNo"] or not _is_account(body):
            raise SnapError(400, "01", "Invalid Field Format")
        return body

    def _check_number(self, channel: str, number: str) -> None:
        """Each is good once a day."""
        if not EXTERNAL.match(number):
            raise SnapError(400, "01", "Invalid Field Format X-EXTERNAL-ID")
        key, today = f"{channel}/{number}", stamp(time.time())[:10]
        with self._books.lock:
            if self.external_ids.get(key) == today:
                raise SnapError(409, "00", "Conflict")
            self.external_ids.put(key, today)

    def _create(self, request: Request, body: JSON) -> JSON:
        channel, service = request.header("X-PARTNER-ID"), request.header("CHANNEL-ID")
        bill = _bill(body, channel, service, request.callback_mode)
        if body["partnerServiceId"].strip() != self._settings.company_codes.get(service):
            raise SnapError(404, "16", "Partner Not Found")
        with self._books.lock:
            if self._books.find(channel, bill.number):
                raise SnapError(409, "01", "Duplicate trxId")
            bill.id = self._books.next_insert()
            self._books.add(bill)
        self._begun(bill)
        names = (*ACCOUNT, "virtualAccountName", "trxId", "totalAmount", "expiredDate")
        data = {name: body[name] for name in names} | {"additionalInfo": {"insertId": bill.id}}
        return {"virtualAccountData": data}

    def _status(self, request: Request, body: JSON) -> JSON:
        bill = self._found(request, body)
        if bill is None:
            raise SnapError(404, "01", "Transaction Not Found")
        status = {"trxId": bill.number, "trxStatus": "00" if bill.state == PAID else "03"}
        data = {name: body[name] for name in ACCOUNT}
        return {"virtualAccountData": data, "additionalInfo": status}

    def _delete(self, request: Request, body: JSON) -> JSON:
        with self._books.lock:
            message = self._classic.voided(self._found(request, body))
        cases = {
            "Transaction Not Found": "01",
            "Transaction Has Been Canceled": "04",
            "Transaction Has Been Paid": "14",
        }
        if message:
            raise SnapError(404, cases[message], message)
        return {"virtualAccountData": {name: body[name] for name in ACCOUNT}}

    def _found(self, request: Request, body: JSON) -> Bill | None:
        bill = self._books.find(request.header("X-PARTNER-ID"), str(body["additionalInfo"].get("trxId")))
        is_its = bill and bill.virtual_account == {name: body[name] for name in ACCOUNT}
        return bill if is_its else None


def _is_account(body: JSON) -> bool:
    """The company's code fills eight places, spaces first."""
    partner, customer = body["partnerServiceId"], body["customerNo"]
    return len(partner) == 8 and not partner.endswith(" ") and bool(CUSTOMER.match(customer))


def _bill(body: JSON, channel: str, service: str, mode: str) -> Bill:
    """Without its id. SnapError for what is missing or of another form."""
    try:
        total, name, number = body["totalAmount"], body["virtualAccountName"], body["trxId"]
        ends = datetime.datetime.fromisoformat(body["expiredDate"])
        labels = [text for item in body.get("billDetails", []) for text in item["billDescription"].values()]
        fits_all = AMOUNT.match(total["value"]) and total["currency"] == "IDR" and NUMBER.match(number) and name
        fits_all = fits_all and service and ends.tzinfo and all(len(text) <= LONGEST_LABEL for text in labels)
    except KeyError:
        raise SnapError(400, "02", "Missing Mandatory Field") from None
    except (TypeError, ValueError, AttributeError):
        raise SnapError(400, "01", "Invalid Field Format") from None
    if not fits_all:
        raise SnapError(400, "01", "Invalid Field Format")
    return Bill(
        id="",
        channel=channel,
        service=service,
        number=number,
        amount=int(total["value"].partition(".")[0]),
        date=stamp(time.time()),
        made=time.time(),
        expires=ends.timestamp(),
        account=body["virtualAccountNo"].strip(),
        name=name,
        mode=mode,
        api="snap",
        virtual_account={name: body[name] for name in ACCOUNT},
    )


# The payment, from here to the merchant


def payment(bill: Bill, kind: str, secret: str) -> JSON:
    return {
        **bill.virtual_account,
        "virtualAccountName": bill.name,
        "channelCode": 6010,
        "paymentRequestId": bill.receipt,
        "paidAmount": {"value": f"{bill.amount}.00", "currency": "IDR"},
        "referenceNo": bill.receipt,
        "trxId": bill.number,
        "trxDateTime": iso(time.time()),
        "flagAdvise": "Y" if kind == "12" else "N",
        "additionalInfo": {"insertId": bill.id, "tagId": "", "flagType": kind, "passApp": hashed(secret), "idApp": ""},
    }


def headers(body: bytes, *, path: str, channel: str, service: str, primes: tuple[int, int] = OURS) -> dict[str, str]:
    """Those of a message that Bayarind signs."""
    now = iso(time.time())
    signature = private_key(primes).sign(
        string_to_sign("POST", path, body, now).encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    return {
        "Content-Type": "application/json",
        "X-TIMESTAMP": now,
        "X-SIGNATURE": base64.b64encode(signature).decode(),
        "X-PARTNER-ID": channel,
        "X-EXTERNAL-ID": str(time.time_ns()),
        "CHANNEL-ID": service,
    }


def iso(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, JAKARTA).isoformat(timespec="seconds")


def string_to_sign(method: str, path: str, body: bytes, timestamp: str) -> str:
    """Over the body without needless space; what is no JSON is taken as it came."""
    with contextlib.suppress(ValueError):
        body = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()
    return f"{method}:{path}:{hashlib.sha256(body).hexdigest()}:{timestamp}"


def fits(text: str, signature: str, pem: str) -> bool:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("merchant_key is not of RSA")
    try:
        given = base64.b64decode(signature, validate=True)
        key.verify(given, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True
