"""Callbacks without full proof: they only make us ask, and the answer moves the state (money.md 10)."""

from dataclasses import replace

from django.conf import settings
from django.db import transaction

from core import clock
from core.crypto import Secret
from core.money import Money
from core.providers import Lookup
from events import inbox, sealing
from events.models import Callback
from events.transitions import record
from payments.models import Operation, Payment, Refund
from payments.proven_callbacks import settled_state
from payments.providers.base import Failure, FailureCode, Kind, Notice, Report, Word
from payments.services import booking, refund_booking, resolving
from payments.services.booking import Because
from payments.services.locking import lock_operation
from payments.services.operations import OPEN_REFUND, recognise, schedule
from payments.services.preparing import declaration
from payments.states import RefundState

_STILL_WAITING_SECONDS, _WAITS = 5, 36
_STILL_OPEN = (Word.PENDING, Word.REQUIRES_ACTION)


def question(callback: Callback, operation: Operation, notice: Notice) -> None:
    """Ask what the callback about one of our operations gives reason to ask, and finish it by the answer."""
    if operation.kind == Kind.LOOKUP:
        _answer_to_lookup(callback, operation, notice)
    elif operation.kind == Kind.REFUND and declaration(operation).lookup is Lookup.ASYNCHRONOUS:
        _question_refund(callback, operation, notice)
    elif operation.kind == Kind.REFUND:
        _ask_about_refund(callback, operation, notice)
    else:
        _question_payment(callback, operation, notice)


def _question_payment(callback: Callback, operation: Operation, notice: Notice) -> None:
    told = notice.report
    if told is None:
        inbox.finish(callback, Callback.State.IGNORED, note="says nothing that we act on")
        return
    disagreement = _disagreement(operation, told, notice.payer)
    if not disagreement and not operation.attempt.provider_id:
        operation = _learn_id(operation, told.provider_id)
        disagreement = _disagreement(operation, told, notice.payer)
    if disagreement:
        park(callback, disagreement)
        return
    report = resolving.fetch_attempt(operation)
    if report is None or (report.word in _STILL_OPEN and told.word not in _STILL_OPEN):
        wait(callback)
        return
    with transaction.atomic():
        operation = lock_operation(operation)
        because = Because(by=callback.provider, source="callback", detail=f"query after callback {callback.pk}")
        booking.apply_to_attempt(operation.attempt, _with_receipt(report, told, operation.money), because)
        recognise(operation, because)
        schedule(operation)
        state, note = Callback.State.PROCESSED, report.provider_status
        others = [str(moved.money) for moved in told.moved if moved.money != operation.money]
        if others and report.word is Word.SUCCEEDED:
            # Nothing but the callback says so: what was asked is confirmed, and a person looks for the receipt.
            state, note = (
                Callback.State.PARKED,
                f"says {', '.join(others)}; {operation.money} was asked and is confirmed",
            )
        inbox.finish(callback, state, subject=operation.attempt.payment_id, note=note)


def wait(callback: Callback) -> None:
    """The provider's own word has not come round yet. After a while the operation's schedule goes on alone."""
    if callback.tries < _WAITS:
        inbox.postpone(callback, seconds=_STILL_WAITING_SECONDS, note="asked; the provider does not say yet")
    else:
        park(callback, "the provider does not confirm what this callback says")


def _disagreement(operation: Operation, told: Report, payer: Secret | None) -> str:
    """Why the callback cannot be about this attempt; empty when it can."""
    attempt = operation.attempt
    if attempt.provider_id and told.provider_id != attempt.provider_id:
        return f"names {told.provider_id!r}, the attempt is {attempt.provider_id!r}"
    if attempt.provider_id:
        return ""
    wrong = [moved for moved in told.moved if moved.money != operation.money]
    if wrong or (payer is not None and payer != _asked_payer(attempt.payment)):
        return "our push's answer was lost, and its amount or phone is not what was asked"
    return ""


def _asked_payer(payment: Payment) -> Secret | None:
    return sealing.unseal_secret(payment, "instrument") if payment.instrument else None


def _learn_id(operation: Operation, provider_id: str) -> Operation:
    """The push's answer was lost; the callback that its token brought says what it was called.

    The operation with what its attempt is called now, which the late answer may have told first.
    """
    with transaction.atomic():
        locked = lock_operation(operation)
        if not locked.attempt.provider_id:
            record(locked.attempt, provider_id=provider_id)
    return locked


def _with_receipt(report: Report, told: Report, asked: Money) -> Report:
    """A query's success names no receipt (money.md 7): take the callback's, which its answer has confirmed.

    Of another amount than was asked, the query has not confirmed it: the sum that was asked is booked, and its receipt
    is pending.
    """
    is_named = any(moved.provider_money_id for moved in report.moved)
    if is_named or report.word is not Word.SUCCEEDED or told.word is not Word.SUCCEEDED:
        return report
    receipts = tuple(moved for moved in told.moved if moved.provider_money_id and moved.money == asked)
    return replace(report, moved=receipts) if receipts else report


