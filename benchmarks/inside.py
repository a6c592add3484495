"""What `benchmarks.hand` does inside a checkout that is measured: it seeds, stages and counts.

With `--base` it is the other checkout's own file that runs, so that its models and services fit.
"""

import os
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, Max, Q

from core import clock
from core.money import Money
from events import outbox
from events.models import Event, IdempotencyKey
from ledger import balances
from ledger.facts import Fact
from ledger.models import Entry, Transfer
from ledger.posting import Books, post
from merchants import services, webhook_health
from merchants.models import Delivery, DeliveryAttempt, Merchant, WebhookEndpoint
from merchants.scopes import known
from payments.models import Attempt, Operation, Payment, Receipt
from payments.providers import REGISTRY

BY = "benchmarks"


def seed(*, endpoints: list[str]) -> dict[str, Any]:
    """A merchant with a key, a Stripe account and webhook endpoints. `place` is Stripe's in the registry."""
    merchant = services.create_merchant(name="Benchmark", by=BY)
    _, key = services.create_api_key(merchant=merchant, name="load", owner="load", scopes=list(known()), by=BY)
    services.create_provider_account(
        merchant=merchant,
        provider="stripe",
        name="Stripe",
        host="simulator",
        credentials={"secret_key": "sk_test_benchmark", "webhook_secrets": ["whsec_benchmark"]},
        by=BY,
    )
    for url in endpoints:
        endpoint, _ = services.create_webhook_endpoint(merchant=merchant, url=url, by=BY)
        endpoint.save(force_insert=True)
    return {"key": key.reveal(), "place": list(REGISTRY).index("stripe")}


def stage(*, events: int) -> dict[str, Any]:
    """Stage a delivery of so many events to each endpoint; all become due, and the worker wakes, in one commit."""
    merchant = Merchant.objects.get(name="Benchmark")
    with transaction.atomic():
        Event.objects.bulk_create(_event(merchant, number) for number in range(events))
        while outbox.dispatch():
            pass
        Delivery.objects.filter(state=Delivery.State.PENDING, claim=None).update(due_at=clock.now())
    return {"committed_at": clock.now().timestamp()}


def _event(merchant: Merchant, number: int) -> Event:
    """An event of the size that a card payment has."""
    payment = f"pay_{os.urandom(13).hex()}"
    attempt = {"id": f"att_{os.urandom(13).hex()}", "provider": "stripe", "state": "succeeded", "failure": None}
    data = {
        "id": payment,
        "object": "payment",
        "state": "succeeded",
        "amount": 1000 + number % 9000,
        "currency": "USD",
        "captured_amount": 1000 + number % 9000,
        "refunded_amount": 0,
        "method": "card",
        "capture": "automatic",
        "reference": f"order-{number}",
        "description": "A pair of shoes, size 42",
        "next_action": None,
        "failure": None,
        "attempts": [{**attempt, "provider_id": f"pi_{number:024d}", "provider_status": "succeeded"}],
        "metadata": {"cart": "8841", "channel": "web"},
        "livemode": False,
        "created_at": clock.rfc3339(clock.now()),
    }
    return Event(
        merchant=merchant.pk,
        livemode=False,
        type="payment.succeeded",
        subject=payment,
        sequence=1,
        data=data,
        api_version="2026-11-20",
    )


def deliveries() -> dict[str, Any]:
    """By endpoint URL: how many are pending and delivered, and when the last one was."""
    rows = WebhookEndpoint.objects.annotate(
        pending=Count("deliveries", filter=Q(deliveries__state=Delivery.State.PENDING)),
        delivered=Count("deliveries", filter=Q(deliveries__state=Delivery.State.DELIVERED)),
        last=Max("deliveries__finished_at", filter=Q(deliveries__state=Delivery.State.DELIVERED)),
    )
    return {
        row.url: {
            "pending": row.pending,
            "delivered": row.delivered,
            "last": row.last.timestamp() if row.last else None,
        }
        for row in rows
    }


def switch(*, url: str, on: bool) -> dict[str, Any]:
    """Disable an endpoint, discarding what waits for it, or enable it again."""
    endpoint = WebhookEndpoint.objects.get(url=url)
    if on:
        services.change_webhook_endpoint(endpoint, by=BY, is_enabled=True)
    else:
        webhook_health.disable(endpoint, reason="the slice is over", by=BY)
    return {}


def counts() -> dict[str, Any]:
    """Rows that one-step payments leave; `open` ones are not settled yet, `waiting` events not fanned out."""
    return {
        "payments": Payment.objects.count(),
        "succeeded": Payment.objects.filter(state="succeeded").count(),
        "open": Operation.objects.filter(due_at__isnull=False).count(),
        "attempts": Attempt.objects.count(),
        "operations": Operation.objects.count(),
        "receipts": Receipt.objects.count(),
        "keys": IdempotencyKey.objects.count(),
        "succeeded_events": Event.objects.filter(type="payment.succeeded").count(),
        "events": Event.objects.count(),
        "undelivered": Event.objects.exclude(deliveries__state=Delivery.State.DELIVERED).count(),
        "deliveries": Delivery.objects.count(),
        "tries": DeliveryAttempt.objects.count(),
    }


def ledger() -> dict[str, Any]:
    """Every payment that has money: its reference and id at the provider, and what was captured of what was asked."""
    rows = Attempt.objects.filter(receipts__isnull=False).values_list(
        "provider_reference", "provider_id", "receipts__amount"
    )
    crooked = Payment.objects.filter(state="succeeded").exclude(captured_amount=F("amount")).count()
    return {"captured": [list(row) for row in rows], "crooked": crooked}


def capture(*, owners: list[str]) -> dict[str, Any]:
    """The text of every statement by which a capture is posted, from one that is rolled back."""
    statements: list[str] = []

    def keep(execute: Callable[..., Any], statement: str, *given: Any) -> Any:
        statements.append(statement)
        return execute(statement, *given)

    merchant, account = owners
    with transaction.atomic(), connection.execute_wrapper(keep):
        books = Books(merchant=merchant, account=account, livemode=False)
        post(Fact.PAYMENT_CAPTURED, Money(1000, "KES"), books=books, source="rcpt_1", cause="pay_1")
        transaction.set_rollback(True)
    return {"statements": statements}


def books() -> dict[str, Any]:
    """What the books count, and how many accounts' balances disagree with their entries."""
    return {
        "transfers": Transfer.objects.count(),
        "entries": Entry.objects.count(),
        "differences": len(balances.differences()),
    }


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    command.__name__: command for command in (seed, stage, deliveries, switch, counts, ledger, capture, books)
}
