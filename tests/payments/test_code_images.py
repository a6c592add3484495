"""The code of a payment as an image: for its merchant, and for the screens of its store, while it can be paid."""

from datetime import timedelta

import pytest

from core import clock, qr_images
from events.models import AuditEntry, RefusedKeys
from merchants import display_tokens, stores
from merchants.models import DisplayToken, Store
from payments.models import Payment
from tests.payments.world import Api, Company, reaches

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def midtrans(world, companies, shop):
    company = Company(companies.url("midtrans"))
    company.post("reset")
    company.post("settings", callback_retries=[])
    shop.account("midtrans", {"server_key": "SB-Mid-server-lango-simulator"})
    yield company
    company.post("reset")


@pytest.fixture
def store(shop):
    return stores.create_store(merchant=shop.merchant, livemode=False, by="test", name="Lunch counter", zone="UTC")


@pytest.fixture
def payment(midtrans, caller, store):
    return pay(caller, store=store.pk)


def pay(caller, **more):
    return caller.post("payments", 201, amount=4_550_000, currency="IDR", method="qris", **more)


def screen(shop, store, **more):
    """A caller with a display token."""
    lifetime = more.get("lifetime", timedelta(hours=1))
    _, secret = display_tokens.create_token(store, name="Cashier", lifetime=lifetime, by="test")
    return Api(shop.api.base_url, secret.reveal())


def image(caller, payment, kind="svg", **options):
    return caller.send("GET", f"payments/{payment['id']}/qr.{kind}", **options)


def refusal(answer):
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_the_answer_to_a_payment_names_its_code_its_images_its_end_and_its_id(world, payment):
    at = f"{world.base_url}/v1/payments/{payment['id']}/qr"
    shown = payment["next_action"]
    assert (shown["type"], shown["image_svg_url"], shown["image_png_url"]) == ("qr", f"{at}.svg", f"{at}.png")
    assert shown["qr_string"].startswith("000201")
    assert payment["expires_at"]


def test_both_images_are_of_the_code_and_kept_nowhere(caller, payment):
    text = payment["next_action"]["qr_string"]
    for kind, media, drawn in (("svg", "image/svg+xml", qr_images.svg), ("png", "image/png", qr_images.png)):
        for accept in ("*/*", media):
            answer = image(caller, payment, kind, headers={"Accept": accept})
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, media)
            assert answer.content == drawn(text)
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_events_carry_no_code_and_no_address_of_one(caller, payment):
    [event] = caller.get("events", subject=payment["id"])["data"]
    assert event["data"]["object"]["next_action"] == {"type": "qr"}


def test_once_it_is_paid_cancelled_or_out_of_time_there_is_no_image_any_more(
    world, midtrans, shop, caller, payment, store
):
    midtrans.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    answer = image(caller, payment)
    assert refusal(answer) == (410, "no_longer_payable")
    assert answer.json()["detail"] == f"{payment['id']} is succeeded: its code is not shown any more."
    assert refusal(image(screen(shop, store), payment, "png")) == (410, "no_longer_payable")
    assert AuditEntry.objects.get(actor=DisplayToken.objects.get().pk).status == 410

    cancelled = pay(caller)
    caller.post(f"payments/{cancelled['id']}/cancel")
    assert refusal(image(caller, cancelled)) == (410, "no_longer_payable")

    waiting = pay(caller)
    Payment.objects.filter(pk=waiting["id"]).update(expires_at=clock.now() - timedelta(seconds=1))
    late = image(caller, waiting)
    assert refusal(late) == (410, "no_longer_payable")
    assert "has run out of time" in late.json()["detail"]


def test_a_payment_without_a_code_has_no_image(caller, shop):
    assert shop.stripe.pk
    for card in (caller.card(), caller.card("pm_card_threeDSecure2Required")):
        answer = image(caller, card)
        assert refusal(answer) == (404, "not_found")
        assert answer.json()["detail"] == f"{card['id']} has no code to be scanned."


def test_a_key_needs_the_scope_and_no_other_form_is_given(shop, caller, payment):
    assert refusal(image(shop.key_with("refunds:read"), payment)) == (403, "scope_missing")
    assert refusal(image(caller, payment, headers={"Accept": "text/html"})) == (406, "not_acceptable")
    assert refusal(image(Api(caller.base_url, ""), payment)) == (401, "unauthorized")


def test_a_screen_of_the_same_store_is_shown_the_code_and_that_is_written_down(shop, payment, store):
    answer = image(screen(shop, store), payment)
    assert (answer.status_code, answer.content) == (200, qr_images.svg(payment["next_action"]["qr_string"]))
    token = DisplayToken.objects.get()
    entry = AuditEntry.objects.get(actor=token.pk)
    assert (entry.action, entry.object_id, entry.merchant) == ("api.answered", payment["id"], shop.merchant.pk)
    assert entry.status == 200


def test_a_screen_sees_nothing_else_whether_it_is_there_or_not(
    world, shop, other_shop, caller, midtrans, store, payment
):
    """One answer for all, which tells nothing of what there is."""
    other = stores.create_store(merchant=shop.merchant, livemode=False, by="test", name="Bar", zone="UTC")
    theirs = stores.create_store(merchant=other_shop.merchant, livemode=False, by="test", name="Theirs", zone="UTC")
    ours, nowhere = screen(shop, store), {"id": f"pay_{'0' * 26}"}
    elsewhere = pay(caller, store=other.pk)
    refused = [
        image(screen(shop, other), payment),
        image(screen(other_shop, theirs), payment),
        image(ours, elsewhere),
        image(ours, pay(caller)),
        image(ours, nowhere),
        image(ours, {"id": "%00"}),
        image(Api(shop.api.base_url, f"display_test_{'0' * 64}"), payment),
        image(Api(shop.api.base_url, ours.key.replace("display_test_", "display_live_")), payment),
    ]
    assert [refusal(answer) for answer in refused] == [(401, "display_token_refused")] * len(refused)
    assert len({answer.json()["detail"] for answer in refused}) == 1
    assert sum(RefusedKeys.objects.filter(reason="unknown_display_token").values_list("count", flat=True)) == len(
        refused
    )
    assert refusal(ours.send("GET", "payments")) == (401, "unauthorized")


def test_a_token_that_has_ended_or_whose_store_is_switched_off_shows_nothing(shop, payment, store):
    seeing = screen(shop, store)
    display_tokens.revoke_token(DisplayToken.objects.get(), by="test")
    assert refusal(image(seeing, payment)) == (401, "display_token_refused")
    seeing = screen(shop, store)
    with clock.shifted(timedelta(hours=2)):
        assert refusal(image(seeing, payment)) == (401, "display_token_refused")
    Store.objects.filter(pk=store.pk).update(is_enabled=False)
    assert refusal(image(seeing, payment)) == (401, "display_token_refused")


def test_a_screen_may_not_ask_without_end_nor_guess_tokens(shop, payment, store, settings):
    settings.RATE_LIMIT_PER_KEY = "1/minute"
    seeing = screen(shop, store)
    assert image(seeing, payment).status_code == 200
    assert refusal(image(seeing, payment)) == (429, "rate_limited")
    settings.RATE_LIMIT_PER_ADDRESS = "1/minute"
    guessing = Api(shop.api.base_url, f"display_test_{'0' * 64}")
    assert [image(guessing, payment).status_code for _ in range(2)] == [401, 429]
