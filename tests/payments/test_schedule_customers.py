"""Schedules and the people whose cards they charge: asked by their bank, merged, erased."""

from datetime import timedelta

import pytest

from merchants.models import Customer
from payments.models import SavedMethod, SchedulePeriod
from tests.payments.scheduled import (
    EVERY_MONTH,
    after_charge,
    at,
    body,
    charges_of,
    moment_of,
    periods_of,
    run,
    scheduled,
    settles,
    shown,
    states_of,
)
from tests.payments.test_off_session import ALWAYS_ASKS, answer_bank, passed, visit
from tests.payments.test_schedule_charges import pays_late
from tests.payments.world import attention, events_of, path_of

pytestmark = pytest.mark.django_db(transaction=True)

MONTHLY = {"every": EVERY_MONTH}
DECLINED_WHEN_CHARGED = "pm_card_chargeCustomerFail"


def schedule_of(caller, saved, **more):
    row = SavedMethod.objects.get(pk=saved["id"])
    return caller.post("schedules", 201, **body(row, **{**MONTHLY, **more}))


@pytest.fixture
def asking(world, shop, caller):
    """A card whose bank wants to see its owner each time."""
    return passed(world, shop, caller, ALWAYS_ASKS)


def asked(world, shop, caller, schedule):
    """Its first period, and the payment that waits for the customer."""
    run(world)
    period = periods_of(shop, schedule)[0]
    assert period["state"] == "requires_action"
    return period, caller.get(f"payments/{period['payment']}")


def test_a_card_that_was_saved_over_the_api_is_charged_every_period(world, shop, caller):
    saved = caller.save_card()
    schedule = schedule_of(caller, saved, count=2)
    for _ in range(2):
        with after_charge(world, shop, schedule):
            pass
    assert states_of(shop, schedule) == ["paid", "paid"]
    assert [entry["amount"] for entry in world.stripe.entries("payment")] == [1250, 1250]


def test_what_the_bank_asks_is_answered_by_a_link_and_then_the_period_is_paid(world, shop, caller, asking):
    schedule = schedule_of(caller, asking, retries=[1], return_url="https://duka.example/done")
    with after_charge(world, shop, schedule):
        period, payment = asked(world, shop, caller, schedule)
        answered = visit(payment["next_action"]["url"], "POST").headers["Location"]
        back = answer_bank(answered)
        assert visit(back).headers["Location"] == f"https://duka.example/done?payment={payment['id']}"
        settles(world, shop, schedule, ["paid", "upcoming"])
    period = periods_of(shop, schedule)[0]
    assert (charges_of(period), period["failure"]) == ([(1, "paid")], None)
    assert path_of(period) == ["upcoming", "charging", "requires_action", "paid"]
    assert events_of(period)[1] == "schedule_period.requires_action"


def test_a_customer_who_does_not_come_is_asked_again_by_the_next_try(world, shop, caller, asking):
    schedule = schedule_of(caller, asking, retries=[1])
    first = moment_of(schedule["next_period"]["charge_at"])
    with at(first + timedelta(hours=1)):
        asked(world, shop, caller, schedule)
    with at(first + timedelta(days=3, hours=3)):
        [period, _] = settles(world, shop, schedule, ["retrying", "upcoming"])
        assert period["failure"] == {"code": "timed_out", "message": "The customer did not answer in time."}
    with at(first + timedelta(days=4, hours=5)):
        asked(world, shop, caller, schedule)
        assert charges_of(period) == [(1, "ended"), (2, "open")]
    assert len(world.stripe.entries("payment")) == 2


def test_a_payment_that_the_merchant_cancels_fails_the_period_for_good(world, shop, caller, asking):
    schedule = schedule_of(caller, asking, retries=[1, 1])
    with after_charge(world, shop, schedule):
        _, payment = asked(world, shop, caller, schedule)
        caller.post(f"payments/{payment['id']}/cancel")
        run(world)
        period = periods_of(shop, schedule)[0]
        assert (period["state"], period["failure"]["code"]) == ("failed", "cancelled")


