"""Staff's page of the schedules: how each stands, and that it runs now."""

from datetime import timedelta

import pytest
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from config import beat, standing
from config.tasks import run_schedule
from core import clock
from events.models import AuditEntry, Job
from tests import staff

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _rows():
    beat.keep()


def job(name="purge"):
    return Job.objects.get(name=name)


def test_the_list_shows_how_each_schedule_stands():
    long_ago = clock.now() - timedelta(hours=5)
    Job.objects.filter(name="purge").update(created_at=long_ago)
    Job.objects.filter(name="ending cards").update(failures=3)
    Job.objects.filter(name="due evidence").update(
        claim="00000000-0000-0000-0000-000000000001", claimed_until=clock.now() + timedelta(seconds=20)
    )
    PeriodicTask.objects.filter(name="notice expiring keys").update(enabled=False)
    client = staff.signed_in("events.view_job")
    shown = client.get(staff.listing(Job)).text
    for name in Job.objects.values_list("name", flat=True):
        assert name in shown
    for word in ("late", "fails", "runs", "off", "well", "every 3600 s"):
        assert word in shown
    assert staff.queries(client, staff.listing(Job)) < 15


def test_a_page_says_what_it_does_and_what_went_wrong_last():
    Job.objects.filter(name="purge").update(failures=2, problem="Fault at events/tasks.py:20, purge", milliseconds=1234)
    shown = staff.signed_in("events.view_job").get(staff.page(job())).text
    for text in ("forgets stored answers", "Fault at events/tasks.py:20, purge", "1.23 s", "every 3600 s"):
        assert text in shown


def test_a_schedule_that_the_code_has_no_more_can_still_be_looked_at():
    gone = Job.objects.create(name="count sheep", timing="every 60 s")
    client = staff.signed_in("events.view_job")
    assert client.get(staff.listing(Job)).status_code == 200
    assert "is no more" in client.get(staff.page(gone)).text


def test_whoever_may_runs_it_now_which_is_audited_and_changes_none_of_its_times():
    client = staff.signed_in("events.view_job", "events.run_job")
    ticked_at = job().ticked_at
    path = staff.page(job(), "run_now")
    answer = client.post(path, {"reason": "the disk is full"}, follow=True)
    assert "A worker has been asked." in answer.text
    assert job().asked_by == "staff:amina"
    assert "asked for by staff:amina" in answer.text
    assert "asked for already" in client.post(path, {"reason": "again"}, follow=True).text
    run_schedule("purge")
    after = job()
    assert (after.asked_at, after.ticked_at, after.failures) == (None, ticked_at, 0)
    assert after.succeeded_at is not None
    assert staff.recorded(after) == [
        ("staff:amina", "job.run_now", {"reason": "the disk is full"}),
        ("staff:amina", "job.run_now", {"reason": "again", "refused": "conflict"}),
    ]


def test_it_runs_now_while_it_is_off():
    PeriodicTask.objects.filter(name="purge").update(enabled=False)
    client = staff.signed_in("events.view_job", "events.run_job")
    client.post(staff.page(job(), "run_now"), {"reason": "once"})
    run_schedule("purge")
    assert job().succeeded_at is not None


def test_nobody_else_runs_it():
    client = staff.signed_in("events.view_job")
    path = staff.page(job(), "run_now")
    assert "Run now" not in client.get(staff.page(job())).text
    assert client.post(path, {"reason": "me"}).status_code == 403
    assert job().asked_at is None
    assert staff.recorded(job()) == [("staff:amina", "job.run_now", {"refused": "permission"})]


def test_a_change_of_its_times_stands_in_the_audit_log_and_survives_the_next_look_of_a_beat():
    row = PeriodicTask.objects.get(name="purge")
    every, _ = IntervalSchedule.objects.get_or_create(every=7, period="hours")
    client = staff.signed_in(superuser=True)
    fields = {"name": "purge", "task": row.task, "args": row.args, "kwargs": "{}", "headers": "{}"}
    answer = client.post(staff.page(row), {**fields, "interval": every.pk, "enabled": "on"})
    assert answer.status_code == 302
    beat.keep()
    row.refresh_from_db()
    assert (row.interval_id, row.enabled) == (every.pk, True)
    [entry] = AuditEntry.objects.filter(action="periodictask.changed")
    assert (entry.actor, entry.detail) == ("staff:amina", {"reason": "purge: every 7 hours, on"})
    refused = client.post(staff.page(row), {**fields, "enabled": "on"})
    assert "at an interval or by a crontab" in refused.text


FEBRUARY = {"minute": "0", "hour": "2", "day_of_month": "31", "month_of_year": "2", "day_of_week": "*"}


def test_a_time_that_never_comes_is_not_kept():
    client = staff.signed_in(superuser=True)
    add = "/admin/django_celery_beat/{}/add/".format
    refused = client.post(add("crontabschedule"), FEBRUARY | {"timezone": "Africa/Nairobi"})
    assert "This time never comes" in refused.text
    refused = client.post(add("intervalschedule"), {"every": 2_000_000_000, "period": "days"})
    assert "This time never comes" in refused.text
    assert not CrontabSchedule.objects.filter(day_of_month="31").exists()
    tasks = {"periodictask_set-TOTAL_FORMS": "0", "periodictask_set-INITIAL_FORMS": "0"}
    leap_day = FEBRUARY | {"day_of_month": "29", "timezone": "Africa/Nairobi"}
    taken = client.post(add("crontabschedule"), leap_day | tasks)
    assert taken.status_code == 302

    never = CrontabSchedule.objects.create(**FEBRUARY, timezone="Africa/Nairobi")
    row = PeriodicTask.objects.get(name="purge")
    fields = {"name": "purge", "task": row.task, "args": row.args, "kwargs": "{}", "headers": "{}", "enabled": "on"}
    assert "This time never comes" in client.post(staff.page(row), {**fields, "crontab": never.pk}).text


@pytest.mark.parametrize("times", ["crontab", "interval"])
def test_where_one_stands_all_the_same_it_is_late_and_everything_else_goes_on(client, times):
    never = CrontabSchedule.objects.create(**FEBRUARY, timezone="Africa/Nairobi")
    long = IntervalSchedule.objects.create(every=2_000_000_000, period="days")
    kept = {"crontab": None, "interval": None, times: never if times == "crontab" else long}
    PeriodicTask.objects.filter(name="purge").update(**kept)
    Job.objects.filter(name="purge").update(timing="as an earlier version of the code had it")
    beat.keep()
    assert standing.late() == ["purge"]
    assert client.get("/readyz").json()["late_schedules"] == ["purge"]
    signed_in = staff.signed_in("events.view_job")
    assert "at a time that never comes" in signed_in.get(staff.listing(Job)).text
    assert "late" in signed_in.get(staff.page(job())).text
    run_schedule("purge")
    assert job().started_at is None
