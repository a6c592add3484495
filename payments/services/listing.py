"""Money that a provider's own list shows and we have not booked: repaired where that is certain (money.md 19)."""

from django.db import transaction

from core.money import Money
from payments.models import Attempt, Payment, ReportedReceipt, UnallocatedReceipt
from payments.services import arriving, reporting
from payments.services.arriving import Arrived
from payments.services.booking import Because
from payments.services.locking import lock_attempt

SOURCE = "reconciliation"


def take_in_listed(came: Arrived, because: Because) -> Payment | UnallocatedReceipt:
    """Book listed money, once for ever: for the attempt that has its reference, where just that sum was asked of it.

    Anything else is unallocated: a person says whose it is. Gives what the money is booked as, also when it was.
    """
    with transaction.atomic():
        attempt = arriving.attempt_named(came.account, came.reference)
        if attempt is not None and _was_asked(lock_attempt(attempt), came.moved.money):
            booked = arriving.take_in(came, because)
        else:
            booked = _booked(came) or arriving.leave_unallocated(came, because)
        _hasten_report(came)
    return booked


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
