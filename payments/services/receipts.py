"""Receipts for money that has come: each once for ever, posted to the books and counted on its payment (money.md 1, 7).

The counts are set on the payment's row here and written by the step that follows in the same transaction, with the
payment locked before its attempt.
"""

from dataclasses import dataclass

from core.database import insert_ignoring
from core.money import Money
from events import attention, outbox
from events.models import Attention
from events.transitions import move, record
from payments.models import Attempt, Overpayment, Payment, Receipt, UnallocatedReceipt
from payments.providers.base import Cost, MoneyMoved, ReceiptKind
from payments.services import fees, posting
from payments.states import AttemptState, UnallocatedState


@dataclass(frozen=True, slots=True)
class Because:
    """Who brought the word, in what form: for transitions and receipts."""

    by: str
    source: str
    detail: str = ""

    def __str__(self) -> str:
        return self.detail or self.source


def book_capture(attempt: Attempt, moved: MoneyMoved, because: Because, *, cost: Cost | None = None) -> None:
    """Write the receipt, once for ever, post it to the books with its fee, and count its money on the payment."""
    receipt = _receipt(attempt, moved, because, cost)
    if receipt is not None:
        _count(receipt, cost)


def book_found(attempt: Attempt, moved: MoneyMoved, because: Because) -> None:
    """Money that was found at the account and names the attempt.

    Of another amount than a receipt that still lacks its number, it is other money (money.md 7).
    """
    pending = _pending(attempt)
    if moved.provider_money_id and pending is not None and pending.money != moved.money:
        receipt = _insert(attempt, moved, because)
        if receipt is not None:
            _count(receipt, None)
    else:
        book_capture(attempt, moved, because)


def allocate(unallocated: UnallocatedReceipt, attempt: Attempt, because: Because) -> None:
    """Make an unallocated receipt the attempt's, as if it had just come; both are locked, the attempt first.

    A receipt of the same amount that still lacks its number is the same money, which is booked already.
    """
    pending = _pending(attempt)
    if pending is not None and pending.money == unallocated.money:
        _recognise(unallocated, pending, attempt, because)
    else:
        _allocate(unallocated, attempt, because, None)


def _allocate(unallocated: UnallocatedReceipt, attempt: Attempt, because: Because, cost: Cost | None) -> None:
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


def _count(receipt: Receipt, cost: Cost | None, unallocated: UnallocatedReceipt | None = None) -> None:
    attempt = receipt.owner
    payment = attempt.payment
    if receipt.currency != payment.currency:
        posting.post_suspended(receipt)
        _suspended(payment, f"receipt {receipt.pk} is in {receipt.currency}, the payment in {payment.currency}")
        return
    wanted = max(attempt.asked_amount - payment.kept_amount, 0)
    excess = receipt.amount - min(receipt.amount, wanted)
    payment.captured_amount += receipt.amount - excess
    if unallocated is None:
        posting.post_capture(receipt, excess=excess)
    else:
        posting.post_allocated(unallocated, payment, excess=excess)
    fees.book_fee(receipt, cost)
    if excess:
        _book_excess(payment, receipt, excess)


def _suspended(payment: Payment, detail: str) -> None:
    """A person is told of it whatever else the payment is flagged for, and until that person has seen it."""
    attention.raise_for(payment, Attention.Reason.SUSPENDED, detail)


def _receipt(attempt: Attempt, moved: MoneyMoved, because: Because, cost: Cost | None) -> Receipt | None:
    """The newly booked receipt; None when this money was booked before.

    Money without a number is what was asked for, confirmed by a query: a receipt of just that sum is it.
    """
    if not moved.provider_money_id:
        same = Receipt.objects.filter(attempt=attempt, kind=ReceiptKind.CAPTURE, currency=moved.money.currency)
        if same.filter(amount=moved.money.amount).exists() or _pending(attempt) is not None:
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


def _pending(attempt: Attempt) -> Receipt | None:
    """The attempt's receipt for money that is confirmed and whose number has not been seen yet."""
    return Receipt.objects.filter(attempt=attempt, provider_money_id=None).first()


def _fill_pending(attempt: Attempt, moved: MoneyMoved) -> bool:
    """Give the receipt that a query confirmed without naming it its number (money.md 7).

    One in another currency than was asked for is suspended as it is: other money is not what it turns out to be.
    """
    pending = _pending(attempt)
    if pending is None or (pending.currency != attempt.payment.currency and pending.money != moved.money):
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
        return
    detail = f"receipt {receipt.pk} says {told} after {receipt.money} was confirmed"
    attention.raise_for(payment, Attention.Reason.UNDERPAID, detail)
    if not same_currency:
        _suspended(payment, detail)
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
            pending = _pending(attempt)
            if pending is None:
                _allocate(locked, attempt, because, cost)
            else:
                _recognise(locked, pending, attempt, because)
            return
        booked = locked.receipt
    if booked.attempt_id != attempt.pk:
        detail = f"money {moved.provider_money_id} was booked for {booked.attempt_id}; it cannot be counted twice"
        attention.raise_for(attempt.payment, Attention.Reason.PARKED, detail)


def _recognise(unallocated: UnallocatedReceipt, pending: Receipt, attempt: Attempt, because: Because) -> None:
    """What came as unallocated is the attempt's money, for which a receipt without a number stands already."""
    told_first = unallocated.receipt
    number, money = told_first.provider_money_id or "", told_first.money
    posting.post_recognised(unallocated, attempt.payment)
    record(unallocated, receipt_id=pending.pk)
    told_first.delete()
    _fill_pending(attempt, MoneyMoved(ReceiptKind.CAPTURE, money, number))
    unallocated.receipt = Receipt.objects.get(pk=pending.pk)
    _assigned(unallocated, attempt, because)


def _book_excess(payment: Payment, receipt: Receipt, excess: int) -> None:
    Overpayment.objects.create(
        payment=payment, receipt=receipt, livemode=payment.livemode, amount=excess, currency=receipt.currency
    )
    attention.raise_for(payment, Attention.Reason.OVERPAID, f"{Money(excess, receipt.currency)} beyond what was asked")
    outbox.publish(payment, "overpaid")
