"""What a report does to our rows: money facts first, then states (money.md 1 to 4).

Everything here runs in the caller's transaction, with the payment locked before its attempt or refund.
"""

from dataclasses import dataclass

from django.db.models import Sum

from core.database import insert_ignoring
from core.money import Money
from core.states import Verdict
from events import attention, outbox
from events.models import Attention
from events.transitions import move, record
from payments.models import Attempt, Overpayment, Payment, Receipt, Refund, UnallocatedReceipt
from payments.providers.base import Cost, Failure, MoneyMoved, ReceiptKind, Report, Word
from payments.services import fees, payer_links, posting
from payments.services.preparing import begin_close
from payments.states import AttemptState, PaymentState, UnallocatedState


@dataclass(frozen=True, slots=True)
class Because:
    """Who brought the word, in what form: for transitions and receipts."""

    by: str
    source: str
    detail: str = ""

    def __str__(self) -> str:
        return self.detail or self.source


def apply_to_attempt(attempt: Attempt, report: Report, because: Because) -> None:
    """Book what the report says has moved, then take attempt and payment where its word leads."""
    learned = _learned(attempt, report)
    for moved in report.moved:
        if moved.kind is ReceiptKind.CAPTURE:
            book_capture(attempt, moved, because, cost=report.cost)
    if report.moved or report.word is Word.SUCCEEDED:
        _settle(attempt, because, learned)
    else:
        if learned:
            record(attempt, **learned)
        _follow(attempt, report, because)


def _learned(attempt: Attempt, report: Report) -> dict[str, str]:
    """The provider's id, if it was not known, and its latest word: columns that are written with the next step."""
    learned = {}
    if report.provider_id and not attempt.provider_id:
        learned["provider_id"] = report.provider_id
    if report.provider_status and report.provider_status != attempt.provider_status:
        learned["provider_status"] = report.provider_status[:100]
    return learned


def book_capture(attempt: Attempt, moved: MoneyMoved, because: Because, *, cost: Cost | None = None) -> None:
    """Write the receipt, once for ever, post it to the books with its fee, and count its money on the payment.

    The counts are set on the row here and written by the step that follows in the same transaction.
    """
    receipt = _receipt(attempt, moved, because, cost)
    if receipt is not None:
        _count(receipt, cost)


def book_found(attempt: Attempt, moved: MoneyMoved, because: Because) -> None:
    """Money that was found at the account and names the attempt, whatever the provider says of the attempt itself.

    Of another amount than a receipt that still lacks its number, it is other money (money.md 7).
    """
    if moved.provider_money_id and _pending(attempt, other_than=moved.money):
        receipt = _insert(attempt, moved, because)
        if receipt is not None:
            _count(receipt, None)
    else:
        book_capture(attempt, moved, because)
    _settle(attempt, because, {})


def allocate(unallocated: UnallocatedReceipt, attempt: Attempt, because: Because, *, cost: Cost | None = None) -> None:
    """Make an unallocated receipt the attempt's, as if it had just come; both are locked, the attempt first.

    The payment's counts are set on the row, as in `book_capture`.
    """
    receipt = unallocated.receipt
    receipt.attempt = attempt
    Receipt.objects.filter(pk=receipt.pk).update(attempt=attempt)
    _count(receipt, cost, unallocated)
    _assigned(unallocated, attempt, because)


def _assigned(unallocated: UnallocatedReceipt, attempt: Attempt, because: Because) -> None:
    attention.settle(unallocated, Attention.Reason.UNMATCHED, by=because.by)
    move(
        unallocated,
        UnallocatedState.ASSIGNED,
        by=because.by,
        because=str(because),
        payment_id=attempt.payment_id,
    )


def settle_found(attempt: Attempt, because: Because) -> None:
    """After `allocate`: the attempt and its payment go where their money takes them."""
    _settle(attempt, because, {})


