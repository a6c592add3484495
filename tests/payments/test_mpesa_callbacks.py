"""Callbacks at M-Pesa's doors that are forged, misdirected, unreadable or from an address that is not listed."""

import json

import pytest

from core import addresses
from events import inbox
from events.models import Callback
from merchants import services
from tests.payments.world import (
    PHONE,
    attention,
    counters,
    events_of,
    reaches,
    receipts_of,
    session,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)


def told(world, payment, outcome="decline"):
    """The URL of the callback that told us of this payment's end."""
    before = len(world.mpesa.callbacks())
    world.mpesa.simulate(payment, outcome)
    return until(lambda: world.mpesa.callbacks()[before:])[0]["url"]


def approval(checkout, amount=250.0, receipt="TKK0FORGED", code=0):
    items = [
        {"Name": "Amount", "Value": amount},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "PhoneNumber", "Value": int(PHONE)},
    ]
    callback = {
        "MerchantRequestID": "29115-34620561-1",
        "CheckoutRequestID": checkout,
        "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {"Item": items},
    }
    return json.dumps({"Body": {"stkCallback": callback}}).encode()


def post(url, body, **headers):
    return session().post(url, data=body, headers={"Content-Type": "application/json"} | headers, timeout=8)


def test_a_forged_approval_moves_nothing(world, shop, caller):
    failed = caller.prompt()
    url = told(world, failed)
    reaches(shop, failed, "failed")

    answer = post(url, approval(world.mpesa.entries()[0]["id"]))
    world.heard(2)

    assert (answer.status_code, answer.json()) == (200, {"ResultCode": 0, "ResultDesc": "Accepted"})
    assert caller.get(f"payments/{failed['id']}")["state"] == "failed"
    assert (counters(failed), receipts_of(failed)) == ((0, 0, 0), [])


def test_a_token_of_another_attempt_is_parked(world, shop, caller):
    first, second = caller.prompt(), caller.prompt(phone="254711000112")
    url = told(world, first)
    reaches(shop, first, "failed")
    world.mpesa.simulate(second, "approve", callback="missing")
    theirs = caller.get(f"payments/{second['id']}")["attempts"][0]["provider_id"]

    post(url, approval(theirs))
    callback = world.heard(2)[-1]

    assert (callback.state, (callback.pk, "parked") in attention()) == ("parked", True)
    assert caller.get(f"payments/{first['id']}")["state"] == "failed"
    assert caller.get(f"payments/{second['id']}")["state"] == "requires_action"
    assert counters(first) == counters(second) == (0, 0, 0)


def test_a_token_of_another_account_opens_nothing(world, shop, caller, other_shop):
    mine, theirs = caller.prompt(), other_shop.api.prompt(phone="254711000112")
    url, their_url = told(world, mine), told(world, theirs)
    reaches(shop, mine, "failed")
    reaches(other_shop, theirs, "failed")
    base, operation = url.rsplit("/", 1)
    their_operation = their_url.rsplit("/", 1)[1]
    seen = Callback.objects.count()

    wrong = [
        f"{base}/{their_operation}",
        base,
        f"{base}/{operation}x",
        url.replace("/prompt/", "/nothing/"),
        url.replace("/prompt/", "/events/"),
        f"{world.base_url}/callbacks/{'A' * 43}/prompt/{operation}",
    ]

    for path in wrong:
        assert post(path, approval("ws_CO_1")).status_code == 404, path
    assert session().get(url, timeout=8).status_code == 405
    assert Callback.objects.count() == seen


def test_what_cannot_be_read_is_parked_and_what_is_too_large_is_refused(world, shop, caller, settings):
    payment = caller.prompt()
    url = told(world, payment)
    reaches(shop, payment, "failed")
    whole = approval("ws_CO_1")
    bodies = [
        b"",
        whole[:-20],
        b"[]",
        b"null",
        b'{"Body": {"stkCallback": []}}',
        b"\xff\xfe",
        b"[" * 5000,
        approval(["ws"]),
        approval("ws_CO_1", amount="many"),
        approval("ws_CO_1", amount=-250),
    ]
    for body in bodies:
        assert post(url, body).status_code == 200
    assert post(url, b" " * (settings.CALLBACK_MAX_BYTES + 1)).status_code == 413

    callbacks = world.heard(1 + len(bodies))

    assert [callback.state for callback in callbacks[1:]] == ["parked"] * len(bodies)
    assert caller.get(f"payments/{payment['id']}")["state"] == "failed"
    assert events_of(payment) == ["payment.requires_action", "payment.failed"]


def test_an_unlisted_address_is_quarantined_and_the_payment_is_asked_about(world, shop, caller):
    services.change_account(shop.mpesa, by="test", options=world.mpesa_options(source_addresses=["196.201.214.200"]))
    payment = caller.prompt()

    url = told(world, payment, "approve")

    [callback] = Callback.objects.all()
    assert (callback.state, callback.address) == ("quarantined", "127.0.0.1")
    assert callback.operation
    assert world.mpesa.callbacks()[0]["result"] == 400
    assert (shop.mpesa.pk, "quarantined") in attention()
    assert reaches(shop, payment, "succeeded")["captured_amount"] == 25_000
    assert receipts_of(payment) == [("capture", 25_000, None)]

    services.change_account(shop.mpesa, by="test", options=world.mpesa_options())
    inbox.release(callback)
    world.work()

    [entry] = world.mpesa.entries()
    callback.refresh_from_db()
    assert callback.state == "processed"
    assert receipts_of(payment) == [("capture", 25_000, entry["receipt"])]
    assert counters(payment) == (25_000, 0, 0)
    assert url.startswith(world.base_url)


def test_the_quarantine_is_capped_per_account_and_minute(world, shop, caller, settings):
    settings.QUARANTINE_PER_MINUTE = 2
    payment = caller.prompt()
    url = told(world, payment)
    reaches(shop, payment, "failed")
    services.change_account(shop.mpesa, by="test", options=world.mpesa_options(source_addresses=["196.201.214.200"]))

    for number in range(4):
        assert post(url, approval(f"ws_CO_{number}")).status_code == 400

    assert Callback.objects.filter(state="quarantined").count() == 2
    with world.later(days=8):
        assert inbox.purge_quarantine() == 2


def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(world, shop, caller, settings):
    services.change_account(shop.mpesa, by="test", options=world.mpesa_options(source_addresses=["196.201.214.200"]))
    payment = caller.prompt()
    url = told(world, payment)
    forwarded = {"X-Forwarded-For": "196.201.214.200"}

    assert post(url, approval("ws_CO_1"), **forwarded).status_code == 400
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert post(url, approval("ws_CO_1"), **forwarded).status_code == 200
    assert post(url, approval("ws_CO_1"), **{"X-Forwarded-For": "196.201.214.200, 8.8.8.8"}).status_code == 400
    assert addresses.is_listed("127.0.0.1", ["127.0.0.1"])
