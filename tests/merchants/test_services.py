"""The verbs on merchants, their keys, accounts and endpoints: each is in the audit log, none shows a secret."""

import base64

import pytest
from django.db import IntegrityError, transaction

from events import sealing
from events.models import AuditEntry
from merchants import services
from merchants.models import ApiKey, ProviderAccount, WebhookEndpoint
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def told(row):
    return list(AuditEntry.objects.filter(object_id=row.pk).order_by("pk").values_list("action", "actor"))


def test_a_key_is_shown_once_and_stored_as_a_hash():
    key, secret = services.create_api_key(
        merchant=factories.MerchantFactory(), name="till", owner="Amina", scopes=["b:read", "a:read"], by="staff:1"
    )
    assert secret.reveal().startswith("sk_test_")
    assert secret.reveal() not in str(vars(ApiKey.objects.get()))
    assert (key.scopes, key.last_four) == (["a:read", "b:read"], secret.reveal()[-4:])
    assert told(key) == [("api_key.created", "staff:1")]


def test_a_key_is_revoked_and_stays_so():
    key = factories.ApiKeyFactory()
    services.revoke_api_key(key, by="staff:1")
    first = ApiKey.objects.get().revoked_at
    services.revoke_api_key(key, by="staff:2")
    assert ApiKey.objects.get().revoked_at == first
    assert not ApiKey.objects.get().is_current


def test_credentials_are_sealed_and_replacing_them_is_a_new_revision():
    account = factories.ProviderAccountFactory()
    secret = factories.STRIPE_CREDENTIALS["secret_key"]
    assert secret.encode() not in bytes(ProviderAccount.objects.get().credentials)
    services.set_credentials(account, {**factories.STRIPE_CREDENTIALS, "secret_key": "sk_test_other"}, by="staff:1")
    stored = ProviderAccount.objects.get()
    assert b"sk_test_other" in sealing.unseal(stored, "credentials")
    assert stored.revision == 2
    assert told(account)[-1] == ("provider_account.credentials_set", "staff:1")
    assert not any("sk_test" in str(vars(row)) for row in AuditEntry.objects.all())


def test_an_account_has_a_callback_token_from_the_start():
    assert factories.ProviderAccountFactory().callback_tokens.filter(revoked_at=None).count() == 1


def test_a_webhook_secret_is_32_random_bytes_sealed():
    endpoint = factories.WebhookEndpointFactory()
    assert endpoint.presented.startswith("whsec_")
    assert len(base64.b64decode(endpoint.presented.removeprefix("whsec_"))) == 32
    assert sealing.unseal_secret(WebhookEndpoint.objects.get(), "secret").reveal() == endpoint.presented


def test_enabling_an_endpoint_forgets_that_it_was_failing():
    endpoint = factories.WebhookEndpointFactory()
    WebhookEndpoint.objects.update(is_enabled=False, disabled_because="it answered 410 Gone")
    services.change_webhook_endpoint(endpoint, by="key_1", is_enabled=True)
    fresh = WebhookEndpoint.objects.get()
    assert (fresh.is_enabled, fresh.disabled_because, fresh.failing_since) == (True, "", None)


def test_the_database_keeps_test_and_live_apart():
    delivery = factories.DeliveryFactory()
    account = factories.ProviderAccountFactory()
    with pytest.raises(IntegrityError, match="same_mode"), transaction.atomic():
        type(delivery).objects.update(livemode=True)
    with pytest.raises(IntegrityError, match="same_mode"), transaction.atomic():
        account.callback_tokens.update(livemode=True)