def _count(receipt: Receipt, cost: Cost | None, unallocated: UnallocatedReceipt | None = None) -> None:
    attempt = receipt.owner
    payment = attempt.payment
    if receipt.currency != payment.currency:
        posting.post_suspended(receipt)
        detail = f"receipt {receipt.pk} is in {receipt.currency}, the payment in {payment.currency}"
        attention.raise_for(payment, Attention.Reason.UNDERPAID, detail)
        record(payment, underpaid=True)
        return
    wanted = max(attempt.asked_amount - payment.captured_amount, 0)
    excess = receipt.amount - min(receipt.amount, wanted)
    payment.captured_amount += receipt.amount - excess
    if unallocated is None:
        posting.post_capture(receipt, excess=excess)
    else:
        posting.post_allocated(unallocated, payment, excess=excess)
    fees.book_fee(receipt, cost)
    if excess:
        _book_excess(payment, receipt, excess)


def _receipt(attempt: Attempt, moved: MoneyMoved, because: Because, cost: Cost | None) -> Receipt | None:
    """The newly booked receipt; None when this money was booked before."""
    captures = Receipt.objects.filter(attempt=attempt, kind=ReceiptKind.CAPTURE)
    if not moved.provider_money_id and captures.exists():
        return None
    waits_for_receipt = attempt.state == AttemptState.SUCCEEDED
    if moved.provider_money_id and waits_for_receipt and _fill_pending(attempt, moved):
        return None
    receipt = _insert(attempt, moved, because)
    if receipt is None:
        _check_owner(attempt, moved, because, cost)
    return receipt


def _insert(attempt: Attempt, moved: MoneyMoved, because: Because) -> Receipt | None:
    receipt = Receipt(
        account_id=attempt.account_id,
        attempt=attempt,
        livemode=attempt.livemode,
        kind=moved.kind,
        provider_money_id=moved.provider_money_id or None,
        amount=moved.money.amount,
        currency=moved.money.currency,
        source=because.source,
    )
    return receipt if insert_ignoring(receipt) else None


def _pending(attempt: Attempt, *, other_than: Money) -> bool:
    """Whether a receipt of the attempt lacks its number and is for another amount."""
    pending = Receipt.objects.filter(attempt=attempt, provider_money_id=None).first()
    return pending is not None and pending.money != other_than


def _fill_pending(attempt: Attempt, moved: MoneyMoved) -> bool:
    """Give the receipt that a query confirmed without naming it its number (money.md 7)."""
    pending = Receipt.objects.filter(attempt=attempt, provider_money_id=None).first()
    if pending is None:
        return False
    if Receipt.objects.filter(account=attempt.account_id, provider_money_id=moved.provider_money_id).exists():
        return False
    Receipt.objects.filter(pk=pending.pk).update(provider_money_id=moved.provider_money_id)
    if moved.money != pending.money:
        pending.attempt = attempt
        _correct(attempt.payment, pending, moved.money)
    return True


def _correct(payment: Payment, receipt: Receipt, told: Money) -> None:
    """The query confirmed the sum that was asked; the receipt names another. Book it, and let a person look.

    What is refunded already stays counted as captured, whatever arrived.
    """
    posting.post_correction(receipt, told)
    Receipt.objects.filter(pk=receipt.pk).update(amount=told.amount, currency=told.currency)
    same_currency = told.currency == receipt.currency
    if same_currency and told > receipt.money:
        _book_excess(payment, receipt, told.amount - receipt.amount)
    else:
        detail = f"receipt {receipt.pk} says {told} after {receipt.money} was confirmed"
        attention.raise_for(payment, Attention.Reason.UNDERPAID, detail)
        missing = receipt.amount - (told.amount if same_currency else 0)
        payment.captured_amount = max(payment.captured_amount - missing, payment.refund_reserved)
        record(payment, underpaid=True)


