"""M-Pesa through Safaricom's Daraja: a prompt on the payer's phone (STK push), reversal as full refund, paybill (C2B).

Sources: the portal's pages MpesaExpressSimulate, MpesaExpressQuery, TransactionStatus, Reversal,
CustomerToBusiness, CustomerToBusinessRegisterURL and PullTransaction at developer.safaricom.co.ke/apis. Assumed, as
those pages are silent: statuses other than "Completed" mean nothing that we know; an HTTP 4xx with one of Daraja's own
codes has created nothing.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from core import addresses, calendar
from core.companies import mpesa as daraja
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import (
    AccessToken,
    Door,
    Lookup,
    Misconfigured,
    NothingCreated,
    OperationDeclaration,
    OutcomeUnknown,
    Proof,
    Replay,
    TokenRejected,
    Unreadable,
    json_object,
)
from payments.providers.base import (
    Admission,
    CallbackAnswer,
    Capabilities,
    Failure,
    FailureCode,
    Kind,
    MethodCapability,
    MoneyMoved,
    Notice,
    Order,
    PaymentProvider,
    RawCallback,
    ReceiptKind,
    Report,
    Step,
    Topic,
    Word,
)
from payments.providers.mpesa_pull import STATEMENTS, read_page, read_registration, window_fields
from payments.providers.statements import PageStep, Window

Failures = Mapping[str, tuple[FailureCode, str]]

_PUSH_FAILURES: Failures = {
    "1": (FailureCode.INSUFFICIENT_FUNDS, "The payer's balance is too low."),
    "2": (FailureCode.LIMIT_EXCEEDED, "The amount is below the smallest that M-Pesa takes."),
    "3": (FailureCode.LIMIT_EXCEEDED, "The amount is above the largest that M-Pesa takes."),
    "4": (FailureCode.LIMIT_EXCEEDED, "The payer's daily limit would be exceeded."),
    "8": (FailureCode.PROVIDER_CONFIGURATION, "The merchant's M-Pesa account can hold no more."),
    "17": (FailureCode.DUPLICATE, "The same amount was asked of the same payer less than two minutes ago."),
    "26": (FailureCode.PROVIDER_UNAVAILABLE, "M-Pesa is overloaded."),
    "1001": (FailureCode.PAYER_BUSY, "Another M-Pesa session is open on the payer's phone."),
    "1019": (FailureCode.TIMED_OUT, "The payer did not answer in time."),
    "1025": (FailureCode.PROVIDER_ERROR, "M-Pesa could not send the prompt."),
    "1032": (FailureCode.CANCELLED_BY_PAYER, "The payer cancelled the prompt."),
    "1036": (FailureCode.PAYER_UNREACHABLE, "The payer's phone could not be reached."),
    "1037": (FailureCode.PAYER_UNREACHABLE, "The payer's phone could not be reached."),
    "2001": (FailureCode.AUTHENTICATION_FAILED, "The payer entered a wrong M-Pesa PIN."),
    "2028": (FailureCode.PROVIDER_CONFIGURATION, "The short code and the till do not fit the product."),
    "8006": (FailureCode.AUTHENTICATION_FAILED, "The payer's M-Pesa PIN is locked."),
    "9999": (FailureCode.PROVIDER_ERROR, "M-Pesa could not send the prompt."),
    "SFC_IC0003": (FailureCode.PROVIDER_CONFIGURATION, "The short code or the till does not exist."),
}
"""Results of a push, from the portal's table; 1001, 1036 and 9999 from integrations that agree on them."""

