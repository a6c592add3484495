"""Settlements: what the provider's report names, what the books have of it, and what came at the bank, side by side.

A file brings lines, and is one person's word: nothing is posted before all three sides agree and two people have
uploaded the files, or before two people have said so.
"""

import logging
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet, Sum

from core import clock
from core.database import insert_ignoring
from core.money import Money
from events import attention, audit
from events.models import Attention
from ledger.posting import Books
from payments.services import settling
from payments.services.settling import Payout
from reconciliation import settled_books, settlement_lines
from reconciliation.concluding import BY
from reconciliation.models import BankLine, Discrepancy, Run, Settlement, SettlementLine, StagedLine, Upload

logger = logging.getLogger(__name__)

_COUNTED = (
    "paid_at", "lines", "unbooked", "listed_gross", "listed_refunds", "listed_fees", "paid_out", "booked_gross",
    "booked_refunds", "booked_fees", "bank_amount", "bank_at", "is_told_by_two",
    "left_over",
)  # fmt: skip
_PAYOUT = "payout"


def weigh_all(run: Run) -> None:
    """Compare every settlement of the run's account that is open, is not even, or that the run has told of.

    One that fails is left for a person, and keeps no other waiting.
    """
    settlement_lines.link(run.account)
    told = StagedLine.objects.filter(run=run.pk).exclude(settlement="").values("settlement")
    waiting = Settlement.objects.filter(
        Q(settled_at=None) | ~Q(left_over={}) | Q(number__in=told) | Q(bank_lines__upload=run.upload_id or ""),
        account=run.account_id,
    )
    for public_id in sorted(set(waiting.values_list("pk", flat=True))):
        try:
            with transaction.atomic():
                weigh(find(public_id))
        except Exception:
            logger.exception("weighing a settlement failed", extra={"settlement": public_id})
            failed = Settlement.objects.get(pk=public_id)
            attention.raise_for(failed, Attention.Reason.FAILING, "comparing or posting this settlement fails")


def find(public_id: str) -> Settlement:
    """Locked, in the caller's transaction."""
    rows = Settlement.objects.select_for_update(of=("self",)).select_related("account")
    return rows.get(pk=public_id)


def weigh(settlement: Settlement) -> None:
    """Count what each side says of the locked settlement; settle it where all agree, or open a case where not."""
    _count(settlement)
    if settlement.settled_at is not None:
        _tell_of_left_over(settlement)
    elif _settles_by_itself(settlement):
        settle(settlement, amount=settlement.listed_net, by=BY)
    else:
        _wait(settlement)
    attention.settle(settlement, Attention.Reason.FAILING, by=BY)


def _settles_by_itself(settlement: Settlement) -> bool:
    return settlement.agrees and settlement.is_told_by_two


def _wait(settlement: Settlement) -> None:
    _open_cases(settlement)
    _tell_of_one_word(settlement)


def settle(settlement: Settlement, *, amount: int, by: str) -> None:
    """Post `amount` as what the locked settlement came to, but for what staff had recorded payment by payment."""
    numbers = SettlementLine.objects.filter(settlement=settlement, kind="capture")
    payments = settling.payments_of(settlement.account_id, numbers.values("provider_money_id"))
    settling.lock_payments(payments)
    # Counted again under the locks: somebody may have settled one of the payments just now, or another settlement
    # that names it too.
    books = _count(settlement)
    if by == BY and not (_settles_by_itself(settlement) and settlement.listed_net == amount):
        _wait(settlement)
        return
    now = clock.now()
    payout = Payout(
        source=settlement.pk,
        books=Books(settlement.merchant_id, settlement.account_id, settlement.livemode),
        number=settlement.number,
        on=(settlement.bank_at or settlement.paid_at or now).date(),
    )
    net = amount - books.by_hand.get(settlement.currency, 0)
    settling.settle_payout(payout, payments=payments, net=Money(net, settlement.currency))
    settlement.settled_amount, settlement.settled_at, settlement.settled_by = amount, now, by
    Settlement.objects.filter(pk=settlement.pk).update(settled_amount=amount, settled_at=now, settled_by=by)
    books.posted = {settlement.currency: net}
    settlement.left_over = books.left_over
    Settlement.objects.filter(pk=settlement.pk).update(left_over=settlement.left_over)
    _explain(settlement, (Discrepancy.Kind.AMOUNT, Discrepancy.Kind.MISSING_THERE))
    _tell_of_left_over(settlement)
    audit.record(
        actor=by,
        action="reconciliation.settled",
        merchant=settlement.merchant_id,
        livemode=settlement.livemode,
        object_id=settlement.pk,
        detail={"amount": amount, "currency": settlement.currency, "asked_by": settlement.proposed_by},
    )


# The three sides


def _count(settlement: Settlement) -> settled_books.Booked:
    """Counted and kept; what the books have, for whoever posts."""
    _count_listed(settlement)
    books = settled_books.booked(settlement)
    settlement.booked_gross, settlement.booked_refunds = books.gross, books.refunds
    settlement.booked_fees, settlement.unbooked = books.fees, books.unbooked
    settlement.left_over = {} if settlement.settled_at is None else books.left_over
    bank = BankLine.objects.filter(settlement=settlement).aggregate(amount=Sum("amount"), at=Max("at"))
    settlement.bank_amount = None if bank["amount"] is None else int(bank["amount"])
    settlement.bank_at = bank["at"]
    settlement.is_told_by_two = _is_told_by_two(settlement)
    Settlement.objects.filter(pk=settlement.pk).update(**{name: getattr(settlement, name) for name in _COUNTED})
    return books


