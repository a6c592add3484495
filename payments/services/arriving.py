"""Money that comes to an account by itself: whether it may, and whose it is when it has come (money.md 7, 11, 19)."""

from dataclasses import dataclass

from django.db import transaction

from core.database import insert_ignoring
from core.money import Money
from events import attention, outbox
from events.models import Attention
from merchants.models import ProviderAccount
from payments.models import Attempt, Operation, Payment, Receipt, StaticCode, UnallocatedReceipt
from payments.providers.base import Admission, Kind, MoneyMoved
from payments.services import booking, posting
from payments.services.booking import Because
from payments.services.locking import lock_attempt, lock_operation
from payments.services.operations import recognise, schedule
from payments.states import PaymentState


@dataclass(frozen=True, slots=True)
class Arrived:
    """Money with its number at the provider; `reference` is what the payer typed."""

    account: ProviderAccount
    moved: MoneyMoved
    reference: str = ""
    payer_hint: str = ""


def admit(account: ProviderAccount, money: Money, *, reference: str, unknown_may_come: bool) -> Admission:
    """Whether a payer may send this money: for a known reference only what is open, and only its exact amount."""
    payments = _payments_named(account, reference)
    if not payments:
        return Admission.ACCEPTED if unknown_may_come else Admission.UNKNOWN_REFERENCE
    still_open = [payment for payment in payments if payment.is_open]
    if not still_open:
        return ended_as(payments[0])
    fits = any(Money(payment.amount - payment.kept_amount, payment.currency) == money for payment in still_open)
    return Admission.ACCEPTED if fits else Admission.WRONG_AMOUNT


def ended_as(payment: Payment) -> Admission:
    """Why no money may come for a payment that is not open."""
    return _ENDED_AS.get(PaymentState(payment.state), Admission.NOT_OPEN)


_ENDED_AS = {
    PaymentState.EXPIRED: Admission.EXPIRED,
    PaymentState.CANCELLED: Admission.CANCELLED,
}


def _payments_named(account: ProviderAccount, reference: str) -> list[Payment]:
    """By our own reference at the provider, else by the merchant's, which several payments may share.

    A payment that was made for money which had come was never asked for: its payer may well send more.
    """
    if not reference:
        return []
    attempt = attempt_named(account, reference)
    if attempt is not None:
        return [attempt.payment]
    named = Payment.objects.filter(
        merchant=account.merchant_id,
        livemode=account.livemode,
        reference__in={reference, reference.upper()},
        attempts__account=account,
        attempts__operations__kind=Kind.CREATE,
    )
    return list(named.distinct().order_by("-pk")[:_MOST])


_MOST = 50


def attempt_named(account: ProviderAccount, reference: str) -> Attempt | None:
    """The attempt that has this as its reference at the provider."""
    named = Attempt.objects.filter(account=account, provider_reference=reference.upper())
    return named.select_related("payment").first() if reference else None


def code_named(account: ProviderAccount, reference: str) -> StaticCode | None:
    """The static code that has this as its reference at the provider."""
    return StaticCode.objects.filter(account=account, provider_reference=reference).first() if reference else None


def payment_named(account: ProviderAccount, reference: str) -> Payment | None:
    """The payment whose reference of ours this is: the one that the money would be booked for."""
    attempt = attempt_named(account, reference)
    return attempt.payment if attempt else None


def take_in(came: Arrived, because: Because) -> Payment | UnallocatedReceipt:
    """Book money that has come, once for ever: for the attempt that it names, else as unallocated.

    Gives the payment, or the unallocated receipt. It may be told any number of times, here and by other ways.
    """
    with transaction.atomic():
        known = booked(came.account, came.moved.provider_money_id)
        if known is not None:
            return known
        attempt = attempt_named(came.account, came.reference)
        if attempt is None:
            return leave_unallocated(came, because)
        locked = lock_attempt(attempt)
        booking.book_found(locked, came.moved, because)
        conclude_questions(locked, because)
        return locked.payment


def booked(account: ProviderAccount, provider_money_id: str) -> Payment | UnallocatedReceipt | None:
    """What the money of this number is booked as."""
    receipt = (
        Receipt.objects.select_related("attempt__payment", "unallocated")
        .filter(account=account, provider_money_id=provider_money_id)
        .first()
    )
    if receipt is None:
        return None
    return receipt.unallocated if receipt.attempt is None else receipt.attempt.payment


def conclude_questions(attempt: Attempt, because: Because) -> None:
    """What is still asked about the attempt is answered by its money; the attempt is locked."""
    asked = (Kind.CREATE, Kind.CONFIRM, Kind.CAPTURE)
    for operation in Operation.objects.filter(attempt=attempt, kind__in=asked).order_by("pk"):
        operation.attempt = attempt
        locked = lock_operation(operation)
        locked.attempt = attempt
        recognise(locked, because)
        schedule(locked)


def leave_unallocated(came: Arrived, because: Because) -> Payment | UnallocatedReceipt:
    """Book money that no payment explains, whatever its reference names; what it is booked as, if it is already.

    That of a static code is expected, and its merchant is told: only other money waits for a person of ours.
    """
    receipt = Receipt(
        account=came.account,
        livemode=came.account.livemode,
        kind=came.moved.kind,
        provider_money_id=came.moved.provider_money_id,
        amount=came.moved.money.amount,
        currency=came.moved.money.currency,
        source=because.source,
    )
    if not insert_ignoring(receipt):
        known = booked(came.account, came.moved.provider_money_id)
        if known is None:
            raise RuntimeError(f"{came.moved.provider_money_id} is booked and cannot be read")
        return known
    code = code_named(came.account, came.reference)
    unallocated = UnallocatedReceipt(
        receipt=receipt,
        account=came.account,
        merchant_id=came.account.merchant_id,
        livemode=came.account.livemode,
        store_id=code.store_id if code else None,
        static_code=code,
        reference=code.reference if code else came.reference,
        payer_hint=came.payer_hint,
    )
    unallocated.save(force_insert=True)
    posting.post_unallocated(unallocated)
    if code is None:
        attention.raise_for(unallocated, Attention.Reason.UNMATCHED, f"{receipt.money} came and no payment explains it")
    outbox.publish(unallocated, "unallocated")
    return unallocated
