"""Cards that are saved for later: set up, found again, chosen, given up."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import transaction

from core.crypto import Secret
from events import sealing
from merchants.models import Customer
from payments.models import ProviderCustomer, SavedMethod
from payments.services import saved_booking, saving
from tests.factories import SavedMethodFactory
from tests.payments.world import (
    STRIPE_KEY,
    attention,
    events_of,
    path_of,
    saved_reaches,
    session,
)

pytestmark = pytest.mark.django_db(transaction=True)

SETUP, CUSTOMER = "POST /v1/setup_intents", "POST /v1/customers"
DETACH = "POST /v1/payment_methods/{payment_method}/detach"
ASKS = "pm_card_authenticationRequired"


def row_of(saved):
    return SavedMethod.objects.get(pk=saved["id"])


def at_stripe(world, path, method="GET", **values):
    """What somebody at Stripe's own dashboard sees and does."""
    headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
    answer = session().request(method, f"{world.stripe.url}/v1/{path}", headers=headers, timeout=8, **values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def answer_bank(saved, outcome="approve"):
    """The bank's own page, and where it sends the browser."""
    answer = session().post(saved["next_action"]["url"], data={"outcome": outcome}, allow_redirects=False, timeout=8)
    return answer.headers["Location"]


def param_of(answer):
    problem = answer.json()
    return problem["errors"][0]["param"] if "errors" in problem else problem["param"]


def test_a_card_is_saved_at_once_where_its_bank_asks_nothing(world, caller):
    saved = caller.save_card(metadata={"order": "7"})

    assert (saved["state"], saved["is_default"], saved["next_action"]) == ("active", True, None)
    assert (saved["failure"], saved["metadata"]) == (None, {"order": "7"})
    assert saved["provider_id"].startswith("pm_")
    shown = {name: saved["card"][name] for name in ("brand", "last4", "exp_month", "exp_year")}
    assert shown == {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2030}
    assert path_of(saved) == ["created", "active"]
    assert events_of(saved) == ["saved_method.active"]
    assert caller.get(f"saved-methods/{saved['id']}") == saved
    assert (world.stripe.calls(CUSTOMER), world.stripe.calls(SETUP)) == (1, 1)
    row = row_of(saved)
    assert (row.instrument, row.due_at, row.is_usable) == (None, None, True)
    assert at_stripe(world, f"payment_methods/{saved['provider_id']}")["customer"] == row.holder.provider_id


def test_events_show_neither_the_number_s_end_nor_its_fingerprint(caller):
    saved = caller.save_card()
    [event] = caller.get("events", subject=saved["id"])["data"]
    assert event["data"]["object"]["card"] == {**saved["card"], "last4": None, "fingerprint": None}


def test_a_second_card_of_a_customer_makes_no_second_customer_there(world, caller):
    first = caller.save_card()
    second = caller.save_card("pm_card_mastercard", customer=first["customer"])
    third = caller.save_card("pm_card_amex", customer=first["customer"], default=True)

    assert [row["is_default"] for row in (first, second, third)] == [True, False, True]
    assert world.stripe.calls(CUSTOMER) == ProviderCustomer.objects.count() == 1
    caller.save_card()
    listed = caller.get("saved-methods", customer=first["customer"], state="active")["data"]
    assert [(row["id"], row["is_default"]) for row in listed] == [
        (third["id"], True),
        (second["id"], False),
        (first["id"], False),
    ]
    assert caller.get("saved-methods", state="failed")["data"] == []


def test_cards_of_one_customer_that_are_saved_at_once_share_one_customer_there(world, shop, caller):
    customer = caller.post("customers", 201, name="Njeri Kamau")["id"]
    with ThreadPoolExecutor(4) as pool:
        saved = list(pool.map(lambda place: caller.save_card(customer=customer, default=True), range(4)))

    for each in saved:
        saved_reaches(shop, each, "active")
    assert ProviderCustomer.objects.count() == 1
    assert len(at_stripe(world, "customers")["data"]) == 1
    assert SavedMethod.objects.filter(is_default=True).count() == 1


def test_a_bank_that_asks_is_answered_on_its_own_page_and_the_browser_comes_back(world, shop, caller):
    saved = caller.save_card(ASKS, return_url="https://duka.example/cards?a=1")
    assert (saved["state"], saved["card"], saved["next_action"]["type"]) == ("requires_action", None, "redirect")
    [event] = caller.get("events", subject=saved["id"])["data"]
    assert event["data"]["object"]["next_action"] == {"type": "redirect"}

    back = answer_bank(saved)
    assert back.startswith(f"{world.base_url}/return/")
    answer = session().get(back, allow_redirects=False, timeout=8)
    where = urlsplit(answer.headers["Location"])
    assert (answer.status_code, answer.headers["Referrer-Policy"]) == (302, "no-referrer")
    assert (where.netloc, parse_qs(where.query)) == ("duka.example", {"a": ["1"], "saved_method": [saved["id"]]})

    done = saved_reaches(shop, saved, "active")
    assert (done["card"]["last4"], done["next_action"], done["is_default"]) == ("3184", None, True)
    assert events_of(saved) == ["saved_method.requires_action", "saved_method.active"]


def test_a_browser_without_a_place_to_go_is_thanked_by_a_page_of_ours(shop, caller):
    saved = caller.save_card(ASKS)
    answer = session().get(answer_bank(saved), allow_redirects=False, timeout=8)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "Thank you" in answer.text
    saved_reaches(shop, saved, "active")


def test_a_customer_who_fails_at_their_bank_has_saved_no_card(world, shop, caller):
    saved = caller.save_card(ASKS)
    answer_bank(saved, "decline")

    with world.later(seconds=6):
        failed = saved_reaches(shop, saved, "failed")

    assert failed["failure"] == {"code": "authentication_failed", "message": "The payer could not be authenticated."}
    assert events_of(saved) == ["saved_method.requires_action", "saved_method.failed"]


def test_a_card_that_its_bank_refuses_is_not_saved(caller):
    saved = caller.save_card("pm_card_visa_chargeDeclinedStolenCard")

    assert (saved["state"], saved["card"], saved["is_default"]) == ("failed", None, False)
    assert saved["failure"] == {"code": "declined", "message": "The card was declined."}
    assert events_of(saved) == ["saved_method.failed"]
    assert attention() == []


def test_what_cannot_be_saved_is_refused_with_the_field_and_nothing_is_written(world, shop, caller, other_shop):
    customer = caller.post("customers", 201, name="Njeri Kamau")["id"]
    theirs = other_shop.api.post("customers", 201, name="Otieno")["id"]
    body = {"customer": customer, "method": "card", "payment_method": "pm_card_visa"}
    for change, param in (
        ({"customer": theirs}, "/customer"),
        ({"customer": "cus_nobody"}, "/customer"),
        ({"payment_method": "tok_visa"}, "/payment_method"),
        ({"method": "mpesa"}, "/method"),
        ({"provider": "mpesa"}, "/method"),
        ({"return_url": "nowhere"}, "/return_url"),
        ({"surprise": 1}, "/surprise"),
    ):
        answer = caller.send("POST", "saved-methods", json=body | change)
        assert (answer.status_code, param_of(answer)) == (400, param), answer.text
    assert not SavedMethod.objects.exists()
    assert world.stripe.calls(CUSTOMER) == 0


def test_the_same_key_again_is_the_same_method_and_one_set_up(world, caller):
    customer = caller.post("customers", 201, name="Njeri Kamau")["id"]
    first = caller.save_card(customer=customer, key="once")
    again = caller.save_card(customer=customer, key="once")

    assert again == first
    assert world.stripe.calls(SETUP) == SavedMethod.objects.count() == 1


# What was lost is found, by the same key and bytes


@pytest.mark.parametrize("call", [CUSTOMER, SETUP])
@pytest.mark.parametrize("trouble", ["reset_after", "html_after", "500_after"])
def test_an_answer_that_was_lost_is_found_again(world, shop, caller, call, trouble):
    world.stripe.trouble(trouble, call)
    saved = caller.save_card()
    assert (saved["state"], saved["card"]) == ("processing", None)

    kept = call == CUSTOMER and trouble == "500_after"
    if not kept:
        with world.later(seconds=6):
            done = saved_reaches(shop, saved, "active")
        assert done["card"]["last4"] == "4242"
        assert len(at_stripe(world, "customers")["data"]) == 1
        assert len(at_stripe(world, "setup_intents")["data"]) == 1
        assert events_of(saved) == ["saved_method.processing", "saved_method.active"]


def test_what_never_arrived_is_sent_by_the_queue(world, shop, caller):
    world.stripe.trouble("reset_before", SETUP)
    saved = caller.save_card()
    assert saved["state"] == "processing"

    with world.later(seconds=6):
        saved_reaches(shop, saved, "active")
    assert len(at_stripe(world, "setup_intents")["data"]) == 1


def test_the_event_brings_what_the_answer_did_not(world, shop, caller):
    world.listen_to_stripe(shop)
    world.stripe.trouble("reset_after", SETUP)
    saved = caller.save_card()

    done = saved_reaches(shop, saved, "active")

    assert done["card"]["last4"] == "4242"
    assert world.stripe.calls(SETUP) == 1


@pytest.mark.parametrize("step", ["nothing was sent", "its bytes were written down"])
def test_a_dead_caller_is_followed_by_the_queue(world, shop, caller, step):
    customer = Customer.objects.get(pk=caller.post("customers", 201, name="Njeri Kamau")["id"])
    asked = saving.SavingRequest(
        merchant=shop.merchant,
        livemode=False,
        customer=customer.pk,
        method="card",
        instrument=Secret("pm_card_visa"),
        by="test",
    )
    row = saving._new(asked, shop.stripe, customer)
    with transaction.atomic():
        row.holder = saving._holder(shop.stripe, customer)
        row.save(force_insert=True)
    if step == "its bytes were written down":
        saving.introduce(row)
        with transaction.atomic():
            saving._write_down(saved_booking.lock_saved(row))
    assert world.stripe.calls(SETUP) == 0

    with world.later(seconds=61):
        done = saved_reaches(shop, {"id": row.pk}, "active")

    assert done["card"]["last4"] == "4242"
    assert world.stripe.calls(SETUP) == 1


def test_a_customer_who_never_answers_their_bank_is_waited_for_and_then_it_is_closed_there(world, shop, caller):
    saved = caller.save_card(ASKS)

    with world.later(hours=73):
        failed = saved_reaches(shop, saved, "failed")

    assert failed["failure"]["code"] == "timed_out"
    [intent] = at_stripe(world, "setup_intents")["data"]
    assert intent["status"] == "canceled"
    assert row_of(saved).due_at is None


def test_one_who_answers_in_the_last_moment_has_saved_the_card(world, shop, caller):
    saved = caller.save_card(ASKS)
    answer_bank(saved)

    with world.later(hours=73):
        saved_reaches(shop, saved, "active")


def test_nothing_that_was_not_sent_in_time_is_sent_later(world, shop, caller):
    for _ in range(40):
        world.stripe.trouble("reset_before", CUSTOMER)
    saved = caller.save_card()
    with world.later(hours=73):
        failed = saved_reaches(shop, saved, "failed")
    assert failed["failure"]["code"] == "provider_unavailable"
    assert world.stripe.calls(SETUP) == 0


# Which is the default


def test_making_a_card_the_default_takes_the_place_of_the_other(caller):
    first = caller.save_card()
    second = caller.save_card(customer=first["customer"])

    made = caller.post(f"saved-methods/{second['id']}/default")
    again = caller.post(f"saved-methods/{second['id']}/default")

    assert made["is_default"] is again["is_default"] is True
    assert caller.get(f"saved-methods/{first['id']}")["is_default"] is False
    assert events_of(second) == ["saved_method.active", "saved_method.made_default"]


def test_two_defaults_at_once_are_one(caller):
    first = caller.save_card()
    cards = [first, *(caller.save_card(customer=first["customer"]) for _ in range(3))]
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda card: caller.send("POST", f"saved-methods/{card['id']}/default", json={}), cards * 3)
        )

    assert {answer.status_code for answer in answers} == {200}
    assert SavedMethod.objects.filter(is_default=True).count() == 1