def _is_told_by_two(settlement: Settlement) -> bool:
    """Whether different people have uploaded the report, or whatever of it names these lines, and the bank's line."""
    report = _uploaders(SettlementLine.objects.filter(settlement=settlement))
    bank = _uploaders(BankLine.objects.filter(settlement=settlement))
    return bool(report and bank) and report.isdisjoint(bank)


def _uploaders(lines: "QuerySet[Any]") -> set[str]:
    return set(Upload.objects.filter(pk__in=lines.values("upload")).values_list("by", flat=True))


def _count_listed(settlement: Settlement) -> None:
    """The provider's lines. A payout is written with either sign: it goes the way that its lines add up to."""
    rows = SettlementLine.objects.filter(settlement=settlement).values("kind")
    totals = rows.annotate(total=Sum("amount"), kept=Sum("fee"), count=Count("pk"))
    told = {row["kind"]: (int(row["total"]), int(row["kept"]), int(row["count"])) for row in totals}
    nothing = (0, 0, 0)
    gross, refunds, fees = (told.get(kind, nothing) for kind in ("capture", "refund", "fee"))
    settlement.listed_gross, settlement.listed_refunds = gross[0], refunds[0]
    settlement.listed_fees = fees[0] + gross[1] + refunds[1]
    settlement.lines = gross[2] + refunds[2] + fees[2]
    paid_out = told[_PAYOUT][0] if _PAYOUT in told else None
    settlement.paid_out = -paid_out if paid_out is not None and settlement.listed_net < 0 else paid_out


def _tell_of_left_over(settlement: Settlement) -> None:
    """An item that says how much, where, and in which currency; written anew when that has changed."""
    told = [
        f"{Money(amount, currency)} stays on the provider clearing of {settlement.account_id}"
        for currency, amount in sorted(settlement.left_over.items())
    ]
    if settlement.bank_amount != settlement.settled_amount:
        told.append(f"the bank has {settlement.money(settlement.bank_amount)}")
    detail = f"{', and '.join(told)} after settlement {settlement.number}"
    open_now = Attention.objects.filter(subject=settlement.pk, reason=Attention.Reason.DISCREPANCY, closed_at=None)
    if not told or open_now.exclude(detail=detail).exists():
        attention.settle(settlement, Attention.Reason.DISCREPANCY, by=BY)
    if told:
        attention.raise_for(settlement, Attention.Reason.DISCREPANCY, detail)


def _tell_of_one_word(settlement: Settlement) -> None:
    """An item for as long as all agree, and nothing happens as nobody else has uploaded any of it."""
    if settlement.agrees:
        detail = (
            f"settlement {settlement.number} agrees on all sides, and one person has uploaded both the report and the "
            "bank's statement: look at both, then ask to settle it"
        )
        attention.raise_for(settlement, Attention.Reason.DISCREPANCY, detail)
    else:
        attention.settle(settlement, Attention.Reason.DISCREPANCY, by=BY)


# Cases


def _open_cases(settlement: Settlement) -> None:
    """One for what differs, and one for what the bank lacks; each is explained once it is so no more."""
    sides = [settlement.bank_amount, settlement.paid_out, settlement.listed_net]
    differing = [side for side in sides if side not in (None, settlement.booked_net)]
    if differing:
        _open(settlement, Discrepancy.Kind.AMOUNT, listed=differing[0])
    else:
        _explain(settlement, (Discrepancy.Kind.AMOUNT,))
    if settlement.bank_amount is None and settlement.bank_missed:
        _open(settlement, Discrepancy.Kind.MISSING_THERE, listed=None)
    else:
        _explain(settlement, (Discrepancy.Kind.MISSING_THERE,))


def _open(settlement: Settlement, kind: Discrepancy.Kind, *, listed: int | None) -> None:
    """The case, with what is said now: open again if it was explained; one that two people have closed stays closed."""
    figures = {
        "listed_amount": listed,
        "listed_currency": "" if listed is None else settlement.currency,
        "booked_amount": settlement.booked_net,
        "booked_currency": settlement.currency,
    }
    run = Run.objects.filter(account=settlement.account_id).latest("pk")
    case = Discrepancy(
        run=run,
        account_id=settlement.account_id,
        merchant_id=settlement.merchant_id,
        livemode=settlement.livemode,
        kind=kind,
        key=settlement.pk,
        direction=_PAYOUT,
        reference=settlement.number,
        listed_at=settlement.paid_at,
        **figures,
    )
    if not insert_ignoring(case):
        known = Discrepancy.objects.filter(account=settlement.account_id, kind=kind, key=settlement.pk)
        known.filter(outcome__in=[Discrepancy.Outcome.OPEN, Discrepancy.Outcome.EXPLAINED]).update(
            outcome=Discrepancy.Outcome.OPEN, closed_at=None, **figures
        )


def _explain(settlement: Settlement, kinds: tuple[str, ...]) -> None:
    told = Discrepancy.objects.filter(account=settlement.account_id, key=settlement.pk, kind__in=kinds, closed_at=None)
    told.update(outcome=Discrepancy.Outcome.EXPLAINED, closed_at=clock.now())
