"""Runs of reconciliation, begun and worked on as beat and a worker would."""

from datetime import timedelta
from typing import Any

from django.db import transaction

from core import clock
from core.money import Money
from events import work
from merchants.models import ProviderAccount
from payments.models import Receipt
from payments.providers.base import ReceiptKind
from payments.providers.statements import StatementLine, Statements
from reconciliation import matching, runs, staging
from reconciliation.models import Discrepancy, Run
from tests import factories


def reconcile(account: ProviderAccount, occasion: Run.Occasion = Run.Occasion.NIGHTLY) -> Run:
    """A run of the account, worked on until its worker has nothing to do."""
    begun = runs.begin(account, occasion=occasion, by="test")
    assert begun is not None
    work.drain(runs.QUEUE)
    return Run.objects.get(pk=begun.pk)


def open_run(account: ProviderAccount, **changes: Any) -> Run:
    """A run that nobody works on: of the last day, and matched as if it ended now."""
    return factories.RunFactory(account=account, **changes)


def cases() -> list[tuple[str, str, str]]:
    """(kind, key, outcome) of every discrepancy."""
    return sorted(Discrepancy.objects.values_list("kind", "key", "outcome"))


def booked(account: ProviderAccount, number: str | None, amount: int = 25_000, **changes: Any) -> Receipt:
    """A receipt of the account's, booked six hours ago."""
    attempt = factories.AttemptFactory(account=account, payment__merchant=account.merchant, payment__currency="KES")
    values = {"created_at": clock.now() - timedelta(hours=6), "currency": "KES"} | changes
    return factories.ReceiptFactory(attempt=attempt, provider_money_id=number, amount=amount, **values)


def line(number: str, amount: int = 25_000, currency: str = "KES", **changes: Any) -> StatementLine:
    values = {"kind": ReceiptKind.CAPTURE, "money": Money(amount, currency), "provider_money_id": number} | changes
    return StatementLine(**values)


DECLARED = Statements(kinds=frozenset({ReceiptKind.CAPTURE}), reach=timedelta(hours=48))


def match_listed(account: ProviderAccount, *lines: StatementLine) -> Run:
    """A finished run over the last day, of lines that the provider's own list has."""
    run = open_run(account)
    staging.stage(run.pk, lines)
    with transaction.atomic():
        matching.match(run, DECLARED)
    run.phase, run.finished_at = "finished", clock.now()
    run.save()
    return run
