"""One operation from claim to outcome: written down, marked sending, called once, concluded (money.md 5)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core import clock
from core.providers import NothingCreated, OutcomeUnknown, ProviderFault, Unsupported
from events.transitions import move, record
from payments.models import Attempt, Operation
from payments.providers.base import Failure, FailureCode, Kind, Order, Report, Word
from payments.services import booking, confirming, connections, dispute_booking, refund_booking, shown_codes
from payments.services.booking import Because
from payments.services.failing_over import Turns, feed_breaker
from payments.services.locking import lock_operation, lock_untouched
from payments.services.preparing import UNSETTLED, begin_close, declaration, kept_request, order_for
from payments.states import AttemptState, OperationState, PaymentState, RefundState

OPEN_REFUND = (RefundState.CREATED, RefundState.PENDING)
GRACE = timedelta(minutes=1)
"""How long after its end something that only ends by itself is still waited for."""


def perform(operation: Operation, order: Order, *, turns: Turns | None = None) -> Operation:
    """Make the call of an operation that is committed as sending, and conclude it. Only its winner calls this.

    Returns the operation as it is then; what the provider still holds open after a decline is closed at once. With
    `turns`, the next account's operation may have been committed in its place, and waits there to be performed.
    """
    provider = connections.connect(operation.attempt.account)
    outcome = _outcome_of(lambda: connections.ask(provider, provider.step(order), purpose=order.kind))
    if operation.kind == Kind.CREATE:
        feed_breaker(operation.attempt.account_id, outcome)
    concluded = conclude(operation, outcome, turns=turns)
    if concluded.attempt.closing_as and concluded.attempt.state == AttemptState.OPEN:
        for closing in concluded.attempt.operations.filter(kind=Kind.CANCEL, state=OperationState.CREATED):
            closing.attempt = concluded.attempt
            return send(closing)
    return concluded


def send(operation: Operation) -> Operation:
    """An operation that the system began: marked sending by whoever wins, then called."""
    with transaction.atomic():
        operation = lock_operation(operation)
        if operation.state != OperationState.CREATED:
            return operation
        if operation.kind == Kind.CONFIRM and not confirming.is_wanted(operation.attempt):
            _step(operation, OperationState.FAILED, Because(operation.by, "unsent", "it is not wanted any more"))
            return operation
        now = clock.now()
        move(
            operation,
            OperationState.SENDING,
            by=operation.by,
            because="due",
            sent_at=now,
            due_at=now + settings.WORK_LEASE,
        )
    return _conclude_after(operation, lambda: _send_kept(operation))


def resend(operation: Operation) -> Operation:
    """The same key and bytes once more, within the time in which the provider knows the key.

    A refusal of this second send says nothing about the first: the outcome stays unknown.
    """
    return _conclude_after(operation, lambda: _send_kept(operation), again=True)


def _send_kept(operation: Operation) -> Report:
    provider = connections.connect(operation.attempt.account)
    step = provider.step(order_for(operation))
    step = replace(step, request=kept_request(operation)) if operation.request else step
    return connections.ask(provider, step, purpose=operation.kind)


def _conclude_after(operation: Operation, call: Callable[[], Report], *, again: bool = False) -> Operation:
    outcome = _outcome_of(call)
    if again and isinstance(outcome, NothingCreated | Unsupported):
        outcome = OutcomeUnknown(f"sent again: {outcome}")
    return conclude(operation, outcome)


def _outcome_of(call: Callable[[], Report]) -> Report | ProviderFault:
    try:
        return call()
    except (NothingCreated, Unsupported, OutcomeUnknown) as fault:
        return fault


def conclude(operation: Operation, outcome: Report | ProviderFault, *, turns: Turns | None = None) -> Operation:
    """Money facts, states, events and the next question, in one transaction under the payment's lock.

    That nothing was created is believed only while nobody has taken the operation over and sent it again; and only
    then the payment goes on at another account.
    """
    if isinstance(outcome, Report):
        outcome = shown_codes.checked(operation.attempt, outcome)
    following = turns.instead_of(operation, outcome) if turns else None
    with transaction.atomic():
        if not lock_untouched(operation):
            operation = lock_operation(operation)
            following = None
            if turns:
                turns.drop()
        because = Because(by=operation.by, source="answer", detail=f"answer to {operation.kind}")
        if following is not None:
            _give_way(operation, outcome, following, because)
        elif isinstance(outcome, Report):
            _conclude_report(operation, outcome, because)
        elif isinstance(outcome, OutcomeUnknown):
            leave_unknown(operation, str(outcome))
            recognise(operation, because)
        elif operation.state == OperationState.SENDING:
            _conclude_nothing(operation, outcome, because)
    return operation


def _conclude_report(operation: Operation, report: Report, because: Because) -> None:
    apply_report(operation, report, because)
    told = {"provider_id": report.provider_id[:100], **_failure_columns(report.failure)}
    settle_by(operation, report, because, **told)


def settle_by(operation: Operation, report: Report, because: Because, **columns: object) -> None:
    """What the provider shows says whether the write took effect; one of which it proves nothing stays unknown."""
    took_effect = happened(operation, report)
    if took_effect is None:
        _step(operation, OperationState.UNKNOWN, because, **columns)
    elif took_effect:
        _step(operation, OperationState.SUCCEEDED, because, **columns)
    else:
        _conclude_failed(operation, because, report.failure, **columns)


def _conclude_failed(operation: Operation, because: Because, failure: Failure | None = None, **columns: object) -> None:
    """Whichever way it is known to have done nothing: a capture or cancel is taken back, and can be asked again."""
    if operation.kind in (Kind.CAPTURE, Kind.CANCEL):
        _take_back(operation, failure)
    _step(operation, OperationState.FAILED, because, **columns)


def _step(operation: Operation, to: OperationState, because: Because, **columns: object) -> None:
    """Take the operation to its state, and set when it is asked about next, in one statement."""
    move(operation, to, by=because.by, because=str(because), **columns, **next_question(operation, to))
    if operation.kind == Kind.CONFIRM and to != OperationState.UNKNOWN:
        _close_now(operation.attempt, because)


def _close_now(attempt: Attempt, because: Because) -> None:
    """What was to be closed while a confirmation was open has waited for that."""
    if attempt.closing_as and attempt.state == AttemptState.OPEN:
        begin_close(attempt, by=because.by)


def happened(operation: Operation, report: Report) -> bool | None:
    """Whether what the provider shows means that this write took effect; None when that is not proven.

    A capture or cancel changes what is there already, so that nothing but a final word shows that it never will:
    a hold that still stands may be one whose capture is on its way.
    """
    match operation.kind:
        case Kind.CAPTURE:
            return True if report.word is Word.SUCCEEDED else _unless_final(report)
        case Kind.CANCEL:
            return True if report.word in (Word.CANCELLED, Word.EXPIRED) else _unless_final(report)
        case Kind.CONFIRM:
            # That its payer has approved was so before it was sent.
            return None if report.word is Word.APPROVED else report.word is not Word.FAILED
        case _:
            return report.word is not Word.FAILED


def _unless_final(report: Report) -> bool | None:
    dead = report.word is Word.FAILED and not report.still_payable
    return False if dead or report.word in (Word.SUCCEEDED, Word.CANCELLED, Word.EXPIRED) else None


def apply_report(operation: Operation, report: Report, because: Because) -> None:
    """Hand a report to what the operation is about: its attempt, refund or dispute.

    A lookup's own answer says nothing yet.
    """
    if operation.kind == Kind.LOOKUP:
        return
    if operation.refund is not None:
        refund_booking.apply_to_refund(operation.refund, report, because)
    elif operation.dispute is not None:
        dispute_booking.apply_to_dispute(operation.dispute, report, because)
    else:
        booking.apply_to_attempt(operation.attempt, report, because)


def leave_unknown(operation: Operation, detail: str) -> None:
    """Nobody knows what happened: the payment or refund waits, and stays counted. The caller holds the locks."""
    because = Because(by=operation.by, source="answer", detail=detail)
    if operation.refund is not None:
        refund_booking.keep_pending(operation.refund, because)
    elif operation.kind in (Kind.CREATE, Kind.CANCEL, Kind.CONFIRM) and booking.leads(operation.attempt):
        move(operation.attempt.payment, PaymentState.PROCESSING, by=because.by, because=detail)
    _step(operation, OperationState.UNKNOWN, because)


def _conclude_nothing(operation: Operation, fault: ProviderFault, because: Because) -> None:
    """Certain: the provider created nothing. A payment whose creation this was has failed."""
    failure = failure_of(fault)
    if operation.kind == Kind.CREATE or operation.kind == Kind.REFUND:
        apply_report(operation, Report(Word.FAILED, failure=failure), because)
    _conclude_failed(operation, because, failure, **_failure_columns(failure))


def _give_way(operation: Operation, outcome: Report | ProviderFault, following: Operation, because: Because) -> None:
    """The payment goes on as it is, at another account; money that still comes here is booked as ever (money.md 14)."""
    attempt, unknown = operation.attempt, isinstance(outcome, OutcomeUnknown)
    ended = AttemptState.ABANDONED if unknown else AttemptState.FAILED
    if isinstance(outcome, Report):
        booking.withhold(attempt, outcome)
        failure, to, told = shown_codes.WITHHELD, OperationState.SUCCEEDED, {"provider_id": outcome.provider_id[:100]}
    else:
        failure, to, told = failure_of(outcome), OperationState.UNKNOWN if unknown else OperationState.FAILED, {}
    booking.note_failure(attempt, failure)
    move(attempt, ended, by=because.by, because=f"{because}: another account is asked", prompt_lock=None)
    _step(operation, to, because, **_failure_columns(failure), **told)
    if isinstance(outcome, Report):
        booking.close_past(attempt, because)
    following.attempt.save(force_insert=True)
    following.save(force_insert=True)


def conclude_unsent(operation: Operation, *, by: str) -> None:
    """A person has proven that the write of unknown outcome never arrived. The caller holds the locks."""
    conclude_absent(
        operation, Because(by=by, source="person", detail="a person has found nothing of it at the provider")
    )


def conclude_absent(operation: Operation, because: Because) -> None:
    """The provider shows nothing of a write, long after it would have. The caller holds the locks."""
    _conclude_nothing(operation, NothingCreated(because.detail, code=FailureCode.PROVIDER_UNAVAILABLE), because)


def _take_back(operation: Operation, failure: Failure | None) -> None:
    """A capture or cancel that did nothing leaves the payment as it was, and says why."""
    attempt = operation.attempt
    changes: dict[str, object] = {"closing_as": ""}
    if attempt.state == AttemptState.OPEN:
        changes["asked_amount"] = attempt.payment.amount
    record(attempt, **changes)
    if failure is not None and attempt.payment.is_open and booking.leads(attempt):
        record(attempt.payment, failure_code=str(failure.code), failure_message=failure.message[:300])


def failure_of(fault: ProviderFault) -> Failure:
    """Why nothing was created, in the words that a row keeps."""
    code = getattr(fault, "code", FailureCode.PROVIDER_ERROR)
    known = code in FailureCode.__members__.values()
    return Failure(
        FailureCode(code) if known else FailureCode.PROVIDER_ERROR,
        str(fault),
        getattr(fault, "provider_code", ""),
    )


def _failure_columns(failure: Failure | None) -> dict[str, str]:
    return {"failure_code": str(failure.code), "failure_message": failure.message[:300]} if failure else {}


def recognise(operation: Operation, because: Because) -> None:
    """A write whose outcome was unknown, and whose effect has been seen on its attempt or refund, is known."""
    if operation.state != OperationState.UNKNOWN:
        return
    attempt, refund = operation.attempt, operation.refund
    match operation.kind:
        case Kind.CREATE:
            known, took_effect = bool(attempt.provider_id) or attempt.state == AttemptState.SUCCEEDED, True
        case Kind.CONFIRM:
            known, took_effect = attempt.state != AttemptState.OPEN, attempt.state == AttemptState.SUCCEEDED
        case Kind.CAPTURE:
            known, took_effect = attempt.state != AttemptState.OPEN, attempt.state == AttemptState.SUCCEEDED
        case Kind.CANCEL:
            # Of an attempt that had ended before, its end says nothing of what is closed there only now.
            ended_since = attempt.state != AttemptState.OPEN and attempt.state_changed_at > operation.created_at
            known, took_effect = ended_since, attempt.state != AttemptState.SUCCEEDED
        case Kind.EVIDENCE | Kind.ACCEPT:
            known, took_effect = dispute_booking.became_of(operation)
        case _:
            ended = refund is not None and refund.state not in OPEN_REFUND
            known, took_effect = ended, refund is not None and refund.state == RefundState.SUCCEEDED
    if known and took_effect:
        _step(operation, OperationState.SUCCEEDED, because)
    elif known:
        _conclude_failed(operation, because)


def schedule(operation: Operation) -> None:
    """Write when the operation is asked about next, after something else than its own step has changed that.

    One that is still to be concluded by its caller keeps its lease, by which a dead caller shows.
    """
    if operation.state not in (OperationState.CREATED, OperationState.SENDING):
        record(operation, **next_question(operation, operation.state))


def next_question(operation: Operation, state: str) -> dict[str, object]:
    """The work columns of an operation that is, or is about to be, in `state`."""
    due_at = None if is_settled(operation, state) else _next_time(operation)
    return {"due_at": due_at, "claim": None, "tries": 0}


def _next_time(operation: Operation) -> datetime | None:
    """The next of the declared times, or the payment's expiry when that comes first; None at the end of both."""
    now, pace = clock.now(), settings.RESOLVER_PACE
    sent_at = operation.sent_at or now
    asked_after = declaration(operation).next_ask((now - sent_at) / pace)
    times = [] if asked_after is None else [sent_at + asked_after * pace]
    payment = operation.attempt.payment
    ends_by_itself = operation.attempt.prompt_lock is not None
    may_close = payment.is_open and not payment.underpaid
    if operation.kind != Kind.CREATE or payment.expires_at is None or not (ends_by_itself or may_close):
        return min(times, default=None)
    if not ends_by_itself and not booking.can_close(operation.attempt):
        times.append(max(payment.expires_at, now) + GRACE)
    elif payment.expires_at > now or ends_by_itself:
        times.append(payment.expires_at)
    return min(times, default=None)


def is_settled(operation: Operation, state: str) -> bool:
    """Whether nothing is left to ask: the operation is known, and so is what it is about."""
    if state in UNSETTLED:
        return False
    attempt_ended = operation.attempt.state != AttemptState.OPEN
    match operation.kind:
        case Kind.CREATE:
            payment = operation.attempt.payment
            # While its prompt is open, a payment that was paid in part may still be paid whole.
            is_held = payment.underpaid and operation.attempt.prompt_lock is None
            return attempt_ended or is_held or payment.state == PaymentState.AUTHORIZED
        case Kind.REFUND:
            return operation.refund is not None and operation.refund.state not in OPEN_REFUND
        case _:
            return state == OperationState.SUCCEEDED or attempt_ended or operation.asked > 0