def test_only_an_active_card_can_be_the_default(caller):
    failed = caller.save_card("pm_card_visa_chargeDeclined")
    problem = caller.refused(f"saved-methods/{failed['id']}/default", 409, "conflict")
    assert "failed" in problem["detail"]


# Given up


def test_a_detached_card_is_gone_here_and_there(world, caller):
    saved = caller.save_card()
    gone = caller.post(f"saved-methods/{saved['id']}/detach")
    again = caller.post(f"saved-methods/{saved['id']}/detach")

    assert (gone["state"], gone["is_default"], again["state"]) == ("detached", False, "detached")
    assert at_stripe(world, f"payment_methods/{saved['provider_id']}")["customer"] is None
    assert world.stripe.calls(DETACH) == 1
    assert events_of(saved) == ["saved_method.active", "saved_method.detached"]
    assert row_of(saved).closed_at is not None


def test_the_news_of_its_set_up_told_again_after_it_is_gone_asks_for_nothing(world, shop, caller):
    world.listen_to_stripe(shop, callback_mode="duplicate")
    saved = caller.save_card()
    caller.post(f"saved-methods/{saved['id']}/detach")
    world.heard(5)

    assert (row_of(saved).state, row_of(saved).due_at) == ("detached", None)
    assert world.stripe.calls(DETACH) == 1


