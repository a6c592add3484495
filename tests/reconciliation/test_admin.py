"""Staff's pages of runs and discrepancies."""

import pytest

from core import clock
from reconciliation.models import Discrepancy, Run
from tests import factories, staff
from tests.payments.world import audit_of
from tests.reconciliation.runs import open_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    made = open_run(factories.ProviderAccountFactory(mpesa=True))
    made.counts, made.totals = {"lines": 2, "matched": 1}, {"KES": {"listed": 50_000, "booked": 25_000}}
    made.phase, made.started_at, made.finished_at, made.due_at = "finished", made.created_at, clock.now(), None
    made.save()
    return made


@pytest.fixture
def case(run):
    return Discrepancy.objects.create(
        run=run, account=run.account, merchant=run.merchant, livemode=False, kind="missing_here", key="TKK4SAMPL2",
        direction="capture", listed_amount=25_000, listed_currency="KES", payer_hint="2547•••111",
    )  # fmt: skip


def test_a_run_shows_what_it_found_in_figures(run):
    client = staff.signed_in("reconciliation.view_run")
    assert run.pk in client.get(staff.listing(run)).text
    shown = client.get(staff.page(run)).text
    for told in ("2 lines, 1 matched", "booked KES 250.00, listed KES 500.00"):
        assert told in shown


@pytest.mark.parametrize("term", ["pk", "key", "account_id", "run_id"])
def test_a_case_shows_both_sides_and_is_found_by_what_is_known_of_it(case, term):
    client = staff.signed_in("reconciliation.view_discrepancy")
    found = client.get(staff.listing(case), {"q": getattr(case, term)}).text
    assert case.pk in found
    assert "KES 250.00" in client.get(staff.page(case)).text
    assert case.pk not in client.get(staff.listing(case), {"q": "TKK4OTHER"}).text


def test_a_person_begins_another_run_and_says_why(run):
    client = staff.signed_in("reconciliation.view_run", "reconciliation.begin_run")
    client.post(staff.page(run, "begin_another"), {"reason": "the merchant misses money"})
    [begun] = Run.objects.exclude(pk=run.pk)
    assert (begun.occasion, begun.account_id, begun.phase) == ("person", run.account_id, "reading")
    assert [entry.detail["run"] for entry in audit_of("reconciliation.begun")] == [begun.pk]


def test_who_may_only_look_begins_nothing(run):
    client = staff.signed_in("reconciliation.view_run")
    assert client.post(staff.page(run, "begin_another"), {"reason": "because"}).status_code == 403
    assert Run.objects.count() == 1
