"""The resolver: asks about every open or unknown operation until it is known, or hands it to a person."""

from dataclasses import replace

from django.db import transaction

from core import clock
from core.providers import Lookup, NothingCreated, NotShown, OutcomeUnknown, Unsupported
from events import attention, work
from events.models import Attention
from events.transitions import move, record
from payments.models import Dispute, Operation, Payment, Refund
from payments.providers.base import Kind, Report, Word
from payments.services import booking, confirming, connections, operations
from payments.services.booking import Because
from payments.services.disputing import blocking
from payments.services.locking import lock_operation
from payments.services.operations import apply_report, is_settled, schedule
from payments.services.preparing import declaration, order_for, prepare
from payments.states import AttemptState, OperationState, PaymentState

BY = "resolver"
_SHOWS_NOTHING = "the provider was asked until long after it would have shown it, and has nothing of it"


def resolve(operation: Operation) -> None:
    """One step for an operation that is due: send what waits, ask about what is open, end what has expired."""
    operation = _load(operation)
    if operation.state == OperationState.CREATED:
        operations.send(operation)
        return
    if operation.state == OperationState.SENDING:
        operation = _presume_dead(operation)
    ask(operation)


def _load(operation: Operation) -> Operation:
    related = ("attempt__payment", "attempt__account", "refund", "dispute", "about")
    return Operation.objects.select_related(*related).get(pk=operation.pk)


def _presume_dead(operation: Operation) -> Operation:
    """Its caller has not concluded within the lease: nobody knows what happened, so ask."""
    with transaction.atomic():
        operation = lock_operation(operation)
        if operation.state == OperationState.SENDING:
            operations.leave_unknown(operation, "its caller did not come back")
    return operation


def ask(operation: Operation, *, known_or_not: bool = False) -> None:
    """Find out, by the ways that the provider declares; then expire what has outlived its time.

    What is known is not asked about, unless it is said to have changed.
    """
    is_sent_again = operation.state == OperationState.UNKNOWN and _may_resend(operation)
    if is_sent_again:
        operation = operations.resend(operation)
    is_asked = known_or_not or not _is_known(operation)
    report, shows_nothing = _fetch(operation) if is_asked else (None, False)
    because = Because(by=BY, source="query", detail=f"asked about {operation.kind}")
    with transaction.atomic():
        operation = lock_operation(operation)
        if report is not None:
            apply_report(operation, report, because)
            if operation.state == OperationState.UNKNOWN and report.word is not Word.UNKNOWN:
                operations.settle_by(operation, report, because, provider_id=report.provider_id)
        operations.recognise(operation, because)
        if report is None and _is_lost_unseen(operation):
            booking.give_up_unseen(operation.attempt, because)
            operations.settle_by(operation, Report(Word.FAILED), because)
        _expire(operation, was_told=report is not None)
        record(operation, asked=operation.asked + 1)
        schedule(operation)
        if operation.due_at is None and not is_settled(operation, operation.state):
            # What has just been sent again may be on its way still.
            if shows_nothing and not is_sent_again and operation.state == OperationState.UNKNOWN:
                operations.conclude_absent(operation, replace(because, detail=_SHOWS_NOTHING))
            else:
                _hand_over(operation)


def _is_known(operation: Operation) -> bool:
    """Nothing is left to read: for a question itself there never is."""
    if operation.kind == Kind.LOOKUP:
        return True
    if operation.refund is not None:
        return operation.refund.state not in operations.OPEN_REFUND
    if operation.dispute is not None:
        return operation.state == OperationState.SUCCEEDED
    return operation.attempt.state != AttemptState.OPEN and operation.state != OperationState.UNKNOWN


def _may_resend(operation: Operation) -> bool:
    """Within the time of its key, and while what it asks for is still wanted."""
    age = clock.now() - (operation.sent_at or operation.created_at)
    return operation.request is not None and declaration(operation).may_resend(age) and _is_wanted(operation)


def _is_lost_unseen(operation: Operation) -> bool:
    """Its answer was lost, it is not sent again, and only that answer could have shown anybody what to pay by."""
    attempt = operation.attempt
    if operation.kind != Kind.CREATE or operation.state != OperationState.UNKNOWN or attempt.provider_id:
        return False
    return booking.held_by_us(attempt) and not _may_resend(operation)


def _is_wanted(operation: Operation) -> bool:
    """A payment is not begun or confirmed after its own time, nor where it goes on without this attempt (money.md 3).

    A refund that may not have arrived is not sent again where it could pay the payer twice (money.md 4).
    """
    attempt, payment = operation.attempt, operation.attempt.payment
    if operation.refund is not None:
        return blocking(payment) is None
    if operation.kind == Kind.CONFIRM:
        return confirming.is_wanted(attempt)
    if operation.kind != Kind.CREATE:
        return True
    is_over = booking.has_expired(payment) or not payment.is_open
    return attempt.state == AttemptState.OPEN and booking.leads(attempt) and not is_over


