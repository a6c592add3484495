"""The schedule by which beat sweeps what a wake-up missed."""

from datetime import timedelta

import pytest
from django_celery_beat.schedulers import ModelEntry

from config.celery import app, schedule
from events import work


def test_every_queue_is_swept_and_a_sweep_that_waited_too_long_expires(settings):
    planned = schedule()
    for name in work.names():
        sweep = planned[f"sweep {name}"]
        assert sweep["task"] == "events.tasks.drain"
        assert sweep["args"] == (name,)
        assert sweep["schedule"] == timedelta(seconds=settings.SWEEP_SECONDS)
        assert sweep["options"] == {"expires": settings.SWEEP_SECONDS}
    assert planned["purge"]["task"] == "events.tasks.purge"


def test_reconciliation_begins_at_two_in_the_night_of_each_providers_clock_and_every_quarter_of_an_hour():
    planned = schedule()
    nights = {name: job for name, job in planned.items() if job["task"] == "reconciliation.tasks.begin_nightly"}
    assert {("Africa/Nairobi",), ("Asia/Jakarta",), ("UTC",)} <= {job["args"] for job in nights.values()}
    for night in nights.values():
        assert (night["schedule"].hour, night["schedule"].minute) == ({2}, {0})
        assert night["args"] == (str(night["schedule"].tz),)
    assert planned["often reconciliation"]["schedule"] == timedelta(minutes=15)


@pytest.mark.django_db
def test_beat_keeps_the_zone_of_a_nightly_schedule_where_staff_can_change_it():
    night = schedule()["nightly reconciliation in Africa/Nairobi"]["schedule"]
    kept, _ = ModelEntry.to_model_schedule(night)
    assert (kept.hour, kept.minute, str(kept.timezone)) == ("2", "0", "Africa/Nairobi")


def test_the_tasks_that_are_planned_exist():
    app.loader.import_default_modules()
    assert {job["task"] for job in schedule().values()} <= set(app.tasks)
