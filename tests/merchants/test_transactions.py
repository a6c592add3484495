"""One history over every kind of money: how it is read."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import clock
from events.subjects import TRANSACTION_COLUMNS
from merchants.transactions import History, kinds
from payments.models import Attempt, Payment, Refund
from tests import factories

pytestmark = pytest.mark.django_db
PAYMENTS, REFUNDS, LIMIT = 3000, 600, 21
STORE_SELLS_EVERY = 150
TABLES = {"payments_payment", "payments_refund", "payments_attempt"}


def history(merchant, *, filters=None, shown=None, **more):
    return History(merchant=merchant.pk, livemode=False, filters=filters or {}, shown=shown or {}, **more)


@pytest.fixture
def crowd():
    """A merchant among others, with some thousand payments, a fifth of them refunded, and fresh statistics."""
    accounts = [factories.ProviderAccountFactory() for _ in range(3)]
    mine = accounts[0]
    now = clock.now()
    store = factories.StoreFactory(merchant=mine.merchant)
    payments, attempts, refunds = [], [], []
    for number in range(PAYMENTS):
        account = accounts[number % 3] if number % 10 == 0 else mine
        at = now - timedelta(seconds=number)
        owner = {"merchant": account.merchant, "livemode": False, "created_at": at}
        place = {"store": store} if number % STORE_SELLS_EVERY == 5 else {}
        state = "failed" if number % 10 == 1 else "succeeded"
        money = {"amount": 1000 + number * 7919 % 9000, "currency": "USD"}
        payment = Payment(**owner, **place, **money, method="card", reference=f"order-{number}", state=state)
        attempt = Attempt(**owner, payment=payment, account=account, asked_amount=1, provider_reference=f"R{number}")
        payments.append(payment)
        attempts.append(attempt)
        if number % (PAYMENTS // REFUNDS) == 0:
            refunds.append(
                Refund(
                    **owner, **place, **money, payment=payment, attempt=attempt, state=state, provider_id=f"re_{number}"
                )
            )
    Payment.objects.bulk_create(payments, batch_size=500)
    Attempt.objects.bulk_create(attempts, batch_size=500)
    Refund.objects.bulk_create(refunds, batch_size=500)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        # As a server on a solid disk has it; else the plan goes by how the rows of other tests have left the pages.
        cursor.execute("SET LOCAL random_page_cost = 1.1")
    return mine.merchant


def plan(rows):
    explained = json.loads(rows.explain(format="json", analyze=True))[0]["Plan"]
    return list(_nodes(explained))


def _nodes(node):
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def rows_read(nodes):
    """By table: how many rows were fetched from it, those that a filter threw away included."""
    read = dict.fromkeys(TABLES, 0)
    for node in nodes:
        if node.get("Relation Name") in read:
            each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            read[node["Relation Name"]] += each * node["Actual Loops"]
    return read


VARIANTS = {
    "everything": {},
    "by state": {"filters": {"state": "succeeded"}},
    "by amount": {"filters": {"amount__gte": 1900, "amount__lte": 10**9}},
    "by currency": {"filters": {"currency": "USD"}},
    "by date": {"filters": {"created_at__lt": clock.now() - timedelta(seconds=700)}},
    "by provider and method": {"shown": {"provider": "stripe", "method": "card"}},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("deep", [False, True])
def test_a_page_reads_its_rows_by_the_index_and_no_others(crowd, variant, deep):
    place = history(crowd).after(None, limit=2000)[-1].place if deep else None

    nodes = plan(history(crowd, **VARIANTS[variant]).rows(place, limit=LIMIT))

    scans = [node for node in nodes if node.get("Relation Name") in TABLES]
    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}
    assert {"payment_history", "refund_history"} <= {node["Index Name"] for node in scans}
    # Of each kind a page's rows and the few that a filter throws away, and for each of these a look at its others.
    assert max(rows_read(nodes).values()) <= 6 * LIMIT


def test_a_page_sorts_no_more_rows_than_it_was_asked_for(crowd):
    place = history(crowd).after(None, limit=2000)[-1].place
    for nodes in (plan(history(crowd).rows(None, limit=LIMIT)), plan(history(crowd).rows(place, limit=LIMIT))):
        sorted_rows = [inner["Actual Rows"] for node in nodes if node["Node Type"] == "Sort" for inner in node["Plans"]]
        assert all(rows <= LIMIT * len(kinds()) for rows in sorted_rows)
        assert not any(node["Node Type"] == "Incremental Sort" for node in nodes)


def test_a_reference_is_looked_up_by_its_index_in_every_kind(crowd):
    nodes = plan(history(crowd, reference="order-2005").rows(None, limit=LIMIT))
    assert "payment_reference" in {node.get("Index Name") for node in nodes}
    assert max(rows_read(nodes).values()) <= 10
    found = history(crowd, reference="order-2005").after(None, limit=LIMIT)
    assert [(row.type, row.reference) for row in found] == [("refund", "order-2005"), ("payment", "order-2005")]


@pytest.mark.parametrize("deep", [False, True])
def test_a_page_of_one_store_among_many_reads_only_what_was_taken_there(crowd, deep):
    store = crowd.stores.get().pk
    asked = history(crowd, shown={"store": store})
    place = asked.after(None, limit=5)[-1].place if deep else None

    nodes = plan(asked.rows(place, limit=LIMIT))

    assert {"payment_store_history", "refund_store_history"} <= {node.get("Index Name") for node in nodes}
    # Of each refund its payment is looked at, too: for the method and for the reference.
    assert max(rows_read(nodes).values()) <= 3 * LIMIT
    whole = [row.id for row in asked.whole()]
    assert len(whole) == 2 * PAYMENTS // STORE_SELLS_EVERY
    assert all(row.store == store for row in asked.whole())


def test_the_whole_is_read_in_pieces_that_meet_exactly(crowd):
    whole = [row.id for row in history(crowd).whole()]
    mine = {"merchant": crowd.pk}
    times = {
        **dict(Payment.objects.filter(**mine).values_list("pk", "created_at")),
        **dict(Refund.objects.filter(**mine).values_list("pk", "created_at")),
    }
    assert whole == sorted(times, key=lambda key: (times[key], key), reverse=True)


def test_the_whole_takes_one_query_for_a_thousand_rows(crowd):
    with CaptureQueriesContext(
        connection,
    ) as asked:
        count = sum(1 for _ in history(crowd).whole())
    assert len(asked) == count // 1000 + 1


def test_rows_of_the_same_moment_are_each_given_once():
    at = clock.now()
    refund = factories.RefundFactory(created_at=at, payment__created_at=at)
    for _ in range(3):
        factories.PaymentFactory(merchant=refund.merchant, created_at=at)
    asked, seen, place = history(refund.merchant), [], None
    while piece := asked.after(place, limit=1):
        seen += [row.id for row in piece]
        place = piece[-1].place
    assert len(seen) == len(set(seen)) == 5
    assert seen == [row.id for row in asked.after(None, limit=10)]


def test_rows_that_arrive_while_pages_are_read_disturb_no_page_after_it():
    merchant = factories.MerchantFactory()
    first = [factories.PaymentFactory(merchant=merchant).pk for _ in range(4)]
    asked = history(merchant)
    page = asked.after(None, limit=2)
    factories.PaymentFactory(merchant=merchant)
    rest = asked.after(page[-1].place, limit=10)
    assert [row.id for row in page + rest] == first[::-1]


def test_every_kind_in_the_history_has_its_index_and_only_columns_that_there_are():
    assert [subject.kind for subject in kinds()] == ["payment", "refund"]
    for subject in kinds():
        fields = [tuple(index.fields) for index in subject.model._meta.indexes]
        assert ("merchant", "livemode", "-created_at", "-id") in fields
        assert set(subject.transactions.columns) <= set(TRANSACTION_COLUMNS)
