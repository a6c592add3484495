"""`manage.py recompute_payments`: counters against the rows that they count."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from events.models import AuditEntry
from payments.models import Payment
from tests.payments.world import counters, reaches

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments):
    """(exit code, what was printed)"""
    printed = StringIO()
    try:
        call_command("recompute_payments", *arguments, stdout=printed)
    except CommandError as error:
        return error.returncode, printed.getvalue() + str(error)
    return 0, printed.getvalue()


def test_counters_agree_after_everything_that_can_happen_to_a_payment(world, shop, caller):
    world.listen_to_stripe(shop)
    caller.card("pm_card_visa_chargeDeclined")
    held = caller.card(capture="manual")
    caller.post(f"payments/{held['id']}/capture", amount=1000)
    caller.post(f"payments/{held['id']}/refunds", 201, amount=300)
    bouncing = caller.card("pm_card_refundFail")
    caller.post(f"payments/{bouncing['id']}/refunds", 201, amount=500)
    world.work_until(lambda: counters(bouncing) == (1250, 0, 0))
    for phone, mode in (("254711000801", "under"), ("254711000802", "over"), ("254711000803", "normal")):
        prompt = caller.prompt(phone)
        world.mpesa.simulate(prompt, "approve", callback=mode)
        reaches(shop, prompt, "succeeded")

    assert run() == (0, "Every counter agrees with its rows.\n")


def test_a_difference_is_printed_and_left_alone(caller):
    paid, other = caller.card(), caller.card()
    Payment.objects.filter(pk=paid["id"]).update(captured_amount=1300, refunded_amount=7)

    code, printed = run()

    assert code == 1
    assert f"{paid['id']} captured_amount: 1300 stands, the rows say 1250" in printed
    assert f"{paid['id']} refunded_amount: 7 stands, the rows say 0" in printed
    assert "refund_reserved" not in printed
    assert other["id"] not in printed
    assert counters(paid) == (1300, 0, 7)
    assert run(other["id"])[0] == 0


def test_a_difference_is_repaired_with_an_audit_entry_and_still_told(caller):
    paid = caller.card()
    caller.post(f"payments/{paid['id']}/refunds", 201, amount=400)
    Payment.objects.filter(pk=paid["id"]).update(refund_reserved=0, refunded_amount=0)

    code, printed = run("--fix")

    assert (code, "1 payments differ" in printed) == (1, True)
    assert counters(paid) == (1250, 400, 400)
    entry = AuditEntry.objects.get(action="payment.recomputed")
    assert (entry.object_id, entry.detail["before"]["refund_reserved"]) == (paid["id"], 0)
    assert entry.detail["after"] == {"captured_amount": 1250, "refund_reserved": 400, "refunded_amount": 400}
    assert run("--fix")[0] == 0
