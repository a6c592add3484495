"""The tries to charge a period: declined softly or for good, late, lost, at once, missed. Each is paid at most once."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from core import clock
from core.money import Money
from events import outbox, work
from events.models import Cursor, IdempotencyKey
from payments.models import Attempt, Payment, SavedMethod, ScheduleCharge, SchedulePeriod
from payments.providers.base import MoneyMoved, ReceiptKind, Report, Word
from payments.services import booking, charging, scheduling
from payments.services.booking import Because
from payments.services.locking import lock_attempt
from tests.factories import SavedMethodFactory
from tests.payments.scheduled import (
    EVERY_MONTH,
    after_charge,
    at,
    charges_of,
    moment_of,
    period_row,
    periods_of,
    row_of,
    run,
    saved_card,
    scheduled,
    settles,
    shown,
    states_of,
)
from tests.payments.test_races import at_once
from tests.payments.world import attention, events_of, operations_of, path_of

pytestmark = pytest.mark.django_db(transaction=True)

CREATE = "POST /v1/payment_intents"
DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds"
HARD = "pm_card_chargeDeclinedIncorrectCvc"
EXPIRED = "pm_card_chargeDeclinedExpiredCard"
MONTHLY = {"every": EVERY_MONTH}


@pytest.fixture
def customer_card(shop):
    """A good card beside whichever other one is charged first."""
    return saved_card(shop)


def first_charge(schedule):
    return moment_of(schedule["next_period"]["charge_at"])


def first_of(shop, schedule):
    return periods_of(shop, schedule)[0]


def pays_late(payment_id):
    """Money comes for a payment that has ended."""
    attempt = Attempt.objects.filter(payment=payment_id).latest("pk")
    with transaction.atomic():
        attempt = lock_attempt(attempt)
        moved = MoneyMoved(ReceiptKind.CAPTURE, attempt.payment.money, f"ch_late_{payment_id}")
        report = Report(Word.SUCCEEDED, provider_id=attempt.provider_id, moved=(moved,))
        booking.apply_to_attempt(attempt, report, Because(by="test", source="callback"))


# Declines


def test_a_soft_decline_is_tried_again_after_each_delay_and_then_the_period_has_failed(world, shop):
    schedule = scheduled(shop, saved_card(shop, DECLINED), retries=[1, 3], **MONTHLY)
    first = first_charge(schedule)
    expected = [
        (timedelta(hours=1), "retrying", 1),
        (timedelta(hours=24), "retrying", 1),
        (timedelta(hours=26), "retrying", 2),
        (timedelta(days=4), "retrying", 2),
        (timedelta(days=4, hours=3), "failed", 3),
        (timedelta(days=9), "failed", 3),
    ]
    for later, state, tries in expected:
        with at(first + later):
            run(world)
        period = first_of(shop, schedule)
        assert (period["state"], len(period["tries"])) == (state, tries), later
    assert period["failure"] == {
        "code": "insufficient_funds",
        "message": "There is not enough money on the account.",
    }
    assert charges_of(period) == [(1, "ended"), (2, "ended"), (3, "ended")]
    assert path_of(period) == ["upcoming", *["charging", "retrying"] * 2, "charging", "failed"]
    assert shown(shop, schedule)["state"] == "active"
    assert states_of(shop, schedule) == ["failed", "upcoming"]
    assert world.stripe.calls(CREATE) == 3


def test_a_card_that_is_good_again_pays_the_period(world, shop, caller, customer_card):
    declined = saved_card(shop, DECLINED, customer=customer_card.customer)
    schedule = scheduled(shop, declined, retries=[2])
    first = first_charge(schedule)
    with at(first + timedelta(hours=1)):
        run(world)
        assert first_of(shop, schedule)["state"] == "retrying"
        caller.send("PATCH", f"schedules/{schedule['id']}", json={"saved_method": customer_card.pk})
    with at(first + timedelta(days=2, hours=2)):
        run(world)
        period = first_of(shop, schedule)
    assert (period["state"], period["failure"], period["next_try_at"]) == ("paid", None, None)
    assert charges_of(period) == [(1, "ended"), (2, "paid")]


def test_a_hard_decline_is_never_tried_again(world, shop):
    schedule = scheduled(shop, saved_card(shop, HARD), retries=[1, 1], **MONTHLY)
    with after_charge(world, shop, schedule):
        period = first_of(shop, schedule)
        assert (period["state"], period["next_try_at"]) == ("failed", None)
    with at(first_charge(schedule) + timedelta(days=3)):
        run(world)
    assert world.stripe.calls(CREATE) == 1
    assert events_of(period) == ["schedule_period.charging", "schedule_period.failed"]


def test_a_card_that_its_bank_calls_expired_fails_the_period_for_good(world, shop):
    schedule = scheduled(shop, saved_card(shop, EXPIRED), retries=[1], **MONTHLY)
    with after_charge(world, shop, schedule):
        period = first_of(shop, schedule)
    assert (period["state"], period["failure"]) == (
        "failed",
        {"code": "expired_instrument", "message": "The card has expired."},
    )


def test_a_card_that_expires_between_periods_fails_the_try_and_no_other_card_is_used(world, shop):
    expiring = saved_card(shop)
    other = saved_card(shop, "pm_card_mastercard", customer=expiring.customer, is_default=True)
    schedule = scheduled(shop, expiring, retries=[1, 1], **MONTHLY)
    with after_charge(world, shop, schedule):
        assert first_of(shop, schedule)["state"] == "paid"
        SavedMethod.objects.filter(pk=expiring.pk).update(ends_at=clock.now() + timedelta(days=3))
    with after_charge(world, shop, schedule):
        second = periods_of(shop, schedule)[1]
        assert (second["state"], second["payment"]) == ("failed", None)
        assert second["failure"] == {
            "code": "expired_instrument",
            "message": f"The card of {expiring.pk} has expired.",
        }
        [tried] = second["tries"]
        assert (tried["outcome"], tried["payment"], tried["failure"]) == ("ended", None, second["failure"])
    assert {charge.saved_method_id for charge in ScheduleCharge.objects.all()} == {expiring.pk}
    assert not Payment.objects.filter(saved_method=other).exists()
    assert len(world.stripe.entries()) == 1


def test_an_account_that_is_switched_off_is_tried_again(world, shop):
    schedule = scheduled(shop, retries=[1], **MONTHLY)
    shop.stripe.__class__.objects.filter(pk=shop.stripe.pk).update(is_enabled=False)
    with after_charge(world, shop, schedule):
        assert first_of(shop, schedule)["state"] == "retrying"
    shop.stripe.__class__.objects.filter(pk=shop.stripe.pk).update(is_enabled=True)
    with at(first_charge(schedule) + timedelta(days=1, hours=2)):
        run(world)
        assert charges_of(first_of(shop, schedule)) == [(1, "ended"), (2, "paid")]


def test_a_schedule_pauses_when_a_period_fails_if_it_says_so(world, shop):
    schedule = scheduled(shop, saved_card(shop, HARD), on_failure="pause")
    with after_charge(world, shop, schedule):
        assert states_of(shop, schedule) == ["failed", "upcoming"]
        assert shown(shop, schedule)["state"] == "paused"
    assert events_of(schedule) == ["schedule.paused"]


def test_the_last_periods_failure_completes_the_schedule(world, shop):
    schedule = scheduled(shop, saved_card(shop, HARD), on_failure="pause", count=1)
    with after_charge(world, shop, schedule):
        assert states_of(shop, schedule) == ["failed"]
        assert shown(shop, schedule)["state"] == "completed"


def test_a_retry_that_comes_in_a_pause_is_not_made(world, shop, caller):
    schedule = scheduled(shop, saved_card(shop, DECLINED), retries=[1], **MONTHLY)
    with after_charge(world, shop, schedule):
        caller.post(f"schedules/{schedule['id']}/pause")
    with at(first_charge(schedule) + timedelta(days=1, hours=2)):
        run(world)
        assert first_of(shop, schedule)["state"] == "failed"
    assert world.stripe.calls(CREATE) == 1


# Unknown, late, twice


def test_while_the_outcome_is_unknown_nothing_else_is_tried(world, shop):
    schedule = scheduled(shop, retries=[1, 1], **MONTHLY)
    world.stripe.trouble("timeout_after", CREATE)
    world.stripe.trouble("500_before", "GET /v1/payment_intents", times=50)
    first = first_charge(schedule)
    with at(first):
        work.drain("schedules")
        assert first_of(shop, schedule)["state"] == "charging"
    for later in (timedelta(minutes=2), timedelta(hours=2), timedelta(days=2)):
        with at(first + later):
            work.drain("schedules")
        assert first_of(shop, schedule)["state"] == "charging"
        assert charges_of(first_of(shop, schedule)) == [(1, "open")]
    with at(first + timedelta(seconds=20)):
        [period] = settles(world, shop, schedule, ["paid", "upcoming"])[:1]
    assert charges_of(period) == [(1, "paid")]
    assert len(world.stripe.entries()) == 1


def test_a_late_success_of_an_earlier_try_pays_the_period_and_stops_the_next(world, shop):
    schedule = scheduled(shop, saved_card(shop, DECLINED), retries=[1, 1], **MONTHLY)
    with after_charge(world, shop, schedule):
        period = first_of(shop, schedule)
        assert period["state"] == "retrying"
        pays_late(period["payment"])
        run(world)
        assert first_of(shop, schedule)["state"] == "paid"
    with at(first_charge(schedule) + timedelta(days=3)):
        run(world)
    period = first_of(shop, schedule)
    assert (period["state"], charges_of(period)) == ("paid", [(1, "paid")])
    assert world.stripe.calls(CREATE) == 1
    assert attention() == []


def test_a_late_success_at_the_last_moment_still_stops_the_next_try(world, shop):
    schedule = scheduled(shop, saved_card(shop, DECLINED), retries=[1], **MONTHLY)
    with after_charge(world, shop, schedule):
        earlier = first_of(shop, schedule)["payment"]
    with at(first_charge(schedule) + timedelta(days=1, hours=2)):
        charge = charging.decide(period_row(schedule))
        pays_late(earlier)
        charging.make_charge(charge)
        run(world)
        period = first_of(shop, schedule)
    assert (period["state"], charges_of(period)) == ("paid", [(1, "paid")])
    assert world.stripe.calls(CREATE) == 1


def test_a_period_that_failed_is_paid_late(world, shop):
    schedule = scheduled(shop, saved_card(shop, HARD), count=1)
    with after_charge(world, shop, schedule):
        failed = first_of(shop, schedule)
        assert failed["state"] == "failed"
        pays_late(failed["payment"])
        run(world)
    period = first_of(shop, schedule)
    assert (period["state"], period["late"], period["failure"]) == ("paid", True, None)
    assert events_of(period)[-1] == "schedule_period.paid"


def test_two_tries_that_were_both_paid_are_shown_to_people(world, shop, caller, customer_card):
    declined = saved_card(shop, DECLINED, customer=customer_card.customer)
    schedule = scheduled(shop, declined, retries=[1], **MONTHLY)
    first = first_charge(schedule)
    with at(first + timedelta(hours=1)):
        run(world)
        earlier = first_of(shop, schedule)["payment"]
        caller.send("PATCH", f"schedules/{schedule['id']}", json={"saved_method": customer_card.pk})
    with at(first + timedelta(days=1, hours=2)):
        run(world)
        assert first_of(shop, schedule)["state"] == "paid"
        pays_late(earlier)
        run(world)
    period = first_of(shop, schedule)
    assert (period["state"], charges_of(period)) == ("paid", [(1, "surplus"), (2, "paid")])
    assert attention() == [(period["id"], "overpaid")]


def test_what_is_still_payable_is_closed_when_an_earlier_try_has_paid(world, shop, caller, customer_card):
    """The second try's outcome is unknown when the first one's money comes."""
    declined = saved_card(shop, DECLINED, customer=customer_card.customer)
    schedule = scheduled(shop, declined, retries=[1], **MONTHLY)
    first = first_charge(schedule)
    with at(first + timedelta(hours=1)):
        run(world)
        earlier = first_of(shop, schedule)["payment"]
        caller.send("PATCH", f"schedules/{schedule['id']}", json={"saved_method": customer_card.pk, "amount": 6662100})
    SchedulePeriod.objects.filter(schedule=schedule["id"], number=1).update(amount=6662100)  # "processing" at Stripe
    world.stripe.post("settings", processing_seconds=3600)
    with at(first + timedelta(days=1, hours=2)):
        run(world)
        assert charges_of(first_of(shop, schedule)) == [(1, "ended"), (2, "open")]
        pays_late(earlier)
        run(world)
        period = first_of(shop, schedule)
        assert (period["state"], charges_of(period)) == ("paid", [(1, "surplus"), (2, "open")])
    assert attention() == []
    # What Stripe is processing it does not let go of, but it was asked to.
    assert operations_of({"id": period["payment"]}) == [("create", "succeeded"), ("cancel", "failed")]


# At once, and after a crash


def test_two_workers_and_two_beats_at_once_charge_a_period_once(world, shop):
    schedules = [scheduled(shop, saved_card(shop, card)) for card in ("pm_card_visa", "pm_card_amex", "pm_card_jcb")]
    world.stripe.post("settings", answer_seconds=0.2)
    rows = [period_row(schedule) for schedule in schedules]
    with at(first_charge(schedules[0]) + timedelta(minutes=1)):
        at_once(6, lambda place: work.drain("schedules") if place < 2 else charging.advance(rows[place % 3]))
        run(world)
        for schedule in schedules:
            assert states_of(shop, schedule) == ["paid", "upcoming"]
            assert charges_of(first_of(shop, schedule)) == [(1, "paid")]
    assert (Payment.objects.count(), world.stripe.calls(CREATE)) == (3, 3)


def test_a_worker_that_died_before_the_payment_was_written_down_is_replaced(world, shop):
    schedule = scheduled(shop)
    first = first_charge(schedule)
    with at(first + timedelta(minutes=1)):
        assert charging.decide(period_row(schedule)) is not None
        assert first_of(shop, schedule)["state"] == "charging"
        run(world)
        assert first_of(shop, schedule)["tries"] == []
    with at(first + timedelta(minutes=3)):
        run(world)
        assert charges_of(first_of(shop, schedule)) == [(1, "paid")]
    assert Payment.objects.count() == 1


def test_a_try_that_is_made_twice_is_one_payment(world, shop):
    schedule = scheduled(shop)
    with at(first_charge(schedule) + timedelta(minutes=1)):
        charge = charging.decide(period_row(schedule))
        again = charging.decide(period_row(schedule))
        assert charge is not None
        assert again is not None
        at_once(2, lambda place: charging.make_charge((charge, again)[place]))
        run(world)
        assert charges_of(first_of(shop, schedule)) == [(1, "paid")]
    assert (Payment.objects.count(), world.stripe.calls(CREATE)) == (1, 1)
    assert IdempotencyKey.objects.filter(key__startswith="schedule:").count() == 1


@pytest.mark.parametrize(("verb", "because"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_worker_that_was_away_makes_no_try_that_nobody_waits_for(world, shop, caller, verb, because):
    """It decided, was stopped for longer than its lease, and comes back after the schedule was stopped."""
    schedule = scheduled(shop)
    first = first_charge(schedule)
    with at(first + timedelta(minutes=1)):
        charge = charging.decide(period_row(schedule))
        caller.post(f"schedules/{schedule['id']}/{verb}")
    with at(first + timedelta(minutes=3)):
        run(world)
        assert first_of(shop, schedule)["skipped_because"] == because
        charging.make_charge(charge)
    assert not Payment.objects.exists()
    assert world.stripe.calls(CREATE) == 0


def test_a_reader_that_was_behind_loses_no_outcome(world, shop):
    schedule = scheduled(shop)
    world.stripe.trouble("reset_after", CREATE)
    first = first_charge(schedule)
    with at(first + timedelta(minutes=1)):
        work.drain("schedules")
        assert first_of(shop, schedule)["state"] == "charging"
    with at(first + timedelta(minutes=2)):
        work.drain("operations")
        assert Payment.objects.get().state == "succeeded"
        assert first_of(shop, schedule)["state"] == "charging"
        position = Cursor.objects.filter(pk="schedules").values_list("position", flat=True).first() or 0
        while outbox.dispatch():
            pass
        assert Cursor.objects.get(pk="schedules").position > position
        work.drain("schedules")
        assert first_of(shop, schedule)["state"] == "paid"


def test_the_hourly_look_finds_an_outcome_that_nobody_told(world, shop):
    schedule = scheduled(shop)
    world.stripe.trouble("reset_after", CREATE)
    first = first_charge(schedule)
    with at(first + timedelta(minutes=1)):
        work.drain("schedules")
    with at(first + timedelta(minutes=2)):
        work.drain("operations")
    with at(first + timedelta(hours=2)):
        work.drain("schedules")
        assert first_of(shop, schedule)["state"] == "paid"


# Missed


def test_after_an_outage_missed_periods_are_skipped_and_todays_is_charged(world, shop):
    schedule = scheduled(shop)
    with at(first_charge(schedule) + timedelta(days=5, hours=3)):
        run(world)
        assert states_of(shop, schedule) == [*["skipped"] * 5, "paid", "upcoming"]
        assert {period["skipped_because"] for period in periods_of(shop, schedule)[:5]} == {"missed"}
    assert events_of(first_of(shop, schedule)) == ["schedule_period.skipped"]
    assert len(world.stripe.entries()) == 1


@pytest.mark.parametrize(("missed", "states"), [("skip", ["skipped"]), ("charge_latest", ["paid"])])
def test_a_period_that_is_days_late_is_charged_only_where_the_schedule_says_so(world, shop, missed, states):
    schedule = scheduled(shop, missed=missed, **MONTHLY)
    with at(first_charge(schedule) + timedelta(days=3)):
        run(world)
        assert states_of(shop, schedule) == [*states, "upcoming"]


def test_of_several_missed_periods_the_latest_alone_is_charged(world, shop):
    schedule = scheduled(shop, missed="charge_latest", every={"unit": "week", "interval": 1})
    with at(first_charge(schedule) + timedelta(days=7 * 3 + 4)):
        run(world)
        assert states_of(shop, schedule) == [*["skipped"] * 3, "paid", "upcoming"]
    assert len(world.stripe.entries()) == 1


def test_a_retry_that_was_missed_by_days_is_not_made(world, shop):
    schedule = scheduled(shop, saved_card(shop, DECLINED), retries=[1, 1], **MONTHLY)
    with after_charge(world, shop, schedule):
        assert first_of(shop, schedule)["state"] == "retrying"
    with at(first_charge(schedule) + timedelta(days=5)):
        run(world)
        assert states_of(shop, schedule) == ["failed", "upcoming"]
    assert world.stripe.calls(CREATE) == 1


# What the database keeps


def test_the_database_keeps_a_second_open_or_paid_try_out(world, shop):
    schedule = scheduled(shop)
    with after_charge(world, shop, schedule):
        period = period_row(schedule)
    paid = ScheduleCharge.objects.get()
    for number, constraint in ((1, "one_charge_per_number"), (2, "one_open_or_paid_charge")):
        beside = ScheduleCharge(
            period=period, number=number, payment=paid.payment, saved_method=paid.saved_method, livemode=False
        )
        beside.payment_id = Payment.objects.create(
            merchant=shop.merchant, livemode=False, amount=1, currency="USD", method="card"
        ).pk
        with pytest.raises(IntegrityError, match=constraint):
            beside.save(force_insert=True)


def test_a_try_that_was_decided_upon_before_a_long_outage_is_missed_too(world, shop):
    schedule = scheduled(shop)
    with at(first_charge(schedule) + timedelta(minutes=1)):
        assert charging.decide(period_row(schedule)) is not None
    with at(first_charge(schedule) + timedelta(days=3, hours=2)):
        run(world)
        assert states_of(shop, schedule) == [*["skipped"] * 3, "paid", "upcoming"]
    assert len(world.stripe.entries()) == 1


def test_the_database_keeps_a_schedule_to_its_own_merchants_customers_and_cards(shop):
    schedule = row_of(scheduled(shop))
    other = SavedMethodFactory()
    for change, constraint in (
        ({"saved_method": other}, "saved_method_id_same_mode"),
        ({"customer": other.customer}, "customer_id_same_mode"),
    ):
        with pytest.raises(IntegrityError, match=constraint):
            type(schedule).objects.filter(pk=schedule.pk).update(**change)


def test_the_database_keeps_one_upcoming_period_and_each_number_once(world, shop):
    period = period_row(scheduled(shop))
    for number, constraint in ((1, "one_period_per_number"), (2, "one_upcoming_period")):
        with pytest.raises(IntegrityError, match=constraint):
            SchedulePeriod(
                schedule=period.schedule,
                merchant=shop.merchant,
                livemode=False,
                number=number,
                currency="USD",
                charge_at=clock.now(),
            ).save(force_insert=True)


def test_an_amount_that_the_provider_cannot_carry_is_refused_before(shop, caller, customer_card):
    schedule = scheduled(shop, customer_card, currency="KWD", amount=10)
    answer = caller.send("PATCH", f"schedules/{schedule['id']}", json={"amount": 11})
    assert (answer.status_code, answer.json()["code"]) == (400, "amount_not_representable")
    assert row_of(schedule).amount == 10
    assert Money(10, "KWD") == period_row(schedule).money


def test_pausing_and_cancelling_by_staff_is_the_same_verb(shop):
    schedule = scheduled(shop)
    scheduling.pause_schedule(row_of(schedule), by="staff:amina", because="asked by phone")
    assert shown(shop, schedule)["state"] == "paused"