@pytest.mark.parametrize("trouble", ["reset_after", "reset_before", "500_before"])
def test_a_detachment_whose_answer_was_lost_is_sent_until_it_is_certain(world, caller, trouble):
    saved = caller.save_card()
    world.stripe.trouble(trouble, DETACH)
    gone = caller.post(f"saved-methods/{saved['id']}/detach")
    assert (gone["state"], row_of(saved).closed_at) == ("detached", None)

    with world.later(seconds=6):
        world.work_until(lambda: row_of(saved).closed_at is not None)

    assert at_stripe(world, f"payment_methods/{saved['provider_id']}")["customer"] is None
    assert attention() == []


def test_a_set_up_that_is_given_up_is_cancelled_there(world, caller):
    saved = caller.save_card(ASKS)
    gone = caller.post(f"saved-methods/{saved['id']}/detach")

    assert (gone["state"], gone["next_action"]) == ("detached", None)
    [intent] = at_stripe(world, "setup_intents")["data"]
    assert intent["status"] == "canceled"
    assert row_of(saved).closed_at is not None


def test_a_set_up_that_had_succeeded_before_it_was_given_up_is_detached_there(world, caller):
    saved = caller.save_card(ASKS)
    answer_bank(saved)

    caller.post(f"saved-methods/{saved['id']}/detach")

    [intent] = at_stripe(world, "setup_intents")["data"]
    assert intent["status"] == "succeeded"
    assert at_stripe(world, f"payment_methods/{intent['payment_method']}")["customer"] is None
    assert path_of(saved) == ["created", "requires_action", "detached"]


