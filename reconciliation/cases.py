"""Discrepancies in the hands of people: taken by one, closed by two.

Two things here change what is booked. A match gives money that waits unallocated to the payment whose receipt the
provider does not list, so that both are the same money from then on. Money that only an uploaded file tells of is
booked once two people say so.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from core import clock
from core.errors import Conflict
from events import approvals, audit
from events.approvals import Action
from events.models import Approval
from payments.models import Receipt, UnallocatedReceipt
from payments.providers.base import MoneyMoved, ReceiptKind
from payments.services import assigning, listing
from payments.services.arriving import Arrived
from payments.services.booking import Because
from payments.states import UnallocatedState
from reconciliation.concluding import tell_of_open
from reconciliation.models import Discrepancy

CLOSE, MATCH, BOOK = "reconciliation.close", "reconciliation.match", "reconciliation.book"
PERMISSION = "reconciliation.close_discrepancy"
_MOST_SUGGESTED = 10
Outcome = Discrepancy.Outcome


def take(case: Discrepancy, *, by: str) -> None:
    """Make it somebody's own, whoever had it before. Raises Conflict for what is closed."""
    if not Discrepancy.objects.filter(pk=case.pk, closed_at=None).update(owner=by):
        raise Conflict(f"{case.pk} is closed.")


def ask_to_close(case: Discrepancy, *, by: str, because: str) -> Approval:
    """Ask a second person to close it as it is. Raises Conflict for what is closed, or asked for already."""
    return _ask(CLOSE, case, match="", by=by, because=because)


def ask_to_match(case: Discrepancy, unallocated: str, *, by: str, because: str) -> Approval:
    """Ask a second person to call unallocated money the one of this case's receipt.

    Raises ValueError, naming the field, for money that cannot be it, and Conflict as `ask_to_close` does.
    """
    if not suggestions(case).filter(pk=unallocated).exists():
        raise ValueError("'unallocated' must be open money of the same account, currency and amount")
    return _ask(MATCH, case, match=unallocated, by=by, because=because)


def ask_to_book(case: Discrepancy, *, by: str, because: str) -> Approval:
    """Ask a second person to book money that only an uploaded file tells of.

    Raises Conflict for what is not such money, is closed, or asked for already.
    """
    if not is_bookable(case):
        raise Conflict(f"{case.pk} is no payment that an uploaded file alone tells of.")
    return _ask(BOOK, case, match="", by=by, because=because)


def is_bookable(case: Discrepancy) -> bool:
    """What the provider's own list has told of is booked without anybody."""
    return (
        case.kind == Discrepancy.Kind.MISSING_HERE
        and case.direction == ReceiptKind.CAPTURE
        and not case.confirmed
        and case.closed_at is None
    )


def _ask(action: str, case: Discrepancy, *, match: str, by: str, because: str) -> Approval:
    with transaction.atomic():
        locked = _find(case.pk)
        if locked.closed_at is not None or _is_asked_for(locked):
            raise Conflict(f"{case.pk} is closed, or somebody has asked for its end already.")
        locked.proposed_by, locked.proposed_match = by, match
        Discrepancy.objects.filter(pk=case.pk).update(proposed_by=by, proposed_match=match)
        return approvals.ask(action, locked, by=by, because=because)


def _is_asked_for(case: Discrepancy) -> bool:
    return Approval.objects.filter(subject=case.pk, decision=Approval.Decision.OPEN).exists()


def suggestions(case: Discrepancy) -> QuerySet[UnallocatedReceipt]:
    """What may be the same money as a receipt of ours without number: for a person to look at, and no proof.

    Open, at the same account, of the same currency and amount, which alone never is one (money.md 19).
    """
    if not case.is_unnumbered or case.booked_amount is None or case.closed_at is not None:
        return UnallocatedReceipt.objects.none()
    return UnallocatedReceipt.objects.filter(
        account=case.account_id,
        state=UnallocatedState.OPEN,
        receipt__amount=case.booked_amount,
        receipt__currency=case.booked_currency,
    )


def suggested(case: Discrepancy) -> list[UnallocatedReceipt]:
    return list(suggestions(case).select_related("receipt").order_by("-pk")[:_MOST_SUGGESTED])


def _facts(case: Discrepancy) -> Mapping[str, Any]:
    return {
        "case": case.pk,
        "outcome": case.outcome,
        "match": case.proposed_match,
        "listed": [case.listed_amount, case.listed_currency],
        "booked": [case.booked_amount, case.booked_currency],
        "reference": case.reference,
    }


def _close(case: Discrepancy, *, by: str) -> None:
    _end(case, Outcome.CLOSED, by=by)


def _match(case: Discrepancy, *, by: str) -> None:
    """The unallocated money becomes the payment's, whose receipt without number is recognised as it.

    Raises Conflict where it would be more money instead.
    """
    without_number = Receipt.objects.filter(pk=case.receipt, provider_money_id=None)
    receipt = without_number.select_related("attempt").first()
    if receipt is None:
        raise Conflict(f"{case.receipt} has got its number meanwhile.")
    payment = receipt.owner.payment_id
    assigning.assign(UnallocatedReceipt.objects.get(pk=case.proposed_match), payment, by=by)
    if without_number.exists():
        raise Conflict(f"{payment} has been tried again since: the money would be more than was asked.")
    _end(case, Outcome.MATCHED, by=by, booked_as=payment)


def _book(case: Discrepancy, *, by: str) -> None:
    """As the provider's own list would have had it booked."""
    if not is_bookable(case) or case.listed is None:
        raise Conflict(f"{case.pk} has been confirmed by the provider's own list: a run books it.")
    moved = MoneyMoved(ReceiptKind.CAPTURE, case.listed, case.key)
    came = Arrived(case.account, moved, reference=case.reference, payer_hint=case.payer_hint)
    because = Because(by=by, source=listing.SOURCE, detail=f"listed in a file, and allowed by two people: {case.pk}")
    _end(case, Outcome.BOOKED, by=by, booked_as=listing.take_in_listed(came, because).pk)


def _end(case: Discrepancy, outcome: Discrepancy.Outcome, *, by: str, booked_as: str = "") -> None:
    Discrepancy.objects.filter(pk=case.pk).update(
        outcome=outcome, closed_by=by, closed_at=clock.now(), booked_as=booked_as or case.booked_as
    )
    tell_of_open(case.account)
    audit.record(
        actor=by,
        action=f"reconciliation.{outcome}",
        merchant=case.merchant_id,
        livemode=case.livemode,
        object_id=case.pk,
        detail={"asked_by": case.proposed_by, "match": case.proposed_match},
    )


def _find(public_id: str) -> Discrepancy:
    return Discrepancy.objects.select_for_update(of=("self",)).select_related("account").get(pk=public_id)


approvals.register(
    CLOSE,
    Action(title="Close a discrepancy as it is", permission=PERMISSION, find=_find, facts=_facts, carry_out=_close),
)
approvals.register(
    BOOK,
    Action(
        title="Book money that an uploaded file tells of",
        permission=PERMISSION,
        find=_find,
        facts=_facts,
        carry_out=_book,
    ),
)
approvals.register(
    MATCH,
    Action(
        title="Call unallocated money the one of a receipt without number",
        permission=PERMISSION,
        find=_find,
        facts=_facts,
        carry_out=_match,
    ),
)
