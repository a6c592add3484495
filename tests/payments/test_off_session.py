"""Saved cards that are charged: with their owner, and without, when the bank may want to see the owner after all."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from merchants.models import ProviderAccount
from payments.models import Payment, SavedMethod
from payments.services import saved_booking
from tests.payments.world import (
    attention,
    events_of,
    nothing_was_written,
    operations_of,
    path_of,
    reaches,
    saved_reaches,
    session,
)

pytestmark = pytest.mark.django_db(transaction=True)

CREATE, CONFIRM = "POST /v1/payment_intents", "POST /v1/payment_intents/{intent}/confirm"
ALWAYS_ASKS = "pm_card_authenticationRequired"
PASSED_THEN_POOR = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"


@pytest.fixture
def asking(world, shop, caller):
    """A card whose bank wants to see its owner each time, saved all the same."""
    return passed(world, shop, caller, ALWAYS_ASKS)


def passed(world, shop, caller, card):
    saved = caller.save_card(card)
    world.stripe.simulate(SavedMethod.objects.get(pk=saved["id"]).setup_id, "approve")
    saved_booking.ask_now(saved["id"])
    return saved_reaches(shop, saved, "active")


def visit(url, method="GET"):
    return session().request(method, url, allow_redirects=False, timeout=20)


def answer_bank(url, outcome="approve"):
    answer = session().post(url, data={"outcome": outcome}, allow_redirects=False, timeout=8)
    return answer.headers["Location"]


def test_a_saved_card_is_charged_without_its_owner(world, caller):
    saved = caller.save_card()
    paid = caller.charge(saved, reference="sub-1")

    assert (paid["state"], paid["captured_amount"], paid["method"]) == ("succeeded", 1250, "card")
    assert (paid["saved_method"], paid["off_session"], paid["customer"]) == (saved["id"], True, saved["customer"])
    assert paid["attempts"][0]["account"] == saved["account"]
    assert events_of(paid) == ["payment.succeeded"]
    [entry] = world.stripe.entries("payment")
    assert entry["state"] == "succeeded"


def test_it_is_charged_at_the_account_that_keeps_it_and_at_no_other(world, shop, caller):
    saved = caller.save_card()
    preferred = shop.account("stripe", {"secret_key": "sk_test_other", "webhook_secrets": ["whsec_other"]})
    ProviderAccount.objects.filter(pk=preferred.pk).update(priority=1)

    assert caller.charge(saved)["attempts"][0]["account"] == saved["account"]
    assert caller.card()["attempts"][0]["account"] == preferred.pk
    assert [row["id"] for row in caller.get("payments", saved_method=saved["id"])["data"]] == [
        payment.pk for payment in Payment.objects.filter(saved_method=saved["id"])
    ]


def test_a_saved_card_is_charged_with_its_owner_there(world, shop, caller, asking):
    asked = caller.charge(asking, off_session=False, return_url="https://duka.example/done")
    assert (asked["state"], asked["next_action"]["type"]) == ("requires_action", "redirect")
    assert asked["next_action"]["url"].startswith(world.stripe.url)

    back = answer_bank(asked["next_action"]["url"])
    assert visit(back).headers["Location"] == f"https://duka.example/done?payment={asked['id']}"
    reaches(shop, asked, "succeeded")
    assert world.stripe.calls(CONFIRM) == 0


def test_a_card_that_was_authenticated_when_it_was_saved_needs_no_owner_later(world, shop, caller):
    saved = passed(world, shop, caller, "pm_card_authenticationRequiredOnSetup")
    assert caller.charge(saved)["state"] == "succeeded"


def test_what_cannot_be_charged_is_refused_with_the_field_and_nothing_is_written(shop, caller, other_shop):
    saved = caller.save_card()
    failed = caller.save_card("pm_card_visa_chargeDeclined")
    gone = caller.save_card()
    caller.post(f"saved-methods/{gone['id']}/detach")
    stranger = caller.post("customers", 201, name="Otieno")["id"]
    body = {"amount": 1250, "currency": "USD", "saved_method": saved["id"], "off_session": True}
    for change, code, param in (
        ({"saved_method": gone["id"]}, "saved_method_unusable", "/saved_method"),
        ({"saved_method": failed["id"]}, "saved_method_unusable", "/saved_method"),
        ({"saved_method": "sm_nobody"}, "invalid_request", "/saved_method"),
        ({"saved_method": other_shop.api.save_card()["id"]}, "invalid_request", "/saved_method"),
        ({"customer": stranger}, "invalid_request", "/customer"),
        ({"payment_method": "pm_card_visa"}, "invalid_request", "/saved_method"),
        ({"method": "mpesa"}, "invalid_request", "/method"),
        ({"provider": "mpesa"}, "invalid_request", "/provider"),
        ({"amount": 10**12}, "amount_not_representable", "/amount"),
    ):
        problem = caller.refused("payments", 400, code, **body | change)
        assert problem["param"] == param, problem
    shop.stripe.is_enabled = False
    shop.stripe.save()
    assert caller.refused("payments", 400, "saved_method_unusable", **body)["param"] == "/saved_method"
    assert not Payment.objects.exists()


def test_only_a_saved_method_is_charged_without_its_owner(caller):
    body = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}
    assert caller.refused("payments", 400, "invalid_request", **body, off_session=True)["param"] == "/off_session"
    assert nothing_was_written()


@pytest.mark.parametrize(("amount", "code"), [(66_622_00, "declined"), (66_623_00, "insufficient_funds")])
def test_a_soft_decline_says_that_the_same_charge_may_succeed_another_day(shop, caller, amount, code):
    failed = caller.charge(caller.save_card(), amount)
    assert failed["state"] == "failed"
    assert (failed["failure"]["code"], failed["failure"]["retryable"]) == (code, True)
    assert Payment.objects.get(pk=failed["id"]).failure_is_retryable is True


@pytest.mark.parametrize(
    ("card", "code", "retryable"),
    [
        ("pm_card_visa_chargeDeclined", "declined", True),
        ("pm_card_chargeDeclinedProcessingError", "provider_error", True),
        ("pm_card_visa_chargeDeclinedLostCard", "declined", False),
        ("pm_card_visa_chargeDeclinedStolenCard", "declined", False),
        ("pm_card_chargeDeclinedExpiredCard", "expired_instrument", False),
        ("pm_card_chargeDeclinedIncorrectCvc", "invalid_instrument", False),
    ],
)
def test_a_hard_decline_says_that_it_will_not(caller, card, code, retryable):
    failed = caller.card(card)
    assert (failed["failure"]["code"], failed["failure"]["retryable"]) == (code, retryable)


# The bank wants to see the owner


def test_a_bank_that_wants_the_owner_leaves_a_link_by_which_they_come_back(world, shop, caller, asking):
    asked = caller.charge(asking, return_url="https://duka.example/done")
    link = asked["next_action"]["url"]
    assert (asked["state"], asked["failure"], asked["next_action"]["type"]) == ("requires_action", None, "redirect")
    assert link.startswith(f"{world.base_url}/authenticate/")
    assert asked["expires_at"] is not None
    assert caller.get(f"payments/{asked['id']}")["next_action"]["url"] == link

    page = visit(link)
    assert page.status_code == 200
    assert "USD 12.50" in page.text
    assert "visa ending in 3184" in page.text
    assert "Duka" in page.text
    sent = visit(link, "POST")
    assert sent.status_code == 302
    assert sent.headers["Location"].startswith(world.stripe.url)
    back = answer_bank(sent.headers["Location"])
    assert visit(back).headers["Location"] == f"https://duka.example/done?payment={asked['id']}"

    paid = reaches(shop, asked, "succeeded")
    assert (paid["captured_amount"], paid["next_action"], len(paid["attempts"])) == (1250, None, 1)
    assert operations_of(asked) == [("create", "failed"), ("confirm", "succeeded")]
    assert events_of(asked) == ["payment.requires_action", "payment.succeeded"]
    [entry] = world.stripe.entries("payment")
    assert entry["id"] == paid["attempts"][0]["provider_id"]
    assert "done" in visit(link).text


def test_the_link_s_token_is_kept_as_a_hash_and_its_page_is_guarded(world, shop, caller, asking):
    asked = caller.charge(asking)
    token = asked["next_action"]["url"].rpartition("/")[2]
    row = Payment.objects.filter(pk=asked["id"]).values().get()
    assert token not in str(row)
    [event] = caller.get("events", subject=asked["id"])["data"]
    assert token not in str(event)
    page = visit(asked["next_action"]["url"])
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy + page.text
    assert (page.headers["Referrer-Policy"], page.headers["Cache-Control"]) == ("no-referrer", "no-store")
    assert "Set-Cookie" not in page.headers
    assert token not in page.text
    assert visit(f"{world.base_url}/authenticate/{'a' * 64}").status_code == 404


def test_a_preview_of_the_link_changes_nothing(world, shop, caller, asking):
    asked = caller.charge(asking)
    for method in ("GET", "HEAD", "GET"):
        visit(asked["next_action"]["url"], method)
    assert operations_of(asked) == [("create", "failed")]
    assert world.stripe.calls(CONFIRM) == 0
    assert caller.get(f"payments/{asked['id']}") == asked


def test_the_button_pressed_again_and_again_confirms_once(world, shop, caller, asking):
    asked = caller.charge(asking)
    link = asked["next_action"]["url"]
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: visit(link, "POST"), range(5)))
    again = visit(link, "POST")

    assert {answer.status_code for answer in answers} <= {302, 409}
    assert again.status_code == 302
    assert world.stripe.calls(CONFIRM) == 1
    answer_bank(again.headers["Location"])
    with world.later(seconds=6):
        assert reaches(shop, asked, "succeeded")["captured_amount"] == 1250
    assert len(world.stripe.entries("payment")) == 1


def test_an_owner_without_a_place_to_go_is_thanked_by_a_page_of_ours(world, shop, caller, asking):
    asked = caller.charge(asking)
    back = answer_bank(visit(asked["next_action"]["url"], "POST").headers["Location"])
    answer = visit(back)
    assert (answer.status_code, "Thank you" in answer.text) == (200, True)
    reaches(shop, asked, "succeeded")


def test_an_owner_who_fails_at_their_bank_has_not_paid(world, shop, caller, asking):
    asked = caller.charge(asking)
    answer_bank(visit(asked["next_action"]["url"], "POST").headers["Location"], "decline")
    with world.later(seconds=6):
        failed = reaches(shop, asked, "failed")
    assert (failed["failure"]["code"], failed["failure"]["retryable"]) == ("authentication_failed", False)
    assert world.stripe.entries("payment")[0]["state"] == "canceled"
    assert "not in use" in visit(asked["next_action"]["url"]).text


def test_a_card_that_is_refused_after_its_owner_came_has_not_paid(world, shop, caller):
    saved = passed(world, shop, caller, PASSED_THEN_POOR)
    asked = caller.charge(saved)
    answer_bank(visit(asked["next_action"]["url"], "POST").headers["Location"])
    with world.later(seconds=6):
        failed = reaches(shop, asked, "failed")
    assert (failed["failure"]["code"], failed["failure"]["retryable"]) == ("insufficient_funds", True)


def test_a_link_that_is_never_used_ends_with_the_payment_closed_at_the_provider_first(world, shop, caller, asking):
    asked = caller.charge(asking)
    with world.later(hours=73):
        ended = reaches(shop, asked, "expired")
        assert "not in use" in visit(asked["next_action"]["url"]).text
        assert "not in use" in visit(asked["next_action"]["url"], "POST").text
    assert world.stripe.entries("payment")[0]["state"] == "canceled"
    assert (ended["next_action"], world.stripe.calls(CONFIRM)) == (None, 0)
    assert events_of(asked) == ["payment.requires_action", "payment.expired"]
    assert attention() == []


def test_a_payment_that_waits_for_its_owner_can_be_cancelled(world, caller, asking):
    asked = caller.charge(asking)
    cancelled = caller.post(f"payments/{asked['id']}/cancel")
    assert (cancelled["state"], cancelled["next_action"]) == ("cancelled", None)
    assert "not in use" in visit(asked["next_action"]["url"], "POST").text
    assert world.stripe.calls(CONFIRM) == 0


@pytest.mark.parametrize("trouble", ["reset_after", "500_after", "reset_before"])
def test_a_confirmation_whose_answer_was_lost_is_found_by_the_same_key(world, shop, caller, asking, trouble):
    asked = caller.charge(asking)
    world.stripe.trouble(trouble, CONFIRM)
    page = visit(asked["next_action"]["url"], "POST")
    assert "being processed" in page.text

    with world.later(seconds=6):
        shown = reaches(shop, asked, "requires_action")
        if "url" in shown["next_action"] and shown["next_action"]["url"].startswith(world.stripe.url):
            answer_bank(shown["next_action"]["url"])
        else:
            answer_bank(visit(asked["next_action"]["url"], "POST").headers["Location"])
    with world.later(seconds=30):
        assert reaches(shop, asked, "succeeded")["captured_amount"] == 1250
    assert len(world.stripe.entries("payment")) == 1
    assert attention() == []


def test_a_provider_that_is_overloaded_when_the_owner_comes_lets_them_try_again(world, shop, caller, asking):
    asked = caller.charge(asking)
    world.stripe.trouble("429", CONFIRM)
    page = visit(asked["next_action"]["url"], "POST")
    assert "Try again" in page.text
    assert caller.get(f"payments/{asked['id']}")["state"] == "requires_action"

    answer_bank(visit(asked["next_action"]["url"], "POST").headers["Location"])
    with world.later(seconds=6):
        reaches(shop, asked, "succeeded")
    assert operations_of(asked)[1:] == [("confirm", "failed"), ("confirm", "succeeded")]


def test_events_in_any_order_tell_the_same_story(world, shop, caller, asking):
    world.listen_to_stripe(shop, callback_mode="before_answer")
    asked = caller.charge(asking)
    world.heard(2)
    assert caller.get(f"payments/{asked['id']}")["next_action"] == asked["next_action"]
    answer_bank(visit(asked["next_action"]["url"], "POST").headers["Location"])

    assert reaches(shop, asked, "succeeded")["captured_amount"] == 1250
    assert path_of(asked)[0] == "created"
    assert events_of(asked).count("payment.requires_action") == 1
    assert attention() == []


def test_a_decline_that_is_told_late_does_not_take_the_owner_off_their_way(world, shop, caller, asking):
    world.listen_to_stripe(shop, callback_mode="late")
    asked = caller.charge(asking)
    bank = visit(asked["next_action"]["url"], "POST").headers["Location"]
    world.heard(3)
    assert visit(asked["next_action"]["url"], "POST").headers["Location"] == bank
    assert world.stripe.calls(CONFIRM) == 1


def test_a_card_that_was_given_up_meanwhile_is_not_confirmed(world, caller, asking):
    asked = caller.charge(asking)
    caller.post(f"saved-methods/{asking['id']}/detach")
    answer = visit(asked["next_action"]["url"], "POST")
    assert answer.status_code == 409
    assert world.stripe.calls(CONFIRM) == 0


# Two hands at the same card


def test_a_card_is_detached_while_it_is_charged(world, shop, caller):
    saved = caller.save_card()
    body = {"amount": 1250, "currency": "USD", "saved_method": saved["id"], "off_session": True}

    def act(place):
        if place == 3:
            return caller.send("POST", f"saved-methods/{saved['id']}/detach", json={})
        return caller.send("POST", "payments", json=body)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(act, range(8)))

    assert answers[3].status_code == 200
    charged = [answer for place, answer in enumerate(answers) if place != 3]
    assert {answer.status_code for answer in charged} <= {201, 400}
    for answer in charged:
        if answer.status_code == 400:
            assert answer.json()["code"] == "saved_method_unusable"
        else:
            assert answer.json()["state"] in ("succeeded", "failed")
    row = SavedMethod.objects.get(pk=saved["id"])
    assert all(payment.created_at <= row.closing_since for payment in Payment.objects.all())
    assert re.fullmatch("detached", row.state)
    caller.refused("payments", 400, "saved_method_unusable", **body)
