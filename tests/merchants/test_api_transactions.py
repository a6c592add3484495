"""What a merchant sees of its history of money."""

import csv
import gc
from datetime import timedelta
from io import StringIO

import pytest
from django.db import connection

from core import clock
from events.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/v1/transactions"
HEADERS = (
    *("id", "created_at", "type", "direction", "state", "amount", "currency"),
    *("method", "provider", "provider_id", "reference", "payment", "store"),
)


@pytest.fixture
def merchant(api):
    return api.key.merchant


def attempt_of(merchant, *, mpesa=False, **payment):
    account = factories.ProviderAccountFactory(merchant=merchant, mpesa=mpesa)
    return factories.AttemptFactory(payment=factories.PaymentFactory(merchant=merchant, **payment), account=account)


def ids_of(answer):
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]]


def test_payments_and_refunds_are_told_alike_the_newest_first(api, merchant):
    store = factories.StoreFactory(merchant=merchant)
    attempt = attempt_of(merchant, reference="order-1", state="succeeded", store=store)
    refund = factories.RefundFactory(attempt=attempt, amount=250, provider_id="re_1")

    page = api.get(PATH).json()

    assert (page["object"], page["has_more"], page["next_cursor"]) == ("list", False, None)
    assert page["data"] == [
        {
            "id": refund.pk,
            "object": "transaction",
            "type": "refund",
            "direction": "out",
            "state": "pending",
            "amount": 250,
            "currency": "USD",
            "method": "card",
            "provider": "stripe",
            "provider_id": "re_1",
            "reference": "order-1",
            "payment": attempt.payment.pk,
            "store": store.pk,
            "livemode": False,
            "created_at": clock.rfc3339(refund.created_at),
        },
        {
            "id": attempt.payment.pk,
            "object": "transaction",
            "type": "payment",
            "direction": "in",
            "state": "succeeded",
            "amount": 1250,
            "currency": "USD",
            "method": "card",
            "provider": "stripe",
            "provider_id": attempt.provider_id,
            "reference": "order-1",
            "payment": attempt.payment.pk,
            "store": store.pk,
            "livemode": False,
            "created_at": clock.rfc3339(attempt.payment.created_at),
        },
    ]


def test_it_comes_in_pages_that_follow_each_other(api, merchant):
    made = [factories.PaymentFactory(merchant=merchant).pk for _ in range(5)]
    first = api.get(f"{PATH}?limit=2").json()
    second = api.get(f"{PATH}?limit=2&cursor={first['next_cursor']}").json()
    third = api.get(f"{PATH}?limit=2&cursor={second['next_cursor']}").json()
    assert [row["id"] for page in (first, second, third) for row in page["data"]] == made[::-1]
    assert [page["has_more"] for page in (first, second, third)] == [True, True, False]


def test_each_filter_keeps_what_it_names(api, merchant):
    old = clock.now() - timedelta(days=2)
    card = attempt_of(merchant, amount=500, state="failed", reference="a", created_at=old).payment.pk
    prompt = attempt_of(merchant, mpesa=True, amount=900, currency="KES", method="mpesa", reference="b")
    refund = factories.RefundFactory(attempt=prompt, amount=100).pk
    prompt = prompt.payment.pk
    day = clock.rfc3339(old + timedelta(days=1))
    assert ids_of(api.get(PATH)) == [refund, prompt, card]
    assert ids_of(api.get(f"{PATH}?type=refund")) == [refund]
    assert ids_of(api.get(f"{PATH}?state=failed")) == [card]
    assert ids_of(api.get(f"{PATH}?provider=mpesa")) == [refund, prompt]
    assert ids_of(api.get(f"{PATH}?method=card")) == [card]
    assert ids_of(api.get(f"{PATH}?currency=KES")) == [refund, prompt]
    assert ids_of(api.get(f"{PATH}?reference=b")) == [refund, prompt]
    assert ids_of(api.get(f"{PATH}?amount[gte]=100&amount[lte]=500")) == [refund, card]
    assert ids_of(api.get(f"{PATH}?created[gte]={day}")) == [refund, prompt]
    assert ids_of(api.get(f"{PATH}?created[lt]={day}")) == [card]
    assert ids_of(api.get(f"{PATH}?type=payment&provider=mpesa&method=mpesa&currency=KES")) == [prompt]


def test_one_store_is_told_with_its_refunds_and_without_the_others(api, merchant):
    counter, bar = (factories.StoreFactory(merchant=merchant) for _ in range(2))
    attempt = attempt_of(merchant, store=counter)
    refund = factories.RefundFactory(attempt=attempt, amount=100)
    factories.RefundFactory(attempt=attempt_of(merchant, store=bar))
    factories.RefundFactory(attempt=attempt_of(merchant))
    theirs = factories.StoreFactory()
    factories.PaymentFactory(merchant=theirs.merchant, store=theirs)
    assert ids_of(api.get(f"{PATH}?store={counter.pk}")) == [refund.pk, attempt.payment.pk]
    assert ids_of(api.get(f"{PATH}?store={counter.pk}&type=refund")) == [refund.pk]
    assert ids_of(api.get(f"{PATH}?store={theirs.pk}")) == []
    assert ids_of(api.get(f"{PATH}?store=nowhere")) == []
    rows = whole(api.get(f"{PATH}?store={bar.pk}", Accept="text/csv"))
    assert [row[-1] for row in rows] == ["store", bar.pk, bar.pk]


def test_a_store_that_no_database_could_hold_is_refused_by_name(api):
    refused = api.get(f"{PATH}?store=%00")
    assert (refused.status_code, refused.json()["param"]) == (400, "/store")


