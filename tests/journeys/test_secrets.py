"""A whole day at a shop, and then a search through everything that it left behind (security.md 5, house rules)."""

import json
import logging
from itertools import chain

import pytest
import requests
from django.apps import apps
from django.db import models

from core.http import Request
from core.logging import JsonFormatter
from events import sealing
from events.models import Event
from merchants import doors
from merchants.models import ProviderToken
from payments.models import Operation
from payments.services import connections
from payments.services.preparing import order_for
from tests.payments.world import MPESA, PHONE, STRIPE_KEY, STRIPE_SIGNING_SECRET, reaches, refund_reaches, session

pytestmark = pytest.mark.django_db(transaction=True)

OURS = ("config", "core", "events", "merchants", "payments")
METHODS = ("pm_card_threeDSecure2Required", "pm_card_visa_chargeDeclined", "pm_card_mastercard")
CARD_NUMBER = "4242424242424242"


@pytest.fixture
def day(world, shop, caller, caplog):
    """What was answered, every secret that took part, and the log lines as they were written."""
    caplog.set_level(logging.INFO)
    answers = []

    def keep(answer):
        answers.append(answer.text + str(dict(answer.headers)))
        return answer

    def ask(verb, path, **body):
        return keep(caller.send(verb, path, json=body or None)).json()

    url = world.listen_to_stripe(shop)
    ask("POST", "webhook-endpoints", url="http://127.0.0.1:1/hook")
    card = {"amount": 1250, "currency": "USD", "method": "card", "return_url": "https://shop.example/"}
    asked, _, paid = (ask("POST", "payments", payment_method=token, **card) for token in METHODS)
    ask("POST", f"test/payments/{asked['id']}/simulate", outcome="succeed")
    reaches(shop, asked, "succeeded")
    ask("POST", f"payments/{paid['id']}/refunds", amount=100)
    prompt = ask("POST", "payments", amount=25_000, currency="KES", method="mpesa", phone="0711 000 111")
    ask("POST", "payments", amount=25_000, currency="KES", method="mpesa", phone=PHONE)
    ask("POST", f"test/payments/{prompt['id']}/simulate", outcome="succeed")
    reaches(shop, prompt, "succeeded")
    refund = ask("POST", f"payments/{prompt['id']}/refunds", reason="broken")
    refund_reaches(shop, refund, "succeeded")
    world.mpesa.trouble("reset_after", "POST /mpesa/stkpush/v1/processrequest")
    ask("POST", "payments", amount=25_000, currency="KES", method="mpesa", phone=PHONE)
    with world.later(seconds=13):
        pass
    ask("POST", "payments", amount=1, currency="KES", method="mpesa", phone=PHONE)
    ask("POST", "payments", payment_method=METHODS[0], description=CARD_NUMBER, **card)
    ask("POST", "payments", payment_method=METHODS[0], phone=PHONE, surprise=CARD_NUMBER, **card)
    callback = world.mpesa.callbacks()[0]["url"]
    http = session()
    for target in (url, callback, callback + "x", url.replace("/events", "/query"), f"{world.base_url}/return/x"):
        keep(http.post(target, data=b'{"phone": "%s"}' % PHONE.encode(), timeout=8))
        keep(http.get(target, timeout=8))
    keep(http.get(f"{world.base_url}/v1/payments", headers={"Authorization": "Bearer sk_test_" + "y" * 43}, timeout=8))
    keep(http.get(f"{world.base_url}/v1/nothing", headers={"X-API-Key": shop.key}, timeout=8))
    for path in ("payments", "events", f"payments/{prompt['id']}", f"refunds/{refund['id']}", "webhook-endpoints"):
        ask("GET", path)
    formatter = JsonFormatter()
    lines = [formatter.format(record) for record in caplog.records]
    return answers, secrets(world, shop, callback), lines


def secrets(world, shop, callback):
    intents = requests.get(
        f"{world.stripe.url}/v1/payment_intents", headers={"Authorization": f"Bearer {STRIPE_KEY}"}, timeout=8
    ).json()["data"]
    token = sealing.unseal_secret(ProviderToken.objects.get(account=shop.mpesa), "token").reveal()
    return {
        "our key": shop.key,
        "Stripe's key": STRIPE_KEY,
        "Stripe's signing secret": STRIPE_SIGNING_SECRET,
        "phone": PHONE,
        "phone as it was given": "0711 000 111",
        "card number": CARD_NUMBER,
        "M-Pesa's access token": token,
        "account's callback token": doors.account_token(shop.mpesa),
        "Stripe's callback token": doors.account_token(shop.stripe),
        "operation's callback token": callback.rsplit("/", 1)[1],
        **{f"card token {method}": method for method in METHODS},
        **{f"client secret {place}": intent["client_secret"] for place, intent in enumerate(intents)},
        **{name: value for name, value in MPESA.items() if name != "initiator_name"},
    }


def found_in(texts, searched):
    return {name for name, secret in searched.items() for text in texts if secret in text}


def test_no_secret_is_in_answers_error_pages_events_logs_rows_or_reprs(world, shop, day):
    answers, searched, lines = day
    assert len(answers) > 30
    assert len(searched) > 18

    assert found_in(answers, searched) == set()
    assert lines
    assert found_in(lines, searched) == set()
    events = [json.dumps(data) for data in Event.objects.values_list("data", flat=True)]
    assert len(events) >= 10
    assert found_in(events, searched) == set()
    assert all("url" not in (json.loads(event)["next_action"] or {}) for event in events if "next_action" in event)
    rows = list(stored_texts())
    assert len(rows) > 100
    assert found_in(rows, searched) == set()
    assert found_in(reprs(shop), searched) == set()


def stored_texts():
    """Every column of every row of ours; what is sealed is only ciphertext here."""
    for model in chain.from_iterable(apps.get_app_config(name).get_models() for name in OURS):
        binary = {field.attname for field in model._meta.fields if isinstance(field, models.BinaryField)}
        for row in model._default_manager.values():
            for name, value in row.items():
                yield bytes(value).decode("latin-1") if name in binary and value is not None else str(value)


def reprs(shop):
    """What would stand in a traceback or a careless log line."""
    for account in (shop.stripe, shop.mpesa):
        adapter = connections.connect(account)
        yield repr(account)
        yield repr(adapter)
        yield repr(adapter.connection)
        yield f"{adapter.credentials!r} {adapter.credentials} {adapter.options}"
    for operation in Operation.objects.select_related("attempt__payment", "attempt__account", "refund"):
        yield f"{operation!r} {operation} {operation.attempt!r} {operation.attempt.payment!r}"
        yield repr(order_for(operation, token="-"))
    request = Request("POST", f"https://company.example/callbacks/{PHONE}", {"Authorization": shop.key}, PHONE.encode())
    yield repr(request).replace(request.url, "")
