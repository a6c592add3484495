"""What this domain adds to the history of an object: writes at providers, and money that moved."""

from collections.abc import Iterable, Sequence

from django.db.models import Q

from core.admin_columns import Moment, tones
from core.money import Money
from events import timeline
from payments import states
from payments.models import Operation, Receipt


def _operations(ids: Sequence[str]) -> Iterable[Moment]:
    shown = tones(states.OPERATION)
    about = Operation.objects.filter(pk__in=ids).select_related("attempt__account").defer("request")
    for row in about.order_by("-pk")[: timeline.LIMIT]:
        said = [f"by {row.by}", row.failure_message, f"asked about {row.asked} times" if row.asked else ""]
        yield Moment(
            at=row.sent_at or row.created_at,
            kind="operation",
            title=f"{row.kind} {row.money} at {row.attempt.account}: {row.state}",
            detail=", ".join(word for word in said if word),
            id=row.pk,
            tone=shown[row.state],
        )


def receipts(ids: Sequence[str]) -> Iterable[Moment]:
    """Money that providers report as moved, for these attempts and refunds."""
    about = Receipt.objects.filter(Q(attempt__in=ids) | Q(refund__in=ids))
    for row in about.order_by("-pk")[: timeline.LIMIT]:
        yield Moment(
            at=row.created_at,
            kind="money",
            title=f"{row.kind} of {Money(row.amount, row.currency)}",
            detail=f"{row.provider_money_id or 'receipt not seen yet'}, known by {row.source}",
            tone="success",
        )


timeline.register(_operations)
timeline.register(receipts)
