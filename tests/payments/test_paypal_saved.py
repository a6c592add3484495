"""PayPal accounts that are kept: agreed to once, charged without their owner, given up from either side."""

import pytest

from payments.models import SavedMethod
from tests.payments.test_paypal_payments import account, paypal
from tests.payments.world import attention, counters, events_of, path_of, receipts_of, saved_reaches, session

pytestmark = pytest.mark.django_db(transaction=True)

__all__ = ["account", "paypal"]

SETUP, TOKEN, CAPTURE = "POST /v3/vault/setup-tokens", "POST /v3/vault/payment-tokens", "POST /v2/checkout/orders"


def save(caller, status=201, **more):
    customer = caller.post("customers", 201, name="Njeri Kamau")["id"]
    body = {"customer": customer, "method": "paypal", "return_url": "https://shop.example/back", **more}
    return caller.post("saved-methods", status, **body)


def agree(saved, outcome="approve"):
    """The owner on PayPal's page, and where it sends the browser."""
    answer = session().post(saved["next_action"]["url"], data={"outcome": outcome}, allow_redirects=False, timeout=8)
    return session().get(answer.headers["Location"], allow_redirects=False, timeout=8)


def kept(shop):
    saved = save(shop.api)
    agree(saved)
    return saved_reaches(shop, saved, "active")


def test_an_account_is_kept_once_its_owner_agrees(world, shop, account, paypal):
    saved = save(shop.api)
    assert (saved["state"], saved["next_action"]["type"]) == ("requires_action", "redirect")
    assert agree(saved).headers["Location"] == f"https://shop.example/back?saved_method={saved['id']}"
    shown = saved_reaches(shop, saved, "active")
    assert (shown["payer_hint"], shown["card"], shown["is_default"]) == ("b…@example.com", None, True)
    assert path_of(shown) == ["created", "requires_action", "active"]
    assert events_of(shown) == ["saved_method.requires_action", "saved_method.active"]
    assert (paypal.calls(SETUP), paypal.calls(TOKEN)) == (1, 1)
    assert attention() == []


def test_nobody_is_kept_who_does_not_agree(world, shop, account, paypal):
    saved = save(shop.api)
    agree(saved, "cancel")
    with world.later(hours=73):
        assert shop.api.get(f"saved-methods/{saved['id']}")["state"] == "failed"
    assert paypal.calls(TOKEN) == 0


def test_a_kept_account_is_charged_without_its_owner(world, shop, account, paypal):
    payment = shop.api.charge(kept(shop))
    assert (payment["state"], payment["captured_amount"]) == ("succeeded", 1250)
    assert receipts_of(payment) == [("capture", 1250, paypal.entries("payment")[0]["receipt"])]
    assert counters(payment) == (1250, 0, 0)


def test_a_charge_without_its_owner_whose_answers_were_all_lost_may_have_been_paid(world, shop, account, paypal):
    saved = kept(shop)
    paypal.post("settings", callback_mode="missing")
    paypal.trouble("reset_after", CAPTURE, times=20)
    payment = shop.api.charge(saved)
    for hours in (1, 7, 30):
        with world.later(hours=hours):
            assert shop.api.get(f"payments/{payment['id']}")["state"] == "processing"
    assert [entry["state"] for entry in paypal.entries("payment")] == ["succeeded"]


def test_a_lost_answer_to_the_agreement_keeps_one_account(world, shop, account, paypal):
    paypal.trouble("reset_after", TOKEN)
    saved = save(shop.api)
    agree(saved)
    world.work()
    with world.later(seconds=200):
        saved_reaches(shop, saved, "active")
    assert paypal.calls(TOKEN) == 2
    assert SavedMethod.objects.exclude(provider_id="").count() == 1


def test_a_lost_answer_to_the_set_up_asks_its_owner_once(world, shop, account, paypal):
    paypal.trouble("reset_after", SETUP)
    saved = save(shop.api)
    assert saved["state"] == "processing"
    with world.later(seconds=25):
        shown = saved_reaches(shop, saved, "requires_action")
    assert shown["next_action"]["url"]
    assert paypal.calls(SETUP) == 2


def test_an_owner_who_takes_it_back_at_paypal_is_not_charged_again(world, shop, account, paypal):
    saved = kept(shop)
    paypal.simulate(saved["provider_id"], "revoke")
    saved_reaches(shop, saved, "detached")
    charge = {"amount": 1250, "currency": "USD", "saved_method": saved["id"], "off_session": True}
    shop.api.refused("payments", 400, "saved_method_unusable", **charge)


def test_what_the_merchant_gives_up_is_given_up_at_paypal(world, shop, account, paypal):
    saved = kept(shop)
    assert shop.api.post(f"saved-methods/{saved['id']}/detach")["state"] == "detached"
    world.work_until(lambda: SavedMethod.objects.get(pk=saved["id"]).closed_at)
    assert paypal.calls("DELETE /v3/vault/payment-tokens/{token}") == 1


def test_a_card_wants_its_token_and_an_account_has_none(shop, account):
    customer = shop.api.post("customers", 201)["id"]
    without = shop.api.refused("saved-methods", 400, "invalid_request", customer=customer, method="card")
    beside = shop.api.refused(
        "saved-methods", 400, "invalid_request", customer=customer, method="paypal", payment_method="pm_card_visa"
    )
    assert [problem["errors"][0]["param"] for problem in (without, beside)] == ["/payment_method"] * 2
