"""The schedule by which beat sweeps what a wake-up missed."""

from datetime import timedelta

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


def test_the_tasks_that_are_planned_exist():
    app.loader.import_default_modules()
    assert {job["task"] for job in schedule().values()} <= set(app.tasks)
