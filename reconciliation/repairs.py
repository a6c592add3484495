"""Repairs of what is certain: listed money that nobody told us of is booked by the domain's own verb (money.md 19)."""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from core import clock
from events import attention, audit
from events.models import Attention
from merchants.models import ProviderAccount
from payments.models import Payment, Refund, UnallocatedReceipt
from payments.providers import REGISTRY
from payments.providers.base import MoneyMoved, ReceiptKind
from payments.providers.disputes import MovementKind
from payments.providers.statements import Statements
from payments.services import arriving, listing, static_codes
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
        account=run.account_id, kind=Discrepancy.Kind.MISSING_HERE, confirmed=True, closed_at=None, pk__gt=after
    )
    found = list(waiting.order_by("pk")[:_AT_ONCE])
    for case in found:
        try:
            _how(case, run.account)(case, run)
        except Exception:
            logger.exception("a repair failed", extra={"discrepancy": case.pk})
            attention.raise_for(case, Attention.Reason.FAILING, "booking this listed money fails")
    return found[-1].pk if found else ""


def _how(case: Discrepancy, account: ProviderAccount) -> Callable[[Discrepancy, Run], None]:
    """The provider is asked first about disputes, and about payments whose money has another number than its line."""
    if case.direction in _DISPUTED:
        return _repair_dispute
    declared = REGISTRY[account.provider].capabilities.statements
    has_another = declared is not None and declared.renumbers
    return _repair_asking if has_another and case.direction == ReceiptKind.CAPTURE else _repair


_DISPUTED = frozenset(kind.value for kind in MovementKind)


def conclude_unlisted(account: ProviderAccount, declared: Statements) -> int:
    """End what nobody could tell of, once the provider lists no further back; how many.

    Only what a finished run has read about, whole, from before it was sent until long after a payer could still have
    paid; not what was asked about and answered in a way that nobody could read.
    """
    read = Run.objects.filter(
        account=account,
        upload=None,
        phase=Run.Phase.FINISHED,
        counts__has_key="lines",
        **({} if declared.by_status else {"unreadable": {}}),
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


def _repair(found: Discrepancy, run: Run) -> None:
    """Book the money and close the case, once: whoever locks it first does it. What is not certain stays open."""
    with transaction.atomic():
        case = _locked(found)
        if case is None or case.listed is None:
            return
        booked = _book(run.account, case, MoneyMoved(ReceiptKind(case.direction), case.listed, case.key))
        if booked is not None:
            _close(case, run, booked_as=booked.pk)


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


def _repair_asking(found: Discrepancy, run: Run) -> None:
    """Have the provider tell of our own payment, under whose number its money is booked; others' as it is listed."""
    attempt = listing.ask_about_named(run.account, found.reference, _because(found))
    code = static_codes.of_reference(run.account_id, found.reference) if attempt is None else None
    booked: Payment | UnallocatedReceipt | None
    if attempt is not None:
        booked = None if _is_one_of_several(found) else listing.booked_of(attempt, found.key)
    elif code is not None:
        static_codes.take_in(code, money_id=found.key, because=_because(found))
        booked = arriving.booked(run.account, found.key)
    else:
        _repair(found, run)
        return
    if booked is None:
        return
    with transaction.atomic():
        case = _locked(found)
        if case is not None:
            _close(case, run, booked_as=booked.pk)


def _is_one_of_several(found: Discrepancy) -> bool:
    """Money under several numbers has the same reference: which of it is booked, a person has to see."""
    others = Discrepancy.objects.filter(account=found.account_id, kind=found.kind, direction=found.direction)
    return others.filter(reference=found.reference).exclude(key=found.key).exclude(reference="").exists()


def _repair_dispute(found: Discrepancy, run: Run) -> None:
    """Have the provider tell of the dispute, which may book more than this line of it."""
    dispute = listing.ask_about_dispute(
        run.account, found.reference, disputes=found.gives_back, because=_because(found)
    )
    if dispute is None or not dispute.movements.filter(provider_money_id=found.key).exists():
        return
    with transaction.atomic():
        case = _locked(found)
        if case is not None:
            _close(case, run, booked_as=dispute.pk)


def _because(case: Discrepancy) -> Because:
    return Because(by=BY, source=listing.SOURCE, detail=f"listed by the provider: {case.pk}")


def _locked(found: Discrepancy) -> Discrepancy | None:
    """None once somebody else has closed it."""
    return Discrepancy.objects.select_for_update().filter(pk=found.pk, closed_at=None).first()


def _close(case: Discrepancy, run: Run, *, booked_as: str) -> None:
    Discrepancy.objects.filter(pk=case.pk).update(
        outcome=Discrepancy.Outcome.REPAIRED, booked_as=booked_as, closed_at=clock.now()
    )
    Run.objects.filter(pk=run.pk).update(repaired=F("repaired") + 1)
    attention.settle(case, Attention.Reason.FAILING, by=BY)
    audit.record(
        actor=BY,
        action="reconciliation.repaired",
        merchant=case.merchant_id,
        livemode=case.livemode,
        object_id=booked_as,
        detail={"discrepancy": case.pk, "run": run.pk, "provider_money_id": case.key},
    )
