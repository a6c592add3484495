"""A merchant's provider accounts over the API: credentials go in, and nothing ever shows them again."""

import json
import logging
from datetime import timedelta

import pytest
from django.apps import apps

from core import clock
from core.logging import JsonFormatter
from events import sealing
from events.models import AuditEntry, IdempotencyAnswer, IdempotencyKey
from merchants.models import ApiKey, ProviderAccount, ProviderToken
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/v1/provider-accounts"
SECRETS = ("sk_test_over_the_api", "whsec_over_the_api", "app-over-the-api", "secret-over-the-api", "pass-over-the-api")
STRIPE = {
    "provider": "stripe",
    "name": "Shop",
    "host": "simulator",
    "credentials": {"secret_key": SECRETS[0], "webhook_secrets": [SECRETS[1]]},
}
MPESA = {
    "provider": "mpesa",
    "name": "Till",
    "host": "simulator",
    "credentials": {"consumer_key": SECRETS[2], "consumer_secret": SECRETS[3], "passkey": SECRETS[4]},
    "options": {"shortcode": "600111"},
}


def create(api, body=None, idempotency_key="a-1", **changes):
    return api.post(PATH, {**(body or STRIPE), **changes}, idempotency_key=idempotency_key)


def faults(answer):
    return answer.status_code, [fault["param"] for fault in answer.json()["errors"]]


def test_an_account_is_created_and_its_callback_addresses_shown_once(api, settings):
    made = create(api, priority=5, options={"statement_descriptor_suffix": "DUKA"})
    body = made.json()
    assert made.status_code == 201
    account = ProviderAccount.objects.get()
    assert (account.merchant_id, account.livemode) == (api.key.merchant_id, False)
    assert (body["id"], body["priority"], body["options"]) == (account.pk, 5, {"statement_descriptor_suffix": "DUKA"})
    assert body["callback_urls"]["events"].startswith(f"{settings.PUBLIC_URL}/callbacks/")
    assert api.client.post(body["callback_urls"]["events"].removeprefix(settings.PUBLIC_URL)).status_code != 404
    shown = api.get(f"{PATH}/{account.pk}").json()
    assert shown == {**body, "callback_urls": None}
    assert api.get(PATH).json()["data"] == [shown]
    assert create(api, priority=5, options={"statement_descriptor_suffix": "DUKA"}).json() == shown
    assert ProviderAccount.objects.count() == 1


def test_the_addresses_to_enter_are_those_of_the_doors_that_serve_no_single_operation(api):
    assert set(create(api, MPESA).json()["callback_urls"]) == {"validation", "confirmation"}


def test_no_answer_row_or_log_line_shows_a_credential(api, caplog):
    caplog.set_level(logging.DEBUG)
    answers = [create(api), create(api), create(api, MPESA, "a-2"), create(api, MPESA, "a-3")]
    account = answers[0].json()["id"]
    answers += [
        api.post(f"{PATH}/{account}/credentials", {"credentials": STRIPE["credentials"]}, idempotency_key="c"),
        api.post(f"{PATH}/{account}/credentials", {"credentials": {"secret_key": SECRETS[0]}}),
        create(api, idempotency_key="a-4", credentials={"secret_key": [SECRETS[0]], "webhook_secrets": SECRETS[1]}),
        api.call("PATCH", f"{PATH}/{account}", {"credentials": STRIPE["credentials"]}),
        api.get(PATH),
    ]
    formatter = JsonFormatter()
    said = [answer.content.decode() for answer in answers] + [formatter.format(line) for line in caplog.records]
    kept = [
        str(list(model._default_manager.values_list()))
        for model in apps.get_models()
        if model._meta.app_label in ("events", "merchants", "django_celery_beat")
    ]
    stored = [sealing.unseal(row, "body").decode() for row in IdempotencyAnswer.objects.all()]
    assert stored
    for secret in SECRETS:
        assert not any(secret in text for text in said + kept + stored)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"provider": "acme"}, ["/provider"]),
        ({"name": ""}, ["/name"]),
        ({"host": "elsewhere"}, ["/host"]),
        ({"priority": -1}, ["/priority"]),
        ({"priority": 32_768}, ["/priority"]),
        ({"credentials": {}}, ["/credentials/secret_key"]),
        ({"credentials": "sk_test_x"}, ["/credentials"]),
        ({"credentials": {"secret_key": "sk_live_x", "webhook_secrets": ["w"]}}, ["/credentials/secret_key"]),
        ({"credentials": {"secret_key": "sk_test_x", "webhook_secrets": "w"}}, ["/credentials/webhook_secrets"]),
        ({"credentials": STRIPE["credentials"] | {"pin": "1"}}, ["/credentials/pin"]),
        ({"options": {"api_version": 7}}, ["/options/api_version"]),
        ({"options": {"api_version": "a\x00"}}, ["/options"]),
        ({"options": []}, ["/options"]),
        ({"is_enabled": True}, ["/is_enabled"]),
        ({"livemode": True}, ["/livemode"]),
        ({"host": "x", "credentials": {}, "options": {"x": 1}}, ["/host", "/credentials/secret_key", "/options/x"]),
    ],
)
def test_bad_input_is_named_and_makes_nothing(api, changes, named):
    assert faults(create(api, **changes)) == (400, named)
    assert not ProviderAccount.objects.exists()
    assert not IdempotencyKey.objects.exists()


