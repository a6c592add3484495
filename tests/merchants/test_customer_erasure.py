"""What is left of an erased customer: an id, two moments, and a signed record (security.md 4)."""

import copy
import json
import logging

import pytest
from django.db import IntegrityError, connection, transaction

from core.crypto import CannotOpen
from core.logging import JsonFormatter
from events import audit, idempotency, sealing
from events.models import AuditEntry, DataKey, Event, IdempotencyAnswer, Transition
from merchants import customers
from merchants.customer_presentation import present_customer
from merchants.models import Customer
from tests import factories
from tests.events.test_idempotency import claim_of
from tests.journeys.test_secrets import found_in, stored_texts
from tests.merchants.test_customers import ADDRESS, PATH, at_once, change, create, events_of, found, merge

pytestmark = pytest.mark.django_db(transaction=True)
PERSONAL = {
    "name": "Wanjiku Mwangi",
    "email": "wanjiku.mwangi@example.org",
    "phone": "+254733444555",
    "address": {"line1": "Kimathi Street 9", "city": "Nyeri"},
}
SECRETS = {
    **{name: value for name, value in PERSONAL.items() if isinstance(value, str)},
    "e-mail in capitals": "WANJIKU",
    "phone as it was given": "0733 444 555",
    "street": "Kimathi Street 9",
    "their reference": "wanjiku-of-till-7",
    "their metadata": "likes mandazi",
}


@pytest.fixture
def customer(api):
    given = {"reference": SECRETS["their reference"], "metadata": {"note": SECRETS["their metadata"]}}
    answer = api.post(PATH, PERSONAL | given, idempotency_key="made once")  # its answer is kept under the key
    assert answer.status_code == 201
    return answer.json()


def erase(api, customer):
    return api.call("DELETE", f"{PATH}/{customer['id']}")


def hold(customer, reason="case 12 of 2026"):
    customers.hold(Customer.objects.get(pk=customer["id"]), reason=reason, by="staff:amina")


def test_an_erased_customer_shows_its_id_and_two_moments(api, customer):
    answer = erase(api, customer)
    left = answer.json()
    assert answer.status_code == 200
    assert left == {
        "id": customer["id"],
        "object": "customer",
        "livemode": False,
        "created_at": customer["created_at"],
        "erased_at": left["erased_at"],
    }
    assert left["erased_at"] > customer["created_at"]
    assert api.get(f"{PATH}/{customer['id']}").json() == left
    assert api.get(PATH).json()["data"] == []
    assert events_of(customer) == ["customer.created", "customer.erased"]


def test_nothing_of_them_is_left_in_any_row(api, customer):
    change(api, customer, phone="+254722000222")
    erase(api, customer)
    assert found_in(list(stored_texts()), {**SECRETS, "their second phone": "254722000222"}) == set()
    row = Customer.objects.get()
    assert {getattr(row, f"{name}_fingerprint") for name in ("email", "phone")} == {None}


def test_it_cannot_be_read_even_from_a_copy_of_the_database_that_was_made_before(api, customer):
    kept = Customer.objects.get()
    answers = list(IdempotencyAnswer.objects.all())
    assert customers.contact_of(kept) == PERSONAL
    assert json.loads(sealing.unseal(answers[0], "body")) == customer
    erase(api, customer)
    for name in customers.CONTACT:
        with pytest.raises(CannotOpen):
            sealing.unseal(kept, name)
    with pytest.raises(CannotOpen):
        sealing.unseal(answers[0], "body")
    with pytest.raises(CannotOpen):
        sealing.seal(kept, "name", "Wanjiku again")
    assert not DataKey.objects.filter(owner=customer["id"]).exists()


def test_a_repeat_of_the_request_that_made_them_shows_what_is_left(api):
    made = api.post(PATH, PERSONAL, idempotency_key="wanjiku").json()
    left = erase(api, made).json()
    again = api.post(PATH, PERSONAL, idempotency_key="wanjiku")
    assert (again.status_code, again["Idempotency-Replayed"], again.json()) == (201, "true", left)
    assert Customer.objects.count() == 1


def test_a_signed_record_names_the_key_that_was_destroyed(api, customer):
    key = DataKey.objects.get(owner=customer["id"])
    erase(api, customer)
    record = AuditEntry.objects.get(action="customer.erased")
    assert (record.actor, record.merchant, record.object_id) == (api.key.pk, api.key.merchant_id, customer["id"])
    assert record.detail == {"data_key": key.pk}
    assert audit.is_intact(record)
    assert Transition.objects.get(subject=customer["id"]).to_state == "erased"


def test_erased_twice_is_erased_once(api, customer):
    first, second = erase(api, customer), erase(api, customer)
    assert first.json() == second.json()
    assert AuditEntry.objects.filter(action="customer.erased").count() == 1
    assert events_of(customer) == ["customer.created", "customer.erased"]


def test_erased_many_times_at_once_is_erased_once(api, customer):
    answers = at_once([lambda: erase(type(api)(api.key), customer)] * 5)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["erased_at"] for answer in answers}) == 1
    assert events_of(customer) == ["customer.created", "customer.erased"]


