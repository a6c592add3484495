"""A merchant's own keys over the API: shown once, never beyond the key that asks."""

import json
from datetime import timedelta

import pytest

from core import clock
from events import idempotency
from events.models import AuditEntry, IdempotencyKey
from merchants import scopes
from merchants.models import ApiKey
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/v1/api-keys"
BODY = {"name": "till", "scopes": ["payments:read", "payments:write"]}


def create(api, idempotency_key="k-1", **changes):
    return api.post(PATH, BODY | changes, idempotency_key=idempotency_key)


def rotate(api, key_id, idempotency_key="r-1", **body):
    return api.post(f"{PATH}/{key_id}/rotate", body, idempotency_key=idempotency_key)


def in_days(days):
    return clock.rfc3339(clock.now() + timedelta(days=days))


def limited(api, **changes):
    """The caller's own key as a smaller one, which may still make keys."""
    held = {"scopes": ["api_keys:read", "api_keys:write", "payments:read"]} | changes
    ApiKey.objects.filter(pk=api.key.pk).update(**held)


def refused(answer):
    body = answer.json()
    return answer.status_code, body["code"], [fault["param"] for fault in body["errors"]]


def test_a_key_is_made_shown_once_and_works(api):
    made = create(api, allowed_addresses=["127.0.0.0/8"], expires_at=in_days(30))
    body = made.json()
    assert made.status_code == 201
    assert body["secret"].startswith("sk_test_")
    assert body["secret"][-4:] == body["last_four"]
    assert (body["name"], body["scopes"], body["allowed_addresses"]) == ("till", BODY["scopes"], ["127.0.0.0/8"])
    assert (body["owner"], body["livemode"], body["is_current"]) == (api.key.owner, False, True)
    assert api.get("/v1/payments", presented=body["secret"]).status_code == 200
    shown = api.get(f"{PATH}/{body['id']}").json()
    assert shown["last_used_address"] == "127.0.0.1"
    assert shown["last_used_at"] is not None
    assert shown | {"last_used_at": None, "last_used_address": None} == {**body, "secret": None}
    assert api.get(PATH).json()["data"][0] == shown


def test_a_merchant_has_so_many_current_keys_in_each_mode_and_no_more(api, settings):
    settings.KEYS_PER_MERCHANT = 3
    factories.ApiKeyFactory(merchant=api.key.merchant, livemode=True)
    factories.ApiKeyFactory()
    made = create(api).json()
    ended = factories.ApiKeyFactory(merchant=api.key.merchant, expires_at=clock.now())
    assert rotate(api, made["id"]).status_code == 201
    for answer in (create(api, "k-2"), rotate(api, made["id"], "r-2")):
        assert (answer.status_code, answer.json()["code"]) == (409, "limit_reached")
    assert create(api)["Idempotency-Replayed"] == "true"
    api.post(f"{PATH}/{made['id']}/revoke", {}, idempotency_key="revoke")
    assert create(api, "k-2").status_code == 201
    assert not ended.is_current


def test_who_made_it_is_written_down_without_the_key(api):
    body = create(api).json()
    actions = list(AuditEntry.objects.filter(object_id=body["id"]).order_by("pk").values_list("action", "actor"))
    assert sorted(actions) == [(action, api.key.pk) for action in ("api.accepted", "api.answered", "api_key.created")]
    assert body["secret"] not in str([vars(row) for row in AuditEntry.objects.all()])


def test_a_replay_makes_no_second_key_and_shows_no_secret(api):
    first, second = create(api), create(api)
    assert second.json() == {**first.json(), "secret": None}
    assert (second.status_code, second["Idempotency-Replayed"]) == (201, "true")
    assert ApiKey.objects.count() == 2


def test_a_replay_after_the_answer_is_gone_shows_no_secret_either(api):
    first = create(api).json()
    with clock.shifted(timedelta(hours=49)):
        assert idempotency.purge_answers() == 1
        assert create(api).json() == {**first, "secret": None}


