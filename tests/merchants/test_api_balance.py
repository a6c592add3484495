"""What a merchant sees of its books."""

import csv
from io import StringIO

import pytest
from django.db import transaction

from core.money import Money
from ledger.facts import Fact
from ledger.posting import Books, post
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def books(api):
    return Books(merchant=api.key.merchant_id, account="acct_1", livemode=False)


def booked(books, fact, amount, source, currency="KES", cause="pay_1"):
    with transaction.atomic():
        post(fact, Money(amount, currency), books=books, source=source, cause=cause)


def test_a_merchant_without_money_has_no_currencies(api):
    assert api.get("/v1/balance").json() == {"object": "balance", "livemode": False, "currencies": []}


def test_the_balance_says_what_is_owed_what_is_reserved_and_what_else_is_held(api, books):
    booked(books, Fact.PAYMENT_CAPTURED, 1000, "rcpt_1")
    booked(books, Fact.PAYMENT_OVERPAID, 50, "rcpt_1")
    booked(books, Fact.REFUND_RESERVED, 300, "ref_1")
    booked(books, Fact.PAYMENT_CAPTURED, 700, "rcpt_2", "USD")
    assert api.get("/v1/balance").json()["currencies"] == [
        {
            "currency": "KES",
            "amount": 1000,
            "reserved": 300,
            "available": 700,
            "other": [{"kind": "overpayment", "amount": 50}],
        },
        {"currency": "USD", "amount": 700, "reserved": 0, "available": 700, "other": []},
    ]


def test_the_transactions_are_what_made_the_balance_the_newest_first(api, books):
    booked(books, Fact.PAYMENT_CAPTURED, 1000, "rcpt_1")
    booked(books, Fact.REFUND_RESERVED, 300, "ref_1", cause="ref_1")
    booked(books, Fact.REFUND_SUCCEEDED, 300, "ref_1", cause="ref_1")
    found = api.get("/v1/balance-transactions").json()["data"]
    assert [(row["type"], row["amount"], row["currency"], row["source"]) for row in found] == [
        ("refund_succeeded", -300, "KES", "ref_1"),
        ("payment_captured", 1000, "KES", "pay_1"),
    ]
    assert sum(row["amount"] for row in found) == api.get("/v1/balance").json()["currencies"][0]["amount"]


def test_the_transactions_come_in_pages_that_follow_each_other(api, books):
    for number in range(5):
        booked(books, Fact.PAYMENT_CAPTURED, number + 1, f"rcpt_{number}", "KES" if number % 2 else "USD")
    seen, cursor = [], ""
    while True:
        page = api.get(f"/v1/balance-transactions?limit=2{cursor}").json()
        seen += [row["amount"] for row in page["data"]]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("query", "amounts"),
    [
        ("currency=USD", [20]),
        ("type=payment_captured", [20, 10]),
        ("source=ref_1", [-5]),
        ("created[gte]=2020-01-01T00:00:00Z", [20, -5, 10]),
        ("created[lt]=2020-01-01T00:00:00Z", []),
    ],
)
def test_the_transactions_are_filtered(api, books, query, amounts):
    booked(books, Fact.PAYMENT_CAPTURED, 10, "rcpt_1")
    booked(books, Fact.REFUND_SUCCEEDED, 5, "ref_1", cause="ref_1")
    booked(books, Fact.PAYMENT_CAPTURED, 20, "rcpt_2", "USD")
    assert [row["amount"] for row in api.get(f"/v1/balance-transactions?{query}").json()["data"]] == amounts


@pytest.mark.parametrize("query", ["currency=XXX", "type=theft", "limit=0", "unknown=1", "created[gte]=soon"])
def test_a_filter_that_is_not_known_is_named(api, query):
    answer = api.get(f"/v1/balance-transactions?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0].partition("[")[0] in answer.json()["param"]


def test_the_whole_list_is_csv_in_major_units(api, books):
    booked(books, Fact.PAYMENT_CAPTURED, 1005, "rcpt_1")
    booked(books, Fact.REFUND_SUCCEEDED, 5, "ref_1", cause="=ref_1")
    answer = api.get("/v1/balance-transactions", accept="text/csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(StringIO(b"".join(answer).decode())))
    assert [(row["type"], row["amount"], row["currency"], row["source"]) for row in rows] == [
        ("refund_succeeded", "-0.05", "KES", "'=ref_1"),
        ("payment_captured", "10.05", "KES", "pay_1"),
    ]


def test_a_refusal_of_csv_is_a_problem_in_json(api):
    answer = api.get("/v1/balance-transactions?unknown=1", accept="text/csv")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_another_merchants_and_the_other_modes_money_is_not_seen(api, books):
    other = factories.MerchantFactory()
    booked(Books(merchant=other.pk, account="acct_2", livemode=False), Fact.PAYMENT_CAPTURED, 10, "rcpt_1")
    booked(Books(merchant=books.merchant, account="acct_3", livemode=True), Fact.PAYMENT_CAPTURED, 20, "rcpt_2")
    assert api.get("/v1/balance").json()["currencies"] == []
    assert api.get("/v1/balance-transactions").json()["data"] == []
    answer = api.get("/v1/balance-transactions", accept="text/csv")
    assert b"".join(answer).decode().count("\n") == 1


def test_the_scope_is_demanded(db):
    key = factories.ApiKeyFactory(scopes=["payments:read"])
    from tests.conftest import Api

    for path in ("/v1/balance", "/v1/balance-transactions"):
        assert Api(key).get(path).status_code == 403
