"""Money that a provider's own list shows and we have not booked: repaired where that is certain (money.md 19)."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from core.money import Money
from core.providers import NothingCreated, OutcomeUnknown, Unsupported
from events import attention
from events.models import Attention
from events.transitions import record
from merchants.models import ProviderAccount
from payments.models import Attempt, Dispute, Operation, Payment, Receipt, Refund, ReportedReceipt, UnallocatedReceipt
from payments.providers.base import Kind, MoneyMoved, Notice, ReceiptKind, Report, Topic, Word
from payments.services import (
    arriving,
    booking,
    connections,
    dashboard_refunds,
    dispute_booking,
    operations,
    refund_booking,
    reporting,
    resolving,
)
from payments.services.arriving import Arrived
from payments.services.booking import Because
from payments.services.locking import lock_attempt, lock_operation
from payments.services.operations import schedule, settle_by
from payments.services.preparing import order_for
from payments.states import AttemptState, OperationState, PaymentState, RefundState

SOURCE = "reconciliation"


def take_in_listed(came: Arrived, because: Because, *, payment_id: str = "") -> Payment | UnallocatedReceipt:
    """Book listed money, once for ever: for the attempt that has its reference, where just that sum was asked of it.

    Anything else is unallocated: a person says whose it is. Gives what the money is booked as, also when it was.
    `payment_id` is the provider's id of the payment, which an attempt learns whose creation was not answered.
    """
    with transaction.atomic():
        attempt = arriving.attempt_named(came.account, came.reference)
        if attempt is not None and _was_asked(locked := lock_attempt(attempt), came.moved.money):
            if payment_id and not locked.provider_id:
                record(locked, provider_id=payment_id)
            booked = arriving.take_in(came, because)
        else:
            booked = _booked(came) or arriving.leave_unallocated(came, because)
        _hasten_report(came)
    return booked


def ask_about_named(account: ProviderAccount, reference: str, because: Because) -> Attempt | None:
    """Ask the provider about the payment with this reference of ours, and book the money that it tells of.

    Gives the payment's attempt, also where the provider did not say; None for a reference that is none of ours.
    """
    attempt = arriving.attempt_named(account, reference)
    created = attempt.operations.filter(kind=Kind.CREATE).order_by("pk").last() if attempt else None
    report = resolving.fetch_attempt(created) if created else None
    if created is not None and report is not None and report.moved:
        with transaction.atomic():
            operation = lock_operation(created)
            booking.apply_to_attempt(operation.attempt, report, because)
            if operation.state == OperationState.UNKNOWN:
                settle_by(operation, report, because, provider_id=report.provider_id)
            operations.recognise(operation, because)
            schedule(operation)
    return attempt


def booked_of(attempt: Attempt, number: str) -> Payment | None:
    """The payment, if captured money of its attempt is booked: under this number, or the payment's own."""
    known = Attempt.objects.select_related("payment").get(pk=attempt.pk)
    numbers = {number, known.provider_id} - {""}
    is_booked = known.receipts.filter(kind=ReceiptKind.CAPTURE, provider_money_id__in=numbers).exists()
    return known.payment if is_booked else None


def take_in_refund(
    account: ProviderAccount, moved: MoneyMoved, *, reference: str, gives_back: str, because: Because
) -> Refund | None:
    """Book a refund that is listed as gone, once for ever. None where it is not certain which it is.

    It is ours by its number, else by the key of its operation, and of just that sum. Any other was begun at the
    provider's dashboard: its payment is the one whose captured money has the number `gives_back`, unless a refund of
    ours is open there whose number has not come.
    """
    with transaction.atomic():
        known = _refund_named(account, moved.provider_money_id, reference)
        attempt = known.attempt if known else _attempt_of(account, gives_back)
        if attempt is None or moved.money.currency != attempt.payment.currency:
            return None
        locked = lock_attempt(attempt)
        if known is None and locked.refunds.filter(provider_id="", state__in=operations.OPEN_REFUND).exists():
            return None
        report = Report(Word.SUCCEEDED, moved.provider_money_id, moved=(moved,))
        notice = Notice(Topic.REFUND, report, reference=reference, money=moved.money)
        refund = dashboard_refunds.find_or_book(locked, notice, report)
        if refund.money != moved.money or refund.state in (RefundState.FAILED, RefundState.CANCELLED):
            return None
        refund_booking.apply_to_refund(refund, report, because)
        for operation in Operation.objects.filter(refund=refund).select_related("attempt", "refund"):
            begun = lock_operation(operation)
            operations.recognise(begun, because)
            schedule(begun)
    return refund


