"""Staff's pages of recurring payments."""

import pytest

from events.models import AuditEntry
from payments.models import Schedule
from tests import staff
from tests.payments.scheduled import after_charge, period_row, row_of, saved_card, scheduled
from tests.payments.world import path_of

pytestmark = pytest.mark.django_db(transaction=True)

SEE = ("payments.view_schedule", "payments.view_payment")
ACT = (*SEE, "payments.act_on_schedule")


def test_list_and_page_show_the_schedule_with_its_periods_and_tries(world, shop):
    schedule = scheduled(shop, reference="rent", every={"unit": "week", "interval": 2, "weekday": "monday"})
    with after_charge(world, shop, schedule):
        client = staff.signed_in(*SEE)
        row = row_of(schedule)
        assert schedule["id"] in client.get(staff.listing(row)).text
        shown = client.get(staff.page(row)).text
    assert "every 2 weeks on monday, 12:00 UTC" in shown
    payment = period_row(schedule).charges.get().payment_id
    assert "paid" in shown
    assert payment in shown


def test_it_is_found_by_what_staff_know_of_it(shop):
    saved = saved_card(shop)
    schedule = scheduled(shop, saved, reference="rent-7")
    other = scheduled(shop, saved_card(shop, "pm_card_mastercard"))
    client = staff.signed_in(*SEE)
    terms = (schedule["id"], period_row(schedule).pk, "rent-7", saved.pk, saved.customer_id)
    for term in terms:
        found = client.get(staff.listing(row_of(schedule)), {"q": term}).text
        assert schedule["id"] in found, term
        assert other["id"] not in found, term


def test_staff_pause_resume_and_cancel_with_a_reason(shop):
    schedule = scheduled(shop)
    client = staff.signed_in(*ACT)
    for verb in ("pause", "resume", "cancel"):
        client.post(staff.page(row_of(schedule), verb), {"reason": f"{verb}, asked by phone"})
    assert path_of(schedule) == ["active", "paused", "active", "cancelled"]
    told = AuditEntry.objects.filter(object_id=schedule["id"], action__startswith="schedule.")
    assert {"schedule.paused", "schedule.resumed", "schedule.cancelled"} <= {entry.action for entry in told}


def test_who_may_only_look_changes_nothing(shop):
    schedule = scheduled(shop)
    client = staff.signed_in(*SEE)
    assert client.post(staff.page(row_of(schedule), "cancel"), {"reason": "no"}).status_code == 403
    assert Schedule.objects.get().state == "active"
