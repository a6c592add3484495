"""The table of schedules, the rows that beat keeps of it, and what one of them does when a worker is told."""

import base64
import json
import math
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import connection
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from config import beat, schedules, standing
from config.celery import app
from config.tasks import run_schedule, send_for
from core import clock
from events import work
from events.models import Job
from reconciliation import runs
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

NIGHT = "nightly reconciliation in Africa/Nairobi"


def row(name):
    return PeriodicTask.objects.get(name=name)


def set_interval(name, every, period="seconds"):
    interval, _ = IntervalSchedule.objects.get_or_create(every=every, period=period)
    PeriodicTask.objects.filter(name=name).update(interval=interval, crontab=None)


def night_at(name, hour):
    crontab = CrontabSchedule.objects.create(minute="0", hour=hour, timezone="Africa/Nairobi")
    PeriodicTask.objects.filter(name=name).update(crontab=crontab)


def changed(monkeypatch, name, **values):
    """The table of another version of the code."""
    real = schedules.everything

    def table(zones):
        found = real(zones)
        return {
            key: replace(one, **values) if key == name else one for key, one in found.items() if values or key != name
        }

    monkeypatch.setattr(schedules, "everything", table)


# The table


def test_every_queue_is_swept(settings):
    table = schedules.everything(())
    assert [table[f"sweep {name}"].args for name in work.names()] == [(name,) for name in work.names()]
    assert {table[f"sweep {name}"].when for name in work.names()} == {timedelta(seconds=settings.SWEEP_SECONDS)}


def test_every_schedule_says_what_it_does_how_often_and_how_late_it_may_be():
    app.loader.import_default_modules()
    table = schedules.everything({"Africa/Nairobi"})
    assert {one.task for one in table.values()} <= set(app.tasks)
    assert all(one.does and one.late >= timedelta(minutes=1) and one.expires >= 10 for one in table.values())
    assert table["often reconciliation"].when == timedelta(minutes=15)
    assert beat.told(table[NIGHT].when) == "0 2 * * * Africa/Nairobi"


def test_what_celery_is_told_to_plan_is_nothing_but_the_rows():
    assert (app.conf.beat_schedule, app.conf.beat_scheduler) == ({}, "config.beat:Scheduler")


def test_a_night_is_planned_for_every_zone_in_which_an_accounts_day_ends():
    assert schedules.current().keys() & {NIGHT, "nightly reconciliation in Africa/Lagos"} == set()
    factories.ProviderAccountFactory(mpesa=True)
    account = factories.ProviderAccountFactory(mpesa=True)
    account.options |= {"business_zone": "Africa/Lagos"}
    account.save()
    assert runs.zones() == {"Africa/Nairobi", "Africa/Lagos"}
    assert {NIGHT, "nightly reconciliation in Africa/Lagos"} <= schedules.current().keys()
    account.options |= {"business_zone": "Atlantis/Capital"}
    account.save()
    assert runs.zones() == {"Africa/Nairobi"}
    assert schedules.declared_zones() == {"Africa/Nairobi", "Asia/Jakarta", "UTC"}


# The rows


def test_beat_makes_a_row_of_each_and_a_second_beat_changes_nothing():
    factories.ProviderAccountFactory(mpesa=True)
    beat.keep()
    assert {task.name for task in PeriodicTask.objects.all()} == set(schedules.current())
    purge = row("purge")
    assert (purge.task, json.loads(purge.args), purge.expire_seconds) == (beat.RUNNER, ["purge"], 3600)
    assert (purge.interval.every, purge.interval.period, purge.enabled) == (3600, "seconds", True)
    night = row(NIGHT).crontab
    assert (night.hour, night.minute, str(night.timezone)) == ("2", "0", "Africa/Nairobi")
    before = (list(PeriodicTask.objects.values()), list(Job.objects.values()), PeriodicTasks.last_change())
    beat.keep()
    assert before == (list(PeriodicTask.objects.values()), list(Job.objects.values()), PeriodicTasks.last_change())


def test_two_beats_that_begin_at_once_make_each_row_once():
    def come(_):
        try:
            beat.keep()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come, range(4)))
    assert sorted(PeriodicTask.objects.values_list("name", flat=True)) == sorted(schedules.current())
    assert Job.objects.count() == PeriodicTask.objects.count()


def test_what_staff_have_changed_survives_a_deploy(monkeypatch):
    factories.ProviderAccountFactory(mpesa=True)
    beat.keep()
    set_interval("purge", 7, "hours")
    night_at(NIGHT, "4")
    PeriodicTask.objects.filter(name="ending cards").update(enabled=False)
    changed(monkeypatch, "purge", when=timedelta(minutes=30), does="forgets more")
    beat.keep()
    purge = row("purge")
    assert (purge.interval.every, purge.interval.period, purge.description) == (7, "hours", "forgets more")
    assert (row(NIGHT).crontab.hour, row("ending cards").enabled) == ("4", False)


