"""Stripe: card payments by PaymentIntent, from a payment method that the browser made or that a SetupIntent has kept.

Sources: docs.stripe.com/api (payment_intents, setup_intents, customers, payment_methods, refunds, disputes, errors,
idempotent_requests, events), /currencies, /declines/codes, /webhooks/signature and /expand/use-cases; Stripe's OpenAPI
file (schemas charge.balance_transaction, balance_transaction). Assumed, as they are silent: a 429 `rate_limit` has
begun no work.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from core.crypto import Secret
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import (
    Door,
    Forged,
    Lookup,
    Misconfigured,
    NothingCreated,
    OperationDeclaration,
    OutcomeUnknown,
    Proof,
    Replay,
    Unreadable,
    json_object,
)
from core.signatures import BadSignature, timestamped_hmac_sha256
from payments.providers import stripe_balance as balance
from payments.providers.base import (
    Capabilities,
    Cost,
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
from payments.providers.disputes import DisputeReason, DisputeReport, DisputeWord
from payments.providers.saving import Card, MethodReport, Saving, SavingOrder
from payments.providers.statements import PageStep, Window
from payments.providers.stripe_reading import (
    EXPONENTS,
    REFUND_WORDS,
    check_kind,
    dispute_moved,
    identifier,
    read_money,
    text,
)

_LAST_DIGIT_IS_ZERO = 3
_LARGEST = 99_999_999

_INTENT_WORDS: Mapping[str, Word] = {
    "requires_payment_method": Word.PENDING,  # and with a `last_payment_error`: FAILED
    "requires_confirmation": Word.PENDING,
    "requires_action": Word.REQUIRES_ACTION,
    "processing": Word.PENDING,
    "requires_capture": Word.AUTHORIZED,
    "succeeded": Word.SUCCEEDED,
    "canceled": Word.CANCELLED,
}
_DISPUTE_WORDS: Mapping[str, DisputeWord] = {
    "warning_needs_response": DisputeWord.INQUIRY,
    "warning_under_review": DisputeWord.INQUIRY_UNDER_REVIEW,
    "warning_closed": DisputeWord.INQUIRY_CLOSED,
    "needs_response": DisputeWord.NEEDS_RESPONSE,
    "under_review": DisputeWord.UNDER_REVIEW,
    "won": DisputeWord.WON,
    "lost": DisputeWord.LOST,
}
_UNDER_REVIEW = (DisputeWord.UNDER_REVIEW, DisputeWord.INQUIRY_UNDER_REVIEW)
_DISPUTE_REASONS: Mapping[str, DisputeReason] = {
    "bank_cannot_process": DisputeReason.BANK,
    "check_returned": DisputeReason.BANK,
    "credit_not_processed": DisputeReason.NOT_REFUNDED,
    "debit_not_authorized": DisputeReason.FRAUDULENT,
    "duplicate": DisputeReason.DUPLICATE,
    "fraudulent": DisputeReason.FRAUDULENT,
    "incorrect_account_details": DisputeReason.BANK,
    "insufficient_funds": DisputeReason.BANK,
    "product_not_received": DisputeReason.NOT_RECEIVED,
    "product_unacceptable": DisputeReason.NOT_AS_DESCRIBED,
    "subscription_canceled": DisputeReason.SUBSCRIPTION_CANCELLED,
    "unrecognized": DisputeReason.NOT_RECOGNISED,
}
"""What is not here is GENERAL: a dispute is one whatever its reason is called."""

_TOPICS: Mapping[str, Topic] = {
    "payment_intent.requires_action": Topic.PAYMENT,
    "payment_intent.processing": Topic.PAYMENT,
    "payment_intent.amount_capturable_updated": Topic.PAYMENT,
    "payment_intent.succeeded": Topic.PAYMENT,
    "payment_intent.payment_failed": Topic.PAYMENT,
    "payment_intent.canceled": Topic.PAYMENT,
    "refund.created": Topic.REFUND,
    "refund.updated": Topic.REFUND,
    "refund.failed": Topic.REFUND,
    "charge.refund.updated": Topic.REFUND,
    "charge.dispute.created": Topic.DISPUTE,
    "charge.dispute.updated": Topic.DISPUTE,
    "charge.dispute.funds_withdrawn": Topic.DISPUTE,
    "charge.dispute.funds_reinstated": Topic.DISPUTE,
    "charge.dispute.closed": Topic.DISPUTE,
    "setup_intent.requires_action": Topic.SETUP,
    "setup_intent.succeeded": Topic.SETUP,
    "setup_intent.setup_failed": Topic.SETUP,
    "setup_intent.canceled": Topic.SETUP,
    "payment_method.updated": Topic.METHOD,
    "payment_method.automatically_updated": Topic.METHOD,
    "payment_method.detached": Topic.METHOD,
}
"""Every other event says nothing that we act on. Nor does `charge.refunded`: its object is the charge, which
only sums up its refunds, while each speaks for itself in `refund.*` (older: `charge.refund.updated`)."""

_FAILURES: Mapping[str, FailureCode] = {
    "authentication_required": FailureCode.AUTHENTICATION_REQUIRED,
    "payment_intent_authentication_failure": FailureCode.AUTHENTICATION_FAILED,
    "setup_intent_authentication_failure": FailureCode.AUTHENTICATION_FAILED,
    "insufficient_funds": FailureCode.INSUFFICIENT_FUNDS,
    "card_velocity_exceeded": FailureCode.LIMIT_EXCEEDED,
    "amount_too_large": FailureCode.LIMIT_EXCEEDED,
    "amount_too_small": FailureCode.LIMIT_EXCEEDED,
    "expired_card": FailureCode.EXPIRED_INSTRUMENT,
    "expired_or_canceled_card": FailureCode.EXPIRED_INSTRUMENT,
    "incorrect_cvc": FailureCode.INVALID_INSTRUMENT,
    "incorrect_number": FailureCode.INVALID_INSTRUMENT,
    "invalid_account": FailureCode.INVALID_INSTRUMENT,
    "invalid_cvc": FailureCode.INVALID_INSTRUMENT,
    "invalid_expiry_month": FailureCode.INVALID_INSTRUMENT,
    "invalid_expiry_year": FailureCode.INVALID_INSTRUMENT,
    "invalid_number": FailureCode.INVALID_INSTRUMENT,
    "lost_or_stolen_card": FailureCode.INVALID_INSTRUMENT,
    "processing_error": FailureCode.PROVIDER_ERROR,
    "rate_limit": FailureCode.PROVIDER_UNAVAILABLE,
    "unknown": FailureCode.PROVIDER_ERROR,
    # Refunds that the state of the charge does not allow.
    "charge_already_refunded": FailureCode.INVALID_REQUEST,
    "charge_disputed": FailureCode.INVALID_REQUEST,
}
"""By `decline_code`, `code` or a refund's `failure_reason`. What is not here is declined: of a lost or stolen
card the payer learns no more than that."""

_FINAL = frozenset(
    (
        "card_not_supported",
        "currency_not_supported",
        "do_not_try_again",
        "fraudulent",
        "highest_risk_level",
        "lost_card",
        "merchant_blacklist",
        "new_account_information_available",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "security_violation",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
    )
)
"""Decline codes after which the same card is not worth another try, by "next steps" of /declines/codes; the newer
`advice_code` of an error says the same of any."""

_MESSAGES: Mapping[FailureCode, str] = {
    FailureCode.DECLINED: "The card was declined.",
    FailureCode.AUTHENTICATION_REQUIRED: "The payer's bank wants to see the payer.",
    FailureCode.AUTHENTICATION_FAILED: "The payer could not be authenticated.",
    FailureCode.INSUFFICIENT_FUNDS: "There is not enough money on the account.",
    FailureCode.LIMIT_EXCEEDED: "The amount is outside what the card or Stripe allows.",
    FailureCode.EXPIRED_INSTRUMENT: "The card has expired.",
    FailureCode.INVALID_INSTRUMENT: "The card's details are not valid.",
    FailureCode.PROVIDER_ERROR: "The card could not be processed.",
}

_ASK_AFTER = tuple(timedelta(seconds=moment) for moment in (5, 20, 60, 300, 900, 3600, 10_800, 28_800, 57_600, 82_800))
_CHANGE = OperationDeclaration(
    Replay.KEY, Lookup.BY_ID, ask_after=_ASK_AFTER, key_length=255, key_lifetime=timedelta(hours=24)
)
_CREATION = replace(_CHANGE, lookup=Lookup.LISTING)
_PAGE = 100
_EXPANDED = {"expand[]": "latest_charge.balance_transaction"}
_WITH_CARD = {"expand[]": "payment_method"}
_CAPTURE_LINES = ("charge", "payment")
_REFUND_IDS = ("re_", "pyr_")
_ANSWERS = (Kind.EVIDENCE, Kind.ACCEPT)
_EVIDENCE_NAMES = {"explanation": "uncategorized_text"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A secret or restricted key, and the signing secrets of the webhook endpoint: two during a change.

    A restricted key that cannot read charges and the balance is not told what a capture cost.
    """

    secret_key: Secret
    webhook_secrets: tuple[Secret, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """Shapes differ between versions, so one is pinned. The suffix is shown on the payer's statement."""

    api_version: str = "2023-08-16"
    statement_descriptor_suffix: str = ""


class Stripe(PaymentProvider[Credentials, Options]):
    name = "stripe"
    title = "Stripe"
    credentials_type = Credentials
    options_type = Options
    # One host for both modes: the key's prefix tells them apart.
    hosts = {"production": "https://api.stripe.com"}
    live_hosts = frozenset({"production"})
    capabilities = Capabilities(
        methods={
            "card": MethodCapability(manual_capture=True, instrument="payment_method", next_actions=("redirect",))
        },
        operations={
            Kind.CREATE: _CREATION,
            Kind.CAPTURE: _CHANGE,
            Kind.CANCEL: _CHANGE,
            Kind.CONFIRM: _CHANGE,
            Kind.REFUND: _CREATION,
            Kind.EVIDENCE: _CHANGE,
            Kind.ACCEPT: _CHANGE,
        },
        doors={"events": Door(Proof.FULL)},
        refunds="partial",
        reports_cost=True,
        saving=Saving(methods=frozenset({"card"}), declaration=_CREATION),
        statements=balance.STATEMENTS,
    )

    @classmethod
    def check_mode(cls, credentials: Credentials, *, livemode: bool) -> None:
        mode = "live" if livemode else "test"
        if not credentials.secret_key.reveal().startswith((f"sk_{mode}_", f"rk_{mode}_")):
            raise ValueError(f"'secret_key' must begin with sk_{mode}_ or rk_{mode}_")

    def units(self, money: Money) -> int:
        exponent = EXPONENTS.get(money.currency, 2)
        units = money.in_units(exponent)
        if exponent == _LAST_DIGIT_IS_ZERO and units % 10:
            raise NotRepresentable(f"Stripe takes {money.currency} in steps of a hundredth")
        if not 0 < units <= _LARGEST:
            raise NotRepresentable("Stripe takes at most eight digits, and more than nothing")
        return units

    def instrument(self, given: str) -> str:
        if not re.fullmatch(r"pm_[A-Za-z0-9_]{1,250}", given):
            raise ValueError("not a payment method of Stripe.js, which begins with pm_")
        return given

    def authorize(self, request: Request) -> Request:
        bearer = f"Bearer {self.credentials.secret_key.reveal()}"
        return replace(request, headers={**request.headers, "Authorization": bearer})

    def check_credentials(self) -> None:
        """List one PaymentIntent, which every key that takes payments here must be allowed to do."""
        url, version = f"{self.connection.base_url}/v1/payment_intents?limit=1", self.options.api_version
        response = self.connection.send(self.authorize(Request("GET", url, {"Stripe-Version": version})))
        if response.status in (401, 403):
            raise Misconfigured("Stripe refuses the secret key, or what it may do")
        if response.status != 200 or _decoded(response).get("object") != "list":
            raise OutcomeUnknown(f"answer {response.status} to a listing")

    def create(self, order: Order) -> Step:
        """Create and confirm in one call, so that one key covers both."""
        form = {
            "amount": self.units(order.money),
            "currency": order.money.currency.lower(),
            "payment_method": order.instrument.reveal() if order.instrument else "",
            "payment_method_types[]": "card",
            "confirm": "true",
            "capture_method": "manual" if order.manual_capture else "automatic",
            # An absent payer is sent nowhere: what their bank wants comes as an error.
            "return_url": "" if order.off_session else order.return_url,
            "customer": order.customer_id,
            "off_session": "true" if order.off_session else "",
            "description": order.description,
            "statement_descriptor_suffix": self.options.statement_descriptor_suffix,
            "metadata[reference]": order.reference,
        }
        return self._write(order, "/v1/payment_intents", form)

    def capture(self, order: Order) -> Step:
        """Take up to what is held; Stripe lets go of the rest."""
        form = {"amount_to_capture": self.units(order.money)}
        return self._write(order, f"{_intent_path(order)}/capture", form)

    def confirm(self, order: Order) -> Step:
        """The same intent once more, now that its payer is there to answer the bank."""
        form = {"payment_method": order.instrument.reveal() if order.instrument else "", "return_url": order.return_url}
        return self._write(order, f"{_intent_path(order)}/confirm", form)

    def cancel(self, order: Order) -> Step:
        return self._write(order, f"{_intent_path(order)}/cancel", {})

    def refund(self, order: Order) -> Step:
        form = {
            "payment_intent": order.provider_id,
            "amount": self.units(order.money),
            # A payment can have several refunds: the payment's reference would not tell them apart.
            "metadata[reference]": order.operation_key,
        }
        return self._write(order, "/v1/refunds", form)

    def evidence(self, order: Order) -> Step:
        """Stripe keeps what was given before: a text replaces only its own."""
        texts = {f"evidence[{_EVIDENCE_NAMES.get(name, name)}]": text for name, text in order.evidence.items()}
        form = {
            **texts,
            "submit": "true" if order.submits else "false",
            # By which this write is known again when the dispute is read.
            "metadata[reference]": order.operation_key,
        }
        return self._write(order, _dispute_path(order), form)

    def accept(self, order: Order) -> Step:
        return self._write(order, f"{_dispute_path(order)}/close", {})

    def _write(self, order: Order, path: str, form: Mapping[str, object]) -> Step:
        request = self._post(path, order.operation_key, form)
        return Step(request, partial(_read_written, order.kind))

    def _post(self, path: str, key: str, form: Mapping[str, object]) -> Request:
        # An empty text would unset a field, which is not what leaving it out means.
        body = urlencode({name: value for name, value in form.items() if value != ""}).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": key,
            "Stripe-Version": self.options.api_version,
        }
        return Request("POST", self.connection.base_url + path, headers, body)

    def introduce(self, order: SavingOrder) -> Step:
        """Stripe is told nothing of the customer but our reference."""
        request = self._post("/v1/customers", order.key, {"metadata[reference]": order.reference})
        return Step(request, partial(_read_saved, read_customer))

    def set_up(self, order: SavingOrder) -> Step:
        """Create and confirm in one call, so that one key covers both."""
        form = {
            "customer": order.customer_id,
            "payment_method": order.instrument.reveal() if order.instrument else "",
            "payment_method_types[]": "card",
            "usage": "off_session",
            "confirm": "true",
            "return_url": order.return_url,
            "metadata[reference]": order.reference,
            **_WITH_CARD,
        }
        return Step(self._post("/v1/setup_intents", order.key, form), partial(_read_saved, read_setup))

    def fetch_setup(self, order: SavingOrder) -> Step:
        if order.setup_id:
            return self._read(f"{_setup_path(order)}?{urlencode(_WITH_CARD)}", read_setup)
        query = urlencode({"customer": order.customer_id, "limit": _PAGE, "expand[]": "data.payment_method"})
        return self._read(f"/v1/setup_intents?{query}", partial(_find, order.reference, read_setup))

    def cancel_setup(self, order: SavingOrder) -> Step:
        request = self._post(f"{_setup_path(order)}/cancel", order.key, _WITH_CARD)
        return Step(request, partial(_read_saved, read_setup))

    def detach(self, order: SavingOrder) -> Step:
        """For good. What is not there any more, or is nobody's, is detached as well."""
        return Step(self._post(f"{_method_path(order)}/detach", order.key, {}), _read_detached)

    def fetch_method(self, order: SavingOrder) -> Step:
        return self._read(_method_path(order), read_method)

    def fetch(self, order: Order) -> Step:
        """By id; without one, by our reference among the newest.

        An answer that was lost is asked for again by its key. Only where that answers with the 500 which
        Stripe has stored, and replays for as long as it keeps the key, is the listing the way.
        """
        if order.kind not in self.capabilities.operations:
            return super().fetch(order)
        if order.kind in _ANSWERS:
            return self._read(_dispute_path(order), partial(_read_answered, order))
        if order.kind is not Kind.REFUND:
            if order.provider_id:
                return self._read(_intent_path(order), read_intent)
            newest = f"/v1/payment_intents?limit={_PAGE}"
            return self._read(newest, partial(_find, order.reference, read_intent))
        if order.target_id.startswith(_REFUND_IDS):
            return self._read(f"/v1/refunds/{quote(order.target_id, safe='')}", read_refund)
        query = urlencode({"payment_intent": order.provider_id, "limit": _PAGE})
        return self._read(f"/v1/refunds?{query}", partial(_find, order.operation_key, read_refund))

    def fetch_cost(self, order: Order) -> Step:
        """Asked apart: a restricted key may be kept from reading charges and the balance, and must still find money."""
        return self._read(f"{_intent_path(order)}?{urlencode(_EXPANDED)}", read_intent)

    def statement(self, window: Window, cursor: str = "") -> PageStep:
        """The key must be allowed to read the balance, charges and disputes."""
        url = f"{self.connection.base_url}/v1/balance_transactions?{balance.query(window, cursor)}"
        return PageStep(Request("GET", url, {"Stripe-Version": self.options.api_version}), balance.read_page)

    def _read(self, path: str, read: Callable[[Mapping[str, Any]], Report]) -> Step:
        headers = {"Stripe-Version": self.options.api_version}
        request = Request("GET", self.connection.base_url + path, headers)
        return Step(request, partial(_read_fetched, read))

    def verify(self, callback: RawCallback) -> None:
        try:
            timestamped_hmac_sha256(
                header=callback.headers.get("stripe-signature", ""),
                body=callback.body,
                secrets=self.credentials.webhook_secrets,
                now=self.connection.now(),
            )
        except BadSignature as error:
            raise Forged(str(error)) from error

    def read_callback(self, callback: RawCallback) -> Notice:
        try:
            return _read_event(json_object(callback.body))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unreadable("not what Stripe documents for an event") from error