_REVERSAL_FAILURES: Failures = {
    "1": (FailureCode.INSUFFICIENT_FUNDS, "The merchant's M-Pesa account holds too little."),
    "2": (FailureCode.LIMIT_EXCEEDED, "The amount is below the smallest that M-Pesa takes."),
    "3": (FailureCode.LIMIT_EXCEEDED, "The amount is above the largest that M-Pesa takes."),
    "4": (FailureCode.LIMIT_EXCEEDED, "A daily limit would be exceeded."),
    "8": (FailureCode.LIMIT_EXCEEDED, "The payer's account can hold no more."),
    "11": (FailureCode.DECLINED, "The account is in a state that allows no reversal."),
    "18": (FailureCode.PROVIDER_CONFIGURATION, "The initiator's credential was refused."),
    "20": (FailureCode.PROVIDER_CONFIGURATION, "The initiator is not known."),
    "21": (FailureCode.PROVIDER_CONFIGURATION, "The initiator may not reverse."),
    "22": (FailureCode.PROVIDER_CONFIGURATION, "The initiator is inactive."),
    "24": (FailureCode.INVALID_REQUEST, "M-Pesa misses a field."),
    "25": (FailureCode.INVALID_REQUEST, "M-Pesa refuses a field."),
    "2001": (FailureCode.PROVIDER_CONFIGURATION, "The initiator's credentials are invalid."),
    "2006": (FailureCode.DECLINED, "The account's status does not allow a reversal."),
    "2028": (FailureCode.PROVIDER_CONFIGURATION, "The short code may not reverse."),
    "2040": (FailureCode.INVALID_INSTRUMENT, "The recipient is not registered."),
    "8006": (FailureCode.PROVIDER_CONFIGURATION, "The initiator's credential is locked."),
    "SFC_IC0003": (FailureCode.PROVIDER_CONFIGURATION, "The short code does not exist."),
    "R000002": (FailureCode.INVALID_REQUEST, "The receipt to reverse is not known."),
}
"""Results after which the money has certainly stayed. Missing, and so UNKNOWN until somebody looks, are 15
(duplicate), 17 and 26 (to be checked before a retry) and R000001 (reversed before, it does not say by whom)."""

_C2B_CHOICES: Mapping[str, tuple[str, ...]] = {
    "c2b_validation": ("open", "references"),
    "c2b_unreachable": ("Completed", "Cancelled"),
    "c2b_version": ("v1", "v2"),
}
_ADMISSIONS: Mapping[Admission, str] = {
    Admission.ACCEPTED: "0",
    Admission.UNKNOWN_REFERENCE: "C2B00012",
    Admission.WRONG_AMOUNT: "C2B00013",
    Admission.NOT_OPEN: "C2B00012",
    Admission.ALREADY_PAID: "C2B00012",
    Admission.EXPIRED: "C2B00012",
    Admission.CANCELLED: "C2B00012",
    Admission.ELSEWHERE: "C2B00015",
    Admission.UNCLEAR: "C2B00016",
}
_REGISTERED_ALREADY = ("already registered", "duplicate notification info")
_LONGEST_RECEIPT = 100
_NO_SUCH_TRANSACTION = ("25",)
"""What a question about a receipt that is not there comes to; the portal only says "invalid parameters"."""

_SHARED_ERROR = "500.001.1001"
_PUSH_REFUSALS: Mapping[str, Callable[..., NothingCreated]] = {
    "unable to lock subscriber": partial(
        NothingCreated, "another M-Pesa session is open on the payer's phone", code=FailureCode.PAYER_BUSY
    ),
    "wrong credentials": partial(Misconfigured, "M-Pesa refuses the short code with this passkey"),
    "merchant does not exist": partial(Misconfigured, "M-Pesa does not know the short code"),
}
"""One error code means many things, told apart by message. After these alone no prompt was sent."""

_STILL_PROCESSING = "4999"
_NOT_WAITING = (*_PUSH_REFUSALS, "cancelled", "insufficient", "expired", "cannot be reached", "successfully")
"""Messages that contradict a code which otherwise means that the payer has not answered yet."""

_PROMPT = {"type": "prompt"}


