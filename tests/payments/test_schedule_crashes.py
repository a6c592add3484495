"""Workers as processes of their own, killed in the middle of charging a period, or several at the same periods."""

import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction

from core import clock
from payments.models import Payment, SavedMethod, ScheduleCharge
from tests.payments.scheduled import at, charges_of, moment_of, periods_of, saved_card, scheduled, settles, states_of
from tests.payments.world import attention, until

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
CREATE = "POST /v1/payment_intents"
PATIENCE = 60.0

WORKER = """
import sys
from datetime import timedelta
import django
django.setup()
from core import clock
from events import work
with clock.shifted(timedelta(seconds=float(sys.argv[1]))):
    work.drain("schedules")
"""


@contextmanager
def worker(ahead):
    """A process that drains the schedules' queue on this test's database, standing `ahead` of now."""
    held = connection.settings_dict
    url = f"postgresql://{held['USER']}:{held['PASSWORD']}@{held['HOST']}:{held['PORT']}/{held['NAME']}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": url,
        "REDIS_URL": settings.REDIS_URL,
        "PUBLIC_URL": settings.PUBLIC_URL,
        "SIMULATORS_URL": settings.SIMULATORS_URL,
        "SIMULATORS_PORT": str(settings.SIMULATORS_PORT),
    }
    words = [sys.executable, "-c", WORKER, str(ahead.total_seconds())]
    process = subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ahead_of(schedule):
    return moment_of(schedule["next_period"]["charge_at"]) + timedelta(minutes=1) - clock.now()


def is_paid_once_after(world, shop, schedule, ahead):
    """A worker that comes when the dead one's lease is over charges the period, and it was charged once."""
    with at(clock.now() + ahead + timedelta(minutes=2)):
        [period, _] = settles(world, shop, schedule, ["paid", "upcoming"])
    assert charges_of(period) == [(1, "paid")]
    assert (Payment.objects.count(), len(world.stripe.entries())) == (1, 1)
    assert attention() == []


def test_a_worker_killed_while_the_provider_is_asked_charges_once(world, shop):
    schedule = scheduled(shop)
    ahead = ahead_of(schedule)
    world.stripe.trouble("hang", CREATE, seconds=5.0)
    with worker(ahead) as process:
        until(lambda: not world.stripe.waiting(), seconds=PATIENCE)
        process.kill()
        process.wait()
    until(world.stripe.entries, seconds=PATIENCE)  # Stripe has charged, and nobody has heard
    assert [(charge.number, charge.outcome) for charge in ScheduleCharge.objects.all()] == [(1, "open")]
    assert Payment.objects.get().state == "created"
    is_paid_once_after(world, shop, schedule, ahead)


def test_a_worker_killed_between_its_decision_and_the_payment_charges_once(world, shop):
    saved = saved_card(shop)
    schedule = scheduled(shop, saved)
    ahead = ahead_of(schedule)
    with transaction.atomic():
        SavedMethod.objects.select_for_update().get(pk=saved.pk)  # where the payment is written down it must wait
        with worker(ahead) as process:
            until(lambda: states_of(shop, schedule) == ["charging", "upcoming"], seconds=PATIENCE)
            process.kill()
            process.wait()
    assert not Payment.objects.exists()
    assert world.stripe.calls(CREATE) == 0
    is_paid_once_after(world, shop, schedule, ahead)


def test_three_workers_at_once_charge_each_period_once(world, shop):
    cards = ("pm_card_visa", "pm_card_amex", "pm_card_jcb", "pm_card_discover", "pm_card_mastercard")
    schedules = [scheduled(shop, saved_card(shop, card)) for card in cards]
    ahead = ahead_of(schedules[-1])
    world.stripe.post("settings", answer_seconds=0.3)
    with worker(ahead) as one, worker(ahead) as two, worker(ahead) as three:
        assert [process.wait(PATIENCE) for process in (one, two, three)] == [0, 0, 0]
    for schedule in schedules:
        assert states_of(shop, schedule) == ["paid", "upcoming"]
        assert charges_of(periods_of(shop, schedule)[0]) == [(1, "paid")]
    assert (Payment.objects.count(), world.stripe.calls(CREATE)) == (5, 5)
