"""Schedules over HTTP: made, charged by the calendar, changed, paused, ended."""

from datetime import timedelta

import pytest

from core import clock
from events.models import Event
from payments.models import Payment, SavedMethod, Schedule, SchedulePeriod
from tests import factories
from tests.payments.scheduled import (
    EVERY_MONTH,
    after_charge,
    at,
    body,
    charges_of,
    moment_of,
    period_row,
    periods_of,
    run,
    saved_card,
    scheduled,
    shown,
    states_of,
    tomorrow,
)
from tests.payments.world import attention, audit_of, events_of, path_of

pytestmark = pytest.mark.django_db(transaction=True)

MONTHLY = {"every": EVERY_MONTH, "starts_on": "2031-01-31"}


@pytest.fixture
def saved(shop):
    return saved_card(shop)


def test_a_period_is_charged_at_its_moment_and_the_next_one_lies_ahead(world, shop, caller):
    schedule = scheduled(shop, reference="rent", metadata={"flat": "7"})
    assert states_of(shop, schedule) == ["upcoming"]
    assert (schedule["state"], schedule["next_period"]["number"]) == ("active", 1)

    with after_charge(world, shop, schedule):
        first, second = periods_of(shop, schedule)
        assert (first["state"], second["state"]) == ("paid", "upcoming")
        payment = caller.get(f"payments/{first['payment']}")
        assert (payment["state"], payment["amount"], payment["reference"]) == ("succeeded", 1250, "rent")
        assert (payment["saved_method"], payment["off_session"]) == (schedule["saved_method"], True)
        assert (payment["customer"], payment["metadata"]) == (schedule["customer"], {"flat": "7"})
        assert shown(shop, schedule)["next_period"]["number"] == 2
        run(world)
    assert charges_of(first) == [(1, "paid")]
    assert path_of(first) == ["upcoming", "charging", "paid"]
    assert events_of(first) == ["schedule_period.charging", "schedule_period.paid"]
    assert (Payment.objects.count(), len(world.stripe.entries())) == (1, 1)
    assert attention() == []


def test_creating_one_is_answered_once_and_told_by_no_event(shop, caller, saved):
    asked = body(saved, retries=[1, 3], notice_days=2)
    first = caller.post("schedules", 201, key="once", **asked)
    again = caller.send("POST", "schedules", key="once", json=asked)
    assert (again.status_code, again.json(), again.headers["Idempotency-Replayed"]) == (201, first, "true")
    assert caller.get(f"schedules/{first['id']}") == first
    assert (
        Schedule.objects.count(),
        SchedulePeriod.objects.count(),
        Event.objects.filter(subject=first["id"]).count(),
    ) == (1, 1, 0)
    assert caller.refused("schedules", 400, "idempotency_key_required", key="", **asked)


def test_the_moments_are_the_customers_local_ones(shop, saved):
    """The clock in Berlin goes forward on 30 March 2031 and back on 26 October."""
    schedule = scheduled(shop, saved, zone="Europe/Berlin", time="02:30", starts_on="2031-03-30")
    assert schedule["next_period"]["charge_at"] == "2031-03-30T01:30:00.000000Z"
    october = scheduled(shop, saved, zone="Europe/Berlin", time="02:30", starts_on="2031-10-26")
    assert october["next_period"]["charge_at"] == "2031-10-26T00:30:00.000000Z"


def test_the_31st_is_the_last_day_of_a_shorter_month_and_comes_back(world, shop, saved):
    schedule = scheduled(shop, saved, **MONTHLY)
    for _ in range(3):
        with after_charge(world, shop, schedule):
            pass
    assert [period["charge_at"][:10] for period in periods_of(shop, schedule)] == [
        "2031-01-31",
        "2031-02-28",
        "2031-03-31",
        "2031-04-30",
    ]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"zone": "Mars/Olympus"}, "/zone"),
        ({"every": {"unit": "day", "interval": 0}}, "/every/interval"),
        ({"every": {"unit": "month", "interval": 37}}, "/every/interval"),
        ({"every": {"unit": "day", "weekday": "monday"}}, "/every/weekday"),
        ({"every": {"unit": "fortnight"}}, "/every/unit"),
        ({"starts_on": "2020-01-01"}, "/starts_on"),
        ({"ends_on": "2020-01-01"}, "/ends_on"),
        ({"count": 0}, "/count"),
        ({"retries": [0]}, "/retries/0"),
        ({"retries": [31]}, "/retries/0"),
        ({"retries": [1] * 9}, "/retries"),
        ({"notice_days": 31}, "/notice_days"),
        ({"amount": 0}, "/amount"),
        ({"amount": "12"}, "/amount"),
        ({"saved_method": "sm_nobodys"}, "/saved_method"),
        ({"customer": "cus_nobodys"}, "/customer"),
        ({"on_failure": "shrug"}, "/on_failure"),
        ({"charge": "now"}, "/charge"),
    ],
)
def test_what_makes_no_schedule_is_refused_by_the_field(caller, saved, more, param):
    answer = caller.send("POST", "schedules", json=body(saved, **more))
    assert (answer.status_code, answer.json()["param"].removesuffix("/0")) == (400, param.removesuffix("/0"))
    assert not Schedule.objects.exists()