def _seconds(*moments: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=moment) for moment in moments)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Those of the app, the passkey of the short code, and an operator who may reverse, if there is one."""

    consumer_key: Secret
    consumer_secret: Secret
    passkey: Secret
    initiator_name: str = ""
    initiator_password: Secret = field(default_factory=lambda: Secret(""))


@dataclass(frozen=True, slots=True)
class Options:
    """`shortcode` is the paybill or, with a `till`, the store number that the passkey belongs to.

    `certificate` is the PEM that the initiator's password is encrypted for. Amounts are in shillings.
    `c2b_validation` says whether money with a reference that we do not know may come: "open" or only "references".
    `c2b_unreachable` is what M-Pesa does while our validation does not answer: "Completed" or "Cancelled".
    `nominated_number` is the Safaricom number of the short code's KYC record, by which the pull is registered; without
    one it is left to people. `business_zone` is by whose clock the account's day ends, for the nightly reconciliation.
    """

    shortcode: str
    till: str = ""
    certificate: str = ""
    source_addresses: tuple[str, ...] = daraja.SOURCE_ADDRESSES
    transaction_status_words: Mapping[str, str] = field(default_factory=lambda: {"Completed": "succeeded"})
    smallest_amount: int = 1
    largest_amount: int = 250_000
    c2b_validation: str = "open"
    c2b_unreachable: str = "Completed"
    c2b_version: str = "v2"
    nominated_number: str = ""
    business_zone: str = STATEMENTS.zone

    def __post_init__(self) -> None:
        for name, value in (("shortcode", self.shortcode), ("till", self.till or "0")):
            if not re.fullmatch(r"[0-9]{1,12}", value):
                raise ValueError(f"{name!r} must be digits")
        addresses.networks(self.source_addresses)
        if self.nominated_number:
            daraja.phone(self.nominated_number)
        if not calendar.is_zone(self.business_zone):
            raise ValueError("'business_zone' must be a zone of the IANA database, such as Africa/Nairobi")
        for word in self.transaction_status_words.values():
            if word not in list(Word):
                raise ValueError(f"'transaction_status_words' maps to {word!r}, which is none of our words")
        for name, choices in _C2B_CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name!r} must be one of {', '.join(choices)}")


class Mpesa(PaymentProvider[Credentials, Options]):
    name = "mpesa"
    title = "M-Pesa"
    credentials_type = Credentials
    options_type = Options
    hosts = daraja.HOSTS
    live_hosts = frozenset({"production"})
    app = "consumer_key"
    capabilities = Capabilities(
        methods={
            "mpesa": MethodCapability(
                currencies=frozenset({daraja.CURRENCY}),
                instrument="phone",
                prompt_life=timedelta(minutes=5),
                next_actions=("prompt",),
            )
        },
        operations={
            Kind.CREATE: OperationDeclaration(
                Replay.NONE, Lookup.BY_ID, ask_after=_seconds(12, 20, 35, 60, 90, 120, 180)
            ),
            Kind.REFUND: OperationDeclaration(
                Replay.NONE, Lookup.ASYNCHRONOUS, ask_after=_seconds(30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
            ),
            # It changes nothing, so that asking again is always harmless.
            Kind.LOOKUP: OperationDeclaration(
                Replay.UNIQUE_REFERENCE, Lookup.ASYNCHRONOUS, ask_after=_seconds(60, 300, 1800)
            ),
        },
        doors={
            # Safaricom refuses URLs with the words mpesa, safaricom, exe, exec, cmd, sql, query.
            name: Door(Proof.WEAK, per_operation=True)
            for name in ("prompt", "reversal", "reversal-late", "status", "status-late", "receipt", "receipt-late")
        }
        | {"validation": Door(Proof.WEAK, wants_answer=True), "confirmation": Door(Proof.WEAK)},
        refunds="full",
        reference_length=12,
        registers_doors=True,
        statements=STATEMENTS,
    )

    def units(self, money: Money) -> int:
        """Whole shillings within the account's limits."""
        smallest, largest = self.options.smallest_amount, self.options.largest_amount
        if money.currency != daraja.CURRENCY:
            raise NotRepresentable(f"M-Pesa takes {daraja.CURRENCY} only")
        units = money.in_units(0)
        if not smallest <= units <= largest:
            raise NotRepresentable(f"M-Pesa takes from {smallest} to {largest} shillings at a time")
        return units

    def limits(self, method: str) -> Mapping[str, tuple[int, int]]:
        bounds = (self.options.smallest_amount, self.options.largest_amount)
        least, most = (Money.from_units(bound, daraja.CURRENCY, exponent=0).amount for bound in bounds)
        return {daraja.CURRENCY: (least, most)}

    def instrument(self, given: str) -> str:
        return daraja.phone(given)

    def authorize(self, request: Request) -> Request:
        return daraja.bearing(request, self.connection.tokens.get(self._fetch_token))

    def _fetch_token(self) -> AccessToken:
        return daraja.access_token(
            base_url=self.connection.base_url,
            consumer_key=self.credentials.consumer_key,
            consumer_secret=self.credentials.consumer_secret,
            send=self.connection.send,
        )

    def forget_token(self, refused: Request) -> None:
        self.connection.tokens.reject(daraja.borne(refused))

    def check_credentials(self) -> None:
        """Fetch a token anew and keep it as the account's: it ends the life of the one before."""
        tokens, fetched = self.connection.tokens, []

        def fetch() -> AccessToken:
            fetched.append(self._fetch_token())
            return fetched[-1]

        held = tokens.get(fetch)
        if not fetched:
            tokens.reject(held)
            tokens.get(fetch)

    def create(self, order: Order) -> Step:
        """Push a prompt to the payer's phone. Sent twice, it is two prompts."""
        payer = order.instrument.reveal() if order.instrument else ""
        body = {
            **self._signed(),
            "TransactionType": "CustomerBuyGoodsOnline" if self.options.till else "CustomerPayBillOnline",
            "Amount": self.units(order.money),
            "PartyA": payer,
            "PartyB": self.options.till or self.options.shortcode,
            "PhoneNumber": payer,
            "CallBackURL": order.callback_url("prompt"),
            "AccountReference": order.reference,
            # Documented as optional, and refused as "Invalid Remarks" when it is missing.
            "TransactionDesc": re.sub(r"[^A-Za-z0-9 ]", "", order.description)[:13].strip() or "Payment",
        }
        return Step(self._post("/mpesa/stkpush/v1/processrequest", body, fresh=True), _read_push)

    def _signed(self) -> dict[str, Any]:
        shortcode, stamp = self.options.shortcode, daraja.timestamp(self.connection.now())
        password = daraja.password(shortcode=shortcode, passkey=self.credentials.passkey, stamp=stamp)
        return {"BusinessShortCode": shortcode, "Password": password, "Timestamp": stamp}

    def _post(self, path: str, body: Mapping[str, Any], *, fresh: bool = False) -> Request:
        url, headers = self.connection.base_url + path, {"Content-Type": "application/json"}
        return Request("POST", url, headers, json.dumps(body).encode(), fresh=fresh)

    def fetch(self, order: Order) -> Step:
        """The STK query: whether the prompt was paid, without receipt, amount or phone."""
        if order.kind is not Kind.CREATE or not order.provider_id:
            return super().fetch(order)
        body = {**self._signed(), "CheckoutRequestID": order.provider_id}
        return Step(self._post("/mpesa/stkpushquery/v1/query", body), partial(self._read_query, order))

    def _read_query(self, order: Order, response: Response) -> Report:
        waiting = Report(Word.REQUIRES_ACTION, order.provider_id, next_action={"type": "prompt"})
        error = daraja.envelope(response)
        if error.code == _SHARED_ERROR and _says_nothing_else(error.message):
            return replace(waiting, provider_status=error.code)
        code, text = _queried(order.provider_id, response)
        if code == _STILL_PROCESSING and _says_nothing_else(text):
            return replace(waiting, provider_status=code)
        paid = MoneyMoved(ReceiptKind.CAPTURE, order.money)
        return _judged(code, order.provider_id, (paid,), _PUSH_FAILURES)

    def refund(self, order: Order) -> Step:
        """Reverse the whole receipt. The result follows at the door `reversal`."""
        if not order.target_id:
            raise NothingCreated("the receipt is not known yet", code=FailureCode.INVALID_REQUEST)
        remarks = f"Refund {order.reference}"
        body = {
            **self._initiated("TransactionReversal", order.callback_url, door="reversal", remarks=remarks),
            "TransactionID": order.target_id,
            "Amount": str(self.units(order.money)),
            "ReceiverParty": self.options.shortcode,
            "RecieverIdentifierType": "11",  # Safaricom's spelling
        }
        return Step(self._post("/mpesa/reversal/v1/request", body, fresh=True), _read_acknowledgement)

    def lookup(self, order: Order) -> Step:
        """Ask what became of `target_id`, a receipt or a ConversationID. The result follows at the door `status`.

        That the ConversationID of our own request is the one that is asked for is assumed.
        """
        is_receipt = order.target_id.isalnum()
        named = "TransactionID" if is_receipt else "OriginalConversationID"
        remarks = f"Refund {order.reference}"
        return self._ask_status({named: order.target_id}, order.callback_url, door="status", remarks=remarks)

    def ask_about_money(self, provider_money_id: str, callback_url: Callable[[str], str]) -> Step:
        """Ask what became of a receipt. The result follows at the door `receipt`."""
        return self._ask_status({"TransactionID": provider_money_id}, callback_url, door="receipt", remarks="Receipt")

    def _ask_status(
        self, target: Mapping[str, str], callback_url: Callable[[str], str], *, door: str, remarks: str
    ) -> Step:
        if not any(target.values()):
            raise NothingCreated("the receipt is not known yet", code=FailureCode.INVALID_REQUEST)
        body = {
            **self._initiated("TransactionStatusQuery", callback_url, door=door, remarks=remarks),
            "TransactionID": "",
            "OriginalConversationID": "",
            **target,
            "PartyA": self.options.shortcode,
            "IdentifierType": "4",
        }
        return Step(self._post("/mpesa/transactionstatus/v1/query", body), _read_acknowledgement)

    def _initiated(
        self, command: str, callback_url: Callable[[str], str], *, door: str, remarks: str
    ) -> dict[str, Any]:
        if not (self.credentials.initiator_name and self.credentials.initiator_password):
            raise Misconfigured("the account has no initiator")
        return {
            "Initiator": self.credentials.initiator_name,
            "SecurityCredential": daraja.security_credential(
                self.credentials.initiator_password, certificate=self.options.certificate
            ),
            "CommandID": command,
            "ResultURL": callback_url(door),
            "QueueTimeOutURL": callback_url(f"{door}-late"),
            "Remarks": remarks,
            "Occasion": "",
        }

    def source_addresses(self) -> tuple[str, ...]:
        return self.options.source_addresses

    def read_callback(self, callback: RawCallback) -> Notice:
        readers: dict[str, Callable[[bytes], Notice]] = {
            "prompt": _read_prompt,
            "reversal": _read_reversal,
            "status": self._read_status,
            "receipt": self._read_receipt,
            "validation": partial(self._read_c2b, Topic.VALIDATION),
            "confirmation": partial(self._read_c2b, Topic.ARRIVAL),
        }
        try:
            return readers.get(callback.door, _read_late)(callback.body)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unreadable(f"not what M-Pesa documents for the door {callback.door!r}") from error

    def _read_status(self, body: bytes) -> Notice:
        result = daraja.read_result(body)
        if result.code != "0":
            # Any other answer is a question that failed, which says nothing of the money.
            word = Word.FAILED if result.code in _NO_SUCH_TRANSACTION else Word.UNKNOWN
            return Notice(Topic.REFUND, Report(word, result.conversation_id, result.code))
        status = str(result.first("TransactionStatus"))
        word = Word(self.options.transaction_status_words.get(status, Word.UNKNOWN))
        moved = _given_back(result, result.first("ReceiptNo")) if word is Word.SUCCEEDED else ()
        return Notice(Topic.REFUND, Report(word, result.conversation_id, status, moved))

    def _read_receipt(self, body: bytes) -> Notice:
        """What became of money that somebody told of: it counts when it is complete, and came here."""
        result = daraja.read_result(body)
        if result.code != "0":
            word = Word.FAILED if result.code in _NO_SUCH_TRANSACTION else Word.UNKNOWN
            return Notice(Topic.ARRIVAL, Report(word, result.conversation_id, result.code))
        status, credited = str(result.first("TransactionStatus")), _credited(result)
        word = Word(self.options.transaction_status_words.get(status, Word.UNKNOWN))
        moved = _moved(ReceiptKind.CAPTURE, result.first("Amount"), result.first("ReceiptNo"))
        if word is Word.SUCCEEDED and credited and credited.isdisjoint({self.options.shortcode, self.options.till}):
            status, word = f"{status}, credited to another", Word.FAILED
        elif word is not Word.SUCCEEDED or not (credited and moved and moved[0].provider_money_id):
            word = Word.UNKNOWN
        return Notice(
            Topic.ARRIVAL, Report(word, result.conversation_id, status, moved if word is Word.SUCCEEDED else ())
        )

    def answer(self, callback: RawCallback) -> CallbackAnswer:
        return CallbackAnswer(body=b'{"ResultCode":0,"ResultDesc":"Accepted"}')

    def register_doors(self, callback_url: Callable[[str], str]) -> Step:
        """Tell M-Pesa the two C2B addresses; in production it takes them once and never again."""
        body = {
            "ShortCode": self.options.shortcode,
            "ResponseType": self.options.c2b_unreachable,
            "ConfirmationURL": callback_url("confirmation"),
            "ValidationURL": callback_url("validation"),
        }
        return Step(self._post(f"/mpesa/c2b/{self.options.c2b_version}/registerurl", body), _read_registration)

    def register_statements(self, callback_url: Callable[[str], str]) -> Step | None:
        """Have M-Pesa list the short code's payments. What it sends to the address that it wants is not documented."""
        if not self.options.nominated_number:
            return None
        body = {
            "ShortCode": self.options.shortcode,
            "RequestType": "Pull",
            "NominatedNumber": daraja.phone(self.options.nominated_number),
            "CallBackURL": callback_url("confirmation"),
        }
        return Step(self._post("/pulltransactions/v1/register", body), read_registration)

    def statement(self, window: Window, cursor: str = "") -> PageStep:
        """Payments of customers, prompted or not, of the last 48 hours."""
        body = {"ShortCode": self.options.shortcode, **window_fields(window, cursor, now=self.connection.now())}
        return PageStep(self._post("/pulltransactions/v1/query", body), partial(read_page, cursor, masked=_masked))

    def admits_unknown_references(self) -> bool:
        return self.options.c2b_validation == "open"

    def _read_c2b(self, topic: Topic, body: bytes) -> Notice:
        """A validation or a confirmation: the same fields, all texts, the reference as the payer typed it."""
        told = json_object(body)
        short_code = daraja.word(told["BusinessShortCode"])
        moved = MoneyMoved(
            ReceiptKind.CAPTURE, daraja.shillings(told["TransAmount"]), daraja.identifier(told["TransID"])
        )
        if moved.money.amount <= 0 or len(moved.provider_money_id) > _LONGEST_RECEIPT:
            raise ValueError("no amount, or no receipt")
        return Notice(
            topic,
            Report(Word.SUCCEEDED, moved=(moved,)),
            reference=daraja.typed(told.get("BillRefNumber")),
            payer_hint=_masked(told.get("MSISDN")),
            elsewhere="" if short_code in (self.options.shortcode, self.options.till) else short_code[:32],
        )

    def admit(self, callback: RawCallback, admission: Admission) -> CallbackAnswer:
        code = _ADMISSIONS[admission]
        answer = {"ResultCode": code, "ResultDesc": "Accepted" if code == "0" else "Rejected"}
        return CallbackAnswer(body=json.dumps(answer).encode())


