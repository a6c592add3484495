"""Redis is gone: payments are taken, Stripe's webhooks move them, and what waited goes out when it is back."""

import time

import pytest

from events import work
from merchants.models import Delivery
from tests.payments.world import counters, events_of, reaches, until

pytestmark = pytest.mark.django_db(transaction=True)


def test_payments_go_on_while_redis_is_away_and_what_waited_goes_out_afterwards(
    world, shop, caller, company, redis_at, refused_port, settings
):
    ours = settings.REDIS_URL
    caller.post("webhook-endpoints", 201, url=f"{company.url}/hook")
    world.listen_to_stripe(shop)
    redis_at(f"redis://127.0.0.1:{refused_port}/0")

    paid = caller.card()
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")
    prompt = caller.prompt()
    world.stripe.simulate(asked["attempts"][0]["provider_id"], "approve")
    world.mpesa.simulate(prompt, "approve")

    assert (paid["state"], counters(paid)) == ("succeeded", (1250, 0, 0))
    moved = until(lambda: (found := caller.get(f"payments/{asked['id']}"))["state"] == "succeeded" and found)
    assert moved["captured_amount"] == 1250
    until(lambda: len(world.mpesa.callbacks()) == 1)
    assert world.mpesa.callbacks()[0]["result"] == 200
    assert caller.get(f"payments/{prompt['id']}")["state"] == "requires_action"
    assert company.received == []

    redis_at(ours)
    reaches(shop, prompt, "succeeded")
    world.work_until(lambda: Delivery.objects.filter(state="delivered").count() == 5)
    assert len(company.received) == 5
    assert events_of(prompt) == ["payment.requires_action", "payment.succeeded"]


@pytest.mark.parametrize("how", ["refused_port", "black_hole"])
def test_a_wake_up_never_raises_and_does_not_wait_for_it(redis_at, request, how):
    redis_at(f"redis://127.0.0.1:{request.getfixturevalue(how)}/0")

    started = time.perf_counter()
    for _ in range(200):  # 8 s, if each of them waited
        work.wake_up("outbox")
    assert time.perf_counter() - started < 4


def test_a_redis_that_hangs_costs_a_request_little(world, shop, caller, redis_at, black_hole):
    caller.card()
    redis_at(f"redis://127.0.0.1:{black_hole}/0")

    started = time.perf_counter()
    answers = [caller.card() for _ in range(5)]

    assert {answer["state"] for answer in answers} == {"succeeded"}
    assert time.perf_counter() - started < 15  # and for ever, if anything waited for its answer
