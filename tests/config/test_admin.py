"""Pages of what is not ours, in the house's look."""

import pytest
from django.contrib.auth.models import User
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from tests import staff

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "label", ["periodictask", "crontabschedule", "clockedschedule", "intervalschedule", "solarschedule"]
)
def test_schedules_can_be_listed_and_added(label):
    client = staff.signed_in(superuser=True)
    assert client.get(f"/admin/django_celery_beat/{label}/").status_code == 200
    assert client.get(f"/admin/django_celery_beat/{label}/add/").status_code == 200


def test_a_schedule_can_be_changed():
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    task = PeriodicTask.objects.create(name="sweep deliveries", task="events.tasks.drain", interval=every)
    client = staff.signed_in(superuser=True)
    assert "events.tasks.purge" in client.get(staff.page(task)).text
    given = {
        "name": "sweep deliveries",
        "task": "events.tasks.drain",
        "interval": every.pk,
        "args": "[]",
        "kwargs": "{}",
    }
    answer = client.post(staff.page(task), {**given, "headers": "{}", "description": "slower on Sundays"})
    assert answer.status_code == 302
    task.refresh_from_db()
    assert (task.description, task.enabled) == ("slower on Sundays", False)


def test_staff_and_roles_are_kept_here():
    client = staff.signed_in(superuser=True)
    assert client.get(staff.listing(User)).status_code == 200
    assert client.get("/admin/auth/group/add/").status_code == 200
    client.post(
        staff.adding(User),
        {"username": "bob", "usable_password": "true", "password1": "correct-horse-9", "password2": "correct-horse-9"},
    )
    assert User.objects.get(username="bob").check_password("correct-horse-9")