def _fetch(operation: Operation) -> tuple[Report | None, bool]:
    """The provider's answer to our question, None where it cannot be asked, or did not say; and whether it answered,

    and shows nothing of ours.
    """
    lookup = declaration(operation).lookup
    known = operation.attempt.provider_id if operation.refund is None else operation.provider_id
    if lookup is Lookup.NONE or (lookup is Lookup.BY_ID and not known):
        return None, False
    if lookup is Lookup.ASYNCHRONOUS:
        look_up(operation, target_id="")
        return None, False
    provider = connections.connect(operation.attempt.account)
    try:
        return connections.ask(provider, provider.fetch(order_for(operation)), purpose="fetch"), False
    except (NothingCreated, OutcomeUnknown, Unsupported) as fault:
        return None, isinstance(fault, NotShown)


def fetch_attempt(operation: Operation) -> Report | None:
    """Ask about the payment of a CREATE operation right now, for a callback that only triggers a query."""
    return _fetch(_load(operation))[0]


def look_up(operation: Operation, *, target_id: str) -> None:
    """Send a question whose answer comes by callback, about a transaction or, failing that, about our own request."""
    target_id = target_id or operation.provider_id
    if not target_id:
        return
    try:
        lookup, order = prepare(
            operation.attempt,
            Kind.LOOKUP,
            by=BY,
            money=operation.money,
            refund=operation.refund,
            about=operation,
            target_id=target_id,
            sending=True,
        )
    except NothingCreated:
        return
    with transaction.atomic():
        lock_operation(operation)
        _abandon_lookups(operation)
        lookup.save(force_insert=True)
    operations.perform(lookup, order)


def _abandon_lookups(operation: Operation) -> None:
    """A question that was never answered gives way to a new one."""
    for earlier in Operation.objects.select_for_update().filter(about=operation, state=OperationState.SENDING):
        move(earlier, OperationState.FAILED, by=BY, because="asked again", due_at=None)


def _expire(operation: Operation, *, was_told: bool) -> None:
    """A payment past its time: what ends by itself has, after a last query; anything else is closed there first."""
    attempt, payment = operation.attempt, operation.attempt.payment
    if operation.kind != Kind.CREATE or attempt.state != AttemptState.OPEN or not booking.has_expired(payment):
        return
    because = Because(by=BY, source="expiry", detail="its time is over")
    if attempt.prompt_lock is not None:
        booking.expire(attempt, because)
    elif not booking.can_close(attempt):
        if was_told and booking.has_expired(payment, grace=operations.GRACE):
            booking.expire(attempt, because)
    elif payment.is_open and not payment.underpaid and attempt.provider_id and not attempt.closing_as:
        booking.close(attempt, PaymentState.EXPIRED, because)


def _hand_over(operation: Operation) -> None:
    """Its schedule is over. An unanswered question is not a matter of its own: what it asks about is."""
    if operation.kind == Kind.LOOKUP:
        return
    subject = operation.refund or operation.dispute or operation.attempt.payment
    detail = f"{operation.kind} {operation.pk} at {operation.attempt.account.provider}: no answer within its schedule"
    attention.raise_for(subject, Attention.Reason.UNKNOWN, detail)


def resume(payment_id: str) -> Payment:
    """Continue a payment whose first request died: every open operation takes its next step now."""
    for operation in Operation.objects.filter(attempt__payment=payment_id, due_at__isnull=False):
        if operation.state != OperationState.SENDING or _lease_is_over(operation):
            resolve(operation)
    return found(payment_id)


def found(payment_id: str) -> Payment:
    """The payment as it is now, with its attempts."""
    return Payment.objects.prefetch_related("attempts__account").get(pk=payment_id)


def resume_refund(refund_id: str) -> Refund:
    resume(Refund.objects.get(pk=refund_id).payment_id)
    return Refund.objects.get(pk=refund_id)


def resume_dispute(dispute_id: str) -> Dispute:
    resume(Dispute.objects.get(pk=dispute_id).payment_id)
    return Dispute.objects.get(pk=dispute_id)


def _lease_is_over(operation: Operation) -> bool:
    return operation.due_at is not None and operation.due_at <= clock.now()


def ask_now(payment_id: str) -> None:
    """Make the payment's open operations due: a person may ask at any time, and may not send again (money.md 8)."""
    askable = Operation.objects.filter(attempt__payment=payment_id, claim=None, state__in=ASKABLE)
    related = askable.select_related("attempt__payment", "refund", "dispute")
    open_ones = [row.pk for row in related if _is_open(row)]
    askable.filter(pk__in=open_ones).update(due_at=clock.now())
    work.wake_on_commit("operations")


def _is_open(operation: Operation) -> bool:
    """What was handed to a person at the end of its schedule has no time of its own any more."""
    creates = operation.kind == Kind.CREATE and operation.attempt.state == AttemptState.OPEN
    return creates or operation.due_at is not None or not is_settled(operation, operation.state)


ASKABLE = (OperationState.SUCCEEDED, OperationState.UNKNOWN, OperationState.FAILED)


def _failing(operation: Operation) -> None:
    attention.raise_for(operation, Attention.Reason.FAILING, "resolving this operation fails again and again")


work.register(work.Queue("operations", model=Operation, do=resolve, lane_limit=8, threads=16, failing=_failing))