def _check_owner(attempt: Attempt, moved: MoneyMoved, because: Because, cost: Cost | None) -> None:
    """The money is booked already: for this attempt, for another one, or for none yet."""
    booked = Receipt.objects.get(account=attempt.account_id, provider_money_id=moved.provider_money_id)
    if booked.attempt_id is None and booked.money == moved.money:
        locked = (
            UnallocatedReceipt.objects.select_for_update(of=("self",)).select_related("receipt").get(receipt=booked)
        )
        if locked.state == UnallocatedState.OPEN:
            _recognise(locked, attempt, moved, because, cost)
            return
        booked = locked.receipt
    if booked.attempt_id != attempt.pk:
        detail = f"money {moved.provider_money_id} was booked for {booked.attempt_id}; it cannot be counted twice"
        attention.raise_for(attempt.payment, Attention.Reason.PARKED, detail)


def _recognise(
    unallocated: UnallocatedReceipt, attempt: Attempt, moved: MoneyMoved, because: Because, cost: Cost | None
) -> None:
    """What came as unallocated is this attempt's money, by its exact id; a receipt that waits for it replaces it."""
    pending = Receipt.objects.filter(attempt=attempt, provider_money_id=None).first()
    if pending is None:
        allocate(unallocated, attempt, because, cost=cost)
        return
    told_first = unallocated.receipt
    posting.post_recognised(unallocated, attempt.payment)
    record(unallocated, receipt_id=pending.pk)
    told_first.delete()
    _fill_pending(attempt, moved)
    unallocated.receipt = Receipt.objects.get(pk=pending.pk)
    _assigned(unallocated, attempt, because)


def _book_excess(payment: Payment, receipt: Receipt, excess: int) -> None:
    Overpayment.objects.create(
        payment=payment, receipt=receipt, livemode=payment.livemode, amount=excess, currency=receipt.currency
    )
    attention.raise_for(payment, Attention.Reason.OVERPAID, f"{Money(excess, receipt.currency)} beyond what was asked")
    outbox.publish(payment, "overpaid")


def _settle(attempt: Attempt, because: Because, learned: dict[str, str]) -> None:
    """Succeed when what was asked is there; otherwise flag the payment and leave it to a person."""
    payment = attempt.payment
    if payment.captured_amount >= attempt.asked_amount:
        if payment.underpaid:
            record(payment, underpaid=False)
            attention.settle(payment, Attention.Reason.UNDERPAID, by=because.by)
        if payment.unconfirmed:
            record(payment, unconfirmed=False)
        if payment.state != PaymentState.CREATED:
            attention.settle(payment, Attention.Reason.UNKNOWN, by=because.by)
        no_failure = {"failure_code": "", "failure_message": "", "failure_provider_code": ""}
        move(
            attempt,
            AttemptState.SUCCEEDED,
            by=because.by,
            because=str(because),
            prompt_lock=None,
            **no_failure,
            **learned,
        )
        move(
            payment,
            PaymentState.SUCCEEDED,
            by=because.by,
            because=str(because),
            next_action=None,
            failure_code="",
            failure_message="",
            **_counts(payment),
        )
        return
    record(attempt, **learned)
    record(payment, **_counts(payment))
    if payment.state != PaymentState.SUCCEEDED:
        _hold_underpaid(attempt, because)


def _counts(payment: Payment) -> dict[str, object]:
    """The columns that booking has set on the row."""
    return {name: getattr(payment, name) for name in ("captured_amount", *fees.COLUMNS)}


def _hold_underpaid(attempt: Attempt, because: Because) -> None:
    payment = attempt.payment
    move(
        payment,
        PaymentState.PROCESSING,
        by=because.by,
        because=f"{because}: less than was asked",
        next_action=None,
    )
    if not payment.underpaid:
        record(payment, underpaid=True)
        detail = f"{Money(payment.captured_amount, payment.currency)} of {attempt.asked}"
        attention.raise_for(payment, Attention.Reason.UNDERPAID, detail)
        outbox.publish(payment, "underpaid")


