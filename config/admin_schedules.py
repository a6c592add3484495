"""Staff's page of the schedules: how each one stands, when it runs, and that it runs now."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from config import beat, standing, tasks
from config.standing import Standing
from core import clock
from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action, staff
from core.admin_columns import badge, column, moment, moment_column
from core.errors import Conflict
from events import jobs
from events.models import Job

_TIMES = "admin:django_celery_beat_periodictask_change"


def _of(job: Any) -> Standing | None:
    """What the page has looked up for all its rows at once; None for a schedule that the code has no more."""
    found: Standing | None = job.standing
    return found


def _state(job: Any) -> Any:
    found = _of(job)
    if job.claimed_until and job.claimed_until > clock.now():
        return badge("runs", "info")
    if found and not found.is_on:
        return badge("off")
    if job.failures:
        return badge("fails", "danger")
    return badge("late", "warning") if found and found.is_late else badge("well", "success")


def _every(job: Any) -> Any:
    found = _of(job)
    if not (found and found.row):
        return "-"
    url = reverse(_TIMES, args=[found.row.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', url, beat.told_of(found.row))


def _took(job: Job) -> str:
    return "-" if job.milliseconds is None else f"{job.milliseconds / 1000:.2f} s"


def _next(job: Any) -> str:
    if job.asked_at:
        return f"asked for by {job.asked_by}"
    found = _of(job)
    return moment(found.next_at if found else None)


def _does(job: Any) -> str:
    found = _of(job)
    return found.schedule.does if found else "is no more"


def _late(job: Any) -> str:
    found = _of(job)
    return str(found.schedule.late) if found else "-"


_STATE = column("stands", _state)
_EVERY = column("every", _every, title="when (change it there)")
_NEXT = column("next", _next, title="next run")


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    ordering = ("name",)
    list_per_page = 200
    list_display = (
        "name",
        _STATE,
        _EVERY,
        moment_column("started_at", title="last run"),
        column("took", _took),
        _NEXT,
        "failures",
        moment_column("succeeded_at", title="succeeded last"),
    )
    search_help_text = "the name of a schedule, exactly"
    fields = (
        ("name", _STATE),
        column("does", _does, title="what it does"),
        (_EVERY, column("late", _late, title="may be late by")),
        (moment_column("started_at", title="last run"), moment_column("finished_at"), column("took", _took)),
        (moment_column("succeeded_at", title="succeeded last"), _NEXT),
        ("failures", column("problem", lambda job: job.problem or "-", title="last failure")),
    )
    actions_detail = ("run_now",)

    def find(self, term: str) -> list[str]:
        return [term, *Job.objects.filter(name=term).values_list("pk", flat=True)]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)
        _look_up(page.result_list)
        return page

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        job = super().get_object(request, object_id, from_field)
        if job is not None:
            _look_up([job])
        return job

    @reasoned_action(
        title="Run now",
        permission="events.run_job",
        explain="A worker does it as soon as one is free, once, also while it is off. Its own times stay as they are. "
        "While it runs, it begins again after that.",
        icon="play_circle",
    )
    def run_now(self, request: HttpRequest, job: Job, form: Any) -> str:
        if not jobs.ask(job, by=staff(request)):
            raise Conflict("It has been asked for already, and no worker has begun it. Does one run?")
        transaction.on_commit(lambda: tasks.send_for(job.name))
        return "A worker has been asked."


def _look_up(found: Any) -> None:
    standings = {told.schedule.name: told for told in standing.everyone()}
    for job in found:
        job.standing = standings.get(job.name)