def test_a_time_that_nobody_has_changed_follows_the_code(monkeypatch):
    beat.keep()
    changed(monkeypatch, "purge", when=timedelta(minutes=30))
    beat.keep()
    assert (row("purge").interval.every, row("purge").expire_seconds) == (1800, 1800)


def test_a_row_of_an_earlier_version_is_taken_over_with_its_time():
    """Before there was a table, beat kept rows of the same names."""
    set_up, _ = IntervalSchedule.objects.get_or_create(every=9, period="minutes")
    PeriodicTask.objects.create(name="purge", task="events.tasks.purge", interval=set_up)
    PeriodicTask.objects.create(name="celery.backend_cleanup", task="celery.backend_cleanup", interval=set_up)
    beat.keep()
    assert (row("purge").task, row("purge").interval.every) == (beat.RUNNER, 9)
    assert not PeriodicTask.objects.filter(name="celery.backend_cleanup").exists()


def test_a_schedule_that_the_code_has_no_more_goes_and_staffs_own_stays(monkeypatch):
    beat.keep()
    own, _ = IntervalSchedule.objects.get_or_create(every=9, period="minutes")
    PeriodicTask.objects.create(name="ours", task="events.tasks.purge", interval=own)
    changed(monkeypatch, "purge")
    beat.keep()
    assert not PeriodicTask.objects.filter(name="purge").exists()
    assert not Job.objects.filter(name="purge").exists()
    assert PeriodicTask.objects.filter(name="ours").exists()


def test_a_span_of_less_than_a_second_is_kept_as_it_is(settings):
    settings.SWEEP_SECONDS = 0.5
    beat.keep()
    assert row("sweep callbacks").schedule.run_every == timedelta(seconds=0.5)
    assert beat.told(row("sweep callbacks").schedule) == "every 0.5 s"


def test_a_row_that_somebody_has_deleted_comes_back():
    beat.keep()
    PeriodicTask.objects.filter(name="purge").delete()
    beat.keep()
    assert row("purge").interval.every == 3600


def test_beat_plans_every_row_that_is_on_whatever_its_hour():
    factories.ProviderAccountFactory(mpesa=True)
    beat.keep()
    PeriodicTask.objects.filter(name="purge").update(enabled=False)
    for hour in ("2", "9", "16", "23"):
        night_at(NIGHT, hour)
        planned = beat.Scheduler(app=app, lazy=True).all_as_schedule()
        assert planned.keys() == schedules.current().keys() - {"purge"}


# What runs


def test_a_worker_that_is_told_does_the_work_once_for_its_moment():
    account = factories.ProviderAccountFactory(mpesa=True)
    beat.keep()
    run_schedule(NIGHT)
    assert not runs.Run.objects.exists()
    Job.objects.update(created_at=clock.now() - timedelta(days=2))
    run_schedule(NIGHT)
    [begun] = runs.Run.objects.all()
    assert (begun.account_id, begun.occasion) == (account.pk, "nightly")
    runs.Run.objects.update(phase="finished", finished_at=clock.now())
    run_schedule(NIGHT)
    assert runs.Run.objects.count() == 1
    assert Job.objects.get(name=NIGHT).failures == 0


def test_the_night_is_only_of_the_accounts_whose_day_ends_by_that_clock():
    factories.ProviderAccountFactory(mpesa=True)
    elsewhere = factories.ProviderAccountFactory(mpesa=True)
    elsewhere.options |= {"business_zone": "Africa/Lagos"}
    elsewhere.save()
    runs.begin_all(occasion="nightly", zone="Africa/Lagos")
    assert [run.account_id for run in runs.Run.objects.all()] == [elsewhere.pk]


def test_every_schedule_can_be_run():
    factories.ProviderAccountFactory(mpesa=True)
    beat.keep()
    Job.objects.update(created_at=clock.now() - timedelta(days=2))
    for name in schedules.current():
        run_schedule(name)
    assert list(Job.objects.filter(succeeded_at=None)) == []
    assert list(Job.objects.exclude(failures=0)) == []
    assert standing.late() == []


def test_what_no_beat_has_seen_or_the_code_has_no_more_is_left_alone():
    run_schedule("purge")
    run_schedule("no such thing")
    assert not Job.objects.exists()


def test_a_broker_that_is_away_keeps_nobody_waiting(redis_at, refused_port, caplog):
    redis_at(f"redis://127.0.0.1:{refused_port}/0")
    send_for("purge")
    assert [record.message for record in caplog.records] == ["schedule not sent"]
    assert current_app.conf.broker_url.endswith(f":{refused_port}/0")


