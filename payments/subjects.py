"""What this domain registers: its objects with a lifecycle."""

from django.db.models import F, OuterRef, Subquery

from events.subjects import Subject, Transactions
from payments import states
from payments.models import (
    Attempt,
    Dispute,
    Operation,
    Payment,
    Refund,
    SavedMethod,
    Schedule,
    SchedulePeriod,
    UnallocatedReceipt,
)
from payments.presentation import payment_snapshot, present_dispute, present_refund, unallocated_snapshot
from payments.saved_presentation import saved_method_snapshot
from payments.schedule_presentation import present_period, present_schedule


def _relatives(payment: Payment) -> list[str]:
    """The ids whose rows stand on a payment's timeline."""
    ids = [payment.pk]
    ids += payment.attempts.values_list("pk", flat=True)
    ids += payment.refunds.values_list("pk", flat=True)
    ids += payment.disputes.values_list("pk", flat=True)
    ids += Operation.objects.filter(attempt__payment=payment).values_list("pk", flat=True)
    return ids


_LAST_ATTEMPT = Attempt.objects.filter(payment=OuterRef("pk")).order_by("-pk")
_REFUNDED = Payment.objects.filter(pk=OuterRef("payment_id"))
_REFUNDED_AT = Attempt.objects.filter(pk=OuterRef("attempt_id"))

PAYMENTS = Transactions(
    direction="in",
    columns={
        "method": F("method"),
        "provider": Subquery(_LAST_ATTEMPT.values("account__provider")[:1]),
        "provider_id": Subquery(_LAST_ATTEMPT.values("provider_id")[:1]),
        "reference": F("reference"),
        "payment": F("pk"),
        "store": F("store_id"),
    },
)
REFUNDS = Transactions(
    direction="out",
    columns={
        "method": Subquery(_REFUNDED.values("method")[:1]),
        "provider": Subquery(_REFUNDED_AT.values("account__provider")[:1]),
        "provider_id": F("provider_id"),
        "reference": Subquery(_REFUNDED.values("reference")[:1]),
        "payment": F("payment_id"),
        "store": F("store_id"),
    },
    reference_at="payment__",
)

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
        transactions=PAYMENTS,
        store=lambda payment: payment.store_id or "",
    ),
    Subject(
        prefix="ref",
        kind="refund",
        model=Refund,
        machine=states.REFUND,
        present=present_refund,
        search=("id", "provider_id"),
        transactions=REFUNDS,
    ),
    Subject(
        prefix="dp",
        kind="dispute",
        model=Dispute,
        machine=states.DISPUTE,
        present=present_dispute,
        facts=frozenset({"evidence_due"}),
        search=("id", "provider_id"),
        relatives=lambda dispute: [dispute.pk, *dispute.operations.values_list("pk", flat=True)],
    ),
    Subject(
        prefix="unal",
        kind="receipt",
        model=UnallocatedReceipt,
        machine=states.UNALLOCATED,
        present=unallocated_snapshot,
        facts=frozenset({"unallocated"}),
        search=("id", "reference"),
    ),
    Subject(
        prefix="sm",
        kind="saved_method",
        model=SavedMethod,
        machine=states.SAVED_METHOD,
        present=saved_method_snapshot,
        facts=frozenset({"expiring", "made_default", "updated"}),
        search=("id", "provider_id"),
    ),
    Subject(
        prefix="sch",
        kind="schedule",
        model=Schedule,
        machine=states.SCHEDULE,
        present=present_schedule,
        facts=frozenset({"updated"}),
        search=("id", "reference"),
        relatives=lambda schedule: [schedule.pk, *schedule.periods.order_by("-pk").values_list("pk", flat=True)[:100]],
    ),
    Subject(
        prefix="per",
        kind="schedule_period",
        model=SchedulePeriod,
        machine=states.PERIOD,
        present=present_period,
        facts=frozenset({"upcoming"}),
    ),
    Subject(prefix="att", kind="attempt", model=Attempt, machine=states.ATTEMPT, search=("provider_id",)),
    Subject(prefix="op", kind="operation", model=Operation, machine=states.OPERATION),
)
