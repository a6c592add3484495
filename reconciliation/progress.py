"""How far a run has come: locked before each of its steps is kept, and written without what belongs to its queue."""

from django.db import models

from reconciliation.models import Run


def lock(run: Run) -> Run:
    """The run as it is now, with its account and file, in the caller's transaction."""
    return find(run, Run.objects.select_for_update(of=("self",)))


def find(run: Run, rows: "models.QuerySet[Run] | None" = None) -> Run:
    rows = Run.objects.all() if rows is None else rows
    return rows.select_related("account", "upload").get(pk=run.pk)


def store(run: Run) -> Run:
    """What a step has come to. The columns of the work belong to the queue."""
    Run.objects.filter(pk=run.pk).update(**{name: getattr(run, name) for name in _WRITTEN})
    return run


_WRITTEN = (
    "since", "until", "phase", "registered", "cursor", "read_at", "last_page", "repeats", "pages", "lines",
    "unreadable", "counts", "totals", "started_at",
)  # fmt: skip
