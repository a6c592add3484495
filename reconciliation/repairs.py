"""Repairs of what is certain: listed money that nobody told us of is booked by the domain's own verb (money.md 19)."""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from core import clock
from core.money import Money
from events import attention, audit
from events.models import Attention
from merchants.models import ProviderAccount
from payments.providers.base import MoneyMoved, ReceiptKind
from payments.providers.statements import Statements
from payments.services import listing
from payments.services.arriving import Arrived
from payments.services.booking import Because
from reconciliation.models import Discrepancy, Run

logger = logging.getLogger(__name__)

BY = "reconciliation"
_AT_ONCE = 50
_PAYABLE_WITHIN = timedelta(hours=12)


def repair_some(run: Run, *, after: str) -> str:
    """Repair the next of the account's open cases of money that is missing here, in the order of their ids.

    Only of what the provider's own API has listed: an uploaded file alone proves nothing (money.md 19).
    Gives the id of the last one, empty when there was none. One that cannot be repaired is left for a person, and
    keeps no other waiting.
    """
    waiting = Discrepancy.objects.filter(
        account=run.account_id,
        kind=Discrepancy.Kind.MISSING_HERE,
        direction=ReceiptKind.CAPTURE,
        confirmed=True,
        closed_at=None,
        pk__gt=after,
    )
    found = list(waiting.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])
    for public_id in found:
        try:
            _repair(public_id, run)
        except Exception:
            logger.exception("a repair failed", extra={"discrepancy": public_id})
            attention.raise_for(
                Discrepancy.objects.get(pk=public_id), Attention.Reason.FAILING, "booking this listed money fails"
            )
    return found[-1] if found else ""


def conclude_unlisted(account: ProviderAccount, declared: Statements) -> int:
    """End what nobody could tell of, once the provider lists no further back; how many.

    Only what a finished run has read about, from before it was sent until long after a payer could still have paid.
    """
    read = Run.objects.filter(
        account=account,
        upload=None,
        phase=Run.Phase.FINISHED,
        counts__has_key="lines",
        since__lte=OuterRef("sent_at"),
        until__gte=OuterRef("sent_at") + _PAYABLE_WITHIN,
    )
    because = Because(by=BY, source=listing.SOURCE, detail="the provider's list has no money of it")
    over = listing.given_up(account, sent_before=clock.now() - declared.reach)
    found = over.filter(Exists(read)).select_related("attempt").order_by("pk")
    return sum(listing.conclude_unlisted(operation, because) for operation in found[:_AT_ONCE])


def _repair(public_id: str, run: Run) -> None:
    """Book the money and close the case, once: whoever locks it first does it."""
    with transaction.atomic():
        case = Discrepancy.objects.select_for_update().get(pk=public_id)
        if case.closed_at is not None or case.listed_amount is None:
            return
        moved = MoneyMoved(ReceiptKind.CAPTURE, Money(case.listed_amount, case.listed_currency), case.key)
        came = Arrived(run.account, moved, reference=case.reference, payer_hint=case.payer_hint)
        because = Because(by=BY, source=listing.SOURCE, detail=f"listed by the provider: {case.pk}")
        booked = listing.take_in_listed(came, because)
        Discrepancy.objects.filter(pk=case.pk).update(
            outcome=Discrepancy.Outcome.REPAIRED, booked_as=booked.pk, closed_at=clock.now()
        )
        Run.objects.filter(pk=run.pk).update(repaired=F("repaired") + 1)
        attention.settle(case, Attention.Reason.FAILING, by=BY)
        audit.record(
            actor=BY,
            action="reconciliation.repaired",
            merchant=case.merchant_id,
            livemode=case.livemode,
            object_id=booked.pk,
            detail={"discrepancy": case.pk, "run": run.pk, "provider_money_id": case.key},
        )
