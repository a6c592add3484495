"""Reversal as a full refund: its result is asked about before it is believed (money.md 10)."""

import json
import time

import pytest

from core import clock
from core.companies.mpesa import security_credential
from core.crypto import Secret
from events import sealing
from events.models import Callback
from payments.models import Operation
from tests.payments.world import (
    MPESA,
    SECOND_APP,
    attention,
    counters,
    events_of,
    operations_of,
    path_of,
    reaches,
    receipts_of,
    refund_reaches,
    session,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

REVERSAL = "POST /mpesa/reversal/v1/request"
STATUS = "POST /mpesa/transactionstatus/v1/query"


@pytest.fixture
def paid(world, shop):
    payment = shop.api.prompt()
    world.mpesa.simulate(payment, "approve")
    return reaches(shop, payment, "succeeded")


def refund(caller, payment, **body):
    return caller.post(f"payments/{payment['id']}/refunds", 201, **body)


def test_a_payment_is_refunded_whole_once_the_status_confirms_it(world, shop, caller, paid):
    made = refund(caller, paid, reason="Chairs broken", metadata={"ticket": "7"})

    assert (made["state"], made["amount"], made["currency"], made["origin"]) == ("pending", 25_000, "KES", "api")
    assert (made["payment"], made["reason"], made["metadata"]) == (paid["id"], "Chairs broken", {"ticket": "7"})
    assert counters(paid) == (25_000, 25_000, 0)

    refund_reaches(shop, made, "succeeded")

    assert counters(paid) == (25_000, 25_000, 25_000)
    [entry] = world.mpesa.entries("refund")
    assert (entry["state"], entry["amount"]) == ("succeeded", 250)
    assert receipts_of(paid)[1:] == [("refund", 25_000, entry["receipt"])]
    assert (world.mpesa.calls(REVERSAL), world.mpesa.calls(STATUS)) == (1, 1)
    assert path_of(made) == ["created", "pending", "succeeded"]
    assert events_of(made) == ["refund.pending", "refund.succeeded"]
    assert caller.get(f"payments/{paid['id']}")["state"] == "succeeded"
    assert [made["id"]] == [row["id"] for row in caller.get(f"payments/{paid['id']}/refunds")["data"]]
    assert attention() == []


def test_a_part_of_a_payment_is_not_refunded(world, caller, paid):
    for amount in (1, 10_000, 24_900):
        problem = caller.refused(f"payments/{paid['id']}/refunds", 400, "invalid_request", amount=amount)
        assert problem["param"] == "/amount"
    caller.refused(f"payments/{paid['id']}/refunds", 422, "refund_exceeds_captured", amount=25_100)

    assert counters(paid) == (25_000, 0, 0)
    assert world.mpesa.entries("refund") == []
    assert refund(caller, paid, amount=25_000)["state"] == "pending"


def test_a_second_refund_is_refused_while_the_first_is_open_and_after_it(world, shop, caller, paid):
    made = refund(caller, paid)
    caller.refused(f"payments/{paid['id']}/refunds", 422, "refund_exceeds_captured")
    refund_reaches(shop, made, "succeeded")
    caller.refused(f"payments/{paid['id']}/refunds", 422, "refund_exceeds_captured")

    assert world.mpesa.calls(REVERSAL) == 1


def test_a_result_that_was_lost_is_asked_for(world, shop, caller, paid):
    world.mpesa.trouble("callback_missing", REVERSAL)
    made = refund(caller, paid)
    world.work()
    assert caller.get(f"refunds/{made['id']}")["state"] == "pending"

    with world.later(seconds=61):
        refund_reaches(shop, made, "succeeded")

    assert counters(paid) == (25_000, 25_000, 25_000)
    assert (world.mpesa.calls(REVERSAL), len(world.mpesa.entries("refund"))) == (1, 1)


def test_an_answer_that_was_lost_is_settled_by_the_result(world, shop, caller, paid):
    world.mpesa.trouble("reset_after", REVERSAL)
    made = refund(caller, paid)
    assert made["state"] == "pending"
    assert ("refund", "unknown") in operations_of(paid)

    refund_reaches(shop, made, "succeeded")

    assert counters(paid) == (25_000, 25_000, 25_000)
    assert world.mpesa.calls(REVERSAL) == 1


def test_an_answer_and_a_result_that_were_both_lost_stay_counted_and_are_listed(world, shop, caller, paid):
    world.mpesa.post("settings", callback_mode="missing")
    world.mpesa.trouble("reset_after", REVERSAL)
    made = refund(caller, paid)
    for seconds in (61, 301, 1801, 7201):
        with world.later(seconds=seconds):
            assert caller.get(f"refunds/{made['id']}")["state"] == "pending"

    assert counters(paid) == (25_000, 25_000, 0)
    assert (made["id"], "unknown") in attention()
    assert world.mpesa.calls(REVERSAL) == 1


def test_a_queue_timeout_proves_nothing(world, shop, caller, paid):
    world.mpesa.trouble("queue_timeout_after", REVERSAL)
    made = refund(caller, paid)

    refund_reaches(shop, made, "succeeded")

    assert (world.mpesa.calls(REVERSAL), counters(paid)) == (1, (25_000, 25_000, 25_000))


@pytest.mark.parametrize(("code", "failure"), [("1", "insufficient_funds"), ("2006", "declined")])
def test_a_reversal_that_fails_gives_the_reserve_back(world, shop, caller, paid, code, failure):
    world.mpesa.trouble(f"result_{code}", REVERSAL)
    made = refund(caller, paid)

    world.heard(2)
    assert caller.get(f"refunds/{made['id']}")["state"] == "pending"
    with world.later(seconds=31):
        failed = refund_reaches(shop, made, "failed")

    assert failed["failure"]["code"] == failure
    assert counters(paid) == (25_000, 0, 0)
    assert events_of(made) == ["refund.pending", "refund.failed"]
    assert [entry["state"] for entry in world.mpesa.entries("refund")] == ["failed"]
    again = refund(caller, paid)
    refund_reaches(shop, again, "succeeded")
    assert counters(paid) == (25_000, 25_000, 25_000)


def tell(shop, refund, **result):
    """A result at the refund's own door, as M-Pesa or somebody who knows the address words it."""
    operation = Operation.objects.get(refund=refund["id"], kind="refund")
    told = {
        "ResultType": 0,
        "ResultCode": 0,
        "ResultDesc": "-",
        "OriginatorConversationID": "29115-34620561-1",
        "ConversationID": operation.provider_id,
    } | result
    row = Callback(
        merchant=shop.merchant.pk,
        livemode=False,
        account=shop.mpesa.pk,
        provider="mpesa",
        lane=shop.mpesa.pk,
        door="reversal",
        operation=operation.pk,
        digest=str(result),
        address="127.0.0.1",
        due_at=clock.now(),
    )
    sealing.seal(row, "headers", "{}")
    sealing.seal(row, "body", json.dumps({"Result": told}))
    row.save(force_insert=True)


def test_a_success_without_an_amount_is_asked_about_by_its_own_number(world, shop, caller, paid):
    world.mpesa.trouble("callback_missing", REVERSAL)
    made = refund(caller, paid)
    [entry] = until(lambda: [row for row in world.mpesa.entries("refund") if row["state"] == "succeeded"])

    tell(shop, made, TransactionID=entry["receipt"])
    refund_reaches(shop, made, "succeeded")

    assert receipts_of(paid)[1:] == [("refund", 25_000, entry["receipt"])]
    assert (counters(paid), attention()) == ((25_000, 25_000, 25_000), [])


def test_a_success_that_names_no_number_is_asked_about_by_our_request(world, shop, caller, paid):
    world.mpesa.trouble("callback_missing", REVERSAL)
    made = refund(caller, paid)
    until(lambda: [row for row in world.mpesa.entries("refund") if row["state"] == "succeeded"])

    tell(shop, made)
    refund_reaches(shop, made, "succeeded")


def test_a_failure_that_is_told_while_the_reversal_waits_in_the_queue_fails_nothing(world, shop, caller, paid):
    world.mpesa.post("settings", result_seconds=1.5)
    made = refund(caller, paid)

    tell(shop, made, ResultCode=1, TransactionID="TKK0000000")
    world.work()
    assert counters(paid) == (25_000, 25_000, 0)

    refund_reaches(shop, made, "succeeded")
    assert counters(paid) == (25_000, 25_000, 25_000)


def test_a_failure_that_is_told_of_a_reversal_that_was_done_fails_nothing(world, shop, caller, paid):
    world.mpesa.trouble("callback_missing", REVERSAL)
    made = refund(caller, paid)
    until(lambda: [row for row in world.mpesa.entries("refund") if row["state"] == "succeeded"])

    tell(shop, made, ResultCode=1, TransactionID="TKK0000000")
    refund_reaches(shop, made, "succeeded")

    assert counters(paid) == (25_000, 25_000, 25_000)


def test_of_a_reversal_that_was_told_to_have_succeeded_and_failed_a_person_decides(world, shop, caller, paid):
    world.mpesa.trouble("result_1", REVERSAL)
    made = refund(caller, paid)
    world.heard(2)
    tell(shop, made, TransactionID="TKK0FORGED")
    for seconds in (31, 61, 121):
        with world.later(seconds=seconds):
            time.sleep(0.1)
            world.work()

    assert caller.get(f"refunds/{made['id']}")["state"] == "pending"
    assert (counters(paid), (made["id"], "parked") in attention()) == ((25_000, 25_000, 0), True)


def test_money_that_somebody_else_has_sent_back_is_not_called_a_failure(world, shop, caller, paid):
    """R000001: the payer has the money. To fail here would offer the same money once more."""
    reverse_at_the_company(world, paid)
    made = refund(caller, paid)
    told = world.heard(2)[-1]
    world.work()

    assert (told.state, (told.pk, "parked") in attention()) == ("parked", True)
    for seconds in (61, 301, 1801, 7201):
        with world.later(seconds=seconds):
            assert caller.get(f"refunds/{made['id']}")["state"] == "pending"
    assert counters(paid) == (25_000, 25_000, 0)


def test_a_refused_request_fails_at_once(world, shop, caller):
    plain = world.shop("Plain")
    without = {name: value for name, value in (MPESA | SECOND_APP).items() if not name.startswith("initiator")}
    plain.account("mpesa", without, world.mpesa_options())
    payment = plain.api.prompt(phone="254711000777")
    world.mpesa.simulate(payment, "approve")
    reaches(plain, payment, "succeeded")

    answer = plain.api.send("POST", f"payments/{payment['id']}/refunds", json={})

    assert answer.status_code in (201, 409)
    assert world.mpesa.entries("refund") == []
    assert counters(payment) == (25_000, 0, 0)


def reverse_at_the_company(world, payment):
    """What an operator does at M-Pesa's own portal."""
    http, base = session(), world.mpesa.url
    grant = {"grant_type": "client_credentials"}
    pair = ("lango-simulator-key-2", "lango-simulator-secret-2")
    token = http.get(f"{base}/oauth/v1/generate", params=grant, auth=pair, timeout=8).json()["access_token"]
    body = {
        "Initiator": "lango-operator",
        "SecurityCredential": security_credential(Secret("Simulator-Pass-1!"), certificate=world.certificate),
        "CommandID": "TransactionReversal",
        "TransactionID": world.mpesa.entries("payment")[0]["receipt"],
        "Amount": "250",
        "ReceiverParty": "600111",
        "RecieverIdentifierType": "11",
        "ResultURL": f"{world.base_url}/nowhere",
        "QueueTimeOutURL": f"{world.base_url}/nowhere",
        "Remarks": "by hand",
        "Occasion": "",
    }
    answer = http.post(
        f"{base}/mpesa/reversal/v1/request", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=8
    )
    assert answer.status_code == 200, answer.text
    until(lambda: [entry for entry in world.mpesa.entries("refund") if entry["state"] == "succeeded"])
