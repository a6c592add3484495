"""Refunds that were begun at the provider's own dashboard: booked, outside our check (money.md 4)."""

from core.providers import Unreadable
from payments.models import Attempt, Refund
from payments.providers.base import Notice, Report


def find_or_book(attempt: Attempt, notice: Notice, report: Report) -> Refund:
    """The refund that the notice speaks of, locked; one that we did not begin is written down now.

    Raises Unreadable for one that names no amount. `notice.reference` is our refund's operation
    key, by which one whose answer was lost is found.
    """
    refunds = Refund.objects.select_for_update(of=("self",)).filter(attempt=attempt)
    found = refunds.filter(provider_id=report.provider_id).first()
    if found is None and notice.reference:
        found = refunds.filter(operations__key=notice.reference, provider_id="").first()
    if found is None:
        found = _book(attempt, notice, report)
    found.attempt, found.payment = attempt, attempt.payment
    return found


def _book(attempt: Attempt, notice: Notice, report: Report) -> Refund:
    if notice.money is None:
        raise Unreadable("a refund that we did not begin, and it names no amount")
    return Refund.objects.create(
        payment=attempt.payment,
        attempt=attempt,
        store_id=attempt.payment.store_id,
        merchant_id=attempt.merchant_id,
        livemode=attempt.livemode,
        amount=notice.money.amount,
        currency=notice.money.currency,
        origin=Refund.Origin.PROVIDER,
        provider_id=report.provider_id,
    )