def test_a_replay_is_answered_although_the_end_that_was_asked_for_has_passed(api):
    ends = in_days(1)
    first = create(api, expires_at=ends).json()
    with clock.shifted(timedelta(days=1, minutes=1)):
        assert create(api, expires_at=ends).json() == {**first, "secret": None}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": "payments:read"}, "/scopes"),
        ({"scopes": ["payments:read", "payments:all"]}, "/scopes/1"),
        ({"expires_at": "soon"}, "/expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"allowed_addresses": ["127.0.0.1", "10.0.0.1/8"]}, "/allowed_addresses/1"),
        ({"allowed_addresses": [""]}, "/allowed_addresses/0"),
        ({"allowed_addresses": ["shop.example"]}, "/allowed_addresses/0"),
        ({"livemode": True}, "/livemode"),
        ({"owner": "Somebody Else"}, "/owner"),
    ],
)
def test_bad_input_is_named_and_makes_nothing(api, changes, named):
    assert refused(create(api, **changes)) == (400, "invalid_request", [named])
    assert ApiKey.objects.get() == api.key
    assert not IdempotencyKey.objects.exists()


def test_every_fault_is_named_at_once(api):
    answer = api.post(PATH, {"scopes": ["nonsense"], "expires_at": 7})
    assert refused(answer) == (400, "invalid_request", ["/scopes/0", "/expires_at", "/name"])


def test_no_key_makes_one_with_more_scope_a_longer_life_or_a_looser_address_list(api):
    limited(api, expires_at=clock.now() + timedelta(days=9), allowed_addresses=["127.0.0.0/24"])
    answer = create(api, expires_at=in_days(10), allowed_addresses=["127.0.0.0/16"])
    assert refused(answer) == (422, "beyond_own_key", ["/scopes", "/expires_at", "/allowed_addresses"])
    assert "payments:write" in answer.json()["detail"]
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"expires_at": None}, "/expires_at"),
        ({"allowed_addresses": []}, "/allowed_addresses"),
        ({"allowed_addresses": ["127.0.0.7", "203.0.113.7"]}, "/allowed_addresses"),
        ({"allowed_addresses": ["::/0"]}, "/allowed_addresses"),
        ({"allowed_addresses": ["0.0.0.0/0"]}, "/allowed_addresses"),
        ({"scopes": ["payments:read", "refunds:read"]}, "/scopes"),
    ],
)
def test_each_bound_holds_by_itself(api, changes, named):
    limited(api, expires_at=clock.now() + timedelta(days=9), allowed_addresses=["127.0.0.0/24"])
    asked = {"scopes": ["payments:read"]} | changes
    assert refused(create(api, **asked)) == (422, "beyond_own_key", [named])
    assert ApiKey.objects.count() == 1


def test_what_is_left_out_is_as_the_own_key_has_it_and_less_is_allowed(api):
    ends = (clock.now() + timedelta(days=9)).replace(microsecond=0)
    limited(api, expires_at=ends, allowed_addresses=["127.0.0.0/24", "::1"])
    same = create(api, scopes=["payments:read"]).json()
    assert (same["expires_at"], same["allowed_addresses"]) == (clock.rfc3339(ends), ["127.0.0.0/24", "::1"])
    less = create(api, "k-2", scopes=["payments:read"], expires_at=in_days(8), allowed_addresses=["127.0.0.7", "::1"])
    assert less.status_code == 201


def test_a_key_never_gives_a_scope_that_approves(api):
    scopes.register({"payouts:approve": "Approve payouts"})
    try:
        limited(api, scopes=["api_keys:write", "payouts:approve"])
        assert refused(create(api, scopes=["payouts:approve"])) == (422, "beyond_own_key", ["/scopes"])
    finally:
        del scopes._scopes["payouts:approve"]


