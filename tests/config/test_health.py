"""`/healthz` and `/readyz`; what PostgreSQL being away does is in tests/core/test_middleware.py."""

import time
from datetime import timedelta

import pytest

from config import beat, schedules
from core import clock
from events.models import Job

pytestmark = pytest.mark.django_db


def test_this_process_runs(client):
    assert client.get("/healthz").json() == {"ok": True}


def test_it_is_ready_with_both(client):
    beat.keep()
    assert client.get("/readyz").json() == {"ok": True, "database": True, "redis": True, "late_schedules": []}


def test_a_schedule_that_has_not_run_in_its_time_is_named_and_fails_nothing(client):
    beat.keep()
    Job.objects.filter(name="purge").update(created_at=clock.now() - timedelta(hours=3))
    response = client.get("/readyz")
    assert (response.status_code, response.json()["late_schedules"]) == (200, ["purge"])


def test_where_no_beat_has_ever_run_every_schedule_is_named(client):
    response = client.get("/readyz")
    assert (response.status_code, response.json()["late_schedules"]) == (200, list(schedules.current()))


@pytest.mark.parametrize("port", ["refused_port", "black_hole"])
def test_it_is_ready_without_redis_and_says_so_soon(client, redis_at, request, port):
    redis_at(f"redis://127.0.0.1:{request.getfixturevalue(port)}/0")
    began = time.monotonic()
    beat.keep()
    response = client.get("/readyz")
    told = {"ok": True, "database": True, "redis": False, "late_schedules": []}
    assert (response.status_code, response.json()) == (200, told)
    assert time.monotonic() - began < 5
