"""Callbacks that a secret covers in every field: they move the state themselves (money.md 10)."""

from django.db import transaction

from events import inbox
from events.models import Callback
from payments.models import Attempt, SavedMethod
from payments.providers.base import Notice, Report, Topic, Word
from payments.providers.disputes import DisputeWord
from payments.services import booking, dashboard_refunds, dispute_booking, refund_booking, saved_booking
from payments.services.booking import Because
from payments.services.locking import lock_attempt


def follow(callback: Callback, notice: Notice) -> None:
    if notice.topic is Topic.NOTHING or notice.report is None:
        inbox.finish(callback, Callback.State.IGNORED, note="not about anything that we act on")
        return
    because = Because(by=callback.provider, source="callback", detail=f"callback {callback.pk}")
    if notice.topic is Topic.REFUND:
        _apply_refund(callback, notice, notice.report, because)
    elif notice.topic is Topic.DISPUTE:
        _apply_dispute(callback, notice, notice.report, because)
    elif notice.topic in (Topic.SETUP, Topic.METHOD):
        _apply_saved(callback, notice, notice.report, because)
    else:
        _apply_payment(callback, notice, notice.report, because)


def _apply_payment(callback: Callback, notice: Notice, report: Report, because: Because) -> None:
    attempt = find_attempt(callback, notice, report.provider_id)
    if attempt is None:
        inbox.finish(callback, Callback.State.UNMATCHED, note=f"no payment here is {report.provider_id!r}")
        return
    with transaction.atomic():
        locked = lock_attempt(attempt)
        locked.account = attempt.account
        booking.apply_to_attempt(locked, report, because)
        inbox.finish(callback, settled_state(report), subject=locked.payment_id, note=report.provider_status)


def _apply_refund(callback: Callback, notice: Notice, report: Report, because: Because) -> None:
    attempt = find_attempt(callback, notice, notice.payment_provider_id)
    if attempt is None:
        note = f"no payment here is {notice.payment_provider_id!r}"
        inbox.finish(callback, Callback.State.UNMATCHED, note=note)
        return
    with transaction.atomic():
        locked = lock_attempt(attempt)
        refund = dashboard_refunds.find_or_book(locked, notice, report)
        refund_booking.apply_to_refund(refund, report, because)
        inbox.finish(callback, settled_state(report), subject=refund.pk, note=report.provider_status)


def _apply_dispute(callback: Callback, notice: Notice, report: Report, because: Because) -> None:
    attempt = find_attempt(callback, notice, notice.payment_provider_id)
    if attempt is None:
        note = f"no payment here is {notice.payment_provider_id!r}"
        inbox.finish(callback, Callback.State.UNMATCHED, note=note)
        return
    if report.dispute is None:
        note = f"{report.provider_id} disputes {attempt.payment_id}; answer it at {callback.provider}'s dashboard"
        inbox.finish(callback, Callback.State.PARKED, subject=attempt.payment_id, note=note)
        return
    with transaction.atomic():
        locked = lock_attempt(attempt)
        dispute = dispute_booking.find_or_open(locked, report)
        dispute_booking.apply_to_dispute(dispute, report, because)
        inbox.finish(callback, settled_state(report), subject=dispute.pk, note=report.provider_status)


def _apply_saved(callback: Callback, notice: Notice, report: Report, because: Because) -> None:
    """A set-up moves by its word. Of a method that is kept, only its end is final: what else is said may be stale."""
    known_as = "setup_id" if notice.topic is Topic.SETUP else "provider_id"
    mine = SavedMethod.objects.filter(account=callback.account)
    found = mine.filter(**{known_as: report.provider_id}).first()
    if found is None and notice.topic is Topic.SETUP and notice.reference:
        found = mine.filter(reference=notice.reference, setup_id="").first()
    if found is None:
        inbox.finish(callback, Callback.State.UNMATCHED, note=f"no saved method here is {report.provider_id!r}")
        return
    with transaction.atomic():
        locked = saved_booking.lock_saved(found)
        if notice.topic is Topic.SETUP:
            saved_booking.apply_setup(locked, report, because)
        elif report.word is Word.CANCELLED:
            saved_booking.apply_method(locked, report, because)
        elif locked.state in saved_booking.KEPT:
            saved_booking.ask_soon(locked)
        inbox.finish(callback, settled_state(report), subject=locked.pk, note=report.provider_status)


def find_attempt(callback: Callback, notice: Notice, provider_id: str) -> Attempt | None:
    """The attempt that the notice names, only within the account that the token names (money.md 13).

    By the provider's id of the payment, by the number of its money, or by our reference while the id is not known.
    """
    attempts = Attempt.objects.select_related("account", "payment").filter(account=callback.account)
    found = attempts.filter(provider_id=provider_id).first() if provider_id else None
    if found is None and notice.receipt:
        found = attempts.filter(receipts__provider_money_id=notice.receipt).first()
    if found is None and notice.reference and notice.topic is Topic.PAYMENT:
        named = attempts.filter(provider_reference=notice.reference)
        found = named.filter(provider_id="").first() if provider_id else named.first()
    return found


def settled_state(report: Report) -> Callback.State:
    word = report.dispute.word if report.dispute else report.word
    return Callback.State.PARKED if word in (Word.UNKNOWN, DisputeWord.UNKNOWN) else Callback.State.PROCESSED