def _read_push(response: Response) -> Report:
    error = daraja.envelope(response)
    for message, refusal in _PUSH_REFUSALS.items():
        if error.code == _SHARED_ERROR and error.says(message):
            raise refusal(provider_code=error.code)
    answer = daraja.accepted(response)
    try:
        checkout = daraja.identifier(answer["CheckoutRequestID"])
    except (KeyError, ValueError) as fault:
        raise OutcomeUnknown("an acceptance without CheckoutRequestID") from fault
    return Report(Word.REQUIRES_ACTION, provider_id=checkout, provider_status="0", next_action=_PROMPT)


def _read_registration(response: Response) -> Report:
    """That addresses are registered already does not say whose: it is a refusal, for a person to look at."""
    error = daraja.envelope(response)
    if any(error.says(text) for text in _REGISTERED_ALREADY):
        message = "M-Pesa has addresses for this short code already, and only Safaricom can change them."
        return Report(Word.FAILED, failure=Failure(FailureCode.DUPLICATE, message, error.code))
    daraja.accepted(response)
    return Report(Word.SUCCEEDED, provider_status="0")


def _masked(value: object) -> str:
    """The payer's number with its middle hidden, as M-Pesa sends it by now; of a hash, nothing."""
    text = re.sub(r"[^0-9*]", "", str(value or ""))[:32]
    if re.fullmatch(r"254\d{9}", text):
        return f"{text[:4]}•••{text[-3:]}"
    return re.sub(r"\*+", "•••", text) if re.fullmatch(r"\d{3,6}\*+\d{2,4}", text) else ""