def test_an_erasure_among_changes_and_merges_at_once_leaves_nothing(api, customer):
    other = create(api, name="Other", email="other@example.org")

    def caller():
        return type(api)(api.key)

    answers = at_once(
        [
            lambda: change(caller(), customer, phone="+254722000222"),
            lambda: merge(caller(), customer, other),
            lambda: erase(caller(), customer),
            lambda: change(caller(), other, name="Changed"),
            lambda: change(caller(), customer, name="Wanjiku again"),
        ]
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert answers[2].status_code == 200
    row = Customer.objects.get(pk=customer["id"])
    assert (row.state, row.name, row.phone_fingerprint) == ("erased", None, None)
    living = Customer.objects.exclude(state="erased")
    assert set(DataKey.objects.filter(owner__startswith="cus_").values_list("owner", flat=True)) == {
        row.pk for row in living
    }


def test_an_erased_customer_is_not_changed_merged_or_found(api, customer):
    other = create(api, name="Other")
    erase(api, customer)
    for answer in (
        change(api, customer, name="Back"),
        merge(api, customer, other),
        merge(api, other, customer),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "customer_erased")
    assert found(api, reference=SECRETS["their reference"]) == found(api, phone=PERSONAL["phone"]) == []
    assert create(api, reference=SECRETS["their reference"])["id"] != customer["id"]


def test_a_person_is_erased_with_every_duplicate_by_any_of_its_ids(api, customer):
    second, third = create(api, email="second@example.org"), create(api, email="third@example.org")
    merge(api, second, customer)
    merge(api, third, second)
    before = list(Customer.objects.all())
    assert erase(api, customer).json()["id"] == customer["id"]
    assert set(Customer.objects.values_list("state", flat=True)) == {"erased"}
    assert not DataKey.objects.filter(owner__startswith="cus_").exists()
    for row in before:
        assert set(api.get(f"{PATH}/{row.pk}").json()) == {"id", "object", "livemode", "created_at", "erased_at"}
        with pytest.raises(CannotOpen):
            sealing.unseal(row, "email")


def test_a_legal_hold_wins_until_it_is_ended(api, customer):
    hold(customer)
    refused = erase(api, customer)
    assert (refused.status_code, refused.json()["code"]) == (409, "legal_hold")
    assert "case 12" not in refused.text
    assert api.get(f"{PATH}/{customer['id']}").json() == customer
    customers.end_hold(Customer.objects.get(), by="staff:amina")
    assert erase(api, customer).status_code == 200
    actions = AuditEntry.objects.filter(action__startswith="customer.").order_by("pk")
    assert [row.action for row in actions] == ["customer.held", "customer.hold_ended", "customer.erased"]


@pytest.mark.parametrize("held", ["survivor", "duplicate"])
def test_a_hold_of_one_holds_whoever_it_is_merged_with(api, customer, held):
    survivor = create(api, name="Survivor")
    merge(api, survivor, customer)
    hold(survivor if held == "survivor" else customer)
    for asked in (survivor, customer):
        assert erase(api, asked).json()["code"] == "legal_hold"
    assert DataKey.objects.filter(owner__startswith="cus_").count() == 2


def test_the_database_itself_refuses_to_empty_a_held_row_or_to_erase_one_that_is_not_empty(api, customer):
    rows = Customer.objects.filter(pk=customer["id"])
    with pytest.raises(IntegrityError, match="an_erased_customer_is_empty"), transaction.atomic():
        rows.update(state="erased", erased_at="2026-11-21T00:00:00Z")
    with pytest.raises(IntegrityError, match="a_legal_hold_has_a_reason"), transaction.atomic():
        rows.update(legal_hold=True)


def test_an_answer_about_a_customer_who_is_erased_before_it_is_kept_is_not_kept(api, customer):
    row = Customer.objects.get()
    claim = claim_of(api.key.merchant, key="merge")

    def act():
        claim.bind(row.pk)
        return row

    def present(shown):
        body = present_customer(shown)
        customers.erase_customer(shown, by="tests")
        return body

    answer = idempotency.once(claim, act=act, resume=lambda _: row, present=present, status=200)
    assert answer.body == customer
    assert not IdempotencyAnswer.objects.filter(key="merge").exists()
    assert AuditEntry.objects.filter(action="api.answered", object_id=row.pk, detail={"status": 200}).count() == 1


def test_what_is_sealed_opens_in_its_own_row_and_column_only(api, customer):
    row, other = Customer.objects.get(), factories.CustomerFactory(merchant=api.key.merchant)
    moved = copy.copy(row)
    moved.name = row.email
    with pytest.raises(CannotOpen):
        sealing.unseal(moved, "name")
    other.name = row.name
    with pytest.raises(CannotOpen):
        sealing.unseal(other, "name")


def test_nothing_personal_is_in_events_audit_entries_logs_errors_or_columns_that_are_not_sealed(api, customer, caplog):
    caplog.set_level(logging.DEBUG)
    answers = []
    query = {"phone": PERSONAL["phone"], "email": PERSONAL["email"]}
    found(api, **query)
    answers += [api.post(PATH, {**PERSONAL, "reference": SECRETS["their reference"]})]
    answers += [api.get(f"{PATH}?phone={SECRETS['phone as it was given']}&email={PERSONAL['email']}")]
    answers += [change(api, customer, phone=SECRETS["phone as it was given"])]
    change(api, customer, name="WANJIKU", address=ADDRESS)
    merge(api, create(api, name="Other"), customer)
    hold(customer)
    answers += [erase(api, customer)]
    assert [answer.status_code for answer in answers] == [409, 400, 400, 409]
    assert found_in([answer.text for answer in answers], SECRETS) == set()
    lines = [JsonFormatter().format(line) for line in caplog.records if not line.name.startswith("django.db")]
    assert found_in(lines, SECRETS) == set()
    events = [json.dumps(data) for data in Event.objects.values_list("data", flat=True)]
    assert len(events) >= 5
    assert found_in(events, SECRETS) == set()
    assert found_in([str(row) for row in AuditEntry.objects.values()], SECRETS) == set()
    plain = {name: secret for name, secret in SECRETS.items() if not name.startswith("their")}
    assert found_in(list(stored_texts()), plain) == set()
    assert found_in([repr(row) for row in Customer.objects.all()], SECRETS) == set()
    assert not connection.in_atomic_block
