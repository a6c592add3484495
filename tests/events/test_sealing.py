"""Sealed columns open only in their own row, column, merchant and mode."""

from contextlib import suppress

import pytest
from django.db import transaction

from core import crypto
from core.crypto import CannotOpen, KeyRing
from events import sealing
from events.models import DataKey
from events.sealing import KeyDestroyed
from merchants.models import Customer
from payments.models import Payment
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def payment():
    return factories.PaymentFactory(instrument="254708374149")


def test_what_was_sealed_opens_in_its_own_row(payment):
    assert sealing.unseal(Payment.objects.get(), "instrument") == b"254708374149"
    assert sealing.unseal_secret(Payment.objects.get(), "instrument").reveal() == "254708374149"
    assert b"254708374149" not in bytes(payment.instrument)


def test_the_same_text_is_sealed_differently_each_time(payment):
    first = payment.instrument
    sealing.seal(payment, "instrument", "254708374149")
    assert payment.instrument != first


def test_it_does_not_open_in_another_row_of_the_same_merchant(payment):
    other = factories.PaymentFactory(merchant=payment.merchant)
    other.instrument = payment.instrument
    with pytest.raises(CannotOpen):
        sealing.unseal(other, "instrument")


def test_it_does_not_open_for_another_merchant_mode_or_column(payment):
    for column, value in (("merchant_id", factories.MerchantFactory().pk), ("livemode", True)):
        moved = Payment.objects.get()
        setattr(moved, column, value)
        with pytest.raises(CannotOpen):
            sealing.unseal(moved, "instrument")
    payment.description = payment.instrument
    with pytest.raises(CannotOpen):
        sealing.unseal(payment, "description")


def test_it_does_not_open_once_a_byte_is_altered(payment):
    sealed = bytearray(payment.instrument)
    sealed[-1] ^= 1
    payment.instrument = bytes(sealed)
    with pytest.raises(CannotOpen):
        sealing.unseal(payment, "instrument")


def test_a_merchant_has_one_data_key_per_mode_wrapped_by_the_master_key(payment):
    for livemode in (True, False, True):
        sealing.seal(Payment(merchant=payment.merchant, livemode=livemode), "instrument", "x")
    keys = DataKey.objects.filter(owner=payment.merchant_id)
    assert sorted(key.livemode for key in keys) == [False, True]
    assert {key.master_key for key in keys} == {"development"}


def test_a_data_key_made_in_a_transaction_that_is_rolled_back_is_not_remembered():
    merchant = factories.MerchantFactory()
    with suppress(ZeroDivisionError), transaction.atomic():
        sealing.seal(Payment(merchant=merchant, livemode=False), "instrument", "x")
        1 / 0  # noqa: B018
    payment = factories.PaymentFactory(merchant=merchant, instrument="254708374149")
    assert sealing.unseal(payment, "instrument") == b"254708374149"
    assert DataKey.objects.filter(owner=merchant.pk).count() == 1


def test_look_ups_find_values_under_every_master_key_and_make_new_ones_under_the_first(settings):
    old = sealing.fingerprint("phone", "mer_1", "254708374149", livemode=False)
    hashed = sealing.token_hash("t" * 32, livemode=True)
    settings.KEY_RING = KeyRing({"new": crypto.new_key(), **settings.KEY_RING.keys})
    found = sealing.fingerprints("phone", "mer_1", "254708374149", livemode=False)
    assert found == [sealing.fingerprint("phone", "mer_1", "254708374149", livemode=False), old]
    assert hashed in sealing.token_hashes("t" * 32)


def test_a_fingerprint_is_of_one_kind_scope_and_mode():
    made = {
        sealing.fingerprint(kind, scope, "254708374149", livemode=livemode)
        for kind in ("phone", "email")
        for scope in ("mer_1", "mer_2")
        for livemode in (True, False)
    }
    assert len(made) == 8
    assert not any("254708374149" in fingerprint for fingerprint in made)


# Subjects with a key of their own


@pytest.fixture
def customer():
    return factories.CustomerFactory(name="Njeri Kamau")


def test_a_row_may_name_another_owner_of_its_data_key(customer):
    assert sealing.data_key_owner_of(customer) == customer.pk
    assert sealing.owner_of(customer) == customer.merchant_id
    assert sealing.unseal(customer, "name") == b"Njeri Kamau"
    key = DataKey.objects.get(owner=customer.pk)
    assert bytes(customer.name).startswith(key.pk.encode() + b".")


def test_a_subjects_key_is_made_once_and_never_by_sealing():
    merchant = factories.MerchantFactory()
    unborn = Customer(merchant=merchant, livemode=False)
    with pytest.raises(KeyDestroyed):
        sealing.seal(unborn, "name", "Njeri Kamau")
    assert not DataKey.objects.filter(owner=unborn.pk).exists()


def test_what_a_destroyed_key_sealed_is_gone_in_every_row_at_once(customer):
    assert sealing.unseal(customer, "name")
    key = DataKey.objects.get(owner=customer.pk)
    assert sealing.destroy_data_key(customer) == key.pk
    for act in (lambda: sealing.unseal(customer, "name"), lambda: sealing.seal(customer, "name", "again")):
        with pytest.raises(KeyDestroyed):
            act()
    sealing.make_data_key(customer)
    with pytest.raises(KeyDestroyed):
        sealing.unseal(customer, "name")


def test_a_merchants_key_is_not_destroyed_with_one_of_its_rows(payment):
    with pytest.raises(ValueError, match="is no subject"):
        sealing.destroy_data_key(payment)
    assert sealing.unseal(payment, "instrument") == b"254708374149"


def test_the_keys_of_several_subjects_are_fetched_by_one_query(django_assert_num_queries):
    rows = factories.CustomerFactory.create_batch(3, merchant=factories.MerchantFactory())
    keys = sealing.SubjectKeys()
    with django_assert_num_queries(1):
        keys.fetch(rows)
        assert len({sealing.unseal(row, "name", keys=keys) for row in rows}) == 3
