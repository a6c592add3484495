"""Capture, cancel and refund: claimed under the payment's lock, called outside it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from core.database import violated
from core.errors import (
    CaptureExceedsAuthorized,
    Conflict,
    InvalidRequest,
    NotCancellable,
    NotCapturable,
    NotRefundable,
    RefundExceedsCaptured,
)
from core.money import Money
from events import attention
from events.idempotency import Claim
from events.models import Attention
from events.transitions import move, record
from ledger.facts import Fact
from payments.models import Attempt, Operation, Payment, Receipt, Refund
from payments.providers import REGISTRY
from payments.providers.base import Kind, Order, ReceiptKind
from payments.services import confirming, operations, posting
from payments.services.choosing import check_carries
from payments.services.disputing import check_undisputed
from payments.services.locking import lock_attempt
from payments.services.places import place_in_flight
from payments.services.preparing import prepare
from payments.states import AttemptState, PaymentState, RefundState

Prepared = tuple[Operation, Order]


def capture_payment(payment: Payment, *, amount: int | None, claim: Claim, by: str) -> Payment:
    """Collect an authorized payment, all of it or less. Raises NotCapturable or CaptureExceedsAuthorized."""

    def ready(locked: Payment, attempt: Attempt) -> Prepared:
        if locked.state != PaymentState.AUTHORIZED:
            raise NotCapturable(f"{locked.pk} is {locked.state}; only an authorized payment can be captured.")
        money = Money(locked.amount if amount is None else amount, locked.currency)
        if money > locked.money:
            raise CaptureExceedsAuthorized(f"{locked.money} is held, {money} was asked for.", param="/amount")
        check_carries(attempt.account, money)
        record(attempt, asked_amount=money.amount)
        return prepare(attempt, Kind.CAPTURE, by=by, money=money, sending=True)

    return _change(payment, ready, claim=claim, by=by, refusal=NotCapturable)


def cancel_payment(payment: Payment, *, claim: Claim, by: str) -> Payment:
    """End a payment that is not paid, with the provider's word for it. Raises NotCancellable."""

    def ready(locked: Payment, attempt: Attempt) -> Prepared:
        _check_cancellable(locked, attempt)
        record(attempt, closing_as=PaymentState.CANCELLED)
        return prepare(attempt, Kind.CANCEL, by=by, money=locked.money, sending=True)

    return _change(payment, ready, claim=claim, by=by, refusal=NotCancellable)


def _check_cancellable(payment: Payment, attempt: Attempt) -> None:
    """Only what the provider can confirm as cancelled is cancelled (money.md 3)."""
    if not payment.is_open:
        raise NotCancellable(f"{payment.pk} is {payment.state}; there is nothing left to cancel.")
    if not REGISTRY[attempt.account.provider].capabilities.offers(Kind.CANCEL, payment.method):
        raise NotCancellable(
            f"{attempt.account.provider} cannot withdraw what it has sent to the payer. {payment.pk} ends by itself."
        )
    if not attempt.provider_id or attempt.closing_as:
        raise NotCancellable(f"{payment.pk} is being settled with {attempt.account.provider}. Ask again in a moment.")


def _change(
    payment: Payment, ready: Callable[[Payment, Attempt], Prepared], *, claim: Claim, by: str, refusal: type[Conflict]
) -> Payment:
    attempt = _current_attempt(payment)
    with place_in_flight(attempt.account):
        try:
            with transaction.atomic():
                locked = lock_attempt(attempt)
                if locked.payment.state == PaymentState.AUTHORIZED:
                    confirming.took_effect(locked, by=by)
                operation, order = ready(locked.payment, locked)
                claim.bind(payment.pk, operation)
        except IntegrityError as error:
            if violated(error) != "one_open_change":
                raise
            raise refusal(f"Something is being decided about {payment.pk} already. Ask again in a moment.") from error
        return operations.perform(operation, order).attempt.payment


def _current_attempt(payment: Payment) -> Attempt:
    return payment.attempts.select_related("account").latest("pk")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """`amount` None asks for all that is left."""

    payment: Payment
    amount: int | None = None
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    by: str = ""


def refund_payment(asked: RefundRequest, *, claim: Claim) -> Refund:
    """Send money back. The sum is reserved under the payment's lock before the provider is asked.

    Raises NotRefundable, PaymentDisputed, RefundExceedsCaptured or AmountNotRepresentable; nothing is written then.
    """
    attempt = _paid_attempt(asked.payment)
    with place_in_flight(attempt.account):
        with transaction.atomic():
            attempt = lock_attempt(attempt)
            payment = attempt.payment
            check_undisputed(payment)
            refund = _new_refund(asked, payment, attempt)
            operation, order = prepare(
                attempt,
                Kind.REFUND,
                by=asked.by,
                money=refund.money,
                refund=refund,
                target_id=_receipt_id(attempt, refund.money),
                sending=True,
            )
            claim.bind(refund.pk, refund, operation)
            record(payment, refund_reserved=payment.refund_reserved + refund.amount)
            posting.post_refund(Fact.REFUND_RESERVED, refund)
        concluded = operations.perform(operation, order).refund
    return concluded or refund