# What goes wrong


@pytest.fixture
def told_to_workers():
    """What workers were told since it was last asked: `(arguments, minutes to wait)`, as the broker has it."""
    broker = redis.Redis.from_url(settings.REDIS_URL)

    def taken():
        found = []
        while message := broker.rpop("lango:lango"):
            told = json.loads(message)
            [arguments, *_] = json.loads(base64.b64decode(told["body"]))
            eta = told["headers"]["eta"]
            wait = (datetime.fromisoformat(eta) - clock.now()).total_seconds() if eta else 0
            found.append((arguments, math.ceil(wait / 60)))
        return found

    return taken


def test_what_has_failed_is_tried_again_soon_and_no_more_than_three_times(told_to_workers, monkeypatch):
    changed(monkeypatch, "purge", task="tests.config.test_schedules.fail")
    beat.keep()
    Job.objects.update(created_at=clock.now() - timedelta(days=2))
    run_schedule("purge")
    assert told_to_workers() == [(["purge", 1], 1)]
    run_schedule("purge", 1)
    assert told_to_workers() == [(["purge", 2], 5)]
    run_schedule("purge", 2)
    assert told_to_workers() == [(["purge", 3], 15)]
    run_schedule("purge", 3)
    assert (told_to_workers(), Job.objects.get(name="purge").failures) == ([], 4)


def fail():
    raise RuntimeError("so")


def test_what_has_succeeded_since_is_not_done_again(told_to_workers):
    beat.keep()
    Job.objects.update(created_at=clock.now() - timedelta(days=2))
    run_schedule("purge")
    started_at = Job.objects.get(name="purge").started_at
    run_schedule("purge", 1)
    assert Job.objects.get(name="purge").started_at == started_at
    assert told_to_workers() == []


def test_what_comes_often_anyway_is_left_to_its_next_time(told_to_workers, monkeypatch):
    changed(monkeypatch, "sweep outbox", task="tests.config.test_schedules.fail")
    beat.keep()
    Job.objects.update(created_at=clock.now() - timedelta(days=2))
    run_schedule("sweep outbox")
    assert (told_to_workers(), Job.objects.get(name="sweep outbox").failures) == ([], 1)


def test_beat_asks_again_for_what_a_worker_has_died_at(told_to_workers):
    beat.keep()
    claims = {"purge": -1, "ending cards": 20}
    for name, seconds in claims.items():
        until = clock.now() + timedelta(seconds=seconds)
        Job.objects.filter(name=name).update(claim=uuid.uuid4(), claimed_until=until, ticked_at=clock.now())
    scheduler = beat.Scheduler(app, lazy=True)
    scheduler.all_as_schedule()
    assert told_to_workers() == [(["purge"], 0)]
    run_schedule("purge")
    assert Job.objects.get(name="purge").succeeded_at is not None


# How it stands


def test_moments_are_those_that_staff_have_set():
    factories.ProviderAccountFactory(mpesa=True)
    beat.keep()
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert standing.moments_of("purge").next_after(at) == at + timedelta(hours=1)
    night = standing.moments_of(NIGHT)
    assert night.next_after(at) == datetime(2026, 11, 21, 23, tzinfo=UTC)
    assert night.next_after(datetime(2026, 11, 21, 23, tzinfo=UTC)) == datetime(2026, 11, 22, 23, tzinfo=UTC)
    night_at(NIGHT, "4")
    assert standing.moments_of(NIGHT).next_after(at) == datetime(2026, 11, 22, 1, tzinfo=UTC)
    assert standing.moments_of("no such thing") is None


def test_what_has_not_succeeded_in_its_time_is_late_and_what_is_off_is_not():
    assert standing.late() == list(schedules.current())
    beat.keep()
    assert standing.late() == []
    long_ago = clock.now() - timedelta(minutes=125)
    Job.objects.filter(name__in=["purge", "ending cards", "due evidence"]).update(created_at=long_ago)
    Job.objects.filter(name="ending cards").update(succeeded_at=clock.now() - timedelta(minutes=100))
    PeriodicTask.objects.filter(name="due evidence").update(enabled=False)
    assert standing.late() == ["purge"]
    set_interval("purge", 7, "hours")
    assert standing.late() == []


def test_the_next_run_is_after_the_last_moment_and_none_while_it_is_off():
    beat.keep()
    at = clock.now()
    Job.objects.filter(name="purge").update(ticked_at=at)
    told = {one.schedule.name: one for one in standing.everyone()}
    assert told["purge"].next_at == at + timedelta(hours=1)
    PeriodicTask.objects.filter(name="purge").update(enabled=False)
    assert {one.schedule.name: one for one in standing.everyone()}["purge"].next_at is None
