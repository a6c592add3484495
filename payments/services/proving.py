"""A person has looked at the provider, and what we could not find out there has never happened (money.md 5, 8)."""

from django.db import transaction
from django.db.models import QuerySet

from core.errors import Conflict
from events import attention
from events.models import Attention
from payments.models import Operation, Payment
from payments.providers.base import Kind
from payments.services.locking import lock_operation
from payments.services.operations import conclude_unsent
from payments.states import OperationState

_PROVABLE = (Kind.CREATE, Kind.CONFIRM, Kind.CAPTURE, Kind.CANCEL)


def given_up(payment: Payment) -> QuerySet[Operation]:
    """The payment's writes of unknown outcome whose schedule is over: nothing asks about them, nor sends them again."""
    return Operation.objects.filter(
        attempt__payment=payment.pk, kind__in=_PROVABLE, state=OperationState.UNKNOWN, due_at=None
    )


def prove_nothing_happened(payment: Payment, *, by: str) -> None:
    """Conclude what was given up as never done: a creation fails its payment, a capture or cancel can be asked again.

    Money that comes all the same is booked as ever. Raises Conflict while anything is still asked about.
    """
    with transaction.atomic():
        concluded = [_conclude(operation, by) for operation in given_up(payment).select_related("attempt")]
        if not any(concluded):
            raise Conflict(f"Nothing of {payment.pk} was given up. What is still unknown is asked about.")
        attention.settle(payment, Attention.Reason.UNKNOWN, by=by)


def _conclude(operation: Operation, by: str) -> bool:
    locked = lock_operation(operation)
    if locked.state != OperationState.UNKNOWN or locked.due_at is not None:
        return False
    conclude_unsent(locked, by=by)
    return True
