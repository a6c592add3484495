"""A merchant has a provider told where callbacks go, and looks at what came of it."""

import pytest

from events import work
from payments.models import Registration
from tests.payments.world import audit_of

pytestmark = pytest.mark.django_db(transaction=True)

REGISTER = "POST /mpesa/c2b/v2/registerurl"


def path(shop, rest="register-callbacks"):
    return f"provider-accounts/{shop.mpesa.pk}/{rest}"


def test_callbacks_are_registered_once_for_a_key_and_the_outcome_is_shown(world, shop, caller):
    made = caller.post(path(shop), 202, key="once")
    assert made == {
        "id": made["id"],
        "object": "callback_registration",
        "account": shop.mpesa.pk,
        "outcome": "waiting",
        "provider_code": None,
        "message": None,
        "livemode": False,
        "created_at": made["created_at"],
        "sent_at": None,
    }
    assert caller.post(path(shop), 202, key="once") == made
    work.drain("registrations")
    shown = caller.get(path(shop, f"registrations/{made['id']}"))
    assert (shown["outcome"], shown["provider_code"]) == ("registered", "0")
    assert shown["sent_at"] is not None
    assert caller.get(path(shop, "registrations"))["data"] == [shown]
    assert (world.mpesa.calls(REGISTER), Registration.objects.count()) == (1, 1)
    [entry] = audit_of("provider_account.doors_registered")
    assert (entry.object_id, entry.actor.partition("_")[0]) == (shop.mpesa.pk, "key")


def test_addresses_that_the_provider_has_already_are_refused_in_its_words(world, shop, caller):
    world.mpesa.post("settings", register_once=True)
    for _ in range(2):
        made = caller.post(path(shop), 202)
        work.drain("registrations")
    shown = caller.get(path(shop, f"registrations/{made['id']}"))
    assert (shown["outcome"], shown["provider_code"]) == ("refused", "500.003.1001")
    assert "only Safaricom" in shown["message"]


def test_one_registration_at_a_time_and_only_where_a_call_does_it(world, shop, caller):
    caller.post(path(shop), 202)
    assert "under way" in caller.refused(path(shop), 409, "conflict")["detail"]
    stripe = f"provider-accounts/{shop.stripe.pk}/register-callbacks"
    assert "not told" in caller.refused(stripe, 409, "conflict")["detail"]
    caller.refused(path(shop), 400, "invalid_request", url="https://example.com")


def test_it_takes_the_scopes_of_provider_accounts(world, shop):
    reader = shop.key_with("provider_accounts:read")
    reader.refused(path(shop), 403, "scope_missing")
    assert reader.get(path(shop, "registrations"))["data"] == []
    stranger = shop.key_with("payments:read")
    assert stranger.send("GET", path(shop, "registrations")).status_code == 403
    assert Registration.objects.count() == 0


def test_a_registration_is_found_at_its_own_account_only(world, shop, caller):
    made = caller.post(path(shop), 202)
    elsewhere = f"provider-accounts/{shop.stripe.pk}/registrations/{made['id']}"
    assert caller.send("GET", elsewhere).status_code == 404
