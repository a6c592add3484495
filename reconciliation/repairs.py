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
from payments.models import Attempt, Payment, Refund, UnallocatedReceipt
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


def repair_some(run: Run, declared: Statements, *, after: str) -> str:
    """Repair the next of the account's open cases of money that is missing here, in the order of their ids.

    Gives the id of the last one, empty when there was none. One that cannot be repaired is left for a person, and
    keeps no other waiting. A dispute's money is left to what the provider tells of the dispute. Where lines may have
    other numbers than receipts, the provider is asked about our own payments, and its answer is booked.
    """
    waiting = Discrepancy.objects.filter(
        account=run.account_id,
        kind=Discrepancy.Kind.MISSING_HERE,
        direction__in=[kind.value for kind in ReceiptKind],
        closed_at=None,
        pk__gt=after,
    )
    found = list(waiting.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])
    for public_id in found:
        try:
            _repair(public_id, run, _ask_first(public_id, run.account) if declared.renumbers else None)
        except Exception:
            logger.exception("a repair failed", extra={"discrepancy": public_id})
            attention.raise_for(
                Discrepancy.objects.get(pk=public_id), Attention.Reason.FAILING, "booking this listed money fails"
            )
    return found[-1] if found else ""


def conclude_unlisted(account: ProviderAccount, declared: Statements) -> int:
    """End what nobody could tell of, once the provider lists no further back; how many.

    Only what a finished run has read about, from before it was sent until long after a payer could still have paid; not
    what was asked about and answered in a way that nobody could read.
    """
    read = Run.objects.filter(
        account=account,
        phase=Run.Phase.FINISHED,
        counts__has_key="lines",
        since__lte=OuterRef("sent_at"),
        until__gte=OuterRef("sent_at") + _PAYABLE_WITHIN,
    )
    because = Because(by=BY, source=listing.SOURCE, detail="the provider's list has no money of it")
    over = listing.given_up(account, sent_before=clock.now() - declared.reach)
    found = over.filter(Exists(read)).exclude(attempt__in=_not_told(account, declared)).select_related("attempt")
    return sum(listing.conclude_unlisted(operation, because) for operation in found.order_by("pk")[:_AT_ONCE])


def _not_told(account: ProviderAccount, declared: Statements) -> set[str]:
    """The attempts that some run has asked about in vain, where each is asked about."""
    if not declared.by_status:
        return set()
    marred = Run.objects.filter(account=account).exclude(unreadable={}).order_by("-pk")
    return {attempt for unreadable in marred.values_list("unreadable", flat=True)[:_AT_ONCE] for attempt in unreadable}


def _ask_first(public_id: str, account: ProviderAccount) -> Attempt | None:
    """Ask about the payment that captured money names, and book the answer; the payment's attempt, if it is ours."""
    case = Discrepancy.objects.get(pk=public_id)
    if case.direction != ReceiptKind.CAPTURE:
        return None
    return listing.ask_about_named(account, case.reference, _because(case))


def _repair(public_id: str, run: Run, asked: Attempt | None) -> None:
    """Book the money and close the case, once: whoever locks it first does it. What is not certain stays open."""
    with transaction.atomic():
        case = Discrepancy.objects.select_for_update().get(pk=public_id)
        if case.closed_at is not None or case.listed_amount is None:
            return
        moved = MoneyMoved(ReceiptKind(case.direction), Money(case.listed_amount, case.listed_currency), case.key)
        booked = _book(run.account, case, moved) if asked is None else listing.booked_of(asked, moved)
        if booked is None:
            return
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


def _because(case: Discrepancy) -> Because:
    return Because(by=BY, source=listing.SOURCE, detail=f"listed by the provider: {case.pk}")


def _book(
    account: ProviderAccount, case: Discrepancy, moved: MoneyMoved
) -> Payment | UnallocatedReceipt | Refund | None:
    """What the money is booked as; None for a refund of which it is not certain whose it is."""
    because = _because(case)
    if moved.kind is ReceiptKind.REFUND:
        return listing.take_in_refund(
            account, moved, reference=case.reference, gives_back=case.gives_back, because=because
        )
    came = Arrived(account, moved, reference=case.reference, payer_hint=case.payer_hint)
    return listing.take_in_listed(came, because, payment_id=case.payment_id)