def test_a_host_may_be_left_out_where_there_is_one(api):
    live = factories.ApiKeyFactory(merchant=api.key.merchant, livemode=True)
    body = {name: value for name, value in STRIPE.items() if name != "host"}
    assert faults(api.post(PATH, body)) == (400, ["/host"])
    credentials = {"secret_key": "sk_live_nobodys", "webhook_secrets": ["whsec_nobodys"]}
    made = api.post(PATH, body | {"credentials": credentials}, presented=live.presented).json()
    assert (made["host"], made["livemode"]) == ("production", True)


def test_a_test_account_stays_off_the_live_host_where_a_provider_has_two(api):
    assert faults(create(api, MPESA, host="production")) == (400, ["/host"])
    assert create(api, MPESA, host="sandbox").status_code == 201


def test_only_what_is_sent_changes_and_every_process_sees_it(api):
    made = create(api, MPESA).json() | {"callback_urls": None}
    changed = api.call("PATCH", f"{PATH}/{made['id']}", {"priority": 7, "options": {"shortcode": "600222"}})
    assert changed.json() == {**made, "priority": 7, "options": {"shortcode": "600222"}}
    assert ProviderAccount.objects.get().revision == 2
    assert api.call("PATCH", f"{PATH}/{made['id']}", {}).json() == changed.json()
    for body, named in (
        ({"options": {"shortcode": "till"}}, "/options/shortcode"),
        ({"options": {}}, "/options/shortcode"),
        ({"options": {"shortcode": "1", "source_addresses": ["10.0.0.300"]}}, "/options"),
        ({"host": "sandbox"}, "/host"),
        ({"name": "x" * 101}, "/name"),
    ):
        assert faults(api.call("PATCH", f"{PATH}/{made['id']}", body)) == (400, [named])
    assert ProviderAccount.objects.get().revision == 2


def test_rotated_credentials_take_the_place_of_all_that_were_there(api):
    account = create(api, MPESA).json()["id"]
    row = ProviderAccount.objects.get()
    ProviderToken.objects.create(account=row, merchant_id=row.merchant_id, livemode=False, token=b"of the earlier ones")
    anew = {"consumer_key": "other-app", "consumer_secret": "other-secret", "passkey": "other-passkey"}
    for _ in range(2):
        answer = api.post(f"{PATH}/{account}/credentials", {"credentials": anew}, idempotency_key="c-1")
        assert (answer.status_code, answer.json()["id"]) == (200, account)
    fresh = ProviderAccount.objects.get()
    assert json.loads(sealing.unseal(fresh, "credentials")) == anew
    assert fresh.revision == 2
    assert not ProviderToken.objects.exists()
    assert AuditEntry.objects.filter(action="provider_account.credentials_set", actor=api.key.pk).count() == 1