def _paid_attempt(payment: Payment) -> Attempt:
    """The attempt whose money counts as paid; what came of another may be an overpayment."""
    captures = Receipt.objects.filter(attempt__payment=payment, kind=ReceiptKind.CAPTURE).order_by("pk")
    receipts = list(captures.select_related("attempt__account", "overpayment"))
    if not receipts:
        raise NotRefundable(f"{payment.pk} is {payment.state} and holds no money. Cancel it instead.")
    return next((receipt.owner for receipt in receipts if _counts(receipt)), receipts[0].owner)


def _counts(receipt: Receipt) -> bool:
    overpayment = getattr(receipt, "overpayment", None)
    return overpayment is None or overpayment.amount < receipt.amount


def _receipt_id(attempt: Attempt, money: Money) -> str:
    """The number of the receipt that is given back; where that is done whole or not at all, of one of just that sum."""
    captures = attempt.receipts.filter(kind=ReceiptKind.CAPTURE, currency=money.currency).order_by("pk")
    if _refunds_whole(attempt):
        captures = _whole(attempt, captures).filter(amount=money.amount)
    receipt = captures.first()
    if receipt is None or receipt.provider_money_id is None:
        raise NotRefundable(
            f"The receipt of {attempt.payment_id} has not been seen yet. Try again when it has arrived."
        )
    return receipt.provider_money_id


def _refunds_whole(attempt: Attempt) -> bool:
    return REGISTRY[attempt.account.provider].capabilities.refunds == "full"


def _whole(attempt: Attempt, captures: QuerySet[Receipt]) -> QuerySet[Receipt]:
    """The receipts that are still to be given back, all of which is the payment's."""
    given_back = Operation.objects.filter(attempt=attempt, kind=Kind.REFUND).exclude(
        refund__state__in=[RefundState.FAILED, RefundState.CANCELLED]
    )
    targets = list(given_back.values_list("target_id", flat=True))
    return captures.filter(overpayment=None).exclude(provider_money_id__in=targets)


def _new_refund(asked: RefundRequest, payment: Payment, attempt: Attempt) -> Refund:
    left = Money(payment.refundable_amount, payment.currency)
    money = left if asked.amount is None else Money(asked.amount, payment.currency)
    if money > left or money.amount <= 0:
        raise RefundExceedsCaptured(
            f"{left} of {payment.pk} can still be refunded, {money} was asked for.", param="/amount"
        )
    _check_partial(attempt, payment, money)
    check_carries(attempt.account, money)
    return Refund(
        payment=payment,
        attempt=attempt,
        store_id=payment.store_id,
        merchant_id=payment.merchant_id,
        livemode=payment.livemode,
        amount=money.amount,
        currency=money.currency,
        reason=asked.reason,
        metadata=asked.metadata,
    )


def _check_partial(attempt: Attempt, payment: Payment, money: Money) -> None:
    offered = REGISTRY[attempt.account.provider].capabilities.refunds
    if offered == "partial":
        return
    captures = attempt.receipts.filter(kind=ReceiptKind.CAPTURE, currency=payment.currency).order_by("pk")
    whole = [receipt.money for receipt in _whole(attempt, captures)] if offered == "full" else []
    if not whole:
        raise NotRefundable(f"{attempt.account.provider} gives back nothing of {payment.pk} by a call.")
    if money not in whole:
        raise InvalidRequest(
            f"{attempt.account.provider} gives back a receipt whole or not at all: ask for "
            f"{' or '.join(map(str, whole))}.",
            param="/amount",
        )


def accept_underpaid(payment: Payment, *, by: str) -> None:
    """A person takes less than was asked: the payment succeeds with what was captured. Raises Conflict."""
    attempt = _current_attempt(payment)
    with transaction.atomic():
        attempt = lock_attempt(attempt)
        locked = attempt.payment
        if not locked.underpaid or locked.captured_amount == 0:
            raise Conflict(f"{locked.pk} is not underpaid, or holds no money in its currency.")
        reason = f"{locked.captured_amount} of {locked.amount} accepted"
        move(
            attempt,
            AttemptState.SUCCEEDED,
            by=by,
            because=reason,
            asked_amount=locked.captured_amount,
            prompt_lock=None,
        )
        move(locked, PaymentState.SUCCEEDED, by=by, because=reason, underpaid=False)
        attention.settle(locked, Attention.Reason.UNDERPAID, by=by)
