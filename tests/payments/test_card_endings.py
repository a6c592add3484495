"""Cards whose last month comes: told once before, not charged after, and renewed by their banks."""

from datetime import UTC, datetime, timedelta

import pytest

from core import clock
from events.models import Event
from payments.models import SavedMethod
from payments.saved_models import end_of_month
from payments.services import saved_notices
from tests.factories import SavedMethodFactory
from tests.payments.world import STRIPE_KEY, events_of, saved_reaches, session


def told(saved):
    return list(Event.objects.filter(subject=saved.pk).order_by("sequence").values_list("type", flat=True))


def days_before(saved, days):
    return clock.shifted(saved.ends_at - clock.now() - timedelta(days=days))


@pytest.mark.parametrize(
    ("year", "month", "end"),
    [(2026, 2, datetime(2026, 3, 1, tzinfo=UTC)), (2026, 12, datetime(2027, 1, 1, tzinfo=UTC))],
)
def test_a_card_ends_with_its_last_month(year, month, end):
    assert end_of_month(year, month) == end


@pytest.mark.django_db
def test_the_merchant_is_told_once_a_month_before():
    saved = SavedMethodFactory()
    with days_before(saved, 31):
        assert saved_notices.tell_of_ending() == 0
    with days_before(saved, 29):
        assert [saved_notices.tell_of_ending() for _ in range(2)] == [1, 0]
    assert told(saved) == ["saved_method.expiring"]


@pytest.mark.django_db
def test_after_its_last_month_it_is_expired_and_cannot_be_charged():
    saved = SavedMethodFactory(is_default=True)
    with days_before(saved, -1):
        assert saved.is_usable is False
        assert [saved_notices.tell_of_ending() for _ in range(2)] == [1, 0]
    row = SavedMethod.objects.get(pk=saved.pk)
    assert (row.state, row.is_usable, row.is_default) == ("expired", False, True)
    assert told(saved) == ["saved_method.expired"]


@pytest.mark.django_db
def test_what_is_not_kept_is_not_told_of():
    for state in ("failed", "detached", "created"):
        saved = SavedMethodFactory(state=state)
        with days_before(saved, 3):
            assert saved_notices.tell_of_ending() == 0


@pytest.mark.django_db(transaction=True)
def test_a_card_that_ends_between_two_charges_is_refused_before_anything_is_sent(world, caller):
    saved = caller.save_card()
    assert caller.charge(saved)["state"] == "succeeded"
    row = SavedMethod.objects.get(pk=saved["id"])
    SavedMethod.objects.filter(pk=row.pk).update(ends_at=clock.now())
    body = {"amount": 1250, "currency": "USD", "saved_method": saved["id"], "off_session": True}

    problem = caller.refused("payments", 400, "saved_method_unusable", **body)
    assert (problem["param"], "expired" in problem["detail"]) == ("/saved_method", True)
    assert saved_notices.tell_of_ending() == 1
    caller.refused("payments", 400, "saved_method_unusable", **body)
    assert len(world.stripe.entries("payment")) == 1


@pytest.mark.django_db(transaction=True)
def test_a_card_that_its_bank_renews_is_active_again(world, shop, caller):
    saved = caller.save_card()
    SavedMethod.objects.filter(pk=saved["id"]).update(exp_year=2020, ends_at=end_of_month(2020, 8))
    assert saved_notices.tell_of_ending() == 1
    world.listen_to_stripe(shop)
    world.stripe.simulate(saved["provider_id"], "renew")

    renewed = saved_reaches(shop, saved, "active")

    assert renewed["card"]["exp_year"] == 2034
    assert events_of(saved) == ["saved_method.active", "saved_method.expired", "saved_method.active"]
    assert caller.charge(saved)["state"] == "succeeded"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("order", ["in_order", "reordered"])
def test_a_change_of_month_at_the_dashboard_is_read_as_it_is_now(world, shop, caller, order):
    saved = caller.save_card()
    world.listen_to_stripe(shop, callback_mode="duplicate" if order == "in_order" else "reordered")
    for year in (2031, 2032):
        answer = session().post(
            f"{world.stripe.url}/v1/payment_methods/{saved['provider_id']}",
            data={"card[exp_year]": year},
            headers={"Authorization": f"Bearer {STRIPE_KEY}"},
            timeout=8,
        )
        assert answer.status_code == 200

    def shown():
        return caller.get(f"saved-methods/{saved['id']}")["card"]["exp_year"] == 2032

    world.work_until(shown)
    world.heard(2)
    assert shown()
    assert "saved_method.updated" in events_of(saved)
