"""Going on with a payment that its payer has approved: what was only asked for is collected, once (money.md 2, 5)."""

from core import clock
from events import work
from events.transitions import move
from payments.models import Attempt, Operation, Payment
from payments.providers.base import Kind
from payments.services.locking import lock_attempt
from payments.services.preparing import CHANGES, UNSETTLED, prepare
from payments.services.receipts import Because
from payments.states import AttemptState, OperationState, PaymentState

MOST_CONFIRMS = 10
"""A payer whose bank declines may choose another of their cards; not for ever."""


def approved(attempt: Attempt, because: Because) -> None:
    """The provider says that the payer agrees. Begun once, and again only by news that may be of another approval.

    A late approval is left as it is: nothing moves without us. The caller holds the locks.
    """
    payment = attempt.payment
    before = Operation.objects.filter(attempt=attempt, kind=Kind.CONFIRM)
    may_go_on = because.source != "query" or not before.exclude(state=OperationState.FAILED).exists()
    if not (may_go_on and is_wanted(attempt)):
        return
    if not before.exists():
        move(payment, PaymentState.PROCESSING, by=because.by, because=str(because), next_action=None)
    _begin(attempt, by=because.by)


def payer_is_back(payment: Payment) -> None:
    """A payer whose approval came to nothing was sent back to the provider, and has been there."""
    attempt = payment.attempts.latest("pk")
    if payment.saved_method_id or not Operation.objects.filter(attempt=attempt, kind=Kind.CONFIRM).exists():
        return
    attempt = lock_attempt(attempt)
    if attempt.payment.state == PaymentState.REQUIRES_ACTION and is_wanted(attempt):
        _begin(attempt, by="payer")


def took_effect(attempt: Attempt, *, by: str) -> None:
    """What is held was confirmed, whoever still waits for that answer: it stands in no capture's or cancel's way,

    and neither does one that was not sent yet, as the news of it came late. The caller holds the locks.
    """
    open_ones = Operation.objects.select_for_update().filter(attempt=attempt, kind=Kind.CONFIRM, state__in=UNSETTLED)
    for confirmation in open_ones:
        unsent = confirmation.state == OperationState.CREATED
        to = OperationState.FAILED if unsent else OperationState.SUCCEEDED
        because = "what it was to bring about is held"
        move(confirmation, to, by=by, because=because, due_at=None, claim=None, tries=0)


def is_wanted(attempt: Attempt) -> bool:
    """Whether the payment still goes on with this attempt: nothing is collected after its time or its end."""
    payment = attempt.payment
    in_time = payment.expires_at is None or payment.expires_at > clock.now()
    newest = max(other.pk for other in payment.attempts.all())
    return (
        attempt.state == AttemptState.OPEN
        and payment.is_open
        and payment.state != PaymentState.AUTHORIZED
        and in_time
        and attempt.pk == newest
        and not attempt.closing_as
    )


def _begin(attempt: Attempt, *, by: str) -> None:
    changes = Operation.objects.filter(attempt=attempt, kind__in=CHANGES)
    if changes.filter(state__in=UNSETTLED).exists() or changes.filter(kind=Kind.CONFIRM).count() >= MOST_CONFIRMS:
        return
    operation, _ = prepare(attempt, Kind.CONFIRM, by=by, money=attempt.payment.money, sending=False)
    operation.save(force_insert=True)
    work.wake_on_commit("operations")