def test_an_attempt_at_a_second_provider_shows_the_payment_once_and_where_it_was_tried_last(api, merchant):
    first = attempt_of(merchant)
    factories.AttemptFactory(
        payment=first.payment, account=factories.ProviderAccountFactory(merchant=merchant, mpesa=True)
    )
    rows = api.get(PATH).json()["data"]
    assert [(row["id"], row["provider"]) for row in rows] == [(first.payment.pk, "mpesa")]
    assert ids_of(api.get(f"{PATH}?provider=stripe")) == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("state=paid", "/state"),
        ("type=attempt", "/type"),
        ("provider=acme", "/provider"),
        ("method=cash", "/method"),
        ("currency=kes", "/currency"),
        ("amount[gte]=-1", "/amount__gte"),
        ("created[gte]=yesterday", "/created__gte"),
        ("colour=red", "/colour"),
        ("limit=101", "/limit"),
        ("cursor=nonsense", "cursor"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(api, query, param):
    refused = api.get(f"{PATH}?{query}")
    assert (refused.status_code, refused.json()["param"]) == (400, param)


def test_what_is_anothers_or_of_the_other_mode_is_not_there(api, merchant):
    factories.RefundFactory()
    mine = factories.RefundFactory(attempt=attempt_of(merchant))
    live = factories.ApiKeyFactory(merchant=merchant, livemode=True)
    assert ids_of(api.get(PATH)) == [mine.pk, mine.payment.pk]
    assert ids_of(api.get(PATH, presented=live.presented)) == []
    assert whole(api.get(PATH, Accept="text/csv", presented=live.presented))[1:] == []


def test_it_needs_its_scope(api):
    narrow = factories.ApiKeyFactory(merchant=api.key.merchant, scopes=["payments:read"])
    refused = api.get(PATH, presented=narrow.presented)
    assert (refused.status_code, refused.json()["param"]) == (403, "transactions:read")


# CSV


def whole(answer):
    assert answer.status_code == 200
    return list(csv.reader(StringIO(answer.getvalue().decode(), newline="")))


def test_the_csv_has_all_of_it_with_amounts_in_major_units(api, merchant):
    store = factories.StoreFactory(merchant=merchant)
    attempt = attempt_of(merchant, reference="order-1", state="succeeded", store=store)
    refund = factories.RefundFactory(attempt=attempt, amount=250, provider_id="re_1")
    answer = api.get(f"{PATH}?limit=1", Accept="text/csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="transactions.csv"'
    payment = attempt.payment
    assert whole(answer) == [
        [
            "id",
            "created_at",
            "type",
            "direction",
            "state",
            "amount",
            "currency",
            "method",
            "provider",
            "provider_id",
            "reference",
            "payment",
            "store",
        ],
        [
            *(refund.pk, clock.rfc3339(refund.created_at), "refund", "out", "pending", "2.50", "USD"),
            *("card", "stripe", "re_1", "order-1", payment.pk, store.pk),
        ],
        [
            *(payment.pk, clock.rfc3339(payment.created_at), "payment", "in", "succeeded", "12.50", "USD"),
            *("card", "stripe", attempt.provider_id, "order-1", payment.pk, store.pk),
        ],
    ]


def test_the_csv_takes_the_same_filters(api, merchant):
    factories.PaymentFactory(merchant=merchant, state="failed")
    kept = factories.PaymentFactory(merchant=merchant, state="succeeded")
    rows = whole(api.get(f"{PATH}?state=succeeded", Accept="text/csv"))
    assert [row[0] for row in rows[1:]] == [kept.pk]


@pytest.mark.parametrize("reference", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_reference_that_a_spreadsheet_would_run_is_defused(api, merchant, reference):
    factories.PaymentFactory(merchant=merchant, reference=reference)
    assert whole(api.get(PATH, Accept="text/csv"))[1][10] == f"'{reference}"


def test_no_connection_is_kept_while_the_csv_is_sent_nor_by_a_reader_that_breaks_off(api, merchant):
    for _ in range(3):
        factories.PaymentFactory(merchant=merchant)
    answer = api.get(PATH, Accept="text/csv")
    assert b"pay_" in next(iter(answer.streaming_content))
    assert connection.connection is None
    answer.close()
    assert connection.connection is None
    assert len(ids_of(api.get(PATH))) == 3


def test_a_merchant_has_a_few_downloads_under_way_and_each_leaves_its_place(api, settings):
    settings.DOWNLOADS_AT_ONCE = 2
    first, second = (api.get(PATH, Accept="text/csv") for _ in range(2))
    refused = api.get(PATH, Accept="text/csv")
    assert (refused.status_code, refused.json()["code"], refused["Retry-After"]) == (429, "rate_limited", "10")
    assert len(whole(api.get(PATH, Accept="text/csv", presented=factories.ApiKeyFactory().presented))) == 1
    assert AuditEntry.objects.filter(status=429, route=PATH).count() == 1
    first.close()
    second.close()
    del first, second
    gc.collect()
    assert [len(whole(api.get(PATH, Accept="text/csv"))) for _ in range(3)] == [1, 1, 1]


def test_a_problem_is_json_although_csv_was_asked_for(api):
    refused = api.get(f"{PATH}?state=paid", Accept="text/csv")
    assert (refused.status_code, refused["Content-Type"]) == (400, "application/problem+json")
    assert api.get(PATH, Accept="application/xml").status_code == 406


def test_the_form_is_asked_for_by_accept_and_by_no_parameter(api):
    refused = api.get("/v1/transactions?format=csv")
    assert (refused.status_code, refused.json()["param"]) == (400, "/format")
