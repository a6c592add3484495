"""What `benchmarks.hand` does for `failover`: merchants with accounts at both acquirers, and what became of codes."""

from collections.abc import Callable, Mapping
from typing import Any

from merchants import services
from merchants.scopes import known
from payments.models import Payment

BY = "benchmarks"


def merchants(*, hosts: Mapping[str, list[str]]) -> dict[str, Any]:
    """A merchant of each name with an account at each of its hosts, tried in that order: their keys, by name."""
    return {"keys": {name: _merchant(name, at) for name, at in hosts.items()}}


def _merchant(name: str, hosts: list[str]) -> str:
    merchant = services.create_merchant(name=name, by=BY)
    _, key = services.create_api_key(merchant=merchant, name="load", owner="load", scopes=list(known()), by=BY)
    for place, host in enumerate(hosts):
        services.create_provider_account(
            merchant=merchant,
            provider="midtrans",
            name=host,
            host=host,
            credentials={"server_key": f"SB-Mid-server-{name}-{host}"},
            priority=place,
            by=BY,
        )
    return key.reveal()


def codes() -> dict[str, Any]:
    """Every payment by QRIS: its merchant, its attempts in their order, and the references that money came in by."""
    rows = Payment.objects.filter(method="qris").select_related("merchant").prefetch_related("attempts__account")
    return {"payments": [_code(payment) for payment in rows.prefetch_related("attempts__receipts").order_by("pk")]}


def _code(payment: Payment) -> dict[str, Any]:
    attempts = sorted(payment.attempts.all(), key=lambda attempt: attempt.pk)
    return {
        "merchant": payment.merchant.name,
        "state": payment.state,
        "is_whole": payment.captured_amount == payment.amount,
        "tried": [[attempt.account.name, attempt.provider_reference] for attempt in attempts],
        "paid": [attempt.provider_reference for attempt in attempts for _ in attempt.receipts.all()],
    }


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {command.__name__: command for command in (merchants, codes)}
