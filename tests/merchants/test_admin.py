"""Staff's pages of merchants, keys, provider accounts, doors and deliveries."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from core import clock
from events import sealing
from events.models import Callback, Event
from merchants import accounts, doors, services
from merchants.authentication import key_hash
from merchants.models import (
    ApiKey,
    Delivery,
    DeliveryAttempt,
    InternalDelivery,
    Merchant,
    ProviderAccount,
    WebhookEndpoint,
    WebhookReplay,
)
from payments.providers import REGISTRY
from tests import staff
from tests.factories import (
    MPESA_CREDENTIALS,
    STRIPE_CREDENTIALS,
    ApiKeyFactory,
    CallbackFactory,
    CustomerFactory,
    DeliveryFactory,
    EventFactory,
    MerchantFactory,
    ProviderAccountFactory,
    WebhookEndpointFactory,
)

pytestmark = pytest.mark.django_db
PAGES = [
    MerchantFactory,
    ApiKeyFactory,
    ProviderAccountFactory,
    WebhookEndpointFactory,
    DeliveryFactory,
    CallbackFactory,
    CustomerFactory,
]


@pytest.mark.parametrize("make", PAGES)
def test_list_and_page_show_the_row(make):
    row = make()
    client = staff.signed_in(superuser=True)
    assert staff.page(row) in client.get(staff.listing(row)).text
    shown = client.get(staff.page(row))
    assert shown.status_code == 200
    assert row.pk in shown.text


@pytest.mark.parametrize("make", PAGES)
def test_a_list_takes_as_many_queries_for_25_rows_as_for_one(make):
    row = make()
    client = staff.signed_in(superuser=True)
    few = staff.queries(client, staff.listing(row))
    make.create_batch(24)
    assert staff.queries(client, staff.listing(row)) == few


@pytest.mark.parametrize("make", PAGES)
def test_nothing_is_changed_or_deleted_by_form(make):
    row = make()
    client = staff.signed_in(superuser=True)
    assert client.post(staff.page(row), {"name": "taken over"}).status_code == 403
    assert client.post(staff.page(row, "delete"), {"post": "yes"}).status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


# Merchants


def test_a_merchant_is_added_and_stopped():
    client = staff.signed_in("merchants.view_merchant", "merchants.add_merchant", "merchants.change_merchant")
    client.post(staff.adding(Merchant), {"name": "Mama Njeri Stores"})
    merchant = Merchant.objects.get(name="Mama Njeri Stores")
    client.post(staff.page(merchant, "edit"), {"name": "Mama Njeri", "default_region": "ke", "reason": "unpaid bills"})
    merchant.refresh_from_db()
    assert (merchant.name, merchant.is_active, merchant.default_region) == ("Mama Njeri", False, "KE")
    assert ("staff:amina", "merchant.edit", {"reason": "unpaid bills"}) in staff.recorded(merchant)


def test_a_merchants_region_is_a_country_that_has_phone_numbers():
    client = staff.signed_in("merchants.add_merchant")
    answer = client.post(staff.adding(Merchant), {"name": "Mama Njeri Stores", "default_region": "XX"})
    assert "No country has that code." in answer.text
    assert not Merchant.objects.exists()


def test_a_merchant_is_added_only_by_those_who_may():
    client = staff.signed_in("merchants.view_merchant")
    assert client.post(staff.adding(Merchant), {"name": "Mine"}).status_code == 403
    assert not Merchant.objects.exists()


# Keys


def asked_key(merchant, **given):
    return {
        "merchant": merchant.pk,
        "name": "shop",
        "owner": "Njeri Kamau",
        "scopes": ["payments:read"],
        "allowed_addresses": "",
        **given,
    }


MAY_KEYS = ("merchants.view_apikey", "merchants.add_apikey")


def test_a_key_is_shown_once_and_never_again():
    merchant = MerchantFactory()
    client = staff.signed_in(*MAY_KEYS, "merchants.view_merchant", "events.view_auditentry")
    answer = client.post(staff.adding(ApiKey), asked_key(merchant))
    key = ApiKey.objects.get()
    presented = next(word for word in answer.text.replace("<", " ").replace(">", " ").split() if word.startswith("sk_"))
    assert key_hash(presented) == key.hash
    assert "no-store" in answer["Cache-Control"]
    later = [staff.page(key), staff.listing(key), staff.page(merchant), "/admin/", "/admin/events/auditentry/"]
    assert not any(presented in client.get(path).text for path in later)
    assert presented not in json.dumps(dict(client.session))


def test_a_key_gets_what_the_form_asked_for():
    merchant = MerchantFactory()
    tomorrow = (clock.now() + timedelta(days=1)).replace(microsecond=0)
    given = {
        "scopes": ["refunds:write", "payments:read"],
        "allowed_addresses": "203.0.113.7\n198.51.100.0/24",
        "expires_at_0": tomorrow.strftime("%Y-%m-%d"),
        "expires_at_1": tomorrow.strftime("%H:%M:%S"),
    }
    staff.signed_in(*MAY_KEYS).post(staff.adding(ApiKey), asked_key(merchant, **given))
    key = ApiKey.objects.get()
    assert (key.scopes, key.allowed_addresses) == (
        ["payments:read", "refunds:write"],
        ["203.0.113.7", "198.51.100.0/24"],
    )
    assert (key.expires_at, key.livemode, key.owner) == (tomorrow, False, "Njeri Kamau")
    assert [entry[1] for entry in staff.recorded(key)] == ["api_key.created", "apikey.shown_once"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["payments:everything"]},
        {"allowed_addresses": "the office"},
        {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
        {"owner": ""},
    ],
)
def test_a_key_that_is_asked_for_wrongly_is_not_made(wrong):
    answer = staff.signed_in(*MAY_KEYS).post(staff.adding(ApiKey), asked_key(MerchantFactory(), **wrong))
    assert answer.status_code == 200
    assert not ApiKey.objects.exists()


def test_a_key_is_made_and_revoked_only_by_those_who_may():
    key = ApiKeyFactory()
    client = staff.signed_in("merchants.view_apikey")
    assert client.post(staff.adding(ApiKey), asked_key(key.merchant)).status_code == 403
    assert client.post(staff.page(key, "revoke"), {"reason": "leaked"}).status_code == 403
    key.refresh_from_db()
    assert (ApiKey.objects.count(), key.revoked_at) == (1, None)


def test_a_revoked_key_is_refused_at_once(client):
    key = ApiKeyFactory()
    bearer = {"headers": {"Authorization": f"Bearer {key.presented}"}}
    assert client.get("/v1/payments", **bearer).status_code == 200
    staff.signed_in("merchants.view_apikey", "merchants.revoke_api_key").post(
        staff.page(key, "revoke"), {"reason": "leaked in a chat"}
    )
    assert client.get("/v1/payments", **bearer).status_code == 401
    assert ("staff:amina", "apikey.revoke", {"reason": "leaked in a chat"}) in staff.recorded(key)


# Provider accounts


def asked_account(merchant, **given):
    return {
        "merchant": merchant.pk,
        "name": "Paybill",
        "host": "simulator",
        "priority": "10",
        **MPESA_CREDENTIALS,
        "shortcode": "600111",
        "smallest_amount": "1",
        "largest_amount": "250000",
        "source_addresses": "127.0.0.1",
        "transaction_status_words": "Completed = succeeded",
        **given,
    }


ADD_MPESA = "?provider=mpesa"
MAY_ACCOUNTS = ("merchants.view_provideraccount", "merchants.add_provideraccount")


def test_an_account_is_added_with_sealed_credentials_and_only_the_options_that_differ():
    client = staff.signed_in(*MAY_ACCOUNTS)
    assert "M-Pesa" in client.get(staff.adding(ProviderAccount)).text
    client.post(staff.adding(ProviderAccount) + ADD_MPESA, asked_account(MerchantFactory()))
    account = ProviderAccount.objects.get()
    assert json.loads(sealing.unseal(account, "credentials")) == MPESA_CREDENTIALS
    assert account.options == {"shortcode": "600111", "source_addresses": ["127.0.0.1"]}
    assert (account.provider, account.name, account.host, account.priority) == ("mpesa", "Paybill", "simulator", 10)


def test_the_address_for_callbacks_is_shown_once():
    client = staff.signed_in(*MAY_ACCOUNTS)
    asked = asked_account(MerchantFactory(), secret_key="sk_test_1", webhook_secrets="whsec_1\nwhsec_2")
    answer = client.post(staff.adding(ProviderAccount) + "?provider=stripe", asked)
    account = ProviderAccount.objects.get()
    assert doors.callback_url(account, "events") in answer.text
    assert "no-store" in answer["Cache-Control"]
    assert doors.account_token(account) not in client.get(staff.page(account)).text
    assert json.loads(sealing.unseal(account, "credentials"))["webhook_secrets"] == ["whsec_1", "whsec_2"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"passkey": ""}, "This field is required"),
        ({"shortcode": "letters"}, "must be digits"),
        ({"transaction_status_words": "Completed"}, "each line is"),
        ({"livemode": "on", "host": "sandbox"}, "in live mode mpesa has production"),
    ],
)
def test_an_account_that_its_provider_would_not_take_is_refused_and_no_secret_comes_back(wrong, said):
    asked = asked_account(MerchantFactory(), **wrong)
    answer = staff.signed_in(*MAY_ACCOUNTS).post(staff.adding(ProviderAccount) + ADD_MPESA, asked)
    assert said in answer.text
    assert not ProviderAccount.objects.exists()
    secrets = {name: text for name, text in MPESA_CREDENTIALS.items() if name != "initiator_name"}
    assert not any(text in answer.text for text in secrets.values())


def test_credentials_of_the_other_mode_are_refused():
    asked = asked_account(MerchantFactory(), secret_key="sk_live_hidden", webhook_secrets="whsec_hidden")
    answer = staff.signed_in(*MAY_ACCOUNTS).post(staff.adding(ProviderAccount) + "?provider=stripe", asked)
    assert "must begin with sk_test_" in answer.text
    assert "sk_live_hidden" not in answer.text
    assert "whsec_hidden" not in answer.text
    assert not ProviderAccount.objects.exists()


def test_credentials_are_written_and_never_shown():
    account = ProviderAccountFactory()
    client = staff.signed_in("merchants.view_provideraccount", "merchants.set_credentials")
    form = client.get(staff.page(account, "set_credentials")).text
    assert STRIPE_CREDENTIALS["secret_key"] not in form
    given = {"secret_key": "sk_test_new", "webhook_secrets": "whsec_new", "reason": "rotated there"}
    answer = client.post(staff.page(account, "set_credentials"), given, follow=True)
    account.refresh_from_db()
    assert json.loads(sealing.unseal(account, "credentials"))["secret_key"] == "sk_test_new"
    assert account.revision == 2
    assert "sk_test_new" not in answer.text
    assert "sk_test_new" not in str(staff.recorded(account))


def test_credentials_are_written_only_by_those_who_may():
    account = ProviderAccountFactory()
    client = staff.signed_in("merchants.view_provideraccount", "merchants.change_provideraccount")
    assert "Set credentials" not in client.get(staff.page(account)).text
    given = {"secret_key": "sk_test_mine", "webhook_secrets": "whsec_mine", "reason": "mine now"}
    assert client.post(staff.page(account, "set_credentials"), given).status_code == 403
    account.refresh_from_db()
    assert json.loads(sealing.unseal(account, "credentials")) == STRIPE_CREDENTIALS


def test_options_are_changed_and_checked():
    account = ProviderAccountFactory(mpesa=True)
    client = staff.signed_in("merchants.view_provideraccount", "merchants.change_provideraccount")
    assert "600111" in client.get(staff.page(account, "edit")).text
    given = asked_account(account.merchant, shortcode="700222", reason="a new paybill")
    client.post(staff.page(account, "edit"), given)
    account.refresh_from_db()
    assert (account.name, account.priority, account.options["shortcode"]) == ("Paybill", 10, "700222")
    answer = client.post(staff.page(account, "edit"), {**given, "shortcode": "no"})
    assert "must be digits" in answer.text


def test_an_account_is_switched_off_by_one_person_at_once_and_not_on_again():
    account = ProviderAccountFactory()
    client = staff.signed_in("merchants.view_provideraccount", "merchants.switch_off_account")
    client.post(staff.page(account, "switch_off"), {"reason": "they are down"})
    account.refresh_from_db()
    assert account.is_enabled is False
    assert not any(word in client.get(staff.page(account)).text for word in ("Switch off", "Ask to switch on"))
    assert ("staff:amina", "provideraccount.switch_off", {"reason": "they are down"}) in staff.recorded(account)


def test_a_new_callback_path_leaves_the_earlier_open_until_it_is_closed(client):
    account = ProviderAccountFactory()
    earlier = doors.callback_url(account, "events")
    colleague = staff.signed_in("merchants.view_provideraccount", "merchants.rotate_callback_token")
    answer = colleague.post(staff.page(account, "rotate_callback_token"), {"reason": "it was mailed around"})
    account.refresh_from_db()
    newer = doors.callback_url(account, "events")
    assert newer != earlier
    assert newer in answer.text
    assert [_knock(client, path) for path in (earlier, newer)] == [400, 400]
    colleague.post(staff.page(account, "retire_callback_tokens"), {"reason": "the new one is in use"})
    assert [_knock(client, path) for path in (earlier, newer)] == [404, 400]


def _knock(client, url):
    return client.post(
        f"/callbacks/{url.partition('/callbacks/')[2]}", b"{}", content_type="application/json"
    ).status_code


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"provider": "acme"}, "'provider'"),
        ({"credentials": {}}, "'secret_key'"),
        ({"credentials": {**STRIPE_CREDENTIALS, "secret_key": "sk_live_1"}}, "'secret_key'"),
        ({"options": {"colour": "red"}}, "'colour'"),
        ({"host": "evil.example"}, "'host'"),
        (
            {"host": "simulator", "livemode": True, "credentials": {**STRIPE_CREDENTIALS, "secret_key": "sk_live_1"}},
            "'host'",
        ),
    ],
)
def test_the_service_refuses_an_account_and_names_the_field(given, named):
    with pytest.raises(ValueError, match=named) as raised:
        ProviderAccountFactory(**given)
    assert "sk_live_1" not in str(raised.value)
    assert not ProviderAccount.objects.exists()


def test_two_changes_at_once_get_two_revisions():
    account = ProviderAccountFactory()
    stale = ProviderAccount.objects.get(pk=account.pk)
    services.change_account(account, by="tests", priority=1)
    services.change_account(stale, by="tests", name="Second")
    account.refresh_from_db()
    assert (account.revision, account.priority, account.name) == (3, 1, "Second")


def test_every_provider_says_what_its_accounts_are_made_of():
    assert set(accounts.everyone()) == set(REGISTRY)


# Deliveries and callbacks


def test_an_endpoint_never_shows_its_secret():
    endpoint = WebhookEndpointFactory()
    client = staff.signed_in(superuser=True)
    shown = client.get(staff.page(endpoint)).text + client.get(staff.listing(WebhookEndpoint)).text
    assert endpoint.presented not in shown


def test_staff_ping_an_endpoint_and_replay_a_span_to_it():
    endpoint = WebhookEndpointFactory()
    client = staff.signed_in(
        "merchants.view_webhookendpoint",
        "merchants.view_webhookreplay",
        "merchants.ping_endpoint",
        "merchants.replay_events",
    )
    client.post(staff.page(endpoint, "ping"), {"reason": "is it there?"})
    assert Event.objects.get().type == "webhook_endpoint.ping"
    since, until = (clock.now() - timedelta(hours=hours) for hours in (2, 1))
    span = {"since_0": since.date(), "since_1": f"{since:%H:%M:%S}", "until_0": until.date()}
    client.post(staff.page(endpoint, "replay"), {**span, "until_1": f"{until:%H:%M:%S}", "reason": "they asked"})
    replay = WebhookReplay.objects.get()
    assert (replay.since, replay.created_by) == (since.replace(microsecond=0), "staff:amina")
    assert replay.pk in client.get(staff.listing(WebhookReplay)).text
    assert client.get(staff.page(replay)).status_code == 200
    old = since - timedelta(days=40)
    WebhookReplay.objects.all().delete()
    client.post(
        staff.page(endpoint, "replay"),
        {**span, "since_0": old.date(), "until_1": f"{until:%H:%M:%S}", "reason": "they asked"},
    )
    assert not WebhookReplay.objects.exists()


def test_without_the_permissions_nobody_is_pinged():
    endpoint = WebhookEndpointFactory()
    client = staff.signed_in("merchants.view_webhookendpoint")
    for action in ("ping", "replay"):
        assert client.post(staff.page(endpoint, action), {"reason": "so"}).status_code == 403
    assert not Event.objects.exists()


def test_what_a_subscriber_did_not_take_is_sent_again():
    row = InternalDelivery.objects.create(
        subscriber="billing", lane="billing", event=EventFactory(), tries=10, status=503
    )
    client = staff.signed_in("merchants.view_internaldelivery", "merchants.resend_internal_delivery")
    assert "billing" in client.get(staff.listing(InternalDelivery)).text
    assert "503" in client.get(staff.page(row)).text
    client.post(staff.page(row, "send_again"), {"reason": "they are back"})
    row.refresh_from_db()
    assert (row.tries, row.due_at <= clock.now()) == (0, True)


def test_a_delivery_shows_its_attempts_and_is_sent_again():
    delivery = DeliveryFactory(state=Delivery.State.FAILED, tries=10)
    DeliveryAttempt.objects.create(delivery=delivery, status=503, milliseconds=812, answer="down for maintenance")
    client = staff.signed_in("merchants.view_delivery", "merchants.redeliver_delivery")
    shown = client.get(staff.page(delivery)).text
    assert "503" in shown
    assert "down for maintenance" in shown
    client.post(staff.page(delivery, "deliver_again"), {"reason": "they are back"})
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries, delivery.due_at <= clock.now()) == ("pending", 0, True)
    assert staff.recorded(delivery) == [("staff:amina", "delivery.deliver_again", {"reason": "they are back"})]


def test_a_delivery_is_not_sent_again_without_the_permission_or_to_a_disabled_endpoint():
    delivery = DeliveryFactory(state=Delivery.State.FAILED)
    assert (
        staff.signed_in("merchants.view_delivery")
        .post(staff.page(delivery, "deliver_again"), {"reason": "please"})
        .status_code
        == 403
    )
    WebhookEndpoint.objects.update(is_enabled=False)
    answer = _colleague("merchants.view_delivery", "merchants.redeliver_delivery").post(
        staff.page(delivery, "deliver_again"), {"reason": "please"}, follow=True
    )
    assert "is disabled" in answer.text
    delivery.refresh_from_db()
    assert delivery.state == Delivery.State.FAILED


def _colleague(*permissions):
    return staff.signed_in(*permissions, username="bob")


def quarantined(account, *, secret):
    """A genuine event, an hour old, that came while the account held another secret."""
    arrived = clock.now() - timedelta(hours=1)
    body = json.dumps({"id": "evt_1", "type": "charge.updated", "livemode": False, "data": {"object": {}}}).encode()
    stamp = str(int(arrived.timestamp()))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return CallbackFactory(
        provider_account=account,
        state=Callback.State.QUARANTINED,
        body=body,
        headers={"stripe-signature": f"t={stamp},v1={signature}"},
        received_at=arrived,
    )


MAY_PROCESS = ("events.view_callback", "events.reprocess_callback")


def test_a_quarantined_callback_is_processed_once_the_secret_is_right():
    account = ProviderAccountFactory()
    callback = quarantined(account, secret="whsec_corrected")
    client = staff.signed_in(*MAY_PROCESS)
    answer = client.post(staff.page(callback, "process_again"), {"reason": "try"}, follow=True)
    assert "It is still refused" in answer.text
    callback.refresh_from_db()
    assert callback.state == Callback.State.QUARANTINED

    services.set_credentials(account, {**STRIPE_CREDENTIALS, "webhook_secrets": ["whsec_corrected"]}, by="tests")
    client.post(staff.page(callback, "process_again"), {"reason": "the secret is right now"})
    callback.refresh_from_db()
    assert (callback.state, callback.due_at <= clock.now()) == (Callback.State.RECEIVED, True)
    assert [entry[2] for entry in staff.recorded(callback)] == [
        {"reason": "try", "refused": "conflict"},
        {"reason": "the secret is right now"},
    ]


def test_a_callback_is_not_processed_again_without_the_permission():
    account = ProviderAccountFactory()
    callback = quarantined(account, secret=STRIPE_CREDENTIALS["webhook_secrets"][0])
    client = staff.signed_in("events.view_callback")
    assert "process again" not in client.get(staff.page(callback)).text
    assert client.post(staff.page(callback, "process_again"), {"reason": "go"}).status_code == 403
    callback.refresh_from_db()
    assert callback.state == Callback.State.QUARANTINED


def test_a_callbacks_page_tells_its_size_and_never_its_body_or_headers():
    callback = CallbackFactory(body=b'{"phone": "254708374149"}', headers={"authorization": "Basic c2VjcmV0"})
    shown = staff.signed_in("events.view_callback").get(staff.page(callback)).text
    assert "25 bytes" in shown
    assert "254708374149" not in shown
    assert "c2VjcmV0" not in shown