def test_a_card_that_was_detached_at_the_dashboard_is_detached_here(world, shop, caller):
    saved = caller.save_card()
    world.listen_to_stripe(shop)
    at_stripe(world, f"payment_methods/{saved['provider_id']}/detach", "POST")

    gone = saved_reaches(shop, saved, "detached")

    assert gone["is_default"] is False
    assert world.stripe.calls(DETACH) == 1
    assert row_of(saved).due_at is None


# Customers that are merged or erased


def test_a_duplicates_cards_follow_the_survivor_whose_default_stays(caller):
    kept, moved = caller.save_card(), caller.save_card("pm_card_mastercard")
    caller.post(f"customers/{kept['customer']}/merge", duplicate=moved["customer"])

    assert caller.get(f"saved-methods/{moved['id']}")["customer"] == kept["customer"]
    for customer in (kept["customer"], moved["customer"]):
        listed = caller.get("saved-methods", customer=customer)["data"]
        assert [(row["id"], row["is_default"]) for row in listed] == [(moved["id"], False), (kept["id"], True)]
    paid = caller.charge(moved)
    assert (paid["state"], paid["customer"]) == ("succeeded", kept["customer"])


def test_a_card_that_was_begun_while_its_customer_was_merged_is_the_survivors(shop, caller):
    kept, gone = (caller.post("customers", 201, name="Njeri Kamau")["id"] for _ in range(2))
    caller.post(f"customers/{kept}/merge", duplicate=gone)
    begun = SavedMethodFactory(
        merchant=shop.merchant, account=shop.stripe, customer=Customer.objects.get(pk=gone), state="created"
    )
    with transaction.atomic():
        locked = saved_booking.lock_saved(begun)

    assert (locked.customer_id, locked.customer.pk) == (kept, kept)


def test_the_cards_of_an_erased_customer_are_detached_here_and_there(world, caller):
    saved = caller.save_card(metadata={"name": "Njeri"})
    assert caller.send("DELETE", f"customers/{saved['customer']}").status_code in (200, 204)

    gone = caller.get(f"saved-methods/{saved['id']}")
    assert (gone["state"], gone["is_default"], gone["metadata"]) == ("detached", False, {})
    assert (gone["card"]["last4"], gone["card"]["fingerprint"]) == (None, None)
    world.work_until(lambda: row_of(saved).closed_at is not None)
    assert at_stripe(world, f"payment_methods/{saved['provider_id']}")["customer"] is None


def test_a_set_up_that_succeeds_after_its_customer_was_erased_is_taken_back(world, caller):
    saved = caller.save_card(ASKS)
    caller.send("DELETE", f"customers/{saved['customer']}")
    world.work_until(lambda: row_of(saved).closed_at is not None)

    [intent] = at_stripe(world, "setup_intents")["data"]
    assert intent["status"] == "canceled"
    assert row_of(saved).state == "detached"


def test_its_secrets_are_sealed(shop, caller):
    saved = caller.save_card(ASKS)
    row = row_of(saved)
    assert b"pm_card" not in bytes(row.instrument) + bytes(row.request)
    assert sealing.unseal(row, "instrument").decode() == ASKS