def _says_nothing_else(text: str) -> bool:
    return not any(message in text.lower() for message in _NOT_WAITING)


def _queried(checkout: str, response: Response) -> tuple[str, str]:
    """Code and text of a query's answer about this prompt. Any other answer leaves the outcome unknown."""
    try:
        answer = daraja.accepted(response)
        if daraja.identifier(answer["CheckoutRequestID"]) == checkout:
            return daraja.word(answer["ResultCode"]), str(answer.get("ResultDesc"))
    except NothingCreated as refusal:
        if isinstance(refusal, TokenRejected):
            raise
        raise OutcomeUnknown(f"the query was refused: {refusal.provider_code}") from refusal
    except (KeyError, ValueError) as error:
        raise OutcomeUnknown("a query's answer without a result") from error
    raise OutcomeUnknown("a query's answer about another prompt")


def _judged(code: str, provider_id: str, moved: tuple[MoneyMoved, ...], failures: Failures) -> Report:
    """A result code in our words; one that the table lacks is UNKNOWN, never a failure."""
    if code == "0":
        return Report(Word.SUCCEEDED, provider_id, code, moved)
    if code in failures:
        return Report(Word.FAILED, provider_id, code, failure=Failure(*failures[code], provider_code=code))
    return Report(Word.UNKNOWN, provider_id, code)


