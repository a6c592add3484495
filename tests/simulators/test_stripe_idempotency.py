"""Stripe's idempotency keys: replay, mismatch, in flight, forgetting, and trouble met once."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

CREATE = "POST /v1/payment_intents"


def test_a_repeated_key_replays_the_first_answer(stripe_wire):
    first, second = stripe_wire.pay(key="one"), stripe_wire.pay(key="one")
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert len(stripe_wire.entries()) == 1
    assert stripe_wire.entries("one")[0]["idempotency_key"] == "one"


def test_a_stored_decline_replays_for_ever(stripe_wire):
    first = stripe_wire.pay("pm_card_chargeDeclined", key="one")
    second = stripe_wire.pay("pm_card_chargeDeclined", key="one")
    assert (first.status_code, second.status_code) == (402, 402)
    assert second.json() == first.json()
    assert len(stripe_wire.entries()) == 1


def test_a_500_after_work_began_is_replayed_and_the_money_moved_once(stripe_wire):
    stripe_wire.trouble(on=CREATE, do="500_after")
    first, second = stripe_wire.pay(key="one"), stripe_wire.pay(key="one")
    assert (first.status_code, second.status_code) == (500, 500)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert [entry["state"] for entry in stripe_wire.entries()] == ["succeeded"]


def test_a_500_after_a_decline_is_what_the_key_keeps(stripe_wire):
    stripe_wire.trouble(on=CREATE, do="500_after")
    statuses = [stripe_wire.pay("pm_card_chargeDeclined", key="one").status_code for _ in range(2)]
    assert statuses == [500, 500]


@pytest.mark.parametrize("do", ["reset_after", "timeout_after", "html_after", "empty_after"])
def test_a_lost_answer_is_found_again_with_the_same_key(stripe_wire, do):
    stripe_wire.trouble(on=CREATE, do=do)
    try:
        lost = stripe_wire.pay(key="one")
        assert lost.status_code == 502 or lost.content == b""
    except requests.ConnectionError:
        pass
    again = stripe_wire.pay(key="one")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert [entry["id"] for entry in stripe_wire.entries()] == [again.json()["id"]]


def test_other_parameters_or_another_path_are_refused(stripe_wire):
    id = stripe_wire.pay(key="one").json()["id"]
    other = stripe_wire.pay(key="one", amount=13000)
    assert other.status_code == 400
    assert other.json()["error"]["type"] == "idempotency_error"
    assert "same parameters" in other.json()["error"]["message"]
    elsewhere = stripe_wire.post_form("/v1/refunds", {"payment_intent": id}, key="one")
    assert elsewhere.status_code == 400
    assert "same endpoint" in elsewhere.json()["error"]["message"]
    assert len(stripe_wire.entries()) == 1


def test_a_refused_parameter_binds_no_key(stripe_wire):
    assert stripe_wire.pay(key="one", amount=1).status_code == 400
    assert stripe_wire.pay(key="one").status_code == 200


def test_a_refusal_by_state_is_kept(stripe_wire):
    id = stripe_wire.pay(key="one").json()["id"]
    first = stripe_wire.post_form("/v1/refunds", {"payment_intent": id, "amount": 99999}, key="two")
    again = stripe_wire.post_form("/v1/refunds", {"payment_intent": id, "amount": 99999}, key="two")
    assert (first.status_code, again.headers["Idempotent-Replayed"]) == (400, "true")


def test_a_key_in_flight_is_409_and_afterwards_replays(stripe_wire):
    stripe_wire.trouble(on=CREATE, do="hang", seconds=1.5)
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(stripe_wire.pay, key="one") for _ in range(2)]
    first, refused = sorted((call.result() for call in calls), key=lambda answer: answer.status_code)
    assert (first.status_code, refused.status_code) == (200, 409)
    assert refused.json()["error"]["code"] == "idempotency_key_in_use"
    assert stripe_wire.pay(key="one").headers["Idempotent-Replayed"] == "true"
    assert len(stripe_wire.entries()) == 1


def test_a_race_of_one_key_pays_once(stripe_wire):
    answers, start = [], threading.Barrier(20)

    def run():
        start.wait()
        answers.append(stripe_wire.pay(key="one"))

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 200}) == 1
    assert len(stripe_wire.entries()) == 1


def test_keys_belong_to_an_account(stripe_wire):
    data = {"amount": 500, "currency": "usd", "payment_method_types[]": "card"}
    ids = {
        stripe_wire.post_form("/v1/payment_intents", data, key="one", secret=secret).json()["id"]
        for secret in ("sk_test_one", "sk_test_two")
    }
    assert len(ids) == 2


def test_an_old_key_is_a_new_request(stripe_wire):
    first = stripe_wire.pay(key="one").json()["id"]
    stripe_wire.settings(idempotency_seconds=0)
    assert stripe_wire.pay(key="one").json()["id"] != first


def test_a_key_of_256_characters_is_refused(stripe_wire):
    assert stripe_wire.pay(key="k" * 256).status_code == 400
    assert stripe_wire.pay(key="k" * 255).status_code == 200


def test_get_ignores_the_key(stripe_wire):
    id = stripe_wire.pay(key="one").json()["id"]
    headers = {"Authorization": "Bearer sk_test_lango_simulator", "Idempotency-Key": "one"}
    answer = requests.get(f"{stripe_wire.url}/v1/payment_intents/{id}", headers=headers, timeout=5)
    assert answer.json()["id"] == id
    assert "Idempotent-Replayed" not in answer.headers


@pytest.mark.parametrize(
    ("amount", "paid_after_first"),
    [(6660100, 0), (6660200, 1), (6660300, 0), (6660400, 1), (6660500, 0), (6660800, 1)],
)
def test_a_magic_amount_makes_its_trouble_once_per_key(stripe_wire, amount, paid_after_first):
    with contextlib.suppress(requests.ConnectionError):
        assert stripe_wire.pay(key="one", amount=amount).status_code in (500, 502)
    assert len(stripe_wire.entries()) == paid_after_first
    assert stripe_wire.pay(key="one", amount=amount).json()["status"] == "succeeded"
    assert len(stripe_wire.entries()) == 1


@pytest.mark.parametrize(("amount", "decline"), [(6662200, "generic_decline"), (6662300, "insufficient_funds")])
def test_a_magic_amount_declines_any_card(stripe_wire, amount, decline):
    assert stripe_wire.pay(amount=amount).json()["error"]["decline_code"] == decline
