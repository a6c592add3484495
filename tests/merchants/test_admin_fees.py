"""Staff's pages of fee schedules."""

from datetime import timedelta
from decimal import Decimal

import pytest

from core import clock
from merchants import fees
from merchants.fees import Tier
from merchants.models import FeeSchedule
from tests import staff
from tests.factories import FeeScheduleFactory, ProviderAccountFactory

pytestmark = pytest.mark.django_db
MAY = ("merchants.view_feeschedule", "merchants.add_feeschedule")


def asked(at, **given):
    return {
        "account": at.pk,
        "method": "mpesa",
        "currency": "KES",
        "effective_from_0": "",
        "effective_from_1": "",
        "tax_percent": "16",
        "tiers": "0, 0.00, 1.5\n\n101, 5, 0\n501 , 7.25, 0.55 %",
        "note": "the tariff of November",
        **given,
    }


def test_list_and_page_show_a_schedule_its_tiers_and_what_they_come_to():
    row = FeeScheduleFactory(currency="KES", tiers=[(0, 0, "0"), (10_100, 500, "0"), (50_100, 0, "1.4")])
    client = staff.signed_in("merchants.view_feeschedule")
    assert staff.page(row) in client.get(staff.listing(row)).text
    shown = client.get(staff.page(row)).text
    for text in (row.pk, "KES 101.00", "KES 5.00", "1.4 %", "KES 1,000.00", "KES 14.00", "KES 986.00", "in force"):
        assert text in shown, text


def test_a_list_takes_as_many_queries_for_25_rows_as_for_one():
    row = FeeScheduleFactory()
    client = staff.signed_in(superuser=True)
    few = staff.queries(client, staff.listing(row))
    FeeScheduleFactory.create_batch(24)
    assert staff.queries(client, staff.listing(row)) == few


def test_a_list_and_a_page_say_which_schedule_is_in_force():
    at = clock.now()
    replaced = FeeScheduleFactory(effective_from=at - timedelta(days=2))
    of = {"account": replaced.account}
    in_force = FeeScheduleFactory(**of, effective_from=at - timedelta(days=1))
    later = FeeScheduleFactory(**of, effective_from=at + timedelta(days=1))
    client = staff.signed_in(superuser=True)
    words = ("replaced", "in force", "later")
    for row, said in zip((replaced, in_force, later), words, strict=True):
        for answer in (client.get(staff.listing(row), {"q": row.pk}), client.get(staff.page(row))):
            drawn = " ".join(answer.text.split())
            assert [word for word in words if f"> {word} </span>" in drawn] == [said]


def test_an_account_shows_its_schedules():
    row = FeeScheduleFactory(method="card")
    without = ProviderAccountFactory()
    client = staff.signed_in(superuser=True)
    shown = client.get(staff.page(row.account)).text
    assert staff.page(row) in shown
    assert "card, USD" in shown
    assert staff.page(row) not in client.get(staff.page(without)).text


def test_a_schedule_is_found_by_its_account_and_its_merchant():
    row, other = FeeScheduleFactory.create_batch(2)
    client = staff.signed_in(superuser=True)
    for term in (row.pk, row.account_id, row.account.merchant_id):
        found = client.get(staff.listing(row), {"q": term}).text
        assert staff.page(row) in found
        assert staff.page(other) not in found


def test_a_schedule_is_added_from_lines_in_major_units_and_holds_from_now_on():
    account = ProviderAccountFactory(mpesa=True)
    client = staff.signed_in(*MAY)
    assert client.get(staff.adding(FeeSchedule)).status_code == 200
    answer = client.post(staff.adding(FeeSchedule), asked(account))
    row = FeeSchedule.objects.get()
    assert answer["Location"] == staff.page(row)
    assert (row.account, row.method, row.currency, row.tax_percent) == (account, "mpesa", "KES", Decimal(16))
    assert abs(row.effective_from - clock.now()) < timedelta(seconds=30)
    assert fees.tiers_of(row) == [
        Tier(0, 0, Decimal("1.5")),
        Tier(10_100, 500, Decimal(0)),
        Tier(50_100, 725, Decimal("0.55")),
    ]
    assert [entry[:2] for entry in staff.recorded(row)] == [("staff:amina", "fee_schedule.written")]


