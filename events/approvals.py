"""Maker and checker: one person asks for an action, and another one allows it, on the object as it was then.

An action is registered by the domain that carries it out, under its name. Nobody allows what they have asked for;
the database holds that, and so it does that one request is open for the same action on the same object.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from core import clock
from core.database import violated
from core.errors import Conflict
from events import audit
from events.models import Approval
from events.sealing import owner_of


@dataclass(frozen=True, slots=True)
class Action:
    """What two people do together to a row.

    `title` is for people, and `permission` what both of them need. `find` gives the row by its id, locked. `facts`
    are what of it the second person allows: any change of them makes the request void. `carry_out(row, by=…)` does it.
    """

    title: str
    permission: str
    find: Callable[[str], Any]
    facts: Callable[[Any], Mapping[str, Any]]
    carry_out: Callable[..., None]


_actions: dict[str, Action] = {}


def register(name: str, action: Action) -> None:
    """Called once for each action by its domain's AppConfig.ready()."""
    _actions[name] = action


def action_of(approval: Approval) -> Action:
    return _actions[approval.action]


def ask(name: str, row: Any, *, by: str, because: str) -> Approval:
    """Write down that somebody wants the action. Raises Conflict while the same is asked for already."""
    approval = Approval(
        merchant=owner_of(row) if hasattr(row, "merchant_id") else "",
        livemode=bool(getattr(row, "livemode", False)),
        subject=row.pk,
        action=name,
        digest=_digest(_actions[name].facts(row)),
        asked_by=by,
        asked_because=because,
    )
    try:
        with transaction.atomic():
            approval.save(force_insert=True)
            _record(approval, "approval.asked", by)
    except IntegrityError as error:
        if violated(error) != "one_open_approval":
            raise
        raise Conflict(f"That is asked for already. Somebody else has to decide about {row.pk}.") from error
    return approval


def allow(approval: Approval, *, by: str, because: str) -> bool:
    """Carry the action out, in one transaction with the decision.

    False where the object is no longer as it was: the request is void then. Raises Conflict for the person who
    asked, and for what is decided already.
    """
    action = action_of(approval)
    with transaction.atomic():
        locked = _open(approval)
        if by == locked.asked_by:
            raise Conflict("You have asked for this yourself. Somebody else has to allow it.")
        row = action.find(locked.subject)
        changed = _digest(action.facts(row)) != locked.digest
        _decide(locked, Approval.Decision.VOID if changed else Approval.Decision.ALLOWED, by, because)
        if not changed:
            action.carry_out(row, by=by)
    return not changed


def decline(approval: Approval, *, by: str, because: str) -> None:
    """End the request without carrying it out. Who asked may take it back so. Raises Conflict for what is decided."""
    with transaction.atomic():
        _decide(_open(approval), Approval.Decision.DECLINED, by, because)


def _open(approval: Approval) -> Approval:
    locked = Approval.objects.select_for_update().get(pk=approval.pk)
    if locked.decision != Approval.Decision.OPEN:
        raise Conflict(f"{approval.pk} is decided already: {locked.decision} by {locked.decided_by}.")
    return locked


def _decide(approval: Approval, decision: Approval.Decision, by: str, because: str) -> None:
    approval.decision, approval.decided_by, approval.decided_because = decision, by, because
    approval.decided_at = clock.now()
    approval.save(update_fields=["decision", "decided_by", "decided_because", "decided_at"])
    _record(approval, f"approval.{decision}", by)


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _record(approval: Approval, action: str, by: str) -> None:
    audit.record(
        actor=by,
        action=action,
        merchant=approval.merchant,
        livemode=approval.livemode,
        object_id=approval.subject,
        detail={"approval": approval.pk, "action": approval.action},
    )
