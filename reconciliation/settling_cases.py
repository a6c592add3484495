"""Settlements in the hands of people: one asks, another allows, and the database holds that they are two."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from core.errors import Conflict
from events import approvals
from events.approvals import Action
from events.models import Approval
from reconciliation import settlements
from reconciliation.models import BankLine, Settlement

SETTLE, MATCH = "settlement.settle", "settlement.match"
PERMISSION = "reconciliation.settle_settlement"
_MOST_SUGGESTED = 10


def is_settleable(settlement: Settlement) -> bool:
    """Whether there is anything at the bank to post, and nobody has."""
    return settlement.settled_at is None and settlement.bank_amount is not None


def suggested(settlement: Settlement) -> QuerySet[BankLine]:
    """Lines of the bank that name no settlement and have its amount: for a person to look at, and no proof."""
    told = settlement.listed_net if settlement.paid_out is None else settlement.paid_out
    return BankLine.objects.filter(
        account=settlement.account_id, settlement=None, currency=settlement.currency, amount=told
    ).order_by("-pk")


def ask_to_settle(settlement: Settlement, *, by: str, because: str) -> Approval:
    """Ask a second person to settle it with what has come at the bank, whatever the others say.

    Raises Conflict where there is nothing at the bank, it is settled, or something is asked for already.
    """
    if not is_settleable(settlement):
        raise Conflict(f"{settlement.pk} is settled, or nothing of it has come at the bank.")
    return _ask(SETTLE, settlement, line=None, by=by, because=because)


def ask_to_match(settlement: Settlement, line: int, *, by: str, because: str) -> Approval:
    """Ask a second person to call a line of the bank the settlement's.

    Raises ValueError, naming the field, for a line that cannot be it, and Conflict as `ask_to_settle` does.
    """
    if not suggested(settlement).filter(pk=line).exists():
        raise ValueError("'line' must be one of the bank's lines that are listed below: same currency and amount")
    return _ask(MATCH, settlement, line=line, by=by, because=because)


def _ask(action: str, settlement: Settlement, *, line: int | None, by: str, because: str) -> Approval:
    with transaction.atomic():
        locked = settlements.find(settlement.pk)
        if locked.settled_at is not None or _is_asked_for(locked):
            raise Conflict(f"{settlement.pk} is settled, or somebody has asked for something already.")
        locked.proposed_by, locked.proposed_line = by, line
        Settlement.objects.filter(pk=locked.pk).update(proposed_by=by, proposed_line=line)
        return approvals.ask(action, locked, by=by, because=because)


def _is_asked_for(settlement: Settlement) -> bool:
    return Approval.objects.filter(subject=settlement.pk, decision=Approval.Decision.OPEN).exists()


def _facts(settlement: Settlement) -> Mapping[str, Any]:
    return {
        "settlement": settlement.pk,
        "settled": settlement.settled_amount,
        "bank": [settlement.bank_amount, settlement.currency],
        "listed": settlement.listed_net,
        "booked": settlement.booked_net,
        "line": settlement.proposed_line,
    }


def _settle(settlement: Settlement, *, by: str) -> None:
    if not is_settleable(settlement) or settlement.bank_amount is None:
        raise Conflict(f"{settlement.pk} is settled, or nothing of it has come at the bank.")
    settlements.settle(settlement, amount=settlement.bank_amount, by=by)


def _match(settlement: Settlement, *, by: str) -> None:
    """The line is the settlement's from then on; where all three sides agree now, that settles it."""
    line = settlement.proposed_line or 0
    if not suggested(settlement).filter(pk=line).update(settlement=settlement):
        raise Conflict("That line of the bank belongs to another settlement by now.")
    settlements.weigh(settlement)
    if settlement.settled_at is None and settlement.agrees:
        settlements.settle(settlement, amount=settlement.listed_net, by=by)


def _register(name: str, title: str, carry_out: Any) -> None:
    action = Action(title=title, permission=PERMISSION, find=settlements.find, facts=_facts, carry_out=carry_out)
    approvals.register(name, action)


_register(SETTLE, "Settle a settlement with what has come at the bank", _settle)
_register(MATCH, "Call a line of the bank a settlement's", _match)