def test_disabling_takes_one_and_enabling_is_not_offered(api):
    account = create(api).json()["id"]
    answer = api.post(f"{PATH}/{account}/disable", idempotency_key="d")
    assert (answer.status_code, answer.json()["is_enabled"]) == (200, False)
    assert api.post(f"{PATH}/{account}/disable", idempotency_key="d").json() == answer.json()
    assert api.call("PATCH", f"{PATH}/{account}", {"is_enabled": True}).status_code == 400
    assert api.post(f"{PATH}/{account}/enable").status_code == 404
    assert not ProviderAccount.objects.get().is_enabled


def test_new_callback_addresses_are_shown_once_and_the_earlier_ones_stay_open(api, settings):
    made = create(api).json()
    renewed = api.post(f"{PATH}/{made['id']}/callback-urls", idempotency_key="u").json()
    assert renewed["callback_urls"]["events"] != made["callback_urls"]["events"]
    for shown in (made, renewed):
        assert api.client.post(shown["callback_urls"]["events"].removeprefix(settings.PUBLIC_URL)).status_code != 404
    again = api.post(f"{PATH}/{made['id']}/callback-urls", idempotency_key="u").json()
    assert again == {**renewed, "callback_urls": None}


def test_a_second_account_of_one_app_is_refused_and_the_field_named(api):
    first = create(api, MPESA).json()["id"]
    answer = create(api, MPESA, "a-2", options={"shortcode": "600222"})
    body = answer.json()
    assert (answer.status_code, body["code"], body["param"]) == (409, "provider_app_taken", "/credentials/consumer_key")
    assert first in body["detail"]
    assert SECRETS[2] not in answer.content.decode()
    assert ProviderAccount.objects.count() == 1
    other_app = MPESA["credentials"] | {"consumer_key": "another-app"}
    assert create(api, MPESA, "a-2", credentials=other_app).status_code == 201


def test_an_app_of_another_merchant_is_refused_without_telling_whose(api):
    held = factories.ProviderAccountFactory(mpesa=True, credentials=MPESA["credentials"])
    answer = create(api, MPESA)
    assert answer.json()["code"] == "provider_app_taken"
    assert held.pk not in answer.content.decode()
    assert held.merchant_id not in answer.content.decode()


def test_credentials_cannot_be_rotated_to_another_accounts_app_and_can_be_to_the_own(api):
    create(api, MPESA)
    mine = create(api, MPESA, "a-2", credentials=MPESA["credentials"] | {"consumer_key": "another-app"}).json()["id"]
    taken = api.post(f"{PATH}/{mine}/credentials", {"credentials": MPESA["credentials"]}, idempotency_key="c")
    assert (taken.status_code, taken.json()["param"]) == (409, "/credentials/consumer_key")
    assert ProviderAccount.objects.get(pk=mine).revision == 1
    own = MPESA["credentials"] | {"consumer_key": "another-app", "consumer_secret": "anew"}
    assert api.post(f"{PATH}/{mine}/credentials", {"credentials": own}, idempotency_key="c").status_code == 200


def test_an_app_that_was_given_up_is_free_and_one_of_a_disabled_account_is_not(api):
    first = create(api, MPESA).json()["id"]
    api.post(f"{PATH}/{first}/disable")
    assert create(api, MPESA, "a-2").status_code == 409
    given_up = MPESA["credentials"] | {"consumer_key": "another-app"}
    assert api.post(f"{PATH}/{first}/credentials", {"credentials": given_up}).status_code == 200
    assert create(api, MPESA, "a-2").status_code == 201


def test_one_key_of_a_provider_without_such_apps_may_serve_two_accounts(api):
    assert create(api).status_code == create(api, idempotency_key="a-2").status_code == 201


def test_reading_and_writing_take_their_own_scopes(api):
    account = create(api).json()["id"]
    ApiKey.objects.update(scopes=["provider_accounts:read"])
    assert api.get(f"{PATH}/{account}").status_code == 200
    for path in ("", f"/{account}/test", f"/{account}/disable", f"/{account}/credentials"):
        assert api.post(PATH + path).json()["param"] == "provider_accounts:write"


def test_a_replay_after_two_days_shows_the_account_as_it_is_now(api):
    made = create(api).json()
    api.call("PATCH", f"{PATH}/{made['id']}", {"name": "Renamed"})
    IdempotencyAnswer.objects.all().delete()
    with clock.shifted(timedelta(days=2, minutes=5)):
        assert create(api).json() == {**made, "name": "Renamed", "callback_urls": None}
