"""The one live access token of an M-Pesa account: shared, replaced when it dies, never fought over (security.md 17)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from merchants.models import ProviderToken
from merchants.tokens import AccountTokens
from tests.payments.world import reaches, session

pytestmark = pytest.mark.django_db(transaction=True)

GENERATE, PUSH = "GET /oauth/v1/generate", "POST /mpesa/stkpush/v1/processrequest"


def kill_token(world):
    """Somebody else fetches a token with the same app: ours dies at once."""
    pair = ("lango-simulator-key", "lango-simulator-secret")
    query = {"grant_type": "client_credentials"}
    assert session().get(f"{world.mpesa.url}/oauth/v1/generate", params=query, auth=pair, timeout=8).ok


def test_one_token_serves_many_calls(world, shop, caller):
    for place in range(4):
        caller.prompt(phone=f"25471100050{place}")

    assert world.mpesa.calls(GENERATE) == 1
    assert ProviderToken.objects.get().account_id == shop.mpesa.pk


def test_a_token_that_died_is_replaced_once_and_the_push_goes_out_once(world, shop, caller):
    caller.prompt()
    kill_token(world)

    payment = caller.prompt(phone="254711000112")

    assert payment["state"] == "requires_action"
    assert len(world.mpesa.entries()) == 2
    assert world.mpesa.calls(GENERATE) == 3  # ours, theirs, ours again
    caller.prompt(phone="254711000113")
    assert world.mpesa.calls(GENERATE) == 3


def test_a_token_that_died_during_a_question_is_replaced(world, shop, caller):
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve")
    kill_token(world)

    assert reaches(shop, payment, "succeeded")["captured_amount"] == 25_000


def test_two_processes_that_find_the_token_dead_fetch_one_between_them(world, shop, caller):
    """Another process has its own adapter and memory, and shares the row."""
    caller.prompt()
    kill_token(world)
    elsewhere = AccountTokens(shop.mpesa)
    dead = elsewhere.get(lambda: pytest.fail("the row holds one"))

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda place: caller.prompt(phone=f"25471100060{place}"), range(6)))

    assert {answer["state"] for answer in answers} == {"requires_action"}
    assert world.mpesa.calls(GENERATE) == 3
    elsewhere.reject(dead)
    fresh = elsewhere.get(lambda: pytest.fail("another process has fetched it"))
    assert fresh != dead
    assert fresh == AccountTokens(shop.mpesa).get(lambda: pytest.fail("it is there"))


def test_a_token_near_its_end_is_replaced_before_it_is_refused(world, shop, caller):
    caller.prompt()
    with world.later(seconds=3599 - 30):
        caller.prompt(phone="254711000112")

    assert world.mpesa.calls(GENERATE) == 2
    assert world.mpesa.calls(PUSH) == 2


def test_a_token_that_cannot_be_fetched_has_created_nothing(world, shop, caller):
    world.mpesa.trouble("500_before", GENERATE)

    payment = caller.prompt()

    assert (payment["state"], payment["failure"]["code"]) == ("failed", "provider_unavailable")
    assert world.mpesa.calls(PUSH) == 0
    assert caller.prompt()["state"] == "requires_action"