def test_a_saved_method_of_another_customer_or_that_is_given_up_is_refused(shop, caller, saved):
    other = factories.CustomerFactory(merchant=shop.merchant)
    problem = caller.refused("schedules", 400, "invalid_request", **body(saved, customer=other.pk))
    assert problem["param"] == "/customer"
    SavedMethod.objects.filter(pk=saved.pk).update(state="detached")
    problem = caller.refused("schedules", 400, "saved_method_unusable", **body(saved))
    assert problem["param"] == "/saved_method"
    assert not Schedule.objects.exists()


def test_a_variable_period_waits_for_its_amount_and_is_never_guessed(world, shop, caller):
    schedule = scheduled(shop, amount=None)
    url = f"schedules/{schedule['id']}/periods"
    with after_charge(world, shop, schedule):
        first, _ = periods_of(shop, schedule)
        assert (first["state"], first["amount"], first["tries"]) == ("awaiting_amount", None, [])
        assert events_of(first) == ["schedule_period.awaiting_amount"]
        assert world.stripe.entries() == []

        set_to = caller.post(f"{url}/1/amount", key="amount", amount=700)
        assert (set_to["state"], set_to["amount"]) == ("awaiting_amount", 700)
        run(world)
        assert states_of(shop, schedule) == ["paid", "upcoming"]
        assert caller.get(f"payments/{periods_of(shop, schedule)[0]['payment']}")["amount"] == 700
        caller.refused(f"{url}/1/amount", 409, "conflict", amount=800)
        caller.refused(f"{url}/3/amount", 404, "not_found", amount=800)

        assert caller.post(f"{url}/2/amount", amount=900)["state"] == "upcoming"
    with after_charge(world, shop, schedule):
        assert states_of(shop, schedule) == ["paid", "paid", "upcoming"]
    assert [entry["amount"] for entry in world.stripe.entries()] == [700, 900]


def test_a_fixed_schedule_takes_no_amount_for_a_period(shop, caller):
    schedule = scheduled(shop)
    caller.refused(f"schedules/{schedule['id']}/periods/1/amount", 409, "conflict", amount=800)


def test_the_merchant_is_told_some_days_before_once(world, shop, caller):
    schedule = scheduled(shop, notice_days=3, starts_on=tomorrow(10))
    charge_at = moment_of(schedule["next_period"]["charge_at"])
    [period] = periods_of(shop, schedule)
    for days, told in ((4, 0), (2, 1), (1, 1)):
        with at(charge_at.replace(hour=13) - timedelta(days=days)):
            run(world)
            assert events_of(period) == ["schedule_period.upcoming"] * told
    [event] = Event.objects.filter(subject=period["id"])
    assert (event.data["state"], event.data["charge_at"], event.data["amount"]) == (
        "upcoming",
        schedule["next_period"]["charge_at"],
        1250,
    )


def test_a_paused_schedule_tells_of_nothing_until_it_is_resumed(world, shop, caller):
    schedule = scheduled(shop, notice_days=3, starts_on=tomorrow(10))
    [period] = periods_of(shop, schedule)
    caller.post(f"schedules/{schedule['id']}/pause")
    with at(moment_of(schedule["next_period"]["charge_at"]) - timedelta(days=1)):
        run(world)
        assert events_of(period) == []
        caller.post(f"schedules/{schedule['id']}/resume")
        run(world)
        assert events_of(period) == ["schedule_period.upcoming"]


def test_a_change_holds_for_every_try_from_then_on(world, shop, caller, saved):
    schedule = scheduled(shop, saved)
    other = saved_card(shop, "pm_card_mastercard", customer=saved.customer)
    with after_charge(world, shop, schedule):
        changed = caller.send(
            "PATCH",
            f"schedules/{schedule['id']}",
            json={"saved_method": other.pk, "amount": 2000, "retries": [2], "reference": "new"},
        ).json()
    assert (changed["saved_method"], changed["amount"], changed["retries"]) == (other.pk, 2000, [2])
    assert changed["next_period"]["amount"] == 2000
    with after_charge(world, shop, schedule):
        first, second, _ = periods_of(shop, schedule)
    tried = [period["tries"][0]["saved_method"] for period in (first, second)]
    assert tried == [saved.pk, other.pk]
    assert [entry["amount"] for entry in world.stripe.entries()] == [1250, 2000]
    assert events_of(schedule) == ["schedule.updated"]
    [entry] = audit_of("schedule.updated")
    assert (entry.object_id, entry.detail["fields"]) == (
        schedule["id"],
        ["amount", "reference", "retries", "saved_method"],
    )


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"zone": "UTC"}, "/zone"),
        ({"currency": "EUR"}, "/currency"),
        ({"amount": None}, "/amount"),
        ({"saved_method": "sm_nobodys"}, "/saved_method"),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(shop, caller, change, param):
    schedule = scheduled(shop)
    answer = caller.send("PATCH", f"schedules/{schedule['id']}", json=change)
    assert (answer.status_code, answer.json()["param"]) == (400, param)
    assert shown(shop, schedule) == schedule


