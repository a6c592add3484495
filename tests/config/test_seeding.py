"""What the demo puts into its database before it opens."""

import pytest

import simulators
from config.demonstration import seeding
from config.demonstration.credentials import Credentials
from config.demonstration.places import Places
from merchants import scopes, services
from merchants.models import ApiKey, Merchant
from tests.payments.world import free_neighbours

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_demo_whose_key_was_revoked_seeds_another_merchant_that_takes_over_the_app(tmp_path):
    with simulators.start(base_port=free_neighbours()) as running:
        port = int(running.url("stripe").rpartition(":")[2])
        places = Places(name="test", folder=tmp_path, web_port=1, simulators_port=port)
        credentials = Credentials()
        first = seeding.seed_merchant(credentials, places=places)
        assert seeding.find_merchant(credentials) == first
        services.revoke_api_key(ApiKey.objects.get(), by="staff:1")
        assert seeding.find_merchant(credentials) is None

        second = seeding.seed_merchant(credentials, places=places)

    assert seeding.find_merchant(credentials) == second
    assert Merchant.objects.count() == 2
    held = {
        account.merchant_id: account.app_fingerprint for account in second.provider_accounts.exclude(app_fingerprint="")
    }
    assert held[second.pk] not in first.provider_accounts.values_list("app_fingerprint", flat=True)


def test_a_key_from_before_the_newest_scopes_gives_way_to_one_that_has_them(tmp_path):
    with simulators.start(base_port=free_neighbours()) as running:
        port = int(running.url("stripe").rpartition(":")[2])
        places = Places(name="test", folder=tmp_path, web_port=1, simulators_port=port)
        credentials = Credentials()
        merchant = seeding.seed_merchant(credentials, places=places)
    seeding.renew_key(merchant, credentials)
    old = ApiKey.objects.get()
    old.scopes = old.scopes[1:]
    old.save()

    seeding.renew_key(merchant, credentials)

    old.refresh_from_db()
    assert old.revoked_at is not None
    assert seeding.find_merchant(credentials) == merchant
    assert set(ApiKey.objects.get(revoked_at=None).scopes) == set(scopes.known())
