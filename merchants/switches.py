"""Keeping new payments from a provider, or from one account of a merchant: off by one person, on again by two.

What is open there goes on: callbacks, questions, captures, refunds and cancels ask nobody.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from core import clock
from core.errors import Conflict
from events import approvals, audit
from events.approvals import Action
from events.models import Approval
from merchants import accounts, services
from merchants.models import ProviderAccount, ProviderSwitch

PROVIDER_ON = "provider.switch_on"
ACCOUNT_ON = "provider_account.switch_on"


def switches() -> list[ProviderSwitch]:
    """One for each provider that is registered, in that order; made when first asked for."""
    names = list(accounts.everyone())
    ProviderSwitch.objects.bulk_create([ProviderSwitch(provider=name) for name in names], ignore_conflicts=True)
    by_name = {row.provider: row for row in ProviderSwitch.objects.filter(provider__in=names)}
    return [by_name[name] for name in names]


def switch_provider_off(row: ProviderSwitch, *, by: str) -> None:
    """No new payment goes to the provider, from the next one on. Raises Conflict where it is off already."""
    _turn(row, on=False, by=by)


def ask_for_provider(row: ProviderSwitch, *, by: str, because: str) -> Approval:
    """Ask a second person to switch the provider on again. Raises Conflict where it is on, or asked for already."""
    if row.is_on:
        raise Conflict(f"{row.provider} is on.")
    return approvals.ask(PROVIDER_ON, row, by=by, because=because)


def ask_for_account(account: ProviderAccount, *, by: str, because: str) -> Approval:
    """Ask a second person to switch the account on again. Raises Conflict where it is on, or asked for already."""
    if account.is_enabled:
        raise Conflict(f"{account.pk} is on.")
    return approvals.ask(ACCOUNT_ON, account, by=by, because=because)


def _turn(row: ProviderSwitch, *, on: bool, by: str) -> None:
    with transaction.atomic():
        changed = ProviderSwitch.objects.filter(pk=row.pk, is_on=not on, revision=row.revision).update(
            is_on=on, changed_at=clock.now(), changed_by=by, revision=row.revision + 1
        )
        if not changed:
            raise Conflict(f"{row.provider} has been switched meanwhile. Look at it again.")
        audit.record(actor=by, action=f"provider.switched_{'on' if on else 'off'}", object_id=row.pk, detail=_of(row))


def _of(row: ProviderSwitch) -> dict[str, Any]:
    return {"provider": row.provider}


def _provider_on(row: ProviderSwitch, *, by: str) -> None:
    _turn(row, on=True, by=by)


def _account_on(account: ProviderAccount, *, by: str) -> None:
    services.change_account(account, by=by, is_enabled=True)


def _provider_facts(row: ProviderSwitch) -> Mapping[str, Any]:
    return {"provider": row.provider, "is_on": row.is_on, "revision": row.revision}


def _account_facts(account: ProviderAccount) -> Mapping[str, Any]:
    """Everything that is changed with an account raises its revision."""
    return {"account": account.pk, "is_enabled": account.is_enabled, "revision": account.revision}


approvals.register(
    PROVIDER_ON,
    Action(
        title="Switch a provider on again",
        permission="merchants.switch_provider",
        find=lambda pk: ProviderSwitch.objects.select_for_update().get(pk=pk),
        facts=_provider_facts,
        carry_out=_provider_on,
    ),
)
approvals.register(
    ACCOUNT_ON,
    Action(
        title="Switch a provider account on again",
        permission="merchants.switch_on_account",
        find=lambda pk: ProviderAccount.objects.select_for_update().get(pk=pk),
        facts=_account_facts,
        carry_out=_account_on,
    ),
)
