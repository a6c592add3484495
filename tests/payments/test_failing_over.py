"""Another account takes over where nobody can have been charged, and only there (money.md 14)."""

import pytest

from core.providers import (
    Misconfigured,
    NothingCreated,
    OutcomeUnknown,
    TokenRejected,
    Unreachable,
    Unsupported,
)
from core.routing import Rule, Strategy, Target
from events.models import Event
from merchants import routing, services, switches
from merchants.models import Breaker
from payments.models import Attempt
from payments.providers.base import FailureCode, Report, Word
from payments.services.failing_over import decide
from tests.payments.world import MPESA, SECOND_APP, attention, events_of, operations_of, reaches

pytestmark = pytest.mark.django_db(transaction=True)

PUSH = "POST /mpesa/stkpush/v1/processrequest"


@pytest.mark.parametrize(
    ("outcome", "qr", "prompt"),
    [
        (Unreachable("no byte was written"), "next", "next"),
        (Misconfigured("refused"), "next", "next"),
        (Unsupported("not declared"), "next", "next"),
        (TokenRejected("twice"), "next", "next"),
        (NothingCreated("down", code=FailureCode.PROVIDER_UNAVAILABLE), "next", "next"),
        (NothingCreated("too much for it", code=FailureCode.INVALID_REQUEST), "next", "next"),
        (NothingCreated("busy", code=FailureCode.PAYER_BUSY), "stop", "stop"),
        (NothingCreated("again", code=FailureCode.DUPLICATE), "stop", "stop"),
        (OutcomeUnknown("lost"), "next", "stop"),
        (Report(Word.FAILED), "stop", "stop"),
        (Report(Word.UNKNOWN), "stop", "stop"),
        (Report(Word.REQUIRES_ACTION), "stop", "stop"),
        (Report(Word.REQUIRES_ACTION, withheld="another amount"), "next", "stop"),
    ],
)
def test_what_follows_on_each_first_answer(outcome, qr, prompt):
    assert (decide(outcome, held_by_us=True), decide(outcome, held_by_us=False)) == (qr, prompt)


@pytest.fixture
def second(shop):
    """Another M-Pesa account of the shop's, asked after the first."""
    assert shop.mpesa.pk
    credentials = MPESA | SECOND_APP
    return shop.account("mpesa", credentials, shop.world.mpesa_options(), priority=200)


def misconfigure(account):
    app = SECOND_APP if account.priority == 200 else {}
    services.set_credentials(account, MPESA | app | {"passkey": "nobody's"}, by="tests")


def tried(payment):
    return [(attempt["account"], attempt["state"]) for attempt in payment["attempts"]]


def test_where_certainly_nothing_was_created_the_next_account_takes_it_and_the_merchant_sees_one_payment(
    world, shop, caller, second
):
    misconfigure(shop.mpesa)
    payment = caller.prompt(key="one")
    assert (payment["state"], payment["failure"]) == ("requires_action", None)
    assert tried(payment) == [(shop.mpesa.pk, "failed"), (second.pk, "open")]
    assert payment["attempts"][0]["failure"]["code"] == "provider_configuration"
    assert len(world.mpesa.entries()) == 1

    world.mpesa.simulate(payment, "approve")
    world.heard()
    paid = reaches(shop, payment, "succeeded")
    assert tried(paid) == [(shop.mpesa.pk, "failed"), (second.pk, "succeeded")]
    assert events_of(payment) == ["payment.requires_action", "payment.succeeded"]
    assert caller.prompt(key="one")["id"] == payment["id"]
    assert len(world.mpesa.entries()) == 1


def test_a_lost_answer_to_a_prompt_stays_where_it_is(world, shop, caller, second):
    world.mpesa.trouble("timeout_after", PUSH)
    payment = caller.prompt()
    assert tried(payment) == [(shop.mpesa.pk, "open")]
    assert operations_of(payment) == [("create", "unknown")]
    assert len(world.mpesa.entries()) == 1


def test_when_nobody_is_left_the_payment_fails_with_the_last_word(world, shop, caller, second):
    misconfigure(shop.mpesa)
    misconfigure(second)
    payment = caller.prompt()
    assert (payment["state"], payment["failure"]["code"]) == ("failed", "provider_configuration")
    assert tried(payment) == [(shop.mpesa.pk, "failed"), (second.pk, "failed")]
    assert events_of(payment) == ["payment.failed"]
    assert world.mpesa.entries() == []


def test_a_browser_s_token_is_never_shown_to_another_account(shop, caller):
    other = shop.account("stripe", {"secret_key": "sk_test_other", "webhook_secrets": ["whsec_other"]}, priority=200)
    services.set_credentials(
        shop.stripe, {"secret_key": "sk_test_expired_key", "webhook_secrets": ["whsec_x"]}, by="tests"
    )
    payment = caller.card()
    assert payment["state"] == "failed"
    assert other.pk not in [account for account, _ in tried(payment)]


def test_a_pinned_provider_keeps_to_its_accounts_and_a_rule_puts_them_in_order(shop, caller, second):
    rule = Rule("second first", Strategy.IN_ORDER, (Target(second.pk),), methods=frozenset({"mpesa"}))
    routing.write_rule(merchant=shop.merchant, livemode=False, rule=rule, priority=1, by="tests")
    assert shop.mpesa.pk
    assert tried(caller.prompt(provider="mpesa")) == [(second.pk, "open")]


def test_an_account_that_does_not_answer_rests_and_comes_back_by_itself(world, shop, caller, settings):
    settings.BREAKER_FAILURES = 3
    assert shop.mpesa.pk
    for place in range(3):
        world.mpesa.trouble("500_before", PUSH)
        assert caller.prompt(phone=f"25471100040{place}")["state"] == "processing"
    refusal = caller.refused(
        "payments", 503, "provider_busy", amount=100, currency="KES", method="mpesa", phone="254711000409"
    )
    assert "has not answered for a while" in refusal["detail"]
    assert Attempt.objects.count() == 3
    with world.later(seconds=6):
        assert caller.prompt(phone="254711000410")["state"] == "requires_action"
    assert Breaker.objects.get().opened_at is None


def test_while_one_rests_another_takes_its_payments_without_a_call_to_it(world, shop, caller, second, settings):
    settings.BREAKER_FAILURES = 1
    world.mpesa.trouble("500_before", PUSH)
    assert tried(caller.prompt()) == [(shop.mpesa.pk, "open")]
    assert tried(caller.prompt(phone="254711000412")) == [(second.pk, "open")]


def test_a_provider_that_is_switched_off_gets_no_new_payment_and_goes_on_with_the_open_ones(world, shop, caller):
    open_one = caller.prompt()
    switch = next(row for row in switches.switches() if row.provider == "mpesa")
    switches.switch_provider_off(switch, by="staff:asha")
    caller.refused(
        "payments", 400, "no_provider_available", amount=100, currency="KES", method="mpesa", phone="254711000413"
    )
    world.mpesa.simulate(open_one, "approve")
    world.heard()
    reaches(shop, open_one, "succeeded")
    refund = caller.post(f"payments/{open_one['id']}/refunds", 201)
    assert refund["state"] in ("pending", "succeeded")
    assert Event.objects.filter(type="payment.succeeded").count() == 1
    assert attention() == []