def _intent_path(order: Order) -> str:
    return f"/v1/payment_intents/{quote(order.provider_id, safe='')}"


def _setup_path(order: SavingOrder) -> str:
    return f"/v1/setup_intents/{quote(order.setup_id, safe='')}"


def _method_path(order: SavingOrder) -> str:
    return f"/v1/payment_methods/{quote(order.method_id, safe='')}"


def _dispute_path(order: Order) -> str:
    return f"/v1/disputes/{quote(order.target_id, safe='')}"


# Objects. A shape that is not Stripe's raises KeyError, TypeError, AttributeError or ValueError.


def read_intent(intent: Mapping[str, Any], *, error: Mapping[str, Any] | None = None) -> Report:
    """A PaymentIntent in our words. It has no status "failed": once declined, it waits for another card."""
    check_kind(intent, "payment_intent")
    status, currency = text(intent["status"]), text(intent["currency"])
    word = _INTENT_WORDS.get(status, Word.UNKNOWN)
    error = error or intent.get("last_payment_error")
    if status == "requires_payment_method" and error:
        word = Word.FAILED
    report = Report(word, text(intent["id"]), status)
    match word:
        case Word.SUCCEEDED:
            paid = read_money(intent["amount_received"], currency)
            charge = intent["latest_charge"]
            return replace(
                report, moved=(MoneyMoved(ReceiptKind.CAPTURE, paid, identifier(charge)),), cost=_cost(charge)
            )
        case Word.AUTHORIZED:
            return replace(report, authorized=read_money(intent["amount_capturable"], currency))
        case Word.REQUIRES_ACTION:
            return _with_redirect(report, intent["next_action"])
        case Word.FAILED | Word.CANCELLED if error:
            return replace(report, failure=_failure(error), still_payable=word is Word.FAILED)
    return report