def _ask_about_refund(callback: Callback, operation: Operation, notice: Notice) -> None:
    """Whatever the callback says: the refund is asked about now, and again while it is open.

    One that is known to have succeeded can have failed since (money.md 4): what says so is asked about as well.
    """
    has_failed = notice.report is not None and notice.report.word in (Word.FAILED, Word.CANCELLED)
    resolving.ask(operation, known_or_not=has_failed)
    refund: Refund = Refund.objects.get(operations=operation)
    if refund.state in OPEN_REFUND or (has_failed and refund.state == RefundState.SUCCEEDED):
        wait(callback)
    else:
        inbox.finish(callback, Callback.State.PROCESSED, subject=refund.pk, note=refund.provider_status)


def _question_refund(callback: Callback, operation: Operation, notice: Notice) -> None:
    """A reversal's result is confirmed by asking: a success by its own transaction, a failure by our request."""
    if notice.report is None:
        resolving.look_up(operation, target_id="")
        inbox.finish(callback, Callback.State.IGNORED, note="ran out of time there; asked")
        return
    if operation.provider_id and notice.report.provider_id != operation.provider_id:
        park(callback, f"names {notice.report.provider_id!r}, the refund is {operation.provider_id!r}")
        return
    if notice.report.word is Word.UNKNOWN:
        # Such as "reversed before": that the original is complete would not prove that ours has failed.
        park(callback, f"the reversal ended with {notice.report.provider_status!r}; only a person can tell")
        return
    with transaction.atomic():
        operation = lock_operation(operation)
        failure = notice.report.failure
        if failure is not None:
            record(operation, failure_code=str(failure.code), failure_message=failure.message[:300])
        if not operation.provider_id:
            record(operation, provider_id=notice.report.provider_id)
    resolving.look_up(operation, target_id=notice.money_id)
    inbox.finish(callback, Callback.State.PROCESSED, subject=operation.refund_id or "", note="asked for its status")


def _answer_to_lookup(callback: Callback, lookup: Operation, notice: Notice) -> None:
    """The result of a question that we sent counts as its answer when token, id and address agree."""
    asked = lookup.about
    if notice.report is None or asked is None or lookup.refund is None:
        inbox.finish(callback, Callback.State.IGNORED, note="says nothing that we act on")
        return
    if lookup.provider_id and notice.report.provider_id != lookup.provider_id:
        park(callback, f"names {notice.report.provider_id!r}, we asked as {lookup.provider_id!r}")
        return
    asked = _with_parents(asked, lookup)
    if notice.report.word is Word.FAILED and _is_refuted(lookup, asked):
        _doubt(callback, lookup, asked)
        return
    report = _of_reversal(lookup, asked, notice.report)
    with transaction.atomic():
        locked = lock_operation(asked)
        because = Because(by=callback.provider, source="query", detail=f"status by callback {callback.pk}")
        refund: Refund = locked.refund  # type: ignore[assignment]  # a lookup that has a refund asks about one
        refund_booking.apply_to_refund(refund, report, because)
        recognise(locked, because)
        schedule(locked)
        inbox.finish(callback, settled_state(report), subject=refund.pk, note=report.provider_status)


def _is_refuted(lookup: Operation, asked: Operation) -> bool:
    """Our request for the reversal is not there, as a result without proof had said that it failed."""
    return lookup.target_id == asked.provider_id and _was_told_to_fail(asked)


def _was_told_to_fail(asked: Operation) -> bool:
    """And of no success: where both were told, only a person can tell."""
    known = (asked.target_id, asked.provider_id)
    return bool(asked.failure_code) and not asked.lookups.exclude(target_id__in=known).exists()


def _doubt(callback: Callback, lookup: Operation, asked: Operation) -> None:
    """A reversal that waits in the provider's queue is not there either: only after its first time is that a failure.

    Then the original has to stand as well.
    """
    note = "not there yet; asked again at the next of its times"
    age = clock.now() - (asked.sent_at or asked.created_at)
    if age >= declaration(asked).ask_after[0] * settings.RESOLVER_PACE:
        resolving.look_up(asked, target_id=asked.target_id)
        note = "not there; asked for the original"
    inbox.finish(callback, Callback.State.PROCESSED, subject=lookup.refund_id or "", note=note)


def _of_reversal(lookup: Operation, asked: Operation, report: Report) -> Report:
    """What the answer proves. That the original is complete proves a failure only of what was told to have failed,

    and is not there: the original of a reversal that has succeeded, or waits, may be called complete too.
    """
    if lookup.target_id != asked.target_id:
        return report if report.word is Word.SUCCEEDED else replace(report, word=Word.UNKNOWN)
    if report.word is not Word.SUCCEEDED or not _was_told_to_fail(asked):
        return Report(Word.UNKNOWN, provider_status=f"original {report.provider_status}")
    failure = Failure(FailureCode(asked.failure_code), asked.failure_message)
    return Report(Word.FAILED, provider_status=f"original {report.provider_status}", failure=failure)


def _with_parents(asked: Operation, lookup: Operation) -> Operation:
    asked.attempt, asked.refund = lookup.attempt, lookup.refund
    return asked


def park(callback: Callback, note: str) -> None:
    inbox.finish(callback, Callback.State.PARKED, note=note)
