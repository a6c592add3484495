"""move(): the one door to `state`."""

from typing import Any, TypeVar

from django.db import models

from core import clock
from core.database import update_and_insert
from core.logging import request_id
from core.states import Verdict
from events import attention, subjects, work
from events.models import Attention, Subjected, Transition
from events.outbox import StaleRow, stage
from events.subjects import Subject

Row = TypeVar("Row", bound=models.Model)


def lock(row: Row) -> Row:
    """The row as it is now, locked until the transaction ends. Lock parents before children."""
    return type(row)._default_manager.select_for_update(of=("self",)).get(pk=row.pk)


def move(row: Any, to: str, *, by: str, because: str, **changes: Any) -> Verdict:
    """Take a locked row to a state, with its transition and its event, in one statement.

    `changes` are other columns, written whatever the verdict is: facts do not depend on the word that
    came with them. A word behind the present state changes no state; one that contradicts a success
    opens an attention item. Raises StaleRow when the row was not locked and has changed.
    """
    subject = subjects.of(row)
    verdict = subject.machine.judge(row.state, to)
    if verdict is Verdict.MOVES:
        _step(row, subject, str(to), by=by, because=because, changes=changes)
    elif changes:
        record(row, **changes)
    if verdict is Verdict.CONTRADICTS:
        attention.raise_for(row, Attention.Reason.PARKED, f"told {to!r} while {row.state!r}: {because}")
    return verdict


def record(row: Any, **changes: Any) -> None:
    """Write columns of a locked row that are not its state."""
    if not changes:
        return
    for name, value in changes.items():
        setattr(row, name, value)
    type(row)._default_manager.filter(pk=row.pk).update(**changes)


def _step(row: Subjected, subject: Subject, to: str, *, by: str, because: str, changes: dict[str, Any]) -> None:
    before = {"state": row.state, "sequence": row.sequence}  # type: ignore[attr-defined]  # every subject has one
    if subject.machine.is_late(before["state"], to):
        changes["late"] = True
    changes |= {"state": to, "sequence": row.sequence + 1, "state_changed_at": clock.now()}
    for name, value in changes.items():
        setattr(row, name, value)
    rows: list[models.Model] = [_transition(row, before["state"], by=by, because=because)]
    if subject.present is not None:
        rows.append(stage(row, f"{subject.kind}.{to}", sequence=row.sequence))
        work.wake_on_commit("outbox")
    if not update_and_insert(row, changes, expecting=before, rows=rows):
        raise StaleRow(f"{row.pk} was changed while it was not locked")


def _transition(row: Any, from_state: str, *, by: str, because: str) -> Transition:
    return Transition(
        subject=row.pk,
        sequence=row.sequence,
        from_state=from_state,
        to_state=row.state,
        by=by,
        because=because[:500],
        request_id=request_id.get(),
        at=row.state_changed_at,
    )