def _cost(charge: object) -> Cost | None:
    """What Stripe kept, in the currency of its balance, from a charge that was expanded.

    None where Stripe has no line of its books yet, and where that line is not one that we can read: the money
    has moved all the same.
    """
    line = charge.get("balance_transaction") if isinstance(charge, Mapping) else None
    if not isinstance(line, Mapping):
        return None
    try:
        check_kind(line, "balance_transaction")
        if line["type"] not in _CAPTURE_LINES:
            return None
        currency = text(line["currency"])
        settled, fee = (read_money(line[name], currency) for name in ("amount", "fee"))
        return Cost(settled, fee, text(line["id"]), _day(line.get("available_on")))
    except (KeyError, TypeError, ValueError):
        return None


def _day(moment: object) -> date | None:
    """The day in UTC of a time in Unix seconds."""
    try:
        return datetime.fromtimestamp(moment, UTC).date() if type(moment) is int else None
    except (ValueError, OverflowError, OSError):
        return None


def _with_redirect(report: Report, action: Mapping[str, Any]) -> Report:
    """As we give a return URL, Stripe answers with a page to go to. Any other action is none that we know."""
    if action["type"] != "redirect_to_url":
        return replace(report, word=Word.UNKNOWN)
    return replace(report, next_action={"type": "redirect", "url": text(action["redirect_to_url"]["url"])})


