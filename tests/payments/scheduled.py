"""Schedules for tests: a customer's saved card, a schedule over HTTP, and a worker that stands at a later moment."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from core import clock, ids
from events import work
from payments.models import ProviderCustomer, SavedMethod, Schedule, ScheduleCharge, SchedulePeriod
from tests import factories
from tests.payments.world import until

EVERY_MONTH = {"unit": "month", "interval": 1}
EVERY_DAY = {"unit": "day", "interval": 1}


def saved_card(shop, card="pm_card_visa", *, customer=None, **more):
    """A saved card as it is once it has been set up; the simulators know their test cards by name."""
    customer = customer or factories.CustomerFactory(merchant=shop.merchant, livemode=shop.stripe.livemode)
    common = {"customer": customer, "merchant": shop.merchant, "account": shop.stripe, "livemode": False}
    holder = ProviderCustomer.objects.filter(customer=customer, account=shop.stripe).first()
    holder = holder or ProviderCustomer.objects.create(**common, key=ids.random_reference(length=32))
    return SavedMethod.objects.create(
        **{
            **common,
            "holder": holder,
            "state": "active",
            "method": "card",
            "reference": ids.random_reference(length=32),
            "setup_key": ids.random_reference(length=32),
            "closing_key": ids.random_reference(length=32),
            "token_hash": ids.random_token(),
            "setup_ends_at": clock.now(),
            "provider_id": card,
            "brand": "visa",
            "last4": "4242",
            "by": "tests",
            "lane": shop.stripe.pk,
            **more,
        }
    )


def tomorrow(days=1):
    return (clock.now().astimezone(UTC) + timedelta(days=days)).date().isoformat()


def body(saved, **more):
    """What asks for a schedule that begins tomorrow at noon UTC."""
    asked = {
        "customer": saved.customer_id,
        "saved_method": saved.pk,
        "amount": 1250,
        "currency": "USD",
        "every": EVERY_DAY,
        "zone": "UTC",
        "time": "12:00",
        "starts_on": tomorrow(),
    }
    return {name: value for name, value in (asked | more).items() if value is not None}


def scheduled(shop, saved=None, **more):
    """A schedule as it is answered."""
    return shop.api.post("schedules", 201, **body(saved or saved_card(shop), **more))


def periods_of(shop, schedule):
    """Its periods as the API shows them, the first one first."""
    return shop.api.get(f"schedules/{schedule['id']}/periods", limit=100)["data"][::-1]


def states_of(shop, schedule):
    return [period["state"] for period in periods_of(shop, schedule)]


def shown(shop, schedule):
    return shop.api.get(f"schedules/{schedule['id']}")


def moment_of(text):
    return datetime.fromisoformat(text)


@contextmanager
def at(moment):
    """Stand at that moment."""
    with clock.shifted(moment - clock.now()):
        yield


def run(world):
    """Do everything that is due: what payments did is told through the outbox, and moves periods."""
    for _ in range(2):
        world.work()
        work.drain("schedules")


@contextmanager
def after_charge(world, shop, schedule, **later):
    """Stand an hour after the moment of the period that lies ahead, with what is due then done."""
    moment = moment_of(shown(shop, schedule)["next_period"]["charge_at"])
    with at(moment + timedelta(**(later or {"hours": 1}))):
        run(world)
        yield


def settles(world, shop, schedule, states):
    """Work until its periods are in these states."""
    return until(lambda: run(world) or (states_of(shop, schedule) == states and periods_of(shop, schedule)))


def charges_of(period):
    rows = ScheduleCharge.objects.filter(period=period["id"]).order_by("number")
    return [(row.number, row.outcome) for row in rows]


def row_of(schedule):
    return Schedule.objects.get(pk=schedule["id"])


def period_row(schedule, number=1):
    return SchedulePeriod.objects.get(schedule=schedule["id"], number=number)
