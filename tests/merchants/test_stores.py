"""Stores over the API, and the tokens of their screens: one store each, read-only, short-lived, never kept in clear."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from core import clock
from events.models import AuditEntry, IdempotencyAnswer
from merchants import display_tokens, services, stores
from merchants.models import DisplayToken, Store
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/v1/stores"


def create(api, idempotency_key="s-1", **body):
    return api.post(PATH, {"name": "Lunch counter", "zone": "Asia/Jakarta"} | body, idempotency_key=idempotency_key)


def make_token(api, store, idempotency_key="t-1", **body):
    path = f"{PATH}/{store['id']}/display-tokens"
    return api.post(path, {"name": "Kitchen"} | body, idempotency_key=idempotency_key)


def switched_off(account):
    services.switch_account_off(account, by="tests")
    return account


def faults_of(answer):
    body = answer.json()
    return answer.status_code, body["code"], [fault["param"] for fault in body.get("errors", [])]


def test_a_store_is_made_read_listed_and_changed(api):
    made = create(api, default_method="qris", metadata={"floor": "2"})
    body = made.json()
    assert made.status_code == 201
    assert (body["object"], body["name"], body["zone"]) == ("store", "Lunch counter", "Asia/Jakarta")
    assert (body["default_method"], body["is_enabled"], body["metadata"]) == ("qris", True, {"floor": "2"})
    assert api.get(f"{PATH}/{body['id']}").json() == body
    assert api.get(PATH).json()["data"] == [body]

    changed = api.call("PATCH", f"{PATH}/{body['id']}", {"name": "Counter 2", "is_enabled": False})

    assert changed.json() == body | {"name": "Counter 2", "is_enabled": False}
    assert api.get(f"{PATH}/{body['id']}").json() == changed.json()


def test_the_same_key_makes_one_store(api):
    first, again = create(api), create(api)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Store.objects.count() == 1


def test_a_zone_or_method_that_there_is_not_is_refused_and_named(api):
    refused = create(api, zone="Asia/Atlantis", default_method="barter", color="red")
    assert faults_of(refused) == (400, "invalid_request", ["/color"])
    assert faults_of(create(api, zone="Asia/Atlantis", default_method="barter")) == (
        400,
        "invalid_request",
        ["/zone", "/default_method"],
    )
    assert Store.objects.count() == 0


def test_a_store_prefers_an_account_until_it_prefers_another_or_none(api):
    first, second = (factories.ProviderAccountFactory(merchant=api.key.merchant).pk for _ in range(2))
    made = create(api, default_account=first).json()
    assert made["default_account"] == first
    path = f"{PATH}/{made['id']}"
    assert api.call("PATCH", path, {"default_account": second}).json() == made | {"default_account": second}
    assert api.call("PATCH", path, {"name": "Bar"}).json()["default_account"] == second
    assert api.call("PATCH", path, {"default_account": ""}).json()["default_account"] is None
    assert api.get(path).json()["default_account"] is None


def test_an_account_that_is_not_the_stores_merchants_or_mode_or_is_off_is_refused_and_named(api):
    theirs = factories.ProviderAccountFactory().pk
    live = factories.ProviderAccountFactory(merchant=api.key.merchant, livemode=True, mpesa=True, host="production").pk
    off = switched_off(factories.ProviderAccountFactory(merchant=api.key.merchant)).pk
    kept = create(api).json()
    for wrong in (theirs, live, off, "acct_nobody", f"acct_{'0' * 26}"):
        made = create(api, idempotency_key=wrong, default_account=wrong)
        changed = api.call("PATCH", f"{PATH}/{kept['id']}", {"name": "X", "default_account": wrong})
        for refused in (made, changed):
            assert (refused.status_code, refused.json()["param"]) == (400, "/default_account"), wrong
    assert api.get(PATH).json()["data"] == [kept]


def test_a_preferred_account_that_is_switched_off_later_stays_named(api):
    account = factories.ProviderAccountFactory(merchant=api.key.merchant)
    made = create(api, default_account=account.pk).json()
    switched_off(account)
    again = api.call("PATCH", f"{PATH}/{made['id']}", {"name": "Bar", "default_account": account.pk})
    assert again.json() == made | {"name": "Bar"}


def test_the_database_keeps_a_store_and_its_account_of_one_merchant_and_mode():
    store = factories.StoreFactory()
    live = factories.ProviderAccountFactory(merchant=store.merchant, livemode=True, mpesa=True, host="production")
    for wrong in (factories.ProviderAccountFactory(), live):
        with pytest.raises(IntegrityError, match="same_merchant_and_mode"), transaction.atomic():
            Store.objects.filter(pk=store.pk).update(default_account=wrong)


def test_who_made_and_changed_it_is_written_down(api):
    store = create(api).json()
    api.call("PATCH", f"{PATH}/{store['id']}", {"zone": "UTC"})
    told = AuditEntry.objects.filter(object_id=store["id"], action__startswith="store.").order_by("pk")
    assert list(told.values_list("action", "actor")) == [
        ("store.created", api.key.pk),
        ("store.changed", api.key.pk),
    ]


def test_a_token_is_shown_once_and_kept_as_a_hash(api):
    store = create(api).json()
    made, again = make_token(api, store), make_token(api, store)
    body = made.json()
    assert made.status_code == 201
    assert body["secret"].startswith("display_test_")
    assert body["secret"][-4:] == body["last_four"]
    assert (body["store"], body["name"], body["is_current"]) == (store["id"], "Kitchen", True)
    assert again.json() == body | {"secret": None}
    assert api.get(f"{PATH}/{store['id']}/display-tokens").json()["data"] == [body | {"secret": None}]
    kept = [vars(row) for model in (DisplayToken, AuditEntry, IdempotencyAnswer) for row in model.objects.all()]
    assert body["secret"] not in str(kept)
    assert api.get("/v1/payments", presented=body["secret"]).status_code == 401


def test_a_token_opens_its_own_store_and_no_other():
    token = factories.DisplayTokenFactory()
    other = factories.StoreFactory(merchant=token.store.merchant)
    live = factories.StoreFactory(merchant=token.store.merchant, livemode=True)

    assert display_tokens.find(token.presented, store=token.store_id) == token
    for store in (other, live):
        assert display_tokens.find(token.presented, store=store.pk) is None
    forged = token.presented.replace("_test_", "_live_")
    for presented in (forged, token.presented[:-1], token.presented + "0", "", "sk_test_x", token.hash):
        assert display_tokens.find(presented, store=token.store_id) is None


def test_a_token_ends_by_itself():
    token = factories.DisplayTokenFactory(lifetime=timedelta(minutes=5))
    with clock.shifted(timedelta(minutes=4)):
        assert display_tokens.find(token.presented, store=token.store_id) == token
    with clock.shifted(timedelta(minutes=5)):
        assert display_tokens.find(token.presented, store=token.store_id) is None


def test_a_life_beyond_a_week_is_refused(api):
    store = create(api).json()
    assert faults_of(make_token(api, store, lifetime_seconds=7 * 86400 + 1))[2] == ["/lifetime_seconds"]
    assert make_token(api, store, lifetime_seconds=7 * 86400).status_code == 201


def test_a_rotated_token_works_on_until_its_overlap_ends(api):
    store = create(api).json()
    old = make_token(api, store).json()

    path = f"{PATH}/{store['id']}/display-tokens/{old['id']}/rotate"
    new = api.post(path, {"overlap_seconds": 60}, idempotency_key="r-1").json()

    assert (new["name"], new["store"]) == ("Kitchen", store["id"])
    assert new["secret"] != old["secret"]
    for secret, works in ((old["secret"], True), (new["secret"], True)):
        assert bool(display_tokens.find(secret, store=store["id"])) is works
    with clock.shifted(timedelta(seconds=61)):
        assert display_tokens.find(old["secret"], store=store["id"]) is None
        assert display_tokens.find(new["secret"], store=store["id"])
        again = api.post(path, {}, idempotency_key="r-2")
        assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_a_revoked_token_is_refused_at_once(api):
    store = create(api).json()
    token = make_token(api, store).json()
    revoked = api.post(f"{PATH}/{store['id']}/display-tokens/{token['id']}/revoke", {}, idempotency_key="x").json()
    assert revoked["is_current"] is False
    assert revoked["revoked_at"] is not None
    assert display_tokens.find(token["secret"], store=store["id"]) is None


def test_a_token_is_found_through_its_own_store_only(api):
    store, other = create(api).json(), create(api, "s-2").json()
    token = make_token(api, store).json()
    answer = api.post(f"{PATH}/{other['id']}/display-tokens/{token['id']}/revoke", {}, idempotency_key="x")
    assert answer.status_code == 404
    assert display_tokens.find(token["secret"], store=store["id"])


def test_screens_stop_with_their_store_and_their_merchant():
    token = factories.DisplayTokenFactory()
    store = token.store
    stores.change_store(store, is_enabled=False, by="tests")
    assert display_tokens.find(token.presented, store=store.pk) is None
    stores.change_store(store, is_enabled=True, by="tests")
    services.change_merchant(store.merchant, name="x", is_active=False, default_region="", by="tests")
    assert display_tokens.find(token.presented, store=store.pk) is None


def test_a_store_has_so_many_current_tokens_and_no_more(api):
    store = Store.objects.get(pk=create(api).json()["id"])
    many = display_tokens.MOST_PER_STORE
    for number in range(many):
        factories.DisplayTokenFactory(store=store, name=str(number))
    refused = make_token(api, {"id": store.pk})
    assert (refused.status_code, refused.json()["code"]) == (409, "limit_reached")
    display_tokens.revoke_token(DisplayToken.objects.first(), by="tests")
    assert make_token(api, {"id": store.pk}).status_code == 201


def test_a_token_survives_the_rotation_of_the_master_key(settings):
    from core.crypto import KeyRing, new_key
    from events import rotation

    token = factories.DisplayTokenFactory()
    earlier = settings.KEY_RING
    assert "display tokens" in {part.name for part in rotation.kept() if part.count()}
    settings.KEY_RING = KeyRing({"next": new_key(), **earlier.keys})
    assert display_tokens.find(token.presented, store=token.store_id) == token


def test_the_database_keeps_a_token_with_its_stores_merchant_and_mode():
    token = factories.DisplayTokenFactory()
    for wrong in ({"livemode": True}, {"merchant": factories.MerchantFactory()}):
        with pytest.raises(IntegrityError, match="same_merchant_and_mode"), transaction.atomic():
            DisplayToken.objects.filter(pk=token.pk).update(**wrong)