def test_a_cancelled_schedule_lets_the_customer_finish_what_they_were_asked(world, shop, caller, asking):
    schedule = schedule_of(caller, asking)
    with after_charge(world, shop, schedule):
        _, payment = asked(world, shop, caller, schedule)
        caller.post(f"schedules/{schedule['id']}/cancel")
        answer_bank(visit(payment["next_action"]["url"], "POST").headers["Location"])
        settles(world, shop, schedule, ["paid", "skipped"])


def test_a_link_is_withdrawn_when_an_earlier_try_has_paid_after_all(world, shop, caller, asking):
    declined = caller.save_card(DECLINED_WHEN_CHARGED, customer=asking["customer"])
    schedule = schedule_of(caller, declined, retries=[1])
    first = moment_of(schedule["next_period"]["charge_at"])
    with at(first + timedelta(hours=1)):
        run(world)
        earlier = periods_of(shop, schedule)[0]["payment"]
        caller.send("PATCH", f"schedules/{schedule['id']}", json={"saved_method": asking["id"]})
    with at(first + timedelta(days=1, hours=2)):
        period, payment = asked(world, shop, caller, schedule)
        pays_late(earlier)
        settles(world, shop, schedule, ["paid", "upcoming"])
        run(world)
        assert charges_of(period) == [(1, "paid"), (2, "ended")]
        assert caller.get(f"payments/{payment['id']}")["state"] == "cancelled"
        assert "not in use" in visit(payment["next_action"]["url"]).text
    assert attention() == []


def test_a_card_that_was_given_up_fails_the_period_and_says_so(world, shop, caller):
    saved = caller.save_card()
    schedule = schedule_of(caller, saved, retries=[1])
    caller.post(f"saved-methods/{saved['id']}/detach")
    with after_charge(world, shop, schedule):
        period = periods_of(shop, schedule)[0]
    assert (period["state"], period["failure"]) == (
        "failed",
        {"code": "saved_method_unusable", "message": f"{saved['id']} is detached."},
    )


def test_a_merged_customers_schedule_goes_on_and_is_found_through_the_survivor(world, shop, caller):
    saved = caller.save_card()
    schedule = schedule_of(caller, saved)
    survivor = caller.post("customers", 201, name="Njeri K.")["id"]
    caller.post(f"customers/{survivor}/merge", duplicate=saved["customer"])
    with after_charge(world, shop, schedule):
        period = periods_of(shop, schedule)[0]
        assert caller.get(f"payments/{period['payment']}")["customer"] == survivor
        changed = caller.send("PATCH", f"schedules/{schedule['id']}", json={"saved_method": saved["id"]})
        assert changed.status_code == 200
    assert [row["id"] for row in caller.get("schedules", customer=survivor)["data"]] == [schedule["id"]]


def test_an_erased_customers_schedules_are_cancelled(world, shop, caller):
    saved = caller.save_card()
    schedule = schedule_of(caller, saved, metadata={"flat": "7"})
    assert caller.send("DELETE", f"customers/{saved['customer']}").status_code == 200
    ended = shown(shop, schedule)
    assert (ended["state"], ended["metadata"]) == ("cancelled", {})
    assert states_of(shop, schedule) == ["skipped"]
    assert Customer.objects.get(pk=saved["customer"]).state == "erased"
    assert SchedulePeriod.objects.get().due_at is None
    problem = caller.refused("schedules", 400, "invalid_request", **body(SavedMethod.objects.get(pk=saved["id"])))
    assert problem["param"] == "/customer"


def test_a_card_whose_bank_will_not_change_its_mind_is_not_tried_again(world, shop, caller):
    """Saved while it was good; lost since then."""
    saved = caller.save_card()
    schedule = scheduled(shop, SavedMethod.objects.get(pk=saved["id"]), retries=[1, 1], amount=1250)
    SavedMethod.objects.filter(pk=saved["id"]).update(provider_id="pm_card_visa_chargeDeclinedLostCard")
    with after_charge(world, shop, schedule):
        assert states_of(shop, schedule) == ["failed", "upcoming"]
