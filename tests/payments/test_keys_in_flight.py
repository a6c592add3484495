"""A key that is rotated, ends, is revoked or moves away while one of its requests is under way."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from core import clock
from merchants import services
from merchants.models import ApiKey
from payments.models import Operation
from tests.payments.world import Api, until

pytestmark = pytest.mark.django_db(transaction=True)

INTENTS = "POST /v1/payment_intents"


def rotate(world, shop, key):
    answer = shop.api.post(f"api-keys/{key.pk}/rotate", 201, overlap_seconds=0)
    assert Api(world.base_url, answer["secret"]).get("payments")["object"] == "list"


def expire(world, shop, key):
    ApiKey.objects.filter(pk=key.pk).update(expires_at=clock.now())


def revoke(world, shop, key):
    assert shop.api.post(f"api-keys/{key.pk}/revoke")["is_current"] is False


def move_away(world, shop, key):
    services.set_key_addresses(key, allowed_addresses=["198.51.100.0/24"], by="staff:1")


@pytest.mark.parametrize("end", [rotate, expire, revoke, move_away])
def test_what_is_under_way_ends_normally_and_the_next_request_is_refused(world, shop, end):
    caller = shop.key_with()
    key = ApiKey.objects.latest("pk")
    world.stripe.post("settings", trouble_seconds=2.5)
    world.stripe.trouble("hang", INTENTS)

    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(caller.card, key="once")
        until(lambda: Operation.objects.filter(state="sending").exists())
        end(world, shop, key)
        refused = caller.send("GET", "payments")
        assert not under_way.done()

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert under_way.result()["state"] == "succeeded"
    assert caller.send("POST", "payments", key="once", json={}).status_code == 401
    assert len(world.stripe.entries()) == 1


def test_both_keys_work_until_the_overlap_ends(world, shop):
    caller = shop.key_with()
    key = ApiKey.objects.latest("pk")
    successor = Api(world.base_url, shop.api.post(f"api-keys/{key.pk}/rotate", 201, overlap_seconds=60)["secret"])

    assert caller.card()["state"] == successor.card()["state"] == "succeeded"
    with clock.shifted(timedelta(seconds=61)):
        assert caller.send("GET", "payments").status_code == 401
        assert successor.send("GET", "payments").status_code == 200
