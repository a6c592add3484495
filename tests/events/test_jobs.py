"""Work by the clock: once for each moment, never twice at once, whoever asks and whoever dies."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from core import clock
from events import jobs
from events.jobs import Moments
from events.models import Job
from tests.payments.world import until

pytestmark = pytest.mark.django_db(transaction=True)

HOURLY = Moments(lambda at: at + timedelta(hours=1), timedelta(minutes=12))


def job(**values):
    """One whose hour has come."""
    long_ago = clock.now() - timedelta(days=1)
    return Job.objects.create(**{"name": "count sheep", "timing": "every 3600 s", "created_at": long_ago, **values})


def run(work=lambda: None, moments=HOURLY):
    try:
        return jobs.run("count sheep", moments, work)
    finally:
        connection.close()


class Fault(Exception):
    pass


def fail():
    raise Fault("the password is hunter2")


# Once


def test_it_runs_at_its_moment_and_not_again_before_the_next():
    held = job()
    ran = []
    assert [run(lambda: ran.append(1)) for _ in range(3)] == [True, False, False]
    held.refresh_from_db()
    assert (len(ran), held.claim, held.claimed_until, held.failures) == (1, None, None, 0)
    assert held.started_at <= held.finished_at == held.succeeded_at
    assert held.milliseconds is not None


def test_a_schedule_that_no_beat_has_seen_does_not_run():
    assert not run(fail)


def test_a_new_one_waits_for_its_first_moment():
    job(created_at=clock.now())
    assert not run(fail)


def test_a_moment_may_be_taken_a_little_early_and_counts_as_the_moment_itself():
    at = clock.now() - timedelta(minutes=50)
    held = job(ticked_at=at)
    assert run()
    held.refresh_from_db()
    assert held.ticked_at == at + timedelta(hours=1)
    assert not run(fail)


def test_moments_that_an_outage_has_missed_are_not_made_up_for_one_by_one():
    job(ticked_at=clock.now() - timedelta(hours=9))
    assert [run(), run()] == [True, False]


def test_two_workers_that_are_told_of_one_moment_run_it_once():
    for _ in range(10):
        Job.objects.all().delete()
        job()
        ran, gate = [], threading.Barrier(2)

        def come(ran=ran, gate=gate):
            gate.wait()
            return run(lambda: ran.append(1))

        with ThreadPoolExecutor(2) as pool:
            told = [future.result() for future in [pool.submit(come), pool.submit(come)]]
        assert (sorted(told), len(ran)) == ([False, True], 1)


def test_it_does_not_run_while_it_runs():
    held, begun, may_end = job(), threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, lambda: (begun.set(), may_end.wait(60)))
        begun.wait(60)
        # Its next moment comes meanwhile.
        Job.objects.update(ticked_at=clock.now() - timedelta(hours=2))
        assert not run(fail)
        may_end.set()
        assert running.result()
    held.refresh_from_db()
    assert held.failures == 0


def test_a_long_run_takes_the_moment_that_came_meanwhile():
    held = job()
    ran = []

    def work():
        ran.append(1)
        if len(ran) == 1:
            Job.objects.update(ticked_at=clock.now() - timedelta(hours=2))
            jobs.ask(held, by="staff:asha")

    assert run(work)
    assert len(ran) == 2
    held.refresh_from_db()
    assert held.asked_at is None


def test_the_database_knows_no_claim_without_an_end():
    held = job()
    with pytest.raises(IntegrityError, match="a_claimed_job_says_until_when"), transaction.atomic():
        Job.objects.filter(pk=held.pk).update(claimed_until=clock.now())


# Who dies


def test_whoever_died_at_it_keeps_it_until_the_lease_ends_and_then_it_is_done():
    dead = "00000000-0000-0000-0000-00000000dead"
    held = job(ticked_at=clock.now(), claim=dead, claimed_until=clock.now() + timedelta(seconds=19))
    assert not run(fail)
    Job.objects.update(claimed_until=clock.now() - timedelta(seconds=1))
    assert [run(), run()] == [True, False]
    held.refresh_from_db()
    assert held.ticked_at < clock.now()


def test_a_run_that_takes_longer_than_the_lease_keeps_its_claim(settings):
    settings.SCHEDULE_LEASE = timedelta(seconds=0.2)
    held = job()

    def work():
        Job.objects.update(claimed_until=clock.now() - timedelta(seconds=5))
        until(lambda: Job.objects.get().claimed_until > clock.now())

    assert run(work)
    held.refresh_from_db()
    assert (held.claim, held.failures) == (None, 0)


# What goes wrong


def test_a_failure_is_counted_and_says_what_it_was_and_nothing_of_its_words(caplog):
    held = job()
    assert run(fail)
    held.refresh_from_db()
    assert (held.failures, held.succeeded_at) == (1, None)
    assert held.problem.startswith("Fault at tests/events/test_jobs.py:")
    assert held.problem.endswith(", fail")
    assert "hunter2" not in held.problem
    [line] = [record for record in caplog.records if record.message == "schedule failed"]
    assert line.schedule == "count sheep"


def test_failures_in_a_row_end_with_a_success():
    held = job()
    for wanted in (1, 2):
        Job.objects.update(ticked_at=None)
        run(fail)
        held.refresh_from_db()
        assert held.failures == wanted
    Job.objects.update(ticked_at=None)
    run()
    held.refresh_from_db()
    assert (held.failures, held.succeeded_at) == (0, held.finished_at)
    assert held.problem.startswith("Fault")


# Asked for


def test_what_is_asked_for_runs_at_once_and_leaves_its_times_as_they_are():
    at = clock.now()
    held = job(ticked_at=at)
    assert jobs.ask(held, by="staff:asha")
    assert not jobs.ask(held, by="staff:juma")
    assert [run(), run()] == [True, False]
    held.refresh_from_db()
    assert (held.ticked_at, held.asked_at, held.asked_by) == (at, None, "staff:asha")


# What it costs


def test_no_column_that_changes_has_an_index_and_pages_have_room_for_what_changes_often():
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'events_job'")
        assert cursor.fetchone() == (["fillfactor=20"],)
        cursor.execute(
            "SELECT DISTINCT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)"
            " WHERE indrelid = 'events_job'::regclass"
        )
        assert {name for (name,) in cursor.fetchall()} == {"id", "name"}