def read_customer(customer: Mapping[str, Any]) -> Report:
    check_kind(customer, "customer")
    return Report(Word.SUCCEEDED, text(customer["id"]))


def read_setup(intent: Mapping[str, Any], *, error: Mapping[str, Any] | None = None) -> Report:
    """A SetupIntent in our words. It has the statuses of a PaymentIntent, and waits for another card once refused."""
    check_kind(intent, "setup_intent")
    status = text(intent["status"])
    word = _INTENT_WORDS.get(status, Word.UNKNOWN)
    error = error or intent.get("last_setup_error")
    if status == "requires_payment_method" and error:
        word = Word.FAILED
    report = Report(word, text(intent["id"]), status, method=_method(intent.get("payment_method")))
    if word is Word.REQUIRES_ACTION:
        return _with_redirect(report, intent["next_action"])
    return replace(report, failure=_failure(error)) if word is Word.FAILED and error else report


def read_method(method: Mapping[str, Any]) -> Report:
    """A PaymentMethod in our words: it is kept as long as it is a customer's."""
    check_kind(method, "payment_method")
    word = Word.SUCCEEDED if method.get("customer") else Word.CANCELLED
    return Report(word, text(method["id"]), method=_method(method))


def _method(method: object) -> MethodReport:
    """By its id, or whole where it was expanded. Anything but a card is none that we keep."""
    if not isinstance(method, Mapping):
        return MethodReport(method if isinstance(method, str) else "")
    card = method["card"]
    month, year = card["exp_month"], card["exp_year"]
    if type(month) is not int or type(year) is not int or not 1 <= month <= 12 or not 2000 <= year < 9999:
        raise ValueError("no month that there is")
    shown = Card(text(card["brand"]), text(card["last4"]), month, year, str(card.get("fingerprint") or ""))
    return MethodReport(text(method["id"]), shown)