def test_a_schedule_is_added_for_a_later_moment():
    account = ProviderAccountFactory(mpesa=True)
    tomorrow = (clock.now() + timedelta(days=1)).replace(microsecond=0)
    moment = {"effective_from_0": f"{tomorrow:%Y-%m-%d}", "effective_from_1": f"{tomorrow:%H:%M:%S}"}
    client = staff.signed_in(*MAY)
    client.post(staff.adding(FeeSchedule), asked(account, **moment))
    assert FeeSchedule.objects.get().effective_from == tomorrow
    again = client.post(staff.adding(FeeSchedule), asked(account, **moment))
    assert "another schedule for that method and currency starts just then" in again.text
    assert FeeSchedule.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tiers": ""}, "This field is required"),
        ({"tiers": "0, 0, 1.5\n101; 5; 0"}, "Line 2, `101; 5; 0`: is not three numbers"),
        ({"tiers": "0, 0, 1.5\n101, -5, 0"}, "Line 2, `101, -5, 0`: is not three numbers"),
        ({"tiers": "0, NaN, 1.5"}, "Line 1, `0, NaN, 1.5`: is not three numbers"),
        ({"tiers": "0, 0.001, 1.5"}, "Line 1, `0, 0.001, 1.5`: 0.001 KES is finer than the currency"),
        ({"tiers": "0, 0, 101"}, "line 1: percent is 101, which is not from 0 to 100"),
        ({"tiers": "0, 0, 1\n200, 0, 1\n100, 0, 1"}, "line 3 is from KES 100.00, after KES 200.00"),
        ({"tiers": "100, 0, 1"}, "the first one has to be from 0"),
        ({"currency": "KSH"}, "Select a valid choice"),
        ({"currency": "", "tiers": "0, 0, 1"}, "This field is required"),
        ({"method": "card"}, "mpesa has mpesa"),
        ({"method": "barter"}, "Select a valid choice"),
        ({"tax_percent": "100.5"}, "less than or equal to 100"),
        ({"tax_percent": "NaN"}, "Enter a number"),
        ({"effective_from_0": "2026-01-01", "effective_from_1": "00:00"}, "already booked"),
        ({"account": "acct_unknown"}, "There is no provider account `acct_unknown`"),
    ],
)
def test_a_schedule_that_is_asked_for_wrongly_is_not_made_and_the_page_says_why(wrong, told):
    account = ProviderAccountFactory(mpesa=True)
    answer = staff.signed_in(*MAY).post(staff.adding(FeeSchedule), asked(account, **wrong))
    assert answer.status_code == 200
    assert told in answer.text.replace("&#x27;", "'")
    assert not FeeSchedule.objects.exists()


def test_a_schedule_is_added_and_seen_only_by_those_who_may():
    row = FeeScheduleFactory()
    client = staff.signed_in("merchants.view_feeschedule")
    assert client.get(staff.adding(FeeSchedule)).status_code == 403
    assert client.post(staff.adding(FeeSchedule), asked(row.account)).status_code == 403
    nobody = staff.signed_in("merchants.view_merchant", username="bakari")
    assert nobody.get(staff.listing(row)).status_code == 403
    assert nobody.get(staff.page(row)).status_code == 403
    assert FeeSchedule.objects.count() == 1


def test_nothing_is_changed_or_deleted_by_form():
    row = FeeScheduleFactory()
    client = staff.signed_in(superuser=True)
    assert client.post(staff.page(row), {"note": "taken over"}).status_code == 403
    assert client.post(staff.page(row, "delete"), {"post": "yes"}).status_code == 403
    assert FeeSchedule.objects.filter(pk=row.pk, note="").exists()


def test_the_navigation_leads_to_the_schedules_only_those_who_may_see_them():
    row = FeeScheduleFactory()
    assert staff.listing(row) in staff.signed_in("merchants.view_feeschedule").get("/admin/").text
    assert staff.listing(row) not in staff.signed_in("merchants.view_merchant", username="bakari").get("/admin/").text