def _follow(attempt: Attempt, report: Report, because: Because) -> None:
    """A word without money."""
    payment = attempt.payment
    match report.word:
        case Word.PENDING:
            move(payment, PaymentState.PROCESSING, by=because.by, because=str(because), **_action(report))
        case Word.REQUIRES_ACTION:
            move(payment, PaymentState.REQUIRES_ACTION, by=because.by, because=str(because), **_action(report))
        case Word.AUTHORIZED:
            _authorize(attempt, because)
        case Word.FAILED:
            _fail(attempt, report, because)
        case Word.CANCELLED | Word.EXPIRED:
            end(attempt, attempt.closing_as or str(report.word), because)
        case _:
            detail = f"{because}: the provider says {report.provider_status!r}, which is not on its adapter's list"
            attention.raise_for(payment, Attention.Reason.PARKED, detail)
            move(payment, PaymentState.PROCESSING, by=because.by, because=detail)


def _action(report: Report) -> dict[str, object]:
    return {"next_action": dict(report.next_action)} if report.next_action else {}


def _authorize(attempt: Attempt, because: Because) -> None:
    """A late authorization is voided, never turned into a sale (money.md 2)."""
    payment = attempt.payment
    if attempt.closing_as or payment.state in (
        PaymentState.FAILED,
        PaymentState.CANCELLED,
        PaymentState.EXPIRED,
    ):
        close(attempt, attempt.closing_as or payment.state, because)
    else:
        move(payment, PaymentState.AUTHORIZED, by=because.by, because=str(because), next_action=None)


def _fail(attempt: Attempt, report: Report, because: Because) -> None:
    if payer_links.wants_payer(attempt, report):
        payer_links.bring_back(attempt, by=because.by, because=f"{because}: the bank wants to see the payer")
        return
    note_failure(attempt, report.failure)
    if not report.still_payable:
        end(attempt, attempt.closing_as or PaymentState.FAILED, because)
    elif attempt.state == AttemptState.OPEN:
        close(attempt, attempt.closing_as or PaymentState.FAILED, because)


def note_failure(attempt: Attempt, failure: Failure | None) -> None:
    if failure is None:
        return
    record(
        attempt,
        failure_code=str(failure.code),
        failure_message=failure.message[:300],
        failure_provider_code=failure.provider_code[:100],
        failure_is_final=failure.is_final,
    )


def close(attempt: Attempt, closing_as: str, because: Because) -> None:
    """Have the provider confirm that nothing more can be paid there, before the payment ends."""
    if not attempt.closing_as:
        record(attempt, closing_as=str(closing_as))
    begin_close(attempt, by=because.by)


def end(attempt: Attempt, payment_state: str, because: Because) -> None:
    """Attempt and payment end without money."""
    failed = payment_state == PaymentState.FAILED
    to = AttemptState.FAILED if failed else AttemptState.ABANDONED
    verdict = move(attempt, to, by=because.by, because=str(because), prompt_lock=None)
    if verdict is Verdict.CONTRADICTS:
        return
    attention.settle(attempt.payment, Attention.Reason.UNKNOWN, by=because.by)
    changes: dict[str, object] = {"next_action": None}
    if failed:
        changes |= {
            "failure_code": attempt.failure_code,
            "failure_message": attempt.failure_message,
            "failure_is_final": attempt.failure_is_final,
        }
    move(attempt.payment, payment_state, by=because.by, because=str(because), **changes)


def totals(payment: Payment) -> dict[str, int]:
    """What the payment's counters must be, from its rows alone."""
    captures = Receipt.objects.filter(
        attempt__payment=payment, kind=ReceiptKind.CAPTURE, currency=payment.currency
    ).aggregate(total=Sum("amount"))["total"]
    excess = payment.overpayments.filter(currency=payment.currency).aggregate(total=Sum("amount"))["total"]
    reserved = payment.refunds.filter(
        state__in=["created", "pending", "succeeded"], origin=Refund.Origin.API
    ).aggregate(total=Sum("amount"))["total"]
    refunded = payment.refunds.filter(state="succeeded").aggregate(total=Sum("amount"))["total"]
    return {
        "captured_amount": (captures or 0) - (excess or 0),
        "refund_reserved": reserved or 0,
        "refunded_amount": refunded or 0,
    }