def _read_acknowledgement(response: Response) -> Report:
    return Report(Word.PENDING, daraja.acknowledged(response), "0")


def _read_prompt(body: bytes) -> Notice:
    callback = json_object(body)["Body"]["stkCallback"]
    daraja.identifier(callback["MerchantRequestID"])
    # Names and values in any order; items, or their values, may be missing; a failure has no list at all.
    items = {item["Name"]: item.get("Value") for item in callback.get("CallbackMetadata", {}).get("Item", [])}
    receipt, payer = items.get("MpesaReceiptNumber"), items.get("PhoneNumber")
    moved = _moved(ReceiptKind.CAPTURE, items.get("Amount"), receipt)
    code, checkout = daraja.word(callback["ResultCode"]), daraja.identifier(callback["CheckoutRequestID"])
    report = _judged(code, checkout, moved, _PUSH_FAILURES)
    return Notice(Topic.PAYMENT, report, payer=None if payer is None else Secret(str(payer)))


def _read_reversal(body: bytes) -> Notice:
    result = daraja.read_result(body)
    own = result.transaction_id if result.code == "0" else ""
    moved = _given_back(result, own or None) if result.code == "0" else ()
    report = _judged(result.code, result.conversation_id, moved, _REVERSAL_FAILURES)
    return Notice(Topic.REFUND, report, money_id=own)


def _read_late(body: bytes) -> Notice:
    """The request died in Daraja's queue, or seems to have: no proof of anything, least of all of failure.

    The portal shows no example of this body, so any JSON object is taken.
    """
    json_object(body)
    return Notice(Topic.NOTHING)


def _credited(result: daraja.Result) -> set[str]:
    """The short codes that were credited: under a key of their own, or as the second that claims to be debited."""
    named = (*result.parameters.get("CreditPartyName", ()), *result.parameters.get("DebitPartyName", ())[1:])
    return {str(name).partition(" - ")[0].strip() for name in named}


def _given_back(result: daraja.Result, receipt: object) -> tuple[MoneyMoved, ...]:
    return _moved(ReceiptKind.REFUND, result.first("Amount"), receipt)


def _moved(kind: ReceiptKind, amount: object, receipt: object) -> tuple[MoneyMoved, ...]:
    """Nothing where the amount is left out: only what is said to have moved is booked."""
    if amount is None:
        return ()
    money_id = "" if receipt is None else daraja.identifier(receipt)
    return (MoneyMoved(kind, daraja.shillings(amount), money_id),)