def test_what_comes_while_it_is_paused_is_skipped_and_never_charged_later(world, shop, caller):
    schedule = scheduled(shop)
    url = f"schedules/{schedule['id']}"
    assert caller.post(f"{url}/pause")["state"] == "paused"
    assert caller.post(f"{url}/pause")["state"] == "paused"
    for _ in range(2):
        with after_charge(world, shop, schedule):
            pass
    assert states_of(shop, schedule) == ["skipped", "skipped", "upcoming"]
    assert {period["skipped_because"] for period in periods_of(shop, schedule)} == {"paused", None}
    with at(moment_of(shown(shop, schedule)["next_period"]["charge_at"]) + timedelta(days=2, hours=1)):
        # No worker ran in between: resuming leaves out what has passed.
        resumed = caller.post(f"{url}/resume")
        assert (resumed["state"], resumed["next_period"]["number"]) == ("active", 6)
        run(world)
        assert states_of(shop, schedule) == ["skipped"] * 5 + ["upcoming"]
    with after_charge(world, shop, schedule):
        assert states_of(shop, schedule)[5:] == ["paid", "upcoming"]
    assert events_of(schedule) == ["schedule.paused", "schedule.active"]
    assert len(world.stripe.entries()) == 1


def test_a_cancelled_schedule_charges_nothing_more(world, shop, caller):
    schedule = scheduled(shop)
    with after_charge(world, shop, schedule):
        assert caller.post(f"schedules/{schedule['id']}/cancel")["state"] == "cancelled"
        assert states_of(shop, schedule) == ["paid", "skipped"]
        assert caller.post(f"schedules/{schedule['id']}/cancel")["next_period"] is None
        for verb in ("pause", "resume"):
            caller.refused(f"schedules/{schedule['id']}/{verb}", 409, "conflict")
        answer = caller.send("PATCH", f"schedules/{schedule['id']}", json={"amount": 1})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    with at(clock.now() + timedelta(days=9)):
        run(world)
    assert states_of(shop, schedule) == ["paid", "skipped"]
    assert len(world.stripe.entries()) == 1


def test_after_its_last_period_a_schedule_is_completed(world, shop, caller):
    schedule = scheduled(shop, count=2)
    for _ in range(2):
        with after_charge(world, shop, schedule):
            pass
    ended = shown(shop, schedule)
    assert (ended["state"], ended["next_period"]) == ("completed", None)
    assert states_of(shop, schedule) == ["paid", "paid"]
    assert events_of(schedule) == ["schedule.completed"]


def test_a_period_can_be_left_out(world, shop, caller):
    schedule = scheduled(shop, ends_on=tomorrow(2))
    left_out = caller.post(f"schedules/{schedule['id']}/periods/1/skip")
    assert (left_out["state"], left_out["skipped_because"]) == ("skipped", "asked")
    assert shown(shop, schedule)["next_period"]["number"] == 2
    with after_charge(world, shop, schedule):
        assert states_of(shop, schedule) == ["skipped", "paid"]
        assert shown(shop, schedule)["state"] == "completed"
        caller.refused(f"schedules/{schedule['id']}/periods/2/skip", 409, "conflict")


def test_lists_are_filtered_by_customer_state_reference_and_saved_method(shop, caller, saved):
    first = scheduled(shop, saved, reference="a")
    second = scheduled(shop, saved_card(shop, "pm_card_mastercard"), reference="b")
    caller.post(f"schedules/{second['id']}/pause")

    def listed(**asked):
        return [row["id"] for row in caller.get("schedules", **asked)["data"]]

    assert listed() == [second["id"], first["id"]]
    assert listed(customer=saved.customer_id) == listed(state="active") == listed(reference="a") == [first["id"]]
    assert listed(saved_method=saved.pk) == [first["id"]]
    assert listed(customer="cus_nobodys") == []
    assert caller.get(f"schedules/{first['id']}/periods", state="paid")["data"] == []


def test_a_key_needs_the_scope(shop, saved):
    reader = shop.key_with("schedules:read")
    assert reader.get("schedules")["data"] == []
    reader.refused("schedules", 403, "scope_missing", **body(saved))


def test_the_key_of_a_try_is_no_merchants_and_is_shown_nowhere(world, shop, caller):
    schedule = scheduled(shop)
    secret = period_row(schedule).key
    with after_charge(world, shop, schedule):
        answers = [caller.send("GET", path).text for path in (f"schedules/{schedule['id']}/periods", "events")]
    assert len(secret) == 32
    assert not any(secret in text for text in answers)
    # Nobody who knows all that is shown can hold the key beforehand.
    caller.card(key=f"schedule:{schedule['id']}:1")
    assert Payment.objects.count() == 2
