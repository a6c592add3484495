"""Telling merchants that the evidence of a dispute is due, some days before, once each."""

from django.conf import settings
from django.db import transaction

from core import clock
from events import outbox
from events.transitions import record
from payments.models import Dispute
from payments.services.disputing import ANSWERABLE


def tell_of_due_evidence() -> int:
    """Publish `dispute.evidence_due` where one of the times before the due date has come; how many. Safe to repeat."""
    soon = clock.now() + max(settings.EVIDENCE_NOTICES)
    waiting = Dispute.objects.filter(
        state__in=ANSWERABLE, submitted_at=None, evidence_due_at__gt=clock.now(), evidence_due_at__lte=soon
    )
    return sum(_tell(public_id) for public_id in waiting.values_list("pk", flat=True))


def _tell(public_id: str) -> int:
    """1 when a notice that was not given before is given now; whoever locks the row first gives it."""
    with transaction.atomic():
        dispute = Dispute.objects.select_for_update(of=("self",)).get(pk=public_id)
        if dispute.state not in ANSWERABLE or dispute.submitted_at or dispute.evidence_due_at is None:
            return 0
        left = dispute.evidence_due_at - clock.now()
        reached = sum(left <= before for before in settings.EVIDENCE_NOTICES)
        if reached <= dispute.notices:
            return 0
        record(dispute, notices=reached)
        outbox.publish(dispute, "evidence_due")
    return 1