def _refund_named(account: ProviderAccount, number: str, reference: str) -> Refund | None:
    ours = Refund.objects.filter(attempt__account=account).select_related("attempt__payment")
    found = ours.filter(provider_id=number).first()
    return found or (ours.filter(operations__key=reference, provider_id="").first() if reference else None)


def _attempt_of(account: ProviderAccount, number: str) -> Attempt | None:
    """Whose captured money has this number."""
    captured = Receipt.objects.filter(account=account, provider_money_id=number, kind=ReceiptKind.CAPTURE)
    receipt = captured.select_related("attempt__payment", "attempt__account").first() if number else None
    return receipt.attempt if receipt else None


def ask_about_dispute(account: ProviderAccount, dispute_id: str, *, disputes: str, because: Because) -> Dispute | None:
    """Book what the provider tells of a dispute whose money is listed; in no transaction.

    `disputes` is the number of the captured money. None where that is none of ours, or the provider does not tell.
    """
    attempt = _attempt_of(account, disputes)
    report = _told_of_dispute(attempt, dispute_id) if attempt and dispute_id else None
    if attempt is None or report is None or report.provider_id != dispute_id:
        return None
    with transaction.atomic():
        dispute = dispute_booking.find_or_open(lock_attempt(attempt), report)
        dispute_booking.apply_to_dispute(dispute, report, because)
    return dispute


def _told_of_dispute(attempt: Attempt, dispute_id: str) -> Report | None:
    """The dispute as its provider is asked about it, by an operation that is never saved."""
    payment = attempt.payment
    question = Operation(
        attempt=attempt, kind=Kind.EVIDENCE, amount=payment.amount, currency=payment.currency, target_id=dispute_id
    )
    provider = connections.connect(attempt.account)
    try:
        return connections.ask(provider, provider.fetch(order_for(question)), purpose="fetch")
    except (NothingCreated, OutcomeUnknown, Unsupported):
        return None


def given_up(account: ProviderAccount, *, sent_before: datetime) -> QuerySet[Operation]:
    """What was asked of payers so long ago, is over without money, and of which nobody could tell what became of it."""
    return Operation.objects.filter(
        attempt__account=account,
        attempt__state=AttemptState.OPEN,
        attempt__payment__state__in=_OVER,
        kind=Kind.CREATE,
        state__in=[OperationState.UNKNOWN, OperationState.SUCCEEDED],
        sent_at__lt=sent_before,
        due_at=None,
    )


def conclude_unlisted(operation: Operation, because: Because) -> bool:
    """End an attempt for which the provider's list, read while it could have shown any, has no money (money.md 7).

    Its payment has ended before, and is left as it is. Money that comes all the same is booked as ever.
    """
    with transaction.atomic():
        locked = lock_operation(operation)
        attempt = locked.attempt
        if attempt.state != AttemptState.OPEN or attempt.payment.state not in _OVER or attempt.payment.captured_amount:
            return False
        booking.end(attempt, PaymentState.EXPIRED, because)
        if locked.state == OperationState.UNKNOWN:
            settle_by(locked, Report(Word.FAILED), because)
        else:
            schedule(locked)
        attention.settle(attempt.payment, Attention.Reason.UNKNOWN, by=because.by)
    return True


_OVER = (PaymentState.EXPIRED, PaymentState.CANCELLED, PaymentState.FAILED)


def _booked(came: Arrived) -> Payment | UnallocatedReceipt | None:
    return arriving.booked(came.account, came.moved.provider_money_id)


def _was_asked(attempt: Attempt, money: Money) -> bool:
    """The whole sum, or just what was missing of it."""
    asked, kept = attempt.asked_amount, attempt.payment.kept_amount
    return money.currency == attempt.payment.currency and money.amount in (asked, asked - kept)


def _hasten_report(came: Arrived) -> None:
    """What a callback without proof had told of the same money has its answer: its worker concludes the report."""
    told = ReportedReceipt.objects.filter(account=came.account, provider_money_id=came.moved.provider_money_id)
    for public_id in told.values_list("pk", flat=True):
        reporting.ask_now(public_id)
