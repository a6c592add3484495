"""What has happened to an object, from every floor: each registers where its rows about an id are."""

from collections.abc import Callable, Iterable, Sequence

from django.db.models import Q

from core.admin_columns import Moment
from events import subjects
from events.models import AuditEntry, Callback, Transition

Source = Callable[[Sequence[str]], Iterable[Moment]]
LIMIT = 200
"""How many moments a source gives at most, the newest ones."""

CALLBACK_TONES = {
    Callback.State.RECEIVED: "info",
    Callback.State.PROCESSED: "success",
    Callback.State.UNMATCHED: "warning",
    Callback.State.PARKED: "warning",
    Callback.State.QUARANTINED: "danger",
}

_sources: list[Source] = []


def register(source: Source) -> None:
    """`source` is given the ids whose rows stand on one timeline, and answers in a fixed number of queries."""
    _sources.append(source)


def moments(ids: Sequence[str]) -> list[Moment]:
    return [moment for source in _sources for moment in source(ids)]


def _transitions(ids: Sequence[str]) -> Iterable[Moment]:
    for row in Transition.objects.filter(subject__in=ids).order_by("-pk")[:LIMIT]:
        subject = subjects.by_id(row.subject)
        yield Moment(
            at=row.at,
            kind="transition",
            title=f"{subject.kind if subject else row.subject}: {row.from_state} → {row.to_state}",
            detail=f"by {row.by}: {row.because}",
            id=row.subject,
            tone="info",
        )


def _callbacks(ids: Sequence[str]) -> Iterable[Moment]:
    about = Callback.objects.filter(Q(subject__in=ids) | Q(operation__in=ids)).defer("body", "headers")
    for row in about.order_by("-pk")[:LIMIT]:
        yield Moment(
            at=row.received_at,
            kind="callback",
            title=f"{row.provider} at the door {row.door}: {row.state}",
            detail=row.note,
            id=row.pk,
            tone=CALLBACK_TONES.get(Callback.State(row.state), ""),
        )


def _audit(ids: Sequence[str]) -> Iterable[Moment]:
    for row in AuditEntry.objects.filter(object_id__in=ids).order_by("-pk")[:LIMIT]:
        told = [row.request_told] if row.method else []
        told += [f"{name}: {value}" for name, value in row.detail.items() if value]
        yield Moment(
            at=row.at,
            kind="audit",
            title=f"{row.action} by {row.actor}",
            detail=", ".join([*told, f"from {row.address}"] if row.address else told),
            id=row.pk,
        )


register(_transitions)
register(_callbacks)
register(_audit)
