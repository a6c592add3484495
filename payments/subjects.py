"""What this domain registers: its objects with a lifecycle."""

from events.subjects import Subject
from payments import states
from payments.models import Attempt, Operation, Payment, Refund
from payments.presentation import payment_snapshot, present_refund


def _relatives(payment: Payment) -> list[str]:
    """The ids whose rows stand on a payment's timeline."""
    ids = [payment.pk]
    ids += payment.attempts.values_list("pk", flat=True)
    ids += payment.refunds.values_list("pk", flat=True)
    ids += Operation.objects.filter(attempt__payment=payment).values_list("pk", flat=True)
    return ids


SUBJECTS = (
    Subject(
        prefix="pay",
        kind="payment",
        model=Payment,
        machine=states.PAYMENT,
        present=payment_snapshot,
        facts=frozenset({"overpaid", "underpaid"}),
        search=("id", "reference"),
        relatives=_relatives,
    ),
    Subject(
        prefix="ref",
        kind="refund",
        model=Refund,
        machine=states.REFUND,
        present=present_refund,
        search=("id", "provider_id"),
    ),
    Subject(prefix="att", kind="attempt", model=Attempt, machine=states.ATTEMPT, search=("provider_id",)),
    Subject(prefix="op", kind="operation", model=Operation, machine=states.OPERATION),
)
