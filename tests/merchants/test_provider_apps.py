"""One account for one app at a provider, also when two are made at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from core import crypto
from core.crypto import KeyRing
from core.errors import ProviderAppTaken
from merchants import services
from merchants.models import ApiKey, ProviderAccount
from tests import factories, staff

pytestmark = pytest.mark.django_db(transaction=True)


def open_account(merchant, **changes):
    return services.create_provider_account(
        merchant=merchant,
        provider="mpesa",
        name="Till",
        host="simulator",
        credentials=factories.MPESA_CREDENTIALS | changes,
        options=factories.MPESA_OPTIONS,
        by="tests",
    )


def test_of_two_that_come_at_once_one_gets_the_app():
    merchants, ready = [factories.MerchantFactory() for _ in range(4)], Barrier(4)

    def run(merchant):
        try:
            ready.wait(5)
            return open_account(merchant).pk
        except ProviderAppTaken:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = [public_id for public_id in pool.map(run, merchants) if public_id]
    assert made == [ProviderAccount.objects.get().pk]


def test_the_fingerprint_does_not_show_the_credential_and_holds_across_master_keys(settings):
    account = open_account(factories.MerchantFactory())
    assert account.app_fingerprint
    assert factories.MPESA_CREDENTIALS["consumer_key"] not in account.app_fingerprint
    settings.KEY_RING = KeyRing({"new": crypto.new_key(), **settings.KEY_RING.keys})
    with pytest.raises(ProviderAppTaken):
        open_account(account.merchant, consumer_secret="another")


def test_staff_are_told_at_the_field():
    held = open_account(factories.MerchantFactory())
    page = staff.signed_in("merchants.add_provideraccount")
    form = {
        "merchant": held.merchant_id,
        "name": "Second",
        "host": "simulator",
        "priority": "100",
        **factories.MPESA_CREDENTIALS,
        "shortcode": "600222",
        "source_addresses": "127.0.0.1",
        "transaction_status_words": "Completed = succeeded",
        "smallest_amount": "1",
        "largest_amount": "250000",
    }
    answer = page.post(f"{staff.adding(ProviderAccount)}?provider=mpesa", form)
    assert held.pk in answer.text
    assert ProviderAccount.objects.count() == 1
    made = page.post(f"{staff.adding(ProviderAccount)}?provider=mpesa", form | {"consumer_key": "another-app"})
    assert made.status_code == 200
    assert ProviderAccount.objects.count() == 2


def test_staff_change_from_where_a_key_may_be_used():
    key = factories.ApiKeyFactory()
    page = staff.signed_in("merchants.view_apikey", "merchants.set_key_addresses")
    path = staff.page(key, "set_addresses")
    page.post(path, {"allowed_addresses": "203.0.113.7\n10.0.0.1/8", "reason": "moved"})
    assert ApiKey.objects.get().allowed_addresses == []
    page.post(path, {"allowed_addresses": "203.0.113.7\n10.0.0.0/8", "reason": "moved"})
    assert ApiKey.objects.get().allowed_addresses == ["203.0.113.7", "10.0.0.0/8"]
