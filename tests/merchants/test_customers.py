"""Customers over HTTP: created, found, changed and merged."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, connections, transaction

from core import crypto
from core.crypto import KeyRing
from events.models import AuditEntry, DataKey, Event
from merchants import customers
from merchants.models import Customer
from tests import factories
from tests.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/v1/customers"
ADDRESS = {"line1": "Moi Avenue 1", "city": "Nairobi", "country": "KE"}
NJERI = {"name": "Njeri Kamau", "email": "Njeri@Example.com", "phone": "+254 711 000 111", "address": ADDRESS}


def create(api, status=201, **body):
    answer = api.post(PATH, body)
    assert answer.status_code == status, answer.text
    return answer.json()


def change(api, customer, **body):
    return api.call("PATCH", f"{PATH}/{customer['id']}", body)


def merge(api, survivor, duplicate, **options):
    return api.post(f"{PATH}/{survivor['id']}/merge", {"duplicate": duplicate["id"]}, **options)


def found(api, **query):
    answer = api.client.get(PATH, query, headers={"Authorization": f"Bearer {api.key.presented}"})
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["data"]]


def events_of(customer):
    rows = Event.objects.filter(subject=customer["id"]).order_by("sequence")
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    return [row.type for row in rows]


def at_once(calls):
    """What each answers when all are made at the same time, over connections of their own."""

    def one(call):
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


# Create and read


def test_a_customer_is_created_and_read(api):
    made = create(api, **NJERI, reference="till-7", metadata={"tier": "gold"})
    assert made == {
        "id": made["id"],
        "object": "customer",
        "state": "active",
        "type": "person",
        **NJERI,
        "phone": "+254711000111",
        "reference": "till-7",
        "metadata": {"tier": "gold"},
        "merged_into": None,
        "livemode": False,
        "created_at": made["created_at"],
        "erased_at": None,
    }
    assert api.get(f"{PATH}/{made['id']}").json() == made
    assert api.get(PATH).json()["data"] == [made]
    assert events_of(made) == ["customer.created"]


def test_everything_is_optional(api):
    made = create(api, type="business")
    assert [made[name] for name in ("type", *customers.CONTACT, "reference")] == ["business", *[None] * 5]


def test_a_list_takes_as_many_queries_for_ten_customers_as_for_one(api, django_assert_num_queries):
    factories.CustomerFactory(merchant=api.key.merchant)
    api.get(PATH)
    with django_assert_num_queries(4) as few:
        api.get(PATH)
    factories.CustomerFactory.create_batch(9, merchant=api.key.merchant)
    with django_assert_num_queries(len(few)):
        assert len(api.get(PATH).json()["data"]) == 10


def test_a_repeat_is_answered_as_the_first_was_and_makes_no_second_one(api):
    first, second = (api.post(PATH, NJERI, idempotency_key="njeri") for _ in range(2))
    assert second.json() == first.json()
    assert second["Idempotency-Replayed"] == "true"
    assert (Customer.objects.count(), DataKey.objects.filter(owner__startswith="cus_").count()) == (1, 1)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"email": "nonsense"}, "/email"),
        ({"phone": "0711 000 111"}, "/phone"),
        ({"phone": "+254"}, "/phone"),
        ({"type": "robot"}, "/type"),
        ({"address": {"country": "Kenya"}}, "/address/country"),
        ({"address": {"planet": "Mars"}}, "/address/planet"),
        ({"birthday": "2000-01-01"}, "/birthday"),
        ({"name": "N\x00"}, "/name"),
        ({"reference": "x" * 101}, "/reference"),
    ],
)
def test_a_fault_is_named_and_nothing_is_made(api, body, param):
    problem = create(api, 400, **body)
    assert (problem["code"], problem["param"]) == ("invalid_request", param)
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "4242 4242 4242 4242"}, "/name"),
        ({"metadata": {"note": "4242424242424242"}}, "/metadata/note"),
        ({"address": {"line1": "4242-4242-4242-4242"}}, "/address/line1"),
        ({"phone": "4242424242424242"}, "/phone"),
    ],
)
def test_a_card_number_is_refused_wherever_it_stands(api, body, param):
    problem = create(api, 400, **body)
    assert (problem["code"], problem["param"]) == ("card_data_not_allowed", param)
    assert "4242" not in str(problem)
    assert "4242" not in str(list(AuditEntry.objects.values_list("detail", flat=True)))
    assert not Customer.objects.exists()


def test_a_number_without_its_country_code_is_read_in_the_merchants_region():
    api = Api(factories.ApiKeyFactory(merchant__default_region="KE"))
    assert create(api, phone="0711 000 111")["phone"] == "+254711000111"
    assert (
        found(api, phone="0711000111") == found(api, phone="+254711000111") == found(api, phone=" 254711000111") != []
    )


# A reference is one customer's


def test_a_reference_is_given_once_per_merchant_and_mode(api):
    made = create(api, reference="till-7")
    problem = create(api, 409, reference="till-7")
    assert (problem["code"], problem["param"]) == ("reference_taken", "/reference")
    live = Api(factories.ApiKeyFactory(merchant=api.key.merchant, livemode=True))
    others = Api(factories.ApiKeyFactory())
    assert {create(caller, reference="till-7")["reference"] for caller in (live, others)} == {"till-7"}
    assert found(api, reference="till-7") == [made["id"]]
    assert create(api, reference="")["reference"] is create(api)["reference"] is None


def test_two_creates_at_once_with_one_reference_make_one_customer(api):
    answers = at_once([lambda: Api(api.key).post(PATH, {**NJERI, "reference": "till-7"})] * 6)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"reference_taken"}
    assert (Customer.objects.count(), DataKey.objects.filter(owner__startswith="cus_").count()) == (1, 1)
    assert Event.objects.filter(type="customer.created").count() == 1


# Change


def test_only_what_is_sent_changes_and_null_clears(api):
    made = create(api, **NJERI, reference="till-7", metadata={"a": "b"})
    changed = change(api, made, email=None, phone="+254722000222", metadata={}).json()
    assert changed == {**made, "email": None, "phone": "+254722000222", "metadata": {}}
    assert api.get(f"{PATH}/{made['id']}").json() == changed
    assert found(api, phone="+254722000222") == [made["id"]]
    assert found(api, email=NJERI["email"]) == found(api, phone="+254711000111") == []
    assert events_of(made) == ["customer.created", "customer.updated"]
    assert change(api, made).json() == changed
    assert events_of(made) == ["customer.created", "customer.updated"]


def test_a_reference_cannot_be_taken_from_another(api):
    first, second = create(api, reference="first"), create(api, reference="second")
    refused = change(api, second, reference="first", name="Taken over")
    assert (refused.status_code, refused.json()["code"]) == (409, "reference_taken")
    assert api.get(f"{PATH}/{second['id']}").json() == second
    assert change(api, first, reference=None).json()["reference"] is None
    assert change(api, second, reference="first").json()["reference"] == "first"


# Search


def test_a_customer_is_found_exactly_by_reference_phone_and_email(api):
    made = create(api, **NJERI, reference="till-7")
    create(api, name="Njeri Kamau", email="njeri.other@example.com", phone="+254711000112", reference="till-70")
    for query in ({"reference": "till-7"}, {"email": " NJERI@example.com "}, {"phone": "+254 711 000 111"}):
        assert found(api, **query) == [made["id"]], query
    assert found(api, reference="till-7", email="njeri@example.com") == [made["id"]]
    assert found(api, reference="till-70", email="njeri@example.com") == []
    assert found(api, email="njeri") == found(api, reference="TILL-7") == []


def test_a_search_stays_with_the_caller_and_its_mode(api):
    create(api, **NJERI)
    factories.CustomerFactory(merchant=api.key.merchant, livemode=True, email="njeri@example.com")
    assert found(Api(factories.ApiKeyFactory()), email="njeri@example.com") == []
    assert len(found(api, email="njeri@example.com")) == 1


def test_what_is_searched_for_is_checked(api):
    for query, param in (("phone=0711", "/phone"), ("name=Njeri", "/name"), ("phone=4242424242424242", "/phone")):
        problem = api.get(f"{PATH}?{query}").json()
        assert (problem["status"], problem["param"]) == (400, param)


def test_a_customer_is_found_after_the_master_key_has_changed(api, settings):
    old = settings.KEY_RING
    made = create(api, **NJERI)
    settings.KEY_RING = KeyRing({"new": crypto.new_key(), **old.keys})
    assert found(api, phone=NJERI["phone"]) == found(api, email=NJERI["email"]) == [made["id"]]
    change(api, made, email="kamau@example.com")
    assert found(api, phone=NJERI["phone"]) == found(api, email="kamau@example.com") == [made["id"]]
    assert Customer.objects.get().fingerprint_key == "new"


def test_fingerprints_are_renewed_so_that_no_earlier_master_key_is_needed(api, settings):
    old = settings.KEY_RING
    rows = [create(api, email=f"njeri{number}@example.com") for number in range(3)]
    create(api, name="Without")
    before = list(Customer.objects.order_by("pk").values_list("email_fingerprint", flat=True))
    settings.KEY_RING = KeyRing({"new": crypto.new_key(), **old.keys})
    assert [customers.renew_fingerprints(at_once=2) for _ in range(2)] == [3, 0]
    assert set(before) & set(Customer.objects.values_list("email_fingerprint", flat=True)) == {None}
    settings.KEY_RING = KeyRing({"new": settings.KEY_RING.keys["new"], "unused": crypto.new_key()})
    with transaction.atomic():
        found_ones = Customer.objects.filter(
            email_fingerprint__in=customers.sealing.fingerprints(
                "email", api.key.merchant_id, "njeri1@example.com", livemode=False
            )
        )
        assert [row.pk for row in found_ones] == [rows[1]["id"]]


# Merge


def test_a_duplicates_id_goes_on_answering_with_the_survivor(api):
    kept = create(api, name="Njeri Kamau", email="njeri@example.com", reference="till-7")
    gone = create(api, name="N. Kamau", phone="+254711000111", address=ADDRESS, reference="web-3")
    answer = merge(api, kept, gone)
    survivor = {**kept, "phone": "+254711000111", "address": ADDRESS}
    assert (answer.status_code, answer.json()) == (200, survivor)
    assert api.get(f"{PATH}/{kept['id']}").json() == survivor
    shown = {"id": gone["id"], "state": "merged", "merged_into": kept["id"], "created_at": gone["created_at"]}
    assert api.get(f"{PATH}/{gone['id']}").json() == {**survivor, **shown}
    assert found(api) == [kept["id"]]
    assert events_of(gone) == ["customer.created", "customer.merged"]
    assert events_of(kept) == ["customer.created", "customer.updated"]


def test_a_search_by_what_only_the_duplicate_knew_finds_the_survivor(api):
    kept, gone = create(api, **NJERI), create(api, email="old@example.com", reference="web-3")
    merge(api, kept, gone)
    for query in ({"email": "old@example.com"}, {"reference": "web-3"}, {"email": "njeri@example.com"}):
        assert found(api, **query) == [kept["id"]], query
    assert create(api, 409, reference="web-3")["code"] == "reference_taken"


def test_a_change_of_the_duplicate_changes_the_survivor(api):
    kept, gone = create(api, **NJERI), create(api)
    merge(api, kept, gone)
    assert change(api, gone, name="Njeri wa Kamau").json()["id"] == gone["id"]
    assert api.get(f"{PATH}/{kept['id']}").json()["name"] == "Njeri wa Kamau"


def test_merged_twice_is_merged_once(api):
    kept, gone = create(api, **NJERI), create(api)
    first = merge(api, kept, gone, idempotency_key="once")
    again, other_key = merge(api, kept, gone, idempotency_key="once"), merge(api, kept, gone)
    assert first.json() == again.json() == other_key.json()
    assert again["Idempotency-Replayed"] == "true"
    assert events_of(gone) == ["customer.created", "customer.merged"]


def test_a_merge_in_a_circle_is_refused(api):
    first, second = create(api, **NJERI), create(api)
    merge(api, first, second)
    for survivor, duplicate in ((second, first), (first, first), (second, second)):
        problem = merge(api, survivor, duplicate).json()
        expected = (200, None) if (survivor, duplicate) == (second, second) else (400, "/duplicate")
        assert (problem.get("status", 200), problem.get("param")) == expected
    assert Customer.objects.get(pk=first["id"]).state == "active"
    assert Customer.objects.get(pk=second["id"]).merged_into_id == first["id"]


def test_merges_in_a_row_all_end_at_the_last_survivor(api):
    first, second, third = create(api), create(api), create(api, **NJERI)
    merge(api, second, first)
    merge(api, third, second)
    for row in (first, second):
        assert api.get(f"{PATH}/{row['id']}").json()["merged_into"] == third["id"]
    other = create(api)
    problem = merge(api, other, first).json()
    assert (problem["status"], problem["code"], problem["param"]) == (409, "conflict", "/duplicate")


def test_two_opposite_merges_at_once_leave_one_survivor(api):
    first, second = create(api, **NJERI), create(api)
    answers = at_once([lambda: merge(Api(api.key), first, second), lambda: merge(Api(api.key), second, first)])
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    assert sorted(Customer.objects.values_list("state", flat=True)) == ["active", "merged"]


def test_another_merchants_or_modes_customer_is_nobody_to_merge_with(api):
    mine = create(api, **NJERI)
    others = [factories.CustomerFactory(), factories.CustomerFactory(merchant=api.key.merchant, livemode=True)]
    nobody = {"id": "cus_" + "0" * 26}
    told = [merge(api, mine, {"id": getattr(row, "pk", None) or row["id"]}).json() for row in (*others, nobody)]
    assert {(problem["status"], problem["param"], problem["detail"]) for problem in told} == {
        (400, "/duplicate", "There is no such customer.")
    }
    assert set(Customer.objects.values_list("state", flat=True)) == {"active"}


def test_the_database_keeps_merges_within_a_merchant_and_a_mode(api):
    mine = create(api)
    for other in (factories.CustomerFactory(), factories.CustomerFactory(merchant=api.key.merchant, livemode=True)):
        with pytest.raises(IntegrityError, match="same_merchant_and_mode"), transaction.atomic():
            Customer.objects.filter(pk=mine["id"]).update(merged_into=other, state="merged")


def test_a_table_that_registered_is_told_of_a_merge_in_its_transaction(api):
    kept, gone = create(api), create(api)
    told = []

    def repoint(survivor, duplicate):
        told.append((survivor.pk, duplicate.pk, connection.in_atomic_block))

    customers.on_merge(repoint)
    try:
        merge(api, kept, gone)
    finally:
        customers._pointers.remove(repoint)
    assert told == [(kept["id"], gone["id"], True)]
