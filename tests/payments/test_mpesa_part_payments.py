"""A prompt of which only a part has come: what ends, what goes on, and what counts as paid (money.md 1, 7)."""

import pytest

from events import work
from ledger.models import Account
from payments.models import Attempt, Overpayment, Payment, UnallocatedReceipt
from payments.services import registering, resolving
from tests.payments.test_mpesa_c2b import pay, reference_of, till
from tests.payments.world import attention, counters, events_of, reaches, receipts_of, refund_reaches

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def part_paid(world, shop, caller):
    """A prompt for 250 shillings whose payer has sent 100 to the paybill."""
    registering.register_doors(shop.mpesa, by="tests")
    work.drain("registrations")
    payment = caller.prompt()
    pay(world, reference_of(payment), 100, validation="missing")
    world.work_until(lambda: receipts_of(payment))
    assert shown(payment) == ("processing", "open", True, True)
    return payment


def shown(payment):
    """States of payment and attempt, and whether it is underpaid and its prompt still locks the phone."""
    attempt = Attempt.objects.select_related("payment").get(payment=payment["id"])
    return attempt.payment.state, attempt.state, attempt.payment.underpaid, attempt.prompt_lock is not None


def test_a_declined_prompt_does_not_fail_a_payment_that_holds_money(world, shop, caller, part_paid):
    world.mpesa.simulate(part_paid, "decline")
    world.work_until(lambda: shown(part_paid)[1] == "failed")

    assert shown(part_paid) == ("processing", "failed", True, False)
    assert "payment.failed" not in events_of(part_paid)
    assert attention() == [(part_paid["id"], "underpaid")]
    pay(world, reference_of(part_paid), 150)
    assert reaches(shop, part_paid, "succeeded")["captured_amount"] == 25_000


def test_the_phone_is_free_at_the_end_of_the_prompts_life(world, shop, caller, part_paid):
    caller.refused("payments", 409, "prompt_open", amount=25_000, currency="KES", method="mpesa", phone="254711000111")
    for seconds in (13, 301):
        with world.later(seconds=seconds):
            pass

    assert shown(part_paid) == ("processing", "open", True, False)
    assert caller.prompt()["id"] != part_paid["id"]


def test_a_part_that_was_given_back_is_not_paid(world, shop, caller, part_paid):
    refund = caller.post(f"payments/{part_paid['id']}/refunds", 201)
    refund_reaches(shop, refund, "succeeded")

    assert shown(part_paid) == ("processing", "open", False, True)
    assert attention() == []
    pay(world, reference_of(part_paid), 150, validation="missing")
    world.work_until(lambda: len(receipts_of(part_paid)) == 3)
    assert shown(part_paid) == ("processing", "open", True, True)
    pay(world, reference_of(part_paid), 100)
    reaches(shop, part_paid, "succeeded")

    assert counters(part_paid) == (35_000, 10_000, 10_000)
    assert not Overpayment.objects.exists()


def test_a_payment_whose_part_was_given_back_ends_as_its_prompt_has(world, shop, caller, part_paid):
    world.mpesa.simulate(part_paid, "decline")
    world.work_until(lambda: shown(part_paid)[1] == "failed")
    refund = caller.post(f"payments/{part_paid['id']}/refunds", 201)
    refund_reaches(shop, refund, "succeeded")

    failed = reaches(shop, part_paid, "failed")
    assert failed["failure"]["code"] == "cancelled_by_payer"
    assert (counters(part_paid), attention()) == ((10_000, 10_000, 10_000), [])


def test_a_payment_whose_part_was_given_back_late_expires(world, shop, caller, part_paid):
    with world.later(seconds=301):
        refund = caller.post(f"payments/{part_paid['id']}/refunds", 201)
        refund_reaches(shop, refund, "succeeded")
        assert shown(part_paid)[0] == "expired"


@pytest.mark.parametrize("by_a_person", [False, True])
def test_a_prompt_that_is_paid_after_a_part_is_found_by_asking(world, shop, caller, part_paid, by_a_person):
    """The whole sum comes on top of the part, and neither callback nor confirmation arrives."""
    world.mpesa.post("settings", confirmation_mode="missing")
    if by_a_person:
        with world.later(seconds=301):
            assert shown(part_paid) == ("processing", "open", True, False)
    world.mpesa.simulate(part_paid, "approve", callback="missing")
    if by_a_person:
        resolving.ask_now(part_paid["id"])
        world.work()
    else:
        with world.later(seconds=13):
            pass

    assert shown(part_paid) == ("succeeded", "succeeded", False, False)
    assert [amount for _, amount, _ in receipts_of(part_paid)] == [10_000, 25_000]
    assert (counters(part_paid), Overpayment.objects.get().amount) == ((25_000, 0, 0), 10_000)


def test_a_receipt_that_is_assigned_fills_the_one_that_waits_for_it(world, shop, caller):
    till(world, shop)
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve", callback="missing")
    row = world.work_until(UnallocatedReceipt.objects.first)
    with world.later(seconds=13):
        assert receipts_of(payment) == [("capture", 25_000, None)]
    number = row.receipt.provider_money_id

    caller.post(f"unallocated-receipts/{row.pk}/assign", payment=payment["id"])

    assert receipts_of(payment) == [("capture", 25_000, number)]
    held = Account.objects.filter(owner=shop.mpesa.pk, kind="provider_clearing").with_balance()
    assert [account.balance for account in held] == [25_000]
    assert (attention(), Overpayment.objects.exists()) == ([], False)
    assert Payment.objects.get(pk=payment["id"]).captured_amount == 25_000


def test_each_receipt_is_given_back_by_a_refund_of_its_own(world, shop, caller, part_paid):
    pay(world, reference_of(part_paid), 150)
    reaches(shop, part_paid, "succeeded")
    path = f"payments/{part_paid['id']}/refunds"

    problem = caller.refused(path, 400, "invalid_request")
    assert problem["param"] == "/amount"
    assert "100.00" in problem["detail"]
    assert "150.00" in problem["detail"]
    first = caller.post(path, 201, amount=15_000)
    refund_reaches(shop, first, "succeeded")
    caller.refused(path, 400, "invalid_request", amount=5_000)
    refund_reaches(shop, caller.post(path, 201), "succeeded")

    assert counters(part_paid) == (25_000, 25_000, 25_000)
    assert sorted(entry["amount"] for entry in world.mpesa.entries("refund")) == [100, 150]
    caller.refused(path, 422, "refund_exceeds_captured")


def test_a_receipt_that_is_an_overpayment_in_part_is_not_given_back_by_a_call(world, shop, caller, part_paid):
    pay(world, reference_of(part_paid), 300, validation="missing")
    reaches(shop, part_paid, "succeeded")
    path = f"payments/{part_paid['id']}/refunds"

    caller.refused(path, 400, "invalid_request")
    caller.refused(path, 400, "invalid_request", amount=15_000)
    refund_reaches(shop, caller.post(path, 201, amount=10_000), "succeeded")
    caller.refused(path, 409, "not_refundable")

    assert counters(part_paid) == (25_000, 10_000, 10_000)