def read_refund(refund: Mapping[str, Any]) -> Report:
    """A refund in our words. It can fail days after it has succeeded."""
    check_kind(refund, "refund")
    status, refund_id = text(refund["status"]), text(refund["id"])
    report = Report(REFUND_WORDS.get(status, Word.UNKNOWN), refund_id, status)
    if report.word is Word.SUCCEEDED:
        money = read_money(refund["amount"], text(refund["currency"]))
        return replace(report, moved=(MoneyMoved(ReceiptKind.REFUND, money, refund_id),))
    if report.word is Word.FAILED:
        return replace(report, failure=_failure({"code": refund.get("failure_reason") or "unknown"}))
    return report


def read_dispute(dispute: Mapping[str, Any], *, word: Word = Word.SUCCEEDED) -> Report:
    """A dispute in our words; `word` is for the write that is asked about. An inquiry has moved no money."""
    check_kind(dispute, "dispute")
    status, reason = text(dispute["status"]), text(dispute["reason"])
    details = dispute["evidence_details"]
    told = _DISPUTE_WORDS.get(status, DisputeWord.UNKNOWN)
    report = DisputeReport(
        told,
        read_money(dispute["amount"], text(dispute["currency"])),
        _DISPUTE_REASONS.get(reason, DisputeReason.GENERAL),
        provider_reason=reason,
        evidence_due_at=_moment(details["due_by"]),
        has_evidence=details["has_evidence"] is True,
        is_submitted=told in _UNDER_REVIEW or bool(details.get("submission_count")),
        is_refundable=dispute["is_charge_refundable"] is True,
        answered_by=str((dispute.get("metadata") or {}).get("reference") or ""),
        moved=tuple(dispute_moved(line) for line in dispute["balance_transactions"] if line["amount"]),
    )
    return Report(word, text(dispute["id"]), status, dispute=report)


