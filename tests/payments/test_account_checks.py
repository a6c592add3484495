"""A provider account's credentials, tried with a real call that changes nothing."""

import pytest

from core import http
from merchants.account_checks import check_account
from merchants.models import ProviderAccount, ProviderToken
from tests.payments.world import MPESA, audit_of

pytestmark = pytest.mark.django_db(transaction=True)

GENERATE, LIST = "GET /oauth/v1/generate", "GET /v1/payment_intents"


def check(caller, account, **options):
    answer = caller.post(f"provider-accounts/{account.pk}/test", **options)
    assert (answer["id"], answer["object"]) == (account.pk, "provider_account_test")
    return answer["result"]


def test_good_credentials_are_ok_and_it_is_written_down(world, shop, caller):
    for account, route, company in ((shop.stripe, LIST, world.stripe), (shop.mpesa, GENERATE, world.mpesa)):
        assert check(caller, account) == "ok"
        assert company.calls(route) == 1
        assert company.entries() == []
    told = audit_of("provider_account.tested")
    assert [(row.object_id, row.detail["result"]) for row in told] == [(shop.stripe.pk, "ok"), (shop.mpesa.pk, "ok")]
    assert {row.merchant for row in told} == {shop.merchant.pk}


@pytest.mark.parametrize("provider", ["stripe", "mpesa"])
def test_refused_credentials_are_refused_and_the_reason_holds_none(world, shop, caller, provider):
    wrong = {
        "stripe": {"secret_key": "sk_test_expired_and_secret", "webhook_secrets": ["whsec_x"]},
        "mpesa": MPESA | {"consumer_secret": "wrong-and-secret"},
    }[provider]
    account = getattr(shop, provider)
    caller.post(f"provider-accounts/{account.pk}/credentials", credentials=wrong)

    answer = caller.post(f"provider-accounts/{account.pk}/test")

    assert answer["result"] == "refused"
    assert "refuse" in answer["detail"]
    assert "secret" not in answer["detail"].replace("secret key", "").replace("or secret", "")


@pytest.mark.parametrize("trouble", ["500_before", "reset_before", "html_before"])
@pytest.mark.parametrize("provider", ["stripe", "mpesa"])
def test_a_provider_that_cannot_be_reached_leaves_it_unknown(world, shop, caller, provider, trouble):
    account = getattr(shop, provider)
    getattr(world, provider).trouble(trouble)

    assert check(caller, account) == "unknown"
    assert check(caller, account) == "ok"


def test_a_provider_that_listens_nowhere_leaves_it_unknown(world, shop, caller, settings, refused_port):
    account = shop.stripe
    settings.SIMULATORS_PORT = refused_port
    assert check(caller, account) == "unknown"


def test_too_many_calls_in_flight_leave_it_unknown(world, shop):
    account = shop.stripe
    held = [http.slot(account.pk, limit=1_000) for _ in range(40)]
    for slot in held:
        slot.__enter__()
    try:
        assert check_account(account, by="tests").result == "unknown"
    finally:
        for slot in held:
            slot.__exit__(None, None, None)
    assert check_account(account, by="tests").result == "ok"


def test_an_account_whose_options_its_adapter_no_longer_takes_is_refused(world, shop, caller):
    account = shop.mpesa
    ProviderAccount.objects.filter(pk=account.pk).update(options={"shortcode": "till"}, revision=9)
    answer = caller.post(f"provider-accounts/{account.pk}/test")
    assert (answer["result"], answer["detail"]) == ("refused", "'shortcode' must be digits")


def test_new_credentials_are_tried_and_not_the_token_of_the_earlier_ones(world, shop, caller):
    account = shop.mpesa
    caller.prompt()
    wrong = MPESA | {"consumer_secret": "wrong"}
    caller.post(f"provider-accounts/{account.pk}/credentials", credentials=wrong)
    assert check(caller, account) == "refused"
    assert caller.prompt(phone="254711000112")["failure"]["code"] == "provider_configuration"
    caller.post(f"provider-accounts/{account.pk}/credentials", credentials=MPESA)
    assert caller.prompt(phone="254711000112")["state"] == "requires_action"


def test_a_test_leaves_one_live_token_that_payments_go_on_with(world, shop, caller):
    caller.prompt()
    assert check(caller, shop.mpesa) == "ok"
    assert world.mpesa.calls(GENERATE) == 2
    assert caller.prompt(phone="254711000112")["state"] == "requires_action"
    assert world.mpesa.calls(GENERATE) == 2
    assert ProviderToken.objects.count() == 1


def test_a_disabled_account_can_be_tested(world, shop, caller):
    caller.post(f"provider-accounts/{shop.stripe.pk}/disable")
    assert check(caller, shop.stripe) == "ok"


def test_a_repeat_with_its_key_makes_no_second_call(world, shop, caller):
    assert check(caller, shop.mpesa, key="t-1") == check(caller, shop.mpesa, key="t-1") == "ok"
    assert world.mpesa.calls(GENERATE) == 1


def test_tests_of_one_account_are_limited(world, shop, caller):
    assert [check(caller, shop.stripe) for _ in range(10)] == ["ok"] * 10
    path = f"provider-accounts/{shop.stripe.pk}/test"
    problem = caller.refused(path, 429, "rate_limited", key="late")
    assert "requests" in problem["detail"]
    assert caller.send("POST", path, key="late").headers["Retry-After"]
    assert check(caller, shop.mpesa) == "ok"
