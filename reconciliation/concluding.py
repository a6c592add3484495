"""The end of a run: what is still without a line, who must look, and the run's own figures."""

from django.db.models import Case, Exists, F, OuterRef, Sum, When

from core import clock
from core.database import insert_ignoring
from events import attention, outbox
from events.models import Attention
from merchants.models import ProviderAccount
from payments.models import Receipt
from payments.providers.statements import Statements
from reconciliation import matching
from reconciliation.models import Discrepancy, Run

BY = "reconciliation"


def conclude(run: Run, declared: Statements) -> Run:
    """Finish the locked run, in the caller's transaction."""
    if run.upload_id is None:
        _write_down_unnumbered(run, declared)
    _explain_numbered(run)
    _explain_booked(run)
    run.totals = _with_repaired(run)
    tell_of_open(run.account)
    finished = _finish(run, problem="", totals=run.totals)
    if run.occasion != Run.Occasion.OFTEN or run.counts["lines"] != run.counts["matched"]:
        finished.repaired = Run.objects.values_list("repaired", flat=True).get(pk=run.pk)
        outbox.publish(finished, "completed")
    return finished


def give_up(run: Run, problem: str) -> Run:
    """The provider lists nothing of the window any more: the run ends without having judged anything."""
    return _finish(run, problem=problem[:300])


def _finish(run: Run, *, problem: str, **changes: object) -> Run:
    now = clock.now()
    Run.objects.filter(pk=run.pk).update(
        phase=Run.Phase.FINISHED, finished_at=now, due_at=None, claim=None, cursor="", problem=problem, **changes
    )
    run.phase, run.finished_at, run.problem = Run.Phase.FINISHED, now, problem
    attention.settle(run, Attention.Reason.FAILING, by=BY)
    return run


def _write_down_unnumbered(run: Run, declared: Statements) -> None:
    """Money that a query confirmed and whose number has not come, by callback or in a statement, is missing there."""
    since, until = matching.judged_window(run, declared)
    pending = Receipt.objects.filter(
        account=run.account_id, provider_money_id=None, created_at__gte=since, created_at__lt=until,
        kind__in=[kind.value for kind in declared.kinds],
    )  # fmt: skip
    for receipt in pending.select_related("attempt"):
        insert_ignoring(
            Discrepancy(
                run=run,
                account_id=run.account_id,
                merchant_id=run.merchant_id,
                livemode=run.livemode,
                kind=Discrepancy.Kind.MISSING_THERE,
                key=receipt.pk,
                receipt=receipt.pk,
                direction=receipt.kind,
                booked_amount=receipt.amount,
                booked_currency=receipt.currency,
                reference=receipt.owner.provider_reference,
            )
        )


def _explain_numbered(run: Run) -> None:
    """A receipt that has got its number meanwhile is compared by that."""
    told = Discrepancy.objects.filter(
        account=run.account_id, kind=Discrepancy.Kind.MISSING_THERE, closed_at=None, key__startswith="rcpt_"
    )
    numbered = Receipt.objects.filter(pk__in=told.values("key"), provider_money_id__isnull=False)
    told.filter(key__in=list(numbered.values_list("pk", flat=True))).update(
        outcome=Discrepancy.Outcome.EXPLAINED, closed_at=clock.now()
    )


def _explain_booked(run: Run) -> None:
    """Money that only a file had told of, and that a callback, a query or a person has brought into the books since."""
    booked = Receipt.objects.filter(account=OuterRef("account"), provider_money_id=OuterRef("key"))
    told = Discrepancy.objects.filter(
        Exists(booked), account=run.account_id, kind=Discrepancy.Kind.MISSING_HERE, confirmed=False, closed_at=None
    )
    told.update(outcome=Discrepancy.Outcome.EXPLAINED, closed_at=clock.now())


def _with_repaired(run: Run) -> dict[str, dict[str, int]]:
    """The totals, with what this run's own findings were repaired by; what went back counts against it."""
    came = When(direction__in=matching.COMES_IN, then=F("listed_amount"))
    repaired = run.discrepancies.filter(outcome=Discrepancy.Outcome.REPAIRED).values("listed_currency")
    totals = {currency: {**sides, "repaired": 0} for currency, sides in run.totals.items()}
    for row in repaired.annotate(total=Sum(Case(came, default=-F("listed_amount")))):
        totals[row["listed_currency"]]["repaired"] = row["total"]
    return totals


def tell_of_open(account: ProviderAccount) -> None:
    """One item per account for as long as a person has anything to look at there."""
    left = Discrepancy.objects.filter(account=account, closed_at=None).count()
    if left:
        attention.raise_for(account, Attention.Reason.DISCREPANCY, f"open discrepancies: {left} when this was written")
    else:
        attention.settle(account, Attention.Reason.DISCREPANCY, by=BY)