def test_a_rotated_key_works_on_until_its_overlap_ends(api):
    old = factories.ApiKeyFactory(merchant=api.key.merchant, scopes=["payments:read"], name="till")
    ApiKey.objects.filter(pk=old.pk).update(api_version="2026-01-01")
    answer = rotate(api, old.pk, overlap_seconds=3600)
    new = answer.json()
    assert answer.status_code == 201
    assert (new["name"], new["scopes"], new["api_version"]) == ("till", ["payments:read"], "2026-01-01")
    assert new["expires_at"] is None
    held = ApiKey.objects.get(pk=old.pk)
    assert timedelta(minutes=59) < held.expires_at - clock.now() <= timedelta(hours=1)
    for presented in (old.presented, new["secret"]):
        assert api.get("/v1/payments", presented=presented).status_code == 200
    with clock.shifted(timedelta(hours=1)):
        assert api.get("/v1/payments", presented=old.presented).status_code == 401
        assert api.get("/v1/payments", presented=new["secret"]).status_code == 200
    told = AuditEntry.objects.get(action="api_key.rotated")
    assert (told.actor, told.object_id, told.detail["successor"]) == (api.key.pk, old.pk, new["id"])


def test_an_overlap_never_lengthens_a_life(api):
    ends = clock.now() + timedelta(minutes=5)
    old = factories.ApiKeyFactory(merchant=api.key.merchant, expires_at=ends)
    rotate(api, old.pk)
    assert ApiKey.objects.get(pk=old.pk).expires_at == ends


def test_a_replayed_rotation_rotates_once_and_shows_no_secret(api):
    old = factories.ApiKeyFactory(merchant=api.key.merchant)
    first = rotate(api, old.pk).json()
    ended = ApiKey.objects.get(pk=old.pk).expires_at
    with clock.shifted(timedelta(days=2)):
        assert rotate(api, old.pk).json() == {**first, "secret": None}
    assert ApiKey.objects.count() == 3
    assert ApiKey.objects.get(pk=old.pk).expires_at == ended


def test_a_key_that_has_ended_is_not_rotated(api):
    old = factories.ApiKeyFactory(merchant=api.key.merchant)
    ApiKey.objects.filter(pk=old.pk).update(revoked_at=clock.now())
    assert rotate(api, old.pk).json()["code"] == "conflict"
    assert ApiKey.objects.count() == 2


def test_a_bigger_key_is_rotated_into_one_within_the_own_bounds_or_not_at_all(api):
    limited(api)
    bigger = factories.ApiKeyFactory(merchant=api.key.merchant)
    assert refused(rotate(api, bigger.pk)) == (422, "beyond_own_key", ["/scopes"])
    assert ApiKey.objects.get(pk=bigger.pk).expires_at is None
    smaller = rotate(api, bigger.pk, scopes=["payments:read"])
    assert smaller.json()["scopes"] == ["payments:read"]


@pytest.mark.parametrize("overlap", [-1, 2_592_001, "long"])
def test_an_overlap_has_its_bounds(api, overlap):
    assert refused(rotate(api, api.key.pk, overlap_seconds=overlap))[2] == ["/overlap_seconds"]


def test_a_key_can_replace_itself_and_revoke_itself(api):
    successor = rotate(api, api.key.pk, overlap_seconds=60).json()
    revoked = api.post(f"{PATH}/{api.key.pk}/revoke")
    assert (revoked.status_code, revoked.json()["is_current"]) == (200, False)
    assert api.get(PATH).status_code == 401
    assert api.get(PATH, presented=successor["secret"]).status_code == 200


def test_revoking_twice_is_as_once(api):
    other = factories.ApiKeyFactory(merchant=api.key.merchant)
    first = api.post(f"{PATH}/{other.pk}/revoke", idempotency_key="x").json()
    assert api.post(f"{PATH}/{other.pk}/revoke", idempotency_key="x").json() == first
    assert api.post(f"{PATH}/{other.pk}/revoke").json() == first
    assert api.post(f"{PATH}/{other.pk}/revoke", {"why": "x"}).status_code == 400


def test_reading_and_writing_take_their_own_scopes(api):
    limited(api, scopes=["api_keys:read"])
    assert api.get(PATH).status_code == 200
    assert create(api).json()["param"] == "api_keys:write"


def test_no_answer_but_the_first_holds_a_key(api):
    secret = create(api).json()["secret"]
    later = [create(api), api.get(PATH), api.get(f"{PATH}/{ApiKey.objects.latest('pk').pk}")]
    assert not any(secret in json.dumps(answer.json()) for answer in later)
