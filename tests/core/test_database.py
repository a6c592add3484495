"""Several rows in one statement: all of them or none."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core.database import delete_in_batches, insert_all, insert_ignoring, update_and_insert, violated
from events.models import CallbackKey, Transition
from merchants.models import ApiKey, Merchant
from payments.models import Payment
from tests import factories

pytestmark = pytest.mark.django_db


def _key(merchant, text):
    return ApiKey(merchant=merchant, name=text, owner="Amina", hash=text, prefix="sk_test_", last_four="abcd")


def _transition(sequence):
    return Transition(
        subject="pay_1", sequence=sequence, from_state="created", to_state="failed", by="tests", because="so"
    )


def test_rows_of_several_models_are_inserted_in_one_statement_also_when_they_refer_to_each_other():
    merchant = Merchant(name="Duka Moja")
    rows = [merchant, _key(merchant, "one"), _key(merchant, "two")]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        insert_all(*rows)
    assert len(queries) == 1
    for row in rows:
        fresh = type(row).objects.get(pk=row.pk)
        for field in row._meta.concrete_fields:
            assert getattr(fresh, field.attname) == getattr(row, field.attname), field


def test_an_inserted_row_is_no_longer_new():
    merchant = Merchant(name="Duka Moja")
    insert_all(merchant)
    merchant.name = "Duka Mbili"
    merchant.save(force_update=True)
    assert Merchant.objects.get(pk=merchant.pk).name == "Duka Mbili"


def test_when_one_row_violates_a_constraint_none_is_inserted_and_the_constraint_is_named():
    insert_all(_transition(1))
    merchant = Merchant(name="Duka Moja")
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        insert_all(merchant, _transition(1))
    assert violated(caught.value) == "one_transition_per_sequence"
    assert not Merchant.objects.filter(pk=merchant.pk).exists()


def test_a_fault_without_a_constraint_names_none():
    assert violated(IntegrityError("x")) == ""


def test_ignoring_says_whether_the_row_was_inserted():
    def row():
        return CallbackKey(account="acct_1", door="events", key="evt_1", callback="cb_1")

    assert insert_ignoring(row()) is True
    assert insert_ignoring(row()) is False
    assert CallbackKey.objects.count() == 1


def test_a_row_that_is_as_expected_changes_together_with_the_insertion():
    payment = factories.PaymentFactory(state="processing")
    with CaptureQueriesContext(connection) as queries:
        done = update_and_insert(
            payment, {"state": "failed", "sequence": 1}, expecting={"state": "processing"}, rows=[_transition(1)]
        )
    assert done
    assert len(queries) == 1
    assert Payment.objects.filter(pk=payment.pk, state="failed", sequence=1).exists()
    assert Transition.objects.get().sequence == 1


def test_a_row_that_is_not_as_expected_stays_and_its_caller_is_told():
    payment = factories.PaymentFactory(state="processing")
    assert not update_and_insert(payment, {"state": "failed"}, expecting={"state": "created"}, rows=[])
    assert Payment.objects.get(pk=payment.pk).state == "processing"


def test_only_the_row_itself_changes():
    payment, other = factories.PaymentFactory(), factories.PaymentFactory()
    update_and_insert(payment, {"state": "failed"}, expecting={"state": "processing"}, rows=[])
    assert Payment.objects.get(pk=other.pk).state == "processing"


def test_rows_are_deleted_in_batches_with_what_belongs_to_them():
    rows = [factories.MerchantFactory() for _ in range(5)]
    kept, batches = factories.MerchantFactory(name="kept"), []
    assert delete_in_batches(Merchant.objects.exclude(name="kept"), batch=2, also=batches.append) == 5
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert {key for batch in batches for key in batch} == {row.pk for row in rows}
    assert Merchant.objects.get() == kept
    assert delete_in_batches(Merchant.objects.exclude(name="kept")) == 0
