"""Staff's pages of stores and of their screens' tokens."""

import pytest

from merchants import display_tokens, services
from merchants.models import DisplayToken, Store
from tests import staff
from tests.factories import DisplayTokenFactory, MerchantFactory, ProviderAccountFactory, StoreFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def merchant_s_store():
    store = StoreFactory()
    return store, ProviderAccountFactory(merchant=store.merchant)


SEE = ("merchants.view_store", "merchants.view_displaytoken")


def test_a_store_is_added_and_edited_by_those_who_may():
    merchant = MerchantFactory()
    client = staff.signed_in(*SEE, "merchants.add_store", "merchants.change_store")
    client.post(staff.adding(Store), {"merchant": merchant.pk, "name": "Bar", "zone": "Asia/Jakarta"})
    store = Store.objects.get()
    assert (store.merchant, store.livemode, store.zone, store.is_enabled) == (merchant, False, "Asia/Jakarta", True)

    client.post(staff.page(store, "edit"), {"name": "Bar 2", "zone": "UTC", "reason": "it closes"})

    store.refresh_from_db()
    assert (store.name, store.zone, store.is_enabled) == ("Bar 2", "UTC", False)
    assert ("staff:amina", "store.edit", {"reason": "it closes"}) in staff.recorded(store)


def test_the_account_that_a_store_prefers_is_chosen_among_its_merchants(merchant_s_store):
    store, account = merchant_s_store
    off = ProviderAccountFactory(merchant=store.merchant)
    services.switch_account_off(off, by="tests")
    theirs = ProviderAccountFactory()
    client = staff.signed_in(*SEE, "merchants.change_store")
    form = {"name": "Bar", "zone": "UTC", "is_enabled": "on", "reason": "it has a contract of its own"}
    shown = client.get(staff.page(store, "edit")).text
    assert account.pk in shown
    assert theirs.pk not in shown

    assert "Select a valid choice" in client.post(staff.page(store, "edit"), form | {"default_account": theirs.pk}).text
    refused = client.post(staff.page(store, "edit"), form | {"default_account": off.pk}).text
    assert f"{off.pk} is switched off and takes no payments." in refused
    client.post(staff.page(store, "edit"), form | {"default_account": account.pk})

    store.refresh_from_db()
    assert (store.name, store.default_account) == ("Bar", account)
    assert account.pk in client.get(staff.page(store)).text
    client.post(staff.page(store, "edit"), form)
    store.refresh_from_db()
    assert store.default_account is None


def test_a_zone_that_there_is_not_is_refused():
    client = staff.signed_in(*SEE, "merchants.add_store")
    form = {"merchant": MerchantFactory().pk, "name": "Bar", "zone": "Mars/Olympus"}
    assert "no zone of the IANA database" in client.post(staff.adding(Store), form).text
    assert Store.objects.count() == 0


def test_a_token_is_shown_once_and_revoked():
    store = StoreFactory()
    client = staff.signed_in(*SEE, "merchants.add_displaytoken", "merchants.revoke_display_token")

    shown = client.post(staff.adding(DisplayToken), {"store": store.pk, "name": "Kitchen"}).text

    token = DisplayToken.objects.get()
    presented = next(word for word in shown.replace("<", " ").replace(">", " ").split() if "display_test_" in word)
    assert display_tokens.find(presented.strip("\"'"), store=store.pk) == token
    for page in (staff.page(token), staff.listing(DisplayToken), staff.page(store)):
        again = client.get(page).text
        assert token.pk in again
        assert "display_test_" not in again
    client.post(staff.page(token, "revoke"), {"reason": "stolen"})
    assert display_tokens.find(presented.strip("\"'"), store=store.pk) is None


def test_a_store_leads_to_its_screens_and_a_new_token_to_a_screen_that_has_it(settings):
    settings.PUBLIC_URL = "https://api.example.test"
    store = StoreFactory()
    client = staff.signed_in(*SEE, "merchants.add_displaytoken")
    at = f"https://api.example.test/display/{store.pk}"
    shown = client.get(staff.page(store)).text
    assert f'href="{at}"' in shown
    assert f'href="{at}/kitchen"' in shown
    made = client.post(staff.adding(DisplayToken), {"store": store.pk, "name": "Kitchen"}).text
    assert f"{at}#token=display_test_" in made
    assert f"{at}/kitchen#token=display_test_" in made


def test_nobody_else_may():
    token = DisplayTokenFactory()
    client = staff.signed_in(*SEE)
    assert client.post(staff.page(token, "revoke"), {"reason": "x"}).status_code == 403
    assert client.post(staff.page(token.store, "edit"), {"reason": "x"}).status_code == 403
    assert client.get(staff.adding(Store)).status_code == 403
    assert client.get(staff.adding(DisplayToken)).status_code == 403