def _moment(seconds: object) -> datetime | None:
    """A time in Unix seconds; None for 0, where the bank takes no answer."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if type(seconds) is int and seconds else None
    except (OverflowError, OSError) as error:
        raise ValueError("no time that there is") from error


def _read_answered(order: Order, dispute: Mapping[str, Any]) -> Report:
    """Whether our answer to the dispute took effect: evidence by the key that went with it, giving in by the loss.

    That nothing of it shows proves nothing: it may still be on its way.
    """
    report = read_dispute(dispute, word=Word.UNKNOWN)
    told = report.dispute
    if told is None:
        return report
    gave_in = order.kind is Kind.ACCEPT and told.word is DisputeWord.LOST
    took = gave_in or (order.kind is Kind.EVIDENCE and told.answered_by == order.operation_key)
    return replace(report, word=Word.SUCCEEDED) if took else report


def _failure(error: Mapping[str, Any]) -> Failure:
    code = _failure_code(error)
    told_not_to = error.get("advice_code") == "do_not_try_again"
    is_final = told_not_to or any(error.get(name) in _FINAL for name in ("decline_code", "code"))
    return Failure(code, _MESSAGES.get(code, _MESSAGES[FailureCode.DECLINED]), _provider_code(error), is_final)


def _failure_code(error: Mapping[str, Any], default: FailureCode = FailureCode.DECLINED) -> FailureCode:
    known = (_FAILURES.get(str(error.get(name))) for name in ("decline_code", "code"))
    return next((code for code in known if code), default)


def _provider_code(error: Mapping[str, Any]) -> str:
    return str(error.get("decline_code") or error.get("code") or error.get("type") or "")


# Answers


def _decoded(response: Response) -> dict[str, Any]:
    try:
        return json_object(response.body)
    except ValueError as error:
        raise OutcomeUnknown(f"answer {response.status} without JSON") from error


def _read_written(kind: Kind, response: Response) -> Report:
    answer = _decoded(response)
    try:
        if response.status == 200:
            read = read_dispute if kind in _ANSWERS else read_refund if kind is Kind.REFUND else read_intent
            return read(answer)
        return _read_refusal(kind, response.status, answer["error"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise OutcomeUnknown(f"answer {response.status} of an unknown shape") from error


def _read_saved(read: Callable[..., Report], response: Response) -> Report:
    """The answer to a write about a saved method; a refusal that shows the set-up tells how that stands."""
    answer = _decoded(response)
    try:
        if response.status == 200:
            return read(answer)
        error = answer["error"]
        if response.status in (400, 402) and error.get("setup_intent"):
            return read_setup(error["setup_intent"], error=error if response.status == 402 else None)
        raise _refusal(response.status, error, Kind.CREATE)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise OutcomeUnknown(f"answer {response.status} of an unknown shape") from error


def _read_detached(response: Response) -> Report:
    answer = _decoded(response)
    code = str((answer.get("error") or {}).get("code"))
    if response.status == 404 or (response.status == 400 and code == "payment_method_unexpected_state"):
        return Report(Word.CANCELLED)
    return _read_saved(read_method, response)


def _read_refusal(kind: Kind, status: int, error: Mapping[str, Any]) -> Report:
    """A refusal that shows the intent tells how it stands: what a bank declines exists, and can be paid."""
    intent = error.get("payment_intent")
    if status in (400, 402) and intent and kind not in (Kind.REFUND, *_ANSWERS):
        report = read_intent(intent, error=error)
        if kind is Kind.CREATE and report.word is Word.CANCELLED:
            return replace(report, word=Word.FAILED)
        if kind in (Kind.CREATE, Kind.CONFIRM) or report.word in (Word.SUCCEEDED, Word.CANCELLED):
            return report
    raise _refusal(status, error, kind)


def _refusal(status: int, error: Mapping[str, Any], kind: Kind) -> NothingCreated | OutcomeUnknown:
    """What an error without a usable intent proves. Everything unlisted, 409 and 424 too, proves nothing."""
    code = _provider_code(error)
    if status in (401, 403):
        return Misconfigured("Stripe refuses the secret key, or what it may do", provider_code=code)
    if error["type"] == "idempotency_error":
        # The key was used with other bytes. Whatever it did then, it is no failure of the payment.
        return OutcomeUnknown("Stripe knows this key from another request")
    declined = status == 402 and kind not in (Kind.CREATE, Kind.CONFIRM)
    if status in (400, 404) or declined or (status == 429 and code == "rate_limit"):
        default = FailureCode.DECLINED if declined else FailureCode.INVALID_REQUEST
        return NothingCreated(f"Stripe refused: {code}", code=_failure_code(error, default), provider_code=code)
    return OutcomeUnknown(f"answer {status} {code}")


def _read_fetched(read: Callable[[Mapping[str, Any]], Report], response: Response) -> Report:
    """A question that is refused says nothing of what it asked about."""
    answer = _decoded(response)
    if response.status != 200:
        raise OutcomeUnknown(f"answer {response.status} to a question")
    try:
        return read(answer)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise OutcomeUnknown("answer 200 of an unknown shape") from error


def _find(reference: str, read: Callable[[Mapping[str, Any]], Report], page: Mapping[str, Any]) -> Report:
    """The object that carries our reference. One that is not listed may still be on its way."""
    rows: Iterable[Mapping[str, Any]] = page["data"]
    for row in rows:
        if row["metadata"].get("reference") == reference:
            return read(row)
    raise OutcomeUnknown("nothing with our reference is listed")


def _read_event(event: Mapping[str, Any]) -> Notice:
    check_kind(event, "event")
    event_id, livemode = text(event["id"]), event["livemode"]
    if not isinstance(livemode, bool):
        raise ValueError("an event says its mode")
    topic = _TOPICS.get(text(event["type"]), Topic.NOTHING)
    if topic is Topic.NOTHING:
        return Notice(topic, event_id=event_id, livemode=livemode)
    subject = event["data"]["object"]
    report = _READERS[topic](subject)
    return Notice(
        topic,
        report,
        event_id=event_id,
        payment_provider_id=report.provider_id if topic in _OWN_ID else _payment_of(subject),
        reference=str((subject.get("metadata") or {}).get("reference") or ""),
        money=read_money(subject["amount"], text(subject["currency"])) if topic is Topic.REFUND else None,
        livemode=livemode,
    )


_READERS: Mapping[Topic, Callable[[Mapping[str, Any]], Report]] = {
    Topic.PAYMENT: read_intent,
    Topic.REFUND: read_refund,
    Topic.DISPUTE: read_dispute,
    Topic.SETUP: read_setup,
    Topic.METHOD: read_method,
}
_OWN_ID = (Topic.PAYMENT, Topic.SETUP, Topic.METHOD)


def _payment_of(refund: Mapping[str, Any]) -> str:
    """Empty for the refund or dispute of a charge that was made without an intent: none of ours."""
    return identifier(refund["payment_intent"]) if refund.get("payment_intent") else ""
