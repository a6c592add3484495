"""Runs and exceptions as merchants see them, and the event that tells of a run's end."""

import pytest

from events.models import Event
from reconciliation.models import Run
from tests import factories
from tests.payments.world import audit_of
from tests.reconciliation.runs import reconcile

pytestmark = pytest.mark.django_db(transaction=True)


def paid_by_hand(world):
    wanted = {"short_code": "600111", "amount": 250, "reference": "LUNCH", "callback": "missing"}
    return world.mpesa.post("simulate", outcome="paybill", **wanted)["id"]


def test_a_run_and_what_it_found_are_shown(world, shop, caller):
    number = paid_by_hand(world)
    run = reconcile(shop.mpesa)

    shown = caller.get(f"reconciliation/runs/{run.pk}")
    assert caller.get("reconciliation/runs")["data"] == [shown]
    assert (shown["object"], shown["account"], shown["occasion"]) == ("reconciliation_run", shop.mpesa.pk, "nightly")
    assert (shown["phase"], shown["repaired"], shown["unreadable"]) == ("finished", 1, 0)
    assert shown["counts"]["lines"] == shown["counts"]["missing_here"] == 1
    assert shown["totals"] == [{"currency": "KES", "listed": 25_000, "booked": 0, "repaired": 25_000}]
    assert shown["duration"] >= 0

    [case] = caller.get("reconciliation/exceptions", run=run.pk, kind="missing_here", outcome="repaired")["data"]
    assert caller.get(f"reconciliation/exceptions/{case['id']}") == case
    assert (case["provider_money_id"], case["reference"], case["booked"]) == (number, "LUNCH", None)
    assert case["listed"] == {"amount": 25_000, "currency": "KES", "fee": None}
    assert case["booked_as"] == caller.get("unallocated-receipts")["data"][0]["id"]
    assert caller.get("reconciliation/exceptions", outcome="open")["data"] == []


def test_money_without_a_number_has_none(shop, caller):
    case = factories.DiscrepancyFactory(
        run__account=shop.mpesa, kind="missing_there", key="rcpt_1", receipt="rcpt_1", listed_amount=None,
        booked_amount=100, booked_currency="KES",
    )  # fmt: skip
    shown = caller.get(f"reconciliation/exceptions/{case.pk}")
    assert (shown["provider_money_id"], shown["listed"]) == (None, None)


def test_it_takes_a_scope_of_its_own(shop):
    for path in ("runs", "exceptions"):
        assert shop.key_with("payments:read").send("GET", f"reconciliation/{path}").status_code == 403
        assert shop.key_with("reconciliation:read").send("GET", f"reconciliation/{path}").status_code == 200


@pytest.mark.parametrize("query", [{"kind": "odd"}, {"outcome": "odd"}, {"state": "open"}])
def test_a_filter_that_is_none_is_refused(shop, caller, query):
    assert caller.send("GET", "reconciliation/exceptions", params=query).status_code == 400


def test_the_end_of_a_run_is_announced_with_its_totals_and_a_quiet_quarter_of_an_hour_is_not(world, shop, caller):
    paid_by_hand(world)
    often, nightly = reconcile(shop.mpesa, Run.Occasion.OFTEN), reconcile(shop.mpesa)
    quiet = reconcile(shop.mpesa, Run.Occasion.OFTEN)
    told = Event.objects.filter(type="reconciliation.completed").order_by("pk")
    assert [event.subject for event in told] == [often.pk, nightly.pk]
    assert quiet.finished_at is not None
    for event in told:
        # An event shows what the API shows, as it was then.
        assert event.data == caller.get(f"reconciliation/runs/{event.subject}")
    assert audit_of("reconciliation.begun") == []
